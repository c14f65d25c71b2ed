"""Which fields leave: the matrix of the law page (tests/vectors/field-matrix.csv) against what `decide` says."""

import uuid

import msgspec
import pytest

from core.questions import (
    BUILT,
    CATALOGUE,
    MATRIX,
    NEVER,
    P01,
    P09,
    PATHS,
    SERVER_SET,
    Question,
    but,
    column,
    header,
    leaving,
    necessity_for,
    prohibition,
)
from sauma.core.decision import HEADERS, Permit, Refusal, wanted_fields
from sauma.core.matters import Form, ProhibitionKind, RecordHeader
from sauma.core.parties import OrganisationKind
from sauma.core.problems import Reason

ONLY_IN_NOTICES = ("referral.", "activation.", "integration.")
HELD = "person.hetu"
MASKED = {"person.homeMunicipality", "contact.phone", "contact.address"}


def asking(question: Question, *paths: str, justified: bool = True) -> Question:
    necessity = {
        path: necessity_for(path) for path in paths if justified and column(NUMBER[question.ask.purpose])[path] == "o"
    }
    return but(question, ("ask/fields", paths), ("ask/necessity", necessity))


NUMBER = {question.ask.purpose: number for number, question in BUILT.items()}
CELLS = [(number, line["path"], line[number][0]) for number in BUILT for line in MATRIX]


@pytest.mark.parametrize(("number", "path", "cell"), CELLS, ids=[f"{n} {p} {c}" for n, p, c in CELLS])
def test_every_cell_of_the_matrix(number: str, path: str, cell: str) -> None:
    """Asked beside one released field that a record holds, so that what travels with others may."""
    beside = "person.name" if path != "person.name" else "application.id"
    decided = asking(BUILT[number], beside, path).decide()
    if cell == NEVER:
        assert isinstance(decided, Refusal)
        assert decided.reason is Reason.FIELD_NOT_PERMITTED
        return
    assert isinstance(decided, Permit)
    assert leaving(decided) == {beside, path} - {HELD} - {p for p in (path,) if p.startswith(SERVER_SET)}
    if cell == "o":
        unjustified = asking(BUILT[number], beside, path, justified=False)
        assert unjustified.answer is Reason.NECESSITY_MISSING


@pytest.mark.parametrize("number", BUILT)
def test_naming_no_field_means_every_released_one(number: str) -> None:
    released = {path for path, cell in column(number).items() if cell == "R"}
    assert leaving(BUILT[number].decide()) == {p for p in released if not p.startswith(SERVER_SET)} - {HELD}


@pytest.mark.parametrize("number", BUILT)
def test_withheld_names_the_optional_fields_and_no_other(number: str) -> None:
    decided = BUILT[number].decide()
    assert isinstance(decided, Permit)
    optional = {path for path, cell in column(number).items() if cell == "o"}
    assert {(w.field, w.reason) for w in decided.withheld} == {(path, "not-requested") for path in optional}


@pytest.mark.parametrize("number", [name for name in MATRIX[0] if name.startswith("P") and "-" not in name])
def test_every_direction_of_every_purpose_offers_its_column(number: str) -> None:
    purpose = next(p for p in CATALOGUE.purposes.values() if p.number == number)
    assert purpose.flows
    for flow in purpose.flows:
        narrowed = number == "P03" and OrganisationKind.COUNTY in flow.discloser
        expected = {
            line["path"]: line[number][0]
            for line in MATRIX
            if line[number] != NEVER
            and not line["path"].startswith((*SERVER_SET, *ONLY_IN_NOTICES))
            and (not narrowed or line["P03-county-to-kela"] == "x")
        }
        everything = msgspec.structs.replace(P01.ask, fields=PATHS)
        assert {p: c.value for p, c in wanted_fields(everything, purpose, flow).items()} == expected
        unnamed = msgspec.structs.replace(P01.ask, fields=None)
        assert set(wanted_fields(unnamed, purpose, flow)) == {p for p, c in expected.items() if c == "R"}


