"""What the ledger may hold: the event, its leaf, its manifest, and the replay ids an append claims with it."""

import base64
import datetime as dt
import enum
import uuid

import msgspec

from sauma.core.canonical import digest

LEAF_VERSION = 1
LEAF_LIMIT = 1024
MANIFEST_LIMIT = 65_536
TAGS_IN_LEAF = 3
TAGS_BESIDE_CONSENT = 1


def base64url(value: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5), as leaves and manifests spell digests and tags."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class ClaimKind(enum.Enum):
    """What a claimed digest stands for.

    TOKEN is never claimed: the append refuses while a REVOKED of the same digest stands (RFC 7009). SUBJECT_TOKEN is an
    identity provider's word on an officer (RFC 8693).
    """

    PROOF = "proof"
    ASSERTION = "assertion"
    SUBJECT_TOKEN = "subject-token"  # noqa: S105  # a kind of claim, no secret
    TOKEN = "token"  # noqa: S105  # a kind of claim
    REVOKED = "revoked"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A once-only id: the first 16 bytes of a SHA-256, kept until `expires_at` (Unix seconds)."""

    kind: ClaimKind
    digest: bytes
    expires_at: int


class EventKind(enum.Enum):
    """Closed list of what the ledger may hold."""

    DISCLOSURE = "disclosure"
    REFUSAL = "refusal"
    WRITE = "write"
    OUTCOME = "outcome"
    ERASURE = "erasure"
    ANNULMENT = "annulment"
    ANNOTATION = "annotation"
    READ = "read"
    ADMIN = "admin"
    WRITER = "writer"


class ManifestRow(msgspec.Struct, frozen=True, array_like=True):
    """One sealed group an entry names: exactly these fields of exactly this revision may be opened."""

    resource: str
    record: uuid.UUID
    revision: int
    sensitivity: str
    fields: tuple[int, ...]
    digest: bytes


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a writer stands: its own id, the number of its next leaf and the hash of its previous one."""

    writer: uuid.UUID
    counter: int
    previous: bytes


class LedgerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event before it is written (AsTL 10.3, 39 §): who, on whom, for what, on which provision, with which result.

    Tags are keyed and monthly; `officer`, `case` and `subjects` name nobody in clear. `request` is salted with the
    payload's salt, because a body holds an identity code that could otherwise be found by trial. `supplier` is the
    business id of whoever acted for the organisation, `assurance` how sure the entry is of the officer.
    """

    id: uuid.UUID
    at: dt.datetime
    kind: EventKind
    organisation: str | None
    client: str | None
    supplier: str | None = None
    counterparty: str | None = None
    purpose: str | None = None
    provisions: tuple[str, ...] = ()
    consent: uuid.UUID | None = None
    decision: str | None = None
    reason: str | None = None
    subjects: tuple[bytes, ...] = ()
    officer: bytes | None = None
    assurance: str | None = None
    case: bytes | None = None
    manifest: tuple[ManifestRow, ...] = ()
    payload: bytes | None = None
    request: bytes | None = None
    assertion: bytes | None = None
    catalogue: bytes | None = None
    refers: uuid.UUID | None = None


class Leaf(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The members of a leaf as they are hashed: sorted, without those that do not apply.

    Digests and tags are base64url without padding; `subjects`, `officer` and `case` are keyed monthly tags; `manifest`,
    `side` and `payload` commit to what stands beside the leaf in its row; `previous` links to the writer's last leaf.
    """

    v: int
    id: uuid.UUID
    at: str
    kind: EventKind
    writer: uuid.UUID
    counter: int
    previous: str
    organisation: str | None = None
    client: str | None = None
    supplier: str | None = None
    counterparty: str | None = None
    purpose: str | None = None
    provisions: tuple[str, ...] = ()
    consent: uuid.UUID | None = None
    decision: str | None = None
    reason: str | None = None
    subjects: tuple[str, ...] = ()
    side: str | None = None
    officer: str | None = None
    assurance: str | None = None
    case: str | None = None
    manifest: str | None = None
    payload: str | None = None
    request: str | None = None
    assertion: str | None = None
    catalogue: str | None = None
    refers: uuid.UUID | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of one ledger row: leaf, manifest, side tags and the encrypted payload with its wrapped key."""

    id: uuid.UUID
    leaf: bytes
    manifest: bytes
    side: bytes
    payload: bytes | None
    payload_key: bytes | None


def manifest_bytes(rows: tuple[ManifestRow, ...]) -> bytes:
    """The manifest as canonical JSON: rows of [resource, record, revision, class, field ids, digest]; ≤ 64 KiB.

    Raises:
        ValueError: the manifest is larger than the limit.
    """
    lines: list[tuple[str, uuid.UUID, int, str, tuple[int, ...], str]] = [
        (r.resource, r.record, r.revision, r.sensitivity, r.fields, base64url(r.digest)) for r in rows
    ]
    body = msgspec.json.encode(lines)  # canonical as it is: arrays of texts and small integers
    if len(body) > MANIFEST_LIMIT:
        message = "manifest larger than its limit"
        raise ValueError(message)
    return body


def leaf_bytes(event: LedgerEvent, position: Position, manifest: bytes, side: bytes) -> bytes:
    """The leaf: canonical JSON of at most 1 KiB with no personal data in clear.

    More than three persons stand in the side tags, which the leaf commits to.

    Raises:
        ValueError: the leaf is larger than the limit.
    """
    many = not _fit_in_leaf(event)
    leaf = Leaf(
        v=LEAF_VERSION,
        id=event.id,
        at=event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        kind=event.kind,
        writer=position.writer,
        counter=position.counter,
        previous=base64url(position.previous),
        organisation=event.organisation,
        client=event.client,
        supplier=event.supplier,
        counterparty=event.counterparty,
        purpose=event.purpose,
        provisions=event.provisions,
        consent=event.consent,
        decision=event.decision,
        reason=event.reason,
        subjects=() if many else tuple(base64url(t) for t in event.subjects),
        side=base64url(digest(side)) if many else None,
        officer=_text(event.officer),
        assurance=event.assurance,
        case=_text(event.case),
        manifest=base64url(digest(manifest)) if event.manifest else None,
        payload=_text(event.payload),
        request=_text(event.request),
        assertion=_text(event.assertion),
        catalogue=_text(event.catalogue),
        refers=event.refers,
    )
    encoded = msgspec.json.encode(leaf, order="sorted")
    if len(encoded) > LEAF_LIMIT:
        message = "leaf larger than its limit"
        raise ValueError(message)
    return encoded


def side_bytes(event: LedgerEvent) -> bytes:
    """The subject tags, 16 bytes each, in order; empty when they fit into the leaf."""
    return b"" if _fit_in_leaf(event) else b"".join(event.subjects)


def _fit_in_leaf(event: LedgerEvent) -> bool:
    """Whether the tags stand in the leaf itself; a consent id takes the room of two."""
    return len(event.subjects) <= (TAGS_IN_LEAF if event.consent is None else TAGS_BESIDE_CONSENT)


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf (RFC 6962 section 2.1)."""
    return digest(b"\x00" + leaf)


def _text(value: bytes | None) -> str | None:
    return base64url(value) if value is not None else None
