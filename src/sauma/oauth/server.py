"""Tokens out: the authorization server's decision, pure over (request, the client's row, now)."""

import hashlib
from typing import TypeVar

from sauma.core.evidence import Claim
from sauma.core.parties import Caller, Client
from sauma.core.people import Confidential
from sauma.exchange.tokens import (
    ClaimedClient,
    IssuedToken,
    KnownClient,
    Mandate,
    TokenCommit,
    TokenDecision,
    TokenGranted,
    TokenLook,
    TokenRequest,
)
from sauma.oauth._authlib import Refused, token_response
from sauma.oauth.claims import TOKEN_LIFETIME, ProofTarget
from sauma.oauth.details import AccessDetail, read_details
from sauma.oauth.form import read_form
from sauma.oauth.issuing.access import asked_detail, asked_scopes, chosen_mandate, granted_detail
from sauma.oauth.issuing.answers import ERROR_TEXTS, Issuer, headers, refusal
from sauma.oauth.issuing.clients import (
    Authenticated,
    assertion_claim,
    authenticate_client,
    bound_thumbprint,
    claimed_client,
)
from sauma.oauth.issuing.looks import decide_look, said_of
from sauma.oauth.issuing.officers import ACCESS_TOKEN_TYPE, GRANT_TYPE, Login, exchange_flaw, verified_login
from sauma.oauth.jose import encode, parse, sign
from sauma.oauth.proof import proof_claim, verify_proof
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims

__all__ = ["ERROR_TEXTS", "AuthorizationServer", "Issuer", "decide_token"]
_REPLAYS = {
    TokenCommit.PROOF_REPLAYED: ("invalid_dpop_proof", Reason.PROOF_REPLAYED),
    TokenCommit.ASSERTION_REPLAYED: ("invalid_client", Reason.ASSERTION_REPLAYED),
    TokenCommit.SUBJECT_TOKEN_REPLAYED: ("invalid_request", Reason.SUBJECT_TOKEN_REPLAYED),
}
_UNCHOSEN = {
    Reason.DETAILS_DIFFER: "invalid_authorization_details",
    Reason.ORGANISATION_UNSTATED: "invalid_request",
    Reason.ORGANISATION_UNGRANTED: "unauthorized_client",
    Reason.MANDATE_NONE: "unauthorized_client",
}
"""The error where no mandate can be chosen: what a person has to settle is no flaw of the form."""
_Good = TypeVar("_Good")


