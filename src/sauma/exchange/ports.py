"""What a use case may touch: the ports, and the World that holds one of each."""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import msgspec

from sauma.core.disclosure import Opened, Receipt, Sealed
from sauma.core.evidence import Claim, Entry, ManifestRow, Position
from sauma.core.fields import Padding, Sensitivity
from sauma.core.matters import BasisVersions
from sauma.core.people import Environment, IdentifierKind, PersonIdentifier
from sauma.core.purposes import Catalogue
from sauma.exchange.rows import (
    AuditSessionRow,
    Begun,
    DisclosureParties,
    Gathered,
    GatherKeys,
    InspectKeys,
    KnownSubject,
    LedgerRow,
    ListKeys,
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

Build: TypeAlias = Callable[[Position], Entry]
"""Makes the entry once the writer's position is known; pure, may be called again with another position."""


class Ledger(Protocol):
    """The append of the path: claims, basis and entry in one committed statement."""

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        """Commit the entry, or say why nothing was written.

        Raises:
            Unavailable: the database cannot be reached; nothing was written.
            OutcomeUnknown: the commit's answer was lost.
        """
        ...


class Records(Protocol):
    """Facts for the decision, and ciphertext for a receipt."""

    async def gather(self, keys: GatherKeys) -> Gathered:
        """One row of everything a decision rests on; nothing of content."""
        ...

    async def read(self, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed | Missed:
        """The sealed groups a committed entry names, or that it no longer stands."""
        ...


class WriteUnit(Protocol):
    """One transaction: effect, idempotency record and ledger entry commit together or not at all."""

    async def begin(self, key: bytes, request: bytes) -> Begun:
        """Take the key, or say that it is taken, used for another body, or answered before."""
        ...

    async def claim(self, claims: tuple[Claim, ...], basis: BasisVersions) -> Missed | None:
        """Claim replay ids for a call that writes no entry; what is wrong when one was used or the caller changed."""
        ...

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        """The entry, inside this transaction; the Receipt holds once the transaction has committed."""
        ...

    async def end(self, key: bytes, request: bytes, stored: Stored) -> None:
        """Keep what a repeat is answered with."""
        ...

    async def find_subject(self, controller: str, index: bytes) -> KnownSubject | None:
        """The person at this controller, with wrapped data keys."""
        ...

    async def add_subject(self, controller: str, index: bytes, subject: NewSubject) -> bool:
        """A new person at this controller; False when another call added the identifier first."""
        ...

    async def protect_subject(self, subject: uuid.UUID, *, protected: bool | None, unit: str, opaque: str) -> None:
        """Set protection (None leaves it) and the handling unit, opaque while protected; a change moves the basis."""
        ...

    async def put_matter(self, row: MatterRow) -> Written:
        """Open, change or close the organisation's own matter."""
        ...

    async def put_record(self, row: RecordRow) -> Written:
        """Store a record's sealed groups under the revision they were sealed for."""
        ...

    async def record_state(self, controller: str, resource: str, record: uuid.UUID) -> RecordHead | None:
        """The controller's own record: revision, state and digests."""
        ...

    async def annul_record(self, controller: str, resource: str, record: uuid.UUID, expected: int | None) -> Written:
        """Never disclose the record again."""
        ...

    async def add_prior_information(self, row: PriorInformationRow) -> None:
        """Record that the client was told beforehand."""
        ...

    async def link_identifier(self, controller: str, old: bytes, new: bytes, sealed: bytes) -> str:
        """Make two identifiers one person."""
        ...

    async def split_identifier(self, controller: str, old: bytes, new: bytes, subject: NewSubject) -> str:
        """Make a wrongly linked pair two persons again."""
        ...

    async def put_publication_state(self, controller: str, resource: str, status: str, as_of: dt.datetime) -> Written:
        """How current the controller's publication of a resource is."""
        ...

    async def disclosure_parties(self, entry: uuid.UUID) -> DisclosureParties | None:
        """Who a disclosure was to and from, and what for; None where the id names none."""
        ...

    async def open_audit_session(self, row: AuditSessionRow) -> bool:
        """A time-boxed right to read the ledger; False where no grant of its dossier outlives it."""
        ...


class Writes(Protocol):
    """Where write transactions begin."""

    def transaction(self) -> AbstractAsyncContextManager[WriteUnit]:
        """Commit on leaving; roll back when the block raises.

        Raises:
            OutcomeUnknown: the commit's answer was lost.
        """
        ...


class Inspection(Protocol):
    """Metadata of what a party asked or gave, and single entries for auditors."""

    async def list_disclosures(self, receipt: Receipt, keys: ListKeys) -> tuple[LedgerRow, ...]:
        """Disclosure entries of one organisation in one role, oldest first, against its committed read entry."""
        ...

    async def find_disclosure(self, receipt: Receipt, organisation: str, entry: uuid.UUID) -> LedgerRow | None:
        """One disclosure entry the organisation is party to, against the committed read entry that names it."""
        ...

    async def audit_session_stands(self, session: uuid.UUID, organisation: str, client: str) -> bool:
        """Whether the session is this client's and neither its time nor its grant's has run out."""
        ...

    async def audit_is_granted(self, client: str, dossier: str, until: dt.datetime) -> bool:
        """Whether an auditor's grant to the system names the dossier and outlives a session that ends then."""
        ...

    async def inspect_entry(self, receipt: Receipt, look: InspectKeys) -> LedgerRow | None:
        """One entry within the organisation's sight and the grant, against session and committed read entry."""
        ...


class Vault(Protocol):
    """Sealing, opening, tags and receipts; every failure is a SealError."""

    def blind_index(self, person: PersonIdentifier, controller: str) -> bytes:
        """16 bytes by which one controller finds the person."""
        ...

    def case_index(self, case_reference: str) -> bytes:
        """16 bytes by which a case is found."""
        ...

    def person_seed(self, person: PersonIdentifier) -> bytes:
        """16 bytes that stand for the person in every tag."""
        ...

    def wrap_seed(self, controller: str, seed: bytes) -> bytes:
        """The seed as a subject row stores it."""
        ...

    def unwrap_seed(self, controller: str, wrapped: bytes) -> bytes:
        """The seed of a subject row."""
        ...

    def subject_tag(self, month: str, identity: bytes) -> bytes:
        """The person's tag of one month."""
        ...

    def officer_tag(self, month: str, organisation: str, officer: str) -> bytes:
        """The officer's tag of one month."""
        ...

    def case_tag(self, month: str, organisation: str, case_reference: str) -> bytes:
        """The case's tag of one month."""
        ...

    def pairwise_id(self, organisation: str, kind: IdentifierKind, value: str) -> str:
        """The organisation's own id of a person."""
        ...

    def resolve_pairwise(self, organisation: str, text: str) -> tuple[IdentifierKind, str]:
        """The identifier behind the organisation's own id."""
        ...

    def opaque_unit(self, subject: uuid.UUID, organisation: str) -> str:
        """The handling unit a protected person's row shows."""
        ...

    def new_subject_keys(self, controller: str, subject: uuid.UUID) -> SubjectKeys:
        """Fresh data keys of a person, one a class, wrapped."""
        ...

    def seal(
        self, place: "Plot", keys: SubjectKeys, values: dict[int, tuple[Padding, bytes]]
    ) -> tuple[uuid.UUID, bytes]:
        """Pad and seal the JSON fragments of one class by field id; returns the data key's id and the group."""
        ...

    def open_sealed(self, sealed: Sealed) -> Opened:
        """Open exactly the fields the manifest names."""
        ...

    def seal_payload(self, entry: uuid.UUID, plaintext: bytes) -> tuple[bytes, bytes, bytes]:
        """An entry's payload: ciphertext, wrapped key, commitment."""
        ...

    def open_payload(self, entry: uuid.UUID, ciphertext: bytes, wrapped_key: bytes, commitment: bytes) -> bytes:
        """An entry's payload back, checked against the leaf's commitment."""
        ...

    def sign_receipt(self, entry: uuid.UUID, leaf_hash: bytes) -> tuple[str, str]:
        """Key id and signature of a receipt."""
        ...

    def seal_cursor(self, context: str, content: bytes) -> str:
        """An opaque signed cursor bound to its context."""
        ...

    def open_cursor(self, context: str, cursor: str) -> bytes:
        """The content of a cursor of this context."""
        ...


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a group is to stand: it will open nowhere else. `table` is the resource's id."""

    controller: str
    subject: uuid.UUID
    record: uuid.UUID
    table: int
    sensitivity: Sensitivity
    revision: int


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a use case may touch; made in the composition root, or in tests."""

    environment: Environment
    catalogue: Catalogue
    county_of: Callable[[str, dt.date], str | None]
    ledger: Ledger
    records: Records
    writes: Writes
    inspection: Inspection
    vault: Vault
    clock: Callable[[], dt.datetime]
    entropy: Callable[[int], bytes]
