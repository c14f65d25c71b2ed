"""The synthetic country: nobody in it exists, it is always the same, and its sums add up."""

import collections
import datetime as dt
import hashlib
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sauma.core.areas import Areas
from sauma.core.intake import is_clean
from sauma.core.parties import KELA, OrganisationKind
from sauma.core.people import Environment, check_case_reference, check_ytunnus, parse_hetu
from sauma.core.resources import check_identifiers
from sauma.demo import featured, finland, organisations
from sauma.demo.cases import NEED_MIX, Case
from sauma.demo.finland import Batch
from sauma.demo.records import benefit_deposits
from sauma.exchange.deposit import Deposit
from sauma.store.enrol import EnrolledKey

DAY = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def cases(areas: Areas) -> list[Case]:
    return list(finland.households(areas))


@pytest.fixture(scope="module")
def featured_cases(areas: Areas) -> dict[str, Case]:
    return {name: one.case for name, one in featured.featured(areas).items()}


@pytest.fixture(scope="module")
def batches(cases: list[Case], featured_cases: dict[str, Case]) -> list[Batch]:
    return [*finland.batches("featured", featured_cases.values(), DAY), *finland.batches("bulk", cases, DAY)]


@pytest.fixture(scope="module")
def deposits(batches: list[Batch]) -> list[Deposit]:
    return [deposit for batch in batches for deposit in batch.deposits]


def codes_of(case: Case) -> list[str]:
    return [human.hetu for human in (*case.family.adults, *case.family.children)]


def members(deposit: Deposit) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(deposit.fields))


def of(deposits: tuple[Deposit, ...], resource: str) -> list[dict[str, Any]]:
    return [members(deposit) for deposit in deposits if deposit.resource.name == resource]


def digest_of(batches: list[Batch]) -> str:
    """Everything that is deposited, in order."""
    sha = hashlib.sha256()
    for batch in batches:
        sha.update(f"{batch.name}|{batch.organisation}\n".encode())
        for d in batch.deposits:
            people = [d.person.value, *(f"{p.value} {relation}" for p, relation in d.others)]
            said = [d.resource.name, str(d.id), *people, d.case_reference, str(d.retain_until), str(d.source_reference)]
            sha.update("|".join(said).encode() + msgspec.json.encode(d.fields) + b"\n")
    return sha.hexdigest()


def test_there_are_more_than_a_thousand_households_in_every_county(cases: list[Case], areas: Areas) -> None:
    assert len(cases) >= 1_000
    counties = {o.id for o in organisations.organisations(areas) if o.kind is OrganisationKind.COUNTY and o.active}
    assert {case.home.county for case in cases} == counties


def test_every_identity_code_is_one_of_the_test_range_and_belongs_to_one_person(
    cases: list[Case], featured_cases: dict[str, Case]
) -> None:
    codes = [code for case in (*cases, *featured_cases.values()) for code in codes_of(case)]
    assert all(900 <= int(parse_hetu(code, environment=Environment.TEST).value[7:10]) <= 999 for code in codes)
    assert [code for code, count in collections.Counter(codes).items() if count > 1] == []
    assert featured.CORRECTED.new not in codes


def test_no_text_of_the_country_holds_a_code_of_a_real_person(batches: list[Batch]) -> None:
    text = "\n".join(msgspec.json.encode(d.fields).decode() for b in batches for d in b.deposits)
    shaped = re.findall(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]", text)
    assert len(shaped) > 1_000
    assert {code[7] for code in shaped} == {"9"}


def test_the_country_is_the_same_on_every_machine(batches: list[Batch]) -> None:
    assert digest_of(batches) == "ba9be6accc09b034322f7ab9d59f6f21aa6b07c616bfe0170f5300c739f704ed"


def test_on_another_day_the_same_records_carry_other_dates(cases: list[Case]) -> None:
    some = cases[:60]
    today, later = (
        [d for b in finland.batches("x", some, day) for d in b.deposits] for day in (DAY, dt.date(2027, 3, 1))
    )
    assert [(d.id, d.person, d.others) for d in today] == [(d.id, d.person, d.others) for d in later]
    assert [d.fields for d in today if d.resource.name == "decisions"] != [
        d.fields for d in later if d.resource.name == "decisions"
    ]


def test_every_record_passes_the_gate_that_a_controllers_own_deposit_passes(deposits: list[Deposit]) -> None:
    for deposit in deposits:
        raw = msgspec.json.encode(deposit.fields)
        assert deposit.resource.decode(raw) == deposit.fields
        assert is_clean(raw.decode())
        check_identifiers(deposit.fields, environment=Environment.TEST)
        assert check_case_reference(deposit.case_reference)
        assert deposit.resource.deposited


