"""What must hold of the ledger whatever was killed: every acknowledged answer stands once, every chain is whole."""

import json
import os
import signal
import time
import uuid
from collections import defaultdict
from pathlib import Path

import asyncpg

from sauma.core.evidence import base64url

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "5"))
ENOUGH = 200
GENESIS = bytes(32)


async def stand_once(connection: asyncpg.Connection, acknowledged: dict[uuid.UUID, bytes]) -> None:
    """Each acknowledged entry is one committed row whose leaf hash is the receipt's."""
    rows = await connection.fetch("select id, leaf_hash from ledger.entry where id = any ($1)", list(acknowledged))
    assert len(rows) == len(acknowledged)
    assert {row["id"]: row["leaf_hash"] for row in rows} == acknowledged


async def have_one_effect(connection: asyncpg.Connection, records: dict[uuid.UUID, uuid.UUID]) -> None:
    """Each written record stands in its first revision, and no key was answered for two entries."""
    rows = await connection.fetch("select id, revision from exchange.record where id = any ($1)", list(records))
    assert {row["id"]: row["revision"] for row in rows} == dict.fromkeys(records, 1)
    kept = await connection.fetch(
        "select convert_from(answer, 'UTF8')::json #>> '{members,id}' as record, convert_from(answer, 'UTF8')::json ->> 'entry' as entry from ledger.idempotency"
    )
    entries = defaultdict(list)
    for row in kept:
        entries[row["record"]].append(row["entry"])
    assert {record: entries[str(record)] for record in records} == {
        record: [str(entry)] for record, entry in records.items()
    }


async def chains_are_whole(connection: asyncpg.Connection) -> int:
    """Every writer counts from nought without a gap and links each leaf to the one before; how many named a broken one."""
    rows = await connection.fetch(
        "select writer, counter, leaf, leaf_hash, kind, refers from ledger.entry order by writer, counter"
    )
    chains: dict[uuid.UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        chains[row["writer"]].append(row)
    for chain in chains.values():
        previous = GENESIS
        for number, row in enumerate(chain):
            said = json.loads(row["leaf"])
            assert (row["counter"], said["counter"], said["writer"]) == (number, number, str(row["writer"]))
            assert said["previous"] == base64url(previous)
            assert (row["kind"] == "writer") == (number == 0)
            previous = row["leaf_hash"]
    named = [(row["refers"], json.loads(row["leaf"])) for row in rows if row["refers"] and row["kind"] == "writer"]
    for writer, said in named:
        stood = int(said["reason"])
        assert len(chains[writer]) in {stood, stood + 1}  # the doubtful leaf either stands or does not
        assert said["payload"] == base64url(chains[writer][stood - 1]["leaf_hash"] if stood else GENESIS)
    assert len({writer for writer, _ in named}) == len(named)
    return len(named)


def kill_postgres(database_directory: Path) -> None:
    """SIGKILL for the postmaster of this data directory and every process it has; returns when they are gone."""
    postmaster = int((database_directory / "postmaster.pid").read_text().partition("\n")[0])
    children = [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == postmaster]
    for pid in (postmaster, *children):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in (postmaster, *children)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
