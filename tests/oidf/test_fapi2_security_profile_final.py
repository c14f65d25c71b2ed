"""The modules of the OpenID Foundation's FAPI 2.0 Security Profile plan that apply to us, under their own names.

Plan `fapi2-security-profile-final-client-credentials-grant-test-plan`, variant private_key_jwt + DPoP, plain OAuth: 14
modules. These mirror what the modules ask of a server; they are not the suite, and prove no certification. What the
suite asks of TLS is asked of the proxy in front and is not asked here. A test is named as its module; the docstring
holds the suite's own name of it.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from attacks.oauth.living import Living
from attacks.oauth.sent import Answer
from live import Live

ALLOWED = {"PS256", "ES256", "EdDSA", "Ed25519"}
ABSENT = {"$absent": True}
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")


@pytest.fixture(scope="module")
def first(live: Live) -> Living:
    """The suite's first client: an ES256 key, and an RSA key for the module that needs one."""
    client = Living(live)
    client.add_rsa_key()
    return client


@pytest.fixture(scope="module")
def second(live: Live) -> Living:
    """The suite's second client."""
    return Living(live)


@pytest.fixture(scope="module")
def token(first: Living) -> str:
    """An access token of the first client."""
    return first.token()


def refused(answer: Answer, *errors: str) -> None:
    """What the suite checks of every error of the token endpoint: status, content type, code and description."""
    assert answer.status in ({400, 401} if "invalid_client" in errors else {400}), answer
    assert str(answer.header("content-type")).startswith("application/json")
    assert answer.members["error"] in errors, answer.body
    text = answer.members["error_description"]
    assert not set(text) & set("\r\n\t")
    assert _DESCRIPTION.fullmatch(text)
    assert re.fullmatch(r"https?://[!-~]+/v1/problems/" + answer.members["error"], answer.members["error_uri"])
    assert answer.header("cache-control") == "no-store"


def granted(answer: Answer) -> None:
    """What the suite checks of a token answer (RFC 6749 section 5.1, RFC 9449 section 5)."""
    assert answer.status == 200, answer.body
    assert str(answer.header("content-type")).startswith("application/json")
    assert (answer.header("cache-control"), answer.header("pragma")) == ("no-store", "no-cache")
    assert answer.members["token_type"].lower() == "dpop"
    assert len(answer.members["access_token"]) > 20
    assert 0 < answer.members["expires_in"] <= 300
    assert "refresh_token" not in answer.members


def test_fapi2_security_profile_final_happy_flow(first: Living, second: Living) -> None:
    """FAPI2SPFinalHappyFlow: both clients get a token and use it; neither can use the other's."""
    tokens = []
    for client in (first, second):
        answer = client.ask("token")
        granted(answer)
        assert client.ask("resource", token=answer.members["access_token"]).status == 200
        tokens.append(answer.members["access_token"])
    stolen = second.ask("resource", token=tokens[0])
    assert (stolen.status, stolen.error) == (401, "invalid_dpop_proof")


def test_fapi2_security_profile_final_discovery_end_point_verification(live: Live) -> None:
    """FAPI2SPFinalDiscoveryEndpointVerification."""
    answer = httpx.get(f"{live.url}/.well-known/oauth-authorization-server")
    metadata = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert metadata["issuer"] == live.url
    assert metadata["token_endpoint"].startswith(live.url)
    assert set(metadata["dpop_signing_alg_values_supported"]) <= ALLOWED
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(metadata["token_endpoint_auth_signing_alg_values_supported"]) <= ALLOWED
    assert "client_credentials" in metadata["grant_types_supported"]
    assert "registration_endpoint" not in metadata
    assert httpx.get(metadata["jwks_uri"]).json()["keys"]


def test_fapi2_security_profile_final_ensure_holder_of_key_required(first: Living) -> None:
    """FAPI2SPFinalEnsureHolderOfKeyRequired: a token request without a proof."""
    answer = first.ask("token", {"request.headers.DPoP": ABSENT})
    refused(answer, "invalid_request", "invalid_grant", "invalid_dpop_proof")


def test_fapi2_security_profile_final_ensure_client_assertion_in_token_endpoint(first: Living) -> None:
    """FAPI2SPFinalEnsureClientAssertionInTokenEndpoint: a token request without a client assertion."""
    refused(first.ask("token", {"form.client_assertion": ABSENT}), "invalid_client")


