"""Tokens: issue one, look at one, revoke one. Each gathers the client's row, decides purely, commits what it used up.

Before the commit nothing has happened: a refusal burns no assertion and no proof. After it the token exists, and a
crash between commit and answer costs the client one new request. The ports are the store's, the issuer's and that of
the places clients publish their keys at.
"""

import enum
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from sauma.core.canonical import JsonValue
from sauma.core.disclosure import Receipt
from sauma.core.evidence import Claim, ClaimKind, EventKind
from sauma.core.parties import Caller, OrganisationKind, Passage
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

    def demands_details(self, scopes: Collection[str]) -> bool:
        """Whether a token of these scopes must name purpose and case: within narrowed purposes always, else to ask."""
        return self.purposes is not None or (self.details_required and "case:read" in scopes)


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

    def with_keys(self, keys: tuple[Mapping[str, str], ...]) -> "KnownClient":
        """The same system with the keys it publishes elsewhere."""
        return KnownClient(
            id=self.id,
            organisation=self.organisation,
            keys=keys,
            state=self.state,
            mandates=self.mandates,
            providers=self.providers,
            jwks_uri=self.jwks_uri,
            nonce_required=self.nonce_required,
            certificate_bound=self.certificate_bound,
        )

    def mandate_for(self, organisation: str) -> Mandate | None:
        """What it may do for the organisation, if anything."""
        return next((m for m in self.mandates if m.organisation == organisation), None)


class ClaimedClient(Confidential, frozen=True, kw_only=True):
    """Who an assertion says it is by, and the key it names; not yet believed."""

    id: str
    kid: str | None


class TokenRequest(Confidential, frozen=True, kw_only=True):
    """A form posted to `/oauth/…` as it arrived: header values once per field line, so repetition stays visible.

    `certificate` is the SHA-256 thumbprint of the client's certificate (RFC 8705), where one was shown.
    """

    content_type: str
    body: bytes
    proofs: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    passage: Passage | None = None
    certificate: str | None = None


class TokenGranted(Confidential, frozen=True, kw_only=True):
    """What a token leaves behind: whom it makes a caller, and the client's signed assertion it was given for.

    `caller.claims` are the once-only ids to claim; times are Unix seconds.
    """

    caller: Caller
    scope: str
    key_thumbprint: str
    assertion: str
    grant_type: str
    details: list[dict[str, JsonValue]]
    issued_at: int
    expires_at: int


class IssuedToken(Confidential, frozen=True, kw_only=True):
    """A token of ours that is signed and in time: whose it is, and what may be said of it (RFC 7662 section 2.2).

    `digest` is what a revocation of it is found by; whether it still stands, the register says.
    """

    client: str
    organisation: str
    version: int
    token_id: str
    digest: bytes
    expires_at: int
    members: Mapping[str, object]


class TokenLook(Confidential, frozen=True, kw_only=True):
    """A system that has authenticated itself, and the token it shows; None is no token it may know anything of.

    `own` is a token that was issued to it: no other can it end (RFC 7009 section 2.1).
    """

    caller: Caller
    assertion: str
    token: IssuedToken | None
    own: bool = False


class TokenDecision(Confidential, frozen=True, kw_only=True):
    """The answer to send once the claims are committed; `reason` is for logs only and None when granted."""

    status: int
    body: Mapping[str, object]
    headers: tuple[tuple[str, str], ...]
    granted: TokenGranted | None = None
    reason: str | None = None


class TokenCommit(enum.Enum):
    """What the store said to a request that was decided well: which once-only id had been used, or who had changed."""

    FRESH = "fresh"
    ASSERTION_REPLAYED = "assertion-replayed"
    PROOF_REPLAYED = "proof-replayed"
    SUBJECT_TOKEN_REPLAYED = "subject-token-replayed"  # noqa: S105  # a state, no secret
    REVOKED_BEFORE = "revoked-before"
    CLIENT_CHANGED = "client-changed"


class ClientFinder(Protocol):
    """Where registered systems are found, and what became of the tokens given to them."""

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        ...

    async def mandate_stands(self, client_id: str, organisation: str, version: int, token_digest: bytes) -> bool:
        """Whether the mandate a token was given under stands unchanged and the token was not revoked."""
        ...


class ClientRegister(ClientFinder, Protocol):
    """What the store does for the token endpoints."""

    async def commit_token(self, event: TokenGranted) -> TokenCommit:
        """Claim the once-only ids and record the grant in one statement; not FRESH means that nothing was written."""
        ...

    async def commit_look(self, look: TokenLook, *, decision: str, claims: tuple[Claim, ...]) -> TokenCommit:
        """Claim the ids and record the look or the revocation in one statement; not FRESH: nothing was written."""
        ...


class KeySource(Protocol):
    """Where the keys of a system that registered a `jwks_uri` come from."""

    async def keys_of(self, uri: str, kid: str | None) -> tuple[Mapping[str, str], ...]:
        """The public JWKs published there, empty when none can be had; an unknown `kid` may have them fetched anew."""
        ...


class TokenAuthority(Protocol):
    """The pure decisions: no I/O, no clock."""

    def claimed_client(self, request: TokenRequest) -> ClaimedClient | None:
        """The client the assertion names, not yet believed; None when the request names nobody."""
        ...

    def decide(self, request: TokenRequest, known: KnownClient | None, *, now: int, token_id: str) -> TokenDecision:
        """Judge the request against the register's row; `now` in Unix seconds, `token_id` fresh and unguessable."""
        ...

    def look(self, request: TokenRequest, known: KnownClient | None, *, now: int) -> TokenLook | TokenDecision:
        """Who asks about which token, or the refusal."""
        ...

    def looked(self, token: IssuedToken | None) -> TokenDecision:
        """What is said of a token that stands; None is said to be inactive and nothing more."""
        ...

    def revoked(self) -> TokenDecision:
        """The answer to a revocation, whatever was revoked."""
        ...

    def replayed(self, commit: TokenCommit) -> TokenDecision:
        """The refusal for a request that was decided well and could not be committed."""
        ...


