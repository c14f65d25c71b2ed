"""Who a record is about: the personal identity code (HETU), other person identifiers, and the `subject` member.

A HETU is compared as a whole: `010594-9032` and `010594Y9032` share their check character and are two people
(Decree 690/2022). Nothing here ever prints or echoes an identifier.
"""

import datetime as dt
import enum
import re
from typing import Annotated, NoReturn

import msgspec

HETU_PATTERN = "^[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]$"
PAIRWISE_PATTERN = "^s[1-9][0-9]{0,8}[.][A-Za-z0-9_-]{64,160}$"
CASE_REFERENCE_PATTERN = "^[A-Za-z0-9._:~-]{1,64}$"

_HETU = re.compile(HETU_PATTERN)
_HETU_SHAPE = re.compile(
    r"(?<![0-9])(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}[-+A-FU-Y][0-9]{3}[0-9A-Y](?![0-9A-Z])"
)
_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CHECK_CHARACTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CENTURIES = {"+": 1800} | dict.fromkeys("-YXWVU", 1900) | dict.fromkeys("ABCDEF", 2000)
_FIRST_NUMBER, _FIRST_TEST_NUMBER = 2, 900
_YTUNNUS = re.compile("[0-9]{7}-[0-9]")
_YTUNNUS_WEIGHTS = (7, 9, 10, 5, 8, 4, 2)
_PERSON_OID = re.compile(r"1\.2\.246\.10\.[1-9][0-9]{4,7}\.22\.[12][0-9]{3}(?:\.(?:0|[1-9][0-9]{0,11})){1,3}")
_NO_HETU = "not a personal identity code of this environment"
_CASE_REFERENCE = re.compile(CASE_REFERENCE_PATTERN)

MunicipalityCode = Annotated[str, msgspec.Meta(pattern="^[0-9]{3}$", max_length=3)]
"""Kuntakoodi of the Statistics Finland classification; leading zeros are significant."""


class Confidential(msgspec.Struct, frozen=True):
    """A Struct whose printed form is its class name only (ASVS 16.2.5, attack S-24)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []

    def __reduce__(self) -> NoReturn:
        message = f"{type(self).__name__} is not pickled"
        raise TypeError(message)


class Environment(enum.Enum):
    """Where this server runs; it decides whose identity codes may be used (law section 6)."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class IdentifierKind(enum.Enum):
    """What kind of code names a person; each kind is indexed apart from the others."""

    HETU = "hetu"
    PERSON_OID = "personOid"

    __hash__ = object.__hash__  # as equality, by identity: the Enum's own hashes its name anew in Python each time


class PersonIdentifier(Confidential, frozen=True, kw_only=True):
    """A checked code that names a person, in the one form it is indexed by."""

    kind: IdentifierKind
    value: str


class PairwiseSubject(Confidential, frozen=True, kw_only=True):
    """The caller's own pairwise id of a subject: means nothing to any other organisation."""

    subject_id: str


class Hetu(Confidential, frozen=True):
    """A personal identity code whose form, date and check character are right, in upper case (Decree 690/2022).

    Equal only as a whole string: the century sign is part of the identity. Sex and age are not derived from it.

    Raises:
        ValueError: the text is no personal identity code; the message is fixed and never holds the text.
    """

    value: str

    def __post_init__(self) -> None:
        if not _is_hetu(self.value):
            raise ValueError(_NO_HETU)

    @property
    def for_tests_only(self) -> bool:
        """Whether the individual number is 900-999, never given to a real person."""
        return int(self.value[7:10]) >= _FIRST_TEST_NUMBER

    @property
    def identifier(self) -> PersonIdentifier:
        """The code as a person identifier."""
        return PersonIdentifier(kind=IdentifierKind.HETU, value=self.value)


