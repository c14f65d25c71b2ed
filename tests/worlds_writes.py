"""One write transaction of the in-memory World, statement by statement as in migrations/0005_writes.sql."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Protocol

import msgspec

from sauma.core.canonical import digest
from sauma.core.disclosure import Receipt
from sauma.core.evidence import Claim, Entry, unbase64url
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
from worlds_rows import MatterEntry, PublicationEntry, RecordEntry, State, SubjectRow, ToldRow, revoked, take_claims

KEPT = dt.timedelta(days=7)


class Append(Protocol):
    def __call__(
        self, unit: "MemoryUnit", build: Build, claims: tuple[Claim, ...], basis: BasisVersions
    ) -> Receipt | Missed: ...


class MemoryUnit:
    """Works on its own copy of the tables; `held` are the idempotency keys other open transactions hold."""

    def __init__(self, state: State, *, clock: Callable[[], dt.datetime], held: set[bytes], append: Append) -> None:
        self.state = state
        self.entry: Entry | None = None
        self.own_keys: set[bytes] = set()
        self._clock = clock
        self._held = held
        self._append = append

    async def begin(self, key: bytes, request: bytes) -> Begun:
        if key in self._held:
            return Begun(state="in-progress", stored=None)
        self._held.add(key)
        self.own_keys.add(key)
        kept = self.state.idempotency.get(key)
        if kept is None or kept[2] <= self._clock():
            return Begun(state="new", stored=None)
        if kept[0] != request:
            return Begun(state="reused", stored=None)
        return Begun(state="replayed", stored=kept[1])

    async def claim(self, claims: tuple[Claim, ...], basis: BasisVersions) -> Missed | None:
        if not self.state.caller_stands(basis, self._clock()) or revoked(self.state, claims):
            return Missed.CALLER_CHANGED
        return take_claims(self.state, claims)

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        return self._append(self, build, claims, basis)

    async def end(self, key: bytes, request: bytes, stored: Stored) -> None:
        self.state.idempotency[key] = (request, stored, self._clock() + KEPT)

    async def find_subject(self, controller: str, index: bytes) -> KnownSubject | None:
        subject = self.state.identifiers.get((controller, index))
        if subject is None:
            return None
        keys = SubjectKeys(controller=controller, subject=subject, wrapped=self.state.keys[subject])
        return KnownSubject(id=subject, canonical=self.state.subjects[subject].canonical, keys=keys)

    async def add_subject(self, controller: str, index: bytes, subject: NewSubject) -> bool:
        if (controller, index) in self.state.identifiers:
            return False
        self._add(controller, subject)
        self.state.identifiers[controller, index] = subject.keys.subject
        return True

    def _add(self, controller: str, new: NewSubject) -> None:
        subject = new.keys.subject
        self.state.subjects[subject] = SubjectRow(
            id=subject, controller=controller, canonical=subject, seed=new.wrapped_seed
        )
        self.state.basis[subject] = 1
        self.state.keys[subject] = new.keys.wrapped

    async def protect_subject(self, subject: uuid.UUID, *, protected: bool | None, unit: str, opaque: str) -> None:
        changed = False
        for same in self.state.one_with(subject):
            row = self.state.subjects[same]
            flag = row.protected if protected is None else protected
            after = msgspec.structs.replace(row, protected=flag, handling_unit=opaque if flag else unit)
            changed |= after != row
            self.state.subjects[same] = after
        if changed:
            self.state.bump(subject)

    async def put_matter(self, row: MatterRow) -> Written:
        at = (row.organisation, row.case_mac)
        known = self.state.matters.get(at)
        if known is None:
            if row.expected is not None:
                return Written(status="stale", revision=None)
            self.state.matters[at] = MatterEntry(subject=row.subject, state=row.state, version=1)
            return Written(status="created", revision=1)
        if row.expected is None and row.state != "closed":
            return Written(status="required", revision=known.version)
        if row.expected is not None and row.expected != known.version:
            return Written(status="stale", revision=known.version)
        if known.subject not in self.state.one_with(row.subject):
            return Written(status="conflict", revision=None)
        version = known.version + 1
        self.state.matters[at] = MatterEntry(subject=row.subject, state=row.state, version=version)
        return Written(status="changed", revision=version)

    async def put_record(self, row: RecordRow) -> Written:
        at = (row.controller, row.resource, row.id)
        known = self.state.records.get(at)
        missed = self._unmet(known, row)
        if missed is not None:
            stands = known is not None and missed in {"required", "stale"}
            return Written(status=missed, revision=known.revision if stands and known else None)
        self.state.records[at] = RecordEntry(
            subject=row.subject,
            revision=row.revision,
            state="current",
            month=row.month,
            recorded_at=self._clock(),
            groups={name: (key, sealed) for name, key, sealed in row.groups},
            others=frozenset(row.others),
        )
        return Written(status="created" if known is None else "changed", revision=row.revision)

    def _unmet(self, known: RecordEntry | None, row: RecordRow) -> str | None:
        if known is None:
            return None if row.revision == 1 else "stale"
        if row.revision == 1:
            return "required"
        if row.revision != known.revision + 1:
            return "stale"
        same = known.subject in self.state.one_with(row.subject)
        return None if known.state == "current" and same else "conflict"

    async def record_state(self, controller: str, resource: str, record: uuid.UUID) -> RecordHead | None:
        row = self.state.records.get((controller, resource, record))
        if row is None:
            return None
        return RecordHead(
            revision=row.revision,
            state=row.state,
            recorded_at=row.recorded_at,
            digests={name: digest(sealed) for name, (_, sealed) in sorted(row.groups.items())},
        )

    async def annul_record(self, controller: str, resource: str, record: uuid.UUID, expected: int | None) -> Written:
        row = self.state.records.get((controller, resource, record))
        if row is None:
            return Written(status="absent", revision=None)
        if expected is not None and expected != row.revision:
            return Written(status="stale", revision=row.revision)
        if row.state != "current":
            return Written(status="conflict", revision=None)
        self.state.records[controller, resource, record] = msgspec.structs.replace(row, state="annulled")
        return Written(status="changed", revision=row.revision)

    async def add_prior_information(self, row: PriorInformationRow) -> None:
        self.state.told[row.id] = ToldRow(
            id=row.id, organisation=row.organisation, subject=row.subject, told_at=row.told_at
        )
        self.state.bump(row.subject)

    async def link_identifier(self, controller: str, old: bytes, new: bytes, sealed: bytes) -> str:  # noqa: ARG002  # the port's
        source = self.state.canonical(controller, old)
        target = self.state.canonical(controller, new)
        if source is None:
            return "absent"
        if target is None:
            self.state.identifiers[controller, new] = self.state.identifiers[controller, old]
            target = source
        else:
            self.state.links[frozenset(self.state.identifiers[controller, i] for i in (old, new))] = None
            self._join(source, target)
        self.state.bump(target)
        self.state.bump(source)
        return "linked"

    def _join(self, source: uuid.UUID, target: uuid.UUID) -> None:
        both = self.state.one_with(source) | self.state.one_with(target)
        protected = any(self.state.subjects[s].protected for s in both)
        kept = self.state.subjects[target]
        unit = "" if protected and not kept.protected else kept.handling_unit
        for subject in both:
            self.state.subjects[subject] = msgspec.structs.replace(
                self.state.subjects[subject], canonical=target, protected=protected, handling_unit=unit
            )

    async def split_identifier(self, controller: str, old: bytes, new: bytes, subject: NewSubject) -> str:
        source = self.state.identifiers.get((controller, old))
        target = self.state.identifiers.get((controller, new))
        if source is None or target is None:
            return "absent"
        if source != target and self.state.links.pop(frozenset((source, target)), 0) is not None:
            return "absent"
        self.state.bump(source)
        protected = self.state.subjects[self.state.subjects[target].canonical].protected
        for same in self.state.one_with(target):
            self.state.subjects[same] = msgspec.structs.replace(self.state.subjects[same], handling_unit="")
        if source == target:
            self._add(controller, subject)
            self.state.identifiers[controller, new] = subject.keys.subject
            added = self.state.subjects[subject.keys.subject]
            self.state.subjects[added.id] = msgspec.structs.replace(added, protected=protected)
            return "split"
        for apart in (source, target):
            for same in self._linked(apart):
                self.state.subjects[same] = msgspec.structs.replace(self.state.subjects[same], canonical=apart)
        self.state.bump(target)
        return "split"

    def _linked(self, subject: uuid.UUID) -> set[uuid.UUID]:
        """All that are linked with a person, near or far."""
        found = {subject}
        while more := {s for pair in self.state.links if pair & found for s in pair} - found:
            found |= more
        return found

    async def put_publication_state(self, controller: str, resource: str, status: str, as_of: dt.datetime) -> Written:
        known = self.state.publications.get((controller, resource))
        revision = 1 if known is None else known.revision + 1
        self.state.publications[controller, resource] = PublicationEntry(status=status, as_of=as_of, revision=revision)
        return Written(status="created" if known is None else "changed", revision=revision)

    async def disclosure_parties(self, entry: uuid.UUID) -> DisclosureParties | None:
        row = self.state.ledger.get(entry)
        if row is None or row.leaf["kind"] != "disclosure":
            return None
        receiver, discloser, purpose, case = (
            str(row.leaf[n]) for n in ("organisation", "counterparty", "purpose", "case")
        )
        return DisclosureParties(receiver=receiver, discloser=discloser, purpose=purpose, case=unbase64url(case))

    async def open_audit_session(self, row: AuditSessionRow) -> bool:
        grant = self.state.audits.get((row.client, row.dossier))
        if grant is None or row.until > grant.until:
            return False
        self.state.sessions[row.id] = row
        return True
