"""Whatever the bytes, a verdict comes out; keys and published documents hold nothing private."""

import json
import warnings
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.oauth.claims import comparable_url
from sauma.oauth.jose import ALGORITHMS, DECOYS, strict_json
from sauma.oauth.keys import create_key, key_set
from sauma.oauth.metadata import resource_metadata, server_metadata
from sauma.oauth.reasons import Reason


@given(st.binary(max_size=64))
def test_json_is_read_or_refused_and_never_raises(raw: bytes) -> None:
    strict_json(raw)
    assert strict_json(b'{"a":1,"a":2}') is Reason.DUPLICATE_MEMBER


URLS = {
    "https://A.example/x": "https://a.example/x",
    "HTTPS://a.example:443/x?y#z": "https://a.example/x",
    "http://a.example:80": "http://a.example/",
    "http://127.0.0.1:8000/x": "http://127.0.0.1:8000/x",
    "http://[::1]:8000/x": "http://[::1]:8000/x",
    "https://a.example/%7Ex": "https://a.example/%7Ex",
    "https://u@a.example/x": None,
    "https://a.example\\@b.example/x": None,
    "//a.example/x": None,
    "ftp://a.example/x": None,
    " https://a.example/x": None,
    "https://ä.example/x": None,
    "https://a.example/x\n": None,
}


@pytest.mark.parametrize("url", URLS)
def test_urls_are_compared_in_one_spelling(url: str) -> None:
    assert comparable_url(url) == URLS[url]


def test_a_decoy_verifies_nothing_it_is_only_as_slow(baseline: Any) -> None:
    assert DECOYS.keys() == {"ES256", "Ed25519", "PS256"}
    known = baseline.client(keys=())
    for algorithm, key in baseline.algorithm_keys.items():
        refused = baseline.ask(
            known=known, form={"client_assertion": baseline.assertion(header={"alg": algorithm}, key=key)}
        )
        assert refused.reason == Reason.KEY_UNKNOWN.value


def test_no_warning_for_either_name_of_ed25519(baseline: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("EdDSA", "Ed25519"):
            proof = baseline.proof(header={"alg": name}, key=baseline.ed_key)
            assert baseline.call(proofs=(proof,)).reason is Reason.JKT_OTHER


def test_published_documents_hold_nothing_private_and_name_each_other() -> None:
    keys = (create_key(), create_key(algorithm="Ed25519"))
    published = key_set(*(key.public for key in keys))["keys"]
    assert [(jwk["alg"], jwk["kid"]) for jwk in published] == [
        ("ES256", keys[0].public.kid),
        ("EdDSA", keys[1].public.kid),
    ]
    assert all(jwk.keys() <= {"kty", "crv", "x", "y", "kid", "alg", "use"} for jwk in published)
    url, scopes = "http://127.0.0.1:8000", ("case:read",)
    server = msgspec.to_builtins(server_metadata(url, scopes=scopes))
    resource = msgspec.to_builtins(resource_metadata(url, scopes=scopes, issuers=(url,)))
    assert (server["introspection_endpoint"], server["revocation_endpoint"]) == (
        f"{url}/oauth/introspect",
        f"{url}/oauth/revoke",
    )
    for endpoint in ("token", "introspection", "revocation"):
        assert tuple(server[f"{endpoint}_endpoint_auth_methods_supported"]) == ("private_key_jwt",)
        assert set(server[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]) == set(ALGORITHMS)
    assert server["issuer"] == resource["resource"] == "http://127.0.0.1:8000"
    assert tuple(resource["authorization_servers"]) == (server["issuer"],)
    assert resource["dpop_bound_access_tokens_required"] is True
    assert "RS256" not in json.dumps([server, resource])


def test_no_repr_shows_a_credential(baseline: Any) -> None:
    key = create_key()
    assert json.loads(json.dumps(key.key.as_dict(private=True)))["d"] not in repr(key)
    answer = baseline.ask()
    assert str(answer.body["access_token"]) not in repr(answer)
