"""Receipts: the server's word, given with each answer, that an entry with this leaf was committed."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sauma_verify.formats.note import Malformed, strict_base64

_ENTRY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEAF = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt as it was handed out; `signature` over `sauma/receipt/v1`, entry and leaf hash, a line each."""

    entry: str
    leaf_text: str
    kid: str
    signature: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf hash, 32 bytes."""
        return strict_base64(self.leaf_text[len("sha-256=:") : -1])

    def signed_by(self, keys: dict[str, bytes]) -> bool:
        """Whether the key it names is one of these and made its signature."""
        public = keys.get(self.kid)
        if public is None:
            return False
        message = f"sauma/receipt/v1\n{self.entry}\n{self.leaf_text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(self.signature, message)
        except InvalidSignature:
            return False
        return True


def parse_receipt(raw: bytes) -> Receipt:
    """A receipt on its own or as the member `receipt` of an answer.

    Raises:
        Malformed: neither.
    """
    document = _object(raw)
    members = document.get("receipt", document)
    try:
        entry, leaf, kid, signature = (members[name] for name in ("entryId", "leafHash", "kid", "signature"))
        if not _ENTRY.fullmatch(entry) or not _LEAF.fullmatch(leaf) or type(kid) is not str:
            raise Malformed("receipt")
        receipt = Receipt(entry=entry, leaf_text=leaf, kid=kid, signature=_unbase64url(signature))
        strict_base64(receipt.leaf_text[len("sha-256=:") : -1])
    except (KeyError, TypeError, AttributeError):
        raise Malformed("receipt") from None
    return receipt


def receipt_keys(raw: bytes) -> dict[str, bytes]:
    """The Ed25519 keys of a JWK or a JWK set by their RFC 7638 thumbprint, whatever they call themselves.

    Raises:
        Malformed: no JSON, or no Ed25519 key in it.
    """
    document = _object(raw)
    found: dict[str, bytes] = {}
    for key in document.get("keys", [document]):
        if isinstance(key, dict) and key.get("crv") == "Ed25519" and isinstance(key.get("x"), str):
            required = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": key["x"]}, separators=(",", ":"))
            thumbprint = base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).rstrip(b"=").decode()
            found[thumbprint] = _unbase64url(key["x"])
    if not found:
        raise Malformed("receipt-key")
    return found


def _object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed("json") from None
    if not isinstance(document, dict):
        raise Malformed("json")
    return document


def _unbase64url(text: str) -> bytes:
    return strict_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
