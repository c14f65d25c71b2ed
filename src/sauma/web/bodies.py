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
RetainUntil = Annotated[
    dt.date, msgspec.Meta(description="The last day the controller keeps the record; not before today.")
]
RecordCase = Annotated[
    CaseReference, msgspec.Meta(description="The controller's case the record stands in; it needs no matter on record.")
]
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
DayOrMoment = Annotated[
    str,
    msgspec.Meta(
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
        max_length=32,
        description="A day in Finland, or a moment with its offset (RFC 3339). Not in the future.",
    ),
]
"""A Helsinki day, or a moment with its offset (RFC 3339): case systems keep the one or the other."""


class OfficerBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The caseworker behind the call, or an unattended run (`kind` process, with its responsible unit).

    May be left out where the token names the officer. Where both do they must be the same, else 400 `invalid-value`.
    """

    id: Annotated[Word, msgspec.Meta(description="The caller's own id of the officer or run; no identity code.")]
    name: Word
    kind: Literal["person", "process"] = "person"
    role: Code | None = None
    unit: Word | None = None
    responsible_unit: Word | None = None


class PeriodBody(
    Confidential, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}, forbid_unknown_fields=True
):
    """From one day to another, both included; whole months count.

    The bounds are those of this day, not of the period's length: see `from` and `to` (403 `window-exceeded`).
    """

    first: Annotated[
        dt.date,
        msgspec.Meta(
            description="In one of the last `maxMonths` months, this one counted. `maxMonths` is the purpose's "
            "`window.maxMonths`; the agreement of the two organisations may set fewer."
        ),
    ]
    last: Annotated[dt.date, msgspec.Meta(description="Not before `from`, and not after the end of next month.")]


class CaseQueryBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The main job: a purpose and a case, never a law.

    `controller` is needed under every purpose whose discloser is not Kela: so Kela names the county it asks.
    Without `period` the purpose's `window.defaultMonths` count, this month included.
    """

    purpose: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=64, description="The id of a purpose that is `available`: /v1/purposes."),
    ]
    case_reference: Annotated[
        CaseReference, msgspec.Meta(description="The caller's own open matter, stated with PUT /v1/matters.")
    ]
    subject: SubjectRef
    controller: Annotated[
        BusinessId | None,
        msgspec.Meta(
            description="The Y-tunnus of the organisation asked. May be left out where the purpose has only one, Kela. "
            "Kela names the county; without it the answer is 400 `invalid-value`."
        ),
    ] = None
    officer: OfficerBody | None = None
    period: PeriodBody | None = None
    form: Annotated[
        Literal["values", "existence"],
        msgspec.Meta(description="`existence`: only in which months there is something, no value."),
    ] = "values"
    fields: Annotated[
        Annotated[tuple[FieldPath, ...], msgspec.Meta(min_length=1, max_length=150)] | None,
        msgspec.Meta(description="The fields asked for. Left out: every field that the purpose marks R."),
    ] = None
    necessity: Annotated[
        dict[FieldPath, Code],
        msgspec.Meta(description="For each asked field that the purpose marks o: the code that justifies it."),
    ] = msgspec.field(default_factory=dict)
    consent_id: Annotated[
        uuid.UUID | None, msgspec.Meta(description="Planned: no purpose that is available today takes it.")
    ] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50, description="How many records on a page.")] = 50
    cursor: Annotated[
        Annotated[str, msgspec.Meta(max_length=200)] | None,
        msgspec.Meta(description="`nextCursor` of the page before, with a body that is otherwise the same."),
    ] = None


class MatterBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The caller's own pending matter.

    It cannot be fetched: its ETag is in your last answer, and in every 428 and 412. It stays about the one person
    (409 `state-conflict`). One that was closed is opened again like any other change, with If-Match.
    """

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
    """One record as its controller states it; `fields` are judged against the resource's own schema.

    A controller may deposit records of every resource today. It needs no matter of its own.
    """

    subject: SubjectRef
    case_reference: RecordCase
    retain_until: RetainUntil
    fields: msgspec.Raw
    co_subjects: Annotated[tuple[CoSubjectBody, ...], msgspec.Meta(max_length=50)] = ()
    source_reference: Word | None = None
    officer: OfficerBody | None = None


class DepositBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One record among up to 100; `expectedRevision` null means that it must not exist."""

    resource: Code
    record_id: uuid.UUID
    expected_revision: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=999_999_999)] | None,  # as many digits as If-Match takes
        msgspec.Meta(
            description="The revision that is replaced, as the example replaces the first one; null where the record "
            "is new and must not exist. Otherwise 412, without an ETag: GET the record."
        ),
    ]
    subject: SubjectRef
    case_reference: RecordCase
    retain_until: RetainUntil
    fields: msgspec.Raw
    co_subjects: Annotated[tuple[CoSubjectBody, ...], msgspec.Meta(max_length=50)] = ()
    source_reference: Word | None = None


class DepositsBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Up to 100 records, all or none. A controller may deposit records of every resource today; it needs no matter."""

    records: Annotated[tuple[DepositBody, ...], msgspec.Meta(min_length=1, max_length=100)]
    officer: OfficerBody | None = None


class AnnulmentBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why a record is never to be disclosed again. This is final: a later PUT or annulment is answered with 409."""

    reason: Literal["wrong-person", "wrong-content", "no-right"]
    officer: OfficerBody | None = None


class PriorInformationBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """That the client was told beforehand (ToTuL 18 a.1 §).

    It is about the person, not about one case: every later query of the same organisation about the same person
    finds it by itself, and it does not run out. It cannot be fetched or changed; a new text is a new one.
    """

    subject: SubjectRef
    received_by: Annotated[
        Word, msgspec.Meta(description="Who was told, in your own words: `client`, `guardian`. No identity code.")
    ]
    text_version: Annotated[Word, msgspec.Meta(description="Which version of your own text was given.")]
    language: Annotated[Code, msgspec.Meta(description="The language it was given in.")]
    at: Annotated[Moment, msgspec.Meta(description="When. Not in the future.")]
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
    """What became of a disclosure's content at the receiver. A later attestation adds to the earlier one."""

    extent: Literal["erased", "filed-in-client-document", "other-purpose"]
    at: Annotated[Moment, msgspec.Meta(description="When. Not in the future.")]
    purpose: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    officer: OfficerBody | None = None


class AuditSessionBody(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A time-boxed right to read the ledger for a dossier (purpose S2).

    The officer's role is one of `receiverRoles` of the purpose `supervision-audit`; a read in the session needs no
    officer in its token. The session is the calling system's own. An organisation's auditor sees the entries it is
    party to, as the caller or as the one that was asked; the supervisory authority sees all.
    """

    audit_purpose: Code
    dossier: Annotated[CaseReference, msgspec.Meta(description="The auditor's own case.")]
    until: Annotated[
        Moment,
        msgspec.Meta(
            description="When the session ends: later than now, at most 8 hours ahead. The example's has passed."
        ),
    ]
    officer: OfficerBody | None = None
