"""areas.csv and municipalities.csv → Areas, or a refusal to start: a wrong county is a wrong recipient."""

import csv
import datetime as dt
import re
from collections.abc import Mapping
from typing import NoReturn

import msgspec

from sauma.catalogue.files import AREAS, MUNICIPALITIES, fault, text_of
from sauma.core.areas import Area, AreaKind, Areas, Municipality
from sauma.core.purposes import Text

_AREA_COLUMNS = ("code", "kind", "nameFi", "nameSv", "nameEn", "validFrom", "validUntil")
_MUNICIPALITY_COLUMNS = ("code", "nameFi", "nameSv", "area", "validFrom", "validUntil")
_AREA_CODE = re.compile(r"[0-9]{2}")
_MUNICIPALITY_CODE = re.compile(r"[0-9]{3}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KINDS = {kind.value: kind for kind in AreaKind}


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file by column; every question it cannot answer is a refusal naming file, line and column."""

    file: str
    line: int
    cells: dict[str, str]

    def refuse(self, column: str, *, problem: str) -> NoReturn:
        raise fault(self.file, f"line {self.line}.{column}", problem)

    def code(self, column: str, *, shape: re.Pattern[str]) -> str:
        if not shape.fullmatch(self.cells[column]):
            self.refuse(column, problem="not a code of this classification")
        return self.cells[column]

    def name(self, column: str) -> str:
        name = self.cells[column]
        if not name or name != name.strip():
            self.refuse(column, problem="empty or padded name")
        return name

    def day(self, column: str) -> dt.date:
        if not _DAY.fullmatch(self.cells[column]):
            self.refuse(column, problem="not a day")
        try:
            return dt.date.fromisoformat(self.cells[column])
        except ValueError:
            self.refuse(column, problem="not a day of the calendar")

    def validity(self) -> tuple[dt.date, dt.date | None]:
        valid_from = self.day("validFrom")
        valid_until = self.day("validUntil") if self.cells["validUntil"] else None
        if valid_until is not None and valid_until < valid_from:
            self.refuse("validUntil", problem="ends before it begins")
        return valid_from, valid_until


def parse_areas(files: Mapping[str, bytes]) -> Areas:
    """The dated table in the given files (names as in `read_files`).

    Raises:
        CatalogueError: a column, code, name or date is wrong, rows overlap, an area is unknown or has no municipality.
    """
    areas: dict[str, Area] = {}
    for row in _rows(files, name=AREAS, columns=_AREA_COLUMNS):
        area = _area(row)
        if area.code in areas:
            row.refuse("code", problem="stands twice")
        areas[area.code] = area
    municipalities: dict[str, tuple[Municipality, ...]] = {}
    for row in _rows(files, name=MUNICIPALITIES, columns=_MUNICIPALITY_COLUMNS):
        place = _municipality(row, areas=areas)
        earlier = municipalities.get(place.code, ())
        if earlier and (earlier[-1].valid_until is None or place.valid_from <= earlier[-1].valid_until):
            row.refuse("validFrom", problem="overlaps an earlier row or stands before it")
        municipalities[place.code] = (*earlier, place)
    for code in sorted(areas.keys() - {row.area for rows in municipalities.values() for row in rows}):
        raise fault(AREAS, code, "no municipality belongs to it")
    return Areas(areas=areas, municipalities=municipalities)


def _rows(files: Mapping[str, bytes], *, name: str, columns: tuple[str, ...]) -> list[_Row]:
    try:
        header, *lines = csv.reader(text_of(files, name).split("\n")[:-1], strict=True)
    except csv.Error as error:
        raise fault(name, "file", f"not CSV: {error}") from None
    if tuple(header) != columns:
        raise fault(name, "line 1", "not the columns this table has")
    if not lines:
        raise fault(name, "file", "no rows")
    rows = []
    for line, cells in enumerate(lines, start=2):
        if len(cells) != len(columns):
            raise fault(name, f"line {line}", "not as many cells as columns")
        rows.append(_Row(file=name, line=line, cells=dict(zip(columns, cells, strict=True))))
    return rows


def _area(row: _Row) -> Area:
    if row.cells["kind"] not in _KINDS:
        row.refuse("kind", problem="not a kind of area")
    valid_from, valid_until = row.validity()
    return Area(
        code=row.code("code", shape=_AREA_CODE),
        kind=_KINDS[row.cells["kind"]],
        name=Text(fi=row.name("nameFi"), sv=row.name("nameSv"), en=row.name("nameEn")),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _municipality(row: _Row, *, areas: dict[str, Area]) -> Municipality:
    area = areas.get(row.cells["area"])
    if area is None:
        row.refuse("area", problem="no such area")
    valid_from, valid_until = row.validity()
    outlives = area.valid_until is not None and (valid_until is None or valid_until > area.valid_until)
    if valid_from < area.valid_from or outlives:
        row.refuse("area", problem="the area does not exist all that time")
    return Municipality(
        code=row.code("code", shape=_MUNICIPALITY_CODE),
        name_fi=row.name("nameFi"),
        name_sv=row.name("nameSv"),
        area=area.code,
        valid_from=valid_from,
        valid_until=valid_until,
    )
