"""The decision as a table: every reason is reached by changing one fact of a question that is in order."""

import datetime as dt
import itertools
import uuid

import pytest

from core.questions import BUILT, CATALOGUE, DAY, KELA, P01, P09, Question, but, header, prohibition
from sauma.core.decision import Permit, Refusal
from sauma.core.matters import MatterState, Months, ProhibitionKind
from sauma.core.parties import Assurance, OfficerKind, OrganisationKind
from sauma.core.problems import DISCLOSER_SIDE, Reason
from sauma.core.purposes import Cell

Fact = tuple[str, object]


def months(first: str, last: str) -> Months:
    return Months(first=dt.date.fromisoformat(f"{first}-01"), last=dt.date.fromisoformat(f"{last}-01"))


R = Reason
BEFORE_THE_LAW = dt.date(2022, 12, 31)

CALLER_SIDE: dict[str, tuple[Fact, Reason]] = {
    "no officer stands behind the call": (("ask/officer", None), R.OFFICER_MISSING),
    "the purpose is not in the catalogue": (("ask/purpose", "curiosity"), R.PURPOSE_UNKNOWN),
    "the purpose is one that is not switched on": (("ask/purpose", "recovery-claim"), R.PURPOSE_NOT_AGREED),
    "the caller is not registered": (("facts/organisation", None), R.PARTY_NOT_ENTITLED),
    "the caller, or its system, is suspended": (("facts/organisation/active", False), R.PARTY_NOT_ENTITLED),
    "the caller is a municipality": (("facts/organisation/kind", OrganisationKind.MUNICIPALITY), R.PARTY_NOT_ENTITLED),
    "the caller is only a vendor": (("facts/organisation/kind", OrganisationKind.VENDOR), R.PARTY_NOT_ENTITLED),
    "the discloser is not registered": (("facts/discloser", None), R.PARTY_NOT_ENTITLED),
    "the discloser is suspended": (("facts/discloser/active", False), R.PARTY_NOT_ENTITLED),
    "the discloser is a supervisor": (("facts/discloser/kind", OrganisationKind.SUPERVISOR), R.PARTY_NOT_ENTITLED),
    "the officer's role is not one of the purpose": (("ask/officer/role", "finance"), R.OFFICER_ROLE),
    "the officer has no role": (("ask/officer/role", ""), R.OFFICER_ROLE),
    "an unattended run asks where a person must": (("ask/officer/kind", OfficerKind.PROCESS), R.OFFICER_ROLE),
    "the two have not agreed": (("facts/agreement", None), R.PURPOSE_NOT_AGREED),
    "the agreement was ended": (("facts/agreement/active", False), R.PURPOSE_NOT_AGREED),
    "the agreement begins tomorrow": (("facts/agreement/valid_from", dt.date(2026, 11, 23)), R.PURPOSE_NOT_AGREED),
    "the agreement ran out yesterday": (("facts/agreement/valid_until", dt.date(2026, 11, 21)), R.PURPOSE_NOT_AGREED),
    "no provision is in force on the day": (("day", BEFORE_THE_LAW), R.BASIS_NOT_IN_FORCE),
    "the caller has no such matter": (("facts/matter", None), R.MATTER_MISSING),
    "the matter is closed": (("facts/matter/state", MatterState.CLOSED), R.MATTER_CLOSED),
    "the matter concerns someone else": (("facts/matter/concerns_subject", False), R.SUBJECT_MISMATCH),
    "the field is never disclosed under the purpose": (("ask/fields", ("contact.address",)), R.FIELD_NOT_PERMITTED),
    "one field of many is never disclosed": (("ask/fields", ("person.name", "plan.goals")), R.FIELD_NOT_PERMITTED),
    "the field is unknown": (("ask/fields", ("person.diagnosis",)), R.FIELD_NOT_PERMITTED),
    "the field is set by the server and unknown": (("ask/fields", ("legal.opinion",)), R.FIELD_NOT_PERMITTED),
    "the field travels only in notices": (("ask/fields", ("referral.text",)), R.FIELD_NOT_PERMITTED),
    "an optional field has no necessity code": (("ask/fields", ("housing.accepted",)), R.NECESSITY_MISSING),
    "the window reaches thirteen months back": (("ask/period", months("2025-11", "2026-11")), R.WINDOW_EXCEEDED),
    "the window ends after the next month": (("ask/period", months("2026-11", "2027-01")), R.WINDOW_EXCEEDED),
    "the person was asked about too often today": (("facts/recent", 5), R.FREQUENCY_EXCEEDED),
}

