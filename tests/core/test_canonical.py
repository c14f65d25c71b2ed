"""Canonical bytes, digests and ids."""

import hashlib
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.canonical import JsonValue, canonical_bytes, digest, structured_digest, uuid7, uuid7_time

KEYS = st.text(st.characters(max_codepoint=127), max_size=6)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)


def same(a: object, b: object) -> bool:
    """Equality that keeps True and 1 apart."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@given(VALUES)
def test_canonical_bytes_read_back_as_the_value(value: JsonValue) -> None:
    assert same(json.loads(canonical_bytes(value)), value)


@given(VALUES, VALUES)
def test_two_values_have_the_same_bytes_only_if_they_are_equal(a: JsonValue, b: JsonValue) -> None:
    assert (canonical_bytes(a) == canonical_bytes(b)) is same(a, b)


@given(st.dictionaries(KEYS, LEAVES, max_size=6))
def test_the_order_of_members_does_not_matter(value: dict[str, JsonValue]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


@given(VALUES)
def test_the_form_is_the_one_an_independent_writer_gives(value: JsonValue) -> None:
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_bytes(value) == written.encode()


def test_the_bytes_are_pinned() -> None:
    value = {"b": ["é", '\n\x01"\\/', "😀"], "a": {"z": None, "y": True, "B": -1}, "": ()}
    assert canonical_bytes(value) == (
        b'{"":[],"a":{"B":-1,"y":true,"z":null},"b":["\xc3\xa9","\\n\\u0001\\"\\\\/","\xf0\x9f\x98\x80"]}'
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (1.0, TypeError),
        ([float("nan")], TypeError),
        (b"x", TypeError),
        ({1: "x"}, TypeError),
        ({"a": {2}}, TypeError),
        (uuid.UUID(int=1), TypeError),
        (2**53, ValueError),
        (-(2**53), ValueError),
        ({"ä": 1}, ValueError),
        ("\ud800", ValueError),
    ],
)
def test_what_has_no_canonical_bytes_is_refused(value: JsonValue, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical_bytes(value)


def test_digests() -> None:
    assert digest(b"") == hashlib.sha256(b"").digest()
    assert structured_digest(digest(b"")) == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    with pytest.raises(ValueError, match="32 bytes"):
        structured_digest(b"the content instead of its digest")


def test_uuid7_of_rfc_9562_appendix_a() -> None:
    made = uuid7(0x017F22E279B0, bytes.fromhex("0cc318c4dc0c0c07398f"))
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    assert uuid7_time(made) == 0x017F22E279B0


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_every_uuid7_is_of_version_7_and_tells_its_time(unix_ms: int, random10: bytes) -> None:
    made = uuid7(unix_ms, random10)
    assert (made.version, made.variant, uuid7_time(made)) == (7, uuid.RFC_4122, unix_ms)


def test_uuid7_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        uuid7(0, b"\x00" * 9)
    with pytest.raises(ValueError, match="48 bits"):
        uuid7(2**48, b"\x00" * 10)
    with pytest.raises(ValueError, match="not a UUIDv7"):
        uuid7_time(uuid.uuid4())
