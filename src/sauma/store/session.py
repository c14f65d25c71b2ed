"""One connection for an operator's command, and what must be true of a server before Sauma writes to it."""

import contextlib
import warnings
from collections.abc import AsyncIterator, Mapping

import asyncpg
import msgspec

from sauma.core.errors import StartRefused
from sauma.store.places import EX_CONFIG, EX_UNAVAILABLE

SERVER, MIGRATOR = "SAUMA_DATABASE_URL", "SAUMA_MIGRATE_DATABASE_URL"
"""The settings that name a database, as a refusal names them."""

_BOOTSTRAP = "run what sauma migrate --print-bootstrap prints"
_NOT_LET_IN = {
    "28P01": ("the password is refused", "correct it there, or in the passfile it names (mode 0600)"),
    "28000": ("the role is not let in", f"{_BOOTSTRAP}, and look at pg_hba.conf"),
    "3D000": ("there is no such database", _BOOTSTRAP),
    "42501": ("the role may not connect to this database", _BOOTSTRAP),
}
_NOT_NOW = {
    "53300": ("no connection is free", "raise max_connections there, or lower SAUMA_POOL_SIZE or SAUMA_WORKERS"),
    "57P03": ("PostgreSQL is starting up or shutting down", "try again in a moment"),
    "gaierror": ("no connection, the host name is unknown", "correct the host"),
    "ConnectionRefusedError": ("no connection, nothing listens there", "start PostgreSQL, or correct host and port"),
    "FileNotFoundError": ("no connection, no socket there", "start PostgreSQL, or correct the directory after host="),
    "TimeoutError": ("no connection, no answer in 15 seconds", "look at the host and at the network between"),
}
_NO_TLS = ("PostgreSQL offers no TLS, which sslmode asks for", "turn ssl on at the server")
_UNUSABLE = ("not an address that can be used", "correct the port, and what stands after the question mark")


class Durability(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself: whether an acknowledged commit survives a power cut."""

    version: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str


@contextlib.asynccontextmanager
async def connected(
    dsn: str, *, key: str = SERVER, limits: Mapping[str, str] | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed at the end; `dsn` is never repeated in a fault, which names the setting `key`.

    `limits` are settings of PostgreSQL that hold for this session.

    Raises:
        StartRefused: exit 69 no server that answers, exit 78 not an address, no such database, or not let in.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a passfile open to others: asyncpg leaves it out, and names its path
            settings = {"application_name": "sauma", **(limits or {})}
            connection = await asyncpg.connect(dsn, timeout=15, server_settings=settings)
    except (OSError, TimeoutError, ValueError, OverflowError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        raise _refused(fault, key=key) from None
    try:
        yield connection
    finally:
        await connection.close()


def _refused(fault: Exception, *, key: str) -> StartRefused:
    """What a failed connection says: the setting, the reason, the fix; of the fault only its kind."""
    state = getattr(fault, "sqlstate", None) or type(fault).__name__
    what, fix = _NOT_NOW.get(state, ("no connection", "look at the server, and at this setting"))
    code = EX_UNAVAILABLE
    if state in _NOT_LET_IN:
        (what, fix), code = _NOT_LET_IN[state], EX_CONFIG
    elif "SSL upgrade" in str(fault):
        (what, fix), code = _NO_TLS, EX_CONFIG
    elif isinstance(fault, ValueError | OverflowError):  # asyncpg's ClientConfigurationError too
        (what, fix), code = _UNUSABLE, EX_CONFIG
    return StartRefused(f"{key}: {what} ({state}); fix: {fix}", exit_code=code)


async def durability(dsn: str, *, key: str = SERVER) -> Durability:
    """Ask the server, as the role that will write, and refuse one that forgets what it acknowledged.

    Raises:
        StartRefused: `fsync`, `full_page_writes` or `synchronous_commit` is off: a disclosure could outlive its entry.
    """
    async with connected(dsn, key=key) as connection:
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
