"""The featured cases: the persons tests, walk-throughs and conformance kits ask about by name."""

import datetime as dt

from msgspec.structs import replace

from sauma.core.areas import Areas
from sauma.core.people import Confidential
from sauma.core.resources.households import HouseholdType
from sauma.core.resources.persons import Language
from sauma.demo.cases import Case, Need
from sauma.demo.lots import Lots
from sauma.demo.organisations import county_id
from sauma.demo.people import REFERENCE_DAY, Family, Home, Human, address_in, code_of

TAMPERE, NOKIA, TURKU, PEDERSORE = "837", "536", "853", "599"

ABOUT = {
    "adult-alone": "lives alone in Tampere; the played main job asks about her",
    "same-digits": "shares every digit and the check character with adult-alone; only the century sign differs",
    "couple-with-children": "two adults and three children of both age classes",
    "protected-person": "has a non-disclosure order for safety, and so has the child at the same address",
    "guardian": "has a guardian for financial matters",
    "swedish-speaking": "is served in Swedish in a bilingual municipality",
    "moved-county": "moved from Turku to Tampere: Pirkanmaa answers now, the old county keeps its own records",
    "corrected-hetu": "got a corrected identity code; the old one still finds the same person",
    "nobody-knows": "is known to no controller",
    "only-the-county-knows": "is known to the county and not to Kela",
}
"""What is special about each featured case."""


class Featured(Confidential, frozen=True, kw_only=True):
    """One featured person: `about` says in plain words what is special."""

    about: str
    case: Case

    @property
    def hetu(self) -> str:
        """The applicant's identity code."""
        return self.case.family.applicant.hetu

    @property
    def county(self) -> str:
        """The business id of the county that answers for them."""
        return self.case.home.county


class Correction(Confidential, frozen=True, kw_only=True):
    """An identity code that was corrected after records had been deposited under the old one."""

    old: str
    new: str


def _human(hetu: str, name: str, *, language: Language = Language.FINNISH) -> Human:
    century = 1900 if hetu[6] in "-YXWVU" else 2000
    born = dt.date(century + int(hetu[4:6]), int(hetu[2:4]), int(hetu[:2]))
    return Human(hetu=hetu, name=name, age=(REFERENCE_DAY - born).days * 4 // 1461, language=language)


def _child(year: int, number: int, name: str) -> Human:
    return _human(code_of(dt.date(year, 4, 12), "A", number), name)


AINO = _human("010594Y9032", "Aino Koivisto")
OTHER_AINO = _human("010594-9032", "Arja Lehtimäki")
UNKNOWN = _human("020594X903P", "Ukko Tuntematon")
COUNTY_ONLY = _human("030594W903B", "Kaisa Myllylä")
PROTECTED = _human("020594X902N", "Tuuli Suojala")
WARD = _human("010170-900J", "Veikko Päämies")
SWEDISH = _human("010180Y9004", "Åsa Österholm", language=Language.SWEDISH)
MOVED = _human("030399U900X", "Mika Muuttola")
CORRECTED = Correction(old=code_of(dt.date(1988, 6, 6), "-", 910), new=code_of(dt.date(1988, 6, 7), "-", 911))
BEFORE_CORRECTION = _human(CORRECTED.old, "Onerva Korjaamo")
PARENTS = (
    _human(code_of(dt.date(1990, 2, 3), "-", 905), "Jenna Perhonen"),
    _human(code_of(dt.date(1987, 9, 21), "-", 906), "Juho Perhonen"),
)
CHILDREN = (_child(2012, 921, "Lotta Perhonen"), _child(2018, 922, "Onni Perhonen"), _child(2022, 923, "Sulo Perhonen"))
PROTECTED_CHILD = _child(2019, 931, "Sade Suojala")

FEATURED_CODES = frozenset(
    human.hetu
    for human in (AINO, OTHER_AINO, UNKNOWN, COUNTY_ONLY, PROTECTED, WARD, SWEDISH, MOVED, *PARENTS, *CHILDREN,
                  PROTECTED_CHILD)
) | {CORRECTED.old, CORRECTED.new}  # fmt: skip
"""Identity codes the rest of the country keeps away from."""


def featured(areas: Areas) -> dict[str, Featured]:
    """The featured cases by name."""
    cases = {case.key: case for case in _cases(areas)}
    return {key: Featured(about=ABOUT[key], case=cases[key]) for key in ABOUT}


def before_moving(areas: Areas) -> Case:
    """The moved person's case as it stood in the old county."""
    return replace(_case("moved-county", _home(areas, TURKU), MOVED), at_county=True)


def _cases(areas: Areas) -> tuple[Case, ...]:
    tampere = _home(areas, TAMPERE)
    protected = _case("protected-person", tampere, PROTECTED, children=(PROTECTED_CHILD,))
    couple = _case("couple-with-children", tampere, *PARENTS, children=CHILDREN)
    return (
        replace(_case("adult-alone", tampere, AINO), need=Need.SUPPLEMENTARY, at_county=True),
        _case("same-digits", _home(areas, NOKIA), OTHER_AINO),
        replace(couple, at_county=True),
        replace(protected, protected=True),
        replace(_case("guardian", tampere, WARD), guardian="Edla Edunvalvoja", at_county=True),
        replace(_case("swedish-speaking", _home(areas, PEDERSORE), SWEDISH), at_county=True),
        _case("moved-county", tampere, MOVED),
        _case("corrected-hetu", tampere, BEFORE_CORRECTION),
        replace(_case("nobody-knows", tampere, UNKNOWN), at_kela=False),
        replace(_case("only-the-county-knows", tampere, COUNTY_ONLY), at_kela=False, at_county=True),
    )


def _case(key: str, home: Home, *adults: Human, children: tuple[Human, ...] = ()) -> Case:
    """Three months of a household at Kela."""
    kind = {
        (False, False): HouseholdType.ALONE,
        (False, True): HouseholdType.SINGLE_PARENT,
        (True, False): HouseholdType.COUPLE,
        (True, True): HouseholdType.COUPLE_WITH_CHILDREN,
    }[len(adults) > 1, bool(children)]
    return Case(key=key, family=Family(kind=kind, adults=adults, children=children), home=home, months=3)


def _home(areas: Areas, municipality: str) -> Home:
    place = areas.municipalities[municipality][-1]
    return Home(
        municipality=municipality,
        county=county_id(place.area),
        address=address_in(Lots(f"sauma-demo/1|home|{municipality}"), municipality=municipality, name=place.name_fi),
    )
