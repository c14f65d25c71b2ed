"""Tokens out: the authorization server's decision, pure over (request, the client's row, now)."""

import hashlib
from typing import TypeVar

import msgspec

from sauma.core.evidence import Claim
from sauma.core.people import Confidential
from sauma.exchange.tokens import KnownClient, TokenCommit, TokenDecision, TokenGranted, TokenRequest
from sauma.oauth._authlib import Refused, token_response
from sauma.oauth.claims import TOKEN_LIFETIME, ProofTarget
from sauma.oauth.details import CaseAccess
from sauma.oauth.form import read_form
from sauma.oauth.grant import (
    assertion_claim,
    authenticate_client,
    bound_thumbprint,
    case_access,
    chosen_organisation,
    granted_scopes,
)
from sauma.oauth.jose import SigningKey, encode, parse, sign
from sauma.oauth.proof import proof_claim, verify_proof
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims

_NO_STORE = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))
ERROR_TEXTS = {
    "invalid_request": "The form is not a valid token request.",
    "invalid_client": "Client authentication failed.",
    "unsupported_grant_type": "Only client_credentials is supported.",
    "invalid_dpop_proof": "A valid DPoP proof for this endpoint is required.",
    "invalid_scope": "Name at least one scope, and only scopes granted to the client.",
    "invalid_target": "The resource is not served here.",
    "invalid_authorization_details": "The authorization details are not valid for this client.",
    "unauthorized_client": "The X-Road member that sent the request is not the organisation the token is for.",
}
"""Every error of the token endpoint (RFC 6749 section 5.2) with its one text."""


_Good = TypeVar("_Good")


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """This deployment as an issuer: identifier, token endpoint, the resource its tokens are for, and signing key."""

    url: str
    token_endpoint: str
    resource: str
    key: SigningKey


class AuthorizationServer:
    """The issuer behind `exchange.tokens.TokenAuthority`."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def claimed_client(self, request: TokenRequest) -> str | None:
        """The `iss` of the client assertion, not yet believed."""
        form = read_form(request.body, content_type=request.content_type)
        compact = Reason.ASSERTION_MISSING if isinstance(form, Reason) else parse(form.get("client_assertion", ""))
        claimed = None if isinstance(compact, Reason) else compact.members.get("iss")
        return claimed if isinstance(claimed, str) and "\0" not in claimed else None

    def decide(self, request: TokenRequest, known: KnownClient | None, *, now: int, token_id: str) -> TokenDecision:
        """`decide_token` for this issuer."""
        return decide_token(request, known, issuer=self._issuer, now=now, token_id=token_id)

    def replayed(self, commit: TokenCommit) -> TokenDecision:
        """The refusal for a used assertion or proof."""
        if commit is TokenCommit.PROOF_REPLAYED:
            return refusal("invalid_dpop_proof", Reason.PROOF_REPLAYED)
        return refusal("invalid_client", Reason.ASSERTION_REPLAYED)


def decide_token(
    request: TokenRequest, known: KnownClient | None, *, issuer: Issuer, now: int, token_id: str
) -> TokenDecision:
    """Judge a token request (client_credentials, private_key_jwt, DPoP).

    1 form strict · 2 one authentication method · 3 grant known · 4 assertion by a key of an active client · 5 proof for
    this endpoint · 6 scopes within the grant · 7 resource ours · 8 organisation the client may act for · 9 and its
    carrier, behind X-Road, speaks for.
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
    if isinstance(answer, Refused):
        return refusal(str(answer.error), answer.reason)
    return TokenDecision(status=200, body=answer, headers=_NO_STORE, claims=steps.claims, granted=steps.granted)


def refusal(error: str, reason: Reason) -> TokenDecision:
    """The answer for an error code: status 400 and one constant text, whatever the reason."""
    body = {"error": error, "error_description": ERROR_TEXTS[error]}
    return TokenDecision(status=400, body=body, headers=_NO_STORE, reason=reason.value)


