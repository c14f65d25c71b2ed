"""Migrations: files `NNNN_name.sql`, forward only, each applied once, whole, in order.

What may be relied on:
1. One migrator at a time per database: a session advisory lock, polled for. A backend that *waits* for the lock holds
   a snapshot, and CREATE INDEX CONCURRENTLY waits for snapshots: the two would wait for each other.
2. A file and its row in `sauma_meta.migration` commit together. A file whose first line is `-- no-transaction` holds
   one statement that must be harmless to repeat: a crash between it and its row runs it again.
3. The past is as it was: a row without its file, a file that is not what was applied, and a file that would slip in
   below an applied one are refused (exit 3) before anything runs.
4. Migrations run as sauma_owner, whom sauma_migrator becomes; the server's role cannot.
"""

import asyncio
import hashlib
import re
from importlib.resources import files
from pathlib import Path

import asyncpg
import msgspec

from sauma.core.errors import StartRefused
from sauma.store.places import EX_CONFIG
from sauma.store.session import MIGRATOR, SERVER, connected

EX_FAILED, EX_DRIFT, EX_BEHIND, EX_TEMPFAIL = 1, 3, 4, 75

_LOCK = 0x5341554D41  # «SAUMA»
_NAME = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")
_NO_TRANSACTION = "-- no-transaction"
_BOOKKEEPING = files("sauma.store").joinpath("bookkeeping.sql").read_text(encoding="utf-8")


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file; `sha256` is of its bytes."""

    version: int
    name: str
    sql: str
    sha256: bytes

    @property
    def transactional(self) -> bool:
        """Whether the file and its row are one transaction."""
        return self.sql.partition("\n")[0].strip() != _NO_TRANSACTION


def default_folder() -> Path:
    """The migrations this code was released with: inside the installed package, else beside `src`."""
    packaged = Path(__file__).parents[1] / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def read(folder: Path) -> tuple[Migration, ...]:
    """The files in order.

    Raises:
        StartRefused: a name that is not `NNNN_name.sql`, a version twice, or one left out.
    """
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            line = f"{path.name}: migrations are NNNN_name.sql, numbered from 0001 without a gap; fix: rename the file"
            raise StartRefused(line, exit_code=EX_CONFIG)
        content = path.read_bytes()
        digest = hashlib.sha256(content).digest()
        found.append(Migration(version=int(match[1]), name=path.name, sql=content.decode("utf-8"), sha256=digest))
    return tuple(found)


async def pending(dsn: str, *, migrations: tuple[Migration, ...], key: str = SERVER) -> tuple[Migration, ...]:
    """What has not been applied yet; changes nothing, and any of Sauma's roles may ask. `key` names whose `dsn` it is.

    Raises:
        StartRefused: exit 3, the database's past is not that of these files; exit 78, not one of Sauma's roles.
    """
    async with connected(dsn, key=key) as connection:
        try:
            return await _pending(connection, migrations)
        except asyncpg.InsufficientPrivilegeError:
            line = f"{key}: its role may not ask for the schema's version; fix: name a role of Sauma's"
            raise StartRefused(line, exit_code=EX_CONFIG) from None


async def migrate(dsn: str, *, migrations: tuple[Migration, ...], patience: float = 60) -> tuple[Migration, ...]:
    """Apply what is pending, as `sauma_owner`, and return it; waits up to `patience` seconds for another migrator.

    Raises:
        StartRefused: exit 3 drift, exit 1 a file failed, exit 75 another migrator did not finish, exit 78 no roles.
    """
    async with connected(dsn, key=MIGRATOR) as connection:
        try:
            await connection.execute("SET ROLE sauma_owner")
        except asyncpg.PostgresError:
            line = "SAUMA_MIGRATE_DATABASE_URL: may not become sauma_owner; fix: run sauma migrate --print-bootstrap"
            raise StartRefused(line, exit_code=EX_CONFIG) from None
        await _lock(connection, patience=patience)
        if not await connection.fetchval("SELECT to_regclass('sauma_meta.migration') IS NOT NULL"):
            await _keep_books(connection)
        todo = await _pending(connection, migrations)
        for migration in todo:
            await _apply(connection, migration)
        return todo


async def _keep_books(connection: asyncpg.Connection) -> None:
    """The first write to a database: where it may not be written to, this is where it shows."""
    try:
        async with connection.transaction():
            await connection.execute(_BOOKKEEPING)
    except asyncpg.PostgresError as fault:
        line = (
            f"{MIGRATOR}: sauma_owner may not make a schema in this database ({fault.sqlstate});"
            " fix: a writable primary, prepared by what sauma migrate --print-bootstrap prints"
        )
        raise StartRefused(line, exit_code=EX_CONFIG) from None


async def _lock(connection: asyncpg.Connection, *, patience: float) -> None:
    """Take the migrators' lock; it goes with the session."""
    deadline = asyncio.get_running_loop().time() + patience
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        if asyncio.get_running_loop().time() > deadline:
            line = "migrations: another migrator has not finished; fix: wait for it, or end its session"
            raise StartRefused(line, exit_code=EX_TEMPFAIL)
        await asyncio.sleep(0.1)


async def _pending(connection: asyncpg.Connection, migrations: tuple[Migration, ...]) -> tuple[Migration, ...]:
    if not await connection.fetchval("SELECT to_regclass('sauma_meta.migration') IS NOT NULL"):
        return migrations
    applied = await connection.fetch("SELECT version, name, sha256 FROM sauma_meta.applied()")
    for row, migration in zip(applied, (*migrations, *[None] * len(applied)), strict=False):
        if migration is None or row["version"] != migration.version:
            line = (
                f"{row['name']}: applied here but unknown to this version of Sauma; fix: use the version that knows it"
            )
            raise StartRefused(line, exit_code=EX_DRIFT)
        if row["sha256"] != migration.sha256:
            line = f"{migration.name}: edited after it was applied; fix: restore the file and write a new migration"
            raise StartRefused(line, exit_code=EX_DRIFT)
    return migrations[len(applied) :]


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    """Run one file and write its row; the simple query protocol takes the text whole, so nothing here parses SQL."""
    try:
        if migration.transactional:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await _note(connection, migration)
        else:
            await connection.execute(migration.sql)
            await _note(connection, migration)
    except asyncpg.PostgresError as fault:
        offset = getattr(fault, "position", None)
        place = f" line {migration.sql.count(chr(10), 0, int(offset)) + 1}" if offset else ""
        line = f"{migration.name}{place}: {fault.sqlstate} {fault.message}; fix: correct the file and migrate again"
        raise StartRefused(line, exit_code=EX_FAILED) from None


async def _note(connection: asyncpg.Connection, migration: Migration) -> None:
    await connection.execute("SET ROLE sauma_owner")
    await connection.execute(
        "INSERT INTO sauma_meta.migration (version, name, sha256) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.sha256,
    )
