"""A registrar's session: acts on the register, each beside its ledger entry, as functions of the schema `registrar`.

Before the commit nothing stands; after it act and entry do, all those of one call or none. A lost answer to the commit
leaves either: the register itself says which. The session is a writer of its own and ends with the command.
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import asyncpg

from sauma.core.canonical import JsonValue, json_members
from sauma.core.errors import StartRefused
from sauma.core.evidence import leaf_hash
from sauma.core.people import Confidential
from sauma.exchange.ports import Build
from sauma.exchange.record import writer_start
from sauma.store.migrate import EX_BEHIND, EX_FAILED
from sauma.store.places import EX_CONFIG, EX_UNAVAILABLE
from sauma.store.pool import FAILED, LOST, Writer
from sauma.store.session import connected
from sauma.store.statements import load

REGISTRAR = "SAUMA_REGISTRAR_DATABASE_URL"

_SQL = load("registrar")
_SEE = "sauma clients list shows what stands"
_RULES = {
    "SA010": ("its proposer may not approve it", "another registrar approves"),
    "SA011": ("there is none, or it is not open any more", _SEE),
    "SA012": ("not in a state for that", _SEE),
    "SA013": ("older than 30 days", "withdraw it and propose it anew"),
    "SA014": ("this machine's clock and the database's are more than a minute apart", "let NTP set both"),
    "SA015": ("not one that can have it", "docs/registration.md says who may have what"),
    "23505": ("there is one already, or there was: ids and keys are used once, and an audit grant stands", _SEE),
    "23503": ("there is none", _SEE),
    "23514": ("not a value it can have", "docs/registration.md says which"),
    "SA002": ("act and entry disagree", "use the version of Sauma that migrated this database"),
    "SA004": ("act and entry disagree", "use the version of Sauma that migrated this database"),
}
"""What a refusal of the database means, and the remedy; its own text is not repeated."""


class Step(Confidential, frozen=True, kw_only=True):
    """One act: the statement that does it with the values before the entry, and what makes the entry."""

    statement: str
    values: tuple[object, ...]
    build: Build


class Noted(Confidential, frozen=True, kw_only=True):
    """The committed entry of an act."""

    entry: uuid.UUID
    recorded_at: dt.datetime
    leaf_hash: bytes


class Registrar:
    """An open session of one registrar; `operator` is the login, which is how the database knows the person."""

    def __init__(self, connection: asyncpg.Connection, *, operator: str, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer
        self.operator = operator

    async def register(self) -> dict[str, JsonValue]:
        """Organisations, systems, keys, delegations, providers, audit grants and open proposals as they stand."""
        with _refusing():
            return json_members(str(await self._connection.fetchval(_SQL["register"])).encode())

    async def of_another_ring(self, checks: tuple[tuple[str, int, bytes], ...]) -> bool:
        """Whether a key of the ring, as (purpose, version, check), is another than the database was written under."""
        with _refusing():
            rows = await self._connection.fetch(_SQL["registrar_ring_keys"])
        known = {(row["purpose"], row["version"]): row["check_value"] for row in rows}
        return any(known.get((purpose, version), value) != value for purpose, version, value in checks)

    async def perform(self, steps: Sequence[Step], *, at: dt.datetime, start: uuid.UUID) -> tuple[Noted, ...]:
        """All of these acts with their entries, or none; `start` is the id of the writer's first entry.

        Raises:
            StartRefused: exit 1, a rule refuses one of them; exit 69, PostgreSQL did not answer.
        """
        noted: list[Noted] = []
        with _refusing():
            async with self._connection.transaction():
                first = writer_start(at, start, self._writer.position, None)
                await self._connection.execute(_SQL["registrar_start_writer"], first.leaf)
                self._writer.advance(first.leaf)
                for step in steps:
                    entry = step.build(self._writer.position)
                    row = await self._connection.fetchrow(
                        _SQL[step.statement], *step.values, entry.leaf, entry.payload, entry.payload_key
                    )
                    self._writer.advance(entry.leaf)
                    noted.append(Noted(entry=entry.id, recorded_at=row["recorded_at"], leaf_hash=leaf_hash(entry.leaf)))
        return tuple(noted)


@contextlib.asynccontextmanager
async def registrar_at(dsn: str, *, new_id: Callable[[], uuid.UUID]) -> AsyncIterator[Registrar]:
    """A session of the registrar whose login `dsn` names; one call of `perform` at most.

    Raises:
        StartRefused: no connection.
    """
    async with connected(dsn, key=REGISTRAR) as connection:
        operator = str(await connection.fetchval(_SQL["operator"]))
        yield Registrar(connection, operator=operator, writer=Writer(new_id()))


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except LOST:
        line = f"PostgreSQL: its answer was lost, the act may stand; fix: {_SEE}"
        raise StartRefused(line, exit_code=EX_UNAVAILABLE) from None
    except asyncpg.InsufficientPrivilegeError:
        line = f"{REGISTRAR}: its login is no registrar's; fix: GRANT sauma_registrar to it, docs/registration.md"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError):
        line = "schema: migrations are pending; fix: sauma migrate"
        raise StartRefused(line, exit_code=EX_BEHIND) from None
    except asyncpg.PostgresError as fault:
        raise _refused(fault) from None


def _refused(fault: asyncpg.PostgresError) -> StartRefused:
    what, fix = _RULES.get(fault.sqlstate or "", ("", ""))
    if what:
        return StartRefused(f"{fault.hint or 'register'}: {what}; fix: {fix}", exit_code=EX_FAILED)
    if isinstance(fault, FAILED):
        line = f"PostgreSQL: it could not write now ({fault.sqlstate}); fix: try again"
        return StartRefused(line, exit_code=EX_UNAVAILABLE)
    return StartRefused(f"PostgreSQL: it refused the act ({fault.sqlstate}); fix: report this", exit_code=EX_FAILED)