CODES = {
    "a code of another field": ("housing.accepted", {"housing.accepted": "need-calculation"}, Reason.NECESSITY_MISSING),
    "a code that is not in the list": ("housing.accepted", {"housing.accepted": "because"}, Reason.NECESSITY_MISSING),
    "an empty code": ("housing.accepted", {"housing.accepted": ""}, Reason.NECESSITY_MISSING),
    "the right code on another field": (
        "housing.accepted",
        {"housing.actual": "housing-costs-assessment"},
        Reason.NECESSITY_MISSING,
    ),
    "the right code": ("housing.accepted", {"housing.accepted": "housing-costs-assessment"}, "permit"),
    "another right code": ("housing.accepted", {"housing.accepted": "eviction-prevention"}, "permit"),
    "a code for a field that needs none": ("person.name", {"person.name": "because"}, "permit"),
    "a code for a field that is not asked": ("person.name", {"housing.actual": "because"}, "permit"),
}


@pytest.mark.parametrize("sentence", CODES)
def test_a_necessity_code_justifies_its_own_fields(sentence: str) -> None:
    path, necessity, expected = CODES[sentence]
    for question in BUILT.values():
        assert but(question, ("ask/fields", (path,)), ("ask/necessity", necessity)).answer == expected


@pytest.mark.parametrize("path", ["worker.unit", "worker.role", "worker.contact"])
def test_who_handled_a_case_never_leaves_alone(path: str) -> None:
    for question in BUILT.values():
        assert asking(question, path).answer is Reason.SUBJECT_UNKNOWN
        assert leaving(asking(question, path, "person.name").decide()) == {path, "person.name"}
        records = asking(question, path, "person.name").decide()
        assert isinstance(records, Permit)
        assert {r.header.resource for r in records.records} == {"persons"}


def test_a_field_whose_sealed_group_has_gone_is_permitted_still_so_that_the_gate_notices() -> None:
    bare = msgspec.structs.replace(header("persons", 1), groups={"ordinary": bytes(32)})
    asked = but(asking(P01, "person.turvakielto", "worker.unit"), ("facts/headers", (bare,)))
    assert leaving(asked.decide()) == {"person.turvakielto", "worker.unit"}


def test_the_identity_code_never_leaves_a_pull() -> None:
    for question in BUILT.values():
        assert question.catalogue.purposes[question.ask.purpose].cells[HELD].value == "R"
        assert asking(question, HELD).answer is Reason.SUBJECT_UNKNOWN
        assert leaving(asking(question, HELD, "person.name").decide()) == {"person.name"}
        assert HELD not in leaving(question.decide())


PERSONS, DECISION, HOUSEHOLD = header("persons", 1), header("decisions", 2), header("households", 3)
GUARDED = {h.resource: header(h.resource, h.id.int, protected=True) for h in (PERSONS, DECISION, HOUSEHOLD)}


def in_person(decided: Permit | Refusal) -> set[str]:
    assert isinstance(decided, Permit)
    return {s.path for r in decided.records if r.header.resource == "persons" for f in r.fields.values() for s in f}


def test_protection_masks_where_the_person_can_be_found_and_leaves_the_flag() -> None:
    asked = asking(P01, "person.name", "person.homeMunicipality", "person.turvakielto", "contact.phone")
    assert in_person(asked.decide()) >= {"person.homeMunicipality", "contact.phone", "person.turvakielto"}
    guarded = but(asked, ("facts/headers", (GUARDED["persons"],))).decide()
    assert isinstance(guarded, Permit)
    assert in_person(guarded) == {"person.name", "person.turvakielto"}
    assert {w.field for w in guarded.withheld if w.reason == "protected"} == {
        "person.homeMunicipality",
        "contact.phone",
    }


def test_a_protected_person_named_in_a_record_masks_that_record() -> None:
    """The header is protected when the subject or anyone named in the record is; other records stay as they are."""
    asked = asking(P01, "person.homeMunicipality", "household.type", "decision.date")
    beside = but(asked, ("facts/headers", (PERSONS, DECISION, GUARDED["households"]))).decide()
    assert in_person(beside) == {"person.homeMunicipality"}
    assert leaving(beside) == {"person.homeMunicipality", "household.type", "decision.date"}
    named = but(asked, ("facts/headers", (GUARDED["persons"], DECISION, HOUSEHOLD))).decide()
    assert leaving(named) == {"household.type", "decision.date"}


def test_what_is_said_to_be_protected_is_what_was_masked() -> None:
    """Else the answer would tell that somebody else in the household is protected."""
    asked = asking(P01, "person.homeMunicipality", "household.type")
    beside = but(asked, ("facts/headers", (PERSONS, GUARDED["households"]))).decide()
    assert isinstance(beside, Permit)
    assert [w for w in beside.withheld if w.reason == "protected"] == []
    named = but(asked, ("facts/headers", (GUARDED["persons"], HOUSEHOLD))).decide()
    assert isinstance(named, Permit)
    assert {w.field for w in named.withheld if w.reason == "protected"} == {"person.homeMunicipality"}


