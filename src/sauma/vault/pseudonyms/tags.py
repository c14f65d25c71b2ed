"""Monthly keyed tags: what a ledger leaf says of a person, an officer or a case without naming them.

A tag's key is derived per month and kind; tags of two months, or of two kinds, cannot be linked without the tag key.
"""

import enum
import hmac

from sauma.core.people import IdentifierKind
from sauma.vault.encoding import identifier_bytes, kind_byte, month7, organisation16, uint
from sauma.vault.keys import KeyPurpose
from sauma.vault.provider import Provider

TAG_LENGTH = 16


class TagKind(enum.Enum):
    """What a tag stands for; the same value under another kind gives an unrelated tag."""

    SUBJECT = b"\x01"
    OFFICER = b"\x02"
    CASE = b"\x03"


def person_identity(kind: IdentifierKind, value: str) -> bytes:
    """The identity of a person: identifier kind and value, no organisation, so one search finds them everywhere."""
    return kind_byte(kind) + identifier_bytes(value)


def local_identity(organisation: str, name: str) -> bytes:
    """The identity of an officer or case, whose id means something in its own organisation only."""
    encoded = name.encode()
    return organisation16(organisation) + uint(len(encoded), width=2) + encoded


def monthly_tag(provider: Provider, *, kind: TagKind, month: str, identity: bytes) -> bytes:
    """16 bytes: HMAC-SHA-256 under the month's and kind's own key; `month` is `YYYY-MM`.

    Raises:
        SealError: not a month, or the tag key is disabled or gone.
    """
    root = provider.current(KeyPurpose.TAG)
    key = provider.derive(root, b"sauma/tag/v1" + month7(month) + kind.value)
    return hmac.digest(key, identity, "sha256")[:TAG_LENGTH]
