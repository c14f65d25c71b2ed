"""The ground of the tree's tests: entries written as the superuser, transactions held open, and the sequencer's parts."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import asyncpg

from databases import Database
from sauma.exchange.tree.sequence import Sequencer
from sauma.store.tree.sequencer import PostgresTree, open_tree
from sauma.vault.logkey import LogHead, LogKey, load_log_key, make_log_key

ORIGIN = "sauma.test/v1/ledger"
_INSERT = """
insert into ledger.entry (id, leaf, manifest, side, kind, writer, counter, subject_tags, row_resource, row_record,
                          row_revision, row_class, row_digest)
select u.id, u.leaf, '', '', 'writer', u.id, 0, '{}', '{}', '{}', '{}', '{}', '{}'
  from unnest($1::uuid[], $2::bytea[]) as u (id, leaf)
"""


def leaf_of(entry: uuid.UUID) -> bytes:
    return b"leaf of " + str(entry).encode()


async def write(connection: asyncpg.Connection, count: int = 1) -> list[uuid.UUID]:
    """So many entries in the connection's transaction, or in one of their own."""
    ids = [uuid.uuid4() for _ in range(count)]
    await connection.execute(_INSERT, ids, [leaf_of(entry) for entry in ids])
    return ids


@contextlib.asynccontextmanager
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        yield connection
    finally:
        await connection.close()


class Ground:
    """A database with partitions, a log key and an outside memory."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self.dsn = database.dsn("sauma_sequencer")
        self.key_path, self.head_path = home / "log-key.json", home / "log-head.json"
        make_log_key(self.key_path, origin=ORIGIN)
        self.key: LogKey = load_log_key(self.key_path)
        self.memory = LogHead(self.head_path)

    async def prepare(self) -> None:
        async with superuser(self.database) as connection:
            await connection.execute("select api.add_partitions()")

    @contextlib.asynccontextmanager
    async def sequencer(
        self, around: Callable[[PostgresTree], PostgresTree] = lambda tree: tree
    ) -> AsyncIterator[Sequencer]:
        """A sequencer that has begun; `around` may stand between it and the database."""
        async with open_tree(self.dsn) as tree:
            made = Sequencer(around(tree), self.memory, self.key)
            await made.begin()
            yield made

    async def catch_up(self) -> None:
        """Places for everything, and a published head."""
        async with self.sequencer() as sequencer:
            while await sequencer.integrate():
                pass
            await sequencer.publish()

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with superuser(self.database) as connection:
            return list(await connection.fetch(statement, *arguments))

    async def placed(self) -> list[uuid.UUID]:
        """Entries in the order of their places."""
        return [row["entry"] for row in await self.sql("select entry from ledger.tree_leaf order by seq")]


def hash_of(entry: uuid.UUID) -> bytes:
    return hashlib.sha256(b"\x00" + leaf_of(entry)).digest()


async def gathered(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        await task
