"""Who takes part: organisations, their systems (clients) and the caseworkers (officers) behind a call."""

import datetime as dt
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
    """A registered *system*, never the person (RFC 6749 section 1.1), and the organisation it speaks for in this call.

    `version` is that of its mandate: it moves with the system's state, the organisation's grant and any delegation.
    """

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


class Assurance(enum.Enum):
    """How sure the ledger is of the officer: a registered automation, a name the client said, or one that logged in."""

    PROCESS = "process"
    ASSERTED = "asserted"
    AUTHENTICATED = "authenticated"


class Authentication(Confidential, frozen=True, kw_only=True):
    """How the organisation's own identity provider authenticated the officer (RFC 8693, OpenID Connect `acr`).

    `at` is Unix seconds; `provider` the issuer identifier the organisation registered.
    """

    provider: str
    context_class: str | None
    at: int


class Carrier(Confidential, frozen=True, kw_only=True):
    """What the X-Road security server said of a call; compared with it and recorded, never believed in its stead.

    `client` and `represented_party` are as sent, `member` and `party` the member codes in them (in Finland the
    business id). `fault` names a header that is missing or cannot be read; nothing else is then kept.
    """

    client: str = ""
    member: str = ""
    id: str = ""
    user_id: str | None = None
    issue: str | None = None
    represented_party: str | None = None
    party: str | None = None
    fault: str | None = None

    def stranger_to(self, organisation: str, supplier: str | None) -> str | None:
        """The header that does not speak for the organisation a token is of, None when all do.

        The member is the organisation itself, or the supplier of the token (`act`) that says it represents it.
        """
        if self.fault is not None:
            return self.fault
        if self.party is not None and self.party != organisation:
            return "X-Road-Represented-Party"
        represented = supplier is not None and self.party == organisation and self.member == supplier
        return None if represented or self.member == organisation else "X-Road-Client"

    def at_odds_with(self, officer: Officer | None, references: tuple[str, ...]) -> str | None:
        """The header that names another officer, or another case, than the request; None when there is none."""
        if self.user_id is not None and (officer is None or officer.id != self.user_id):
            return "X-Road-UserId"
        if self.issue is not None and any(r != self.issue.replace("/", ":") for r in references):
            return "X-Road-Issue"
        return None


class Passage(Confidential, frozen=True, kw_only=True):
    """How a call came: the trace it belongs to (32 hex digits) and, behind X-Road, what its carrier said."""

    trace: str
    carrier: Carrier | None = None


class Action(enum.Enum):
    """What a call does, as each protected route states it and a token may be confined to."""

    DISCLOSE = "disclose"
    INSPECT = "inspect"
    ERASE = "erase"
    DEPOSIT = "deposit"
    MATTER = "matter"
    INFORM = "inform"
    AUDIT = "audit"


class CaseAccess(Confidential, frozen=True, kw_only=True):
    """The purpose, case, fields and actions a client signed for (RFC 9396, `sauma_case_access`); None is any."""

    purpose: str | None = None
    case_reference: str | None = None
    fields: frozenset[str] | None = None
    actions: frozenset[Action] | None = None

    def allows(self, action: Action) -> bool:
        """Whether calls of that kind are within the token."""
        return self.actions is None or action in self.actions

    def stray(
        self, *, purpose: str | None, case_reference: str | None, fields: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """JSON pointers of what lies outside the token; what a call does not name is compared elsewhere."""
        pointers: list[str] = []
        if purpose is not None and self.purpose not in {None, purpose}:
            pointers.append("/purpose")
        if case_reference is not None and self.case_reference not in {None, case_reference}:
            pointers.append("/caseReference")
        if self.fields is not None:
            pointers += [f"/fields/{index}" for index, name in enumerate(fields) if name not in self.fields]
        return tuple(pointers)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose token and proof have been verified.

    `client` carries the version the token was issued under; the ledger append refuses when it has moved since.
    `claims` are the replay ids (DPoP proof) the append must claim with the entry. `officer` is the officer inside the
    token's `authorization_details`, if any, `authentication` how it was authenticated, if it was; `access` is what the
    token is confined to. `supplier` is the business id of whoever acts for the organisation (RFC 8693 section 4.1).
    `passage` is how the call came, None for the server's own.
    """

    client: Client
    scopes: frozenset[str]
    token_id: str
    assertion_digest: bytes
    claims: tuple[Claim, ...]
    officer: Officer | None = None
    passage: Passage | None = None
    supplier: str | None = None
    authentication: Authentication | None = None
    access: CaseAccess = CaseAccess()

    @property
    def organisation(self) -> str:
        """The business id of the one organisation the token speaks for."""
        return self.client.organisation

    def assurance_of(self, officer: Officer | None) -> Assurance | None:
        """How sure the ledger can be of the officer behind a call; None where there is none."""
        if officer is None:
            return None
        if officer.kind is OfficerKind.PROCESS:
            return Assurance.PROCESS
        authenticated = self.authentication is not None and officer == self.officer
        return Assurance.AUTHENTICATED if authenticated else Assurance.ASSERTED


CONTEXTS = ("http://eidas.europa.eu/LoA/high", "http://eidas.europa.eu/LoA/substantial")
"""How the officer must have logged in where a purpose wants a login: eIDAS levels ((EU) 2015/1502). Sauma policy."""
FRESH_SECONDS = 3600
"""How long ago that may be. Sauma policy too."""
_SKEW_SECONDS = 60


def vouched(caller: Caller, officer: Officer | None, *, now: dt.datetime) -> bool:
    """Whether the officer logged in strongly at the organisation's identity provider, within the hour (RFC 9470)."""
    said = caller.authentication
    if said is None or caller.assurance_of(officer) is not Assurance.AUTHENTICATED:
        return False
    age = now.timestamp() - said.at
    return said.context_class in CONTEXTS and -_SKEW_SECONDS <= age <= FRESH_SECONDS
