"""The canary: whatever the suite told the server about people is looked for wherever bytes may lie, in every spelling.

`spellings` turns bytes into the views a leak could hide in: as they are, UTF-16, hexadecimal, base64 (plain and
url-safe), percent-encoded, JSON-escaped, backwards. `hits` names the canaries found. A control canary is planted in
every sink, so that a search that finds nothing is known to be able to find.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

import asyncpg

from databases import Database

SURNAME = b"salanimi"
"""Part of every name the tests give to anybody, caseworkers too."""
_HETU = re.compile(rb"[0-9]{6}[-+a-fu-y]9[0-9]{2}[0-9a-y]")
_HEX = re.compile(rb"[0-9a-f]{16,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{15,}")
_ESCAPE = re.compile(rb"\\u00([0-9a-f]{2})")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
CHUNK, OVERLAP = 1 << 22, 1 << 10
TABLES = "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1) order by 1"
SCHEMAS = ["registry", "exchange", "keys", "ledger"]


@dataclass
class Seen:
    """What left the server beside disclosures: bodies of refusals and every header, as the tests received them."""

    answers: list[bytes] = field(default_factory=list)


SEEN = Seen()


def spellings(octets: bytes) -> Iterator[bytes]:
    """The views of some bytes, in lower case."""
    lowered = octets.lower()
    yield lowered
    yield lowered[::-1]
    if b"\0" in lowered:
        yield lowered.replace(b"\0", b"")
    if b"%" in lowered:
        yield unquote_to_bytes(lowered).lower()
    if b"\\u00" in lowered:
        yield _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), lowered).lower()
    yield b"\n".join(
        binascii.unhexlify(part) for run in _HEX.findall(lowered) for part in (_even(run), _even(run[1:]))
    ).lower()
    yield b"\n".join(
        base64.b64decode(run[start:] + b"=" * (-len(run[start:]) % 4))
        for text in _BASE64.findall(octets)
        for run in [text.translate(_TO_STANDARD)]
        for start in range(4)
        if len(run[start:]) % 4 != 1
    ).lower()


def _even(run: bytes) -> bytes:
    return run[: len(run) // 2 * 2]


def hits(octets: bytes, canaries: frozenset[bytes]) -> set[bytes]:
    """The canaries (identity codes in lower case) and the surname found in some bytes, in any spelling."""
    found: set[bytes] = set()
    for view in spellings(octets):
        found |= canaries & set(_HETU.findall(view))
        if SURNAME in view:
            found.add(SURNAME)
    return found


def hits_in_file(path: Path, canaries: frozenset[bytes]) -> set[bytes]:
    """As `hits`, a piece at a time."""
    found: set[bytes] = set()
    try:
        with path.open("rb") as file:
            tail = b""
            while piece := file.read(CHUNK):
                if piece.strip(b"\0"):
                    found |= hits(tail + piece, canaries)
                tail = piece[-OVERLAP:]
    except FileNotFoundError:  # the server recycles files while we look
        return found
    return found


def hits_on_disk(database: Database, canaries: frozenset[bytes]) -> dict[str, set[bytes]]:
    """What lies in PostgreSQL's log, in the database's own files, in the shared ones and in the WAL, by these names."""
    cluster = database.cluster
    oid = asyncio.run(_oid(database))
    places = {
        "log": [cluster.home / "postgres.log"],
        **{
            part: [path for path in sorted((cluster.database_directory / part).rglob("*")) if path.is_file()]
            for part in (f"base/{oid}", "global", "pg_wal")
        },
    }
    return {
        place.partition("/")[0]: set().union(*(hits_in_file(file, canaries) for file in files))
        for place, files in places.items()
    }


async def _oid(database: Database) -> int:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        return int(await connection.fetchval("select oid from pg_database where datname = current_database()"))
    finally:
        await connection.close()


async def _dump(dsn: str) -> bytes:
    connection = await asyncpg.connect(dsn)
    try:
        parts = [await _rows(connection, str(row["name"])) for row in await connection.fetch(TABLES, SCHEMAS)]
        return b"\n".join(parts)
    finally:
        await connection.close()


async def _rows(connection: asyncpg.Connection, table: str) -> bytes:
    rows = await connection.fetch(f"select to_jsonb(t)::text as row from {table} t")  # noqa: S608  # a name from the catalogue
    return b"\n".join(str(row["row"]).encode() for row in rows)


def dump(database: Database) -> bytes:
    """Every row of our schemas as text: what a logical backup holds, out of line and compressed values unfolded."""
    return asyncio.run(_dump(database.dsn("postgres")))


def plant(database: Database, control: str) -> None:
    """The control canary where only a leak could put one: a row, its WAL, and PostgreSQL's log."""

    async def run() -> None:
        connection = await asyncpg.connect(database.dsn("postgres"))
        try:
            await connection.execute("create table exchange.canary_control (plain text, wide bytea)")
            await connection.execute(
                "insert into exchange.canary_control values ($1, $2)", control, control.encode("utf-16-le")
            )
            await connection.execute("set log_min_messages = 'warning'")
            await connection.execute(f"do $$ begin raise warning 'control %', {control!r}; end $$")
            await connection.execute("checkpoint")
        finally:
            await connection.close()

    asyncio.run(run())


def remember(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """Keep what an answer must not hold a person in: its headers, and its body where it is a refusal."""
    SEEN.answers.append(json.dumps(list(headers)).encode() + (body if status >= 400 else b""))
