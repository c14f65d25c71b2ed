"""What leaves say of one another: what is lawful raises nothing, what an operator may try is found (D6, D8, D9)."""

import json
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tiny_log import TinyLog, b64url, filled, sha
from verifying import Verify

FIRST, SECOND, THIRD = (str(uuid.UUID(int=9 << 76 | 2 << 62 | number)) for number in range(3))


def written() -> TinyLog:
    """One writer with five entries, then another with three: leaves 0–5 and 6–9."""
    log = TinyLog()
    for _ in range(5):
        log.add(FIRST)
    for _ in range(3):
        log.add(SECOND)
    return log


def change(log: TinyLog, index: int, **members: Any) -> None:
    leaf = json.loads(log.leaves[index]) | members
    log.leaves[index] = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()


def succeeded(log: TinyLog, **members: Any) -> None:
    """A third writer that says where the first one stood."""
    counter, previous = log.position(FIRST)
    said = {"refers": FIRST, "reason": str(counter), "payload": b64url(previous)}
    log.add(THIRD, kind="writer", decision="start", **said | members)


def last_of_first_not_told(log: TinyLog) -> None:
    """The first writer's last entry was committed, and its answer lost."""
    counter, previous = log.position(FIRST)
    log.add(FIRST)
    log.add(THIRD, kind="writer", decision="start", refers=FIRST, reason=str(counter), payload=b64url(previous))


def never_started(log: TinyLog) -> None:
    """The predecessor's very start was lost, and never committed."""
    log.add(THIRD, kind="writer", decision="start", refers=str(uuid.uuid4()), reason="0", payload=b64url(bytes(32)))


def swapped_within_a_transaction(log: TinyLog) -> None:
    """Two entries of one transaction stand in the order of their ids, not of their numbers."""
    log.leaves[3], log.leaves[4] = log.leaves[4], log.leaves[3]


LAWFUL: dict[str, Callable[[TinyLog], object]] = {
    "two writers": lambda log: None,
    "a successor whose predecessor wrote no more": succeeded,
    "a successor whose predecessor's last entry stands": last_of_first_not_told,
    "a successor of a writer that never wrote": never_started,
    "two entries of one transaction in the other order": swapped_within_a_transaction,
    "an annotation by an old writer": lambda log: log.add(FIRST, kind="annotation"),
    "a clock four minutes behind": lambda log: change(log, 9, at="2026-03-02T07:56:30.000000Z", id=aged(log, 9, 210)),
}


def aged(log: TinyLog, index: int, seconds: int) -> str:
    """The entry's id as it would be that much earlier."""
    identity = uuid.UUID(json.loads(log.leaves[index])["id"])
    return str(uuid.UUID(int=identity.int - (seconds * 1000 + 10 * index << 80)))


@pytest.mark.parametrize("said", LAWFUL)
def test_raises_nothing(said: str, tmp_path: pathlib.Path, verify: Verify) -> None:
    log = written()
    LAWFUL[said](log)
    told = verify(log.export(tmp_path), "--vkey", log.signer.vkey)
    assert (told.code, told.findings) == (0, set())


def truncated_first(log: TinyLog) -> None:
    """The tail of a writer is taken away before it was integrated; its successor knows where it stood."""
    succeeded(log)
    del log.leaves[5]


def last_of_first_another(log: TinyLog) -> None:
    """The entry whose answer was lost stands, and links to another one than the successor knows of."""
    last_of_first_not_told(log)
    change(log, 11, payload=b64url(sha(b"another")))