class AuthorizationServer:
    """The issuer behind `exchange.tokens.TokenAuthority`."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def claimed_client(self, request: TokenRequest) -> ClaimedClient | None:
        """The `iss` and `kid` of the client assertion, not yet believed."""
        return claimed_client(request.body, content_type=request.content_type)

    def decide(self, request: TokenRequest, known: KnownClient | None, *, now: int, token_id: str) -> TokenDecision:
        """`decide_token` for this issuer."""
        return decide_token(request, known, issuer=self._issuer, now=now, token_id=token_id)

    def look(self, request: TokenRequest, known: KnownClient | None, *, now: int) -> TokenLook | TokenDecision:
        """`decide_look` for this issuer."""
        return decide_look(request, known, issuer=self._issuer, now=now)

    def looked(self, token: IssuedToken | None) -> TokenDecision:
        """What is said of a token that stands, and of every other one alike."""
        return TokenDecision(status=200, body=said_of(token), headers=headers())

    def revoked(self) -> TokenDecision:
        """The answer to a revocation, whatever was revoked (RFC 7009 section 2.2)."""
        return TokenDecision(status=200, body={}, headers=headers())

    def replayed(self, commit: TokenCommit) -> TokenDecision:
        """The refusal for a used once-only id, or for a client that is not what it was when the request was read."""
        return refusal(*_REPLAYS.get(commit, ("invalid_client", Reason.CLIENT_CHANGED)))


def decide_token(
    request: TokenRequest, known: KnownClient | None, *, issuer: Issuer, now: int, token_id: str
) -> TokenDecision:
    """Judge a token request (client_credentials or token-exchange, private_key_jwt, DPoP).

    1 form strict · 2 one authentication method · 3 grant known · 4 assertion by a key of an active client · 5 proof for
    this endpoint, with our nonce where the client's policy wants one · 6 resource ours · 7 an organisation the client
    has a mandate for · 8 scopes within it · 9 an officer's login by that organisation's provider, if one is exchanged ·
    10 details within mandate and catalogue · 11 the carrier, behind X-Road, speaks for the organisation · 12 a
    certificate, where the client's tokens are bound to one.
    The caller must commit the claims before it sends a granted answer. An unknown client, a wrong key and an unknown
    kid get the same answer after the same work.
    """
    form = read_form(request.body, content_type=request.content_type)
    if isinstance(form, Reason):
        return refusal("invalid_request", form)
    if request.authorizations:
        return refusal("invalid_client", Reason.AUTHENTICATION_METHOD)
    if not form.get("grant_type"):
        return refusal("invalid_request", Reason.GRANT_MISSING)
    steps = _Steps(_Asked(form=form, request=request, known=known, issuer=issuer, now=now, token_id=token_id))
    answer = token_response(form, steps)
    nonce = issuer.nonces.make(issuer.token_endpoint, now=now) if known is not None and known.nonce_required else None
    if isinstance(answer, Refused):
        error = str(answer.error)
        return refusal(error, answer.reason, nonce=nonce if error == "use_dpop_nonce" else None)
    return TokenDecision(status=200, body=answer, headers=headers(nonce), granted=steps.granted)


class _Asked(Confidential, frozen=True, kw_only=True):
    form: dict[str, str]
    request: TokenRequest
    known: KnownClient | None
    issuer: Issuer
    now: int
    token_id: str


class _Steps:
    """One request on its way through authlib's order; each step leaves what the next one stands on."""

    granted: TokenGranted | None = None

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._asker: Authenticated | None = None

    def authenticate(self) -> None:
        asked = self._asked
        outcome = authenticate_client(asked.form, asked.known, issuer=asked.issuer.url, now=asked.now)
        self._asker = _or_refuse("invalid_client", outcome)

    def validate(self) -> None:
        asked, asker = self._asked, self._asker
        if asker is None:
            raise Refused(Reason.ISSUER_UNKNOWN, error="invalid_client")
        proof = _proof(asked, asker)
        scopes = _or_refuse("invalid_scope", asked_scopes(asked.form.get("scope", "")))
        resource = asked.issuer.resource
        if {asked.form.get(name, resource) for name in ("resource", "audience")} != {resource}:
            raise Refused(Reason.RESOURCE_OTHER, error="invalid_target")
        agreed = _agreed(asked, asker, scopes)
        if asker.client.certificate_bound and asked.request.certificate is None:
            raise Refused(Reason.CERTIFICATE_MISSING, error="invalid_request")
        login = (agreed.login.claim,) if agreed.login else ()
        self.granted = TokenGranted(
            caller=_caller(asked, asker, agreed, (assertion_claim(asker), proof_claim(proof), *login)),
            scope=" ".join(scopes),
            key_thumbprint=proof.key.thumbprint,
            assertion=asker.signed,
            grant_type=asked.form["grant_type"],
            details=agreed.detail.as_details(),
            issued_at=asked.now,
            expires_at=asked.now + TOKEN_LIFETIME,
        )

    def make_token(self) -> dict[str, object]:
        asked, granted = self._asked, self.granted
        if granted is None:
            raise Refused(Reason.FORM_MALFORMED, error="invalid_request")
        token = sign(_members(asked, granted), asked.issuer.key, typ="at+jwt")
        flaw = parse(token)
        if isinstance(flaw, Reason):  # our own doors would refuse it, and the login would be used up
            exchanged = granted.caller.authentication is not None
            raise Refused(flaw, error="invalid_request" if exchanged else "invalid_authorization_details")
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "DPoP",
            "expires_in": TOKEN_LIFETIME,
            "scope": granted.scope,
            "authorization_details": granted.details,
        }
        return answer | ({"issued_token_type": ACCESS_TOKEN_TYPE} if granted.grant_type == GRANT_TYPE else {})


class _Agreed(Confidential, frozen=True, kw_only=True):
    mandate: Mandate
    detail: AccessDetail
    login: Login | None


def _proof(asked: _Asked, asker: Authenticated) -> Claims:
    """The proof of the key the token will be bound to, with our nonce where the client's policy wants one."""
    thumbprint = _or_refuse("invalid_dpop_proof", bound_thumbprint(asker.assertion))
    issuer, now = asked.issuer, asked.now
    target = ProofTarget(method="POST", url=issuer.token_endpoint, thumbprint=thumbprint)
    proof = _or_refuse("invalid_dpop_proof", verify_proof(asked.request.proofs, target, now=now))
    nonce = proof.members.get("nonce")
    if asker.client.nonce_required and not issuer.nonces.good(nonce, issuer.token_endpoint, now=now):
        raise Refused(Reason.NONCE_MISSING if nonce is None else Reason.NONCE_STALE, error="use_dpop_nonce")
    return proof


