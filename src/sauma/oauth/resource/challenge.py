"""How a protected request is refused: one constant text for each error code (RFC 6750, RFC 9449, RFC 9470)."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sauma.oauth.jose import ALGORITHMS
from sauma.oauth.reasons import Reason

ERROR_TEXTS = {
    "invalid_request": "The request carries its credentials in a way that is not allowed.",
    "invalid_token": "The access token is not valid here.",
    "invalid_dpop_proof": "A valid DPoP proof for this request is required.",
    "use_dpop_nonce": "The DPoP proof must carry the nonce given with this answer.",
    "insufficient_scope": "The access token does not hold what this operation needs.",
    "insufficient_user_authentication": "The officer must have logged in as this answer says, and a short time ago.",
}
"""Every error of a protected operation with its one text."""
_STATUS = {"invalid_request": 400, "insufficient_scope": 403}
_UNAUTHORIZED = 401
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """The refusal to send: RFC 6750 and 9449 shapes; `reason` is for logs only."""

    status: int
    body: Mapping[str, str]
    headers: tuple[tuple[str, str], ...]
    reason: Reason


def challenge(
    error: str | None,
    reason: Reason,
    *,
    metadata_url: str,
    told: Mapping[str, str] = _NOTHING,
    nonce: str | None = None,
) -> Challenge:
    """The answer for an error code; None is a request that showed no credentials, which is told none.

    `told` are further members of the challenge (`scope`, `acr_values`, `max_age`), `nonce` goes out as DPoP-Nonce.
    """
    place = metadata_url.partition("/.well-known/")[0]
    parameters = {
        "error": error,
        "error_description": None if error is None else ERROR_TEXTS[error],
        "error_uri": None if error is None else f"{place}/v1/problems/{error}",
        **told,
        "algs": " ".join(ALGORITHMS),
        "resource_metadata": metadata_url,
    }
    value = "DPoP " + ", ".join(f'{name}="{text}"' for name, text in parameters.items() if text is not None)
    body = {} if error is None else {"error": error, "error_description": ERROR_TEXTS[error]}
    headers = [("WWW-Authenticate", value), ("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if nonce is not None:
        headers.append(("DPoP-Nonce", nonce))
    return Challenge(status=_STATUS.get(error or "", _UNAUTHORIZED), body=body, headers=tuple(headers), reason=reason)
