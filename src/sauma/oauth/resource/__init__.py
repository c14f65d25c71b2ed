"""Tokens in: judge the access token and the DPoP proof of a protected request (RFC 9068, 9449, 6750)."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from sauma.oauth.claims import TOKEN_LIFETIME, Expectation, ProofTarget
from sauma.oauth.jose import VerifyingKey
from sauma.oauth.memory import Remembered
from sauma.oauth.nonce import Nonces
from sauma.oauth.proof import proof_claim, verify_proof
from sauma.oauth.reasons import Reason
from sauma.oauth.resource.challenge import ERROR_TEXTS, Challenge, challenge
from sauma.oauth.resource.token import TrustedIssuer, VerifiedToken, read_foreign, read_own
from sauma.oauth.verify import Claims, KnownHeader, verify

__all__ = [
    "ERROR_TEXTS",
    "Challenge",
    "Memory",
    "ProtectedRequest",
    "Trust",
    "VerifiedToken",
    "authenticate",
    "authorise",
    "credential_of",
    "nonce_flaw",
    "refused",
]

_EXPECTED_TYPES = frozenset({"at+jwt"})


class ProtectedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What authentication needs of a request: header values once per field line, path and query raw as they came.

    `certificate` is the SHA-256 thumbprint of the certificate the sender showed (RFC 8705), None where it showed none
    that can be believed.
    """

    method: str
    raw_path: str
    query: str = ""
    authorizations: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    certificate: str | None = None

    def __repr__(self) -> str:
        return f"ProtectedRequest(method={self.method!r})"


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a resource server believes: issuers with their public keys, its own resource URL, its metadata's URL.

    Tokens of an issuer in `foreign` are read by that entry, all others as our own. `nonces` None knows no nonce, so no
    proof that must carry one is good.
    """

    issuers: Mapping[str, tuple[VerifyingKey, ...]]
    resource: str
    metadata_url: str
    foreign: Mapping[str, TrustedIssuer] = {}
    nonces: Nonces | None = None


class Memory:
    """What one process has verified for one Trust within the last minute; bounded, and it changes no verdict."""

    def __init__(self) -> None:
        self.tokens: Remembered[VerifiedToken] = Remembered()
        self.headers: Remembered[KnownHeader] = Remembered()
        self._generation = 0

    def follow(self, generation: int) -> None:
        """Forget every token that was verified under other keys than those of this generation."""
        if generation != self._generation:
            self.tokens = Remembered()
            self._generation = generation


def authenticate(
    request: ProtectedRequest, trust: Trust, *, now: int, memory: Memory | None = None
) -> VerifiedToken | Challenge:
    """Who calls, or the challenge.

    1 exactly one credential, in the header · 2 DPoP scheme; Bearer is a downgrade · 3 token by a trusted issuer, for
    us, in time, bound to a key · 4 the certificate it is bound to, if any · 5 exactly one proof by that key for this
    method, URL and token · 6 with our nonce, where the token says that its client needs one.
    `memory` spares the second check of our own token (3) and of a proof's header (5), never that of its signature.
    """
    token = credential_of(request)
    if isinstance(token, Reason):
        return challenge(_CREDENTIAL_ERRORS.get(token), token, metadata_url=trust.metadata_url)
    verified = _token(token, trust, now=now, memory=memory)
    if isinstance(verified, Reason):
        return refused("invalid_token", verified, trust)
    flaw = _certificate_flaw(verified, request)
    if flaw is not None:
        return refused("invalid_token", flaw, trust)
    url = trust.resource.rstrip("/") + request.raw_path
    target = ProofTarget(method=request.method, url=url, access_token=token, thumbprint=verified.key_thumbprint)
    proof = verify_proof(request.proofs, target, now=now, headers=None if memory is None else memory.headers)
    if isinstance(proof, Reason):
        return refused("invalid_dpop_proof", proof, trust)
    proven = _proven(verified, proof)
    stale = nonce_flaw(proven, trust, now=now) if proven.nonce_required else None
    return stale or proven


def nonce_flaw(token: VerifiedToken, trust: Trust, *, now: int) -> Challenge | None:
    """The challenge with a fresh nonce, unless the proof carried a good one (RFC 9449 section 9); burns nothing."""
    nonces = trust.nonces
    if nonces is not None and nonces.good(token.nonce, trust.resource, now=now):
        return None
    fresh = None if nonces is None else nonces.make(trust.resource, now=now)
    reason = Reason.NONCE_MISSING if token.nonce is None else Reason.NONCE_STALE
    return challenge("use_dpop_nonce", reason, metadata_url=trust.metadata_url, nonce=fresh)


def authorise(token: VerifiedToken, trust: Trust, *, scope: str) -> VerifiedToken | Challenge:
    """The same token if it holds exactly that scope, else 403 with the scope's name (RFC 6750 section 3.1)."""
    if scope in token.scopes:
        return token
    told = {"scope": scope}
    return challenge("insufficient_scope", Reason.SCOPE_MISSING, metadata_url=trust.metadata_url, told=told)


