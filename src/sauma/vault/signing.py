"""All signing that is not a token: receipts and cursors.

A receipt is the deployment's word, made after commit, that an entry with this leaf is in the ledger. A cursor says
where the next page begins, bound to the question it belongs to and worthless elsewhere.
"""

import base64
import binascii
import hashlib
import hmac
import json
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sauma.vault.encoding import refused
from sauma.vault.keys import KeyPurpose, Secret
from sauma.vault.provider import Provider

_DIGEST_LENGTH = 32


def leaf_hash_text(leaf_hash: bytes) -> str:
    """A SHA-256 leaf hash as the structured field `sha-256=:base64:` (RFC 9530 section 2).

    Raises:
        SealError: not 32 bytes.
    """
    if len(leaf_hash) != _DIGEST_LENGTH:
        raise refused()
    return f"sha-256=:{base64.b64encode(leaf_hash).decode('ascii')}:"


def receipt_message(entry_id: uuid.UUID, leaf_hash: bytes) -> bytes:
    """The bytes signed: `sauma/receipt/v1`, the entry id and the leaf hash text, one line feed between them."""
    return f"sauma/receipt/v1\n{entry_id}\n{leaf_hash_text(leaf_hash)}".encode("ascii")


class ReceiptSigner:
    """Signs receipts with the deployment's Ed25519 receipt key (RFC 8032); `kid` is its RFC 7638 thumbprint."""

    def __init__(self, seed: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.material)
        self._x = _base64url(self._key.public_key().public_bytes_raw())
        required = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self._x}, separators=(",", ":"))
        self.kid = _base64url(hashlib.sha256(required.encode("ascii")).digest())

    def sign(self, entry_id: uuid.UUID, leaf_hash: bytes) -> str:
        """The signature as base64url without padding; `leaf_hash` is the 32-byte hash of a committed leaf."""
        return _base64url(self._key.sign(receipt_message(entry_id, leaf_hash)))

    def public_jwk(self) -> dict[str, str]:
        """The public key for the JWK set (RFC 8037 section 2)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self._x, "use": "sig", "alg": "EdDSA", "kid": self.kid}

    def __repr__(self) -> str:
        return f"ReceiptSigner(kid={self.kid!r})"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")


_MAC_LENGTH = 16


def nonce_key(provider: Provider) -> bytes:
    """32 bytes every worker derives alike, for values that hold two minutes and open nothing (RFC 9449 section 8)."""
    return provider.mac(provider.current(KeyPurpose.CURSOR), b"sauma/dpop-nonce/v1\x00")


def seal_cursor(provider: Provider, *, context: str, content: bytes) -> str:
    """Content and its MAC under the context, base64url without padding."""
    return base64.urlsafe_b64encode(content + _mac(provider, context, content)).rstrip(b"=").decode("ascii")


def open_cursor(provider: Provider, *, context: str, cursor: str) -> bytes:
    """The content of a cursor of this context.

    Raises:
        SealError: another question's cursor, or no cursor.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    content, mac = raw[:-_MAC_LENGTH], raw[-_MAC_LENGTH:]
    if not content or not hmac.compare_digest(mac, _mac(provider, context, content)):
        raise refused()
    return content


def _mac(provider: Provider, context: str, content: bytes) -> bytes:
    key = provider.current(KeyPurpose.CURSOR)
    return provider.mac(key, b"sauma/cursor/v1\x00" + context.encode() + b"\x00" + content)[:_MAC_LENGTH]