def _is_hetu(text: str) -> bool:
    if _HETU.fullmatch(text) is None:
        return False
    birth, sign, number, check = text[:6], text[6], text[7:10], text[10]
    try:
        dt.date(_CENTURIES[sign] + int(birth[4:]), int(birth[2:4]), int(birth[:2]))
    except ValueError:
        return False
    remainder = int(birth + number) % len(_CHECK_CHARACTERS)
    return int(number) >= _FIRST_NUMBER and _CHECK_CHARACTERS[remainder] == check


def parse_hetu(text: str, *, environment: Environment) -> Hetu:
    """Read a personal identity code; letters may be lower case, nothing else is repaired.

    Production refuses the individual numbers 900-999, every other environment refuses all others, so that
    test and real persons can never meet in one database.

    Raises:
        ValueError: fixed message, without the text.
    """
    if not text.isascii():
        raise ValueError(_NO_HETU)
    hetu = Hetu(text.upper())
    if hetu.for_tests_only == (environment is Environment.PRODUCTION):
        raise ValueError(_NO_HETU)
    return hetu


def parse_person_oid(text: str) -> PersonIdentifier:
    """Read a temporary person id `1.2.246.10.<organisation>.22.<year>.<n>…` (AsTL 38 section: no HETU yet).

    The organisation arc is a Y-tunnus without its dash and leading zeros; its check digit must be right.

    Raises:
        ValueError: fixed message, without the text.
    """
    organisation = text.split(".")[4].zfill(8) if _PERSON_OID.fullmatch(text) else ""
    if not check_ytunnus(f"{organisation[:-1]}-{organisation[-1:]}"):
        message = "not a temporary person id"
        raise ValueError(message)
    return PersonIdentifier(kind=IdentifierKind.PERSON_OID, value=text)


def check_ytunnus(text: str) -> bool:
    """Whether a text is a business id `NNNNNNN-N` with the right check digit."""
    if _YTUNNUS.fullmatch(text) is None:
        return False
    remainder = sum(int(digit) * weight for digit, weight in zip(text[:7], _YTUNNUS_WEIGHTS, strict=True)) % 11
    return int(text[8]) == (11 - remainder if remainder else 0)


def looks_like_hetu(text: str) -> bool:
    """Whether a text holds something HETU-shaped, right check character or not; such a text is kept out of URLs.

    A UUID is never taken for one, though its digits may happen to have the shape.
    """
    return _UUID.fullmatch(text) is None and _HETU_SHAPE.search(text.upper()) is not None


def check_case_reference(text: str) -> bool:
    """Whether a text may name a case: 1-64 of `[A-Za-z0-9._:~-]`, no dot segment, nothing HETU-shaped."""
    return _CASE_REFERENCE.fullmatch(text) is not None and text not in {".", ".."} and not looks_like_hetu(text)


class SubjectRef(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The `subject` member of a request: exactly one of `hetu`, `subjectId` and `personOid`."""

    hetu: Annotated[str, msgspec.Meta(min_length=11, max_length=11)] | msgspec.UnsetType = msgspec.UNSET
    subject_id: Annotated[str, msgspec.Meta(pattern=PAIRWISE_PATTERN)] | msgspec.UnsetType = msgspec.UNSET
    person_oid: Annotated[str, msgspec.Meta(max_length=80)] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if sum(v is not msgspec.UNSET for v in (self.hetu, self.subject_id, self.person_oid)) != 1:
            message = "a subject is named by exactly one identifier"
            raise ValueError(message)

    def resolve(self, *, environment: Environment) -> PersonIdentifier | PairwiseSubject:
        """The checked identifier the caller used.

        Raises:
            ValueError: fixed message; the identifier is not one, or not of this environment.
        """
        if isinstance(self.hetu, str):
            return parse_hetu(self.hetu, environment=environment).identifier
        if isinstance(self.person_oid, str):
            return parse_person_oid(self.person_oid)
        if isinstance(self.subject_id, str):
            return PairwiseSubject(subject_id=self.subject_id)
        message = "not a subject id"
        raise ValueError(message)
