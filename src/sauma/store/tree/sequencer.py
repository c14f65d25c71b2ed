"""The sequencer's connection: one, with a lock that makes it the leader as long as it lives."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from sauma.core.errors import StartRefused, Unavailable
from sauma.core.tree.merkle import Growth, Place, Tree
from sauma.exchange.tree.check import Placed
from sauma.exchange.tree.sequence import EX_STOPPED, Head, Unplaced, Window
from sauma.store.places import EX_CONFIG
from sauma.store.pool import EVERY_SESSION, UNABLE
from sauma.store.statements import load

_SQL = load("sequencer")
SEQUENCER = "SAUMA_SEQUENCER_DATABASE_URL"
"""The setting that names the database as the sequencer's role reaches it."""

_LEADER = 0x5341554D4102  # «SAUMA» and a number; the lock of this connection, which no pool ever hands on
_NOT_ITS_ROLE = f"{SEQUENCER}: its role may not sequence; fix: set it to the login of sauma_sequencer"
_REFUSED = "an entry or a place is not as it was read; sauma ledger check says more"

_BY_INDEX = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "max_parallel_workers_per_gather": "0",
}
"""A window is a few rows of a ledger of millions: it is looked up, never compared with the whole of it.

Nor by helpers: to begin them takes 20 ms, twenty times a second.
"""


class PostgresTree:
    """The tree by one connection; every method raises Unavailable when the database does not answer."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def lead(self) -> bool:
        """Whether this connection leads from now on; another's lock ends with its connection."""
        return bool((await self._ask("select pg_try_advisory_lock($1)", _LEADER))[0][0])

    async def tree(self) -> Tree:
        """The tree as it stands."""
        rows = await self._fetch("tree")
        edge = tuple(row["hashes"] for row in rows if row["level"] is not None)
        return Tree(size=rows[0]["size"], edge=edge or (b"",))

    async def next_window(self, low: int, cap: int) -> Window:
        """Entries without a place of the transactions from `low` on, in one snapshot with the horizon."""
        return _window(await self._fetch("next_window", low, cap))

    async def without_place(self, low: int, cap: int) -> Window:
        """The same, of transactions counted before a restore as well."""
        return _window(await self._fetch("without_place", low, cap))

    async def integrate(self, size: int, entries: tuple[Unplaced, ...], growth: Growth) -> bool:
        """Give the places from `size` on; False where the tree has another size."""
        rows = await self._fetch(
            "integrate",
            size,
            [entry.entry for entry in entries],
            [entry.recorded_at for entry in entries],
            [entry.leaf_hash for entry in entries],
            [tile.level for tile in growth.tiles],
            [tile.index for tile in growth.tiles],
            [tile.hashes for tile in growth.tiles],
            list(range(len(growth.tree.edge))),
            [growth.tree.edge_index(level) for level in range(len(growth.tree.edge))],
            list(growth.tree.edge),
        )
        return bool(rows[0][0])

    async def tiles(self, places: frozenset[Place]) -> Mapping[Place, bytes]:
        """Tiles, full or as wide as they are; a place the tree has not reached is left out."""
        levels, indexes = zip(*sorted(places), strict=True) if places else ((), ())
        rows = await self._fetch("tiles", list(levels), list(indexes))
        return {(row["level"], row["index"]): row["hashes"] for row in rows}

    async def published(self) -> tuple[Head, str] | None:
        """The newest published head and its note."""
        rows = await self._fetch("published")
        return ((rows[0]["size"], rows[0]["root"]), rows[0]["note"]) if rows else None

    async def publish(self, head: Head, note: str) -> bool:
        """Publish a head; False where one as large is."""
        return bool((await self._fetch("publish", *head, note))[0][0])

    async def checkpoints(self, size: int, cap: int) -> Sequence[tuple[Head, str]]:
        """Published heads from a size on, the smallest first."""
        rows = await self._fetch("checkpoints", size, cap)
        return [((row["size"], row["root"]), row["note"]) for row in rows]

    async def leaves(self, seq: int, cap: int) -> Sequence[Placed]:
        """Places from one on, each with its entry as it stands."""
        return [Placed(**dict(row)) for row in await self._fetch("leaves", seq, cap)]

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        return await self._ask(_SQL[name], *arguments)

    async def _ask(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            return list(await self._connection.fetch(statement, *arguments))
        except UNABLE:
            raise Unavailable("ledger-unavailable") from None
        except asyncpg.PostgresError as fault:
            if isinstance(fault, asyncpg.InsufficientPrivilegeError):
                raise StartRefused(_NOT_ITS_ROLE, exit_code=EX_CONFIG) from None
            line = f"ledger: PostgreSQL refuses the sequencer ({fault.sqlstate}); fix: {_REFUSED}"
            raise StartRefused(line, exit_code=EX_STOPPED) from None


@contextlib.asynccontextmanager
async def open_tree(dsn: str) -> AsyncIterator[PostgresTree]:
    """The sequencer's connection for as long as the block lasts.

    Raises:
        Unavailable: the database cannot be reached (on entering).
    """
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=15,
            command_timeout=60,
            server_settings={"application_name": "sauma-sequencer", **EVERY_SESSION, **_BY_INDEX},
        )
    except UNABLE:
        raise Unavailable("ledger-unavailable") from None
    try:
        yield PostgresTree(connection)
    finally:
        connection.terminate()


def _window(rows: Sequence[asyncpg.Record]) -> Window:
    entries = tuple(
        Unplaced(xid=int(row["xid"]), entry=row["entry"], recorded_at=row["recorded_at"], leaf_hash=row["leaf_hash"])
        for row in rows
        if row["entry"] is not None
    )
    return Window(horizon=int(rows[0]["horizon"]), entries=entries)