DISCLOSER_SIDE_ONE_FACT: dict[str, tuple[Fact, Reason]] = {
    "nobody is known at the controller": (("facts/subject", None), R.SUBJECT_UNKNOWN),
    "the person has no record in the window": (("facts/headers", ()), R.SUBJECT_UNKNOWN),
    "processing is restricted": (
        ("facts/prohibitions", (prohibition(ProhibitionKind.RESTRICTION),)),
        R.RESTRICTED_PROCESSING,
    ),
    "every record in the window is restricted": (
        ("facts/prohibitions", tuple(prohibition(ProhibitionKind.RESTRICTION, n) for n in range(1, 14))),
        R.RESTRICTED_PROCESSING,
    ),
    "no record has a field of the purpose": (("facts/headers", (header("plans", 1),)), R.SUBJECT_UNKNOWN),
}

ONLY_P01: dict[str, tuple[Fact, Reason]] = {
    "Kela asks under the county's purpose": (
        ("facts/organisation/kind", OrganisationKind.KELA),
        R.DIRECTION_NOT_ALLOWED,
    ),
    "the county asks another county": (("facts/discloser/kind", OrganisationKind.COUNTY), R.PARTY_NOT_ENTITLED),
    "the county is not competent for the person": (("facts/competent", False), R.COUNTY_NOT_COMPETENT),
    "a field of the city's own file": (("ask/fields", ("plan.exists",)), R.FIELD_NOT_PERMITTED),
}

ONLY_P09: dict[str, tuple[Fact, Reason]] = {
    "a county asks under Kela's purpose": (
        ("facts/organisation/kind", OrganisationKind.COUNTY),
        R.DIRECTION_NOT_ALLOWED,
    ),
    "Kela asks itself": (("facts/discloser/kind", OrganisationKind.KELA), R.PARTY_NOT_ENTITLED),
    "the client was not told beforehand": (("facts/prior_information", None), R.PRIOR_INFORMATION_MISSING),
}

ROWS = [
    *((n, s, f, r) for n in BUILT for s, (f, r) in (CALLER_SIDE | DISCLOSER_SIDE_ONE_FACT).items()),
    *(("P01", s, f, r) for s, (f, r) in ONLY_P01.items()),
    *(("P09", s, f, r) for s, (f, r) in ONLY_P09.items()),
]


@pytest.mark.parametrize(("number", "sentence", "fact", "reason"), ROWS, ids=[f"{n}: {s}" for n, s, _, _ in ROWS])
def test_one_fact_changes_the_answer(number: str, sentence: str, fact: Fact, reason: Reason) -> None:
    assert BUILT[number].answer == "permit"
    refusal = but(BUILT[number], fact).decide()
    assert isinstance(refusal, Refusal), sentence
    assert refusal.reason is reason
    assert refusal.public is (reason not in DISCLOSER_SIDE)


def masked(question: Question) -> Question:
    """Only what protection masks is asked, of a protected person."""
    return but(
        question,
        ("ask/fields", ("person.homeMunicipality",)),
        ("ask/necessity", {"person.homeMunicipality": "competence-check"}),
        ("facts/headers", (header("persons", 1, protected=True),)),
    )


TWO_FACTS: dict[str, tuple[Question, Reason]] = {
    "the case is another organisation's": (
        but(P01, ("facts/matter", None), ("facts/matter_elsewhere", True)),
        R.MATTER_FOREIGN,
    ),
    "a cell of the matrix wants consent": (
        but(
            P01,
            ("catalogue/purposes/county-benefit-case/cells/decision.reasons", Cell.CONSENT),
            ("ask/fields", ("decision.reasons",)),
        ),
        R.CONSENT_REQUIRED,
    ),
    "an officer who has not logged in, where the purpose wants that": (
        but(P01, ("catalogue/purposes/county-benefit-case/officer_assurance", Assurance.AUTHENTICATED)),
        R.OFFICER_ASSURANCE,
    ),
    "the agreement narrows the window": (
        but(P01, ("facts/agreement/max_months", 3), ("ask/period", months("2026-08", "2026-11"))),
        R.WINDOW_EXCEEDED,
    ),
    "no agreement widens the window": (
        but(P01, ("facts/agreement/max_months", 99), ("ask/period", months("2025-11", "2026-11"))),
        R.WINDOW_EXCEEDED,
    ),
    "only masked fields are asked": (masked(P01), R.PROTECTED_PERSON),
    "only masked fields are asked of a county": (masked(P09), R.PROTECTED_PERSON),
}


