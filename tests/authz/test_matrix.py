"""The authorisation matrix over the wire, row by row: what an operation answers a role about an object.

`matrix.csv` was drawn up once from the description and what the server said, and read line by line; from then on it is
the rule. An operation that is added without its rows is red, and the message says what the server answered.
"""

import csv
import itertools
from pathlib import Path

import pytest

from authz.scenery import ROLES, Scenery, operations
from live import Live

MATRIX = list(csv.DictReader((Path(__file__).parent / "matrix.csv").read_text(encoding="utf-8").splitlines()))
OPERATIONS = operations()
EVERYBODY = ("stranger", *ROLES)
FOREIGN_MAY_SHOW = {("get-ledger-entry", "ombudsman")}
"""Who may tell a foreign object from an absent one: the Ombudsman reads every organisation's entries (1050/2018 18 §)."""


@pytest.fixture(scope="module")
def scenery(live: Live) -> Scenery:
    return Scenery(live)


def objects(operation: str) -> tuple[str, ...]:
    """The objects an operation can be asked about; parameters of an open operation, or a resource's name, name none."""
    stated = OPERATIONS[operation]
    named = "{" in stated.path and not stated.open and "{resource}" not in stated.path
    return ("own", "foreign", "absent") if named else ("none",)


def wanted(operation: str) -> set[tuple[str, str, str]]:
    everybody = ("stranger", "caseworker") if OPERATIONS[operation].open else EVERYBODY
    return {(operation, role, owner) for role, owner in itertools.product(everybody, objects(operation))}


def test_the_matrix_has_every_operation_role_and_object_once() -> None:
    rows = [(row["operation"], row["role"], row["object"]) for row in MATRIX]
    assert len(rows) == len(set(rows))
    assert set(rows) == set.union(*(wanted(operation) for operation in OPERATIONS))


def test_foreign_looks_like_absent() -> None:
    said = {(row["operation"], row["role"], row["object"]): (row["status"], row["code"]) for row in MATRIX}
    told = {
        (operation, role)
        for operation, role, owner in said
        if owner == "foreign" and said[operation, role, owner] != said[operation, role, "absent"]
    }
    assert told == FOREIGN_MAY_SHOW


def test_no_scope_opens_what_another_one_guards() -> None:
    let_in = [row for row in MATRIX if row["status"] not in {"401", "403"} and not OPERATIONS[row["operation"]].open]
    assert {row["role"] for row in let_in} == set(ROLES)
    for row in let_in:
        assert OPERATIONS[row["operation"]].scopes & set(ROLES[row["role"]][1]), row
    assert {row["code"] for row in MATRIX if row["status"] == "401"} == {"-"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_server_answers_as_the_matrix_says(scenery: Scenery, operation: str) -> None:
    rows = [row for row in MATRIX if row["operation"] == operation]
    found = []
    for role, owner in sorted({(row["role"], row["object"]) for row in rows} or {key[1:] for key in wanted(operation)}):
        answer = scenery.ask(OPERATIONS[operation], role, owner)
        code = answer.json().get("code", "-") if answer.status_code >= 400 else "-"
        found.append(
            {"operation": operation, "role": role, "object": owner, "status": str(answer.status_code), "code": code}
        )
    assert rows
    assert sorted(rows, key=str) == sorted(found, key=str)


@pytest.mark.parametrize(
    "operation",
    dict.fromkeys(row["operation"] for row in MATRIX if (row["object"], row["status"]) == ("absent", "404")),
)
def test_a_foreign_object_and_an_absent_one_are_told_in_the_same_words(scenery: Scenery, operation: str) -> None:
    role = next(
        row["role"]
        for row in MATRIX
        if (row["operation"], row["object"], row["status"]) == (operation, "absent", "404")
    )
    foreign, absent = (scenery.ask(OPERATIONS[operation], role, owner) for owner in ("foreign", "absent"))
    assert foreign.json().keys() == absent.json().keys()
    differing = {name for name in foreign.json() if foreign.json()[name] != absent.json()[name]}
    own = {"instance", "decisionId", "receipt"} & foreign.json().keys()  # each answer's, by which it is found again
    assert differing == own
    assert foreign.json().get("receipt", {}).keys() == absent.json().get("receipt", {}).keys()
    assert foreign.headers.keys() == absent.headers.keys()
    assert foreign.headers["content-length"] == absent.headers["content-length"]
