"""Where keys live: the protocol every key store is held to, and the store of the local key ring file."""

import functools
import hmac
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from sauma.vault.encoding import refused
from sauma.vault.keyring import Keyring, StoredKey
from sauma.vault.keys import MACS, WRAPPING, KeyPurpose, KeyRef, KeyState, Random, Secret

_SALT_LENGTH = 16
_ONE_USE_NONCE = bytes(12)
_DERIVED_KEPT = 64


class Provider(Protocol):
    """A key store: keys are named, never handed out; anything amiss is SealError, an unreachable store Unavailable."""

    def current(self, purpose: KeyPurpose) -> KeyRef:
        """The newest enabled key of a purpose: what new values are made with."""
        ...

    def wrap(self, key: KeyRef, blob: bytes, context: bytes) -> bytes:
        """The blob encrypted, bound to the context."""
        ...

    def unwrap(self, key: KeyRef, blob: bytes, context: bytes) -> bytes:
        """The blob back, under the very same context only."""
        ...

    def mac(self, key: KeyRef, message: bytes) -> bytes:
        """HMAC-SHA-256 of the message, 32 bytes."""
        ...

    def derive(self, key: KeyRef, context: bytes) -> bytes:
        """The MAC of a context that names no person, to be used as a key of its own; may be kept."""
        ...

    def state(self, key: KeyRef) -> KeyState:
        """Whether the key may be used now."""
        ...

    def health(self) -> bool:
        """Whether every purpose has an enabled key."""
        ...


class LocalProvider:
    """The provider over a key ring file: for development, tests and small pilots; keys are in this process's memory."""

    def __init__(self, keyring: Keyring, *, random: Random) -> None:
        self._keyring = keyring
        self._random = random
        enabled = [k for k in keyring.keys if k.state is KeyState.ENABLED]
        self._newest = {k.purpose: KeyRef(purpose=k.purpose, version=k.version) for k in sorted(enabled, key=_version)}
        self._enabled = {(k.purpose, k.version): k.material for k in enabled}
        self._derived: dict[tuple[KeyPurpose, int, bytes], bytes] = {}

    def current(self, purpose: KeyPurpose) -> KeyRef:
        """The newest enabled key of a purpose.

        Raises:
            SealError: the purpose has none.
        """
        newest = self._newest.get(purpose)
        if newest is None:
            raise refused()
        return newest

    def wrap(self, key: KeyRef, blob: bytes, context: bytes) -> bytes:
        """A 16-byte salt and AES-256-GCM under HMAC-SHA-256(key, context ‖ salt), the context again as AAD.

        A key of its own for every wrap lifts the 2**32 limit of random nonces under one key (SP 800-38D section 8.3).

        Raises:
            SealError: key disabled, absent or of a purpose that does not wrap.
        """
        salt = self._random(_SALT_LENGTH)
        return salt + self._cipher(key, context + salt).encrypt(_ONE_USE_NONCE, blob, context)

    def unwrap(self, key: KeyRef, blob: bytes, context: bytes) -> bytes:
        """The blob back.

        Raises:
            SealError: another context or key, altered, or the key is disabled, absent or does not wrap.
        """
        cipher = self._cipher(key, context + blob[:_SALT_LENGTH])
        try:
            opened = cipher.decrypt(_ONE_USE_NONCE, blob[_SALT_LENGTH:], context)
        except InvalidTag:
            opened = None
        if opened is None:
            raise refused()
        return opened

    def mac(self, key: KeyRef, message: bytes) -> bytes:
        """HMAC-SHA-256 of the message.

        Raises:
            SealError: key disabled, absent or of a purpose that makes no MAC.
        """
        if key.purpose not in MACS:
            raise refused()
        return hmac.digest(self._secret(key).material, message, "sha256")

    def derive(self, key: KeyRef, context: bytes) -> bytes:
        """The MAC of a context that names no person: of a month, a block, a controller; the last 64 are kept.

        They tell no more than the ring they are derived from, which this process holds as long.

        Raises:
            SealError: as `mac`.
        """
        name = (key.purpose, key.version, context)
        derived = self._derived.get(name)
        if derived is None:
            derived = self.mac(key, context)
            if len(self._derived) >= _DERIVED_KEPT:
                self._derived.clear()
            self._derived[name] = derived
        return derived

    def state(self, key: KeyRef) -> KeyState:
        """Whether the key may be used now."""
        return self._keyring.state(key)

    def health(self) -> bool:
        """Whether every purpose has an enabled key."""
        enabled = {k.purpose for k in self._keyring.keys if k.state is KeyState.ENABLED}
        return enabled == set(KeyPurpose)

    def _cipher(self, key: KeyRef, derivation: bytes) -> AESGCM:
        """The cipher of one wrap."""
        if key.purpose not in WRAPPING:
            raise refused()
        return AESGCM(hmac.digest(self._secret(key).material, derivation, "sha256"))

    def _secret(self, key: KeyRef) -> Secret:
        """The material of an enabled key."""
        material = self._enabled.get((key.purpose, key.version))
        if material is None:
            raise refused()
        return material


@functools.lru_cache(maxsize=_DERIVED_KEPT)
def siv(derived: bytes) -> AESSIV:
    """AES-256-SIV (RFC 5297) under 64 derived bytes; kept as long as what it was derived from is (`derive`)."""
    return AESSIV(derived)


def _version(key: StoredKey) -> int:
    return key.version
