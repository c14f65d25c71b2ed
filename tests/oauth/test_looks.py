"""A look at a token and its end (RFC 7662, RFC 7009): who may, what is said, what it leaves in the ledger."""

import json
from typing import Any

import pytest

from sauma.core.evidence import ClaimKind
from sauma.core.parties import Carrier, Passage
from sauma.exchange.tokens import ClientState, TokenRequest
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason
from sauma.oauth.server import AuthorizationServer

ENDPOINTS = ("introspect", "revoke")
INACTIVE = {"active": False}
OTHER_COUNTY = "0246246-0"


def test_a_standing_token_is_shown_with_what_binds_and_confines_it(door: Any, baseline: Any) -> None:
    answer = door.introspect()
    said = answer.body
    assert (answer.status, said["active"], said["token_type"]) == (200, True, "DPoP")
    assert (said["sub"], said["client_id"], said["scope"]) == ("2816301-8", "pirha-case", "case:read matter:write")
    assert (said["iss"], said["aud"], said["exp"] - said["iat"]) == (baseline.url, baseline.url, 300)
    assert said["cnf"] == {"jkt": baseline.proof_key.thumbprint()}
    assert said["authorization_details"][0]["officer"] == baseline.person
    assert said["jti"] == "token-0123456789abcdef"
    assert ("Cache-Control", "no-store") in answer.headers


def test_the_supplier_and_the_login_are_shown(door: Any, baseline: Any) -> None:
    members = {"act": {"sub": "3121212-3"}, "acr": "loa3", "auth_time": baseline.now - 60}
    said = door.introspect(token=baseline.token(members=members)).body
    assert {name: said[name] for name in members} == members


OTHERS = {"client_id": "pirha-other", "act": {"sub": "3121212-3"}, "acr": "loa3", "auth_time": 1}
VENDORS = {"organisation": "3121212-3", "mandate": {"supplier": "3121212-3"}}


def test_of_its_organisations_other_tokens_a_system_learns_the_least(door: Any, baseline: Any) -> None:
    door.others.add("pirha-other")
    assert door.introspect(token=baseline.token(members=OTHERS)).body == {
        "active": True,
        "token_type": "DPoP",
        "scope": "case:read matter:write",
        "client_id": "pirha-other",
        "sub": "2816301-8",
        "exp": baseline.now + 300,
        "cnf": {"jkt": baseline.proof_key.thumbprint()},
    }


def test_a_supplier_learns_nothing_of_the_organisations_other_tokens(door: Any, baseline: Any) -> None:
    door.others.add("pirha-other")
    door.known = baseline.client(**VENDORS)
    assert door.introspect(token=baseline.token(members=OTHERS)).body == INACTIVE
    assert door.introspect().body["active"] is True


@pytest.mark.parametrize("asker", [{}, VENDORS])
def test_only_whom_it_was_issued_to_ends_a_token(asker: dict[str, Any], door: Any, baseline: Any) -> None:
    door.known = baseline.client(**asker)
    answer = door.revoke(token=baseline.token(members=OTHERS))
    assert (answer.status, answer.body) == (200, {})
    ((decision, look),) = door.register.entries
    assert (decision, look.token) == ("token-revoked", None)
    assert digest16("token", "token-0123456789abcdef") not in door.register.claimed
    assert len(door.register.claimed) == 1


# fmt: off
UNKNOWN: dict[str, Any] = {
    "no token": lambda d: {"token": "x"},
    "a token of another issuer": lambda d: {"token": d.baseline.token(members={"iss": "https://other.example"}, key=d.baseline.other_issuer_key.key)},
    "signed by nobody": lambda d: {"token": d.baseline.token(key=d.baseline.other_key)},
    "a client assertion": lambda d: {"token": d.baseline.assertion()},
    "for another resource": lambda d: {"token": d.baseline.token(members={"aud": "https://other.example"})},
    "expired": lambda d: {"token": d.baseline.token(members={"iat": d.now - 400, "exp": d.now - 100})},
    "of an organisation it does not act for": lambda d: {"token": d.baseline.token(members={"sub": OTHER_COUNTY})},
}
# fmt: on


@pytest.mark.parametrize("row", UNKNOWN)
def test_what_it_may_not_know_is_inactive_and_nothing_more(row: str, door: Any) -> None:
    answer = door.introspect(**UNKNOWN[row](door))
    assert (answer.status, answer.body) == (200, INACTIVE)
    (decision, look) = door.register.entries[0]
    assert (decision, look.token) == ("token-introspected", None)


@pytest.mark.parametrize("row", UNKNOWN)
def test_what_it_may_not_end_stays_and_the_answer_is_the_same(row: str, door: Any) -> None:
    answer = door.revoke(**UNKNOWN[row](door))
    assert (answer.status, answer.body) == (200, {})
    assert [claim.kind for _, look in door.register.entries for claim in look.caller.claims] == [ClaimKind.ASSERTION]
    assert len(door.register.claimed) == 1


