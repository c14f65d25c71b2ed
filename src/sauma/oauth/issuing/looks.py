"""Who may look at a token of ours, or end it, and what is said of it (RFC 7662, RFC 7009).

A system learns all of its own tokens and may end them, and them alone (RFC 7009 section 2.1). Of the tokens of its own
organisation that others got it learns whether they stand and whose they are, never the officer or the case. Every other
one, and every text that is no token, is inactive to it. No DPoP proof is asked for: nothing here is opened with the
token that is shown.
"""

import hashlib
from collections.abc import Mapping

from sauma.core.parties import Caller, Client
from sauma.exchange.tokens import IssuedToken, KnownClient, Mandate, TokenDecision, TokenLook, TokenRequest
from sauma.oauth.claims import SKEW, TOKEN_LIFETIME, Expectation
from sauma.oauth.form import read_form
from sauma.oauth.issuing.answers import Issuer, refusal
from sauma.oauth.issuing.clients import Authenticated, assertion_claim, authenticate_client
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, verify

_EXPECTED_TYPES = frozenset({"at+jwt"})
_OF_ANOTHER = ("scope", "client_id", "sub", "exp", "cnf")
_SAID = (*_OF_ANOTHER, "aud", "iss", "iat", "jti", "act", "acr", "auth_time", "authorization_details")


def decide_look(
    request: TokenRequest, known: KnownClient | None, *, issuer: Issuer, now: int
) -> TokenLook | TokenDecision:
    """Judge a form that shows a token.

    1 form strict, one token · 2 one authentication method · 3 assertion by a key of an active client · 4 that has a
    mandate its carrier, behind X-Road, speaks for · 5 token ours, in time, and one it may know of, else none.
    The caller must commit the assertion's claim before it says anything, and ask the register whether the token stands.
    """
    form = read_form(request.body, content_type=request.content_type)
    if isinstance(form, Reason):
        return refusal("invalid_request", form)
    if request.authorizations:
        return refusal("invalid_client", Reason.AUTHENTICATION_METHOD)
    if not form.get("token"):
        return refusal("invalid_request", Reason.TOKEN_UNSTATED)
    asker = authenticate_client(form, known, issuer=issuer.url, now=now)
    if isinstance(asker, Reason):
        return refusal("invalid_client", asker)
    token = _issued(form["token"], issuer, now=now)
    theirs = None if token is None else _open_to(token, asker.client)
    mandate = _spoken_for(request, (theirs,) if theirs else asker.client.mandates)
    if mandate is None:
        return refusal("unauthorized_client", Reason.CARRIER_MISMATCH if asker.client.mandates else Reason.MANDATE_NONE)
    return TokenLook(
        caller=_caller(request, asker, mandate),
        assertion=asker.signed,
        token=None if token is None or theirs is None else _seen(token, asker.client),
        own=token is not None and token.client == asker.client.id,
    )


def said_of(token: IssuedToken | None) -> dict[str, object]:
    """The members of an introspection answer; of a token that does not stand nothing is said (RFC 7662 2.2)."""
    if token is None:
        return {"active": False}
    return {"active": True, "token_type": "DPoP"} | {n: token.members[n] for n in _SAID if n in token.members}


def _open_to(token: IssuedToken, client: KnownClient) -> Mandate | None:
    """The mandate by which the system may know of the token: it got it, or it is the organisation's very own system.

    A supplier never knows of what the organisation's other systems, or other suppliers, got.
    """
    mandate = client.mandate_for(token.organisation)
    own = mandate is not None and (token.client == client.id or mandate.supplier is None)
    return mandate if own else None


def _seen(token: IssuedToken, client: KnownClient) -> IssuedToken:
    """The token with no more of its members than the system may learn."""
    if token.client == client.id:
        return token
    members = {name: token.members[name] for name in _OF_ANOTHER if name in token.members}
    return IssuedToken(
        client=token.client,
        organisation=token.organisation,
        version=token.version,
        token_id=token.token_id,
        digest=token.digest,
        expires_at=token.expires_at,
        members=members,
    )


def _issued(text: str, issuer: Issuer, *, now: int) -> IssuedToken | None:
    expectation = Expectation(
        types=_EXPECTED_TYPES,
        now=now,
        lifetime=TOKEN_LIFETIME,
        issuers={issuer.url: issuer.verifying},
        audience=issuer.resource,
    )
    claims = verify(text, expectation)
    return None if isinstance(claims, Reason) else _read(claims, claims.members)


def _read(claims: Claims, members: Mapping[str, object]) -> IssuedToken | None:
    client, organisation, version = members.get("client_id"), members.get("sub"), members.get("grant_version")
    if not isinstance(client, str) or not isinstance(organisation, str) or not isinstance(version, int):
        return None
    return IssuedToken(
        client=client,
        organisation=organisation,
        version=version,
        token_id=claims.jti,
        digest=digest16("token", claims.jti),
        expires_at=claims.expires_at + SKEW,
        members=members,
    )


def _spoken_for(request: TokenRequest, mandates: tuple[Mandate, ...]) -> Mandate | None:
    """The first mandate the carrier of the request, if it had one, speaks for."""
    carrier = request.passage.carrier if request.passage else None
    if carrier is None:
        return next(iter(mandates), None)
    return next((m for m in mandates if carrier.stranger_to(m.organisation, m.supplier) is None), None)


def _caller(request: TokenRequest, asker: Authenticated, mandate: Mandate) -> Caller:
    """The system itself, without a token of its own: its assertion is what it shows."""
    return Caller(
        client=Client(id=asker.client.id, organisation=mandate.organisation, version=mandate.version),
        scopes=frozenset(),
        token_id="",
        assertion_digest=hashlib.sha256(asker.signed.encode()).digest(),
        claims=(assertion_claim(asker),),
        passage=request.passage,
        supplier=mandate.supplier,
    )