@pytest.mark.parametrize("sentence", TWO_FACTS)
def test_reasons_that_take_two_facts(sentence: str) -> None:
    question, reason = TWO_FACTS[sentence]
    assert question.answer is reason


def test_every_reason_of_the_decision_is_reached() -> None:
    elsewhere = {
        R.NOT_CONTROLLER,
        R.SCOPE_MISSING,
        R.AUDIT_SESSION_MISSING,
        R.CARRIER_MISMATCH,
    }  # said by routes and inspections
    reached = {r for _, _, _, r in ROWS} | {r for _, r in TWO_FACTS.values()} | {R.PROHIBITED}  # prohibitions: below
    assert reached == set(Reason) - elsewhere


STILL_PERMITTED: dict[str, tuple[Question, tuple[Fact, ...]]] = {
    "an officer who has logged in, where the purpose wants that": (
        P01,
        (
            ("catalogue/purposes/county-benefit-case/officer_assurance", Assurance.AUTHENTICATED),
            ("ask/vouched", True),
        ),
    ),
    "a county that is not competent, under Kela's purpose": (P09, (("facts/competent", False),)),
    "no prior information, under the county's purpose": (P01, (("facts/prior_information", None),)),
    "twelve months, the most there is": (P01, (("ask/period", months("2025-12", "2026-11")),)),
    "the coming month": (P01, (("ask/period", months("2026-11", "2026-12")),)),
    "three months under an agreement on three": (
        P01,
        (("facts/agreement/max_months", 3), ("ask/period", months("2026-09", "2026-11"))),
    ),
    "an agreement on more than the purpose allows changes nothing": (P01, (("facts/agreement/max_months", 99),)),
    "the last time today": (P01, (("facts/recent", 4),)),
    "the first day of the agreement": (P01, (("facts/agreement/valid_from", DAY),)),
    "the last day of the agreement": (P01, (("facts/agreement/valid_until", DAY),)),
    "the other role of the purpose": (P01, (("ask/officer/role", "benefit-officer"),)),
    "a case of that name elsewhere too": (P01, (("facts/matter_elsewhere", True),)),
    "what the server sets may be named": (P01, (("ask/fields", ("decision.date", "legal.basis", "case.caseRef")),)),
    "an unattended run where the catalogue says so": (
        but(P01, ("catalogue/purposes/county-benefit-case/unattended", True)),
        (("ask/officer/kind", OfficerKind.PROCESS), ("ask/officer/role", "")),
    ),
}


@pytest.mark.parametrize("sentence", STILL_PERMITTED)
def test_what_does_not_stand_in_the_way(sentence: str) -> None:
    question, facts = STILL_PERMITTED[sentence]
    assert but(question, *facts).answer == "permit"


def test_a_window_as_wide_as_the_agreement_but_older_is_refused() -> None:
    narrowed = but(P01, ("facts/agreement/max_months", 3))
    assert but(narrowed, ("ask/period", months("2026-08", "2026-08"))).answer is R.WINDOW_EXCEEDED
    assert but(narrowed, ("ask/period", months("2026-09", "2026-09"))).answer == "permit"


