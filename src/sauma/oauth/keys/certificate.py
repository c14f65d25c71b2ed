"""Certificate-bound tokens: by what a client's certificate is named (RFC 8705 section 3.1)."""

import hashlib

from cryptography import x509

from sauma.oauth.jose import encode

_LARGEST = 8192


def certificate_thumbprint(der: bytes) -> str | None:
    """`x5t#S256`: base64url of the SHA-256 of the DER; None where the bytes are no certificate.

    Whether it is valid and trusted, who ended the TLS connection has decided; here it is only recognised again.
    """
    if len(der) > _LARGEST:
        return None
    try:
        x509.load_der_x509_certificate(der)
    except ValueError:
        return None
    return encode(hashlib.sha256(der).digest())
