"""The append: one statement that claims replay ids, compares the basis and inserts the entry; Receipts are minted here.

Before: nothing stands. After an acknowledged commit: the entry stands and the writer has moved on. A lost answer: the
entry may stand; the writer is closed and its successor says so; the caller is told that the outcome is unknown.
"""

import asyncpg

from sauma.core.disclosure import Receipt
from sauma.core.errors import OutcomeUnknown, Unavailable
from sauma.core.evidence import Claim, ClaimKind, Entry
from sauma.core.matters import BasisVersions
from sauma.exchange.ports import Build
from sauma.exchange.record import writer_start
from sauma.exchange.rows import Missed
from sauma.store.pool import FAILED, LOST, Database, Held
from sauma.store.statements import load

_SQL = load("path")
REPLAYED = "SA001"
_STOOD = {
    ClaimKind.ASSERTION.value: Missed.ASSERTION_REPLAYED,
    ClaimKind.SUBJECT_TOKEN.value: Missed.SUBJECT_TOKEN_REPLAYED,
    ClaimKind.REVOKED.value: Missed.REVOKED_BEFORE,
}
"""What the hint of a replayed claim names, other than the proof."""


class PostgresLedger:
    """The ledger in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        """Commit one entry in one autocommit statement.

        Raises:
            Unavailable: no connection; nothing was written.
            OutcomeUnknown: the answer was lost.
        """
        async with self._database.hold() as held:
            await start_writer(self._database, held)
            entry = build(held.writer.position)
            appended = await append(held, entry, claims, basis)
            if isinstance(appended, Receipt):
                held.writer.advance(entry.leaf)
            return appended


async def start_writer(database: Database, held: Held) -> None:
    """The writer's first entry, once; it names a predecessor whose last commit is unknown.

    A start that fails leaves its predecessor to the next one.
    """
    if held.writer.started:
        return
    predecessor = database.broken.pop() if database.broken else None
    position = held.writer.position
    entry = writer_start(database.clock(), database.new_id(), position, predecessor)
    nobody = BasisVersions(client="", client_version=0, organisation="")
    try:
        await append(held, entry, (), nobody)
        held.writer.started = True
        held.writer.advance(entry.leaf)
    finally:
        if predecessor and not held.writer.started:
            database.broken.append(predecessor)


async def append(held: Held, entry: Entry, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
    """The append statement on a held connection; inside a transaction the Receipt holds once that has committed.

    Raises:
        Unavailable: the database refused to write; nothing stands.
        OutcomeUnknown: the answer was lost.
    """
    held.writer.doubtful = True  # until the server has answered: a cancelled call may have committed
    try:
        row = await held.connection.fetchrow(
            _SQL["append"],
            entry.leaf,
            entry.manifest,
            entry.side,
            entry.payload,
            entry.payload_key,
            _basis(basis),
            [c.kind.value for c in claims],
            [c.digest for c in claims],
            [c.expires_at for c in claims],
        )
    except LOST:
        raise OutcomeUnknown from None
    except asyncpg.PostgresError as error:
        held.writer.doubtful = False
        if error.sqlstate == REPLAYED:
            return _STOOD.get(str(error.hint), Missed.REPLAYED)
        if isinstance(error, FAILED):
            raise Unavailable("ledger-unavailable") from None
        raise
    held.writer.doubtful = False
    if row is None or row["status"] != "appended":
        return Missed(row["status"]) if row is not None else Missed.NO_ENTRY
    return Receipt(entry=entry.id, leaf_hash=row["leaf_hash"], recorded_at=row["recorded_at"])


def _basis(basis: BasisVersions) -> tuple[object, ...]:
    return (
        basis.client,
        basis.client_version,
        basis.organisation,
        basis.organisation_version,
        basis.discloser,
        basis.discloser_version,
        basis.agreement,
        basis.agreement_version,
        basis.subject,
        basis.subject_version,
        basis.case_mac,
        basis.matter_version,
    )