def test_record_ids_are_unique_and_no_batch_is_too_large(batches: list[Batch]) -> None:
    ids = [(b.organisation, d.resource.name, d.id) for b in batches for d in b.deposits]
    assert len(set(ids)) == len(ids)
    assert {len(b.deposits) <= 100 for b in batches} == {True}
    assert len({b.name for b in batches}) == len(batches)
    assert {b.name for b in batches if not re.fullmatch("[a-z0-9-]{8,57}", b.name)} == set()  # an idempotency key


def test_a_household_is_never_torn_between_two_batches(batches: list[Batch]) -> None:
    places = collections.defaultdict(set)
    for batch in batches:
        for deposit in batch.deposits:
            places[batch.organisation, deposit.case_reference].add(batch.name)
    assert [case for case, names in places.items() if len(names) > 1] == []


def test_the_calculation_the_decision_and_the_payments_agree(cases: list[Case]) -> None:
    signs = collections.Counter()
    for case in cases:
        made = benefit_deposits(case, DAY)
        (calculation,), (housing,) = of(made, "calculations"), of(made, "housing-costs")
        expenses = Decimal(calculation["basicAmount"]) + Decimal(housing["accepted"])
        expenses += sum(Decimal(row["sum"]) for row in calculation["otherBasic"])
        means = sum(Decimal(row["sum"]) for row in (*calculation["income"], *calculation["assets"]))
        result = Decimal(calculation["result"])
        assert result == means - expenses
        health = sum(Decimal(row["sum"]) for row in calculation["healthCostDetail"])
        assert health == sum(Decimal(r["sum"]) for r in calculation["otherBasic"] if r["class"] == "health-care")
        assert Decimal(housing["accepted"]) == min(Decimal(housing["actual"]), Decimal(housing["limit"]))
        granted = max(Decimal(0), -result)
        decisions, payments = of(made, "decisions"), of(made, "payments")
        assert {Decimal(row["amount"]) for row in decisions} == {granted}
        assert {row["type"] == "refused" for row in decisions} == {not granted}
        assert sum(Decimal(row["amount"]) for row in payments) == granted * len(decisions)
        signs[bool(granted)] += 1
    assert signs[True] > 5 * signs[False] > 0


BASIC_AMOUNTS = {
    "adult-alone": "578.43",
    "couple-with-children": "2077.73",  # 2 × 497.45, 13 years 417.63, 7 years 347.06, 3 years 318.14
    "protected-person": "1041.17",  # single parent 665.19, 6 years 375.98
    "guardian": "578.43",
}


@pytest.mark.parametrize("name", BASIC_AMOUNTS)
def test_the_basic_amount_is_the_laws(name: str, featured_cases: dict[str, Case]) -> None:
    (calculation,) = of(benefit_deposits(featured_cases[name], DAY), "calculations")
    assert calculation["basicAmount"] == BASIC_AMOUNTS[name]


def test_a_reduction_takes_its_share_of_one_adults_amount(cases: list[Case]) -> None:
    shares = set()
    for case in cases:
        made = benefit_deposits(case, DAY)
        if case.family.kind.value == "alone" and (rows := of(made, "reductions")):
            (calculation,) = of(made, "calculations")
            left = Decimal("578.43") - Decimal(calculation["basicAmount"])
            assert abs(left - Decimal("578.43") * rows[0]["percent"] / 100) < Decimal("0.01")
            shares.add(rows[0]["percent"])
    assert shares == {20, 40, 50}


def test_the_notice_mix_is_that_of_the_statistics(cases: list[Case]) -> None:
    counted = collections.Counter(case.need for case in cases if case.need)
    for need, share in NEED_MIX:
        assert abs(100 * counted[need] / counted.total() - share) < 6, need


def test_a_default_window_finds_decisions_and_payments_whenever_it_is_made(cases: list[Case]) -> None:
    for day in (dt.date(2026, 3, 1), dt.date(2026, 11, 22), dt.date(2027, 1, 31)):
        first = (day.replace(day=1) - dt.timedelta(days=45)).replace(day=1).isoformat()
        for case in cases[:50]:
            made = benefit_deposits(case, day)
            assert any(first <= row["date"] <= day.isoformat() for row in of(made, "decisions"))
            assert all(row["date"] <= day.isoformat() for row in (*of(made, "decisions"), *of(made, "payments")))