# The order of the law: of two faults at once the earlier is said. Each changes other facts than the rest.
WANTS_A_LOGIN = "catalogue/purposes/{}/officer_assurance", Assurance.AUTHENTICATED
ORDER: tuple[tuple[str, tuple[Fact, ...], Reason], ...] = (
    ("officer", (("ask/officer", None),), R.OFFICER_MISSING),
    ("purpose", (("ask/purpose", "curiosity"),), R.PURPOSE_UNKNOWN),
    ("parties", (("facts/organisation/active", False),), R.PARTY_NOT_ENTITLED),
    ("role", (("ask/officer/role", "finance"),), R.OFFICER_ROLE),
    ("login", (WANTS_A_LOGIN,), R.OFFICER_ASSURANCE),
    ("agreement", (("facts/agreement/active", False),), R.PURPOSE_NOT_AGREED),
    ("provision", (("catalogue/purposes/{}/provisions", ()),), R.BASIS_NOT_IN_FORCE),
    ("matter", (("facts/matter/state", MatterState.CLOSED),), R.MATTER_CLOSED),
    ("told", (("facts/prior_information", None),), R.PRIOR_INFORMATION_MISSING),
    ("field", (("ask/fields", ("decision.reasons", "contact.address")),), R.FIELD_NOT_PERMITTED),
    ("consent", (("catalogue/purposes/{}/cells/decision.reasons", Cell.CONSENT),), R.CONSENT_REQUIRED),
    ("necessity", (("ask/necessity", {}),), R.NECESSITY_MISSING),
    ("window", (("ask/period", months("2020-01", "2026-11")),), R.WINDOW_EXCEEDED),
    ("frequency", (("facts/recent", 5),), R.FREQUENCY_EXCEEDED),
    ("known", (("facts/subject", None),), R.SUBJECT_UNKNOWN),
    ("competence", (("facts/competent", False),), R.COUNTY_NOT_COMPETENT),
    ("restriction", (("facts/prohibitions", (prohibition(ProhibitionKind.RESTRICTION),)),), R.RESTRICTED_PROCESSING),
    ("nothing left", (("facts/headers", (header("persons", 1, protected=True),)),), R.PROTECTED_PERSON),
)


@pytest.mark.parametrize("number", BUILT)
def test_of_two_faults_the_earlier_is_said(number: str) -> None:
    question = but(
        BUILT[number],
        ("ask/fields", ("decision.reasons", "person.homeMunicipality")),
        (
            "ask/necessity",
            {"decision.reasons": "decision-reasons-review", "person.homeMunicipality": "competence-check"},
        ),
    )
    assert question.answer == "permit"
    of_the_other_purpose = "told" if number == "P01" else "competence"
    faults = [
        (name, [(path.format(question.ask.purpose), value) for path, value in facts], reason)
        for name, facts, reason in ORDER
        if name != of_the_other_purpose
    ]
    assert [name for name, facts, reason in faults if but(question, *facts).answer is not reason] == []
    wrong = [
        (first, second)
        for (first, earlier, reason), (second, later, _) in itertools.combinations(faults, 2)
        if but(question, *later, *earlier).answer is not reason
    ]
    assert wrong == []


PROHIBITIONS_BLOCK = {
    ("kielto-controller", "permission"),
    ("kielto-service-task", "permission"),
    ("kielto-document", "permission"),
    ("consent-withdrawal", "consent"),
    ("consent-withdrawal", "consentCondition"),
    ("minor-vs-guardian", "subjectRight"),
    *(
        ("gdpr18-restriction", basis)
        for basis in (
            "statutePull",
            "statutePushDuty",
            "statutePushMay",
            "consentCondition",
            "consent",
            "permission",
            "incapableOrChild",
            "subjectRight",
            "aggregate",
        )
    ),
}
KINDS = (
    "kielto-controller",
    "kielto-service-task",
    "kielto-document",
    "consent-withdrawal",
    "gdpr18-restriction",
    "minor-vs-guardian",
    "turvakielto",
    "secret-contact",
)
BASES = (
    "statutePull",
    "statutePushDuty",
    "statutePushMay",
    "consentCondition",
    "consent",
    "permission",
    "incapableOrChild",
    "vitalInterest",
    "supervision",
    "subjectRight",
    "aggregate",
)


@pytest.mark.parametrize("number", BUILT)
def test_eight_prohibitions_against_eleven_bases(number: str) -> None:
    purpose = BUILT[number].ask.purpose
    flow = CATALOGUE.purposes[purpose].flows[0]
    assert [k.value for k in ProhibitionKind] == list(KINDS)
    assert [b.value for b in type(flow.basis)] == list(BASES)
    blocked = set()
    for kind, basis in itertools.product(ProhibitionKind, type(flow.basis)):
        question = but(
            BUILT[number],
            (f"catalogue/purposes/{purpose}/flows/0/basis", basis),
            ("facts/prohibitions", (prohibition(kind),)),
        )
        if question.answer != "permit":
            assert question.answer is (R.RESTRICTED_PROCESSING if kind is ProhibitionKind.RESTRICTION else R.PROHIBITED)
            blocked.add((kind.value, basis.value))
    assert blocked == PROHIBITIONS_BLOCK


def test_a_restriction_of_one_document_leaves_the_others() -> None:
    records = but(P01, ("facts/prohibitions", (prohibition(ProhibitionKind.RESTRICTION, 4),))).decide()
    whole = P01.decide()
    assert isinstance(records, Permit)
    assert isinstance(whole, Permit)
    assert {r.header.id for r in whole.records} - {r.header.id for r in records.records} == {uuid.UUID(int=4)}