TAMPERED: dict[str, tuple[Callable[[TinyLog], object], set[tuple[str, str]]]] = {
    "an entry is deleted and all is signed anew": (lambda log: log.leaves.pop(3), {("writers", "writer-gap")}),
    "two entries are deleted": (lambda log: log.leaves.__delitem__(slice(2, 4)), {("writers", "writer-gap")}),
    "a start is deleted": (lambda log: log.leaves.pop(0), {("writers", "writer-gap")}),
    "a writer's tail is deleted": (truncated_first, {("writers", "writer-end")}),
    "a predecessor is said to have ended earlier": (
        lambda log: succeeded(log, reason="3"),
        {("writers", "writer-end")},
    ),
    "a predecessor is said to have ended elsewhere": (
        lambda log: succeeded(log, payload=b64url(sha(b"another"))),
        {("writers", "writer-end")},
    ),
    "a predecessor's last entry is another one": (
        last_of_first_another,
        {("writers", "writer-end")},
    ),
    "an entry is rewritten and all is signed anew": (
        lambda log: change(log, 2, kind="outcome"),
        {("writers", "writer-link")},
    ),
    "one entry is integrated twice": (
        lambda log: log.leaves.append(log.leaves[4]),
        {("entries", "id-twice"), ("writers", "writer-twice")},
    ),
    "two entries have one id": (
        lambda log: change(log, 9, id=json.loads(log.leaves[8])["id"], at=json.loads(log.leaves[8])["at"]),
        {("entries", "id-twice")},
    ),
    "an entry is forged in a writer's name and dated back": (
        lambda log: change(log, 9, at="2026-03-02T06:00:00.000000Z", id=aged(log, 9, 7200)),
        {("time", "time-order")},
    ),
    "an entry is dated back and its id is not": (
        lambda log: change(log, 9, at="2026-03-02T07:59:00.000000Z"),
        {("time", "id-time")},
    ),
    "a writer begins without a start": (lambda log: change(log, 6, kind="refusal"), {("writers", "writer-start")}),
    "a writer starts twice": (
        lambda log: log.add(SECOND, kind="writer", decision="start"),
        {("writers", "writer-start")},
    ),
    "a first entry links to something": (
        lambda log: change(log, 6, previous=b64url(sha(b"something"))),
        {("writers", "writer-link")},
    ),
}


@pytest.mark.parametrize("said", TAMPERED)
def test_is_found_without_anything_kept(said: str, tmp_path: pathlib.Path, verify: Verify) -> None:
    """The attacker holds the log's key and signs the tree anew: only the leaves themselves can tell."""
    tamper, expected = TAMPERED[said]
    log = written()
    tamper(log)
    told = verify(log.export(tmp_path), "--vkey", log.signer.vkey)
    assert told.code == 1
    assert expected <= told.codes


LEAVES = {
    "no JSON": b"{",
    "an array": b"[1]",
    "a number": b"7",
    "nothing": b"",
    "no UTF-8": b"\xff\xff",
    "no counter": b'{"at":"2026-03-02T08:00:00.000000Z","id":"","kind":"read","previous":"","writer":""}',
    "nested too deeply": b"[" * 60_000,
    "an object and more": filled(1).leaves[0] + b"{}",
    "a counter that is none": filled(1).leaves[0].replace(b'"counter":0', b'"counter":true'),
    "a time that is none": filled(1).leaves[0].replace(b"2026-03-02T", b"2026-13-02T"),
    "an id that is none": filled(1).leaves[0].replace(b'"id":"', b'"id":"z').replace(b'","kind', b'"z,"kind'),
    "a list for an id": b'{"at":"","counter":0,"id":[],"kind":"read","previous":"","writer":""}',
}


@pytest.mark.parametrize("said", LEAVES)
def test_is_no_leaf(said: str, tmp_path: pathlib.Path, verify: Verify) -> None:
    log = written()
    log.leaves.append(LEAVES[said])
    told = verify(log.export(tmp_path), "--vkey", log.signer.vkey)
    assert ("entries", "leaf-shape", "10") in told.findings


def test_many_findings_are_counted_and_not_all_told(tmp_path: pathlib.Path, verify: Verify) -> None:
    log = written()
    log.leaves += [b"{"] * 50
    told = verify(log.export(tmp_path), "--vkey", log.signer.vkey)
    assert (told["entries"]["count"], len(told["entries"]["findings"])) == (50, 20)


def test_a_log_that_stands_still_is_stale_for_whoever_asks(tmp_path: pathlib.Path, verify: Verify) -> None:
    log = written()
    log.export(tmp_path)
    assert verify(tmp_path, "--vkey", log.signer.vkey, "--max-age", "1").codes == {("time", "stale")}
    assert verify(tmp_path, "--vkey", log.signer.vkey, "--max-age", "1e12").code == 0


def test_a_writer_behind_a_pruned_beginning_may_stand_anywhere(tmp_path: pathlib.Path, verify: Verify) -> None:
    log = filled(600)
    log.export(tmp_path)
    (tmp_path / "tile/entries/000").unlink()
    assert verify(tmp_path, "--vkey", log.signer.vkey, "--minimum-index", "256").code == 0
