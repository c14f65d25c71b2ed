"""One connection for an operator's command, and what must be true of a server before Sauma writes to it."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import msgspec

from sauma.core.errors import StartRefused
from sauma.store.places import EX_CONFIG, EX_UNAVAILABLE


class Durability(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself: whether an acknowledged commit survives a power cut."""

    version: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed at the end; `dsn` is never repeated in a fault.

    Raises:
        StartRefused: no server, no such database, or not let in.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=15, server_settings={"application_name": "sauma"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        state = getattr(fault, "sqlstate", None) or type(fault).__name__
        line = f"PostgreSQL: no connection ({state}); fix: check the server and the SAUMA_…DATABASE_URL settings"
        raise StartRefused(line, exit_code=EX_UNAVAILABLE) from None
    try:
        yield connection
    finally:
        await connection.close()


async def durability(dsn: str) -> Durability:
    """Ask the server, as the role that will write, and refuse one that forgets what it acknowledged.

    Raises:
        StartRefused: `fsync`, `full_page_writes` or `synchronous_commit` is off: a disclosure could outlive its entry.
    """
    async with connected(dsn) as connection:
        row = await connection.fetchrow(
            "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,"
            " current_setting('full_page_writes') AS full_page_writes,"
            " current_setting('synchronous_commit') AS synchronous_commit"
        )
    found = msgspec.convert(dict(row), Durability)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if getattr(found, name) == "off":
            line = f"PostgreSQL: {name} is off, a crash could lose acknowledged ledger entries; fix: turn {name} on"
            raise StartRefused(line, exit_code=EX_CONFIG)
    return found
