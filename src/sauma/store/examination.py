"""What must be true of a database before Sauma serves from it, each as a finding with its fix; changes nothing.

`serve` refuses to start on the first finding that is wrong, `sauma doctor` shows them all: one list, two readers.
"""

import datetime as dt
import enum
from collections.abc import Callable, Iterator

import asyncpg
import msgspec

from sauma.core.errors import StartRefused
from sauma.store.places import EX_CONFIG
from sauma.store.session import MIGRATOR, SERVER, connected
from sauma.store.statements import load

_SQL = load("examination")
_BOOTSTRAP = "run what sauma migrate --print-bootstrap prints"
_OLDEST = 150000
_SKEW_SECONDS = 10.0
_TWO_PERSONS = 2
_BESIDE_POOLS = 3
"""Connections wanted beside the pools: a readiness probe, a migrator, somebody who looks."""


class State(enum.Enum):
    """How a check came out; `skip`: it could not be made, for the reason given."""

    OK = "ok"
    WARN = "warn"
    WRONG = "wrong"
    SKIP = "skip"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check: `subject` is the setting or part a refusal names first; `what` and `fix` never hold a value."""

    check: str
    state: State
    what: str
    fix: str = ""
    subject: str = "PostgreSQL"
    exit_code: int = EX_CONFIG

    @property
    def refusal(self) -> StartRefused:
        """The finding as a refusal to start."""
        return StartRefused(f"{self.subject}: {self.what}; fix: {self.fix}", exit_code=self.exit_code)


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation asks of its database: connections at most, and whether plaintext is refused."""

    connections: int
    production: bool


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    replica: bool
    read_only: bool
    isolation: str
    encoding: str
    checksums: bool
    connections: int
    near: bool
    encrypted: bool
    clock: dt.datetime


class _Role(msgspec.Struct, frozen=True, kw_only=True):
    mighty: bool
    owner: bool
    relations: int
    missing: int
    inner_functions: int
    creates: int
    makes_temporary: bool
    wandering: int


class _Guards(msgspec.Struct, frozen=True, kw_only=True):
    unguarded: int
    disabled: int
    foreign_owned: int
    months_missing: int


class _Registrars(msgspec.Struct, frozen=True, kw_only=True):
    logs_in: bool
    doubled: int
    shared: int
    beyond: int
    operators: int


async def examine(dsn: str, *, demand: Demand, clock: Callable[[], dt.datetime]) -> tuple[Finding, ...]:
    """Look at a migrated database as the server's role.

    Raises:
        StartRefused: no connection.
    """
    async with connected(dsn) as connection:
        before = clock()
        row = await connection.fetchrow(_SQL["server"])
        middle = before + (clock() - before) / 2
        server = msgspec.convert(dict(row), _Server)
        role = msgspec.convert(dict(await connection.fetchrow(_SQL["role"])), _Role)
        guards = msgspec.convert(dict(await connection.fetchrow(_SQL["guards"])), _Guards)
        registrars = msgspec.convert(dict(await connection.fetchrow(_SQL["registrars"])), _Registrars)
    skew = (server.clock - middle).total_seconds()
    roles = (_of_role(role), _of_registrars(registrars))
    return (*_of_server(server, demand), _of_clock(skew), *roles, *_of_guards(guards))


async def examine_migrator(dsn: str) -> Finding:
    """Whether the migrator gets in and may become the owner; nothing is migrated.

    Raises:
        StartRefused: no connection.
    """
    async with connected(dsn, key=MIGRATOR) as connection:
        try:
            await connection.execute("SET ROLE sauma_owner")
        except asyncpg.PostgresError:
            return _wrong("migrator", "its role may not become sauma_owner", _BOOTSTRAP, subject=MIGRATOR)
    return _ok("migrator", "gets in and may become sauma_owner")


async def ring_differs(dsn: str, *, checks: tuple[tuple[str, int, bytes], ...]) -> Finding:
    """Whether the ring's keys, as (purpose, version, check), are those the database was written under.

    A key the database does not know is new or was never used; one of another check is another key.

    Raises:
        StartRefused: no connection.
    """
    async with connected(dsn) as connection:
        rows = await connection.fetch(_SQL["ring_keys"])
    known = {(row["purpose"], row["version"]): row["check_value"] for row in rows}
    astray = sum(known.get((purpose, version), value) != value for purpose, version, value in checks)
    if astray:
        what = "not the key ring this database was written under: nobody would be found, no prohibition either"
        return _wrong("key ring fits", what, "restore the ring that belongs to this database", subject="SAUMA_KEYRING")
    if not known:
        return _ok("key ring fits", "the database knows no ring yet; the first start notes this one")
    return _ok("key ring fits", "it is the one this database was written under")


async def note_ring(dsn: str, *, checks: tuple[tuple[str, int, bytes], ...]) -> None:
    """Note the checks of keys the database sees for the first time; what is known is never replaced.

    Raises:
        StartRefused: no connection.
    """
    purposes, versions, values = zip(*checks, strict=True)
    async with connected(dsn) as connection:
        await connection.fetch(_SQL["note_ring_keys"], list(purposes), list(versions), list(values))


def _ok(check: str, what: str) -> Finding:
    return Finding(check=check, state=State.OK, what=what)


def _warn(check: str, what: str, fix: str) -> Finding:
    return Finding(check=check, state=State.WARN, what=what, fix=fix)


def _wrong(check: str, what: str, fix: str, *, subject: str = "PostgreSQL") -> Finding:
    return Finding(check=check, state=State.WRONG, what=what, fix=fix, subject=subject)


