"""The token endpoint beside the attack table (tests/attacks/oauth): exact seconds, details sent in the form alone.

Each row has one defect, its exact reason and its RFC error code.
"""

import base64
import json
import socket
import time
from typing import Any

import msgspec
import pytest

from sauma.core.evidence import ClaimKind
from sauma.exchange.tokens import ClientState
from sauma.oauth import jose
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason

OTHER = "https://other.example"
HETU = "010594Y9032"


def asserted(b: Any, **changes: Any) -> dict[str, Any]:
    return {"form": {"client_assertion": b.assertion(**changes)}}


def details(**members: Any) -> dict[str, Any]:
    return {
        "form": {
            "authorization_details": json.dumps([{"type": "sauma_case_access", "organisation": "2816301-8", **members}])
        }
    }


# fmt: off
ROWS: dict[str, tuple[Any, Reason, str]] = {
    "83b issued 301 s ago, valid for an hour": (lambda b: asserted(b, members={"iat": b.now - 301, "exp": b.now + 3600}), Reason.IAT_STALE, "invalid_client"),
    "83d iat 11 s ahead": (lambda b: asserted(b, members={"iat": b.now + 11}), Reason.IAT_FUTURE, "invalid_client"),
    "102 details not a list": (lambda b: {"form": {"authorization_details": "{}"}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102b two details": (lambda b: {"form": {"authorization_details": "[{},{}]"}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102c details no JSON": (lambda b: {"form": {"authorization_details": "["}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102d details of 3 kB": (lambda b: details(officer={**b.person, "name": "x" * 3000}), Reason.DETAILS_TOO_LARGE, "invalid_authorization_details"),
    "108 details of an unknown type": (lambda b: details(type="payment"), Reason.DETAILS_TYPE, "invalid_authorization_details"),
    "108b unknown member": (lambda b: details(subject="x"), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108c officer without unit": (lambda b: details(officer={"id": "v", "name": "n", "role": "r"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108d officer with an empty id": (lambda b: details(officer={**b.person, "id": ""}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108e officer id a number": (lambda b: details(officer={**b.person, "id": 5}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108f process with a role": (lambda b: details(officer={"kind": "process", "id": "e", "name": "n", "responsibleUnit": "u", "role": "r"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108g NUL in a name": (lambda b: details(officer={**b.person, "name": "a\0b"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108h identity code as officer id": (lambda b: details(officer={**b.person, "id": HETU}), Reason.DETAILS_PERSONAL, "invalid_authorization_details"),
    "108i organisation not the client's": (lambda b: details(organisation="0246246-0"), Reason.ORGANISATION_UNGRANTED, "unauthorized_client"),
    "108j organisation parameter not the client's": (lambda b: {"form": {"organisation": "0246246-0"}}, Reason.ORGANISATION_UNGRANTED, "unauthorized_client"),
    "108k no organisation, client of two": (lambda b: {"known": b.client(mandates=(b.mandate(), b.mandate(organisation="0246246-0")))}, Reason.ORGANISATION_UNSTATED, "invalid_request"),
    "108l details and parameter differ": (lambda b: {"form": {**details()["form"], "organisation": "0246246-0"}}, Reason.DETAILS_DIFFER, "invalid_authorization_details"),
    "108m form and signed details differ": (lambda b: {"form": {**details()["form"], "client_assertion": b.assertion(members={"authorization_details": [{"type": "sauma_case_access"}]})}}, Reason.DETAILS_DIFFER, "invalid_authorization_details"),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_a_defective_token_request_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    change, reason, error = ROWS[row]
    answer = baseline.ask(**change(baseline))
    assert (answer.reason, answer.body["error"], answer.status) == (reason.value, error, 400)
    assert answer.granted is None


# fmt: off
ACCEPTED: dict[str, Any] = {
    "the baseline": lambda b: {},
    "iat and nbf 10 s ahead": lambda b: asserted(b, members={"iat": b.now + 10, "nbf": b.now + 10}),
    "organisation parameter": lambda b: {"form": {"organisation": "2816301-8"}},
}
# fmt: on


@pytest.mark.parametrize("row", ACCEPTED)
def test_what_must_pass_gets_a_token(row: str, baseline: Any) -> None:
    answer = baseline.ask(**ACCEPTED[row](baseline))
    assert (answer.status, answer.body.get("token_type"), answer.body.get("expires_in")) == (200, "DPoP", 300)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "PS256"])
def test_each_algorithm_may_assert(algorithm: str, baseline: Any) -> None:
    key = baseline.algorithm_keys[algorithm]
    known = baseline.client(keys=({**key.as_dict(private=False), "kid": "k1", "alg": algorithm},))
    answer = baseline.ask(known=known, **asserted(baseline, header={"alg": algorithm}, key=key))
    assert answer.status == 200


def members_of(token: Any) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize(
    "officer",
    [
        {"id": "v-17", "name": "Päivi Äijälä", "role": "social-care-professional", "unit": "Hervanta"},
        {"kind": "process", "id": "nightly", "name": "Tarkistusajo", "responsibleUnit": "Etuudet"},
    ],
)
def test_the_token_carries_organisation_officer_and_the_assertions_digest(
    officer: dict[str, str], baseline: Any
) -> None:
    form = baseline.form(**details(officer=officer)["form"])
    answer = baseline.ask(form=form)
    members = members_of(answer.body["access_token"])
    expected = [{"type": "sauma_case_access", "organisation": "2816301-8", "officer": officer}]
    assert members["authorization_details"] == answer.body["authorization_details"] == expected
    assert (members["sub"], members["client_id"], members["aud"], members["iss"]) == (
        "2816301-8",
        "pirha-case",
        baseline.url,
        baseline.url,
    )
    assert (members["exp"] - members["iat"], members["cnf"]) == (300, {"jkt": baseline.proof_key.thumbprint()})
    assert answer.granted is not None
    token = answer.body["access_token"]
    verified = baseline.call(token=token)
    assert verified.assertion_digest == answer.granted.caller.assertion_digest
    assert (verified.officer.id, verified.officer.kind.value) == (officer["id"], officer.get("kind", "person"))


def test_the_signed_details_alone_suffice(baseline: Any) -> None:
    signed = [{"type": "sauma_case_access", "organisation": "2816301-8", "officer": baseline.person}]
    answer = baseline.ask(**asserted(baseline, members={"authorization_details": signed}))
    assert answer.body["authorization_details"] == signed


# fmt: off
UNKNOWN: dict[str, Any] = {
    "a client nobody registered": lambda b: {"known": b.absent},
    "a key that is not the registered one": lambda b: asserted(b, key=b.other_key),
    "a kid that is not registered": lambda b: asserted(b, header={"kid": "k2"}),
    "a client that is proposed": lambda b: {"known": b.client(state=ClientState.PROPOSED)},
    "a client that is suspended": lambda b: {"known": b.client(state=ClientState.SUSPENDED)},
    "a client that is retired": lambda b: {"known": b.client(state=ClientState.RETIRED)},
    "a client without a key": lambda b: {"known": b.client(keys=())},
    "a client whose published keys cannot be had": lambda b: {"known": b.client(keys=(), jwks_uri="https://keys.example/jwks")},
}
# fmt: on


def test_who_is_not_a_client_gets_the_same_bytes_after_the_same_work(
    baseline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    counted = jose._verified
    monkeypatch.setattr(jose, "_verified", lambda compact, key: checked.append("check") or counted(compact, key))
    told = set()
    for row, change in UNKNOWN.items():
        checked.clear()
        answer = baseline.ask(**change(baseline))
        assert answer.reason is not None, row
        told.add((answer.status, msgspec.json.encode(answer.body), answer.headers, len(checked)))
    assert [work for *_, work in told] == [1]
    assert baseline.ask().status == 200


def test_no_answer_echoes_each_code_has_one_plain_text(baseline: Any) -> None:
    answers = [baseline.ask(**change(baseline)) for change, _, _ in ROWS.values()]
    texts = {(answer.body["error"], answer.body["error_description"]) for answer in answers}
    assert len(texts) == len({error for _, _, error in ROWS.values()})
    assert all(text.isascii() and not set(text) & set('"\\\r\n\t') for _, text in texts)
    assert all(("Cache-Control", "no-store") in answer.headers for answer in answers)


def test_a_decision_touches_neither_socket_nor_clock(baseline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        pytest.fail("a decision did I/O")

    request = {"form": {"client_assertion": baseline.assertion()}, "proofs": (baseline.token_proof(),)}
    monkeypatch.setattr(socket, "socket", forbidden)
    for name in ("time", "time_ns", "monotonic"):
        monkeypatch.setattr(time, name, forbidden)
    monkeypatch.setattr("builtins.open", forbidden)
    answer = baseline.ask(**request)
    monkeypatch.undo()
    assert answer.status == 200


def test_a_used_assertion_or_proof_gets_no_second_token(door: Any) -> None:
    first = door.issue()
    again = door.issue(proof={"jti": "proof-bbbbbbbbbbbbbbbb"})
    proof_again = door.issue(assertion={"jti": "assertion-bbbbbbbbbbbb"})
    assert [answer.body.get("error") for answer in (first, again, proof_again)] == [
        None,
        "invalid_client",
        "invalid_dpop_proof",
    ]
    assert [answer.reason for answer in (again, proof_again)] == ["assertion-replayed", "proof-replayed"]
    assert len(door.register.entries) == 1


def test_a_refusal_burns_nothing(door: Any) -> None:
    refused = door.issue(scope="ledger:read")
    assert (refused.status, door.register.claimed) == (400, set())
    assert door.issue().status == 200


def test_a_client_that_changed_between_reading_and_committing_gets_no_token(door: Any) -> None:
    door.register.changed = True
    answer = door.issue()
    assert (answer.status, answer.body["error"], answer.reason) == (400, "invalid_client", "client-changed")
    door.register.changed = False
    assert door.issue().status == 200


def test_the_claims_name_client_and_key_so_that_nobody_burns_anothers(baseline: Any) -> None:
    claims = {claim.kind: claim for claim in baseline.ask().granted.caller.claims}
    assert claims[ClaimKind.ASSERTION].digest == digest16("assertion", "pirha-case", "assertion-0123456789abcdef")
    assert claims[ClaimKind.PROOF].digest == digest16("dpop", baseline.proof_key.thumbprint(), "proof-0123456789abcdef")
    assert (claims[ClaimKind.ASSERTION].expires_at, claims[ClaimKind.PROOF].expires_at) == (
        baseline.now + 70,
        baseline.now + 70,
    )


def test_an_assertion_is_honoured_and_remembered_for_300_seconds_whatever_it_states(baseline: Any) -> None:
    answer = baseline.ask(**asserted(baseline, members={"exp": baseline.now + 3600}))
    kept = {claim.kind: claim.expires_at for claim in answer.granted.caller.claims}
    assert kept[ClaimKind.ASSERTION] == baseline.now + 310


def test_keys_published_elsewhere_are_asked_for_by_kid_and_only_for_an_active_client(door: Any) -> None:
    jwks = "https://keys.pirha.example/jwks"
    keys = door.known.keys
    door.known = door.baseline.client(keys=(), jwks_uri=jwks)
    assert door.issue().reason == "client-keys-unfetched"
    door.published[jwks] = keys
    assert door.issue().status == 200
    assert door.asked_for == [(jwks, "k1")] * 2
    door.known = door.baseline.client(keys=(), jwks_uri=jwks, state=ClientState.SUSPENDED)
    assert door.issue(assertion={"jti": "assertion-cccccccccccc"}).body["error"] == "invalid_client"
    assert len(door.asked_for) == 2