class _Asked(Confidential, frozen=True, kw_only=True):
    form: dict[str, str]
    request: TokenRequest
    known: KnownClient | None
    issuer: Issuer
    now: int
    token_id: str


class _Steps:
    """One request on its way through authlib's order; each step leaves what the next one stands on."""

    claims: tuple[Claim, ...] = ()
    granted: TokenGranted | None = None

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._client: KnownClient | None = None
        self._assertion: Claims | None = None
        self._access = CaseAccess()

    def authenticate(self) -> None:
        asked = self._asked
        outcome = authenticate_client(asked.form, asked.known, issuer=asked.issuer.url, now=asked.now)
        self._assertion = _or_refuse("invalid_client", outcome)
        self._client = asked.known

    def validate(self) -> None:
        asked, client, assertion = self._asked, self._client, self._assertion
        if client is None or assertion is None:
            raise Refused(Reason.ISSUER_UNKNOWN, error="invalid_client")
        thumbprint = _or_refuse("invalid_dpop_proof", bound_thumbprint(assertion))
        target = ProofTarget(method="POST", url=asked.issuer.token_endpoint, thumbprint=thumbprint)
        proof = _or_refuse("invalid_dpop_proof", verify_proof(asked.request.proofs, target, now=asked.now))
        scopes = _or_refuse("invalid_scope", granted_scopes(asked.form.get("scope", ""), client))
        if asked.form.get("resource", asked.issuer.resource) != asked.issuer.resource:
            raise Refused(Reason.RESOURCE_OTHER, error="invalid_target")
        access = _or_refuse("invalid_authorization_details", case_access(asked.form, assertion))
        parameter = asked.form.get("organisation")
        chosen = chosen_organisation(access.organisation, parameter, client)
        stated_in_details = access.organisation is not None
        code = "invalid_authorization_details" if stated_in_details else "invalid_request"
        self._access = CaseAccess(organisation=_or_refuse(code, chosen), officer=access.officer)
        _carried(asked.request, str(self._access.organisation))
        self.claims = (assertion_claim(assertion, client.id), proof_claim(proof))
        self.granted = TokenGranted(
            client=client.id,
            client_version=client.version,
            organisation=str(self._access.organisation),
            scopes=scopes,
            token_id=asked.token_id,
            key_thumbprint=proof.key.thumbprint,
            assertion_digest=hashlib.sha256(asked.form["client_assertion"].encode()).digest(),
            issued_at=asked.now,
            expires_at=asked.now + TOKEN_LIFETIME,
            passage=asked.request.passage,
        )

    def make_token(self) -> dict[str, object]:
        if self.granted is None:
            raise Refused(Reason.FORM_MALFORMED, error="invalid_request")
        issuer, granted, details = self._asked.issuer, self.granted, self._access.as_details()
        scope = " ".join(granted.scopes)
        members: dict[str, object] = {
            "iss": issuer.url,
            "aud": issuer.resource,
            "sub": granted.organisation,
            "client_id": granted.client,
            "scope": scope,
            "iat": granted.issued_at,
            "exp": granted.expires_at,
            "jti": granted.token_id,
            "cnf": {"jkt": granted.key_thumbprint},
            "asrt": encode(granted.assertion_digest),
            "client_version": granted.client_version,
            "authorization_details": details,
        }
        return {
            "access_token": sign(members, issuer.key, typ="at+jwt"),
            "token_type": "DPoP",
            "expires_in": TOKEN_LIFETIME,
            "scope": scope,
            "authorization_details": details,
        }


def _carried(request: TokenRequest, organisation: str) -> None:
    """The carrier of the request, if it had one, speaks for the organisation the token will be of."""
    carrier = request.passage.carrier if request.passage else None
    if carrier is not None and carrier.stranger_to(organisation) is not None:
        raise Refused(Reason.CARRIER_MISMATCH, error="unauthorized_client")


def _or_refuse(error: str, outcome: _Good | Reason) -> _Good:
    if isinstance(outcome, Reason):
        raise Refused(outcome, error=error)
    return outcome
