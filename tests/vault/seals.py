"""A small sealed group, and a cipher that writes down every call."""

import os
import uuid
from collections.abc import Mapping

from sauma.core.fields import Sensitivity
from sauma.vault.aead import Aead, aes_gcm
from sauma.vault.datakeys import DataKey, new_data_key
from sauma.vault.seal import SALT_LENGTH, Place, seal_group

KELA, PIRHA = "0246246-0", "3221308-6"
KEY = new_data_key(os.urandom)
VALUES = {1901: b'"412.30"'.ljust(32), 1902: b"null".ljust(32), 1903: b'"hyl\xc3\xa4tty"'.ljust(32)}
PLACE = Place(
    controller=KELA,
    subject=uuid.UUID(int=1),
    record=uuid.UUID(int=2),
    table=19,
    sensitivity=Sensitivity.ORDINARY,
    schema_version=1,
    revision=3,
)


def sealed(place: Place = PLACE, key: DataKey = KEY, values: Mapping[int, bytes] = VALUES) -> bytes:
    return seal_group(place, key, values, salt=os.urandom(SALT_LENGTH))


class WatchedCipher:
    """The real cipher; `opened` and `closed` list (record, field id), `pairs` every (key, nonce) used to encrypt."""

    def __init__(self) -> None:
        self.opened: list[tuple[uuid.UUID, int]] = []
        self.closed: list[tuple[uuid.UUID, int]] = []
        self.pairs: list[tuple[bytes, bytes]] = []

    def __call__(self, key: bytes, place: Place) -> Aead:
        watched, cipher = self, aes_gcm(key, place)

        class Watching:
            def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
                watched.closed.append((place.record, int.from_bytes(nonce, "big")))
                watched.pairs.append((key, nonce))
                return cipher.encrypt(nonce, data, associated_data)

            def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
                watched.opened.append((place.record, int.from_bytes(nonce, "big")))
                return cipher.decrypt(nonce, data, associated_data)

        return Watching()
