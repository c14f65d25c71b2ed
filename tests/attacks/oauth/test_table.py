"""The table itself, and every row of it at the decision functions: cold, and warm from a caller that was let in."""

import re

import pytest

from attacks.oauth.doors import Doors, Verdict
from attacks.oauth.table import ACCEPTED, ATTACKS, LIVE, PLACE, PURE, Row
from sauma.oauth.resource import Memory


def numbers() -> set[int]:
    return {int(re.match(r"[0-9]+", row.number)[0]) for row in ATTACKS}  # type: ignore[index]  # every number begins so


def test_every_attack_of_the_list_has_a_row() -> None:
    assert numbers() == set(range(1, 125))
    assert "27b" in {row.number for row in ATTACKS}


def test_no_number_or_sentence_stands_twice() -> None:
    for door in ("resource", "token", "live"):
        rows = [row for row in ATTACKS if row.door == door]
        assert len({row.sentence for row in rows}) == len(rows)
    assert len({row.number for row in ATTACKS}) == len(ATTACKS)


def test_the_page_counts_what_is_there() -> None:
    page = " ".join((PLACE.parents[2] / "docs" / "attacks.md").read_text(encoding="utf-8").split())
    doors = [sum(row.door == door for row in ATTACKS) for door in ("resource", "token", "live")]
    said = "{} are requests to a resource, {} to the token endpoint, {} are scenarios"
    assert f"**{len(ATTACKS)} attacks** under the numbers 1 to {max(numbers())}" in page
    assert f"of the {len(ATTACKS)}, {said.format(*doors)}" in page
    assert f"**{len(ACCEPTED)} requests that must pass**" in page
    assert f"the {len(PURE)} attacks that are requests and the {len(ACCEPTED)} that must pass" in page
    assert f"The {len(LIVE)} scenarios" in page


@pytest.mark.parametrize("row", ATTACKS, ids=str)
def test_a_row_changes_one_thing_and_says_status_error_and_reason(row: Row) -> None:
    assert len(row.change) == 1
    assert 400 <= row.status < 500 or row.http.get("outcome") == "nothing-disclosable"
    assert row.reason
    assert row.error is None or re.fullmatch("[a-z_]+", row.error)


def test_the_must_accept_set_is_long_enough_to_betray_a_server_that_refuses_all() -> None:
    assert len(ACCEPTED) >= 15
    assert all(len(row.change) <= 1 and row.status == 200 for row in ACCEPTED)


@pytest.mark.parametrize("row", PURE, ids=str)
def test_the_attack_is_refused_for_its_defect_cold_and_warm(row: Row) -> None:
    """Warm: the server has just let the same token in, with a proof of the same header, and has refused this before.

    A token that is changed differs from one it has let in by nothing but the change.
    """
    expected = Verdict(row.status, row.error, row.reason)
    assert Doors().judge(row) == expected
    doors = Doors(Memory())
    doors.forge.fixed["token"] = "token-that-is-remembered"
    token = None if changes_the_token(row) else doors.warmed()
    for _ in range(2):
        doors.warmed()
        assert doors.judge(row, token=token) == expected


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: f"{row.door} {row.sentence}")
def test_what_must_pass_passes_cold_and_warm(row: Row) -> None:
    assert Doors().judge(row) == Verdict(200)
    doors = Doors(Memory())
    token = None if changes_the_token(row) else doors.warmed()
    assert [doors.judge(row, token=token) for _ in range(2)] == [Verdict(200)] * 2


def test_a_warm_server_does_remember() -> None:
    memory = Memory()
    doors = Doors(memory)
    token = doors.warmed()
    assert (len(memory.tokens), len(memory.headers)) == (1, 1)
    assert doors.judge(PURE[0]) != Verdict(200)
    assert doors.answer("resource", doors.forge.wires("resource", {}, token=token)[0]) == Verdict(200)
    assert (len(memory.tokens), len(memory.headers)) == (1, 1)


def changes_the_token(row: Row) -> bool:
    return row.door != "resource" or any(name.startswith("token") or name.endswith(".sent") for name in row.change)
