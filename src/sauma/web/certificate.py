"""Which client certificate a call was made with, as the proxy in front that ended its TLS connection says (RFC 9440).

Off unless one proxy is named. Then `Client-Cert` counts from that peer alone, once and in its one form. Proxies delete
only what they are told to, so whatever could be taken for it is refused, from whomever: another spelling, a second
line, the names other products use, and the header itself from anybody else.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Protocol

from litestar.types import Scope

from sauma.core.errors import BadRequest
from sauma.web.carrier import plain_address

_NAME, _CHAIN = b"client-cert", b"client-cert-chain"
_LOOK_ALIKE = re.compile(
    rb"(x-)?(forwarded-)?(ssl|tls|mtls)?-?client-?(cert|verify|dn|s-dn|i-dn|serial|fingerprint).*|x-ssl-.*|ssl-.*"
    rb"|x-amzn-mtls-.*|x-arr-clientcert.*|cf-client-cert.*"
)
_BYTE_SEQUENCE = re.compile(r":([A-Za-z0-9+/]+={0,2}):")


class CertificateSource(Protocol):
    """How the door learns a caller's certificate."""

    def thumbprint_of(self, scope: Scope) -> str | None:
        """The certificate's `x5t#S256` (RFC 8705), None where none was shown.

        Raises:
            BadRequest: `invalid-value`; what was shown could be read in two ways, or is not the proxy's word.
        """
        ...


class NoCertificates:
    """Nobody in front ends TLS for us: a header that speaks of certificates means nothing."""

    def thumbprint_of(self, _scope: Scope) -> str | None:
        """None."""
        return None


class ForwardedCertificates:
    """The `Client-Cert` header of the one proxy at `peer`; `thumbprint` names a certificate's DER, or is None."""

    def __init__(self, peer: str, *, thumbprint: Callable[[bytes], str | None]) -> None:
        self._peer = peer
        self._thumbprint = thumbprint

    def thumbprint_of(self, scope: Scope) -> str | None:
        """As the port says."""
        lines: list[bytes] = []
        chained = False
        for name, value in scope["headers"]:
            lowered = name.lower()
            if lowered == _NAME:
                lines.append(value)
            elif lowered == _CHAIN:
                chained = True
            elif _LOOK_ALIKE.fullmatch(lowered.replace(b"_", b"-")):
                raise _refused()
        if not lines and not chained:
            return None
        client = scope.get("client")
        if client is None or plain_address(client[0]) != self._peer or len(lines) != 1:
            raise _refused()
        return self._named(lines[0])

    def _named(self, line: bytes) -> str:
        match = _BYTE_SEQUENCE.fullmatch(line.decode("latin-1"))
        try:
            der = base64.b64decode(match[1], validate=True) if match else b""
        except binascii.Error:
            der = b""
        thumbprint = self._thumbprint(der) if match and base64.b64encode(der).decode() == match[1] else None
        if thumbprint is None:
            raise _refused()
        return thumbprint


def _refused() -> BadRequest:
    return BadRequest("invalid-value", ("/headers/Client-Cert",))