def test_a_revoked_token_is_inactive_from_then_on(door: Any) -> None:
    assert door.introspect().body["active"] is True
    assert (door.revoke().status, door.introspect().body) == (200, INACTIVE)
    assert digest16("token", "token-0123456789abcdef") in door.register.claimed
    assert [decision for decision, _ in door.register.entries] == [
        "token-introspected",
        "token-revoked",
        "token-introspected",
    ]


def test_revoking_twice_is_recorded_twice_and_answered_alike(door: Any) -> None:
    first, second = door.revoke(), door.revoke()
    assert (first.status, first.body) == (second.status, second.body) == (200, {})
    assert [decision for decision, _ in door.register.entries] == ["token-revoked"] * 2


def test_a_token_of_a_mandate_that_moved_is_inactive(door: Any, baseline: Any) -> None:
    door.known = baseline.client(mandate={"version": 4})
    assert door.introspect().body == INACTIVE


# fmt: off
ROWS: dict[str, tuple[Any, Reason, str]] = {
    "no token parameter": (lambda d: {"token": d.baseline.absent}, Reason.TOKEN_UNSTATED, "invalid_request"),
    "an empty token": (lambda d: {"token": ""}, Reason.TOKEN_UNSTATED, "invalid_request"),
    "no assertion": (lambda d: {"client_assertion": d.baseline.absent}, Reason.ASSERTION_MISSING, "invalid_client"),
    "an assertion by a foreign key": (lambda d: {"client_assertion": d.baseline.assertion(key=d.baseline.other_key)}, Reason.SIGNATURE, "invalid_client"),
    "an assertion for the endpoint's URL": (lambda d: {"assertion": {"aud": d.baseline.url + "/oauth/introspect"}}, Reason.AUDIENCE_OTHER, "invalid_client"),
    "a secret beside it": (lambda d: {"client_secret": "s"}, Reason.AUTHENTICATION_METHOD, "invalid_client"),
    "another client's id": (lambda d: {"client_id": "kela-case"}, Reason.CLIENT_OTHER, "invalid_client"),
}
# fmt: on


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("row", ROWS)
def test_who_does_not_authenticate_learns_and_ends_nothing(row: str, endpoint: str, door: Any) -> None:
    change, reason, error = ROWS[row]
    answer = getattr(door, endpoint)(**change(door))
    assert (answer.status, answer.body["error"], answer.reason) == (400, error, reason.value)
    assert (door.register.claimed, door.register.entries) == (set(), [])


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("state", [ClientState.PROPOSED, ClientState.SUSPENDED, ClientState.RETIRED])
def test_a_client_that_is_not_active_learns_and_ends_nothing(endpoint: str, state: ClientState, door: Any) -> None:
    door.known = door.baseline.client(state=state)
    assert getattr(door, endpoint)().body["error"] == "invalid_client"
    assert door.register.entries == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_assertion_is_used_up_by_a_look(endpoint: str, door: Any) -> None:
    used = {"assertion": {"jti": "assertion-used-once-only"}}
    assert getattr(door, endpoint)(**used).status == 200
    again = getattr(door, endpoint)(**used)
    assert (again.body["error"], again.reason) == ("invalid_client", "assertion-replayed")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_client_without_any_mandate_may_not_ask(endpoint: str, door: Any, baseline: Any) -> None:
    door.known = baseline.client(mandates=())
    answer = getattr(door, endpoint)()
    assert (answer.body["error"], answer.reason) == ("unauthorized_client", "client-without-mandate")


def test_a_client_that_changed_meanwhile_is_refused(door: Any) -> None:
    door.register.changed = True
    assert (door.introspect().reason, door.revoke().reason) == ("client-changed", "client-changed")


@pytest.mark.parametrize(("member", "expected"), [("2816301-8", None), (OTHER_COUNTY, "unauthorized_client")])
def test_behind_xroad_the_carrier_must_speak_for_the_organisation(
    member: str, expected: str | None, door: Any, baseline: Any
) -> None:
    carrier = Carrier(client="FI/GOV/x/y", member=member, id="1")
    form = "&".join(f"{name}={value}" for name, value in door.look_form().items())
    request = TokenRequest(
        content_type="application/x-www-form-urlencoded",
        body=form.replace(":", "%3A").encode(),
        passage=Passage(trace="0" * 32, carrier=carrier),
    )
    look = AuthorizationServer(baseline.issuer()).look(request, door.known, now=baseline.now)
    assert (look.body["error"] if hasattr(look, "body") else None) == expected


def test_no_answer_echoes_what_was_sent(door: Any) -> None:
    marked = "canary-in-the-form"
    for endpoint in ENDPOINTS:
        answer = getattr(door, endpoint)(token=marked, token_type_hint=marked)
        assert marked not in json.dumps(dict(answer.body))
