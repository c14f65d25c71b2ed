"""The receipt signature: the deployment's word, made after commit, that an entry with this leaf is in the ledger."""

import base64
import hashlib
import json
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sauma.vault.encoding import refused
from sauma.vault.keys import Secret

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
