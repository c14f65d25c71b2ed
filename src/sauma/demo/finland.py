"""Synthetic Finland: more than a thousand households with plausible cases, always the same ones.

Pure: the country follows from a constant seed and `today`. Nobody in it exists: every identity code has an individual
number of 900-999, which no person has.
"""

import datetime as dt
from collections.abc import Iterable, Iterator

import msgspec

from sauma.core.areas import Areas
from sauma.core.parties import KELA
from sauma.core.resources.households import HouseholdType
from sauma.core.resources.persons import Language
from sauma.demo.cases import NEED_MIX, Case
from sauma.demo.featured import FEATURED_CODES
from sauma.demo.lots import Lots
from sauma.demo.organisations import county_id
from sauma.demo.people import Births, Family, Home, Human, address_in, surname_of
from sauma.demo.records import benefit_deposits, county_deposits
from sauma.exchange.deposit import Deposit

HOUSEHOLDS = 1_050
BATCH = 100

_SEED = "sauma-demo/1|finland"
_INHABITANTS = {
    "01": 99, "02": 205, "03": 495, "04": 294, "05": 494, "06": 211, "07": 169, "08": 545, "09": 204, "10": 156,
    "11": 124, "12": 129, "13": 248, "14": 162, "15": 273, "16": 190, "17": 178, "18": 67, "19": 420, "20": 70,
    "21": 176, "90": 684,
}  # fmt: skip
"""Thousands of inhabitants of each area, rounded: a weight, not a statistic."""

_KINDS = (
    (HouseholdType.ALONE, 68),
    (HouseholdType.SINGLE_PARENT, 9),
    (HouseholdType.COUPLE, 6),
    (HouseholdType.COUPLE_WITH_CHILDREN, 9),
    (HouseholdType.ADULT_WITH_PARENTS, 5),
    (HouseholdType.SHARED_HOUSING, 3),
)
_SWEDISH = {"17": 48, "01": 24, "03": 10, "18": 8, "05": 5, "90": 5}
_LAPLAND = "21"
_NEED_SHARE, _COUNTY_SHARE, _SECOND_MONTH = 40, 30, 20


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Up to 100 deposits of one controller under a name that is the same in every run."""

    name: str
    organisation: str
    deposits: tuple[Deposit, ...]


def last_key() -> str:
    """The key of the household deposited last."""
    return f"{HOUSEHOLDS - 1:05d}"


def households(areas: Areas) -> Iterator[Case]:
    """The cases of the country, featured ones apart, in their one order."""
    births = Births(FEATURED_CODES)
    places = {
        area: sorted(code for code, rows in areas.municipalities.items() if rows[-1].area == area)
        for area in _INHABITANTS
    }
    lots = Lots(_SEED)
    for number in range(HOUSEHOLDS):
        area = lots.weighted(tuple(_INHABITANTS.items()))
        code = lots.one_of(places[area])
        name = areas.municipalities[code][-1].name_fi
        home = Home(municipality=code, county=county_id(area), address=address_in(lots, municipality=code, name=name))
        yield Case(
            key=f"{number:05d}",
            family=_family(lots, births, language=_language(lots, area)),
            home=home,
            months=2 if lots.percent(_SECOND_MONTH) else 1,
            need=lots.weighted(NEED_MIX) if lots.percent(_NEED_SHARE) else None,
            protected=lots.percent(1),
            at_county=lots.percent(_COUNTY_SHARE),
        )


def deposits(case: Case, today: dt.date) -> Iterator[tuple[str, tuple[Deposit, ...]]]:
    """What each controller deposits of a case, by business id."""
    if case.at_kela:
        yield KELA, benefit_deposits(case, today)
    if case.at_county:
        yield case.home.county, county_deposits(case, today)


def batches(name: str, cases: Iterable[Case], today: dt.date) -> Iterator[Batch]:
    """The cases' deposits in batches by controller; a case is never torn apart, so that a cut leaves whole cases."""
    waiting: dict[str, list[Deposit]] = {}
    counts: dict[str, int] = {}

    def full(organisation: str) -> Batch:
        counts[organisation] = counts.get(organisation, 0) + 1
        made = tuple(waiting.pop(organisation))
        return Batch(name=f"{name}-{organisation}-{counts[organisation]}", organisation=organisation, deposits=made)

    for case in cases:
        for organisation, made in deposits(case, today):
            if len(waiting.get(organisation, ())) + len(made) > BATCH:
                yield full(organisation)
            waiting.setdefault(organisation, []).extend(made)
    for organisation in sorted(waiting):
        yield full(organisation)


def _language(lots: Lots, area: str) -> Language:
    if lots.percent(_SWEDISH.get(area, 0)):
        return Language.SWEDISH
    if area == _LAPLAND and lots.percent(6):
        return Language.NORTHERN_SAMI
    return Language.ENGLISH if lots.percent(9) else Language.FINNISH


def _family(lots: Lots, births: Births, *, language: Language) -> Family:
    kind = lots.weighted(_KINDS)
    age = lots.between(18, 24) if kind is HouseholdType.ADULT_WITH_PARENTS else lots.between(19, 64)
    adults = [births.human(lots, age=age, language=language)]
    children: list[Human] = []
    if kind in {HouseholdType.COUPLE, HouseholdType.COUPLE_WITH_CHILDREN}:
        adults.append(births.human(lots, age=max(18, age + lots.between(-6, 6)), language=language))
    if kind in {HouseholdType.SINGLE_PARENT, HouseholdType.COUPLE_WITH_CHILDREN}:
        surname = surname_of(adults[0])
        for _ in range(lots.weighted(((1, 45), (2, 35), (3, 15), (4, 5)))):
            oldest = min(17, age - 18)
            children.append(births.human(lots, age=lots.between(0, max(0, oldest)), language=language, surname=surname))
    return Family(kind=kind, adults=tuple(adults), children=tuple(children))