def _agreed(asked: _Asked, asker: Authenticated, scopes: tuple[str, ...]) -> _Agreed:
    """For which organisation, with what, and which officer: what is left once mandate and catalogue have been heard."""
    detail = _or_refuse("invalid_authorization_details", asked_detail(asked.form, asker.assertion))
    mandate = chosen_mandate(detail.organisation, asked.form.get("organisation"), asker.client)
    if isinstance(mandate, Reason):
        raise Refused(mandate, error=_UNCHOSEN[mandate])
    if not mandate.scopes.issuperset(scopes):
        raise Refused(Reason.SCOPE_UNGRANTED, error="invalid_scope")
    login = _login(asked, asker, mandate)
    if login is not None and detail.officer not in {None, login.officer}:
        raise Refused(Reason.OFFICER_DIFFERS, error="invalid_request")
    granted = granted_detail(detail, mandate, asked.issuer.catalogue, scopes=scopes)
    detail = _or_refuse("invalid_authorization_details", granted)
    carrier = asked.request.passage.carrier if asked.request.passage else None
    if carrier is not None and carrier.stranger_to(mandate.organisation, mandate.supplier) is not None:
        raise Refused(Reason.CARRIER_MISMATCH, error="unauthorized_client")
    if login is not None:
        detail = AccessDetail(organisation=detail.organisation, confines=detail.confines, officer=login.officer)
    code = "invalid_authorization_details" if login is None else "invalid_request"
    _or_refuse(code, read_details(detail.as_details()))  # what our own doors would refuse is not given
    return _Agreed(mandate=mandate, detail=detail, login=login)


def _login(asked: _Asked, asker: Authenticated, mandate: Mandate) -> Login | None:
    """The officer's login that is exchanged, None where none is asked for; by a provider of this organisation only."""
    if asked.form["grant_type"] != GRANT_TYPE:
        return None
    flaw = exchange_flaw(asked.form)
    if flaw is not None:
        raise Refused(flaw, error="invalid_request")
    login = verified_login(
        asked.form["subject_token"],
        asker.client.providers,
        organisation=mandate.organisation,
        audience=asked.issuer.url,
        now=asked.now,
    )
    return _or_refuse("invalid_request", login)


def _caller(asked: _Asked, asker: Authenticated, agreed: _Agreed, claims: tuple[Claim, ...]) -> Caller:
    """Whom the token makes a caller."""
    mandate = agreed.mandate
    return Caller(
        client=Client(id=asker.client.id, organisation=mandate.organisation, version=mandate.version),
        scopes=frozenset(asked.form["scope"].split(" ")),
        token_id=asked.token_id,
        assertion_digest=hashlib.sha256(asker.signed.encode()).digest(),
        claims=claims,
        officer=agreed.detail.officer,
        passage=asked.request.passage,
        supplier=mandate.supplier,
        authentication=agreed.login.authentication if agreed.login else None,
        access=agreed.detail.confines,
    )


def _members(asked: _Asked, granted: TokenGranted) -> dict[str, object]:
    """The claims of the token (RFC 9068 section 2.2); nothing in it names a client of the organisation."""
    caller, client, login = granted.caller, asked.known, granted.caller.authentication
    certificate = asked.request.certificate if client is not None and client.certificate_bound else None
    members: dict[str, object] = {
        "iss": asked.issuer.url,
        "aud": asked.issuer.resource,
        "sub": caller.organisation,
        "client_id": caller.client.id,
        "scope": granted.scope,
        "iat": granted.issued_at,
        "exp": granted.expires_at,
        "jti": caller.token_id,
        "cnf": {"jkt": granted.key_thumbprint} | ({"x5t#S256": certificate} if certificate else {}),
        "asrt": encode(caller.assertion_digest),
        "grant_version": caller.client.version,
        "authorization_details": granted.details,
    }
    if caller.supplier is not None:
        members["act"] = {"sub": caller.supplier}
    if client is not None and client.nonce_required:
        members["dpop_nonce"] = True
    if login is not None:
        members |= {"auth_time": login.at, "officer_provider": login.provider}
        members |= {} if login.context_class is None else {"acr": login.context_class}
    return members


def _or_refuse(error: str, outcome: _Good | Reason) -> _Good:
    if isinstance(outcome, Reason):
        raise Refused(outcome, error=error)
    return outcome
