"""Request bodies: closed objects in camelCase; what the server derives itself has no member here."""

import datetime as dt
import uuid
from typing import Annotated, Literal

import msgspec

from sauma.core.people import CASE_REFERENCE_PATTERN, Confidential, SubjectRef

CaseReference = Annotated[str, msgspec.Meta(pattern=CASE_REFERENCE_PATTERN, max_length=64)]
BusinessId = Annotated[str, msgspec.Meta(pattern="^[0-9]{7}-[0-9]$", max_length=9)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Code = Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,64}$", max_length=64)]
FieldPath = Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{1,40}[.][A-Za-z]{1,40}$", max_length=81)]
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
DayOrMoment = Annotated[
    str,
    msgspec.Meta(
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
        max_length=32,
    ),
]
"""A Helsinki day, or a moment with its offset (RFC 3339): case systems keep the one or the other."""


class OfficerBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The caseworker behind the call, or an unattended run (`kind` process, with its responsible unit)."""

    id: Word
    name: Word
    kind: Literal["person", "process"] = "person"
    role: Code | None = None
    unit: Word | None = None
    responsible_unit: Word | None = None


class PeriodBody(
    Confidential, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}, forbid_unknown_fields=True
):
    """From one day to another, both included; whole months count."""

    first: dt.date
    last: dt.date


class CaseQueryBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The main job: a purpose and a case, never a law."""

    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    case_reference: CaseReference
    subject: SubjectRef
    controller: BusinessId | None = None
    officer: OfficerBody | None = None
    period: PeriodBody | None = None
    form: Literal["values", "existence"] = "values"
    fields: Annotated[tuple[FieldPath, ...], msgspec.Meta(min_length=1, max_length=150)] | None = None
    necessity: dict[FieldPath, Code] = msgspec.field(default_factory=dict)
    consent_id: uuid.UUID | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class MatterBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The caller's own pending matter."""

    subject: SubjectRef
    kind: Code
    opened_at: DayOrMoment
    state: Literal["open", "closed"]
    unit: Word
    officer: OfficerBody | None = None


class CoSubjectBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Someone besides the subject whose data stand in the record."""

    subject: SubjectRef
    relation: Code


class RecordBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One record as its controller states it; `fields` are judged against the resource's own schema."""

    subject: SubjectRef
    case_reference: CaseReference
    retain_until: dt.date
    fields: msgspec.Raw
    co_subjects: Annotated[tuple[CoSubjectBody, ...], msgspec.Meta(max_length=50)] = ()
    source_reference: Word | None = None
    officer: OfficerBody | None = None


class DepositBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One record among up to 100; `expectedRevision` null means that it must not exist."""

    resource: Code
    record_id: uuid.UUID
    expected_revision: Annotated[int, msgspec.Meta(ge=1, le=999_999_999)] | None  # as many digits as If-Match takes
    subject: SubjectRef
    case_reference: CaseReference
    retain_until: dt.date
    fields: msgspec.Raw
    co_subjects: Annotated[tuple[CoSubjectBody, ...], msgspec.Meta(max_length=50)] = ()
    source_reference: Word | None = None


class DepositsBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Up to 100 records, all or none."""

    records: Annotated[tuple[DepositBody, ...], msgspec.Meta(min_length=1, max_length=100)]
    officer: OfficerBody | None = None


class AnnulmentBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why a record is never to be disclosed again."""

    reason: Literal["wrong-person", "wrong-content", "no-right"]
    officer: OfficerBody | None = None


class PriorInformationBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """That the client was told beforehand (ToTuL 18 a.1 §)."""

    subject: SubjectRef
    received_by: Word
    text_version: Word
    language: Code
    at: Moment
    officer: OfficerBody | None = None


class IdentifierChangeBody(
    Confidential,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"old": "from", "new": "to", "effective_at": "effectiveAt"},
):
    """A person's identifier was corrected, changed, assigned, or two persons were wrongly linked."""

    old: SubjectRef
    new: SubjectRef
    reason: Literal["corrected", "changed", "assigned", "wrong-link"]
    effective_at: Moment
    officer: OfficerBody | None = None


class PublicationStateBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How current the controller's publication of a resource is; never person-dependent."""

    status: Literal["current", "delayed", "not-published"]
    current_as_of: Moment


class ErasureBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What became of a disclosure's content at the receiver."""

    extent: Literal["erased", "filed-in-client-document", "other-purpose"]
    at: Moment
    purpose: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    officer: OfficerBody | None = None


class AuditSessionBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A time-boxed right to read the ledger for a dossier (purpose S2)."""

    audit_purpose: Code
    dossier: CaseReference
    until: Moment
    officer: OfficerBody | None = None
