"""The caller's own id of a person: the same to one organisation always, unrelated to any other's, no row kept.

AES-SIV (RFC 5297) is deterministic and authenticated: one person gives one id, an altered or foreign id is refused.
"""

import base64
import binascii
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sauma.core.people import IdentifierKind
from sauma.vault.encoding import identifier_bytes, kind_byte, kind_of, organisation16, refused
from sauma.vault.keys import KeyPurpose, KeyRef
from sauma.vault.provider import Provider, siv

_BLOCK = 32
_ID = re.compile(r"s([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{64,512})")


def pairwise_id(provider: Provider, *, organisation: str, kind: IdentifierKind, value: str) -> str:
    """`s<key version>.` and base64url; identifiers up to 29 characters all give ids of one length.

    Raises:
        SealError: empty or non-ASCII value, or not a Y-tunnus.
    """
    key = provider.current(KeyPurpose.PAIRWISE)
    plain = kind_byte(kind) + identifier_bytes(value)
    padded = plain.ljust(-(-len(plain) // _BLOCK) * _BLOCK, b"\x00")
    sealed = _cipher(provider, key).encrypt(padded, [organisation16(organisation)])
    return f"s{key.version}.{base64.urlsafe_b64encode(sealed).decode('ascii').rstrip('=')}"


def resolve_pairwise(provider: Provider, *, organisation: str, text: str) -> tuple[IdentifierKind, str]:
    """The identifier kind and value this organisation's id stands for.

    Raises:
        SealError: another organisation's id, an altered one, or no such id in shape.
    """
    found = _ID.fullmatch(text)
    if found is None:
        raise refused()
    key = KeyRef(purpose=KeyPurpose.PAIRWISE, version=int(found[1]))
    cipher = _cipher(provider, key)
    try:
        plain = cipher.decrypt(_decode(found[2]), [organisation16(organisation)])
    except (InvalidTag, ValueError, binascii.Error):
        plain = None
    if plain is None:
        raise refused()
    length = int.from_bytes(plain[1:3], "big")
    return kind_of(plain[:1]), plain[3 : 3 + length].decode("ascii")


def _cipher(provider: Provider, key: KeyRef) -> AESSIV:
    """The AES-256-SIV cipher of a key version, from two MAC blocks; the organisation is its associated data."""
    one, two = (provider.derive(key, b"sauma/pairwise/v1" + block) for block in (b"\x01", b"\x02"))
    return siv(one + two)


def _decode(text: str) -> bytes:
    """Base64url without padding, in its one canonical spelling.

    Raises:
        ValueError: not base64, or unused bits set.
    """
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(decoded).decode("ascii").rstrip("=") != text:
        message = "not canonical base64url"
        raise ValueError(message)
    return decoded
