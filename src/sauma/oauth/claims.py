"""What the members of a signed JWT must say: in time, for us, named once, and bound to this request if a proof."""

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from sauma.core.people import Confidential
from sauma.oauth.jose import VerifyingKey, encode
from sauma.oauth.reasons import Reason

SKEW = 10
"""Seconds another clock may run ahead of ours (FAPI 2.0 section 5.3.2.1 item 13)."""
TOKEN_LIFETIME = 300
"""Seconds an access token lives; there is no refresh token."""
_JTI = re.compile(r"[\x21-\x7e]{16,256}")
_URL = re.compile(r"(https?)://([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[!-~]*)?", re.IGNORECASE)
_LAST_SECOND = 1 << 53


class ProofTarget(Confidential, frozen=True, kw_only=True):
    """What a DPoP proof must be bound to; `access_token` and `thumbprint` are None at the token endpoint."""

    method: str
    url: str
    access_token: str | None = None
    thumbprint: str | None = None


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier demands. `now`, `lifetime` and `early` are seconds; `types` are lower case, "" is an absent typ.

    `issuers` None means that the key stands in the header and is judged by `proof` (RFC 9449). Whatever `exp` says,
    nothing is honoured longer than `lifetime` after `iat`; `early` is how far `iat` may lie ahead.
    """

    types: frozenset[str]
    now: int
    lifetime: int
    early: int = SKEW
    issuers: Mapping[str, tuple[VerifyingKey, ...]] | None = None
    audience: str | None = None
    audience_list: bool = False
    subject_is_issuer: bool = False
    expires: bool = True
    proof: ProofTarget | None = None


def effective_end(members: Mapping[str, object], expectation: Expectation) -> int | Reason:
    """The last second it is honoured, the earlier of `exp` and `iat` + lifetime; or what is wrong in time."""
    issued, begins, ends = (_second(members, name) for name in ("iat", "nbf", "exp"))
    if issued is None:
        return Reason.IAT_MISSING if "iat" not in members else Reason.IAT_MALFORMED
    if "nbf" in members and begins is None:
        return Reason.NBF_MALFORMED
    if ends is None and ("exp" in members or expectation.expires):
        return Reason.EXP_MALFORMED if "exp" in members else Reason.EXP_MISSING
    if issued > expectation.now + expectation.early:
        return Reason.IAT_FUTURE
    if begins is not None and begins > expectation.now + SKEW:
        return Reason.NBF_FUTURE
    if ends is not None and ends <= expectation.now:
        return Reason.EXPIRED
    latest = issued + expectation.lifetime
    if latest < expectation.now:
        return Reason.IAT_STALE
    return int(latest if ends is None else min(ends, latest))


def _second(members: Mapping[str, object], name: str) -> float | None:
    value = members.get(name)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LAST_SECOND
    return value if usable and isinstance(value, int | float) else None


def addressee_flaw(members: Mapping[str, object], expectation: Expectation) -> Reason | None:
    """Whether it is about its issuer, where it must be, and addressed to us."""
    if expectation.subject_is_issuer and members.get("sub") != members.get("iss"):
        return Reason.SUBJECT_NOT_ISSUER if "sub" in members else Reason.SUBJECT_MISSING
    if expectation.audience is None:
        return None
    audience = members.get("aud")
    if "aud" not in members:
        return Reason.AUDIENCE_MISSING
    if isinstance(audience, list) and expectation.audience_list and all(isinstance(one, str) for one in audience):
        return None if expectation.audience in audience else Reason.AUDIENCE_OTHER
    if not isinstance(audience, str):
        return Reason.AUDIENCE_KIND
    return None if audience == expectation.audience else Reason.AUDIENCE_OTHER


def jti_flaw(jti: object) -> Reason | None:
    """Whether the once-only id is 16–256 printable ASCII characters."""
    if jti is None:
        return Reason.JTI_MISSING
    return None if isinstance(jti, str) and _JTI.fullmatch(jti) else Reason.JTI_MALFORMED


def proof_flaw(members: Mapping[str, object], key: VerifyingKey, target: ProofTarget) -> Reason | None:
    """Whether a DPoP proof is for this method, URL, access token and key (RFC 9449 section 4.3)."""
    if "htm" not in members or "htu" not in members:
        return Reason.HTM_MISSING if "htm" not in members else Reason.HTU_MISSING
    if members["htm"] != target.method:
        return Reason.HTM_OTHER
    if members["htu"] != target.url:  # else it is ours letter for letter, and nothing is left to compare
        url = comparable_url(members["htu"])
        if url is None or url != comparable_url(target.url):
            return Reason.HTU_MALFORMED if url is None else Reason.HTU_OTHER
    if target.access_token is not None:
        ath = members.get("ath")
        expected = encode(hashlib.sha256(target.access_token.encode()).digest())
        if not isinstance(ath, str) or not hmac.compare_digest(ath.encode(), expected.encode()):
            return Reason.ATH_OTHER if "ath" in members else Reason.ATH_MISSING
    if target.thumbprint is not None and not hmac.compare_digest(key.thumbprint.encode(), target.thumbprint.encode()):
        return Reason.JKT_OTHER
    return None


def comparable_url(url: object) -> str | None:
    """An absolute URL as RFC 9449 4.3 compares it: scheme and host lower case, no default port, query or fragment.

    The path is compared byte for byte: two spellings of one path are two paths. None when it is no such URL.
    """
    found = _URL.fullmatch(re.split(r"[?#]", url, maxsplit=1)[0]) if isinstance(url, str) else None
    if found is None:
        return None
    scheme, host, port, path = found[1].lower(), found[2].lower(), found[3], found[4] or "/"
    default = {"http": "80", "https": "443"}[scheme]
    authority = host if port in {None, default} else f"{host}:{port}"
    return f"{scheme}://{authority}{path}"
