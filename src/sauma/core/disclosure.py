"""The evidence each step of the one path hands to the next: Receipt, Sealed, Opened, Disclosed.

Each is minted in one module only (Receipt: store.ledger, Sealed: store.records, Opened: vault.open, Disclosed:
exchange.disclose) and consumes the previous one, so a skipped step does not type-check.
"""

import datetime as dt
import uuid

import msgspec

from sauma.core.evidence import ManifestRow
from sauma.core.people import Confidential


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that an entry was committed: its id, its leaf hash and the database's time of it."""

    entry: uuid.UUID
    leaf_hash: bytes
    recorded_at: dt.datetime


class WrappedKey(Confidential, frozen=True, kw_only=True):
    """A subject's data key as stored: still wrapped, useless without the key ring."""

    id: uuid.UUID
    wrapped: bytes


class SealedGroup(Confidential, frozen=True, kw_only=True):
    """One stored group the gate handed out, with the manifest row that names what may be opened of it."""

    row: ManifestRow
    subject: uuid.UUID
    sealed: bytes
    key: WrappedKey


class Sealed(Confidential, frozen=True, kw_only=True):
    """What the gate handed out for one committed receipt: ciphertext only, exactly what its manifest names."""

    receipt: Receipt
    controller: str
    groups: tuple[SealedGroup, ...]


class OpenedRecord(Confidential, frozen=True, kw_only=True):
    """The permitted fields of one record revision as JSON fragments by field id."""

    resource: str
    record: uuid.UUID
    revision: int
    fragments: dict[int, bytes]


class Opened(Confidential, frozen=True, kw_only=True):
    """The permitted fields and nothing else, each opened where it stood."""

    receipt: Receipt
    records: tuple[OpenedRecord, ...]


class Disclosed(Confidential, frozen=True, kw_only=True):
    """The only thing that can be rendered to a caller of a case query: body bytes and the receipt they rest on.

    `fields` is how many opened fields are in it, None when nothing could be disclosed: for counting, not for callers.
    """

    body: bytes
    receipt: Receipt
    fields: int | None
