"""What an access token says once it is verified: ours, and those of an issuer that is trusted beside us (RFC 9068)."""

import hashlib
from collections.abc import Mapping

import msgspec

from sauma.core.evidence import Claim, ClaimKind
from sauma.core.parties import Authentication, Caller, CaseAccess, Client, Officer, Passage
from sauma.core.people import Confidential
from sauma.exchange.tokens import Mandate
from sauma.oauth.claims import SKEW
from sauma.oauth.details import DETAILS_TYPE, AccessDetail, read_details
from sauma.oauth.jose import decode, digest16
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims

_DIGEST_BYTES = 32


class VerifiedToken(Confidential, frozen=True, kw_only=True):
    """A caller's token and proof, verified. `claims` must be claimed with the ledger entry; the rows it names re-read.

    `grant_version` is that of the mandate the token was given under, compared again at every append; 0, which no
    mandate has, until the register was asked about another issuer's token. `assertion_digest` is SHA-256 of the signed
    assertion the token was given for, or of the token itself where another issuer has that. `certificate` is the
    thumbprint the token is bound to besides its key (RFC 8705), `nonce` what the proof said. Times are Unix seconds.
    """

    client_id: str
    grant_version: int
    organisation: str
    scopes: frozenset[str]
    token_id: str
    key_thumbprint: str
    assertion_digest: bytes
    officer: Officer | None
    expires_at: int
    revocation: Claim
    claims: tuple[Claim, ...] = ()
    supplier: str | None = None
    access: CaseAccess = CaseAccess()
    authentication: Authentication | None = None
    certificate: str | None = None
    nonce_required: bool = False
    nonce: str | None = None

    def proven(self, claims: tuple[Claim, ...], *, nonce: str | None) -> "VerifiedToken":
        """The token as one call holds it, with that call's proof."""
        return VerifiedToken(
            client_id=self.client_id,
            grant_version=self.grant_version,
            organisation=self.organisation,
            scopes=self.scopes,
            token_id=self.token_id,
            key_thumbprint=self.key_thumbprint,
            assertion_digest=self.assertion_digest,
            officer=self.officer,
            expires_at=self.expires_at,
            revocation=self.revocation,
            claims=claims,
            supplier=self.supplier,
            access=self.access,
            authentication=self.authentication,
            certificate=self.certificate,
            nonce_required=self.nonce_required,
            nonce=nonce,
        )

    def under(self, mandate: Mandate, *, nonce_required: bool) -> "VerifiedToken":
        """Another issuer's token with no more than the register lets its system have here."""
        return VerifiedToken(
            client_id=self.client_id,
            grant_version=mandate.version,
            organisation=self.organisation,
            scopes=self.scopes & mandate.scopes,
            token_id=self.token_id,
            key_thumbprint=self.key_thumbprint,
            assertion_digest=self.assertion_digest,
            officer=self.officer,
            expires_at=self.expires_at,
            revocation=self.revocation,
            claims=self.claims,
            supplier=mandate.supplier,
            access=self.access,
            authentication=self.authentication,
            certificate=self.certificate,
            nonce_required=nonce_required,
            nonce=self.nonce,
        )

    def as_caller(self, passage: Passage) -> Caller:
        """The caller of a request that came so."""
        return Caller(
            client=Client(id=self.client_id, organisation=self.organisation, version=self.grant_version),
            scopes=self.scopes,
            token_id=self.token_id,
            assertion_digest=self.assertion_digest,
            claims=self.claims,
            officer=self.officer,
            passage=passage,
            supplier=self.supplier,
            authentication=self.authentication,
            access=self.access,
        )


class TrustedClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which registered system one of another issuer's clients is, and the one organisation it speaks for."""

    client: str
    organisation: str


class TrustedIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """Another issuer whose tokens are believed: for the named clients only, and never for more than `scopes`."""

    clients: Mapping[str, TrustedClient]
    scopes: frozenset[str]


