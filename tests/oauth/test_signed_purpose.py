"""What a token is confined to: the detail in the signed assertion, within mandate and catalogue (RFC 9396; 108)."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.app import new_token_id
from sauma.core.parties import OrganisationKind
from sauma.oauth.details import AccessDetail, read_details
from sauma.oauth.reasons import Reason

PURPOSE, CASE, COUNTY = "county-benefit-case", "PIRHA-2026-000123", "2816301-8"
HETU = "010594Y9032"
DETAIL = {"type": "sauma_case_access", "organisation": COUNTY, "purpose": PURPOSE, "caseReference": CASE}
REFUSED = "invalid_authorization_details"


def signed(b: Any, detail: Any = None, *, known: Any = None, **members: Any) -> dict[str, Any]:
    """The request with one detail inside the assertion; a member None is left out."""
    stated = DETAIL if detail is None else detail
    if isinstance(stated, dict):
        stated = [{name: value for name, value in {**stated, **members}.items() if value is not None}]
    form = {"client_assertion": b.assertion(members={"authorization_details": stated})}
    return {"form": form} | ({} if known is None else {"known": known})


def formed(**members: Any) -> dict[str, Any]:
    return {"form": {"authorization_details": json.dumps([{**DETAIL, **members}])}}


# fmt: off
ROWS: dict[str, tuple[Any, Reason]] = {
    "no list": (lambda b: signed(b, "x"), Reason.DETAILS_MALFORMED),
    "another type": (lambda b: signed(b, type="payment"), Reason.DETAILS_TYPE),
    "a member nobody knows": (lambda b: signed(b, subject="x"), Reason.DETAILS_MALFORMED),
    "a purpose nobody knows": (lambda b: signed(b, purpose="curiosity"), Reason.DETAILS_PURPOSE),
    "a purpose with a newline": (lambda b: signed(b, purpose=PURPOSE + "\n"), Reason.DETAILS_MALFORMED),
    "a purpose that is switched off": (lambda b: signed(b, purpose=next(p.id for p in b.issuer().catalogue.purposes.values() if not p.enabled)), Reason.DETAILS_PURPOSE),
    "a purpose without counties": (lambda b: signed(b, known=b.client(mandate={"kind": OrganisationKind.MUNICIPALITY})), Reason.DETAILS_PURPOSE),
    "a purpose outside the mandate": (lambda b: signed(b, known=b.client(mandate={"purposes": frozenset({"kela-case-request"})})), Reason.DETAILS_PURPOSE_UNGRANTED),
    "no field of the purpose": (lambda b: signed(b, fields=["person.nobody"]), Reason.DETAILS_FIELDS),
    "a field of another purpose alone": (lambda b: signed(b, fields=["calculation.healthCost"]), Reason.DETAILS_FIELDS),
    "an empty list of fields": (lambda b: signed(b, fields=[]), Reason.DETAILS_MALFORMED),
    "fields that are no list": (lambda b: signed(b, fields="decision.amount"), Reason.DETAILS_MALFORMED),
    "a field that is no name": (lambda b: signed(b, fields=["decision amount"]), Reason.DETAILS_MALFORMED),
    "an action nobody knows": (lambda b: signed(b, actions=["read"]), Reason.DETAILS_MALFORMED),
    "an empty list of actions": (lambda b: signed(b, actions=[]), Reason.DETAILS_MALFORMED),
    "a case with a slash": (lambda b: signed(b, caseReference="PIRHA/2026/1"), Reason.DETAILS_MALFORMED),
    "an identity code as the case": (lambda b: signed(b, caseReference=HETU), Reason.DETAILS_PERSONAL),
    "an identity code within the case": (lambda b: signed(b, caseReference=f"A-{HETU}"), Reason.DETAILS_PERSONAL),
    "an identity code as the officer's name": (lambda b: signed(b, officer={**b.person, "name": HETU}), Reason.DETAILS_PERSONAL),
    "larger than 2 kB": (lambda b: signed(b, fields=[f"decision.f{n:03d}" for n in range(150)]), Reason.DETAILS_TOO_LARGE),
    "a purpose in the form alone": (lambda _: formed(), Reason.DETAILS_UNSIGNED),
    "actions in the form alone": (lambda _: formed(purpose=None, caseReference=None, actions=["inspect"]), Reason.DETAILS_UNSIGNED),
    "another case in the form": (lambda b: {"form": {**signed(b)["form"], **formed(caseReference="B-2")["form"]}}, Reason.DETAILS_DIFFER),
    "fewer fields in the form": (lambda b: {"form": {**signed(b, fields=["decision.amount", "decision.date"])["form"], **formed(fields=["decision.date"])["form"]}}, Reason.DETAILS_DIFFER),
    "details demanded, none given": (lambda b: {"known": b.client(mandate={"details_required": True})}, Reason.DETAILS_REQUIRED),
    "details demanded, no case": (lambda b: signed(b, caseReference=None, known=b.client(mandate={"details_required": True})), Reason.DETAILS_REQUIRED),
    "details demanded, no purpose": (lambda b: signed(b, purpose=None, known=b.client(mandate={"details_required": True})), Reason.DETAILS_REQUIRED),
    "purposes narrowed, none named, and nothing is asked": (lambda b: {"form": {"scope": "matter:write"}, "known": b.client(mandate={"purposes": frozenset({PURPOSE})})}, Reason.DETAILS_REQUIRED),
    "purposes narrowed, none named": (lambda b: {"known": b.client(mandate={"purposes": frozenset({PURPOSE})})}, Reason.DETAILS_REQUIRED),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_what_lies_outside_mandate_or_catalogue_is_refused(row: str, baseline: Any) -> None:
    change, reason = ROWS[row]
    answer = baseline.ask(**change(baseline))
    assert (answer.reason, answer.body["error"], answer.status) == (reason.value, REFUSED, 400)
    assert answer.granted is None


# fmt: off
GRANTED: dict[str, tuple[Any, dict[str, Any]]] = {
    "all is granted": (lambda b: signed(b, fields=["decision.date", "decision.amount"], actions=["inspect", "disclose"], officer=b.person), {**DETAIL, "fields": ["decision.amount", "decision.date"], "actions": ["disclose", "inspect"], "officer": "PERSON"}),
    "the only organisation is filled in": (lambda b: signed(b, organisation=None), DETAIL),
    "a field of no purpose of its is left out": (lambda b: signed(b, fields=["decision.amount", "calculation.healthCost"]), {**DETAIL, "fields": ["decision.amount"]}),
    "without a purpose any purpose's field stays": (lambda b: signed(b, purpose=None, caseReference=None, fields=["decision.amount", "x.nobody"]), {"type": DETAIL["type"], "organisation": COUNTY, "fields": ["decision.amount"]}),
    "what policy demands is there": (lambda b: signed(b, known=b.client(mandate={"details_required": True, "purposes": frozenset({PURPOSE})})), DETAIL),
    "details demanded to ask, and nothing is asked": (lambda b: {"form": {"scope": "matter:write"}, "known": b.client(mandate={"details_required": True})}, {"type": DETAIL["type"], "organisation": COUNTY}),
    "the form says the same": (lambda b: {"form": {**signed(b)["form"], **formed()["form"]}}, DETAIL),
    "organisation and officer in the form alone": (lambda b: {"form": {"authorization_details": json.dumps([{"type": DETAIL["type"], "organisation": COUNTY, "officer": b.person}])}}, {"type": DETAIL["type"], "organisation": COUNTY, "officer": "PERSON"}),
    "plain scopes": (lambda _: {}, {"type": DETAIL["type"], "organisation": COUNTY}),
}
# fmt: on


@pytest.mark.parametrize("row", GRANTED)
def test_what_lies_within_is_granted_and_echoed(row: str, baseline: Any) -> None:
    change, expected = GRANTED[row]
    answer = baseline.ask(**change(baseline))
    officer = {"officer": baseline.person} if "officer" in expected else {}
    assert answer.body["authorization_details"] == [expected | officer]
    assert members_of(answer.body["access_token"])["authorization_details"] == [expected | officer]
    assert answer.granted.details == [expected | officer]
    assert AccessDetail(confines=answer.granted.caller.access).as_details()[0].get("purpose") == expected.get("purpose")


def test_the_entry_keeps_the_signed_assertion_whole(baseline: Any) -> None:
    request = signed(baseline)
    granted = baseline.ask(**request).granted
    assert granted.assertion == request["form"]["client_assertion"]


def members_of(token: Any) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


# -- properties

NAMES = st.sampled_from(
    ["decision.amount", "decision.date", "housing.accepted", "calculation.healthCost", "person.hetu", "x.nobody"]
)


@given(asked=st.frozensets(NAMES, min_size=1), added=NAMES)
def test_asking_for_more_never_gives_what_is_outside(baseline: Any, asked: frozenset[str], added: str) -> None:
    column = baseline.issuer().catalogue.purposes[PURPOSE].cells.keys()

    def given_for(fields: frozenset[str]) -> set[str]:
        answer = baseline.ask(**signed(baseline, fields=sorted(fields)))
        return set(answer.body["authorization_details"][0]["fields"]) if answer.status == 200 else set()

    fewer, more = given_for(asked), given_for(asked | {added})
    assert more <= column
    assert more - fewer <= {added}


SHAPE = re.compile("[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Z]", re.IGNORECASE)
CODES = st.builds(
    lambda day, mark, tail, around: f"{around[0]}{day:06d}{mark}{tail}{around[1]}",
    st.integers(0, 999_999),
    st.sampled_from("-+ABCDEFYXWVU"),
    st.from_regex("[0-9]{3}[0-9A-Y]", fullmatch=True),
    st.tuples(st.text("abc :", max_size=5), st.text("abc :", max_size=5)),
)
PLACES: dict[str, Any] = {
    "organisation": lambda code: {"organisation": code},
    "purpose": lambda code: {"purpose": code},
    "caseReference": lambda code: {"caseReference": code},
    "fields": lambda code: {"fields": ["decision.amount", code]},
    **{
        f"officer {member}": lambda code, member=member: {
            "officer": {"id": "v-17", "name": "N", "role": "R", "unit": "U", member: code}
        }
        for member in ("id", "name", "role", "unit")
    },
}


@given(code=CODES, place=st.sampled_from(sorted(PLACES)))
def test_nothing_shaped_like_an_identity_code_gets_into_a_token(baseline: Any, code: str, place: str) -> None:
    answer = baseline.ask(**signed(baseline, **PLACES[place](code)))
    assert answer.status == 400
    assert code not in json.dumps(answer.body)
    assert answer.granted is None


@given(code=CODES, member=st.sampled_from(["sub", "name", "role", "unit", "acr"]))
def test_nor_does_a_login_bring_one(baseline: Any, code: str, member: str) -> None:
    answer = baseline.ask(form=baseline.exchange(subject_token=baseline.login(members={member: code})))
    assert (answer.status, answer.granted) == (400, None)


def strings(value: Any) -> Iterator[str]:
    """Every text in a parsed JSON value, names of members too."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)