def test_about_a_third_of_the_households_are_known_to_the_county_too(cases: list[Case]) -> None:
    assert 0.25 < sum(case.at_county for case in cases) / len(cases) < 0.35


FEATURED = {
    "adult-alone", "same-digits", "couple-with-children", "protected-person", "guardian", "swedish-speaking",
    "moved-county", "corrected-hetu", "nobody-knows", "only-the-county-knows",
}  # fmt: skip


def test_the_featured_list_is_complete(areas: Areas) -> None:
    assert featured.featured(areas).keys() == FEATURED
    assert all(one.about for one in featured.featured(areas).values())


def test_the_pair_shares_all_digits_and_is_two_people(areas: Areas) -> None:
    one, other = (featured.featured(areas)[name] for name in ("adult-alone", "same-digits"))
    assert (one.hetu[:6] + one.hetu[7:], one.hetu[6], other.hetu[6]) == (other.hetu[:6] + other.hetu[7:], "Y", "-")
    assert one.case.family.applicant.name != other.case.family.applicant.name


def test_who_knows_whom(batches: list[Batch], featured_cases: dict[str, Case]) -> None:
    known = collections.defaultdict(set)
    for batch in batches:
        for deposit in batch.deposits:
            for code in (deposit.person.value, *(person.value for person, _ in deposit.others)):
                known[code].add(batch.organisation)
    pirkanmaa = organisations.PIRKANMAA
    expected = {
        "adult-alone": {KELA, pirkanmaa}, "same-digits": {KELA}, "nobody-knows": set(), "only-the-county-knows": {pirkanmaa},
    }  # fmt: skip
    assert {name: known[featured_cases[name].family.applicant.hetu] for name in expected} == expected


def test_what_is_special_about_each_is_in_the_records(featured_cases: dict[str, Case], areas: Areas) -> None:
    persons = {n: of(benefit_deposits(c, DAY), "persons") for n, c in featured_cases.items()}
    assert [row["turvakielto"] for row in persons["protected-person"]] == [True, True]
    assert len({tuple(row["contactAddress"].items()) for row in persons["protected-person"]}) == 1
    assert persons["guardian"][0]["representativeMandate"] == "guardian"
    assert persons["swedish-speaking"][0]["serviceLanguage"] == "sv"
    assert len(persons["couple-with-children"]) == 2
    assert featured.before_moving(areas).home.county != featured_cases["moved-county"].home.county
    assert featured_cases["corrected-hetu"].family.applicant.hetu == featured.CORRECTED.old != featured.CORRECTED.new


def test_business_ids_have_right_check_digits_and_only_two_are_real(areas: Areas) -> None:
    found = organisations.organisations(areas)
    ids = [o.id for o in found]
    assert all(check_ytunnus(one) for one in ids)
    assert len(set(ids)) == len(ids)
    assert {one for one in ids if not one.startswith("9")} == {"0246246-0", "3221308-6"}


def test_all_areas_take_part_and_aland_is_switched_off(areas: Areas) -> None:
    counties = {o.area_code: o.active for o in organisations.organisations(areas) if o.kind is OrganisationKind.COUNTY}
    assert counties.keys() == areas.areas.keys()
    assert len(counties) == 23
    assert [code for code, active in counties.items() if not active] == ["91"]


def test_each_county_has_a_system_and_both_agreements(areas: Areas) -> None:
    made = organisations.clients(organisations.organisations(areas))
    own = [c for c in made if "case:read" in c.scopes and c.organisation != organisations.SUPPLIER]
    assert len(own) == 23
    assert all(organisations.client_of(c.organisation) == c.id for c in own)


def test_the_suppliers_system_acts_for_two_counties_and_holds_nothing_itself(areas: Areas) -> None:
    found = organisations.organisations(areas)
    made = organisations.clients(found)
    keys = {c.id: EnrolledKey(client=c.id, kid=c.id, algorithm="ES256", jwk=b"{}") for c in made}
    whole = organisations.enrolment(areas, keys)
    assert [c.organisation for c in made if c.id == organisations.SUPPLIER_CLIENT] == [organisations.SUPPLIER]
    assert {o.kind for o in found if o.id == organisations.SUPPLIER} == {OrganisationKind.VENDOR}
    assert {d.organisation for d in whole.delegations if d.supplier == organisations.SUPPLIER} == {
        organisations.PIRKANMAA,
        organisations.county_id("06"),
    }
    granted = {g.organisation for g in whole.grants}
    assert organisations.SUPPLIER not in granted
    assert granted == {c.organisation for c in made} - {organisations.SUPPLIER}