def test_fapi2_security_profile_final_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(
    first: Living,
) -> None:
    """FAPI2SPFinalEnsureClientAssertionWithExpIs5MinutesInPastFails."""
    refused(first.ask("token", {"assertion.members.exp": {"$seconds": -300}}), "invalid_client")


def test_fapi2_security_profile_final_ensure_client_assertion_with_no_sub_fails(first: Living) -> None:
    """FAPI2SPFinalEnsureClientAssertionWithNoSubFails."""
    refused(first.ask("token", {"assertion.members.sub": ABSENT}), "invalid_client")


def test_fapi2_security_profile_final_ensure_client_assertion_with_wrong_aud_fails(first: Living) -> None:
    """FAPI2SPFinalEnsureClientAssertionWithWrongAudFails."""
    refused(first.ask("token", {"assertion.members.aud": "https://other.example"}), "invalid_client")


def test_fapi2_security_profile_final_ensure_signed_client_assertion_with_rs256_fails(first: Living) -> None:
    """FAPI2SPFinalEnsureSignedClientAssertionWithRS256Fails: exactly invalid_client; the same key passes as PS256."""
    change = {"assertion.header.kid": {"$thumbprint": "PS256"}}
    granted(first.ask("token", {"assertion.alg": "PS256", **change}))
    answer = first.ask("token", {"assertion.alg": "RS256", **change})
    refused(answer, "invalid_client")


def test_fapi2_security_profile_final_ensure_client_id_in_token_endpoint(first: Living, second: Living) -> None:
    """FAPI2SPFinalEnsureClientIdInTokenEndpoint: the second client's id, with the first client's key."""
    other = second.system.client_id
    refused(first.ask("token", {"form.client_id": other}), "invalid_client", "invalid_grant")
    assertion = {"assertion.members.iss": other, "assertion.members.sub": other}
    refused(first.ask("token", {"form.client_id": other, **assertion}), "invalid_client", "invalid_grant")


INVERTED = {"request.headers.Authorization": "dpOp {token}"}
UPPER = {"request.headers": {"Authorization": "DPoP {token}", "DPOP": "{proof}"}}
EXTRA = {"proof.header.colour": 1, "proof.members.colour": "red", "proof.members.nested": {"a": [1]}}
# the suite's own words for the block → (what is changed, whether it must pass)
NEGATIVE: dict[str, tuple[dict[str, Any], bool]] = {
    "Try DPoP proof with all upper case header value": (UPPER, True),
    "Try with more than one DPoP in the header": ({"request.headers.DPoP": ["{proof}", "{proof}"]}, False),
    "Try DPoP proof not well-formed JWT": ({"proof.appended": ".not.a.jwt"}, False),
    "Try DPoP proof where 'typ' is missing in header": ({"proof.header.typ": ABSENT}, False),
    "Try DPoP proof where 'alg' is missing": ({"proof.header.alg": ABSENT}, False),
    "Try DPoP proof where 'jwk' is missing": ({"proof.header.jwk": ABSENT}, False),
    "Try DPoP proof where 'jti' is missing": ({"proof.members.jti": ABSENT}, False),
    "Try DPoP proof where 'htm' is missing": ({"proof.members.htm": ABSENT}, False),
    "Try DPoP proof where 'htu' is missing": ({"proof.members.htu": ABSENT}, False),
    "Try DPoP proof where 'iat' is missing": ({"proof.members.iat": ABSENT}, False),
    "Try DPoP proof where 'ath' is missing": ({"proof.members.ath": ABSENT}, False),
    "Try DPoP proof with invalid 'typ' in header": ({"proof.header.typ": "JWT"}, False),
    "Try DPoP proof signed using RS256": ({"proof.alg": "RS256"}, False),
    "Try DPoP proof with none alg": ({"proof.header.alg": "none"}, False),
    "Try DPoP proof with invalid signature": ({"proof.tampered": {"colour": "red"}}, False),
    "Try DPoP proof with jwk header incorrectly containing private key": (
        {"proof.header.jwk": {"$jwk": {"of": "proof", "private": True}}},
        False,
    ),
    "Try DPoP proof with incorrect 'htm'": ({"proof.members.htm": "PUT"}, False),
    "Try DPoP proof where 'htu' has a query/fragment": (
        {"proof.members.htu": {"$url": "/v1/disclosures?a=b#c"}},
        True,
    ),
    "Try DPoP proof where 'htu' does not contain the query/fragment": ({"request.query": "limit=1"}, True),
    "Try DPoP proof where 'htu' is a different url": ({"proof.members.htu": "https://other.example/x"}, False),
    "Try DPoP proof where 'iat' is one hour in the future": ({"proof.members.iat": {"$seconds": 3600}}, False),
    "Try DPoP proof where 'iat' is one hour in the past": ({"proof.members.iat": {"$seconds": -3600}}, False),
    "Try DPoP proof where 'ath' is incorrect": ({"proof.members.ath": {"$digest": "another token"}}, False),
    "Try DPoP signed with a different key": ({"proof.key": "other"}, False),
    "Try DPoP proof with extra claims on header and claims": (EXTRA, True),
    "Try DPoP proof expecting RS to compare scheme and hostname using case independent mode": (
        {"proof.members.htu": {"$upper-url": "/v1/disclosures"}},
        True,
    ),
    "Try resource access without DPoP proof": ({"request.headers.DPoP": ABSENT}, False),
    "Try resource access without DPoP proof and authorization type changed to 'Bearer'": (
        {"request.headers": {"Authorization": "Bearer {token}"}},
        False,
    ),
}


