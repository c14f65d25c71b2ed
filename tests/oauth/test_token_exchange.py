"""An officer's login exchanged for a token (RFC 8693): the word of the organisation's own identity provider, once."""

import json
from typing import Any

import pytest

from oauth.test_signed_purpose import HETU, members_of
from sauma.core.evidence import ClaimKind
from sauma.core.parties import Authentication, OfficerKind
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
OTHER_COUNTY = "0246246-0"


def exchanged(b: Any, **changes: Any) -> dict[str, Any]:
    """The exchange with one thing changed: of the login (`header`, `members`, `key`), of the form, or `known`."""
    login = {name: changes.pop(name) for name in ("header", "members", "key") if name in changes}
    known = changes.pop("known", None)
    subject_token = changes.pop("subject_token", None) or b.login(**login)
    form = {**b.exchange(subject_token=subject_token), **changes}
    return {"form": {name: value for name, value in form.items() if value is not b.absent}} | (
        {} if known is None else {"known": known}
    )


def without(b: Any, name: str) -> dict[str, Any]:
    form = exchanged(b)["form"]
    del form[name]
    return {"form": form}


def named_before(b: Any, **member: str) -> dict[str, Any]:
    """The exchange whose assertion names an officer already."""
    detail = {"type": "sauma_case_access", "officer": {**b.person, **member}}
    return exchanged(b, client_assertion=b.assertion(members={"authorization_details": [detail]}))


