"""Who asks: the client assertion of a registered system (RFC 7523), and the once-only id it leaves."""

from collections.abc import Mapping

from sauma.core.evidence import Claim, ClaimKind
from sauma.core.people import Confidential
from sauma.exchange.tokens import ClaimedClient, ClientState, KnownClient
from sauma.oauth.claims import SKEW, Expectation
from sauma.oauth.form import read_form
from sauma.oauth.jose import DECOYS, VerifyingKey, digest16, family, import_public, parse
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, verify

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 300
_EXPECTED_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})


class Authenticated(Confidential, frozen=True, kw_only=True):
    """A registered, active system and the assertion it signed; what that says is the system's own word."""

    client: KnownClient
    assertion: Claims
    signed: str


def claimed_client(body: bytes, *, content_type: str) -> ClaimedClient | None:
    """The `iss` and `kid` of the client assertion in a form, not yet believed."""
    form = read_form(body, content_type=content_type)
    compact = Reason.ASSERTION_MISSING if isinstance(form, Reason) else parse(form.get("client_assertion", ""))
    if isinstance(compact, Reason):
        return None
    claimed, kid = compact.members.get("iss"), compact.header.get("kid")
    if not isinstance(claimed, str) or "\0" in claimed:
        return None
    return ClaimedClient(id=claimed, kid=kid if isinstance(kid, str) else None)


def authenticate_client(
    form: Mapping[str, str], known: KnownClient | None, *, issuer: str, now: int
) -> Authenticated | Reason:
    """Whether the assertion is by a registered key of an active client (RFC 7523 section 3).

    `aud` must be the issuer identifier as a string (FAPI 2.0 5.3.2.1 item 8); nothing is honoured after 300 seconds.
    One key is read and one signature checked whoever asks: nobody we know, one with five keys or none, one that is
    suspended.
    """
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return Reason.ASSERTION_TYPE if "client_assertion_type" in form else Reason.ASSERTION_MISSING
    if not form.get("client_assertion"):
        return Reason.ASSERTION_MISSING
    if "client_secret" in form:
        return Reason.AUTHENTICATION_METHOD
    chosen = _chosen_key(() if known is None else known.keys, form["client_assertion"])
    expectation = Expectation(
        types=_EXPECTED_TYPES,
        now=now,
        lifetime=ASSERTION_LIFETIME,
        issuers={} if known is None else {known.id: () if isinstance(chosen, Reason) else (chosen,)},
        audience=issuer,
        subject_is_issuer=True,
    )
    assertion = verify(form["client_assertion"], expectation)
    if known is None:
        return assertion if isinstance(assertion, Reason) else Reason.ISSUER_UNKNOWN
    if isinstance(assertion, Reason):
        unfetched = Reason.KEYS_UNFETCHED if known.jwks_uri is not None and not known.keys else chosen
        return unfetched if assertion is Reason.KEY_UNKNOWN and isinstance(unfetched, Reason) else assertion
    if form.get("client_id", known.id) != known.id:
        return Reason.CLIENT_OTHER
    if known.state is not ClientState.ACTIVE:
        return Reason.CLIENT_INACTIVE
    return Authenticated(client=known, assertion=assertion, signed=form["client_assertion"])


def _chosen_key(jwks: tuple[Mapping[str, str], ...], assertion: str) -> VerifyingKey | Reason:
    """The one registered key that is of the assertion's `kid`, if it states one, and of its `alg`.

    Reading a key takes time, so exactly one is read in every case: where none fits, a decoy of the same algorithm.
    """
    compact = parse(assertion)
    header = {} if isinstance(compact, Reason) else compact.header
    algorithm = family(str(header.get("alg")))
    named = [jwk for jwk in jwks if header.get("kid") in (None, jwk.get("kid"))]
    fitting = [jwk for jwk in named if family(jwk.get("alg", "")) == algorithm]
    if len(fitting) != 1:
        import_public(DECOYS.get(algorithm, DECOYS["ES256"]).jwk)
        return Reason.KEY_ALGORITHM if named and not fitting else Reason.KEY_UNKNOWN
    key = import_public(fitting[0])
    return key if isinstance(key, VerifyingKey) else Reason.KEY_UNKNOWN


def assertion_claim(asker: Authenticated) -> Claim:
    """The assertion's once-only id, of its client as well, kept past its last second."""
    digest = digest16("assertion", asker.client.id, asker.assertion.jti)
    return Claim(kind=ClaimKind.ASSERTION, digest=digest, expires_at=asker.assertion.expires_at + SKEW)


def bound_thumbprint(assertion: Claims) -> str | Reason | None:
    """The proof key the assertion names in `cnf.jkt`, if it names one."""
    stated = assertion.members.get("cnf")
    if stated is None:
        return None
    jkt = stated.get("jkt") if isinstance(stated, dict) else None
    return jkt if isinstance(jkt, str) else Reason.JKT_OTHER
