"""From home municipality to county: 308 municipalities, 23 areas, dated, and closed when in doubt."""

import csv
import datetime as dt
import itertools

import pytest

from sauma.catalogue.loader import parse_areas
from sauma.core.areas import AreaKind, Areas
from sauma.core.errors import CatalogueError

DAY = dt.date(2026, 11, 30)
AREAS, MUNICIPALITIES = "areas.csv", "municipalities.csv"

# read by hand from the classification: municipality, its area
COUNTIES = {
    "Helsinki is its own area": ("091", "90"),
    "Alajärvi keeps its leading zeros": ("005", "16"),
    "Alavus keeps its leading zero": ("010", "16"),
    "Espoo": ("049", "03"),
    "Vantaa": ("092", "04"),
    "Kerava": ("245", "04"),
    "Tampere": ("837", "08"),
    "Turku": ("853", "05"),
    "Oulu": ("564", "19"),
    "Heinävesi, whose code is Helsinki's area": ("090", "14"),
    "Iitti belongs to Päijät-Häme": ("142", "09"),
    "Joroinen belongs to North Savo": ("171", "13"),
    "Kuhmoinen belongs to Pirkanmaa": ("291", "08"),
    "Kruunupyy belongs to Ostrobothnia": ("288", "17"),
    "Utsjoki": ("890", "21"),
    "Mariehamn on Åland": ("478", "91"),
    "Brändö on Åland": ("035", "91"),
}
UNKNOWN = {
    "no leading zeros": "5",
    "an area code": "90",
    "Pertunmaa, abolished": "588",
    "empty": "",
    "other digits": "٠٩١",
    "space": "091 ",
    "never a municipality": "999",
}
# municipalities per area, from the law page
SIZES = {
    "01": 7, "02": 6, "03": 10, "04": 2, "05": 27, "06": 16, "07": 11, "08": 23, "09": 10, "10": 6, "11": 9, "12": 11,
    "13": 19, "14": 13, "15": 22, "16": 18, "17": 14, "18": 8, "19": 30, "20": 8, "21": 21, "90": 1, "91": 16,
}  # fmt: skip


def test_308_municipalities_in_23_areas(areas: Areas) -> None:
    assert len(areas.municipalities) == 308
    assert len(areas.areas) == 23
    placed = sorted(areas.county_of(code, day=DAY) or "nowhere" for code in areas.municipalities)
    assert {code: len(list(group)) for code, group in itertools.groupby(placed)} == SIZES


def test_21_counties_helsinki_and_aland(areas: Areas) -> None:
    kinds = {code: area.kind for code, area in areas.areas.items()}
    assert {c for c, k in kinds.items() if k is AreaKind.COUNTY} == {f"{i:02}" for i in range(1, 22)}
    assert kinds["90"] is AreaKind.HELSINKI
    assert kinds["91"] is AreaKind.ALAND


def test_areas_are_named_in_three_languages(areas: Areas) -> None:
    pirkanmaa = areas.areas["08"].name
    assert (pirkanmaa.fi, pirkanmaa.sv) == ("Pirkanmaan hyvinvointialue", "Birkalands välfärdsområde")
    assert pirkanmaa.en == "Pirkanmaa wellbeing services county"


@pytest.mark.parametrize("sentence", COUNTIES)
def test_a_municipality_leads_to_its_county(areas: Areas, sentence: str) -> None:
    municipality, area = COUNTIES[sentence]
    assert areas.county_of(municipality, day=DAY) == area


@pytest.mark.parametrize("sentence", UNKNOWN)
def test_where_the_table_does_not_say_nobody_is_competent(areas: Areas, sentence: str) -> None:
    assert areas.county_of(UNKNOWN[sentence], day=DAY) is None


def test_before_its_first_day_a_row_says_nothing(areas: Areas) -> None:
    assert areas.county_of("091", day=dt.date(2026, 1, 1)) == "90"
    assert areas.county_of("091", day=dt.date(2025, 12, 31)) is None