# fmt: off
ROWS: dict[str, tuple[Any, Reason]] = {
    "no subject token": (lambda b: without(b, "subject_token"), Reason.SUBJECT_TOKEN_MISSING),
    "an empty subject token": (lambda b: {"form": {**exchanged(b)["form"], "subject_token": ""}}, Reason.SUBJECT_TOKEN_MISSING),
    "no type of it": (lambda b: without(b, "subject_token_type"), Reason.SUBJECT_TOKEN_TYPE),
    "a SAML assertion": (lambda b: exchanged(b, subject_token_type="urn:ietf:params:oauth:token-type:saml2"), Reason.SUBJECT_TOKEN_TYPE),
    "an actor token": (lambda b: exchanged(b, actor_token="x"), Reason.ACTOR_TOKEN),
    "an ID token is wanted": (lambda b: exchanged(b, requested_token_type="urn:ietf:params:oauth:token-type:id_token"), Reason.REQUESTED_TYPE),
    "no token at all": (lambda b: exchanged(b, subject_token="x"), Reason.SEGMENTS),
    "not signed": (lambda b: exchanged(b, subject_token=b.signed({"alg": "none"}, {}, b.idp_key, using="ES256")), Reason.ALGORITHM),
    "signed by the client itself": (lambda b: exchanged(b, key=b.client_key), Reason.SIGNATURE),
    "an unknown key": (lambda b: exchanged(b, header={"kid": "idp-2"}), Reason.KEY_UNKNOWN),
    "a key it brings itself": (lambda b: exchanged(b, header={"jwk": b.other_key.as_dict(private=False)}, key=b.other_key), Reason.KEY_REFERENCE),
    "a provider nobody registered": (lambda b: exchanged(b, members={"iss": "https://elsewhere.example"}), Reason.ISSUER_UNKNOWN),
    "another organisation's provider": (lambda b: exchanged(b, known=b.client(providers=(b.provider(organisation=OTHER_COUNTY),))), Reason.ISSUER_UNKNOWN),
    "no provider registered": (lambda b: exchanged(b, known=b.client(providers=())), Reason.ISSUER_UNKNOWN),
    "an access token": (lambda b: exchanged(b, subject_token=b.token()), Reason.TYPE),
    "a client assertion": (lambda b: exchanged(b, subject_token=b.assertion()), Reason.ISSUER_UNKNOWN),
    "meant for another server": (lambda b: exchanged(b, members={"aud": "https://other.example"}), Reason.AUDIENCE_OTHER),
    "meant for several": (lambda b: exchanged(b, members={"aud": [b.url]}), Reason.AUDIENCE_KIND),
    "expired": (lambda b: exchanged(b, members={"exp": b.now}), Reason.EXPIRED),
    "issued 301 s ago": (lambda b: exchanged(b, members={"iat": b.now - 301, "exp": b.now + 900}), Reason.IAT_STALE),
    "no exp": (lambda b: exchanged(b, members={"exp": b.absent}), Reason.EXP_MISSING),
    "no jti": (lambda b: exchanged(b, members={"jti": b.absent}), Reason.JTI_MISSING),
    "no organisation": (lambda b: exchanged(b, members={"organisation": b.absent}), Reason.OFFICER_CLAIMS),
    "a login for another organisation": (lambda b: exchanged(b, members={"organisation": OTHER_COUNTY}), Reason.LOGIN_ORGANISATION),
    "a login for several": (lambda b: exchanged(b, members={"organisation": ["2816301-8", OTHER_COUNTY]}), Reason.OFFICER_CLAIMS),
    "no sub": (lambda b: exchanged(b, members={"sub": b.absent}), Reason.OFFICER_CLAIMS),
    "an empty sub": (lambda b: exchanged(b, members={"sub": ""}), Reason.OFFICER_CLAIMS),
    "no role": (lambda b: exchanged(b, members={"role": b.absent}), Reason.OFFICER_CLAIMS),
    "a unit that is a number": (lambda b: exchanged(b, members={"unit": 5}), Reason.OFFICER_CLAIMS),
    "a name with a newline": (lambda b: exchanged(b, members={"name": "a\nb"}), Reason.OFFICER_CLAIMS),
    "an identity code as sub": (lambda b: exchanged(b, members={"sub": HETU}), Reason.DETAILS_PERSONAL),
    "no auth_time": (lambda b: exchanged(b, members={"auth_time": b.absent}), Reason.OFFICER_CLAIMS),
    "auth_time true": (lambda b: exchanged(b, members={"auth_time": True}), Reason.OFFICER_CLAIMS),
    "logged in tomorrow": (lambda b: exchanged(b, members={"auth_time": b.now + 11}), Reason.LOGIN_TIME),
    "acr a list": (lambda b: exchanged(b, members={"acr": ["x"]}), Reason.OFFICER_CLAIMS),
    "another officer in the assertion": (lambda b: named_before(b, id="v-18"), Reason.OFFICER_DIFFERS),
    "another role in the assertion": (lambda b: named_before(b, role="benefit-officer"), Reason.OFFICER_DIFFERS),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_a_defective_login_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    change, reason = ROWS[row]
    answer = baseline.ask(**change(baseline))
    assert (answer.reason, answer.body["error"], answer.status) == (reason.value, "invalid_request", 400)
    assert answer.granted is None


def test_a_login_gives_a_token_that_says_who_when_and_how(baseline: Any) -> None:
    answer = baseline.ask(**exchanged(baseline))
    members = members_of(answer.body["access_token"])
    assert (answer.body["issued_token_type"], answer.body["token_type"]) == (ACCESS_TOKEN, "DPoP")
    assert members["authorization_details"][0]["officer"] == baseline.person
    assert (members["acr"], members["auth_time"], members["officer_provider"]) == (
        "http://ftn.ficora.fi/2017/loatest3",
        baseline.now - 60,
        baseline.idp,
    )
    assert members["sub"] == "2816301-8"
    caller = answer.granted.caller
    assert (caller.officer.id, caller.officer.kind) == ("v-17", OfficerKind.PERSON)
    assert caller.authentication == Authentication(
        provider=baseline.idp, context_class="http://ftn.ficora.fi/2017/loatest3", at=baseline.now - 60
    )


# fmt: off
ACCEPTED: dict[str, Any] = {
    "typ absent": lambda b: exchanged(b, header={"typ": b.absent}),
    "no acr": lambda b: exchanged(b, members={"acr": b.absent}),
    "unknown members": lambda b: exchanged(b, members={"amr": ["pki"]}),
    "an hour's life, honoured for five minutes": lambda b: exchanged(b, members={"exp": b.now + 3600}),
    "the access token is asked for by name": lambda b: exchanged(b, requested_token_type=ACCESS_TOKEN),
    "our resource as audience": lambda b: exchanged(b, audience=b.url),
    "the same officer in the assertion": named_before,
}
# fmt: on


@pytest.mark.parametrize("row", ACCEPTED)
def test_what_must_pass_gets_a_token(row: str, baseline: Any) -> None:
    answer = baseline.ask(**ACCEPTED[row](baseline))
    assert (answer.status, answer.reason) == (200, None)
    assert answer.granted.caller.authentication is not None


def test_a_token_without_an_exchange_says_nothing_of_a_login(baseline: Any) -> None:
    answer = baseline.ask(form={"subject_token": baseline.login()})
    assert {"acr", "auth_time", "officer_provider"}.isdisjoint(members_of(answer.body["access_token"]))
    assert (answer.granted.caller.authentication, "issued_token_type" in answer.body) == (None, False)


def test_the_claim_names_the_provider_and_outlives_the_login(baseline: Any) -> None:
    claims = {claim.kind: claim for claim in baseline.ask(**exchanged(baseline)).granted.caller.claims}
    assert claims.keys() == {ClaimKind.ASSERTION, ClaimKind.PROOF, ClaimKind.SUBJECT_TOKEN}
    login = claims[ClaimKind.SUBJECT_TOKEN]
    assert login.digest == digest16("subject-token", "2816301-8", baseline.idp, "login-0123456789abcdef")
    assert login.expires_at == baseline.now + 130


def test_two_organisations_that_share_a_provider_share_no_login(baseline: Any) -> None:
    shared = (baseline.provider(), baseline.provider(organisation=OTHER_COUNTY))
    mandates = (baseline.mandate(), baseline.mandate(organisation=OTHER_COUNTY))
    known = baseline.client(mandates=mandates, providers=shared)
    digests = set()
    for organisation, other in (("2816301-8", OTHER_COUNTY), (OTHER_COUNTY, "2816301-8")):
        member = {"organisation": organisation}
        given = baseline.ask(**exchanged(baseline, members=member, known=known, organisation=organisation))
        assert given.granted.caller.organisation == organisation
        digests |= {c.digest for c in given.granted.caller.claims if c.kind is ClaimKind.SUBJECT_TOKEN}
        crossed = baseline.ask(**exchanged(baseline, members=member, known=known, organisation=other))
        assert crossed.reason == "login-for-other-organisation"
    assert len(digests) == 2, "the same provider and jti: one organisation uses up nothing of the other's"


LONG: dict[str, tuple[str, int, int, str | None]] = {
    "letters of one byte": ("a", 200, 200, None),
    "letters of two bytes": ("å", 200, 200, None),
    "letters of three bytes, as many as go in": ("中", 160, 1, None),
    "letters of three bytes": ("中", 200, 200, "details-too-large"),
    "letters of four bytes, as many as go in": ("\U0001f600", 100, 1, None),
    "letters of four bytes, and a context of them": ("\U0001f600", 100, 200, None),
    "letters of four bytes": ("\U0001f600", 180, 1, "details-too-large"),
    "brackets": ("[", 12, 1, None),
    "brackets, as many as a login may hold": ("[", 15, 1, "json-too-deep"),
}


@pytest.mark.parametrize("row", LONG)
def test_a_login_gives_a_token_our_own_doors_take_or_nothing(row: str, door: Any, baseline: Any) -> None:
    letter, length, context, refused = LONG[row]
    long = dict.fromkeys(("sub", "name", "role", "unit"), letter * length) | {"acr": letter * context}
    members = json.dumps(members_of(baseline.login(members=long)), ensure_ascii=False).encode()
    word = baseline.signed({"alg": "ES256", "kid": "idp-1"}, members, baseline.idp_key)
    answer = door.issue(**baseline.exchange(subject_token=word))
    assert answer.reason == refused
    if refused is None:
        assert baseline.call(token=answer.body["access_token"]).officer.name == long["name"]
        return
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")
    assert (door.register.claimed, door.register.entries) == (set(), [])


@pytest.mark.parametrize(
    ("letter", "length", "refused"), [("a", 200, None), ("中", 160, None), ("中", 164, "details-too-large")]
)
def test_so_does_a_named_officer(letter: str, length: int, refused: str | None, door: Any, baseline: Any) -> None:
    """The detail gains its organisation: what was within 2,048 bytes before may not be after."""
    long = dict.fromkeys(("id", "name", "role", "unit"), letter * length)
    answer = door.issue(assertion={"authorization_details": [{"type": "sauma_case_access", "officer": long}]})
    if refused is None:
        assert baseline.call(token=answer.body["access_token"]).officer.name == long["name"]
        return
    assert (answer.body["error"], answer.reason) == ("invalid_authorization_details", refused)
    assert (door.register.claimed, door.register.entries) == (set(), [])


def test_a_login_is_exchanged_once(door: Any, baseline: Any) -> None:
    assert door.issue(**baseline.exchange()).status == 200
    fresh = {"assertion": {"jti": "assertion-bbbbbbbbbbbb"}, "proof": {"jti": "proof-bbbbbbbbbbbbbbbb"}}
    again = door.issue(**fresh, **baseline.exchange())
    assert (again.status, again.body["error"], again.reason) == (400, "invalid_request", "subject-token-replayed")
    assert len(door.register.entries) == 1
