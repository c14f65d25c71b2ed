"""Tokens in: judge the access token and the DPoP proof of a protected request (RFC 9068, 9449, 6750)."""

import hashlib
from collections.abc import Mapping

import msgspec

from sauma.core.evidence import Claim
from sauma.core.parties import Officer
from sauma.oauth.claims import TOKEN_LIFETIME, Expectation, ProofTarget
from sauma.oauth.details import read_details
from sauma.oauth.jose import ALGORITHMS, VerifyingKey, decode
from sauma.oauth.memory import Remembered
from sauma.oauth.proof import proof_claim, verify_proof
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, KnownHeader, verify

_EXPECTED_TYPES = frozenset({"at+jwt"})
_DIGEST_BYTES = 32
ERROR_TEXTS = {
    "invalid_request": "The request carries its credentials in a way that is not allowed.",
    "invalid_token": "The access token is not valid here.",
    "invalid_dpop_proof": "A valid DPoP proof for this request is required.",
    "insufficient_scope": "The access token does not hold the scope this operation needs.",
}
"""Every error of a protected operation (RFC 6750, RFC 9449) with its one text."""
_STATUS = {"invalid_request": 400, "invalid_token": 401, "invalid_dpop_proof": 401, "insufficient_scope": 403}


class ProtectedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What authentication needs of a request: header values once per field line, path and query raw as they came."""

    method: str
    raw_path: str
    query: str = ""
    authorizations: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ProtectedRequest(method={self.method!r})"


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a resource server believes: issuers with their public keys, its own resource URL, its metadata's URL."""

    issuers: Mapping[str, tuple[VerifyingKey, ...]]
    resource: str
    metadata_url: str


class VerifiedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's token and proof, verified. `claims` must be claimed with the ledger entry; the rows it names re-read.

    `client_version` is the registration the token was given under, compared again at every append.
    `assertion_digest` is SHA-256 of the client's signed assertion the token was given for; times are Unix seconds.
    """

    client_id: str
    client_version: int
    organisation: str
    scopes: frozenset[str]
    token_id: str
    key_thumbprint: str
    assertion_digest: bytes
    officer: Officer | None
    claims: tuple[Claim, ...]
    expires_at: int


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """The refusal to send: RFC 6750 and 9449 shapes; `reason` is for logs only."""

    status: int
    body: Mapping[str, str]
    headers: tuple[tuple[str, str], ...]
    reason: Reason


class Memory:
    """What one process has verified for one Trust within the last minute; bounded, and it changes no verdict."""

    def __init__(self) -> None:
        self.tokens: Remembered[VerifiedToken] = Remembered()
        self.headers: Remembered[KnownHeader] = Remembered()


def authenticate(
    request: ProtectedRequest, trust: Trust, *, now: int, memory: Memory | None = None
) -> VerifiedToken | Challenge:
    """Who calls, or the challenge.

    1 exactly one credential, in the header · 2 DPoP scheme; Bearer is a downgrade · 3 token by a trusted issuer, for
    us, in time, bound to a key · 4 exactly one proof by that key for this method, URL and token.
    `memory` spares the second check of a token (3) and of a proof's header (4); never that of a proof's signature.
    """
    token = _credential(request)
    if isinstance(token, Reason):
        return challenge(_CREDENTIAL_ERRORS.get(token), token, trust=trust)
    verified = _token(token, trust, now=now, memory=memory)
    if isinstance(verified, Reason):
        return challenge("invalid_token", verified, trust=trust)
    url = trust.resource.rstrip("/") + request.raw_path
    target = ProofTarget(method=request.method, url=url, access_token=token, thumbprint=verified.key_thumbprint)
    proof = verify_proof(request.proofs, target, now=now, headers=None if memory is None else memory.headers)
    if isinstance(proof, Reason):
        return challenge("invalid_dpop_proof", proof, trust=trust)
    return _proven(verified, proof_claim(proof))


def _proven(token: VerifiedToken, proof: Claim) -> VerifiedToken:
    """The token as this call holds it: what was remembered of it, and the proof's replay id to be claimed."""
    return VerifiedToken(
        client_id=token.client_id,
        client_version=token.client_version,
        organisation=token.organisation,
        scopes=token.scopes,
        token_id=token.token_id,
        key_thumbprint=token.key_thumbprint,
        assertion_digest=token.assertion_digest,
        officer=token.officer,
        claims=(proof,),
        expires_at=token.expires_at,
    )


