"""Write transactions: effect, idempotency record and ledger entry commit together or not at all."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from sauma.core.disclosure import Receipt
from sauma.core.errors import OutcomeUnknown, Unavailable
from sauma.core.evidence import Claim, Entry
from sauma.core.fields import Sensitivity
from sauma.core.matters import BasisVersions
from sauma.exchange.ports import Build
from sauma.exchange.rows import (
    AuditSessionRow,
    Begun,
    DisclosureParties,
    KnownSubject,
    MatterRow,
    Missed,
    NewSubject,
    PriorInformationRow,
    RecordHead,
    RecordRow,
    Stored,
    SubjectKeys,
    Written,
)
from sauma.store.inspection import span_of
from sauma.store.ledger import append, start_writer
from sauma.store.pool import FAILED, LOST, Database, Held
from sauma.store.statements import load

_SQL = load("writes")


class PostgresWrites:
    """Where write transactions begin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["PostgresUnit"]:
        """One transaction; a lost answer before the commit wrote nothing, one to the commit is unknown.

        Raises:
            Unavailable: the connection was lost before the commit, or the database refused; nothing was written.
            OutcomeUnknown: the answer to the commit was lost.
        """
        async with self._database.hold() as held:
            await start_writer(self._database, held)
            transaction = held.connection.transaction()
            held.writer.doubtful = True  # until the answer is here: a cancelled begin may have left it open
            try:
                await transaction.start()
            except LOST:
                raise Unavailable("ledger-unavailable") from None
            held.writer.doubtful = False
            unit = PostgresUnit(held)
            whole = False
            try:
                yield unit
                whole = True
            except LOST:
                held.writer.doubtful = True
                raise Unavailable("ledger-unavailable") from None
            except FAILED:
                raise Unavailable("ledger-unavailable") from None
            finally:  # also when cancelled
                if not whole:
                    await _roll_back(held, transaction)
            held.writer.doubtful = True  # until the answer is here: a cancelled commit may stand
            try:
                await transaction.commit()
            except LOST:
                raise OutcomeUnknown from None
            except FAILED:
                raise Unavailable("ledger-unavailable") from None
            held.writer.doubtful = False
            if unit.entry is not None:
                held.writer.advance(unit.entry.leaf)


async def _roll_back(held: Held, transaction: asyncpg.transaction.Transaction) -> None:
    doubtful, held.writer.doubtful = held.writer.doubtful, True  # a rollback cut short leaves a transaction open
    try:
        await transaction.rollback()
    except LOST:
        return
    held.writer.doubtful = doubtful


