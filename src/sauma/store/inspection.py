"""Ledger rows for the parties to a disclosure and for auditors; the id's own time picks the partition."""

import datetime as dt
import uuid

import asyncpg

from sauma.core.canonical import uuid7_time
from sauma.core.disclosure import Receipt
from sauma.core.errors import Unavailable
from sauma.exchange.rows import InspectKeys, LedgerRow, ListKeys
from sauma.store.pool import UNABLE, Database
from sauma.store.statements import load

_SQL = load("inspection")
_SLACK = dt.timedelta(minutes=10)


class PostgresInspection:
    """What a party asked or gave, and single entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_disclosures(self, receipt: Receipt, keys: ListKeys) -> tuple[LedgerRow, ...]:
        """Disclosure entries of one organisation in one role, oldest first, against its committed read entry."""
        rows = await self._fetch(
            "list_disclosures",
            receipt.entry,
            receipt.recorded_at,
            keys.organisation,
            keys.as_receiver,
            keys.since,
            keys.until,
            keys.purpose,
            None if keys.cases is None else list(keys.cases),
            keys.after,
            keys.limit,
        )
        return tuple(_row(r) for r in rows)

    async def find_disclosure(self, receipt: Receipt, organisation: str, entry: uuid.UUID) -> LedgerRow | None:
        """One disclosure entry the organisation is party to, against the committed read entry that names it."""
        span = span_of(entry)
        if span is None:
            return None
        rows = await self._fetch("find_disclosure", receipt.entry, receipt.recorded_at, organisation, entry, *span)
        return _row(rows[0]) if rows else None

    async def audit_session_stands(self, session: uuid.UUID, organisation: str, client: str) -> bool:
        """Whether the session is this client's and neither its time nor its grant's has run out."""
        rows = await self._fetch("audit_session_stands", session, organisation, client)
        return bool(rows[0][0])

    async def audit_is_granted(self, client: str, dossier: str, until: dt.datetime) -> bool:
        """Whether an auditor's grant to the system names the dossier and outlives a session that ends then."""
        rows = await self._fetch("audit_is_granted", client, until, dossier)
        return bool(rows[0][0])

    async def inspect_entry(self, receipt: Receipt, look: InspectKeys) -> LedgerRow | None:
        """One entry within the organisation's sight and the grant, against session and committed read entry."""
        span = span_of(look.entry)
        if span is None:
            return None
        read = (receipt.entry, receipt.recorded_at, look.organisation, look.entry)
        rows = await self._fetch("inspect_entry", *read, *span, look.session)
        return _row(rows[0]) if rows else None

    async def _fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        async with self._database.hold() as held:
            try:
                found: list[asyncpg.Record] = await held.connection.fetch(_SQL[name], *values)
            except UNABLE:
                raise Unavailable("ledger-unavailable") from None
        return found


def span_of(entry: uuid.UUID) -> tuple[dt.datetime, dt.datetime] | None:
    """The time around an entry id; None for an id that is no UUIDv7 and so names no entry."""
    try:
        at = dt.datetime.fromtimestamp(uuid7_time(entry) / 1000, tz=dt.UTC)
        return at - _SLACK, at + _SLACK
    except (ValueError, OverflowError, OSError):
        return None


def _row(row: asyncpg.Record) -> LedgerRow:
    return LedgerRow(
        id=row["id"],
        recorded_at=row["recorded_at"],
        leaf=row["leaf"],
        leaf_hash=row["leaf_hash"],
        manifest=row["manifest"],
        payload=row["payload"],
        payload_key=row["payload_key"],
    )
