"""Which officer has logged in: the word of the organisation's own identity provider, exchanged (RFC 8693).

The provider is registered with the organisation and never found through the token. Several organisations may have one
provider, so its word says for which of them the officer logged in. `sub` of the token that is given stays the
organisation; the officer stands in its detail.
"""

from collections.abc import Mapping

import msgspec

from sauma.core.evidence import Claim, ClaimKind
from sauma.core.parties import Authentication, Officer, OfficerKind
from sauma.core.people import Confidential
from sauma.exchange.tokens import IdentityProvider
from sauma.oauth.claims import SKEW, Expectation
from sauma.oauth.details import text_flaw
from sauma.oauth.jose import VerifyingKey, digest16, import_public
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, verify

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # RFC 8693's name of a kind
LOGIN_LIFETIME = 300
_EXPECTED_TYPES = frozenset({"", "jwt"})


class Login(Confidential, frozen=True, kw_only=True):
    """An officer as the provider says, how it was authenticated, and the once-only id of the provider's word."""

    officer: Officer
    authentication: Authentication
    claim: Claim


class _Said(Confidential, frozen=True):
    organisation: str
    sub: str
    name: str
    role: str
    unit: str
    auth_time: int
    acr: str | None = None


def exchange_flaw(form: Mapping[str, str]) -> Reason | None:
    """Whether the form asks for what is exchanged here: one JWT about an officer, for an access token."""
    if "actor_token" in form or "actor_token_type" in form:
        return Reason.ACTOR_TOKEN  # who acts is whom the assertion names
    if not form.get("subject_token"):
        return Reason.SUBJECT_TOKEN_MISSING
    if form.get("subject_token_type") != JWT_TYPE:
        return Reason.SUBJECT_TOKEN_TYPE
    if form.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
        return Reason.REQUESTED_TYPE
    return None


def verified_login(
    subject_token: str, providers: tuple[IdentityProvider, ...], *, organisation: str, audience: str, now: int
) -> Login | Reason:
    """The officer a registered provider of the organisation the token is for says has logged in for it.

    The caller must claim the once-only id.
    """
    issuers: dict[str, tuple[VerifyingKey, ...]] = {}
    for provider in providers:
        if provider.organisation == organisation:
            issuers[provider.issuer] = issuers.get(provider.issuer, ()) + _usable(provider.keys)
    expectation = Expectation(
        types=_EXPECTED_TYPES, now=now, lifetime=LOGIN_LIFETIME, issuers=issuers, audience=audience
    )
    word = verify(subject_token, expectation)
    return word if isinstance(word, Reason) else _login(word, organisation=organisation, now=now)


def _usable(jwks: tuple[Mapping[str, str], ...]) -> tuple[VerifyingKey, ...]:
    """The keys among registered JWKs that are of a kind we take; any other verifies nothing."""
    keys = (import_public(jwk) for jwk in jwks)
    return tuple(key for key in keys if isinstance(key, VerifyingKey))


def _login(word: Claims, *, organisation: str, now: int) -> Login | Reason:
    try:
        said = msgspec.convert(dict(word.members), _Said)
    except msgspec.ValidationError:
        return Reason.OFFICER_CLAIMS
    if said.organisation != organisation:
        return Reason.LOGIN_ORGANISATION
    texts = [said.sub, said.name, said.role, said.unit, *([] if said.acr is None else [said.acr])]
    flaw = text_flaw(*texts)
    if flaw is not None:
        return flaw if flaw is Reason.DETAILS_PERSONAL else Reason.OFFICER_CLAIMS
    if not 0 < said.auth_time <= now + SKEW:
        return Reason.LOGIN_TIME
    provider = str(word.members["iss"])
    return Login(
        officer=Officer(kind=OfficerKind.PERSON, id=said.sub, name=said.name, role=said.role, unit=said.unit),
        authentication=Authentication(provider=provider, context_class=said.acr, at=said.auth_time),
        claim=Claim(
            kind=ClaimKind.SUBJECT_TOKEN,
            digest=digest16("subject-token", organisation, provider, word.jti),
            expires_at=word.expires_at + SKEW,
        ),
    )
