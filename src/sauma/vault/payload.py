"""The encrypted part of a ledger entry: names, units and free text, under a key of the entry's own.

The leaf holds `commitment = SHA-256(salt 32 ‖ plaintext)`. AES-GCM does not commit to its key, so the tag alone would
let an operator explain one row two ways. The salt is encrypted with the plaintext: destroying the entry's key destroys
it too, and the commitment then says nothing.
"""

import hashlib
import hmac
import uuid

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sauma.vault.encoding import refused, uint
from sauma.vault.keys import KeyPurpose, KeyRef, Random
from sauma.vault.provider import Provider

_FORM = b"\x01"
_KEY_LENGTH = 32
_SALT_LENGTH = 32
_WRAPPED_LENGTH = 1 + 4 + 16 + _KEY_LENGTH + 16
_ONE_USE_NONCE = bytes(12)


class SealedPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry's row stores; `commitment` (32 bytes) also stands in the leaf.

    `ciphertext` = AES-256-GCM of salt 32 ‖ plaintext under the entry's key, with tag;
    `wrapped_key` = form 1 ‖ epoch 4 ‖ salt 16 ‖ key 32 ‖ tag 16.
    """

    ciphertext: bytes
    wrapped_key: bytes
    commitment: bytes


def seal_payload(provider: Provider, *, entry_id: uuid.UUID, plaintext: bytes, random: Random) -> SealedPayload:
    """Encrypt one entry's payload under a fresh key, bound to the entry id."""
    key, salt = random(_KEY_LENGTH), random(_SALT_LENGTH)
    ref = provider.current(KeyPurpose.PAYLOAD)
    context = _context(entry_id, ref.version)
    return SealedPayload(
        ciphertext=AESGCM(key).encrypt(_ONE_USE_NONCE, salt + plaintext, context),
        wrapped_key=_FORM + uint(ref.version, width=4) + provider.wrap(ref, key, context),
        commitment=_commit(salt, plaintext),
    )


def open_payload(provider: Provider, *, entry_id: uuid.UUID, sealed: SealedPayload) -> bytes:
    """The payload of this entry and no other; `sealed.commitment` must be taken from the leaf, not from the row.

    Raises:
        SealError: another entry's, altered, not what the leaf commits to, or its key is gone.
    """
    if len(sealed.wrapped_key) != _WRAPPED_LENGTH or sealed.wrapped_key[:1] != _FORM:
        raise refused()
    ref = KeyRef(purpose=KeyPurpose.PAYLOAD, version=int.from_bytes(sealed.wrapped_key[1:5], "big"))
    context = _context(entry_id, ref.version)
    key = provider.unwrap(ref, sealed.wrapped_key[5:], context)
    try:
        content = AESGCM(key).decrypt(_ONE_USE_NONCE, sealed.ciphertext, context)
    except InvalidTag:
        content = b""
    salt, plaintext = content[:_SALT_LENGTH], content[_SALT_LENGTH:]
    if len(salt) != _SALT_LENGTH or not hmac.compare_digest(_commit(salt, plaintext), sealed.commitment):
        raise refused()
    return plaintext


def _commit(salt: bytes, plaintext: bytes) -> bytes:
    return hashlib.sha256(salt + plaintext).digest()


def _context(entry_id: uuid.UUID, epoch: int) -> bytes:
    return b"sauma/payload/v1" + entry_id.bytes + uint(epoch, width=4)
