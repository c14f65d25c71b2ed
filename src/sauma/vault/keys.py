"""What a key is: one purpose, one version, one state; and the wrapper that keeps key material out of every repr."""

import enum
from collections.abc import Callable
from typing import NoReturn, TypeAlias

import msgspec

from sauma.core.fields import Sensitivity
from sauma.vault.encoding import refused

Random: TypeAlias = Callable[[int], bytes]
"""A source of n unpredictable bytes, `os.urandom` outside tests; safe across fork."""


class KeyPurpose(enum.Enum):
    """The one thing a key may be used for; no key serves two (sealing at rest, section 4.2)."""

    SEAL_ORDINARY = "seal-ordinary"
    SEAL_RESTRICTED = "seal-restricted"
    SEAL_PROTECTION = "seal-protection"
    PAYLOAD = "payload"
    BLIND_INDEX = "blind-index"
    CASE_INDEX = "case-index"
    TAG = "tag"
    PAIRWISE = "pairwise"
    HANDLING = "handling"
    SEED = "seed"
    SEED_WRAP = "seed-wrap"
    CURSOR = "cursor"
    RECEIPT = "receipt"

    __hash__ = object.__hash__  # as equality, by identity: the Enum's own hashes its name anew in Python each time


WRAPPING = frozenset(
    {KeyPurpose.SEAL_ORDINARY, KeyPurpose.SEAL_RESTRICTED, KeyPurpose.SEAL_PROTECTION, KeyPurpose.PAYLOAD}
)
MACS = frozenset(
    {
        KeyPurpose.BLIND_INDEX,
        KeyPurpose.CASE_INDEX,
        KeyPurpose.TAG,
        KeyPurpose.PAIRWISE,
        KeyPurpose.HANDLING,
        KeyPurpose.SEED,
        KeyPurpose.SEED_WRAP,
        KeyPurpose.CURSOR,
    }
)

SEALING = {
    Sensitivity.ORDINARY: KeyPurpose.SEAL_ORDINARY,
    Sensitivity.RESTRICTED: KeyPurpose.SEAL_RESTRICTED,
    Sensitivity.PROTECTION: KeyPurpose.SEAL_PROTECTION,
}


class KeyState(enum.Enum):
    """Whether a key may be used; a key nobody holds any more is absent."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    ABSENT = "absent"


class KeyRef(msgspec.Struct, frozen=True, kw_only=True):
    """Names a key without holding it; `version` is the epoch of a wrapping key."""

    purpose: KeyPurpose
    version: int


class Secret:
    """Key material that shows itself to nobody: no repr, no pickle, no copy; wiped in place."""

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        self._material = bytearray(material)

    @property
    def material(self) -> bytearray:
        """The key itself, for the one call that needs it.

        Raises:
            SealError: wiped; a wiped key must neither open nor seal.
        """
        if not self._material:
            raise refused()
        return self._material

    def wipe(self) -> None:
        """Overwrite the material and drop it."""
        self._material[:] = bytes(len(self._material))
        self._material.clear()

    def __repr__(self) -> str:
        return "Secret(redacted)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        message = "a secret is not copied or pickled"
        raise TypeError(message)
