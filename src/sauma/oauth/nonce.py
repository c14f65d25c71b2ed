"""The DPoP nonce without storage: a MAC over the minute and the audience (RFC 9449 sections 8 and 9)."""

import base64
import hmac

SECONDS = 60
_OCTETS = 20


class Nonces:
    """Nonces of one deployment: good in the minute they were made in and the next, at the door they were made for.

    Every worker holds the same 32-byte key, so each honours what another gave out. An audience is the URL of the door.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, audience: str, *, now: int) -> str:
        """The nonce of this minute, 27 characters of base64url; `now` in Unix seconds."""
        return self._of(audience, now // SECONDS)

    def good(self, nonce: object, audience: str, *, now: int) -> bool:
        """Whether a proof's `nonce` is that of this minute or the one before."""
        if not isinstance(nonce, str) or not nonce.isascii():
            return False
        minute = now // SECONDS
        return any(hmac.compare_digest(nonce, self._of(audience, one)) for one in (minute, minute - 1))

    def _of(self, audience: str, minute: int) -> str:
        octets = hmac.digest(self._key, b"%d\n%b" % (minute, audience.encode()), "sha256")[:_OCTETS]
        return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")

    def __repr__(self) -> str:
        return "Nonces()"
