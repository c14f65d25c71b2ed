"""Persons who do not exist: identity codes of the numbers 900-999, names, addresses and households."""

import datetime as dt

from sauma.core.people import Confidential, Hetu
from sauma.core.resources.households import HouseholdType
from sauma.core.resources.persons import Address, Language
from sauma.demo.lots import Lots

REFERENCE_DAY = dt.date(2026, 1, 1)
"""Ages are counted to this day, so that a person stays who they are whenever the data are made."""

_CHECK_CHARACTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FIRST_TEST_NUMBER, _TEST_NUMBERS = 900, 100
_SIGNS = {19: "--------YYXWVU", 20: "AAAAAAAABCDEF"}
_DAYS_IN_YEAR = 365.2425

_FIRST = {
    Language.FINNISH: (
        "Aino", "Anneli", "Antti", "Eero", "Elina", "Emilia", "Hannu", "Helmi", "Ilona", "Jari", "Joonas", "Juhani",
        "Kaarina", "Kalle", "Katja", "Lauri", "Leena", "Marja", "Matti", "Mikko", "Noora", "Oskari", "Pekka", "Petra",
        "Päivi", "Ritva", "Saana", "Sami", "Tapio", "Tuula", "Veera", "Ville",
    ),
    Language.SWEDISH: (
        "Agneta", "Anders", "Annika", "Birgitta", "Carola", "Erik", "Fredrik", "Gunilla", "Gustav", "Ingrid", "Johan",
        "Karin", "Lars", "Linnéa", "Maj-Britt", "Mats", "Rasmus", "Siv", "Sören", "Åsa",
    ),
    Language.ENGLISH: ("Abdi", "Amal", "Farah", "Grace", "Hodan", "Ivan", "Karim", "Ngoc", "Olena", "Yusuf"),
    Language.NORTHERN_SAMI: ("Áilu", "Biret", "Elle", "Máret", "Niillas"),
}  # fmt: skip
_LAST = {
    Language.FINNISH: (
        "Aaltonen", "Ahonen", "Hakala", "Heikkinen", "Hietanen", "Jokinen", "Kallio", "Karjalainen", "Kettunen",
        "Koskela", "Laaksonen", "Lehtonen", "Mäkelä", "Niemi", "Ojala", "Peltola", "Rantanen", "Saarinen", "Salminen",
        "Suominen", "Toivonen", "Tuominen", "Uusitalo", "Väisänen",
    ),
    Language.SWEDISH: (
        "Backman", "Blomqvist", "Ekholm", "Fagerström", "Granlund", "Holmberg", "Lindström", "Nyholm", "Sandvik",
        "Sjöberg", "Söderholm", "Åkerblom",
    ),
    Language.ENGLISH: ("Abdullahi", "Hassan", "Kovalenko", "Mensah", "Nguyen", "Petrov", "Rahimi", "Warsame"),
    Language.NORTHERN_SAMI: ("Guttorm", "Länsman", "Magga", "Näkkäläjärvi"),
}  # fmt: skip
_STREETS = (
    "Koivukuja",
    "Kuusitie",
    "Mäntykatu",
    "Niittypolku",
    "Pihlajatie",
    "Rantakatu",
    "Satamakuja",
    "Vaahterapolku",
)


class Human(Confidential, frozen=True, kw_only=True):
    """One invented person."""

    hetu: str
    name: str
    age: int
    language: Language


class Home(Confidential, frozen=True, kw_only=True):
    """Where a household lives: municipality code and address, and the county (business id) that answers for it."""

    municipality: str
    county: str
    address: Address


class Family(Confidential, frozen=True, kw_only=True):
    """A household: the first of the adults applies; children are under age and live at home."""

    kind: HouseholdType
    adults: tuple[Human, ...]
    children: tuple[Human, ...]

    @property
    def applicant(self) -> Human:
        """Who applies."""
        return self.adults[0]

    @property
    def size(self) -> int:
        """How many the assistance is counted for."""
        return len(self.adults) + len(self.children)


def code_of(born: dt.date, sign: str, number: int) -> str:
    """The identity code of a birth date, century sign and individual number (Decree 690/2022).

    Raises:
        ValueError: the sign does not belong to the century, or the number to nobody.
    """
    digits = f"{born:%d%m%y}{number:03d}"
    check = _CHECK_CHARACTERS[int(digits) % len(_CHECK_CHARACTERS)]
    return Hetu(f"{digits[:6]}{sign}{digits[6:]}{check}").value


class Births:
    """Makes persons, no identity code twice."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._taken = set(taken)

    def human(self, lots: Lots, *, age: int, language: Language, surname: str | None = None) -> Human:
        """A new person of an age; a surname is drawn where none is given."""
        days = int((age + lots.below(1000) / 1000) * _DAYS_IN_YEAR)
        born = REFERENCE_DAY - dt.timedelta(days=days)
        hetu = self._code(lots, born)
        last = surname or lots.one_of(_LAST[language])
        return Human(hetu=hetu, name=f"{lots.one_of(_FIRST[language])} {last}", age=age, language=language)

    def _code(self, lots: Lots, born: dt.date) -> str:
        sign = lots.one_of(_SIGNS[born.year // 100])
        start = lots.below(_TEST_NUMBERS)
        for step in range(_TEST_NUMBERS):
            code = code_of(born, sign, _FIRST_TEST_NUMBER + (start + step) % _TEST_NUMBERS)
            if code not in self._taken:
                self._taken.add(code)
                return code
        message = "no number is left for this day"
        raise ValueError(message)


def address_in(lots: Lots, *, municipality: str, name: str) -> Address:
    """An address that does not exist, in a municipality given by code and name."""
    flat = f"{lots.one_of('ABCD')} {lots.between(1, 60)}"
    return Address(
        street=f"{lots.one_of(_STREETS)} {lots.between(1, 98)} {flat}",
        postal_code=f"{municipality}99",
        post_office=name.upper(),
    )


def surname_of(human: Human) -> str:
    """The last part of the name."""
    return human.name.rpartition(" ")[2]
