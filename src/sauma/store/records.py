"""Gather and read: facts for the decision, and ciphertext for a committed receipt; Sealed is minted here."""

import uuid

import asyncpg

from sauma.core.disclosure import Receipt, Sealed, SealedGroup, WrappedKey
from sauma.core.errors import Unavailable
from sauma.core.evidence import ManifestRow
from sauma.core.matters import (
    Agreement,
    BasisVersions,
    Matter,
    MatterState,
    Prohibition,
    ProhibitionKind,
    RecordHeader,
    SubjectFacts,
)
from sauma.core.parties import Organisation, OrganisationKind
from sauma.exchange.rows import Gathered, GatherKeys, Missed, Source
from sauma.store.pool import UNABLE, Database
from sauma.store.statements import load

_SQL = load("path")
HANDED_OUT = "handed-out"


class PostgresRecords:
    """Facts and sealed groups in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def gather(self, keys: GatherKeys) -> Gathered:
        """One row of everything a decision rests on.

        Raises:
            Unavailable: the database cannot answer; nothing was written.
        """
        async with self._database.hold() as held:
            try:
                row = await held.connection.fetchrow(
                    _SQL["gather"],
                    keys.client,
                    keys.organisation,
                    keys.discloser,
                    keys.purpose,
                    keys.case_mac,
                    keys.own_index,
                    keys.index,
                    ",".join(keys.resources),  # asyncpg asks each member of an array five times what it is
                    keys.first,
                    keys.last,
                    keys.after.record if keys.after else None,
                    keys.after.resource if keys.after else None,
                    keys.limit,
                )
            except UNABLE:
                raise Unavailable("ledger-unavailable") from None
        if row is None:
            raise Unavailable("ledger-unavailable")
        return _gathered(row, keys)

    async def read(self, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed | Missed:
        """The sealed groups the committed entry names, each with the manifest row that says what may be opened.

        Raises:
            Unavailable: the database cannot answer; nothing left it.
        """
        async with self._database.hold() as held:
            try:
                row = await held.connection.fetchrow(_SQL["read"], receipt.entry, receipt.recorded_at)
            except UNABLE:
                raise Unavailable("ledger-unavailable") from None
        if row is None or row["status"] != HANDED_OUT:
            status = "no-entry" if row is None else row["status"]
            return _MISSED.get(status, Missed.SUPERSEDED)
        return _sealed(row, receipt, manifest)


_MISSED = {
    "no-entry": Missed.NO_ENTRY,
    "uncommitted": Missed.NO_ENTRY,
    "stale": Missed.STALE,
    "basis-changed": Missed.BASIS_CHANGED,
    "caller-changed": Missed.CALLER_CHANGED,
}


def _sealed(row: asyncpg.Record, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed:
    named = {(m.resource, m.record, m.sensitivity): m for m in manifest if m.fields}
    rows = zip(
        row["resource"] or (),
        row["record"] or (),
        row["class"] or (),
        row["subject"] or (),
        row["sealed"] or (),
        row["data_key"] or (),
        row["wrapped"] or (),
        strict=True,
    )
    groups = tuple(
        SealedGroup(
            row=named[resource, record, sensitivity],
            subject=subject,
            sealed=sealed,
            key=WrappedKey(id=key, wrapped=wrapped),
        )
        for resource, record, sensitivity, subject, sealed, key, wrapped in rows
    )
    return Sealed(receipt=receipt, controller=row["controller"], groups=groups)


def _gathered(row: asyncpg.Record, keys: GatherKeys) -> Gathered:
    found = row["found"]
    return Gathered(
        organisation=_organisation(row, "organisation", keys.organisation),
        discloser=_organisation(row, "discloser", keys.discloser),
        agreement=_agreement(row, keys.purpose),
        matter=None if row["matter_state"] is None else _matter(row),
        matter_elsewhere=row["matter_elsewhere"],
        prior_information=row["prior_information"],
        found=found,
        subject=_subject(row),
        prohibitions=tuple(
            Prohibition(id=i, kind=ProhibitionKind(k), record=r)
            for i, k, r in zip(row["prohibition"], row["prohibition_kind"], row["prohibition_record"], strict=True)
        ),
        headers=_headers(row),
        recent=row["recent"],
        sources=tuple(
            Source(resource=r, status=s, current_as_of=t)
            for r, s, t in zip(row["source_resource"], row["source_status"], row["source_as_of"], strict=True)
        ),
        basis=_basis(row, keys),
    )


def _basis(row: asyncpg.Record, keys: GatherKeys) -> BasisVersions:
    return BasisVersions(
        client=keys.client,
        client_version=keys.client_version,
        organisation=keys.organisation,
        organisation_version=row["organisation_version"],
        discloser=keys.discloser if row["discloser_version"] is not None else None,
        discloser_version=row["discloser_version"],
        agreement=row["agreement"],
        agreement_version=row["agreement_version"],
        subject=row["subject"],
        subject_version=row["subject_version"],
        case_mac=keys.case_mac,
        matter_version=row["matter_version"],
    )


def _organisation(row: asyncpg.Record, name: str, business_id: str) -> Organisation | None:
    if row[f"{name}_version"] is None:
        return None
    return Organisation(
        id=business_id,
        kind=OrganisationKind(row[f"{name}_kind"]),
        active=row[f"{name}_active"],
        version=row[f"{name}_version"],
    )


def _agreement(row: asyncpg.Record, purpose: str) -> Agreement | None:
    if row["agreement"] is None:
        return None
    return Agreement(
        id=row["agreement"],
        purpose=purpose,
        valid_from=row["agreement_from"],
        valid_until=row["agreement_until"],
        active=row["agreement_active"],
        max_months=row["agreement_months"],
        per_person_day=row["agreement_per_day"],
        version=row["agreement_version"],
    )


def _matter(row: asyncpg.Record) -> Matter:
    return Matter(
        state=MatterState(row["matter_state"]),
        concerns_subject=row["matter_concerns"],
        version=row["matter_version"],
    )


def _subject(row: asyncpg.Record) -> SubjectFacts | None:
    if row["subject"] is None:
        return None
    return SubjectFacts(
        id=row["subject"],
        protected=row["protected"],
        handling_unit=row["handling_unit"],
        version=row["subject_version"],
    )


def _headers(row: asyncpg.Record) -> tuple[RecordHeader, ...]:
    groups: dict[tuple[str, uuid.UUID], dict[str, bytes]] = {}
    for resource, record, sensitivity, digest in zip(
        row["group_resource"], row["group_record"], row["group_class"], row["group_digest"], strict=True
    ):
        groups.setdefault((resource, record), {})[sensitivity] = digest
    others: dict[tuple[str, uuid.UUID], tuple[bytes, ...]] = {}
    people = zip(row["person_resource"], row["person_record"], row["person_seed"], strict=True)
    for resource, record, seed in people:
        others[resource, record] = (*others.get((resource, record), ()), seed)
    columns = ("record_resource", "record", "record_revision", "record_month", "record_at", "record_protected")
    return tuple(
        RecordHeader(
            resource=resource,
            id=record,
            revision=revision,
            month=month,
            recorded_at=at,
            groups=groups.get((resource, record), {}),
            protected=protected,
            others=others.get((resource, record), ()),
        )
        for resource, record, revision, month, at, protected in zip(*(row[c] for c in columns), strict=True)
    )
