"""Many more people, records and ledger rows, cloned in SQL from real ones; only ever in a database of the bench.

Every table is filled by its own column list, so a column that a migration adds is copied too. What must differ (ids,
blind indexes, tags, writer positions) is derived from the row's number. Triggers and foreign keys are off while loading,
as a superuser may; sealed bytes are copied, so they have the true length and open for nobody: only the real people are
asked about.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping

import asyncpg

from asks import KELA
from bench.ground import Ground, execute
from bench.say import say, stop
from sauma.store.bootstrap import bootstrap
from sauma.store.embedded import SUPERUSER

PER_PERSON = 4  # records a person of the ground has
_BATCH = 25_000  # persons, and as many times four records and entries, a transaction

_SUBJECT = "md5('subject' || n)::uuid"
_RECORD = "md5('record' || t.{} || n)::uuid"
_KEY = "md5('key' || t.class || n)::uuid"
_SIXTEEN = "substring(sha256(convert_to('{}' || n, 'UTF8')) for 16)"
_PERSON = (
    f"(select r.subject from exchange.record r where r.controller = '{KELA}' and r.resource = 'decisions'"  # noqa: S608  # a constant of ours
    " order by r.id limit 1)"
)

BY_PERSON: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "exchange.subject": (f"t.id = {_PERSON}", {"id": _SUBJECT, "canonical": _SUBJECT}),
    "exchange.subject_basis": (f"t.subject = {_PERSON}", {"subject": _SUBJECT}),
    "exchange.identifier": (
        f"t.subject = {_PERSON}",
        {"subject": _SUBJECT, "blind_index": _SIXTEEN.format("index")},
    ),
    "keys.data_key": (f"t.subject = {_PERSON}", {"id": _KEY, "subject": _SUBJECT}),
    "exchange.record": (f"t.subject = {_PERSON}", {"id": _RECORD.format("resource"), "subject": _SUBJECT}),
    "exchange.record_group": (
        f"t.record in (select r.id from exchange.record r where r.subject = {_PERSON})",  # noqa: S608  # constants of ours
        {"record": _RECORD.format("resource"), "data_key": _KEY},
    ),
    "exchange.matter": (
        "t.case_mac = (select case_mac from exchange.matter order by case_mac limit 1)",
        {"subject": _SUBJECT, "case_mac": _SIXTEEN.format("case")},
    ),
}
"""Table to its template rows, called t, and the expressions of what differs for person number n."""

BY_ENTRY: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ledger.entry": (
        "t.id = (select id from ledger.entry where kind = 'disclosure' limit 1)",
        {
            "id": "md5('entry' || n)::uuid",
            "recorded_at": "greatest(date_trunc('month', now() at time zone 'UTC') at time zone 'UTC',"
            " now() - (n % 1000000) * interval '1 second')",
            "writer": "md5('writer')::uuid",
            "counter": "n",
            "basis_subject": f"md5('subject' || n / {PER_PERSON})::uuid",
            "subject_tag": _SIXTEEN.format("tag"),
            "subject_tags": f"array[{_SIXTEEN.format('tag')}]",
            "case_tag": _SIXTEEN.format("casetag"),
        },
    ),
    "ledger.claim": (
        "t.digest = (select digest from ledger.claim limit 1)",
        {"digest": _SIXTEEN.format("claim"), "expires_at": "now() + interval '1 day'"},
    ),
}
"""The same for ledger row number n."""


async def copy(ground: Ground, database: str) -> Ground:
    """The same ground once more under another name; nobody may be connected to the first."""
    copied = dataclasses.replace(ground, database=database)
    await drop(copied)
    await bootstrap(ground.cluster, database=database, template=ground.database)
    return copied


async def drop(ground: Ground) -> None:
    await execute(dataclasses.replace(ground, database="postgres"), f"drop database if exists {ground.database}")


async def fill(ground: Ground, records: int) -> None:
    """Add that many records, and as many ledger rows and claims."""
    people = records // PER_PERSON
    async with _connected(ground) as connection:
        await connection.execute("set session_replication_role = replica")
        for first in range(0, people, _BATCH):
            last = min(first + _BATCH, people)
            async with connection.transaction():
                for table, (where, changed) in BY_PERSON.items():
                    await _clone(connection, table, where, changed, (first, last))
                for table, (where, changed) in BY_ENTRY.items():
                    await _clone(connection, table, where, changed, (first * PER_PERSON, last * PER_PERSON))
            say(f"{ground.database}: {last * PER_PERSON:,} of {records:,} records and ledger rows")
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")


async def _clone(
    connection: asyncpg.Connection, table: str, where: str, changed: Mapping[str, str], numbers: tuple[int, int]
) -> None:
    found = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped"
        " and attgenerated = ''",
        table,
    )
    columns = [row["attname"] for row in found]
    gone = set(changed) - set(columns)
    if gone:
        stop(f"{table} has no {', '.join(sorted(gone))} any more: tests/bench/bulk.py")
    values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
    await connection.execute(
        f"insert into {table} ({', '.join(columns)}) select {values}"  # noqa: S608  # names of the catalogue
        f" from (select * from {table} t where {where}) t, generate_series({numbers[0]} + 1, {numbers[1]}) n"
    )


@contextlib.asynccontextmanager
async def _connected(ground: Ground) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ground.dsn(SUPERUSER), command_timeout=3600)
    try:
        yield connection
    finally:
        await connection.close()