class _Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender must show besides the token."""

    thumbprint: str
    certificate: str | None


def read_own(claims: Claims) -> VerifiedToken | Reason:
    """A token of this issuer; whatever it does not say as we write it is a defect."""
    members = claims.members
    bound = _bound(members)
    if isinstance(bound, Reason):
        return bound
    client_id, organisation, scope = members.get("client_id"), members.get("sub"), members.get("scope", "")
    version, nonce_required = members.get("grant_version"), members.get("dpop_nonce", False)
    texts = isinstance(client_id, str) and isinstance(organisation, str) and isinstance(scope, str)
    if not texts or not isinstance(version, int) or isinstance(version, bool) or not isinstance(nonce_required, bool):
        return Reason.TOKEN_CLAIMS
    assertion = decode(str(members.get("asrt", "")))
    if isinstance(assertion, Reason) or len(assertion) != _DIGEST_BYTES:
        return Reason.TOKEN_CLAIMS
    details, supplier = read_details(members.get("authorization_details")), _supplier(members)
    if isinstance(details, Reason) or details.organisation != organisation or isinstance(supplier, Reason):
        return Reason.TOKEN_CLAIMS
    authentication = _authentication(members, details.officer)
    if isinstance(authentication, Reason):
        return authentication
    return VerifiedToken(
        client_id=str(client_id),
        grant_version=version,
        organisation=str(organisation),
        scopes=frozenset(str(scope).split()),
        token_id=claims.jti,
        key_thumbprint=bound.thumbprint,
        assertion_digest=assertion,
        officer=details.officer,
        expires_at=claims.expires_at,
        revocation=_revocation(claims, claims.jti),
        supplier=supplier,
        access=details.confines,
        authentication=authentication,
        certificate=bound.certificate,
        nonce_required=nonce_required,
    )


def read_foreign(claims: Claims, issuer: TrustedIssuer, *, token: str) -> VerifiedToken | Reason:
    """A token of another issuer: of it only client, scopes, binding and our own kind of details are believed.

    The caller must still ask the register what the system may do for the organisation.
    """
    members = claims.members
    bound, details = _bound(members), _own_details(members)
    if isinstance(bound, Reason):
        return bound
    named, scope = members.get("client_id"), members.get("scope", "")
    if not isinstance(named, str) or not isinstance(scope, str) or isinstance(details, Reason):
        return Reason.TOKEN_CLAIMS
    client = issuer.clients.get(named)
    if client is None:
        return Reason.CLIENT_UNTRUSTED
    if details.organisation not in {None, client.organisation}:
        return Reason.TOKEN_CLAIMS
    return VerifiedToken(
        client_id=client.client,
        grant_version=0,
        organisation=client.organisation,
        scopes=frozenset(scope.split()) & issuer.scopes,
        token_id=claims.jti,
        key_thumbprint=bound.thumbprint,
        assertion_digest=hashlib.sha256(token.encode()).digest(),
        officer=details.officer,
        expires_at=claims.expires_at,
        revocation=_revocation(claims, str(members.get("iss")), claims.jti),
        access=details.confines,
        certificate=bound.certificate,
    )


def _bound(members: Mapping[str, object]) -> _Bound | Reason:
    """The key, and where the token has one the certificate, it is bound to (RFC 7800, RFC 9449, RFC 8705)."""
    bound = members.get("cnf")
    thumbprint = bound.get("jkt") if isinstance(bound, dict) else None
    certificate = bound.get("x5t#S256") if isinstance(bound, dict) else None
    if not isinstance(thumbprint, str) or not isinstance(certificate, str | None):
        return Reason.NOT_BOUND
    return _Bound(thumbprint=thumbprint, certificate=certificate)


def _revocation(claims: Claims, *named: str) -> Claim:
    """What stands where the token was revoked; never claimed itself (RFC 7009)."""
    return Claim(kind=ClaimKind.TOKEN, digest=digest16("token", *named), expires_at=claims.expires_at + SKEW)


def _supplier(members: Mapping[str, object]) -> str | Reason | None:
    """Who acts for the organisation (RFC 8693 section 4.1), if another does."""
    if "act" not in members:
        return None
    acting = members["act"]
    named = acting.get("sub") if isinstance(acting, dict) and len(acting) == 1 else None
    return named if isinstance(named, str) and named else Reason.TOKEN_CLAIMS


def _authentication(members: Mapping[str, object], officer: Officer | None) -> Authentication | Reason | None:
    """How the officer of the token logged in, if one did; a word on nobody is a defect."""
    provider, context, at = (members.get(name) for name in ("officer_provider", "acr", "auth_time"))
    if provider is None and context is None and at is None:
        return None
    if officer is None or not isinstance(provider, str) or not isinstance(context, str | None):
        return Reason.TOKEN_CLAIMS
    if not isinstance(at, int) or isinstance(at, bool):
        return Reason.TOKEN_CLAIMS
    return Authentication(provider=provider, context_class=context, at=at)


def _own_details(members: Mapping[str, object]) -> AccessDetail | Reason:
    """The one detail of our type among another issuer's; details of other types say nothing to us (RFC 9396)."""
    said = members.get("authorization_details", [])
    if not isinstance(said, list):
        return Reason.TOKEN_CLAIMS
    ours = [detail for detail in said if isinstance(detail, dict) and detail.get("type") == DETAILS_TYPE]
    return read_details(ours) if ours else AccessDetail()
