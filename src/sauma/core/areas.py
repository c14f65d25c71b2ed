"""Which county answers for which municipality, and since when (ToTuL 4.2 §: Helsinki counts as a county)."""

import datetime as dt
import enum

import msgspec

from sauma.core.purposes import Text


class AreaKind(enum.Enum):
    """How an area organises social care: as a county, as the City of Helsinki, or under Åland's own law."""

    COUNTY = "county"
    HELSINKI = "helsinki"
    ALAND = "aland"


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """One area of the wellbeing services county classification; `code` is two digits, kept as text."""

    code: str
    kind: AreaKind
    name: Text
    valid_from: dt.date
    valid_until: dt.date | None


class Municipality(msgspec.Struct, frozen=True, kw_only=True):
    """A municipality's place in one area for a time; `code` is three digits, leading zeros significant."""

    code: str
    name_fi: str
    name_sv: str
    area: str
    valid_from: dt.date
    valid_until: dt.date | None

    def holds(self, day: dt.date) -> bool:
        """Whether the row held on the given Helsinki day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class Areas(msgspec.Struct, frozen=True, kw_only=True):
    """The dated table by which a home municipality leads to the competent county.

    `municipalities` holds, per municipality code, its rows in order of `valid_from`; they never overlap.
    """

    areas: dict[str, Area]
    municipalities: dict[str, tuple[Municipality, ...]]

    def county_of(self, municipality: str, *, day: dt.date) -> str | None:
        """The area code of a municipality on a Helsinki day; None where the table does not say (nobody is competent).

        Åland municipalities answer `91`, whose kind is not a county: the caller must look at `areas[code].kind`.
        """
        for row in self.municipalities.get(municipality, ()):
            if row.holds(day):
                return row.area
        return None
