"""What a successful answer holds, for the description only: the answers themselves are written by the use cases.

A test reads real answers of the running server into these and compares what comes out with what went in.
"""

import uuid
from typing import Annotated, Literal

import msgspec

from sauma.core.people import Confidential
from sauma.core.purposes import Text
from sauma.web.published import (
    Description,
    Digest,
    FieldPath,
    Health,
    Introspection,
    KeySet,
    ProblemPage,
    PurposeList,
    PurposePage,
    ResourceMetadata,
    Revocation,
    ServerMetadata,
    Status,
    TokenAnswer,
)

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339 in UTC.")]
Day = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"}, description="A day in Finland.")]
Month = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}$")]
BusinessId = Annotated[str, msgspec.Meta(pattern="^[0-9]{7}-[0-9]$", description="The organisation's Y-tunnus.")]
Cursor = Annotated[str | None, msgspec.Meta(description="Sent back to get the next page; null on the last one.")]
Revision = Annotated[int, msgspec.Meta(ge=1, description='Sent back as `If-Match: "<revision>"`.')]


class ReceiptAnswer(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The ledger entry the answer rests on.

    `signature` is Ed25519, base64url, by the key `kid` of /.well-known/jwks.json, over three lines joined by a line
    feed: `sauma/receipt/v1`, `entryId` and `leafHash`.
    """

    entry_id: uuid.UUID
    leaf_hash: Digest
    kid: str
    signature: str


class AnsweredPurpose(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The purpose as it stood when the decision was made."""

    id: str
    version: int
    catalogue_digest: Digest


class AnsweredProvision(Confidential, frozen=True, kw_only=True):
    """One provision the disclosure rests on."""

    act: str
    section: str
    title: Text


class AnsweredBasis(Confidential, frozen=True, kw_only=True):
    """On which ground and which provisions in force the answer was given."""

    kind: str
    provisions: tuple[AnsweredProvision, ...]


class AnsweredSubject(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The caller's own pairwise id of the person; it means nothing to any other organisation."""

    subject_id: str


class AnsweredCase(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The caller's own case."""

    case_reference: str


class DisclosedRecord(Confidential, frozen=True, kw_only=True, rename="camel"):
    """One record: `fields` holds the released members of the resource's own schema, and no others.

    A released member that nobody filled in is null. Where no record holds a field there is no record here either, and
    no row in `withheld`.
    """

    resource: str
    id: uuid.UUID
    revision: int
    recorded_at: Instant
    controller: BusinessId
    fields: dict[str, msgspec.Raw]


class ExistingMonth(Confidential, frozen=True, kw_only=True):
    """That something exists, for form `existence`; month null where the resource belongs to every month."""

    resource: str
    month: Month | None
    exists: Literal[True]


class WithheldField(Confidential, frozen=True, kw_only=True):
    """An optional, consent-bound or masked field that was not given, and why.

    `not-requested`: it is optional and was not asked for. `consent-required`: it leaves only with the client's
    consent. `protected`: it was asked for, and is masked for a protected person.
    """

    field: FieldPath
    reason: Literal["not-requested", "consent-required", "protected"]


class AnsweredSource(Confidential, frozen=True, kw_only=True, rename="camel"):
    """How current the controller's publication of a resource is; never person-dependent."""

    controller: BusinessId
    resource: str
    status: Literal["current", "delayed", "not-published"]
    current_as_of: Instant


class AnsweredContact(Confidential, frozen=True, kw_only=True):
    """Whom to ask instead."""

    controller: BusinessId


class CaseAnswer(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The main job's answer.

    `nothing-disclosable` is one and the same for every reason on the controller's side, an unknown person included:
    then `explanation` and `contact` stand in it. `existence` stands in the answer to form `existence` alone.
    """

    disclosure_id: uuid.UUID
    decided_at: Instant
    outcome: Literal["disclosed", "nothing-disclosable"]
    purpose: AnsweredPurpose
    basis: AnsweredBasis
    subject: AnsweredSubject
    case: AnsweredCase
    records: tuple[DisclosedRecord, ...]
    existence: tuple[ExistingMonth, ...] | msgspec.UnsetType = msgspec.UNSET
    withheld: tuple[WithheldField, ...]
    explanation: Text | msgspec.UnsetType = msgspec.UNSET
    contact: AnsweredContact | msgspec.UnsetType = msgspec.UNSET
    sources: tuple[AnsweredSource, ...]
    next_cursor: Cursor
    erase_by: Annotated[Day | None, msgspec.Meta(description="The last day the receiver may keep its copy.")]
    receipt: ReceiptAnswer


class MatterDone(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The matter as it now stands."""

    case_reference: str
    state: Literal["open", "closed"]
    revision: Revision
    receipt: ReceiptAnswer


class StoredRecord(Confidential, frozen=True, kw_only=True):
    """One record of a deposit."""

    resource: str
    id: uuid.UUID
    revision: Revision


class RecordDone(StoredRecord, frozen=True, kw_only=True):
    """The record as it now stands."""

    receipt: ReceiptAnswer


class AnnulmentDone(RecordDone, frozen=True, kw_only=True):
    """The record will never be disclosed again."""

    state: Literal["annulled"]


class DepositsDone(Confidential, frozen=True, kw_only=True):
    """Every record of the deposit, in the order sent."""

    records: tuple[StoredRecord, ...]
    receipt: ReceiptAnswer


class RecordState(Confidential, frozen=True, kw_only=True, rename="camel"):
    """What stands of the controller's own record: no content.

    `digests` has one member for each storage class: SHA-256 of the sealed group as it is stored, so it changes with
    every revision and says nothing of the content.
    """

    resource: str
    id: uuid.UUID
    revision: Revision
    state: Literal["current", "annulled"]
    recorded_at: Instant
    digests: dict[str, Digest]
    receipt: ReceiptAnswer


class TellingDone(Confidential, frozen=True, kw_only=True):
    """That the client was told is recorded under this id."""

    id: uuid.UUID
    receipt: ReceiptAnswer


class IdentifierChangeDone(Confidential, frozen=True, kw_only=True):
    """What the change came to among the caller's own records."""

    status: str
    reason: str
    receipt: ReceiptAnswer


class PublicationDone(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The publication state as it now stands."""

    resource: str
    status: Literal["current", "delayed", "not-published"]
    current_as_of: Instant
    revision: Revision
    receipt: ReceiptAnswer


class DisclosureSummary(Confidential, frozen=True, kw_only=True, rename="camel"):
    """One disclosure without content; the case reference is told to its receiver only."""

    id: uuid.UUID
    role: Literal["receiver", "discloser"]
    receiver: BusinessId
    discloser: BusinessId
    recorded_at: Instant
    purpose: str
    provisions: tuple[str, ...]
    case_reference: str | None
    fields: tuple[FieldPath, ...]
    receipt: ReceiptAnswer


class DisclosureList(Confidential, frozen=True, kw_only=True, rename="camel"):
    """One page, oldest first; `receipt` is that of this read."""

    disclosures: tuple[DisclosureSummary, ...]
    next_cursor: Cursor
    receipt: ReceiptAnswer


class DisclosurePage(DisclosureSummary, frozen=True, kw_only=True, rename="camel"):
    """One disclosure; `receipt` is the disclosure's own, `readReceipt` that of this read."""

    read_receipt: ReceiptAnswer


class ErasureDone(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The receiver's word is recorded."""

    disclosure_id: uuid.UUID
    extent: str
    receipt: ReceiptAnswer


class AuditSessionDone(Confidential, frozen=True, kw_only=True):
    """The session; its id goes into `Sauma-Audit-Session` on every ledger read."""

    id: uuid.UUID
    until: Instant
    receipt: ReceiptAnswer


class LedgerEntry(Confidential, frozen=True, kw_only=True, rename="camel"):
    """One entry: `leaf` and `manifest` are the canonical JSON texts that were hashed, in UTF-8.

    `leafHash` is SHA-256 of the one octet 0x00 followed by `leaf` (RFC 9162 section 2.1.1). The member `manifest` of
    the leaf is SHA-256 of `manifest` as it stands, in base64url without padding.

    The leaf is null where the caller's own house may not learn why it was refused; the payload where there is none.
    An auditor of the organisation that was asked does not see the receiver's `caseReference`; the receiver's does.
    """

    id: uuid.UUID
    recorded_at: Instant
    leaf: str | None
    leaf_hash: Digest
    manifest: str
    fields: tuple[FieldPath, ...]
    payload: dict[str, msgspec.Raw] | None
    read_receipt: ReceiptAnswer


ANSWERS: dict[str, type[msgspec.Struct]] = {
    "show_status": Status,
    "show_serving": Status,
    "show_live": Health,
    "show_ready": Health,
    "list_purposes": PurposeList,
    "show_purpose": PurposePage,
    "show_problem": ProblemPage,
    "show_description": Description,
    "show_authorization_server": ServerMetadata,
    "show_protected_resource": ResourceMetadata,
    "show_keys": KeySet,
    "issue_token": TokenAnswer,
    "introspect_token": Introspection,
    "revoke_token": Revocation,
    "query_case": CaseAnswer,
    "state_matter": MatterDone,
    "record_prior_information": TellingDone,
    "record_identifier_change": IdentifierChangeDone,
    "deposit_records": DepositsDone,
    "publish_state": PublicationDone,
    "put_one": RecordDone,
    "get_one": RecordState,
    "annul_one": AnnulmentDone,
    "list_own_disclosures": DisclosureList,
    "get_own_disclosure": DisclosurePage,
    "record_erasure": ErasureDone,
    "start_audit_session": AuditSessionDone,
    "get_ledger_entry": LedgerEntry,
}
"""What each route function answers when it succeeds."""