SAID = st.from_regex("[A-Za-z0-9+:. -]{1,30}", fullmatch=True)


@given(case=st.from_regex("[A-Za-z0-9._:~-]{1,30}", fullmatch=True), name=SAID, unit=SAID)
def test_whatever_is_asked_no_token_holds_a_text_of_that_shape(baseline: Any, case: str, name: str, unit: str) -> None:
    officer = {**baseline.person, "name": name, "unit": unit}
    answer = baseline.ask(**signed(baseline, caseReference=case, officer=officer))
    if answer.status == 200:
        members = members_of(answer.body["access_token"])
        digests = {"cnf", "asrt"}  # base64url of SHA-256: nobody chooses them
        held = [text for name, value in members.items() if name not in digests for text in strings(value)]
        assert not [text for text in held if SHAPE.search(text)]


def test_a_token_id_is_letters_and_never_the_same() -> None:
    made = {new_token_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[a-p]{32}", token_id) for token_id in made)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.text(max_size=8),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "organisation", "purpose", "caseReference", "fields", "actions", "officer", "x"]
                ),
                s,
            )
        ),
    )
)
def test_whatever_stands_there_is_a_detail_or_a_reason(value: Any) -> None:
    assert isinstance(read_details(value), AccessDetail | Reason)
    assert isinstance(
        read_details([{"type": "sauma_case_access", "officer": value, "fields": value}]), AccessDetail | Reason
    )