class TokenEndpoints:
    """The three endpoints that take a client assertion; `clock` gives Unix seconds, `new_id` unguessable token ids."""

    def __init__(
        self,
        register: ClientRegister,
        authority: Callable[[], TokenAuthority],
        *,
        keys: KeySource,
        clock: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._register = register
        self._authority = authority
        self._keys = keys
        self._clock = clock
        self._new_id = new_id

    async def issue(self, request: TokenRequest) -> TokenDecision:
        """Answer a token request (RFC 6749 section 4.4, RFC 7523 section 2.2, RFC 8693 section 2, RFC 9449 5)."""
        authority = self._authority()
        known = await self._gather(request, authority)
        decision = authority.decide(request, known, now=self._clock(), token_id=self._new_id())
        if decision.granted is None:
            return decision
        commit = await self._register.commit_token(decision.granted)
        return decision if commit is TokenCommit.FRESH else authority.replayed(commit)

    async def introspect(self, request: TokenRequest) -> TokenDecision:
        """Say what a token holds and whether it stands now (RFC 7662); the look is recorded before it is had."""
        authority = self._authority()
        look = authority.look(request, await self._gather(request, authority), now=self._clock())
        if isinstance(look, TokenDecision):
            return look
        commit = await self._register.commit_look(look, decision="token-introspected", claims=look.caller.claims)
        if commit is not TokenCommit.FRESH:
            return authority.replayed(commit)
        token = look.token
        if token is None:
            return authority.looked(None)
        stands = await self._register.mandate_stands(token.client, token.organisation, token.version, token.digest)
        return authority.looked(token if stands else None)

    async def revoke(self, request: TokenRequest) -> TokenDecision:
        """End a token of its own before its time (RFC 7009): from the commit on, no append by any worker takes it.

        Another's stays as it is; the entry then names no token, as for a text that is none.
        """
        authority = self._authority()
        look = authority.look(request, await self._gather(request, authority), now=self._clock())
        if isinstance(look, TokenDecision):
            return look
        if not look.own:
            look = TokenLook(caller=look.caller, assertion=look.assertion, token=None)
        token, once = look.token, look.caller.claims
        ended = once
        if token is not None:
            ended = (*once, Claim(kind=ClaimKind.REVOKED, digest=token.digest, expires_at=token.expires_at))
        commit = await self._register.commit_look(look, decision="token-revoked", claims=ended)
        if commit is TokenCommit.REVOKED_BEFORE:
            commit = await self._register.commit_look(look, decision="token-revoked", claims=once)
        return authority.revoked() if commit is TokenCommit.FRESH else authority.replayed(commit)

    async def _gather(self, request: TokenRequest, authority: TokenAuthority) -> KnownClient | None:
        """The register's row of whom the request names, with the keys an active system publishes elsewhere."""
        claimed = authority.claimed_client(request)
        known = None if claimed is None else await self._register.find_client(claimed.id)
        if claimed is None or known is None or known.jwks_uri is None or known.state is not ClientState.ACTIVE:
            return known
        return known.with_keys(await self._keys.keys_of(known.jwks_uri, claimed.kid))


class Register:
    """Finds clients in the store and commits what they did to the ledger."""

    def __init__(self, world: World, clients: ClientFinder) -> None:
        self._world = world
        self._clients = clients

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        return await self._clients.find_client(client_id)

    async def mandate_stands(self, client_id: str, organisation: str, version: int, token_digest: bytes) -> bool:
        """Whether the mandate a token was given under stands unchanged and the token was not revoked."""
        return await self._clients.mandate_stands(client_id, organisation, version, token_digest)

    async def commit_token(self, event: TokenGranted) -> TokenCommit:
        """Claim the once-only ids and record the grant in one statement."""
        particulars: dict[str, JsonValue] = {
            "grantType": event.grant_type,
            "scopes": event.scope.split(" "),
            "details": event.details,
            "keyThumbprint": event.key_thumbprint,
            "assertion": event.assertion,
        }
        return await self._commit(event.caller, "token-issued", event.caller.claims, particulars)

    async def commit_look(self, look: TokenLook, *, decision: str, claims: tuple[Claim, ...]) -> TokenCommit:
        """Claim the ids and record the look or the revocation in one statement."""
        shown = look.token.token_id if look.token else None
        particulars: dict[str, JsonValue] = {"tokenId": shown, "assertion": look.assertion}
        return await self._commit(look.caller, decision, claims, particulars)

    async def _commit(
        self, caller: Caller, decision: str, claims: tuple[Claim, ...], particulars: dict[str, JsonValue]
    ) -> TokenCommit:
        draft = Draft(
            kind=EventKind.ADMIN, caller=caller, decision=decision, officer=caller.officer, particulars=particulars
        )
        _, build = compose(self._world, draft)
        appended = await self._world.ledger.append(build, claims, caller_basis(caller))
        return (
            TokenCommit.FRESH if isinstance(appended, Receipt) else _COMMITS.get(appended, TokenCommit.CLIENT_CHANGED)
        )


_COMMITS = {
    Missed.REPLAYED: TokenCommit.PROOF_REPLAYED,
    Missed.ASSERTION_REPLAYED: TokenCommit.ASSERTION_REPLAYED,
    Missed.SUBJECT_TOKEN_REPLAYED: TokenCommit.SUBJECT_TOKEN_REPLAYED,
    Missed.REVOKED_BEFORE: TokenCommit.REVOKED_BEFORE,
}
