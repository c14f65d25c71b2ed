"""What each purpose says besides its cells: parties, direction, basis, evidence, timers, dates."""

import datetime as dt
import time

import msgspec
import pytest

from sauma.catalogue.loader import load
from sauma.core.parties import OrganisationKind
from sauma.core.purposes import BasisKind, Catalogue, Mode, Precondition, Purpose

KELA, COUNTY, MUNICIPALITY = OrganisationKind.KELA, OrganisationKind.COUNTY, OrganisationKind.MUNICIPALITY
PULL, PUSH = Mode.PULL, Mode.PUSH

# law.md section 8.2, read by hand: discloser, receiver, mode, basis, timer
ONE_WAY = {
    "P01 county-benefit-case": (KELA, COUNTY, PULL, BasisKind.STATUTE_PULL, None),
    "P02 application-transfer": (KELA, COUNTY, PUSH, BasisKind.STATUTE_PUSH_DUTY, "D6"),
    "P04 reduction-notice": (KELA, COUNTY, PUSH, BasisKind.STATUTE_PUSH_DUTY, "next-working-day"),
    "P05 contact-with-consent": (KELA, COUNTY, PUSH, BasisKind.CONSENT_CONDITION, "at-once"),
    "P06 need-notification": (KELA, COUNTY, PUSH, BasisKind.INCAPABLE_OR_CHILD, "D7"),
    "P07 activation-notice": (KELA, COUNTY, PUSH, BasisKind.STATUTE_PUSH_DUTY, "same-day"),
    "P08 integration-notice": (KELA, MUNICIPALITY, PUSH, BasisKind.STATUTE_PUSH_DUTY, "same-day"),
    "P09 kela-case-request": (COUNTY, KELA, PULL, BasisKind.STATUTE_PULL, "D1"),
    "P10 social-care-statement": (COUNTY, KELA, PUSH, BasisKind.STATUTE_PUSH_MAY, None),
    "P11a county-reduction-facts": (COUNTY, KELA, PUSH, BasisKind.STATUTE_PUSH_DUTY, None),
    "P11b county-decision-notice": (COUNTY, KELA, PUSH, BasisKind.STATUTE_PUSH_MAY, None),
}
OTHERS = {
    "P03 urgent-handling",
    "P12 joint-casework",
    "P13 recovery-claim",
    "S1 client-log-access",
    "S2 supervision-audit",
    "S3 deadline-statistics",
}

# the number of a purpose, the act and section, the first day it may be cited, the last (None: still in force)
IN_FORCE = {
    "county's right refers to the repealed act through 2023": ("P01", "812/2000", "20", None, "2023-12-31"),
    "Client Data Act holds from 2024": ("P01", "703/2023", "64.1", "2024-01-01", None),
    "access rights under the Client Data Act from 2024": ("P01", "703/2023", "9", "2024-01-01", None),
    "Kela's right on request since counties exist": ("P09", "1412/1997", "18 a.1", "2023-01-01", None),
    "Kela's own initiative since counties exist": ("P02", "1412/1997", "18 h", "2023-01-01", None),
    "integration act from 2025": ("P08", "681/2023", "84.3", "2025-01-01", None),
    "county's duty before a reduction": ("P11a", "1412/1997", "18 b.1", "2023-01-01", None),
}


def of_number(catalogue: Catalogue, number: str) -> Purpose:
    return next(p for p in catalogue.purposes.values() if p.number == number)


def cited(purpose: Purpose, day: str) -> list[tuple[str, str]]:
    return [(p.act, p.section) for p in purpose.provisions_in_force(dt.date.fromisoformat(day))]


def test_the_seventeen_purposes_of_the_law_page_and_no_other(catalogue: Catalogue) -> None:
    assert {f"{p.number} {p.id}" for p in catalogue.purposes.values()} == ONE_WAY.keys() | OTHERS


@pytest.mark.parametrize("name", ONE_WAY)
def test_a_one_way_purpose_runs_only_its_way(catalogue: Catalogue, name: str) -> None:
    discloser, receiver, mode, basis, timer = ONE_WAY[name]
    purpose = catalogue.purposes[name.split()[1]]
    (flow,) = purpose.flows
    assert (flow.discloser, flow.receiver, flow.mode, flow.basis) == ((discloser,), (receiver,), mode, basis)
    assert purpose.timer == timer


def test_urgent_and_joint_purposes_run_both_ways_by_push_and_pull(catalogue: Catalogue) -> None:
    for number in ("P03", "P12"):
        ways = {(f.discloser, f.receiver, f.mode) for f in of_number(catalogue, number).flows}
        assert ways == {(a, b, m) for a, b in (((KELA,), (COUNTY,)), ((COUNTY,), (KELA,))) for m in (PULL, PUSH)}


def test_a_plain_municipality_gets_nothing_but_the_integration_notice(catalogue: Catalogue) -> None:
    receiving = {
        p.number for p in catalogue.purposes.values() for f in p.flows if MUNICIPALITY in f.receiver and p.cells
    }
    assert receiving == {"P08"}


def test_every_pull_of_records_needs_an_open_matter_or_a_consent(catalogue: Catalogue) -> None:
    for purpose in catalogue.purposes.values():
        if purpose.cells and any(f.mode is PULL for f in purpose.flows):
            assert {Precondition.OPEN_MATTER, Precondition.CONSENT} & set(purpose.preconditions), purpose.id


