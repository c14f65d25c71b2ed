"""The blind index: how a person is found by identifier without the identifier being stored in clear.

The identity code space is small (4·10**7 to 2.4·10**8): whoever holds this key reverses the whole index in a minute,
so the key never leaves its provider. Nothing but person identifiers is ever indexed.
"""

from sauma.core.people import IdentifierKind
from sauma.vault.encoding import identifier_bytes, kind_byte, organisation16
from sauma.vault.keys import KeyRef
from sauma.vault.provider import Provider

INDEX_LENGTH = 16


def index_context(kind: IdentifierKind, value: str, controller: str) -> bytes:
    """What is MACed; the controller is inside, so a dump does not show that two controllers share a client."""
    return b"sauma/bidx/v1" + kind_byte(kind) + organisation16(controller) + identifier_bytes(value)


def blind_index(provider: Provider, *, key: KeyRef, kind: IdentifierKind, value: str, controller: str) -> bytes:
    """16 bytes; stored UNIQUE with controller and `key.version`.

    `value` is normalised already and its century sign is never folded: since 2023 `-` and `Y` are different people
    (Decree 690/2022).

    Raises:
        SealError: empty or non-ASCII value, not a Y-tunnus, or the key is disabled or gone.
    """
    return provider.mac(key, index_context(kind, value, controller))[:INDEX_LENGTH]


def case_index(provider: Provider, *, key: KeyRef, case_reference: str) -> bytes:
    """16 bytes by which a matter is found; the organisation is not inside, so that a foreign case is seen as foreign.

    Raises:
        SealError: empty or non-ASCII reference, or the key is disabled or gone.
    """
    return provider.mac(key, b"sauma/case/v1" + identifier_bytes(case_reference))[:INDEX_LENGTH]