def _token(token: str, trust: Trust, *, now: int, memory: Memory | None) -> VerifiedToken | Reason:
    """Condition 3; a token found good a moment ago is good until its last second (`exp`, lifetime)."""
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
    verified = claims if isinstance(claims, Reason) else _read_token(claims)
    if memory is not None and isinstance(verified, VerifiedToken):
        memory.tokens.keep(digest, verified, now=now, until=verified.expires_at)
    return verified


def authorise(token: VerifiedToken, trust: Trust, *, scope: str) -> VerifiedToken | Challenge:
    """The same token if it holds exactly that scope, else 403 with the scope's name (RFC 6750 section 3.1)."""
    if scope in token.scopes:
        return token
    return challenge("insufficient_scope", Reason.SCOPE_MISSING, trust=trust, scope=scope)


def challenge(error: str | None, reason: Reason, *, trust: Trust, scope: str | None = None) -> Challenge:
    """The answer for an error code; None is a request that showed no credentials, which is told none."""
    parameters = {
        "error": error,
        "error_description": None if error is None else ERROR_TEXTS[error],
        "scope": scope,
        "algs": " ".join(ALGORITHMS),
        "resource_metadata": trust.metadata_url,
    }
    value = "DPoP " + ", ".join(f'{name}="{text}"' for name, text in parameters.items() if text is not None)
    body = {} if error is None else {"error": error, "error_description": ERROR_TEXTS[error]}
    headers = (("WWW-Authenticate", value), ("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Challenge(status=401 if error is None else _STATUS[error], body=body, headers=headers, reason=reason)


_CREDENTIAL_ERRORS = {
    Reason.SEVERAL_CREDENTIALS: "invalid_request",
    Reason.TOKEN_IN_QUERY: "invalid_request",
    Reason.BEARER: "invalid_token",
}


def _credential(request: ProtectedRequest) -> str | Reason:
    names = [pair.partition("=")[0] for pair in request.query.split("&")]
    if "access_token" in names:
        return Reason.TOKEN_IN_QUERY
    if len(request.authorizations) != 1:
        return Reason.SEVERAL_CREDENTIALS if request.authorizations else Reason.NO_CREDENTIALS
    scheme, _, token = request.authorizations[0].partition(" ")
    if scheme.lower() == "bearer":
        return Reason.BEARER
    return token.strip(" ") if scheme.lower() == "dpop" else Reason.SCHEME


def _read_token(claims: Claims) -> VerifiedToken | Reason:
    members = claims.members
    bound = members.get("cnf")
    thumbprint = bound.get("jkt") if isinstance(bound, dict) else None
    if not isinstance(thumbprint, str):
        return Reason.NOT_BOUND
    client_id, organisation, scope = members.get("client_id"), members.get("sub"), members.get("scope", "")
    if not isinstance(client_id, str) or not isinstance(organisation, str) or not isinstance(scope, str):
        return Reason.TOKEN_CLAIMS
    version = members.get("client_version")
    if not isinstance(version, int) or isinstance(version, bool):
        return Reason.TOKEN_CLAIMS
    assertion = decode(str(members.get("asrt", "")))
    if isinstance(assertion, Reason) or len(assertion) != _DIGEST_BYTES:
        return Reason.TOKEN_CLAIMS
    details = read_details(members.get("authorization_details"))
    if isinstance(details, Reason) or details.organisation != organisation:
        return Reason.TOKEN_CLAIMS
    return VerifiedToken(
        client_id=client_id,
        client_version=version,
        organisation=organisation,
        scopes=frozenset(scope.split()),
        token_id=claims.jti,
        key_thumbprint=thumbprint,
        assertion_digest=assertion,
        officer=details.officer,
        claims=(),
        expires_at=claims.expires_at,
    )
