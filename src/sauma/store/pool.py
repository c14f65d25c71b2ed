"""Connections: one pool without a reset, and for each connection the writer that numbers its leaves.

Every session setting in the SQL functions is transaction-local, so a released connection needs no reset.

State and crashes: a writer's position lives in this process and advances only when a commit was acknowledged. When an
answer is lost the connection is closed, its position kept in `broken`, and the next writer's start entry says where it
stood. When the process dies its writers simply end; a leaf that was committed is in the ledger either way.
"""

import asyncio
import contextlib
import datetime as dt
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from sauma.core.errors import Unavailable
from sauma.core.evidence import Position, leaf_hash

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

HOLD_SECONDS = 5
"""How long a request waits for a connection before it is told that there is none."""
CLOSE_SECONDS = 10

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


SPARE_SECONDS = 300
"""A connection that lay idle this long is not used again: something between may have forgotten it."""

EVERY_SESSION = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
"""One plan for every value: no function is planned anew at each call, and none by whom it is about.

No plan is compiled: compiling takes milliseconds, and each statement reads a few rows by index.
"""


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

    def behind(self) -> "WriterConnection":
        """The connection itself, asked of the pool's stand-in for it, which checks every call once more."""
        return self


class Held:
    """A connection and its writer, for one use; `since` is when it was last put aside, by the loop's clock."""

    def __init__(self, lent: Connection, writer: Writer) -> None:
        self.lent = lent
        self.connection: WriterConnection = lent.behind()
        self.writer = writer
        self.since = 0.0

    def usable(self, now: float) -> bool:
        """Whether it is still open, as far as can be told, and was not left alone for long."""
        return now - self.since < SPARE_SECONDS and not self.connection.is_closed()


class _Holding:
    """`async with database.hold() as held:`, written out: a generator would cost more than the pool."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._held: Held | None = None

    async def __aenter__(self) -> Held:
        self._held = await self._database.take()
        return self._held

    async def __aexit__(self, fault: type[BaseException] | None, *_: object) -> None:
        if self._held is not None:
            await self._database.give(self._held, clean=fault is None)


class Database:
    """The server's connections; `clock` and `new_id` are the composition root's.

    The pool opens, checks and closes them; whose turn it is, is settled here, because a request asks three times.
    """

    def __init__(
        self, pool: Pool, *, dsn: str, clock: Callable[[], dt.datetime], new_id: Callable[[], uuid.UUID]
    ) -> None:
        self.pool = pool
        self._dsn = dsn
        self.clock = clock
        self.new_id = new_id
        self.broken: list[Position] = []
        self._spare: list[Held] = []
        self._lent = 0
        self._closing = False
        self._waiting: deque[asyncio.Future[Held | None]] = deque()

    def connections(self) -> tuple[int, int]:
        """How many of the pool's connections are in use, and how many are open."""
        return self._lent - len(self._spare), self.pool.get_size()

    async def answers(self) -> bool:
        """Whether the database lets this server in, within two seconds, whatever the pool is doing."""
        try:
            connection = await asyncpg.connect(self._dsn, timeout=2)
        except (*UNABLE, asyncpg.PostgresError):
            return False
        await connection.close(timeout=2)
        return True

    def hold(self) -> AbstractAsyncContextManager[Held]:
        """A connection with its writer; a doubtful one is closed on the way out.

        Raises:
            Unavailable: no connection to be had (on entering).
        """
        return _Holding(self)

    async def take(self) -> Held:
        """The connection put aside last, a new one while there may be more, else the next that is given back.

        Raises:
            Unavailable: no connection to be had.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + HOLD_SECONDS
        while True:
            if self._spare:
                held = self._spare.pop()
                if held.usable(loop.time()):
                    return held
                await self._end(held)
            elif self._lent < self.pool.get_max_size():
                return await self._open(until - loop.time())
            else:
                given = await self._next(loop, until)
                if given is not None:
                    return given

    async def _open(self, patience: float) -> Held:
        lent: Connection | None = None
        self._lent += 1
        try:
            lent = await self.pool.acquire(timeout=patience)
        except UNABLE:
            raise Unavailable("ledger-unavailable") from None
        finally:
            if lent is None:
                self._lent -= 1
                self._call()
        return Held(lent, lent.own_writer(self.new_id))

    async def _next(self, loop: asyncio.AbstractEventLoop, until: float) -> Held | None:
        """What the next to give back hands over; None when there is room for a new connection instead."""
        turn: asyncio.Future[Held | None] = loop.create_future()
        timer = loop.call_at(until, _too_long, turn)
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # handed over in the moment the request was given up
                held = turn.result()
                self._call() if held is None else self._put_aside(held)
            raise
        finally:
            timer.cancel()

    async def give(self, held: Held, *, clean: bool) -> None:
        """Hand it to who waits longest, or put it aside; closed where its writer is in doubt.

        Back to the pool where the use ended in a fault: it waits for a statement that is being cancelled and ends what
        is still open.
        """
        if held.writer.doubtful:
            self.broken.append(held.writer.position)
            await self._end(held)
        elif clean and not self._closing:
            self._put_aside(held)
        else:
            await self._return(held)

    def _put_aside(self, held: Held) -> None:
        held.since = asyncio.get_running_loop().time()
        if not self._call(held):
            self._spare.append(held)

    def _call(self, held: Held | None = None) -> bool:
        """Whose turn it is gets the connection, or the news that one may be opened; whether anybody waited."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(held)
                return True
        return False

    async def _end(self, held: Held) -> None:
        held.connection.terminate()
        await self._return(held)

    async def _return(self, held: Held) -> None:
        try:
            await self.pool.release(held.lent)
        finally:
            self._lent -= 1
            self._call()

    async def close(self) -> None:
        """Close when every connection is back, or cut them: a database that stopped answering keeps no server alive."""
        self._closing = True
        while self._spare:
            await self._return(self._spare.pop())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.pool.close(), CLOSE_SECONDS)


def _too_long(turn: "asyncio.Future[Held | None]") -> None:
    if not turn.done():
        turn.set_exception(Unavailable("ledger-unavailable"))


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
            server_settings=EVERY_SESSION,
        )
    except LOST:
        raise Unavailable("ledger-unavailable") from None


async def _no_reset(_: object) -> None:
    """Nothing is left on a released connection: no session setting, no session lock, no listener."""
