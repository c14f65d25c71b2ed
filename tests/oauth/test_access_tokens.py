"""The resource server's door beside the attack table (tests/attacks/oauth): exact seconds, and what only we write.

Each row has one defect, its exact reason and its public error code; the numbers go on where the table's end.
"""

import hashlib
from typing import Any

import pytest

from sauma.core.evidence import Claim, ClaimKind
from sauma.core.parties import Action, Assurance, Authentication, CaseAccess, Passage
from sauma.oauth.jose import encode
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, ProtectedRequest, VerifiedToken, authenticate, authorise

OTHER = "https://other.example"
SUPPLIER, ACR = "9136515-1", "http://eidas.europa.eu/LoA/substantial"
PASSAGE = Passage(trace="0" * 31 + "1")
CERTIFICATE = encode(hashlib.sha256(b"certificate").digest())


def bound(b: Any, certificate: Any) -> dict[str, Any]:
    """A `cnf` that names a certificate beside the key."""
    return {"jkt": b.proof_key.thumbprint(), "x5t#S256": certificate}


def detailed(**members: Any) -> dict[str, Any]:
    """The claim with one detail of these members."""
    return {"authorization_details": [{"type": "sauma_case_access", "organisation": "2816301-8", **members}]}


def logged_in(b: Any) -> dict[str, Any]:
    """The claims of an officer whom the organisation's provider authenticated."""
    return {"officer_provider": b.idp, "acr": ACR, "auth_time": b.now - 60}


# fmt: off
TOKEN_ROWS: dict[str, tuple[Any, Reason]] = {
    "40 iat 11 s ahead": (lambda b: b.token(members={"iat": b.now + 11}), Reason.IAT_FUTURE),
    "41 nbf 11 s ahead": (lambda b: b.token(members={"nbf": b.now + 11}), Reason.NBF_FUTURE),
    "45h bound to a certificate that is no text": (lambda b: b.token(members={"cnf": bound(b, 5)}), Reason.NOT_BOUND),
    "45i bound to a certificate, none shown": (lambda b: b.token(members={"cnf": bound(b, CERTIFICATE)}), Reason.CERTIFICATE_MISSING),
    "45j act is a text": (lambda b: b.token(members={"act": SUPPLIER}), Reason.TOKEN_CLAIMS),
    "45k act names nobody": (lambda b: b.token(members={"act": {}}), Reason.TOKEN_CLAIMS),
    "45l act is a chain": (lambda b: b.token(members={"act": {"sub": SUPPLIER, "act": {"sub": "0246246-0"}}}), Reason.TOKEN_CLAIMS),
    "45m act null": (lambda b: b.token(members={"act": None}), Reason.TOKEN_CLAIMS),
    "45n a nonce wanted by a text": (lambda b: b.token(members={"dpop_nonce": "true"}), Reason.TOKEN_CLAIMS),
    "45o logged in without a provider": (lambda b: b.token(members={"acr": ACR, "auth_time": b.now}), Reason.TOKEN_CLAIMS),
    "45p logged in at no time": (lambda b: b.token(members={"officer_provider": b.idp, "acr": ACR}), Reason.TOKEN_CLAIMS),
    "45q logged in at a time that is no number": (lambda b: b.token(members={**logged_in(b), "auth_time": True}), Reason.TOKEN_CLAIMS),
    "45r logged in, and no officer": (lambda b: b.token(members={**logged_in(b), **detailed()}), Reason.TOKEN_CLAIMS),
    "108 an action nobody knows": (lambda b: b.token(members=detailed(actions=["read"])), Reason.TOKEN_CLAIMS),
    "108b fields that are none": (lambda b: b.token(members=detailed(fields=[])), Reason.TOKEN_CLAIMS),
    "108c a member nobody knows": (lambda b: b.token(members=detailed(subject="x")), Reason.TOKEN_CLAIMS),
    "108d two details": (lambda b: b.token(members={"authorization_details": detailed()["authorization_details"] * 2}), Reason.TOKEN_CLAIMS),
    "108e no details": (lambda b: b.token(members={"authorization_details": b.absent}), Reason.TOKEN_CLAIMS),
}
# fmt: on