class PostgresUnit:
    """One open write transaction."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._connection = held.connection
        self.entry: Entry | None = None

    async def begin(self, key: bytes, request: bytes) -> Begun:
        """Take the key, or say that it is taken, used for another body, or answered before."""
        row = await self._row("begin_write", key, request)
        stored = None
        if row["state"] == "replayed":
            stored = Stored(status=row["status"], answer=row["answer"], etag=row["etag"])
        return Begun(state=row["state"], stored=stored)

    async def claim(self, claims: tuple[Claim, ...], basis: BasisVersions) -> Missed | None:
        """Claim replay ids for a call that writes no entry; what is wrong when one was used or the caller changed."""
        status = str(
            await self._connection.fetchval(
                _SQL["claim"],
                basis.client,
                basis.organisation,
                basis.client_version,
                [c.kind.value for c in claims],
                [c.digest for c in claims],
                [c.expires_at for c in claims],
            )
        )
        return None if status == "claimed" else Missed(status)

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        """The entry, inside this transaction."""
        entry = build(self._held.writer.position)
        appended = await append(self._held, entry, claims, basis)
        if isinstance(appended, Receipt):
            self.entry = entry
        return appended

    async def end(self, key: bytes, request: bytes, stored: Stored) -> None:
        """Keep what a repeat is answered with."""
        await self._connection.execute(_SQL["end_write"], key, request, stored.status, stored.answer, stored.etag)

    async def find_subject(self, controller: str, index: bytes) -> KnownSubject | None:
        """The person at this controller, with wrapped data keys."""
        row = await self._connection.fetchrow(_SQL["find_subject"], controller, index)
        if row is None:
            return None
        wrapped = {
            Sensitivity(name): (key, sealed)
            for key, name, sealed in zip(row["key_ids"], row["key_classes"], row["key_wrapped"], strict=True)
        }
        keys = SubjectKeys(controller=controller, subject=row["subject"], wrapped=wrapped)
        return KnownSubject(id=row["subject"], canonical=row["canonical"], keys=keys)

    async def add_subject(self, controller: str, index: bytes, subject: NewSubject) -> bool:
        """A new person at this controller; False when another call added the identifier first."""
        added = await self._connection.fetchval(
            _SQL["add_subject"],
            controller,
            subject.keys.subject,
            index,
            subject.sealed_identifier,
            subject.wrapped_seed,
            *_key_columns(subject.keys),
        )
        return bool(added)

    async def protect_subject(self, subject: uuid.UUID, *, protected: bool | None, unit: str, opaque: str) -> None:
        """Set protection (None leaves it) and the handling unit, opaque while protected; a change moves the basis."""
        await self._connection.execute(_SQL["protect_subject"], subject, protected, unit, opaque)

    async def put_matter(self, row: MatterRow) -> Written:
        """Open, change or close the organisation's own matter."""
        return await self._written(
            "put_matter", row.organisation, row.case_mac, row.subject, row.state, row.expected, row.sealed
        )

    async def put_record(self, row: RecordRow) -> Written:
        """Store a record's sealed groups under the revision they were sealed for."""
        return await self._written(
            "put_record",
            row.controller,
            row.resource,
            row.id,
            row.subject,
            row.revision,
            row.month,
            row.retain_until,
            [g[0] for g in row.groups],
            [g[2] for g in row.groups],
            [g[1] for g in row.groups],
            list(row.others),
        )

    async def record_state(self, controller: str, resource: str, record: uuid.UUID) -> RecordHead | None:
        """The controller's own record: revision, state and digests."""
        row = await self._connection.fetchrow(_SQL["record_state"], controller, resource, record)
        if row is None:
            return None
        return RecordHead(
            revision=row["revision"],
            state=row["state"],
            recorded_at=row["recorded_at"],
            digests=dict(zip(row["classes"], row["digests"], strict=True)),
        )

    async def annul_record(self, controller: str, resource: str, record: uuid.UUID, expected: int | None) -> Written:
        """Never disclose the record again."""
        return await self._written("annul_record", controller, resource, record, expected)

    async def add_prior_information(self, row: PriorInformationRow) -> None:
        """Record that the client was told beforehand."""
        await self._connection.execute(
            _SQL["add_prior_information"], row.id, row.organisation, row.subject, row.told_at, row.sealed
        )

    async def link_identifier(self, controller: str, old: bytes, new: bytes, sealed: bytes) -> str:
        """Make two identifiers one person."""
        return str(await self._connection.fetchval(_SQL["link_identifier"], controller, old, new, sealed))

    async def split_identifier(self, controller: str, old: bytes, new: bytes, subject: NewSubject) -> str:
        """Make a wrongly linked pair two persons again."""
        return str(
            await self._connection.fetchval(
                _SQL["split_identifier"],
                controller,
                old,
                new,
                subject.keys.subject,
                subject.wrapped_seed,
                subject.sealed_identifier,
                *_key_columns(subject.keys),
            )
        )

    async def put_publication_state(self, controller: str, resource: str, status: str, as_of: dt.datetime) -> Written:
        """How current the controller's publication of a resource is."""
        return await self._written("put_publication_state", controller, resource, status, as_of)

    async def disclosure_parties(self, entry: uuid.UUID) -> DisclosureParties | None:
        """Who a disclosure was to and from, and what for; None where the id names none."""
        span = span_of(entry)
        row = await self._connection.fetchrow(_SQL["disclosure_parties"], entry, *span) if span else None
        if row is None:
            return None
        return DisclosureParties(
            receiver=row["receiver"], discloser=row["discloser"], purpose=row["purpose"], case=row["case_tag"]
        )

    async def open_audit_session(self, row: AuditSessionRow) -> bool:
        """A time-boxed right to read the ledger; False where no grant of its dossier outlives it."""
        values = (row.id, row.organisation, row.client, row.audit_purpose, row.until, row.dossier)
        return bool(await self._connection.fetchval(_SQL["open_audit_session"], *values))

    async def _written(self, name: str, *values: object) -> Written:
        row = await self._row(name, *values)
        return Written(status=row["status"], revision=row["revision"])

    async def _row(self, name: str, *values: object) -> asyncpg.Record:
        row = await self._connection.fetchrow(_SQL[name], *values)
        if row is None:
            raise Unavailable("ledger-unavailable")
        return row


def _key_columns(keys: SubjectKeys) -> tuple[list[uuid.UUID], list[str], list[bytes]]:
    pairs = list(keys.wrapped.items())
    return [k for _, (k, _) in pairs], [s.value for s, _ in pairs], [w for _, (_, w) in pairs]
