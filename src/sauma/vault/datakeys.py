"""The data key of one subject at one controller and class: made, wrapped, unwrapped, never cached.

Erasing a person at one controller destroys these keys; the other controller's own statutory record stays readable.
"""

import uuid

import msgspec

from sauma.core.fields import Sensitivity
from sauma.vault.encoding import class_byte, organisation16, refused, uint
from sauma.vault.keys import SEALING, KeyRef, Random, Secret
from sauma.vault.provider import Provider

_FORM = b"\x01"
_WRAPPED_LENGTH = 1 + 4 + 16 + 16 + 32 + 16
KEY_LENGTH = 32
DATA_KEY_ID_LENGTH = 16


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    """A 256-bit data key and its random id; `wipe()` its secret as soon as the groups are opened."""

    id: bytes
    secret: Secret

    def wipe(self) -> None:
        """Overwrite the key material."""
        self.secret.wipe()


class DataKeyPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a data key belongs: it unwraps for no other controller, subject or class."""

    controller: str
    subject: uuid.UUID
    sensitivity: Sensitivity


def new_data_key(random: Random) -> DataKey:
    """A fresh data key with a fresh id."""
    return DataKey(id=random(DATA_KEY_ID_LENGTH), secret=Secret(random(KEY_LENGTH)))


def wrap_context(place: DataKeyPlace, *, data_key_id: bytes, epoch: int) -> bytes:
    """What a wrapped data key is bound to, 66 bytes of fixed width: input of the wrapping key and AAD."""
    if len(data_key_id) != DATA_KEY_ID_LENGTH:
        raise refused()
    return b"".join(
        (
            b"sauma/wrap/v1",
            organisation16(place.controller),
            place.subject.bytes,
            class_byte(place.sensitivity),
            data_key_id,
            uint(epoch, width=4),
        )
    )


def wrap_data_key(provider: Provider, *, key: DataKey, place: DataKeyPlace) -> bytes:
    """The data key under the current epoch of its class: form 1 ‖ epoch 4 ‖ id 16 ‖ salt 16 ‖ key 32 ‖ tag 16."""
    ref = provider.current(SEALING[place.sensitivity])
    context = wrap_context(place, data_key_id=key.id, epoch=ref.version)
    return _FORM + uint(ref.version, width=4) + key.id + provider.wrap(ref, bytes(key.secret.material), context)


def unwrap_data_key(provider: Provider, *, wrapped: bytes, place: DataKeyPlace) -> DataKey:
    """The data key back, if it stands where it was wrapped.

    Raises:
        SealError: altered, moved to another controller, subject or class, or its epoch is disabled or gone.
    """
    ref = KeyRef(purpose=SEALING[place.sensitivity], version=wrapped_epoch(wrapped))
    data_key_id = wrapped_id(wrapped)
    context = wrap_context(place, data_key_id=data_key_id, epoch=ref.version)
    return DataKey(id=data_key_id, secret=Secret(provider.unwrap(ref, wrapped[21:], context)))


def wrapped_epoch(wrapped: bytes) -> int:
    """The epoch a wrapped data key names, for the census before an epoch is destroyed; unwrapping proves it.

    Raises:
        SealError: not a wrapped data key in shape.
    """
    return int.from_bytes(_require_shape(wrapped)[1:5], "big")


def wrapped_id(wrapped: bytes) -> bytes:
    """The data key id a wrapped key names; unwrapping proves it.

    Raises:
        SealError: not a wrapped data key in shape.
    """
    return _require_shape(wrapped)[5:21]


def _require_shape(wrapped: bytes) -> bytes:
    if len(wrapped) != _WRAPPED_LENGTH or wrapped[:1] != _FORM:
        raise refused()
    return wrapped
