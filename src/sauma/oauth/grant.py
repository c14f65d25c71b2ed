"""The questions a token request must answer, one pure function each."""

import re
from collections.abc import Mapping

from sauma.core.evidence import Claim, ClaimKind
from sauma.exchange.tokens import ClientState, KnownClient
from sauma.oauth.claims import SKEW, Expectation
from sauma.oauth.details import CaseAccess, read_details, read_details_text
from sauma.oauth.jose import DECOYS, VerifyingKey, digest16, import_public
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, verify

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 300
_EXPECTED_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})
_SCOPE = re.compile(r"[!#-\[\]-~]{1,64}(?: [!#-\[\]-~]{1,64}){0,31}")


def authenticate_client(
    form: Mapping[str, str], known: KnownClient | None, *, issuer: str, now: int
) -> Claims | Reason:
    """Whether the assertion is by a registered key of an active client (RFC 7523 section 3).

    `aud` must be the issuer identifier as a string (FAPI 2.0 5.3.2.1 item 8); nothing is honoured after 300 seconds.
    """
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return Reason.ASSERTION_TYPE if "client_assertion_type" in form else Reason.ASSERTION_MISSING
    if not form.get("client_assertion"):
        return Reason.ASSERTION_MISSING
    if "client_secret" in form:
        return Reason.AUTHENTICATION_METHOD
    keys = client_keys((DECOYS["ES256"].jwk,) if known is None else known.keys)  # nobody's keys cost the same time
    issuers = {} if known is None else {known.id: keys}
    expectation = Expectation(
        types=_EXPECTED_TYPES,
        now=now,
        lifetime=ASSERTION_LIFETIME,
        issuers=issuers,
        audience=issuer,
        subject_is_issuer=True,
    )
    assertion = verify(form["client_assertion"], expectation)
    if isinstance(assertion, Reason) or known is None:
        return assertion
    if form.get("client_id", known.id) != known.id:
        return Reason.CLIENT_OTHER
    return assertion if known.state is ClientState.ACTIVE else Reason.CLIENT_INACTIVE


def client_keys(jwks: tuple[Mapping[str, str], ...]) -> tuple[VerifyingKey, ...]:
    """The usable keys among a client's registered JWKs; one that is of no kind we take verifies nothing."""
    keys = (import_public(jwk) for jwk in jwks)
    return tuple(key for key in keys if isinstance(key, VerifyingKey))


def assertion_claim(assertion: Claims, client_id: str) -> Claim:
    """The assertion's once-only id, of its client as well, kept past its last second."""
    digest = digest16("assertion", client_id, assertion.jti)
    return Claim(kind=ClaimKind.ASSERTION, digest=digest, expires_at=assertion.expires_at + SKEW)


def granted_scopes(scope: str, client: KnownClient) -> tuple[str, ...] | Reason:
    """The scopes asked for, all of which must have been granted; none is ever assumed (RFC 6749 section 3.3)."""
    if not scope:
        return Reason.SCOPE_MISSING
    if _SCOPE.fullmatch(scope) is None:
        return Reason.SCOPE_MALFORMED
    asked = tuple(dict.fromkeys(scope.split(" ")))
    return asked if client.scopes.issuperset(asked) else Reason.SCOPE_UNGRANTED


def bound_thumbprint(assertion: Claims) -> str | Reason | None:
    """The proof key the assertion names in `cnf.jkt`, if it names one."""
    stated = assertion.members.get("cnf")
    if stated is None:
        return None
    jkt = stated.get("jkt") if isinstance(stated, dict) else None
    return jkt if isinstance(jkt, str) else Reason.JKT_OTHER


def case_access(form: Mapping[str, str], assertion: Claims) -> CaseAccess | Reason:
    """The details of the form or of the signed assertion; where both state them they must be equal."""
    asked = read_details_text(form["authorization_details"]) if "authorization_details" in form else None
    if "authorization_details" not in assertion.members:
        return CaseAccess() if asked is None else asked
    signed = read_details(assertion.members["authorization_details"])
    if asked is None or isinstance(signed, Reason):
        return signed
    return Reason.DETAILS_DIFFER if isinstance(asked, CaseAccess) and asked != signed else asked


def chosen_organisation(detail: str | None, parameter: str | None, client: KnownClient) -> str | Reason:
    """The one organisation the token is for: stated in the details, in the form parameter, or the client's only one."""
    stated = {one for one in (detail, parameter) if one is not None}
    if len(stated) > 1:
        return Reason.DETAILS_DIFFER
    if not stated and len(client.organisations) != 1:
        return Reason.ORGANISATION_UNSTATED
    organisation = stated.pop() if stated else client.organisations[0]
    return organisation if organisation in client.organisations else Reason.ORGANISATION_UNGRANTED
