"""The two decision functions as a row's request meets them: no socket, no database, a clock that stands still."""

from dataclasses import dataclass, field

from attacks.oauth.forge import Forge, Target, Wire, new_keys
from attacks.oauth.table import BASELINE, Row
from sauma.catalogue import loader
from sauma.core.evidence import Claim, ClaimKind
from sauma.core.parties import OrganisationKind
from sauma.exchange.tokens import ClientState, KnownClient, Mandate, TokenCommit, TokenRequest
from sauma.oauth.issuing.answers import Issuer
from sauma.oauth.jose import SigningKey, VerifyingKey, import_public
from sauma.oauth.nonce import Nonces
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, Trust, authenticate
from sauma.oauth.server import AuthorizationServer

URL, OTHER = "https://sauma.example", "https://other.example"
NOW = 1_790_000_000
OWN, ELSE = "2816301-8", "0246246-0"
SCOPE = "case:read"
"""What the protected operation of the baseline wants."""


@dataclass(frozen=True)
class Verdict:
    """What was answered; `reason` None is a request that was let through."""

    status: int
    error: str | None = None
    reason: str | None = None


@dataclass
class Doors:
    """Both doors of one server, and what it remembers."""

    memory: Memory | None = None
    used: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.target = Target(
            url=URL,
            client="pirha-case",
            organisation=OWN,
            other_organisation=ELSE,
            version=3,
            kids={"client": "k1"},
            keys=KEYS,
            clock=lambda: NOW,
        )
        self.forge = Forge(BASELINE, self.target)
        issuers = {URL: (verifying("issuer"),), OTHER: (verifying("other-issuer"),)}
        self.trust = Trust(issuers=issuers, resource=URL, metadata_url=f"{URL}/.well-known/oauth-protected-resource")

    def judge(self, row: Row, *, token: str | None = None) -> Verdict:
        """The verdict on the row's request, after the one it repeats; `token` is what it carries if it is not that."""
        *before, last = self.forge.wires(row.door, row.change, token=token)
        for wire in before:
            assert self.answer(row.door, wire).status == 200
        return self.answer(row.door, last)

    def warmed(self) -> str:
        """The token of a baseline call this server has just let in, and so remembers."""
        wire = self.forge.wires("resource", {})[0]
        assert self.answer("resource", wire) == Verdict(200)
        return wire.lines("authorization")[0].removeprefix("DPoP ")

    def answer(self, door: str, wire: Wire) -> Verdict:
        """Let one request meet its door; the ids of a good one are used up."""
        return self._resource(wire) if door == "resource" else self._token(wire)

    def _resource(self, wire: Wire) -> Verdict:
        request = ProtectedRequest(
            method=wire.method,
            raw_path=wire.path,
            query=wire.query,
            authorizations=wire.lines("authorization"),
            proofs=wire.lines("dpop"),
        )
        judged = authenticate(request, self.trust, now=NOW, memory=self.memory)
        if isinstance(judged, Challenge):
            return Verdict(judged.status, judged.body.get("error"), judged.reason.value)
        if SCOPE not in judged.scopes:
            return Verdict(403, "insufficient_scope", Reason.SCOPE_MISSING.value)
        return Verdict(401, "invalid_dpop_proof", "proof-replayed") if self._claimed(judged.claims) else Verdict(200)

    def _token(self, wire: Wire) -> Verdict:
        types = wire.lines("content-type")
        request = TokenRequest(
            content_type=types[0] if len(types) == 1 else "",
            body=wire.body,
            proofs=wire.lines("dpop"),
            authorizations=wire.lines("authorization"),
        )
        server = SERVER
        claimed = server.claimed_client(request)
        known = KNOWN if claimed is not None and claimed.id == KNOWN.id else None
        decision = server.decide(request, known, now=NOW, token_id="token-0123456789abcdef")
        if decision.granted is not None:
            replayed = self._claimed(decision.granted.caller.claims)
            decision = server.replayed(COMMITS[replayed]) if replayed else decision
        error = decision.body.get("error")
        return Verdict(decision.status, None if error is None else str(error), decision.reason)

    def _claimed(self, claims: tuple[Claim, ...]) -> ClaimKind | None:
        once = [claim for claim in claims if claim.kind is not ClaimKind.TOKEN]
        replayed = next((claim.kind for claim in once if claim.digest in self.used), None)
        self.used.update(claim.digest for claim in once)
        return replayed


COMMITS = {ClaimKind.ASSERTION: TokenCommit.ASSERTION_REPLAYED, ClaimKind.PROOF: TokenCommit.PROOF_REPLAYED}
KEYS = new_keys()


def verifying(name: str, kid: str | None = None) -> VerifyingKey:
    """The public half of a named key."""
    jwk = {**KEYS[name].as_dict(private=False), "kid": kid or KEYS[name].thumbprint()}
    key = import_public(jwk)
    assert isinstance(key, VerifyingKey)
    return key


def signing(name: str) -> SigningKey:
    """A named key as the issuer's own."""
    return SigningKey(public=verifying(name), key=KEYS[name])


def issuer() -> Issuer:
    """The authorization server of this deployment."""
    return Issuer(
        url=URL,
        token_endpoint=f"{URL}/oauth/token",
        resource=URL,
        key=signing("issuer"),
        verifying=(verifying("issuer"),),
        catalogue=CATALOGUE,
        nonces=NONCES,
    )


NONCES = Nonces(bytes(range(32)))
CATALOGUE = loader.load()
SERVER = AuthorizationServer(issuer())
KNOWN = KnownClient(
    id="pirha-case",
    organisation=OWN,
    keys=({**KEYS["client"].as_dict(private=False), "kid": "k1", "alg": "ES256"},),
    state=ClientState.ACTIVE,
    mandates=(
        Mandate(
            organisation=OWN,
            kind=OrganisationKind.COUNTY,
            supplier=None,
            scopes=frozenset({"case:read", "matter:write"}),
            version=3,
        ),
    ),
)
