"""What the issuer says: its parts, its refusals with one text for each code, and the headers of every answer."""

import msgspec

from sauma.core.purposes import Catalogue
from sauma.exchange.tokens import TokenDecision
from sauma.oauth.jose import SigningKey, VerifyingKey
from sauma.oauth.nonce import Nonces
from sauma.oauth.reasons import Reason

NO_STORE = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))
ERROR_TEXTS = {
    "invalid_request": "The form is not a valid request.",
    "invalid_client": "Client authentication failed.",
    "unsupported_grant_type": "Only client_credentials and token-exchange are supported.",
    "invalid_dpop_proof": "A valid DPoP proof for this endpoint is required.",
    "use_dpop_nonce": "The DPoP proof must hold the nonce in the DPoP-Nonce header.",
    "invalid_scope": "Name at least one scope, and only scopes granted to the client.",
    "invalid_target": "The resource is not served here.",
    "invalid_authorization_details": "The authorization details are not valid for this client.",
    "unauthorized_client": "The client, or the X-Road member that sent the request, may not act for the organisation.",
}
"""Every error of the endpoints under /oauth (RFC 6749 section 5.2, RFC 9449 section 8) with its one text."""


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """This deployment as an issuer at this moment: identifier, token endpoint, the resource its tokens are for, keys.

    `verifying` are the keys its standing tokens are signed with; `catalogue` is what a detail is held against.
    """

    url: str
    token_endpoint: str
    resource: str
    key: SigningKey
    verifying: tuple[VerifyingKey, ...]
    catalogue: Catalogue
    nonces: Nonces


def refusal(error: str, reason: Reason, *, nonce: str | None = None) -> TokenDecision:
    """The answer for an error code: status 400 and one constant text, whatever the reason."""
    body = {"error": error, "error_description": ERROR_TEXTS[error]}
    return TokenDecision(status=400, body=body, headers=headers(nonce), reason=reason.value)


def headers(nonce: str | None = None) -> tuple[tuple[str, str], ...]:
    """Those of every answer, with the nonce the client's next proof must hold, if it needs one."""
    return NO_STORE if nonce is None else (*NO_STORE, ("DPoP-Nonce", nonce))
