"""Who takes part: organisations, their systems (clients) and the caseworkers (officers) behind a call."""

import enum

import msgspec

from sauma.core.evidence import Claim
from sauma.core.people import Confidential

KELA = "0246246-0"
"""The business id of Kela, the one discloser of the purposes that may leave `controller` out."""


class OrganisationKind(enum.Enum):
    """What an organisation is in the law's eyes; purposes name these as discloser and receiver."""

    KELA = "kela"
    COUNTY = "county"
    MUNICIPALITY = "municipality"
    SUPERVISOR = "supervisor"
    STATISTICS = "statistics"
    VENDOR = "vendor"


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """A controller, receiver or supplier, named by its business id (Y-tunnus)."""

    id: str
    kind: OrganisationKind
    active: bool
    version: int


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A registered *system* of one organisation; never the person (RFC 6749 section 1.1)."""

    id: str
    organisation: str
    version: int


class OfficerKind(enum.Enum):
    """Whether a caseworker or an unattended run stands behind the call."""

    PERSON = "person"
    PROCESS = "process"


class Officer(Confidential, frozen=True, kw_only=True):
    """The caseworker (or unattended run) as they were when they acted (AsTL 10.2-10.3 §).

    For a process `role` is empty and `unit` is the responsible unit.
    """

    kind: OfficerKind
    id: str
    name: str
    role: str
    unit: str


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose token and proof have been verified.

    `client` carries the version the token was issued under; the ledger append refuses when it has moved since.
    `claims` are the replay ids (DPoP proof) the append must claim with the entry. `officer` is the officer inside the
    token's `authorization_details`, if any.
    """

    client: Client
    scopes: frozenset[str]
    token_id: str
    assertion_digest: bytes
    claims: tuple[Claim, ...]
    officer: Officer | None = None

    @property
    def organisation(self) -> str:
        """The business id of the one organisation the token speaks for."""
        return self.client.organisation
