"""The rows of the in-memory World: what the tables hold, as frozen values in dictionaries that a transaction copies."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable

import msgspec

from sauma.core.disclosure import Receipt
from sauma.core.evidence import Claim, ClaimKind, Entry, ManifestRow, Position, leaf_hash, unbase64url
from sauma.core.fields import Sensitivity
from sauma.core.matters import Agreement, BasisVersions, Prohibition
from sauma.core.parties import Organisation
from sauma.exchange.rows import AuditSessionRow, InspectKeys, LedgerRow, ListKeys, Missed, Stored

NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
FRESH = dt.timedelta(seconds=30)


class SubjectRow(msgspec.Struct, frozen=True, kw_only=True):
    id: uuid.UUID
    controller: str
    canonical: uuid.UUID
    protected: bool = False
    handling_unit: str = ""
    seed: bytes


class MatterEntry(msgspec.Struct, frozen=True, kw_only=True):
    subject: uuid.UUID
    state: str
    version: int


class ToldRow(msgspec.Struct, frozen=True, kw_only=True):
    id: uuid.UUID
    organisation: str
    subject: uuid.UUID
    told_at: dt.datetime


class RecordEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`groups` are class → (data key, sealed)."""

    subject: uuid.UUID
    revision: int
    state: str
    month: str | None
    recorded_at: dt.datetime
    groups: dict[str, tuple[uuid.UUID, bytes]]
    others: frozenset[uuid.UUID]


