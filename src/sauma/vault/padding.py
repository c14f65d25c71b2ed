"""Padding with JSON whitespace, so that a stored length says only a bucket and no unpad step exists.

No compression anywhere: a compressed length tells the entropy of what was said.
"""

from sauma.core.fields import Padding
from sauma.vault.encoding import refused

SMALLEST = 32
"""Bytes of the shortest padded fragment; every code, boolean, date, sum and null has this length."""


def padded_length(length: int, padding: Padding) -> int:
    """The bytes a fragment of `length` bytes takes once padded: blocks of 32 for codes, Padmé for text."""
    if length <= SMALLEST:
        return SMALLEST
    if padding is Padding.CODE:
        return -(-length // SMALLEST) * SMALLEST
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


def pad(fragment: bytes, padding: Padding) -> bytes:
    """A JSON fragment with trailing spaces up to its bucket; still the same JSON value (RFC 8259 section 2).

    Padmé (Nikitin et al., PURBs, 2019) leaks O(log log n) bits of a text's length and adds at most 12 %.

    Raises:
        SealError: the fragment is empty, which is no JSON value.
    """
    if not fragment:
        raise refused()
    return fragment.ljust(padded_length(len(fragment), padding), b" ")