@pytest.mark.parametrize("row", TOKEN_ROWS)
def test_a_defective_token_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    make, reason = TOKEN_ROWS[row]
    answer = baseline.call(token=make(baseline))
    assert isinstance(answer, Challenge)
    assert (answer.reason, answer.status, answer.body["error"]) == (reason, 401, "invalid_token")


def proven(b: Any, **changes: Any) -> dict[str, Any]:
    return {"proofs": (b.proof(**changes),)}


# fmt: off
ACCEPTED_ROWS: dict[str, Any] = {
    "iat and nbf 10 s ahead": lambda b: {"token": b.token(members={"iat": b.now + 10, "nbf": b.now + 10})},
    "proof 60 s old": lambda b: proven(b, members={"iat": b.now - 60}),
    "proof 60 s ahead": lambda b: proven(b, members={"iat": b.now + 60}),
}
# fmt: on


@pytest.mark.parametrize("row", ACCEPTED_ROWS)
def test_what_must_pass_passes(row: str, baseline: Any) -> None:
    answer = baseline.call(**ACCEPTED_ROWS[row](baseline))
    assert isinstance(answer, VerifiedToken)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "PS256"])
def test_each_algorithm_may_prove(algorithm: str, baseline: Any) -> None:
    key = baseline.algorithm_keys[algorithm]
    token = baseline.token(members={"cnf": {"jkt": key.thumbprint()}})
    answer = baseline.call(token=token, proofs=(baseline.proof(header={"alg": algorithm}, key=key, token=token),))
    assert isinstance(answer, VerifiedToken)
    assert answer.key_thumbprint == key.thumbprint()


def test_a_verified_token_says_who_and_leaves_the_proofs_once_only_id(baseline: Any) -> None:
    answer = baseline.call()
    assert isinstance(answer, VerifiedToken)
    assert (answer.client_id, answer.organisation, answer.scopes) == (
        "pirha-case",
        "2816301-8",
        {"case:read", "matter:write"},
    )
    assert answer.officer is not None
    assert (answer.officer.id, answer.officer.unit) == ("v-17", "Hervanta")
    assert answer.assertion_digest == hashlib.sha256(b"assertion").digest()
    proof = hashlib.sha256(f"dpop\n{baseline.proof_key.thumbprint()}\nproof-0123456789abcdef".encode()).digest()[:16]
    revocation = hashlib.sha256(b"token\ntoken-0123456789abcdef").digest()[:16]
    assert answer.claims == (
        Claim(kind=ClaimKind.PROOF, digest=proof, expires_at=baseline.now + 70),
        Claim(kind=ClaimKind.TOKEN, digest=revocation, expires_at=baseline.now + 310),
    )


def test_the_caller_is_what_the_token_says_it_is(baseline: Any) -> None:
    confined = {
        "purpose": "county-benefit-case",
        "caseReference": "A-1",
        "fields": ["person.name"],
        "actions": ["disclose"],
    }
    members = {"act": {"sub": SUPPLIER}, **logged_in(baseline), **detailed(officer=baseline.person, **confined)}
    answer = baseline.call(token=baseline.token(members=members))
    assert isinstance(answer, VerifiedToken), answer
    caller = answer.as_caller(PASSAGE)
    assert (caller.client.id, caller.organisation, caller.client.version) == ("pirha-case", "2816301-8", 3)
    assert (caller.supplier, caller.passage, caller.claims) == (SUPPLIER, PASSAGE, answer.claims)
    assert caller.access == CaseAccess(
        purpose="county-benefit-case",
        case_reference="A-1",
        fields=frozenset({"person.name"}),
        actions=frozenset({Action.DISCLOSE}),
    )
    assert caller.authentication == Authentication(provider=baseline.idp, context_class=ACR, at=baseline.now - 60)
    assert caller.assurance_of(caller.officer) is Assurance.AUTHENTICATED


CERTIFICATES = {"the one": (CERTIFICATE, None), "another": (CERTIFICATE[::-1], Reason.CERTIFICATE_OTHER), "none": (None, Reason.CERTIFICATE_MISSING)}  # fmt: skip


@pytest.mark.parametrize("shown", CERTIFICATES)
def test_a_token_bound_to_a_certificate_needs_that_one_beside_the_key(shown: str, baseline: Any) -> None:
    certificate, reason = CERTIFICATES[shown]
    answer = baseline.call(token=baseline.token(members={"cnf": bound(baseline, CERTIFICATE)}), certificate=certificate)
    assert getattr(answer, "reason", None) is reason