def refused(error: str, reason: Reason, trust: Trust) -> Challenge:
    """The answer for an error code that needs no more than its text."""
    return challenge(error, reason, metadata_url=trust.metadata_url)


def credential_of(request: ProtectedRequest) -> str | Reason:
    """The one access token of a request, not yet believed."""
    names = [pair.partition("=")[0] for pair in request.query.split("&")]
    if "access_token" in names:
        return Reason.TOKEN_IN_QUERY
    if len(request.authorizations) != 1:
        return Reason.SEVERAL_CREDENTIALS if request.authorizations else Reason.NO_CREDENTIALS
    scheme, _, token = request.authorizations[0].partition(" ")
    if scheme.lower() == "bearer":
        return Reason.BEARER
    return token.strip(" ") if scheme.lower() == "dpop" else Reason.SCHEME


_CREDENTIAL_ERRORS = {
    Reason.SEVERAL_CREDENTIALS: "invalid_request",
    Reason.TOKEN_IN_QUERY: "invalid_request",
    Reason.BEARER: "invalid_token",
}


def _proven(token: VerifiedToken, proof: Claims) -> VerifiedToken:
    """The token as this call holds it: what was remembered of it, and the once-only ids the append must look at."""
    nonce = proof.members.get("nonce")
    claims = (proof_claim(proof), token.revocation)
    return token.proven(claims, nonce=nonce if isinstance(nonce, str) else None)


def _token(token: str, trust: Trust, *, now: int, memory: Memory | None) -> VerifiedToken | Reason:
    """Condition 3; a token of ours found good a moment ago is good until its last second (`exp`, lifetime).

    Another issuer's is verified each time: its keys may change without our being told.
    """
    digest = hashlib.sha256(token.encode()).digest()
    known = None if memory is None else memory.tokens.find(digest, now=now)
    if known is not None:
        return known
    expectation = Expectation(
        types=_EXPECTED_TYPES,
        now=now,
        lifetime=TOKEN_LIFETIME,
        issuers=trust.issuers,
        audience=trust.resource,
        audience_list=True,
    )
    claims = verify(token, expectation)
    if isinstance(claims, Reason):
        return claims
    foreign = trust.foreign.get(str(claims.members.get("iss")))
    if foreign is not None:
        return read_foreign(claims, foreign, token=token)
    verified = read_own(claims)
    if memory is not None and isinstance(verified, VerifiedToken):
        memory.tokens.keep(digest, verified, now=now, until=verified.expires_at)
    return verified


def _certificate_flaw(token: VerifiedToken, request: ProtectedRequest) -> Reason | None:
    """Condition 4 (RFC 8705 section 3.1)."""
    if token.certificate is None:
        return None
    if request.certificate is None:
        return Reason.CERTIFICATE_MISSING
    same = hmac.compare_digest(request.certificate.encode(), token.certificate.encode())
    return None if same else Reason.CERTIFICATE_OTHER