class PublicationEntry(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    as_of: dt.datetime
    revision: int


class AuditorGrantRow(msgspec.Struct, frozen=True, kw_only=True):
    organisations: frozenset[str]
    until: dt.datetime


class LeafRow(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger row: the bytes, and what the append derived from leaf and manifest."""

    entry: Entry
    recorded_at: dt.datetime
    leaf_hash: bytes
    leaf: dict[str, object]
    tags: tuple[bytes, ...]
    manifest: tuple[ManifestRow, ...]
    basis: BasisVersions


class MandateRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a system may do for an organisation; `until` is when a delegation runs out."""

    stands: bool = True
    until: dt.datetime | None = None
    supplier: str | None = None
    version: int = 1


RecordKey = tuple[str, str, uuid.UUID]


@dataclasses.dataclass
class State:
    """All tables. Rows are never changed, only replaced, so a shallow copy of each table is a snapshot."""

    organisations: dict[str, Organisation] = dataclasses.field(default_factory=dict)
    mandates: dict[tuple[str, str], MandateRow] = dataclasses.field(default_factory=dict)
    agreements: dict[tuple[str, str, str], Agreement] = dataclasses.field(default_factory=dict)
    decoys: dict[str, uuid.UUID] = dataclasses.field(default_factory=dict)
    subjects: dict[uuid.UUID, SubjectRow] = dataclasses.field(default_factory=dict)
    basis: dict[uuid.UUID, int] = dataclasses.field(default_factory=dict)
    identifiers: dict[tuple[str, bytes], uuid.UUID] = dataclasses.field(default_factory=dict)
    links: dict[frozenset[uuid.UUID], None] = dataclasses.field(default_factory=dict)
    keys: dict[uuid.UUID, dict[Sensitivity, tuple[uuid.UUID, bytes]]] = dataclasses.field(default_factory=dict)
    matters: dict[tuple[str, bytes], MatterEntry] = dataclasses.field(default_factory=dict)
    told: dict[uuid.UUID, ToldRow] = dataclasses.field(default_factory=dict)
    prohibitions: dict[uuid.UUID, tuple[Prohibition, uuid.UUID]] = dataclasses.field(default_factory=dict)
    records: dict[RecordKey, RecordEntry] = dataclasses.field(default_factory=dict)
    publications: dict[tuple[str, str], PublicationEntry] = dataclasses.field(default_factory=dict)
    ledger: dict[uuid.UUID, LeafRow] = dataclasses.field(default_factory=dict)
    claims: dict[tuple[str, bytes], int] = dataclasses.field(default_factory=dict)
    idempotency: dict[bytes, tuple[bytes, Stored, dt.datetime]] = dataclasses.field(default_factory=dict)
    sessions: dict[uuid.UUID, AuditSessionRow] = dataclasses.field(default_factory=dict)
    audits: dict[tuple[str, str], AuditorGrantRow] = dataclasses.field(default_factory=dict)

    def copy(self) -> "State":
        tables = {table.name: dict(getattr(self, table.name)) for table in dataclasses.fields(self)}
        return State(**tables)

    def canonical(self, controller: str, index: bytes) -> uuid.UUID | None:
        """The person an identifier stands for, linked identifiers as one."""
        subject = self.identifiers.get((controller, index))
        return None if subject is None else self.subjects[subject].canonical

    def one_with(self, subject: uuid.UUID) -> set[uuid.UUID]:
        """Every subject row that is the same person."""
        canonical = self.subjects[subject].canonical
        return {s.id for s in self.subjects.values() if s.canonical == canonical}

    def household(self, subject: uuid.UUID) -> set[uuid.UUID]:
        """Whoever stands in a standing household record together with the person, they too."""
        same = self.one_with(subject)
        homes = [r for (_, name, _), r in self.records.items() if name == "households" and r.state == "current"]
        living = [{r.subject, *r.others} for r in homes]
        return {self.subjects[s].canonical for together in living if together & same for s in together}

    def bump(self, subject: uuid.UUID) -> None:
        """The basis moved: of the person, of everyone in whose records they are named, and of their household."""
        same = self.one_with(subject)
        named = {self.subjects[r.subject].canonical for r in self.records.values() if r.others & same}
        for canonical in {self.subjects[subject].canonical} | named | self.household(subject):
            self.basis[canonical] += 1

    def renew(
        self,
        *,
        organisation: str | None = None,
        client: str | None = None,
        supplier: str | None = None,
        **members: object,
    ) -> None:
        """Something that these mandates follow from has changed (registry.renew_mandates)."""
        for (system, party), row in self.mandates.items():
            if organisation in {None, party} and client in {None, system} and supplier in {None, row.supplier}:
                changed = msgspec.structs.replace(row, version=row.version + 1, **members)
                self.mandates[system, party] = changed

    def caller_stands(self, basis: BasisVersions, now: dt.datetime) -> bool:
        row = self.mandates.get((basis.client, basis.organisation))
        organisation = self.organisations.get(basis.organisation)
        if row is None or organisation is None:
            return False
        same = basis.organisation_version is None or organisation.version == basis.organisation_version
        in_time = row.until is None or now < row.until
        return row.stands and in_time and row.version == basis.client_version and organisation.active and same

    def standing(self, basis: BasisVersions, now: dt.datetime) -> Missed | None:
        """None while everything decided on still stands (ledger.standing)."""
        if basis.subject is not None and self.basis.get(basis.subject) != basis.subject_version:
            return Missed.BASIS_CHANGED
        if basis.matter_version is not None:
            matter = self.matters.get((basis.organisation, basis.case_mac or b""))
            if matter is None or matter.version != basis.matter_version:
                return Missed.BASIS_CHANGED
        if not self.caller_stands(basis, now):
            return Missed.CALLER_CHANGED
        if basis.discloser is not None:
            discloser = self.organisations.get(basis.discloser)
            if discloser is None or not discloser.active or discloser.version != basis.discloser_version:
                return Missed.BASIS_CHANGED
        if basis.agreement is not None:
            between = {(d, r, a.id): a for (d, r, _), a in self.agreements.items()}
            agreed = between.get((str(basis.discloser), basis.organisation, basis.agreement))
            if agreed is None or not agreed.active or agreed.version != basis.agreement_version:
                return Missed.BASIS_CHANGED
        return None


STOOD = {
    ClaimKind.PROOF: Missed.REPLAYED,
    ClaimKind.ASSERTION: Missed.ASSERTION_REPLAYED,
    ClaimKind.SUBJECT_TOKEN: Missed.SUBJECT_TOKEN_REPLAYED,
    ClaimKind.REVOKED: Missed.REVOKED_BEFORE,
}


def revoked(state: State, claims: tuple[Claim, ...]) -> bool:
    """Whether a token among them was revoked (ledger.revoked)."""
    return any(c.kind is ClaimKind.TOKEN and (ClaimKind.REVOKED.value, c.digest) in state.claims for c in claims)


def take_claims(state: State, claims: tuple[Claim, ...]) -> Missed | None:
    """Take every id but a token's, or none where one was taken before (ledger.take_claims)."""
    once = [c for c in claims if c.kind is not ClaimKind.TOKEN]
    taken = [(c.kind.value, c.digest) for c in once]
    stood = next((STOOD[c.kind] for c, key in zip(once, taken, strict=True) if key in state.claims), None)
    if stood is None and len(set(taken)) < len(taken):
        stood = STOOD[once[0].kind]
    if stood is None:
        state.claims.update(zip(taken, (c.expires_at for c in once), strict=True))
    return stood


class Clock:
    """A clock that moves a millisecond at every look, so that ids are ordered as they were made."""

    def __init__(self, moment: dt.datetime = NOON) -> None:
        self.moment = moment

    def __call__(self) -> dt.datetime:
        self.moment += dt.timedelta(milliseconds=1)
        return self.moment

    def advance(self, by: dt.timedelta) -> None:
        self.moment += by


class MemoryTables:
    """The committed state, and the one writer that numbers its leaves."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self.state = State()
        self.clock = clock
        self.position = Position(writer=uuid.UUID(int=1), counter=0, previous=bytes(32))
        self.held_keys: set[bytes] = set()

    def advance(self, leaf: bytes) -> None:
        self.position = Position(
            writer=self.position.writer, counter=self.position.counter + 1, previous=leaf_hash(leaf)
        )


class MemoryInspection:
    """Ledger rows for their parties and for auditors."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def _read_stands(self, receipt: Receipt, organisation: str, refers: uuid.UUID | None) -> bool:
        said = self._tables.state.ledger.get(receipt.entry)
        if said is None or said.recorded_at != receipt.recorded_at or said.leaf["kind"] != "read":
            return False
        names = said.leaf.get("refers") == (str(refers) if refers else None)
        return names and said.leaf["organisation"] == organisation and said.recorded_at > self._tables.clock() - FRESH

    async def list_disclosures(self, receipt: Receipt, keys: ListKeys) -> tuple[LedgerRow, ...]:
        if not self._read_stands(receipt, keys.organisation, None):
            return ()
        role = "organisation" if keys.as_receiver else "counterparty"
        cases = None if keys.cases is None else {*keys.cases}
        rows = [
            row
            for entry, row in sorted(self._tables.state.ledger.items(), key=lambda pair: pair[0])
            if row.leaf["kind"] == "disclosure"
            and row.leaf.get(role) == keys.organisation
            and keys.since <= row.recorded_at < keys.until
            and keys.purpose in {None, row.leaf["purpose"]}
            and (cases is None or unbase64url(str(row.leaf["case"])) in cases)
            and (keys.after is None or entry > keys.after)
        ]
        return tuple(_ledger_row(row) for row in rows[: keys.limit])

    async def find_disclosure(self, receipt: Receipt, organisation: str, entry: uuid.UUID) -> LedgerRow | None:
        if not self._read_stands(receipt, organisation, entry):
            return None
        row = self._tables.state.ledger.get(entry)
        if row is None or row.leaf["kind"] != "disclosure":
            return None
        return _ledger_row(row) if organisation in _parties(row) else None

    async def audit_is_granted(self, client: str, dossier: str, until: dt.datetime) -> bool:
        now, grant = self._tables.clock(), self._tables.state.audits.get((client, dossier))
        return grant is not None and now < until <= grant.until

    async def audit_session_stands(self, session: uuid.UUID, organisation: str, client: str) -> bool:
        row = self._tables.state.sessions.get(session)
        return (
            row is not None
            and (row.organisation, row.client) == (organisation, client)
            and row.until > self._tables.clock()
            and await self.audit_is_granted(client, row.dossier, row.until)
        )

    async def inspect_entry(self, receipt: Receipt, look: InspectKeys) -> LedgerRow | None:
        state = self._tables.state
        session = state.sessions.get(look.session)
        if session is None or session.organisation != look.organisation or session.until <= self._tables.clock():
            return None
        grant = state.audits.get((session.client, session.dossier))
        if grant is None or grant.until <= self._tables.clock():
            return None
        if not self._read_stands(receipt, look.organisation, look.entry):
            return None
        row = state.ledger.get(look.entry)
        reader = state.organisations.get(look.organisation)
        sees_all = reader is not None and reader.kind.value == "supervisor" and reader.active
        if row is None or grant.organisations.isdisjoint(map(str, _parties(row))):
            return None
        return _ledger_row(row) if sees_all or look.organisation in _parties(row) else None


def _parties(row: LeafRow) -> tuple[object, object]:
    return row.leaf["organisation"], row.leaf.get("counterparty")


def _ledger_row(row: LeafRow) -> LedgerRow:
    entry = row.entry
    return LedgerRow(
        id=entry.id,
        recorded_at=row.recorded_at,
        leaf=entry.leaf,
        leaf_hash=row.leaf_hash,
        manifest=entry.manifest,
        payload=entry.payload,
        payload_key=entry.payload_key,
    )
