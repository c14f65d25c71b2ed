"""The DPoP nonce: no storage, two minutes, one door; at the token endpoint for clients whose policy wants it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.test_signed_purpose import members_of
from sauma.oauth.nonce import Nonces
from sauma.oauth.reasons import Reason

NONCES, DOOR = Nonces(b"n" * 32), "https://sauma.example/oauth/token"
MINUTE = 1_790_000_040 // 60 * 60


@given(second=st.integers(0, 59), later=st.integers(0, 400))
def test_a_nonce_holds_in_its_minute_and_the_next(second: int, later: int) -> None:
    made = MINUTE + second
    nonce = NONCES.make(DOOR, now=made)
    assert len(nonce) == 27
    assert NONCES.good(nonce, DOOR, now=made + later) is ((made + later) // 60 - made // 60 in {0, 1})
    assert not NONCES.good(nonce, DOOR, now=made - 60)


@pytest.mark.parametrize("nonce", [None, 5, True, [], "", "x" * 27, "ä" * 27, "\ud800", "x" * 10_000])
def test_nothing_else_is_a_nonce(nonce: Any) -> None:
    assert not NONCES.good(nonce, DOOR, now=MINUTE)


def test_a_nonce_is_of_one_door_and_one_deployment() -> None:
    nonce = NONCES.make(DOOR, now=MINUTE)
    assert not NONCES.good(nonce, "https://sauma.example", now=MINUTE)
    assert not Nonces(b"m" * 32).good(nonce, DOOR, now=MINUTE)
    assert Nonces(b"n" * 32).good(nonce, DOOR, now=MINUTE)
    assert "n" * 8 not in repr(NONCES)


def proven(b: Any, **members: Any) -> dict[str, Any]:
    """A request of a client that must prove itself with a nonce; `members` are the proof's."""
    return {"known": b.client(nonce_required=True), "proofs": (b.token_proof(members=members),)}


def headers_of(answer: Any) -> dict[str, str]:
    return dict(answer.headers)


# fmt: off
ROWS: dict[str, tuple[Any, Reason]] = {
    "none": (proven, Reason.NONCE_MISSING),
    "one of our own choice": (lambda b: proven(b, nonce="x" * 27), Reason.NONCE_STALE),
    "two minutes old": (lambda b: proven(b, nonce=b.nonces.make(DOOR, now=b.now - 120)), Reason.NONCE_STALE),
    "of the resource server": (lambda b: proven(b, nonce=b.nonces.make(b.url, now=b.now)), Reason.NONCE_STALE),
    "a number": (lambda b: proven(b, nonce=5), Reason.NONCE_STALE),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_a_proof_without_our_nonce_is_told_one(row: str, baseline: Any) -> None:
    change, reason = ROWS[row]
    answer = baseline.ask(**change(baseline))
    assert (answer.status, answer.body["error"], answer.reason) == (400, "use_dpop_nonce", reason.value)
    told = headers_of(answer)["DPoP-Nonce"]
    good = baseline.ask(**proven(baseline, nonce=told))
    assert (good.status, headers_of(good)["DPoP-Nonce"]) == (200, told)
    assert members_of(good.body["access_token"])["dpop_nonce"] is True


def test_who_is_not_authenticated_or_proves_nothing_is_told_none(baseline: Any) -> None:
    known = baseline.client(nonce_required=True)
    stranger = baseline.ask(known=known, form={"client_assertion": baseline.assertion(key=baseline.other_key)})
    unproven = baseline.ask(known=known, proofs=())
    assert [a.body["error"] for a in (stranger, unproven)] == ["invalid_client", "invalid_dpop_proof"]
    assert all("DPoP-Nonce" not in headers_of(answer) for answer in (stranger, unproven))


def test_a_client_without_the_policy_needs_none_and_may_send_one(baseline: Any) -> None:
    plain, with_one = baseline.ask(), baseline.ask(proofs=(baseline.token_proof(members={"nonce": "any"}),))
    assert (plain.status, with_one.status) == (200, 200)
    assert "DPoP-Nonce" not in headers_of(plain)
    assert "dpop_nonce" not in members_of(plain.body["access_token"])


def test_a_challenge_burns_nothing(door: Any, baseline: Any) -> None:
    door.known = baseline.client(nonce_required=True)
    challenged = door.issue()
    assert (challenged.body["error"], door.register.claimed) == ("use_dpop_nonce", set())
    nonce = headers_of(challenged)["DPoP-Nonce"]
    assert door.issue(proof={"nonce": nonce}).status == 200
    assert door.issue(proof={"nonce": nonce, "jti": "proof-cccccccccccccccc"}).reason == "assertion-replayed"


def test_after_a_challenge_another_key_cannot_show_an_assertion_that_names_its_own(door: Any, baseline: Any) -> None:
    door.known = baseline.client(nonce_required=True)
    named = {"cnf": {"jkt": baseline.proof_key.thumbprint()}}
    nonce = headers_of(door.issue(assertion=named))["DPoP-Nonce"]
    proof = baseline.token_proof(members={"nonce": nonce}, key=baseline.other_key)
    stolen = baseline.ask(
        known=door.known, form={"client_assertion": baseline.assertion(members=named)}, proofs=(proof,)
    )
    assert (stolen.status, stolen.body["error"], stolen.reason) == (400, "invalid_dpop_proof", "jkt-other")
