"""The in-memory World: the ports of the exchange over dictionaries, with the semantics of the SQL functions.

One vault over a throw-away key ring, one clock and one source of bytes, all injected. tests/conformance runs one suite
over this and over PostgreSQL, so that a use case may be tested here without a database.
"""

import contextlib
import datetime as dt
import random
import uuid
from collections.abc import AsyncIterator

import msgspec

from sauma.catalogue.loader import load
from sauma.core.canonical import digest
from sauma.core.disclosure import Receipt, Sealed, SealedGroup, WrappedKey
from sauma.core.evidence import Claim, Entry, ManifestRow, leaf_hash, unbase64url
from sauma.core.matters import BasisVersions, Matter, MatterState, Prohibition, RecordHeader, SubjectFacts
from sauma.core.parties import Organisation
from sauma.core.people import Environment
from sauma.core.purposes import Catalogue
from sauma.exchange.ports import Build, World
from sauma.exchange.rows import Gathered, GatherKeys, Missed, Source
from sauma.vault.aead import AeadFactory, aes_gcm
from sauma.vault.gateway import VaultGateway
from sauma.vault.keyring import new_keyring
from sauma.vault.local import LocalVault
from worlds_rows import (
    FRESH,
    NOON,
    Clock,
    LeafRow,
    MemoryInspection,
    MemoryTables,
    RecordEntry,
    State,
    revoked,
    take_claims,
)
from worlds_writes import MemoryUnit

CATALOGUE: Catalogue = load()


def append_to(
    tables: MemoryTables, state: State, entry: Entry, claims: tuple[Claim, ...], basis: BasisVersions
) -> Receipt | Missed:
    """api.append: basis compared, replay ids claimed, entry inserted, or nothing at all."""
    leaf: dict[str, object] = msgspec.json.decode(entry.leaf)
    disclosure = leaf["kind"] == "disclosure"
    if (basis.client, basis.organisation) != (leaf["client"], leaf["organisation"]) or (
        disclosure and basis.discloser != leaf["counterparty"]
    ):
        message = "leaf and basis disagree"
        raise ValueError(message)
    missed = state.standing(basis, tables.clock())
    outcome = leaf["kind"] == "outcome"
    if (missed is Missed.CALLER_CHANGED and not outcome) or (missed is Missed.BASIS_CHANGED and disclosure):
        return missed
    if not outcome and revoked(state, claims):
        return Missed.CALLER_CHANGED
    if leaf.get("supplier") != state.mandates[basis.client, basis.organisation].supplier:
        message = "leaf and mandate disagree"
        raise ValueError(message)
    stood = take_claims(state, claims)
    if stood is not None:
        return stood
    manifest = tuple(
        msgspec.json.decode(entry.manifest, type=list[tuple[str, uuid.UUID, int, str, tuple[int, ...], str]])
    )
    tags = [entry.side[i : i + 16] for i in range(0, len(entry.side), 16)]
    row = LeafRow(
        entry=entry,
        recorded_at=tables.clock(),
        leaf_hash=leaf_hash(entry.leaf),
        leaf=leaf,
        tags=tuple(tags or [unbase64url(t) for t in msgspec.convert(leaf.get("subjects", ()), tuple[str, ...])]),
        manifest=tuple(ManifestRow(*m[:5], unbase64url(m[5])) for m in manifest),
        basis=basis,
    )
    state.ledger[entry.id] = row
    return Receipt(entry=entry.id, leaf_hash=row.leaf_hash, recorded_at=row.recorded_at)


