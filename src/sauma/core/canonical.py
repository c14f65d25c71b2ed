"""The one way a value becomes bytes, bytes become a digest, and a moment becomes an id.

Canonical bytes are the part of RFC 8785 (JCS) that needs no fractions: keys sorted, no whitespace, UTF-8,
integers within ±(2^53-1), ASCII keys. Equal values give equal bytes and different values different bytes.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeGuard, cast

import msgspec

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

_LARGEST = 2**53 - 1
_SHA256_BYTES = 32
_UUID7_RANDOM_BYTES = 10
_UUID7_LAST_MS = 2**48 - 1
_UUID7_VERSION = 7
_ENCODER = msgspec.json.Encoder(order="deterministic")


def canonical_bytes(value: JsonValue) -> bytes:
    """The canonical bytes of a value of strings, integers, booleans, nulls, arrays and objects.

    Raises:
        TypeError: a float, bytes or any other type somewhere in the value.
        ValueError: an integer beyond ±(2^53-1), a key that is not ASCII, or a lone surrogate.
    """
    _check(value)
    return _ENCODER.encode(value)


def json_members(content: bytes | msgspec.Raw) -> dict[str, JsonValue]:
    """The members of a JSON object; `JsonValue` itself names no type a decoder could be given.

    Raises:
        msgspec.ValidationError: not a JSON object.
    """
    members = msgspec.json.decode(content, type=dict[str, object])
    return {name: value for name, value in members.items() if _is_json(value)}


def _is_json(value: object) -> TypeGuard[JsonValue]:
    return not isinstance(value, float)


def _check(value: object) -> None:
    match value:
        case str():
            if not value.isascii():
                value.encode()
        case None | bool():
            return
        case int():
            if not -_LARGEST <= value <= _LARGEST:
                message = "an integer is too large for canonical bytes"
                raise ValueError(message)
        case list() | tuple():
            _check_each(value)
        case dict():
            _check_keys(value)
            _check_each(value.values())
        case _:
            message = f"{type(value).__name__} has no canonical bytes"
            raise TypeError(message)


def _all_ascii(texts: Iterable[object]) -> bool:
    """Whether all of them are ASCII texts: nothing is then to be said of any, at once instead of one by one."""
    try:
        return "".join(cast("Iterable[str]", texts)).isascii()  # TypeError says that one of them is none
    except TypeError:
        return False


def _check_each(members: Iterable[object]) -> None:
    """Most are short ASCII texts and small integers, of which there is nothing to say."""
    if _all_ascii(members):
        return
    for member in members:
        plain = member.isascii() if type(member) is str else type(member) is int and -_LARGEST <= member <= _LARGEST
        if not plain:
            _check(member)


def _check_keys(keys: Iterable[object]) -> None:
    if _all_ascii(keys):
        return
    for key in keys:
        if not isinstance(key, str):
            message = f"{type(key).__name__} is no key of an object"
            raise TypeError(message)
    message = "a key of canonical bytes is ASCII"
    raise ValueError(message)


def digest(content: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


def structured_digest(sha256: bytes) -> str:
    """A finished SHA-256 digest as `sha-256=:…:` (RFC 9530); give `digest(content)`, not the content.

    Raises:
        ValueError: not 32 bytes.
    """
    if len(sha256) != _SHA256_BYTES:
        message = "a SHA-256 digest has 32 bytes"
        raise ValueError(message)
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def uuid7(unix_ms: int, random10: bytes) -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7) of a moment in Unix milliseconds and 10 random bytes, 74 bits of them used.

    Raises:
        ValueError: not 10 bytes, or a moment beyond 48 bits.
    """
    if len(random10) != _UUID7_RANDOM_BYTES or not 0 <= unix_ms <= _UUID7_LAST_MS:
        message = "a UUIDv7 takes 48 bits of milliseconds and 10 random bytes"
        raise ValueError(message)
    head = int.from_bytes(random10[:2]) & 0x0FFF
    tail = int.from_bytes(random10[2:]) & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=unix_ms << 80 | 0x7 << 76 | head << 64 | 0b10 << 62 | tail)


def uuid7_time(identifier: uuid.UUID) -> int:
    """The Unix milliseconds inside a UUIDv7.

    Raises:
        ValueError: another version.
    """
    if identifier.version != _UUID7_VERSION:
        message = "not a UUIDv7"
        raise ValueError(message)
    return identifier.int >> 80
