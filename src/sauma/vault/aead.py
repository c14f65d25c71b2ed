"""AES-256-GCM as the vault uses it, and the seam through which a test sees every single call."""

import uuid
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sauma.core.fields import Sensitivity


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a sealed group stands; it opens at no other place.

    `controller` is a Y-tunnus; `table` (the resource's id) and `schema_version` below 2**16, `revision` below 2**32.
    """

    controller: str
    subject: uuid.UUID
    record: uuid.UUID
    table: int
    sensitivity: Sensitivity
    schema_version: int
    revision: int


class Aead(Protocol):
    """One group's cipher; the nonce is the 96-bit field id."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Ciphertext and 16-byte tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The plaintext; raises InvalidTag."""
        ...


AeadFactory: TypeAlias = Callable[[bytes, Place], Aead]
"""Makes the cipher of one group from its one-time key; told the place so that an observer can name what was opened."""


def aes_gcm(key: bytes, _place: Place) -> Aead:
    """The cipher itself; the place is in the key already."""
    return AESGCM(key)
