"""Person seeds: what a subject row keeps so that a monthly tag can be made without knowing who the person is.

A seed is the same for one person at every controller; stored it is wrapped under the controller's own key, so two
rows of one person at two controllers show nothing in common. No identity code is recovered from it.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sauma.core.people import PersonIdentifier
from sauma.vault.encoding import organisation16, refused
from sauma.vault.keys import KeyPurpose
from sauma.vault.provider import Provider, siv
from sauma.vault.pseudonyms.tags import person_identity

SEED_LENGTH = 16


def person_seed(provider: Provider, *, person: PersonIdentifier) -> bytes:
    """16 bytes that stand for one person in every tag."""
    identity = person_identity(person.kind, person.value)
    return provider.mac(provider.current(KeyPurpose.SEED), b"sauma/seed/v1" + identity)[:SEED_LENGTH]


def wrap_seed(provider: Provider, *, controller: str, seed: bytes) -> bytes:
    """The seed as one controller's subject row stores it (AES-SIV, RFC 5297; 32 bytes)."""
    return _cipher(provider, controller).encrypt(seed, None)


def unwrap_seed(provider: Provider, *, controller: str, wrapped: bytes) -> bytes:
    """The seed of a subject row.

    Raises:
        SealError: another controller's row, or altered.
    """
    try:
        return _cipher(provider, controller).decrypt(wrapped, None)
    except InvalidTag:
        pass
    raise refused()


def _cipher(provider: Provider, controller: str) -> AESSIV:
    root = provider.current(KeyPurpose.SEED_WRAP)
    context = b"sauma/seed-wrap/v1" + organisation16(controller)
    return siv(provider.derive(root, context + b"\x01") + provider.derive(root, context + b"\x02"))