@pytest.mark.parametrize("number", BUILT)
def test_existence_names_records_and_no_field(number: str) -> None:
    decided = but(BUILT[number], ("ask/form", Form.EXISTENCE)).decide()
    assert isinstance(decided, Permit)
    assert leaving(decided) == set()
    values = BUILT[number].decide()
    assert isinstance(values, Permit)
    assert [r.header for r in decided.records] == [r.header for r in values.records]


@pytest.mark.parametrize("sentence", ["never", "optional", "masked"])
def test_existence_obeys_the_same_conditions(sentence: str) -> None:
    existence = but(P01, ("ask/form", Form.EXISTENCE))
    rows = {
        "never": (asking(existence, "contact.address"), Reason.FIELD_NOT_PERMITTED),
        "optional": (asking(existence, "housing.actual", justified=False), Reason.NECESSITY_MISSING),
        "masked": (
            but(asking(existence, "person.homeMunicipality"), ("facts/headers", (GUARDED["persons"],))),
            Reason.PROTECTED_PERSON,
        ),
    }
    question, reason = rows[sentence]
    assert question.answer is reason


MANY = tuple(header("decisions", number) for number in range(1, 8))
MORE = tuple(header("decisions", number) for number in range(1, 120))


def pages(question: Question) -> list[list[int]]:
    """Every page, the headers after the cursor handed out as gather does: 51, whatever the page's size."""
    found: list[list[int]] = []
    after = 0
    while True:
        headers = tuple(h for h in question.facts.headers if h.id.int > after)[:HEADERS]
        decided = but(question, ("facts/headers", headers)).decide()
        if isinstance(decided, Refusal):
            return found
        found.append([r.header.id.int for r in decided.records])
        if decided.more_after is None:
            return found
        assert decided.more_after.record.int > after
        after = decided.more_after.record.int


def test_pages_follow_one_another() -> None:
    question = but(asking(P01, "decision.date"), ("facts/headers", MANY), ("ask/limit", 3))
    assert pages(question) == [[1, 2, 3], [4, 5, 6], [7]]
    assert pages(but(question, ("ask/limit", 7))) == [[1, 2, 3, 4, 5, 6, 7]]
    whole = pages(but(question, ("facts/headers", MORE), ("ask/limit", 50)))
    assert [len(page) for page in whole] == [50, 50, 19]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("headers", [MANY, MORE], ids=["few", "many"])
def test_a_record_that_may_not_leave_costs_no_other_its_place(limit: int, headers: tuple[RecordHeader, ...]) -> None:
    restricted = {1, 2, 5, 52, 53, 103}
    question = but(
        asking(P09, "decision.date"),
        ("facts/headers", headers),
        ("ask/limit", limit),
        ("facts/prohibitions", tuple(prohibition(ProhibitionKind.RESTRICTION, number) for number in restricted)),
    )
    expected = [h.id.int for h in headers if h.id.int not in restricted]
    assert [number for page in pages(question) for number in page] == expected


AGREED = {
    "an agreement on three months": (3, {"2026-11", "2026-10", "2026-09"}),
    "an agreement on one month narrows the default window": (1, {"2026-11"}),
    "an agreement on a year": (12, {"2026-11", "2026-10", "2026-09", "2026-08"}),
}


@pytest.mark.parametrize("sentence", AGREED)
def test_an_agreement_narrows_what_leaves(sentence: str) -> None:
    """Gather looks as far back as the question; the decision lets out no month older than was agreed."""
    agreed, expected = AGREED[sentence]
    held = tuple(
        msgspec.structs.replace(header("decisions", number), month=month)
        for number, month in enumerate(("2026-11", "2026-10", "2026-09", "2026-08"), 1)
    )
    question = but(
        asking(P01, "decision.date", "person.name"),
        ("facts/agreement/max_months", agreed),
        ("facts/headers", (*held, msgspec.structs.replace(header("persons", 5), month=None))),
    )
    decided = question.decide()
    assert isinstance(decided, Permit)
    assert {r.header.month for r in decided.records} == expected | {None}


def test_the_permit_carries_what_the_append_compares() -> None:
    decided = P09.decide()
    assert isinstance(decided, Permit)
    assert decided.basis == P09.facts.basis
    assert decided.prior_information == uuid.UUID(int=0xC)
    assert decided.subject == P09.facts.subject