def test_a_municipality_that_moves_changes_county_on_the_day(files: dict[str, bytes]) -> None:
    moved = b"142,Iitti,Itis,09,2026-01-01,2027-12-31\n142,Iitti,Itis,10,2028-01-01,\n"
    old = next(line for line in files[MUNICIPALITIES].splitlines(keepends=True) if line.startswith(b"142,"))
    areas = parse_areas({**files, MUNICIPALITIES: files[MUNICIPALITIES].replace(old, moved)})
    assert areas.county_of("142", day=dt.date(2027, 12, 31)) == "09"
    assert areas.county_of("142", day=dt.date(2028, 1, 1)) == "10"


HELSINKI = "091,Helsinki,Helsingfors,90,2026-01-01,"
FAULTS = {
    "two digits": (MUNICIPALITIES, HELSINKI, "91,Helsinki,Helsingfors,90,2026-01-01,", "code"),
    "other digits": (MUNICIPALITIES, HELSINKI, "٠٩١,Helsinki,Helsingfors,90,2026-01-01,", "code"),
    "no name": (MUNICIPALITIES, HELSINKI, "091,Helsinki,,90,2026-01-01,", "nameSv"),
    "padded name": (MUNICIPALITIES, HELSINKI, "091, Helsinki,Helsingfors,90,2026-01-01,", "nameFi"),
    "no such area": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,99,2026-01-01,", "area"),
    "no date": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,90,,", "validFrom"),
    "not a date": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,90,20260101,", "validFrom"),
    "no such day": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,90,2026-02-29,", "validFrom"),
    "before the area": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,90,2025-12-31,", "area"),
    "ends first": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,90,2026-01-02,2026-01-01", "validUntil"),
    "too few cells": (MUNICIPALITIES, HELSINKI, "091,Helsinki,90,2026-01-01,", "as many cells"),
    "a row twice": (MUNICIPALITIES, HELSINKI, HELSINKI + "\n" + HELSINKI, "overlaps"),
    "an empty line": (MUNICIPALITIES, HELSINKI, HELSINKI + "\n", "as many cells"),
    "a stray quote": (MUNICIPALITIES, HELSINKI, '091,"Helsinki"x,Helsingfors,90,2026-01-01,', "not CSV"),
    "other columns": (MUNICIPALITIES, "code,nameFi", "kuntanumero,nameFi", "columns"),
    "an area without municipalities": (MUNICIPALITIES, HELSINKI, "091,Helsinki,Helsingfors,01,2026-01-01,", "no municipality"),
    "area code": (AREAS, "90,helsinki", "9,helsinki", "code"),
    "kind of area": (AREAS, "90,helsinki", "90,city", "kind"),
    "an area twice": (AREAS, "02,county", "01,county", "stands twice"),
    "an area that ended": (AREAS, "City of Helsinki,2026-01-01,", "City of Helsinki,2026-01-01,2026-12-31", "does not exist"),
    "an area without English": (AREAS, "City of Helsinki", "", "nameEn"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_refuses_the_whole_table(files: dict[str, bytes], fault: str) -> None:
    name, old, new, named = FAULTS[fault]
    text = files[name].decode()
    assert text.count(old) == 1, "the fault no longer has its place"
    with pytest.raises(CatalogueError, match=named):
        parse_areas({**files, name: text.replace(old, new).encode()})


def test_a_table_without_rows_is_refused(files: dict[str, bytes]) -> None:
    for name in (AREAS, MUNICIPALITIES):
        with pytest.raises(CatalogueError, match="no rows"):
            parse_areas({**files, name: files[name].splitlines(keepends=True)[0]})


def test_every_code_of_the_table_is_text_with_its_zeros(files: dict[str, bytes]) -> None:
    codes = [row["code"] for row in csv.DictReader(files[MUNICIPALITIES].decode().splitlines())]
    assert codes == sorted(codes)
    assert {len(code) for code in codes} == {3}
