"""The catalogue against the field matrix as the law page prints it (tests/vectors/field-matrix.csv, plain data)."""

import csv
import pathlib

import pytest

from sauma.core.parties import OrganisationKind
from sauma.core.paths import FIELD_PATHS, ROWS
from sauma.core.purposes import Catalogue, Purpose

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "field-matrix.csv"
MATRIX = list(csv.DictReader(VECTORS.read_text(encoding="utf-8").splitlines()))
COLUMNS = tuple(name for name in MATRIX[0] if name not in {"row", "path", "P03-county-to-kela"})
NEVER = "·"


def of_number(catalogue: Catalogue, number: str) -> Purpose:
    return next(p for p in catalogue.purposes.values() if p.number == number)


def test_the_vectors_are_the_whole_matrix_and_only_letters_it_knows() -> None:
    assert {int(line["row"]) for line in MATRIX} == set(range(1, 51))
    assert (*(f"P{i:02}" for i in range(1, 11)), "P11a", "P11b", "P12") == COLUMNS
    assert {line[column][0] for line in MATRIX for column in COLUMNS} == {"R", "o", "C", NEVER}
    assert sum(line[column] != NEVER for line in MATRIX for column in COLUMNS) > 500


def test_every_row_expands_into_the_fields_the_vectors_name() -> None:
    rows: dict[int, tuple[str, ...]] = {}
    for line in MATRIX:
        rows[int(line["row"])] = (*rows.get(int(line["row"]), ()), line["path"])
    assert rows == ROWS
    assert tuple(line["path"] for line in MATRIX) == FIELD_PATHS
    assert len(set(FIELD_PATHS)) == len(FIELD_PATHS)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_purpose_releases_exactly_its_column(catalogue: Catalogue, column: str) -> None:
    expected = {line["path"]: line[column][0] for line in MATRIX if line[column] != NEVER}
    assert {path: cell.value for path, cell in of_number(catalogue, column).cells.items()} == expected


def test_the_purposes_without_a_column_release_nothing(catalogue: Catalogue) -> None:
    without = {p.number for p in catalogue.purposes.values() if not p.cells}
    assert without == {"P13", "S1", "S2", "S3"}
    assert {p.number for p in catalogue.purposes.values()} == without | set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS)
def test_every_superscript_of_the_matrix_is_a_qualifier(catalogue: Catalogue, column: str) -> None:
    purpose = of_number(catalogue, column)
    marked = {line["path"]: line[column][1] for line in MATRIX if line[column][1:]}
    for line in MATRIX:  # note 1 stands on the row, notes 2 to 4 on the cell
        if int(line["row"]) in {5, 7, 8} and line[column] != NEVER:
            marked[line["path"]] = "1"
        if column in {"P09", "P11b"} and line["path"].startswith("decision.") and line[column] != NEVER:
            marked[line["path"]] = "3"  # note 3 speaks of the decision fields, and stands on the first row of them
    says = {"1": "661/2009", "2": "children", "3": "county's own decision", "4": "took part in the assessment"}
    assert purpose.qualifiers.keys() == marked.keys()
    for path, note in marked.items():
        assert says[note] in purpose.qualifiers[path].en, path


def test_an_urgent_matter_from_county_to_kela_carries_only_the_rows_of_the_note(catalogue: Catalogue) -> None:
    expected = {line["path"] for line in MATRIX if line["P03-county-to-kela"] == "x"}
    narrowed = {flow.discloser: set(flow.only) for flow in of_number(catalogue, "P03").flows}
    assert narrowed == {(OrganisationKind.COUNTY,): expected, (OrganisationKind.KELA,): set()}


def test_only_the_urgent_purpose_narrows_a_direction(catalogue: Catalogue) -> None:
    assert {p.number for p in catalogue.purposes.values() for flow in p.flows if flow.only} == {"P03"}


def test_every_optional_field_can_be_justified_by_some_necessity_code(catalogue: Catalogue) -> None:
    justified = {path for code in catalogue.codes["necessity"].values() for path in code.fields}
    optional = {line["path"] for line in MATRIX for column in COLUMNS if line[column].startswith("o")}
    assert optional - justified == set()
    assert justified - optional == set(), "a necessity code for a field that is optional nowhere"
    assert "housing.accepted" in catalogue.codes["necessity"]["housing-costs-assessment"].fields
