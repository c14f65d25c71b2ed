"""Issue an access token: gather the client's row, decide purely, commit the once-only ids with the event.

Before the commit nothing has happened: a refusal burns no assertion and no proof. After it the token exists, and a
crash between commit and answer costs the client one new request. The two ports are the store's and the issuer's.
"""

import enum
from collections.abc import Mapping
from typing import Protocol

import msgspec

from sauma.core.evidence import Claim, EventKind
from sauma.core.parties import Caller, Client, OrganisationKind, Passage
from sauma.core.people import Confidential
from sauma.exchange.ports import World
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.rows import Missed


class ClientState(enum.Enum):
    """Whether a registered system may get tokens; one that was proposed waits for a second person's approval."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Mandate(msgspec.Struct, frozen=True, kw_only=True):
    """What a system may do for one organisation: its own, or one that has delegated to the system's supplier.

    `scopes` is what system, organisation and delegation all hold; `purposes` None is no narrowing. `version` moves with
    each of the rows it follows from. `supplier` is the system's own organisation where that is another.
    """

    organisation: str
    kind: OrganisationKind
    supplier: str | None
    scopes: frozenset[str]
    purposes: frozenset[str] | None = None
    details_required: bool = False
    version: int


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Who may say that an officer of the organisation has logged in: registered with it, never found by the token."""

    organisation: str
    issuer: str
    keys: tuple[Mapping[str, str], ...]


class KnownClient(msgspec.Struct, frozen=True, kw_only=True):
    """A registered system as the register holds it now: public JWKs with `kid` and `alg`, and for whom it may act.

    `jwks_uri` is where its keys are fetched from instead; `nonce_required` and `certificate_bound` are its policy
    (RFC 9449 section 8, RFC 8705).
    """

    id: str
    organisation: str
    keys: tuple[Mapping[str, str], ...]
    state: ClientState
    mandates: tuple[Mandate, ...]
    providers: tuple[IdentityProvider, ...] = ()
    jwks_uri: str | None = None
    nonce_required: bool = False
    certificate_bound: bool = False

    def mandate_for(self, organisation: str) -> Mandate | None:
        """What it may do for the organisation, if anything."""
        return next((m for m in self.mandates if m.organisation == organisation), None)


class TokenRequest(Confidential, frozen=True, kw_only=True):
    """`POST /oauth/token` as it arrived: header values are given once per field line, so repetition stays visible."""

    content_type: str
    body: bytes
    proofs: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    passage: Passage | None = None


class TokenGranted(msgspec.Struct, frozen=True, kw_only=True):
    """What a token leaves behind; times in Unix seconds, the digest is SHA-256 of the client's signed assertion."""

    client: str
    client_version: int
    organisation: str
    scopes: tuple[str, ...]
    token_id: str
    key_thumbprint: str
    assertion_digest: bytes
    issued_at: int
    expires_at: int
    passage: Passage | None = None


class TokenDecision(Confidential, frozen=True, kw_only=True):
    """The answer to send once the claims are committed; `reason` is for logs only and None when granted."""

    status: int
    body: Mapping[str, object]
    headers: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...] = ()
    granted: TokenGranted | None = None
    reason: str | None = None


class TokenCommit(enum.Enum):
    """What the store said to the once-only ids of a granted request."""

    FRESH = "fresh"
    ASSERTION_REPLAYED = "assertion-replayed"
    PROOF_REPLAYED = "proof-replayed"


class ClientFinder(Protocol):
    """Where registered systems are found."""

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        ...


class ClientRegister(Protocol):
    """What the store does for the token endpoint."""

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        ...

    async def commit_token(self, claims: tuple[Claim, ...], event: TokenGranted) -> TokenCommit:
        """Claim both once-only ids and record the event in one statement; not FRESH means that nothing was written."""
        ...


class TokenAuthority(Protocol):
    """The pure decision: no I/O, no clock."""

    def claimed_client(self, request: TokenRequest) -> str | None:
        """The client the assertion names, not yet believed; None when the request names nobody."""
        ...

    def decide(self, request: TokenRequest, known: KnownClient | None, *, now: int, token_id: str) -> TokenDecision:
        """Judge the request against the register's row; `now` in Unix seconds, `token_id` fresh and unguessable."""
        ...

    def replayed(self, commit: TokenCommit) -> TokenDecision:
        """The refusal for a request one of whose once-only ids had been used."""
        ...


async def issue(
    request: TokenRequest, *, register: ClientRegister, authority: TokenAuthority, now: int, token_id: str
) -> TokenDecision:
    """Answer a token request (RFC 6749 section 4.4, RFC 7523 section 2.2, RFC 9449 section 5)."""
    client_id = authority.claimed_client(request)
    known = None if client_id is None else await register.find_client(client_id)
    decision = authority.decide(request, known, now=now, token_id=token_id)
    if decision.granted is None:
        return decision
    commit = await register.commit_token(decision.claims, decision.granted)
    return decision if commit is TokenCommit.FRESH else authority.replayed(commit)


class Register:
    """Finds clients in the store and commits tokens to the ledger."""

    def __init__(self, world: World, clients: ClientFinder) -> None:
        self._world = world
        self._clients = clients

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        return await self._clients.find_client(client_id)

    async def commit_token(self, claims: tuple[Claim, ...], event: TokenGranted) -> TokenCommit:
        """Claim both once-only ids and record the grant in one statement."""
        caller = Caller(
            client=Client(id=event.client, organisation=event.organisation, version=event.client_version),
            scopes=frozenset(event.scopes),
            token_id=event.token_id,
            assertion_digest=event.assertion_digest,
            claims=claims,
            passage=event.passage,
        )
        draft = Draft(
            kind=EventKind.ADMIN,
            caller=caller,
            decision="token-issued",
            particulars={"scopes": list(event.scopes), "keyThumbprint": event.key_thumbprint},
        )
        _, build = compose(self._world, draft)
        appended = await self._world.ledger.append(build, claims, caller_basis(caller))
        return TokenCommit.ASSERTION_REPLAYED if isinstance(appended, Missed) else TokenCommit.FRESH
