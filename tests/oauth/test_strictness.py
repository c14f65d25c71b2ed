"""Whatever the bytes, a verdict comes out; keys and published documents hold nothing private."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sauma.exchange.tokens import TokenDecision
from sauma.oauth.claims import Expectation, ProofTarget, comparable_url
from sauma.oauth.form import read_form
from sauma.oauth.jose import DECOYS, encode, import_public, strict_json
from sauma.oauth.keys import IssuerKeyError, create_key, key_set, load_or_create_key, resource_metadata, server_metadata
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, VerifiedToken
from sauma.oauth.verify import Claims, verify

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "jwk", "jku", "crit", "b64", "x"])
MEMBER_NAMES = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "cnf", "htm", "htu", "ath", "scope"])
PROOF = Expectation(types=frozenset({"dpop+jwt"}), now=1_790_000_000, lifetime=60, early=60, expires=False,
                    proof=ProofTarget(method="PUT", url="https://sauma.example/x"))  # fmt: skip


def expectations(baseline: Any) -> list[Expectation]:
    token = Expectation(types=frozenset({"at+jwt"}), now=baseline.now, lifetime=300, issuers=baseline.trust().issuers,
                        audience=baseline.url, audience_list=True)  # fmt: skip
    return [token, PROOF]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,4}", fullmatch=True))
def test_any_string_gets_a_reason(baseline: Any, token: str) -> None:
    assert all(isinstance(verify(token, expectation), Reason) for expectation in expectations(baseline))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(HEADER_NAMES, ANYTHING, max_size=3), st.dictionaries(MEMBER_NAMES, ANYTHING, max_size=3))
def test_any_signed_token_gets_a_verdict(baseline: Any, header: dict[str, Any], members: dict[str, Any]) -> None:
    token = baseline.token(header=header, members=members, using="ES256")
    assert isinstance(baseline.call(token=token), VerifiedToken | Challenge)
    assert isinstance(verify(token, expectations(baseline)[0]), Claims | Reason)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(HEADER_NAMES, ANYTHING, max_size=3), st.dictionaries(MEMBER_NAMES, ANYTHING, max_size=3))
def test_any_signed_proof_gets_a_verdict(baseline: Any, header: dict[str, Any], members: dict[str, Any]) -> None:
    proof = baseline.signed({"alg": "ES256", "typ": "dpop+jwt", "jwk": baseline.proof_key.as_dict(private=False), **header},
                            {"htm": "PUT", "htu": "https://sauma.example/x", "iat": baseline.now, **members},
                            baseline.proof_key, using="ES256")  # fmt: skip
    assert isinstance(verify(proof, PROOF), Claims | Reason)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "kid", "use", "key_ops"]), ANYTHING))
def test_any_jwk_gets_a_verdict(baseline: Any, members: dict[str, Any]) -> None:
    for key in (baseline.proof_key, baseline.ed_key, baseline.rsa_key):
        verdict = import_public({**key.as_dict(private=False), **members})
        assert isinstance(verdict, Reason) or verdict.jwk.keys() <= {"kty", "crv", "x", "y", "n", "e"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_form_gets_a_verdict(baseline: Any, body: bytes) -> None:
    assert isinstance(read_form(body, content_type="application/x-www-form-urlencoded"), dict | Reason)
    assert isinstance(baseline.ask(body=body or b"a"), TokenDecision)


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_details_get_a_verdict(baseline: Any, value: Any) -> None:
    detail = json.dumps([{"type": "sauma_case_access", "officer": value}])
    assert isinstance(baseline.ask(form={"authorization_details": detail}), TokenDecision)


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


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_the_issuer_key_is_made_once_private_and_kept(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "issuer.jwk"
    with ThreadPoolExecutor(8) as starts:
        keys = list(starts.map(lambda _: load_or_create_key(path, algorithm=algorithm).public.kid, range(8)))
    assert len(set(keys)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["issuer.jwk"]


FAULTY_KEY_FILES = {
    "readable by the group": (lambda good: good, 0o640),
    "no JSON": (lambda _: "x", 0o600),
    "a public key": (lambda good: json.dumps({k: v for k, v in json.loads(good).items() if k != "d"}), 0o600),
    "a private part of another key": (
        lambda good: json.dumps({**json.loads(good), "d": encode(bytes(31) + b"\x01")}),
        0o600,
    ),
}


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
@pytest.mark.parametrize("fault", FAULTY_KEY_FILES)
def test_a_faulty_key_file_stops_the_start_and_is_not_quoted(tmp_path: Path, fault: str, algorithm: str) -> None:
    path = tmp_path / "issuer.jwk"
    load_or_create_key(path, algorithm=algorithm)
    change, mode = FAULTY_KEY_FILES[fault]
    secret = json.loads(path.read_text())["d"]
    path.write_text(change(path.read_text()))
    path.chmod(mode)
    with pytest.raises(IssuerKeyError) as refused:
        load_or_create_key(path)
    assert secret not in str(refused.value)


def test_published_documents_hold_nothing_private_and_name_each_other() -> None:
    keys = (create_key(), create_key(algorithm="Ed25519"))
    published = key_set(*(key.public for key in keys))["keys"]
    assert [(jwk["alg"], jwk["kid"]) for jwk in published] == [
        ("ES256", keys[0].public.kid),
        ("EdDSA", keys[1].public.kid),
    ]
    assert all(jwk.keys() <= {"kty", "crv", "x", "y", "kid", "alg", "use"} for jwk in published)
    server = msgspec.to_builtins(server_metadata("http://127.0.0.1:8000", scopes=("case:read",)))
    resource = msgspec.to_builtins(resource_metadata("http://127.0.0.1:8000", scopes=("case:read",)))
    assert server["issuer"] == resource["resource"] == "http://127.0.0.1:8000"
    assert tuple(resource["authorization_servers"]) == (server["issuer"],)
    assert resource["dpop_bound_access_tokens_required"] is True
    assert "RS256" not in json.dumps([server, resource])


def test_no_repr_shows_a_credential(baseline: Any) -> None:
    key = create_key()
    assert json.loads(json.dumps(key.key.as_dict(private=True)))["d"] not in repr(key)
    answer = baseline.ask()
    assert str(answer.body["access_token"]) not in repr(answer)
