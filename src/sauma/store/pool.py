"""Connections: one pool without a reset, and for each connection the writer that numbers its leaves.

Every session setting in the SQL functions is transaction-local, so a released connection needs no reset.

State and crashes: a writer's position lives in this process and advances only when a commit was acknowledged. When an
answer is lost the connection is closed, its position kept in `broken`, and the next writer's start entry says where it
stood. When the process dies its writers simply end; a leaf that was committed is in the ledger either way.
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from sauma.core.errors import Unavailable
from sauma.core.evidence import Position, leaf_hash

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

GENESIS = bytes(32)
"""What a writer's first leaf links to."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement met the news that its connection had been ended
    asyncpg.OperatorInterventionError,
    OSError,
    TimeoutError,
)
"""What asyncpg raises when a statement, or its answer, may have been lost."""

FAILED = (
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.RaiseError,
)
"""What the server says of a statement that did nothing, for a reason outside it: deadlock, disk, memory, a trigger."""

UNABLE = LOST + FAILED
"""Everything that means: not now."""


class Writer:
    """One pooled connection's incarnation: `started` with its start entry, `doubtful` once an answer was lost."""

    def __init__(self, writer: uuid.UUID) -> None:
        self.position = Position(writer=writer, counter=0, previous=GENESIS)
        self.started = False
        self.doubtful = False

    def advance(self, leaf: bytes) -> None:
        """Move past a leaf whose commit was acknowledged."""
        self.position = Position(
            writer=self.position.writer, counter=self.position.counter + 1, previous=leaf_hash(leaf)
        )


class WriterConnection(asyncpg.Connection):
    """A database connection that is one writer for as long as it lives."""

    _writer: Writer | None = None

    def own_writer(self, new_id: Callable[[], uuid.UUID]) -> Writer:
        """This connection's writer, made at its first use."""
        if self._writer is None:
            self._writer = Writer(new_id())
        return self._writer


class Held:
    """A connection and its writer, for one use."""

    def __init__(self, connection: Connection, writer: Writer) -> None:
        self.connection = connection
        self.writer = writer


class Database:
    """The server's pool; `clock` and `new_id` are the composition root's."""

    def __init__(
        self, pool: Pool, *, dsn: str, clock: Callable[[], dt.datetime], new_id: Callable[[], uuid.UUID]
    ) -> None:
        self.pool = pool
        self._dsn = dsn
        self.clock = clock
        self.new_id = new_id
        self.broken: list[Position] = []

    async def answers(self) -> bool:
        """Whether the database lets this server in, within two seconds, whatever the pool is doing."""
        try:
            connection = await asyncpg.connect(self._dsn, timeout=2)
        except (*UNABLE, asyncpg.PostgresError):
            return False
        await connection.close(timeout=2)
        return True

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Held]:
        """A pooled connection with its writer; a doubtful one is closed on the way out.

        Raises:
            Unavailable: no connection to be had.
        """
        try:
            connection = await self.pool.acquire(timeout=5)
        except UNABLE:
            raise Unavailable("ledger-unavailable") from None
        writer: Writer = connection.own_writer(self.new_id)
        held = Held(connection, writer)
        try:
            yield held
        finally:
            if writer.doubtful:
                self.broken.append(writer.position)
                # when the server closed it, the pool has let go of it already
                with contextlib.suppress(asyncpg.InterfaceError):
                    connection.terminate()
            await self.pool.release(connection)


async def open_pool(dsn: str, *, size: int) -> Pool:
    """The server's pool.

    Raises:
        Unavailable: the database cannot be reached.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            reset=_no_reset,
            command_timeout=10,
            connection_class=WriterConnection,
        )
    except LOST:
        raise Unavailable("ledger-unavailable") from None


async def _no_reset(_: object) -> None:
    """Nothing is left on a released connection: no session setting, no session lock, no listener."""