def test_a_certificate_that_no_token_asks_for_changes_nothing(baseline: Any) -> None:
    assert isinstance(baseline.call(certificate=CERTIFICATE), VerifiedToken)


# fmt: off
NONCES: dict[str, tuple[Any, Reason | None]] = {
    "none": (lambda b: {}, Reason.NONCE_MISSING),
    "of this minute": (lambda b: {"nonce": b.nonces.make(b.url, now=b.now)}, None),
    "of the minute before": (lambda b: {"nonce": b.nonces.make(b.url, now=b.now - 60)}, None),
    "of two minutes ago": (lambda b: {"nonce": b.nonces.make(b.url, now=b.now - 120)}, Reason.NONCE_STALE),
    "of the coming minute": (lambda b: {"nonce": b.nonces.make(b.url, now=b.now + 60)}, Reason.NONCE_STALE),
    "of the token endpoint": (lambda b: {"nonce": b.nonces.make(f"{b.url}/oauth/token", now=b.now)}, Reason.NONCE_STALE),
    "made up": (lambda b: {"nonce": "A" * 27}, Reason.NONCE_STALE),
    "not a text": (lambda b: {"nonce": 5}, Reason.NONCE_MISSING),
    "beyond ASCII": (lambda b: {"nonce": "ä" * 27}, Reason.NONCE_STALE),
}
# fmt: on


@pytest.mark.parametrize("which", NONCES)
def test_a_proof_carries_our_nonce_where_the_token_wants_one(which: str, baseline: Any) -> None:
    make, reason = NONCES[which]
    token = baseline.token(members={"dpop_nonce": True})
    answer = baseline.call(token=token, **proven(baseline, token=token, members=make(baseline)))
    assert getattr(answer, "reason", None) is reason
    if isinstance(answer, Challenge):
        assert (answer.status, answer.body["error"]) == (401, "use_dpop_nonce")
        assert dict(answer.headers)["DPoP-Nonce"] == baseline.nonces.make(baseline.url, now=baseline.now)


def test_a_nonce_nobody_asked_for_is_not_judged(baseline: Any) -> None:
    assert isinstance(baseline.call(**proven(baseline, members={"nonce": "old"})), VerifiedToken)


def test_a_bad_proof_is_said_to_be_one_before_a_nonce_is_asked_for(baseline: Any) -> None:
    token = baseline.token(members={"dpop_nonce": True})
    answer = baseline.call(token=token, **proven(baseline, token=token, key=baseline.other_key))
    assert getattr(answer, "reason", None) is Reason.JKT_OTHER


def test_a_scope_is_matched_whole(baseline: Any) -> None:
    token = baseline.token(members={"scope": "case:readonly"})
    answer = baseline.call(token=token)
    assert isinstance(answer, VerifiedToken)
    refused = authorise(answer, baseline.trust(), scope="case:read")
    assert isinstance(refused, Challenge)
    assert (refused.status, refused.body["error"], 'scope="case:read"' in refused.headers[0][1]) == (
        403,
        "insufficient_scope",
        True,
    )


def test_a_token_without_scope_holds_none(baseline: Any) -> None:
    answer = baseline.call(token=baseline.token(members={"scope": baseline.absent}))
    assert isinstance(answer, VerifiedToken)
    assert isinstance(authorise(answer, baseline.trust(), scope="case:read"), Challenge)


def test_the_challenge_names_scheme_algorithms_and_metadata(baseline: Any) -> None:
    answer = baseline.call(authorizations=())
    assert answer.headers[0] == (
        "WWW-Authenticate",
        'DPoP algs="PS256 ES256 EdDSA Ed25519", resource_metadata="https://sauma.example/.well-known/oauth-protected-resource"',
    )


def test_the_clock_is_the_argument_only(baseline: Any) -> None:
    token = baseline.token()
    request = ProtectedRequest(
        method="PUT",
        raw_path="/v1/matters/A-1",
        authorizations=(f"DPoP {token}",),
        proofs=(baseline.proof(token=token),),
    )
    verdicts = [authenticate(request, baseline.trust(), now=baseline.now + later) for later in (0, 60, 61, 300)]
    assert [getattr(verdict, "reason", None) for verdict in verdicts] == [None, None, Reason.IAT_STALE, Reason.EXPIRED]
