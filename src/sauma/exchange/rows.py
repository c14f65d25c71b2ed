"""The shapes rows take between the use cases and the store."""

import datetime as dt
import enum
import uuid

import msgspec

from sauma.core.fields import Sensitivity
from sauma.core.matters import Agreement, BasisVersions, Matter, Prohibition, RecordHeader, RecordKey, SubjectFacts
from sauma.core.parties import Organisation
from sauma.core.people import Confidential


class Missed(enum.Enum):
    """Why an append wrote nothing or a read handed out nothing.

    The once-only ids by kind: REPLAYED is the proof's, the assertion's and the subject token's say so; REVOKED_BEFORE
    is a token revoked a second time. A revoked token's next call is CALLER_CHANGED, as a suspended system's.
    """

    REPLAYED = "replayed"
    ASSERTION_REPLAYED = "assertion-replayed"
    SUBJECT_TOKEN_REPLAYED = "subject-token-replayed"  # noqa: S105  # what happened, no secret
    REVOKED_BEFORE = "revoked-before"
    CALLER_CHANGED = "caller-changed"
    BASIS_CHANGED = "basis-changed"
    SUPERSEDED = "superseded"
    STALE = "stale"
    NO_ENTRY = "no-entry"


class GatherKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What gather looks for: keyed indexes and closed names, never an identity code."""

    client: str
    client_version: int
    organisation: str
    discloser: str
    purpose: str
    case_mac: bytes
    own_index: bytes
    index: bytes
    resources: tuple[str, ...]
    first: str
    last: str
    after: RecordKey | None
    limit: int


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """How current a controller says its publication of one resource is; never person-dependent."""

    resource: str
    status: str
    current_as_of: dt.datetime


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Gather's one row in types; `found` is False where the controller's decoy stands in."""

    organisation: Organisation | None
    discloser: Organisation | None
    agreement: Agreement | None
    matter: Matter | None
    matter_elsewhere: bool
    prior_information: uuid.UUID | None
    found: bool
    subject: SubjectFacts | None
    prohibitions: tuple[Prohibition, ...]
    headers: tuple[RecordHeader, ...]
    recent: int
    sources: tuple[Source, ...]
    basis: BasisVersions


class SubjectKeys(Confidential, frozen=True, kw_only=True):
    """A person's wrapped data keys at one controller, by class."""

    controller: str
    subject: uuid.UUID
    wrapped: dict[Sensitivity, tuple[uuid.UUID, bytes]]


class KnownSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A person at a controller: random id, the id it is one with, and wrapped keys."""

    id: uuid.UUID
    canonical: uuid.UUID
    keys: SubjectKeys


class NewSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A person about to be added: nothing in clear says who."""

    keys: SubjectKeys
    sealed_identifier: bytes
    wrapped_seed: bytes


class RecordRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record about to be stored; `groups` are (class, data key, sealed) under `revision`."""

    controller: str
    resource: str
    id: uuid.UUID
    subject: uuid.UUID
    revision: int
    month: str | None
    retain_until: dt.date
    groups: tuple[tuple[str, uuid.UUID, bytes], ...]
    others: tuple[uuid.UUID, ...]


class RecordHead(msgspec.Struct, frozen=True, kw_only=True):
    """A controller's own record without its content."""

    revision: int
    state: str
    recorded_at: dt.datetime
    digests: dict[str, bytes]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a write statement said: created, changed, or why not (stale, required, conflict, absent).

    `revision` is the one reached, or, where a precondition failed on something that stands, the one that stands.
    """

    status: str
    revision: int | None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What a repeated write is answered with; never client data."""

    status: int
    answer: bytes
    etag: str | None


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a write is new, in progress, its key used for another body, or answered before."""

    state: str
    stored: Stored | None


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger row as inspected: leaf, hash, manifest and the still encrypted payload."""

    id: uuid.UUID
    recorded_at: dt.datetime
    leaf: bytes
    leaf_hash: bytes
    manifest: bytes
    payload: bytes | None
    payload_key: bytes | None


class ListKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Which disclosures to list: of one purpose, None for all; `cases` are the month tags of one case, None for all."""

    organisation: str
    as_receiver: bool
    since: dt.datetime
    until: dt.datetime
    purpose: str | None
    cases: tuple[bytes, ...] | None
    after: uuid.UUID | None
    limit: int


class DisclosureParties(msgspec.Struct, frozen=True, kw_only=True):
    """Who received and who disclosed, under which purpose; `case` is the receiver's case as the month's tag."""

    receiver: str
    discloser: str
    purpose: str
    case: bytes


class InspectKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Which entry an auditor looks at, for which organisation, in which audit session."""

    organisation: str
    session: uuid.UUID
    entry: uuid.UUID


class MatterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A matter as it is stored: kind, unit and reference are inside `sealed`."""

    organisation: str
    case_mac: bytes
    subject: uuid.UUID
    state: str
    expected: int | None
    sealed: bytes


class PriorInformationRow(msgspec.Struct, frozen=True, kw_only=True):
    """That the client was told, as stored: who told, and the text's version and language, are inside `sealed`."""

    id: uuid.UUID
    organisation: str
    subject: uuid.UUID
    told_at: dt.datetime
    sealed: bytes


class AuditSessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An auditor's session as stored under the grant of its dossier; the officer stands in the entry's payload."""

    id: uuid.UUID
    organisation: str
    client: str
    audit_purpose: str
    dossier: str
    until: dt.datetime
