"""The fixed-width encodings every keyed input is made of, and the one error they fail with.

Fixed width makes each concatenation injective: two different contexts can never become the same bytes.
"""

import functools
import re

from sauma.core.errors import SealError
from sauma.core.fields import Sensitivity
from sauma.core.people import IdentifierKind

_BUSINESS_ID = re.compile(r"[0-9]{7}-[0-9]")
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_CLASS_BYTE = {Sensitivity.ORDINARY: b"\x01", Sensitivity.RESTRICTED: b"\x02", Sensitivity.PROTECTION: b"\x03"}
_MAX_IDENTIFIER = 255
_IDENTIFIER = re.compile(r"[!-~]+")
_KIND_BYTE = {IdentifierKind.HETU: b"\x01", IdentifierKind.PERSON_OID: b"\x02"}


def refused() -> SealError:
    """The one error of the vault; the text is constant so that it tells an attacker nothing."""
    return SealError("sealed value does not open")


def uint(value: int, *, width: int) -> bytes:
    """A big-endian unsigned integer of `width` bytes.

    Raises:
        SealError: the value does not fit.
    """
    if not 0 <= value < 1 << 8 * width:
        raise refused()
    return value.to_bytes(width, "big")


@functools.lru_cache(maxsize=1024)
def organisation16(organisation: str) -> bytes:
    """A Y-tunnus as 16 bytes: its nine ASCII characters and seven zero bytes.

    Raises:
        SealError: not a Y-tunnus in shape.
    """
    if _BUSINESS_ID.fullmatch(organisation) is None:
        raise refused()
    return organisation.encode("ascii").ljust(16, b"\x00")


def class_byte(sensitivity: Sensitivity) -> bytes:
    """The storage class as the one byte that stands in sealed groups; never renumbered."""
    return _CLASS_BYTE[sensitivity]


def kind_byte(kind: IdentifierKind) -> bytes:
    """The identifier kind as one byte; never renumbered."""
    return _KIND_BYTE[kind]


def kind_of(byte: bytes) -> IdentifierKind:
    """The identifier kind a byte stands for.

    Raises:
        SealError: no kind has this byte.
    """
    for kind, known in _KIND_BYTE.items():
        if known == byte:
            return kind
    raise refused()


def month7(month: str) -> bytes:
    """A month `YYYY-MM` as its seven ASCII bytes.

    Raises:
        SealError: not a month in shape.
    """
    if _MONTH.fullmatch(month) is None:
        raise refused()
    return month.encode("ascii")


def identifier_bytes(value: str) -> bytes:
    """An already normalised identifier as a 2-byte length and its ASCII bytes; separators are never folded.

    Raises:
        SealError: empty, longer than 255, or not printable ASCII without spaces.
    """
    if not 0 < len(value) <= _MAX_IDENTIFIER or _IDENTIFIER.fullmatch(value) is None:
        raise refused()
    return uint(len(value), width=2) + value.encode("ascii")