def _of_server(server: _Server, demand: Demand) -> Iterator[Finding]:
    yield (
        _ok("version", "PostgreSQL 15 or later")
        if server.version >= _OLDEST
        else _wrong("version", "older than 15", "upgrade PostgreSQL; 15 to 18 are tested")
    )
    yield _of_mode(server)
    yield (
        _ok("checksums", "data pages have checksums")
        if server.checksums
        else _warn("checksums", "data pages have no checksums", "stop PostgreSQL and run pg_checksums --enable")
    )
    yield _of_encryption(server, demand)
    yield _of_connections(server, demand)


def _of_mode(server: _Server) -> Finding:
    """Decisions are made on the primary, in READ COMMITTED: gather, append and read each look afresh."""
    if server.replica:
        fix = "name the primary (several hosts: target_session_attrs=read-write)"
        return _wrong("primary", "a replica, and nothing is decided on a replica", fix, subject=SERVER)
    if server.read_only:
        fix = "unset default_transaction_read_only for role and database"
        return _wrong("primary", "transactions are read-only", fix)
    if server.isolation != "read committed":
        fix = "unset default_transaction_isolation for role and database"
        return _wrong("primary", "the default isolation is not read committed", fix)
    if server.encoding != "UTF8":
        return _wrong("primary", "the database is not in UTF-8", "create it with ENCODING 'UTF8'")
    return _ok("primary", "a writable primary, read committed, UTF-8")


def _of_encryption(server: _Server, demand: Demand) -> Finding:
    if server.encrypted or server.near:
        return _ok("encryption", "TLS" if server.encrypted else "a socket or loopback of this machine")
    what, fix = "the connection to another machine is plaintext", "sslmode=verify-full and sslrootcert in the address"
    if demand.production:
        return _wrong("encryption", what, fix, subject=SERVER)
    return _warn("encryption", what, fix)


def _of_connections(server: _Server, demand: Demand) -> Finding:
    if demand.connections + _BESIDE_POOLS <= server.connections:
        return _ok("connections", f"{demand.connections} at most of {server.connections}")
    what = f"workers × pool is {demand.connections}, PostgreSQL gives {server.connections} and needs some for others"
    return _wrong("connections", what, "lower SAUMA_WORKERS or SAUMA_POOL_SIZE, or raise max_connections there")


def _of_clock(skew: float) -> Finding:
    """Tokens are judged by this machine's clock, the ledger is dated by the database's: they must tell one story."""
    if abs(skew) <= _SKEW_SECONDS / 5:
        return _ok("clock", f"{abs(skew):.1f} s apart from the database's")
    what, fix = f"{abs(skew):.0f} s apart from the database's", "let NTP set the clocks of both machines"
    if abs(skew) <= _SKEW_SECONDS:
        return _warn("clock", what, fix)
    return _wrong("clock", what, fix, subject="clock")


def _of_role(role: _Role) -> Finding:
    """The gate guards only against a role that cannot go round it."""
    fix = "name sauma_server, as sauma migrate --print-bootstrap makes it"
    wrong = {
        "its role is a superuser or may make roles, databases or replicas": role.mighty,
        "its role may become sauma_owner, past the gate": role.owner,
        "its role has privileges on tables, past the gate": role.relations > 0,
        "its role may execute inner functions, past the gate": role.inner_functions > 0,
        "its role may create objects in a schema": role.creates > 0,
        "its role may make temporary objects, or schemas": role.makes_temporary,
        "a function with the owner's rights has no search_path of its own": role.wandering > 0,
        "its role may not execute every function of the schema api": role.missing > 0,
    }
    for what, found in wrong.items():
        if found:
            return _wrong("server role", what, fix, subject=SERVER)
    return _ok("server role", "executes the functions of the schema api and nothing else")


def _of_registrars(registrars: _Registrars) -> Finding:
    """Two persons decide only where each has a login of their own that is a registrar's and nothing else."""
    fix = "make sauma_registrar and its members as sauma migrate --print-bootstrap says"
    wrong = {
        "sauma_registrar may log in: nobody would know who it was": registrars.logs_in,
        "a registrar is also another of Sauma's roles, or may make roles": registrars.doubled > 0,
        "a registrar may become another registrar": registrars.shared > 0,
        "registrars reach more than the functions of the schema registrar": registrars.beyond > 0,
    }
    for what, found in wrong.items():
        if found:
            return _wrong("registrars", what, fix)
    if registrars.operators < _TWO_PERSONS:
        what = f"{registrars.operators} can log in: nothing that gives access can be approved"
        return _warn("registrars", what, "give two persons a login each that is a member of sauma_registrar")
    return _ok("registrars", f"{registrars.operators} logins, each a registrar's and nothing else")


def _of_guards(guards: _Guards) -> Iterator[Finding]:
    restore = "restore the schema as the migrations made it; find out who changed it"
    if guards.unguarded or guards.disabled:
        yield _wrong("triggers", "one that keeps ledger or mandates as they must be is missing or disabled", restore)
    else:
        yield _ok("triggers", "the ledger's and the mandates' are there, enabled always")
    if guards.foreign_owned:
        fix = "reassign it to sauma_owner, which nobody logs in as"
        yield _wrong("owner", "an object of ours has another owner, or sauma_owner may log in", fix)
    else:
        yield _ok("owner", "everything belongs to sauma_owner, and nobody logs in as it")
    if guards.months_missing:
        fix = "start sauma serve: it adds them at start and every six hours"
        yield _warn("partitions", "the ledger has none for this month or the next", fix)
    else:
        yield _ok("partitions", "this month's and the next are there")