@pytest.fixture
def sane(first: Living, token: str) -> Iterator[None]:
    """The suite's last block: a correct proof still works, so nothing was refused for another reason."""
    yield
    assert first.ask("resource", token=token).status == 200


@pytest.mark.parametrize("block", NEGATIVE)
def test_fapi2_security_profile_final_dpop_negative_tests(block: str, first: Living, token: str, sane: None) -> None:
    """FAPI2SPFinalDpopNegativeTests, one block each; what the suite calls "should" is "must" here."""
    change, passes = NEGATIVE[block]
    answer = first.ask("resource", change, token=token)
    assert answer.status in ({200} if passes else {400, 401}), answer.body
    assert passes or str(answer.header("www-authenticate")).startswith("DPoP ")


def test_fapi2_security_profile_final_dpop_negative_tests_reuse(first: Living, token: str, sane: None) -> None:
    """FAPI2SPFinalDpopNegativeTests, "DPoP reuse": first use of a jti, and second use of the same, which fails."""
    wire = first.forge.wires("resource", {}, token=token)[0]
    assert [first.send(wire).status for _ in range(2)] == [200, 401]


def test_fapi2_security_profile_final_check_dpop_proof_nbf_exp(first: Living) -> None:
    """FAPI2SPFinalCheckDpopProofNbfExp: proofs with nbf and exp, at both doors."""
    times = {"proof.members.nbf": {"$seconds": 0}, "proof.members.exp": {"$seconds": 60}}
    answer = first.ask("token", times)
    granted(answer)
    assert first.ask("resource", times, token=answer.members["access_token"]).status == 200


def test_fapi2_security_profile_final_ensure_dpopproof_with_iat_10seconds_after_succeeds(first: Living) -> None:
    """FAPI2SPFinalEnsureDpopProofWithIat10SecondsAfterSucceeds: the proof's clock is ahead, at both doors."""
    both_doors(first, {"proof.members.iat": {"$seconds": 10}})


def test_fapi2_security_profile_final_ensure_dpopproof_with_iat_10seconds_before_succeeds(first: Living) -> None:
    """FAPI2SPFinalEnsureDpopProofWithIat10SecondsBeforeSucceeds: the proof's clock is behind, at both doors."""
    both_doors(first, {"proof.members.iat": {"$seconds": -10}})


def both_doors(client: Living, change: dict[str, Any]) -> None:
    answer = client.ask("token", change)
    granted(answer)
    assert client.ask("resource", change, token=answer.members["access_token"]).status == 200


def test_fapi2_security_profile_final_access_token_type_header_case_sensitivity(first: Living, token: str) -> None:
    """FAPI2SPFinalAccessTokenTypeHeaderCaseSensitivity: the scheme in inverted case."""
    assert first.ask("resource", INVERTED, token=token).status == 200


def test_the_modules_are_fourteen() -> None:
    names = {re.sub("_reuse$", "", name) for name in globals() if name.startswith("test_fapi2_")}
    assert len(names) == 14