def test_consent_is_asked_only_where_the_law_asks_it(catalogue: Catalogue) -> None:
    asking = {p.number for p in catalogue.purposes.values() if Precondition.CONSENT in p.preconditions}
    assert asking == {"P05", "P12"}


def test_prior_information_is_kelas_duty_before_it_asks_a_county(catalogue: Catalogue) -> None:
    informing = {p.number for p in catalogue.purposes.values() if Precondition.PRIOR_INFORMATION in p.preconditions}
    assert informing == {"P09"}


def test_the_two_pulls_look_back_three_months_and_at_most_twelve(catalogue: Catalogue) -> None:
    for number in ("P01", "P09"):
        window = of_number(catalogue, number).window
        assert window is not None
        assert (window.default_months, window.max_months) == (3, 12)


def test_recovery_is_off_and_everything_else_on(catalogue: Catalogue) -> None:
    assert {p.number for p in catalogue.purposes.values() if not p.enabled} == {"P13"}


def test_an_unattended_run_is_allowed_only_for_duties_that_fire_by_themselves(catalogue: Catalogue) -> None:
    assert {p.number for p in catalogue.purposes.values() if p.unattended} == {"P02", "P04", "P07", "P08", "S3"}


@pytest.mark.parametrize("sentence", IN_FORCE)
def test_a_provision_is_citable_only_on_the_days_it_held(catalogue: Catalogue, sentence: str) -> None:
    number, act, section, first, last = IN_FORCE[sentence]
    purpose = of_number(catalogue, number)
    day = dt.timedelta(days=1)
    if first:
        assert (act, section) in cited(purpose, first)
        assert (act, section) not in cited(purpose, str(dt.date.fromisoformat(first) - day))
    if last:
        assert (act, section) in cited(purpose, last)
        assert (act, section) not in cited(purpose, str(dt.date.fromisoformat(last) + day))


def test_on_2_january_2024_the_repealed_section_20_is_refused(catalogue: Catalogue) -> None:
    on_that_day = {c for p in catalogue.purposes.values() for c in cited(p, "2024-01-02")}
    assert ("812/2000", "20") not in on_that_day
    assert ("703/2023", "64.1") in on_that_day


def test_no_provision_reaches_back_before_counties_exist(catalogue: Catalogue) -> None:
    for purpose in catalogue.purposes.values():
        assert cited(purpose, "2022-12-31") == [], purpose.id


def test_every_purpose_stands_on_some_provision_today_and_on_no_section_twice(catalogue: Catalogue) -> None:
    for purpose in catalogue.purposes.values():
        for day in ("2025-01-01", "2026-01-31", "2026-02-01", "2026-11-30"):
            assert cited(purpose, day), (purpose.id, day)
            assert len(cited(purpose, day)) == len(set(cited(purpose, day))), (purpose.id, day)


def test_erasure_rules_and_days(catalogue: Catalogue) -> None:
    assert {p.erase_by for p in catalogue.purposes.values()} == set(catalogue.codes["eraseBy"])
    assert catalogue.erase_by_days.keys() == set(catalogue.codes["eraseBy"]) - {"clients-own", "aggregate"}
    assert all(
        f"{days} days" in catalogue.codes["eraseBy"][rule].text.en
        for rule, days in catalogue.erase_by_days.items()
        if days > 1
    )


def test_timers_d1_to_d14_all_stand_in_the_codes(catalogue: Catalogue) -> None:
    assert {f"D{i}" for i in range(1, 15)} <= catalogue.codes["timers"].keys()


def test_every_code_names_its_source(catalogue: Catalogue) -> None:
    for name, codes in catalogue.codes.items():
        for code in codes.values():
            named = any(character.isdigit() for character in code.source)
            assert named or code.source in {"Sauma policy", "Kela practice"}, (name, code.code)


def test_the_codes_the_contract_spells_out_are_there_word_by_word(catalogue: Catalogue) -> None:
    expected = {
        "annulmentReasons": {"wrong-person", "wrong-content", "no-right"},
        "identifierChangeReasons": {"corrected", "changed", "assigned", "wrong-link"},
        "publicationStates": {"current", "delayed", "not-published"},
        "erasureExtents": {"erased", "filed-in-client-document", "other-purpose"},
    }
    assert {name: catalogue.codes[name].keys() for name in expected} == expected


def test_the_three_languages_are_three_texts(catalogue: Catalogue) -> None:
    for purpose in catalogue.purposes.values():
        for text in (purpose.title, purpose.description, *(p.title for p in purpose.provisions)):
            assert len({text.fi, text.sv, text.en}) == 3, (purpose.id, text.en)


def test_a_purpose_survives_a_round_trip_in_the_names_the_api_uses(catalogue: Catalogue) -> None:
    for purpose in catalogue.purposes.values():
        assert msgspec.json.decode(msgspec.json.encode(purpose), type=Purpose) == purpose


def test_loading_takes_a_tenth_of_a_second_at_most() -> None:
    spent = []
    for _ in range(3):
        started = time.process_time()
        load()
        spent.append(time.process_time() - started)
    assert min(spent) < 0.1
