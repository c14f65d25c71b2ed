"""A registrar's session: acts on the register, each beside its ledger entry, as functions of the schema `registrar`.

Before the commit nothing stands; after it act and entry do, all those of one call or none. A lost answer to the commit
leaves either: the register itself says which. The session is a writer of its own and ends with the command.
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable, Sequence

import asyncpg

from sauma.core.canonical import JsonValue, json_members
from sauma.core.evidence import leaf_hash
from sauma.core.people import Confidential
from sauma.exchange.ports import Build
from sauma.exchange.record import writer_start
from sauma.store.pool import Writer
from sauma.store.registrar.refusals import REGISTRAR, refusing
from sauma.store.session import connected
from sauma.store.statements import load

_SQL = load("registrar")
_LIMITS = {"idle_in_transaction_session_timeout": "10s", "lock_timeout": "20s"}
"""A command that hangs keeps no other registrar from a suspension; the functions set the same for their transaction."""


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
        with refusing():
            return json_members(str(await self._connection.fetchval(_SQL["register"])).encode())

    async def of_another_ring(self, checks: tuple[tuple[str, int, bytes], ...]) -> bool:
        """Whether a key of the ring, as (purpose, version, check), is another than the database was written under."""
        with refusing():
            rows = await self._connection.fetch(_SQL["registrar_ring_keys"])
        known = {(row["purpose"], row["version"]): row["check_value"] for row in rows}
        return any(known.get((purpose, version), value) != value for purpose, version, value in checks)

    async def perform(self, steps: Sequence[Step], *, at: dt.datetime, start: uuid.UUID) -> tuple[Noted, ...]:
        """All of these acts with their entries, or none; `start` is the id of the writer's first entry.

        Raises:
            StartRefused: exit 1, a rule refuses one of them; exit 69, PostgreSQL did not answer.
        """
        noted: list[Noted] = []
        with refusing():
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
    async with connected(dsn, key=REGISTRAR, limits=_LIMITS) as connection:
        operator = str(await connection.fetchval(_SQL["operator"]))
        yield Registrar(connection, operator=operator, writer=Writer(new_id()))