def test_a_kielto_does_not_stop_a_statutory_flow() -> None:
    kielto = tuple(
        prohibition(k) for k in (ProhibitionKind.CONTROLLER, ProhibitionKind.SERVICE_TASK, ProhibitionKind.DOCUMENT)
    )
    for question in BUILT.values():
        assert but(question, ("facts/prohibitions", kielto)).answer == "permit"


BY_DATE = {
    # the day, and what a disclosure under it rests on; 812/2000 was repealed from 2024-01-01 (704/2023)
    ("P01", dt.date(2022, 12, 31)): None,
    ("P01", dt.date(2023, 1, 1)): {"1412/1997 18 g", "812/2000 20"},
    ("P01", dt.date(2023, 12, 31)): {"1412/1997 18 g", "812/2000 20"},
    ("P01", dt.date(2024, 1, 1)): {"1412/1997 18 g", "703/2023 64.1", "703/2023 9"},
    ("P01", DAY): {"1412/1997 18 g", "703/2023 64.1", "703/2023 9"},
    ("P09", dt.date(2022, 12, 31)): None,
    ("P09", dt.date(2023, 12, 31)): {"1412/1997 18 a.1", "1412/1997 18 a.2", "812/2000 20"},
    ("P09", dt.date(2024, 1, 1)): {"1412/1997 18 a.1", "1412/1997 18 a.2"},
}


@pytest.mark.parametrize(("number", "day"), BY_DATE)
def test_the_provision_is_the_one_of_the_day(number: str, day: dt.date) -> None:
    decided = but(BUILT[number], ("day", day)).decide()
    expected = BY_DATE[number, day]
    if expected is None:
        assert isinstance(decided, Refusal)
        assert decided.reason is R.BASIS_NOT_IN_FORCE
        return
    assert isinstance(decided, Permit)
    assert {f"{p.act} {p.section}" for p in decided.provisions} == expected
    assert len(decided.provisions) == len(expected)


@pytest.mark.parametrize("number", BUILT)
def test_the_repealed_act_alone_carries_nothing_after_its_last_day(number: str) -> None:
    purpose = BUILT[number].ask.purpose
    old = tuple(p for p in CATALOGUE.purposes[purpose].provisions if p.act == "812/2000")
    assert len(old) == 1
    alone = but(BUILT[number], (f"catalogue/purposes/{purpose}/provisions", old))
    assert but(alone, ("day", dt.date(2023, 12, 31))).answer == "permit"
    assert but(alone, ("day", dt.date(2024, 1, 1))).answer is R.BASIS_NOT_IN_FORCE
    assert but(alone, ("day", dt.date(2024, 1, 2))).answer is R.BASIS_NOT_IN_FORCE


OTHERS = [p for p in CATALOGUE.purposes.values() if p.number not in BUILT]


def test_the_catalogue_holds_seventeen_purposes() -> None:
    assert len(OTHERS) == 15
    assert {p.number for p in CATALOGUE.purposes.values() if not p.enabled} == {"P13"}


@pytest.mark.parametrize("number", [p.number for p in OTHERS])
def test_every_other_purpose_refuses_whoever_asks(number: str) -> None:
    purpose = next(p for p in OTHERS if p.number == number)
    allowed = {R.PURPOSE_NOT_AGREED, R.PARTY_NOT_ENTITLED, R.DIRECTION_NOT_ALLOWED}
    said = set()
    for caller, discloser, role in itertools.product(OrganisationKind, OrganisationKind, purpose.receiver_roles):
        asked = but(
            P01,
            ("ask/purpose", purpose.id),
            ("ask/officer/role", role),
            ("facts/organisation/kind", caller),
            ("facts/discloser/kind", discloser),
        )
        said.add(asked.answer)
    assert said <= allowed
    assert purpose.enabled or said == {R.PURPOSE_NOT_AGREED}


def test_a_purpose_whose_issue_has_not_come_is_refused_even_between_the_right_parties() -> None:
    urgent = but(P01, ("ask/purpose", "urgent-handling"), ("ask/officer/role", "county-intake"))
    assert urgent.answer is R.PURPOSE_NOT_AGREED
    assert but(P01, ("ask/controller", KELA)).answer == "permit"