class MemoryLedger:
    """The append as a commit of its own."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        entry = build(self._tables.position)
        appended = append_to(self._tables, self._tables.state, entry, claims, basis)
        if isinstance(appended, Receipt):
            self._tables.advance(entry.leaf)
        return appended


class MemoryRecords:
    """Facts without content, and ciphertext against a receipt."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def gather(self, keys: GatherKeys) -> Gathered:
        state = self._tables.state
        organisation = _caller(state, keys, self._tables.clock())
        discloser = state.organisations.get(keys.discloser)
        agreement = state.agreements.get((keys.discloser, keys.organisation, keys.purpose))
        own = state.canonical(keys.organisation, keys.own_index)
        matter = state.matters.get((keys.organisation, keys.case_mac))
        found = state.canonical(keys.discloser, keys.index)
        subject = found or state.decoys.get(keys.discloser)
        told = [
            t
            for t in state.told.values()
            if own is not None and t.organisation == keys.organisation and state.subjects[t.subject].canonical == own
        ]
        return Gathered(
            organisation=organisation,
            discloser=discloser,
            agreement=agreement,
            matter=None
            if matter is None
            else Matter(
                state=MatterState(matter.state),
                concerns_subject=own is not None and state.subjects[matter.subject].canonical == own,
                version=matter.version,
            ),
            matter_elsewhere=any(m == keys.case_mac and o != keys.organisation for o, m in state.matters),
            prior_information=max(told, key=lambda t: t.told_at).id if told else None,
            found=found is not None,
            subject=None if subject is None else _subject(state, subject),
            prohibitions=_prohibitions(state, subject),
            headers=() if subject is None else _headers(state, keys, subject),
            recent=self._recent(keys, subject),
            sources=tuple(
                Source(resource=r, status=p.status, current_as_of=p.as_of)
                for (c, r), p in sorted(state.publications.items(), key=lambda row: row[0])
                if c == keys.discloser
            ),
            basis=BasisVersions(
                client=keys.client,
                client_version=keys.client_version,
                organisation=keys.organisation,
                organisation_version=None if organisation is None else organisation.version,
                discloser=None if discloser is None else discloser.id,
                discloser_version=None if discloser is None else discloser.version,
                agreement=None if agreement is None else agreement.id,
                agreement_version=None if agreement is None else agreement.version,
                subject=subject,
                subject_version=None if subject is None else state.basis[subject],
                case_mac=keys.case_mac,
                matter_version=None if matter is None else matter.version,
            ),
        )

    def _recent(self, keys: GatherKeys, subject: uuid.UUID | None) -> int:
        same = {s for s, row in self._tables.state.subjects.items() if row.canonical == subject}
        since = self._tables.clock() - dt.timedelta(hours=24)
        mine = ("disclosure", keys.organisation, keys.purpose)
        return sum(
            row.recorded_at > since
            and row.basis.subject in same
            and (row.leaf["kind"], row.leaf["organisation"], row.leaf.get("purpose")) == mine
            for row in self._tables.state.ledger.values()
        )

    async def read(self, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed | Missed:
        """The gate: a committed, fresh permit whose basis stands, exactly the groups it names, or none of them."""
        state = self._tables.state
        row = state.ledger.get(receipt.entry)
        if row is None or row.recorded_at != receipt.recorded_at or row.leaf["kind"] != "disclosure":
            return Missed.NO_ENTRY
        if row.recorded_at < self._tables.clock() - FRESH:
            return Missed.STALE
        missed = state.standing(row.basis, self._tables.clock())
        if missed is not None:
            return missed
        controller = str(row.leaf["counterparty"])
        named = {(m.resource, m.record, m.sensitivity): m for m in manifest}
        groups: list[SealedGroup] = []
        for m in row.manifest:
            record = state.records.get((controller, m.resource, m.record))
            if record is None or not _still(state, record, m, row.basis.subject):
                return Missed.SUPERSEDED
            if m.sensitivity:
                key, sealed = record.groups[m.sensitivity]
                wrapped = dict(state.keys[record.subject].values())[key]
                groups.append(
                    SealedGroup(
                        row=named[m.resource, m.record, m.sensitivity],
                        subject=record.subject,
                        sealed=sealed,
                        key=WrappedKey(id=key, wrapped=wrapped),
                    )
                )
        return Sealed(receipt=receipt, controller=controller, groups=tuple(groups))


def _caller(state: State, keys: GatherKeys, now: dt.datetime) -> Organisation | None:
    """The caller's organisation; active only while the system's mandate for it stands."""
    row = state.mandates.get((keys.client, keys.organisation))
    if row is None:
        return None
    organisation = state.organisations[keys.organisation]
    stands = organisation.active and row.stands and (row.until is None or now < row.until)
    return msgspec.structs.replace(organisation, active=stands)


def _subject(state: State, subject: uuid.UUID) -> SubjectFacts:
    row = state.subjects[subject]
    return SubjectFacts(
        id=subject, protected=row.protected, handling_unit=row.handling_unit, version=state.basis[subject]
    )


def _prohibitions(state: State, subject: uuid.UUID | None) -> tuple[Prohibition, ...]:
    """Those on the person, and those on others whom the person's records name, narrowed to these records."""
    own = [p for p, s in state.prohibitions.values() if state.subjects[s].canonical == subject]
    others = [
        msgspec.structs.replace(p, record=record)
        for (_, _, record), row in state.records.items()
        if state.subjects[row.subject].canonical == subject
        for p, s in state.prohibitions.values()
        if row.others & state.one_with(s) and p.record in {None, record}
    ]
    return (*own, *others)


def _headers(state: State, keys: GatherKeys, subject: uuid.UUID) -> tuple[RecordHeader, ...]:
    rows = [
        (record, resource, row)
        for (controller, resource, record), row in state.records.items()
        if controller == keys.discloser
        and state.subjects[row.subject].canonical == subject
        and row.state == "current"
        and resource in keys.resources
        and (row.month is None or keys.first <= row.month <= keys.last)
        and (keys.after is None or (record, resource) > (keys.after.record, keys.after.resource))
    ]
    guarded = any(state.subjects[s].protected for s in {subject} | state.household(subject))
    return tuple(
        RecordHeader(
            resource=resource,
            id=record,
            revision=row.revision,
            month=row.month,
            recorded_at=row.recorded_at,
            groups={name: digest(sealed) for name, (_, sealed) in row.groups.items()},
            protected=guarded or any(state.subjects[o].protected for o in row.others),
            others=tuple(state.subjects[o].seed for o in row.others),
        )
        for record, resource, row in sorted(rows, key=lambda r: r[:2])[: keys.limit]
    )


def _still(state: State, record: RecordEntry, named: ManifestRow, subject: uuid.UUID | None) -> bool:
    """Whether a record is as the manifest names it: revision, state, person, and the group's digest."""
    if record.state != "current" or record.revision != named.revision:
        return False
    if state.subjects[record.subject].canonical != subject:
        return False
    if not named.sensitivity:
        return True
    group = record.groups.get(named.sensitivity)
    return group is not None and digest(group[1]) == named.digest


class MemoryWrites:
    """One write transaction: a copy of the tables that takes their place when the block ends well."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryUnit]:
        base = self._tables.state
        unit = MemoryUnit(base.copy(), clock=self._tables.clock, held=self._tables.held_keys, append=self._append)
        try:
            yield unit
        finally:
            self._tables.held_keys -= unit.own_keys
        if self._tables.state is not base:
            message = "two transactions of the memory world overlap"
            raise RuntimeError(message)
        self._tables.state = unit.state
        if unit.entry is not None:
            self._tables.advance(unit.entry.leaf)

    def _append(
        self, unit: MemoryUnit, build: Build, claims: tuple[Claim, ...], basis: BasisVersions
    ) -> Receipt | Missed:
        entry = build(self._tables.position)
        appended = append_to(self._tables, unit.state, entry, claims, basis)
        if isinstance(appended, Receipt):
            unit.entry = entry
        return appended


class Memory:
    """A World over dictionaries, with the clock and tables a test may reach for; `county_of` maps municipality codes."""

    def __init__(self, *, seed: int = 1, county_of: dict[str, str] | None = None, aead: AeadFactory = aes_gcm) -> None:
        self.clock = Clock()
        self.tables = MemoryTables(self.clock)
        entropy = random.Random(seed).randbytes  # noqa: S311  # the same bytes at every run; keys nobody keeps
        vault = LocalVault(new_keyring(NOON, entropy), random=entropy, aead=aead)
        counties = county_of or {}
        self.world = World(
            environment=Environment.TEST,
            catalogue=CATALOGUE,
            county_of=lambda municipality, _day: counties.get(municipality),
            ledger=MemoryLedger(self.tables),
            records=MemoryRecords(self.tables),
            writes=MemoryWrites(self.tables),
            inspection=MemoryInspection(self.tables),
            vault=VaultGateway(vault),
            clock=self.clock,
            entropy=entropy,
        )


def aged(receipt: Receipt, by: dt.timedelta) -> Receipt:
    """The same receipt as if its entry had been recorded earlier; the stored row must be aged too."""
    return Receipt(entry=receipt.entry, leaf_hash=receipt.leaf_hash, recorded_at=receipt.recorded_at - by)
