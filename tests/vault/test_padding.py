"""What a stored length tells: a bucket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.errors import SealError
from sauma.core.fields import Padding
from sauma.vault.padding import pad, padded_length

# (bytes, as a code, as a text); worked out by hand from schemas/seal-v1.md section 3
LENGTHS = [
    (1, 32, 32), (32, 32, 32), (33, 64, 36), (64, 64, 64), (65, 96, 72), (100, 128, 104),
    (1000, 1024, 1024), (1025, 1056, 1088), (4097, 4128, 4352),
]  # fmt: skip


@pytest.mark.parametrize(("length", "code", "text"), LENGTHS)
def test_the_buckets(length: int, code: int, text: int) -> None:
    assert (padded_length(length, Padding.CODE), padded_length(length, Padding.TEXT)) == (code, text)


@given(st.integers(1, 1 << 20))
def test_a_text_grows_by_at_most_an_eighth_and_never_shrinks(length: int) -> None:
    assert length <= padded_length(length, Padding.TEXT) <= max(32, length * 1.125)


@given(st.integers(1, 1 << 16), st.sampled_from(Padding))
def test_a_longer_value_never_takes_a_smaller_bucket(length: int, padding: Padding) -> None:
    assert padded_length(length, padding) <= padded_length(length + 1, padding)


@given(st.none() | st.booleans() | st.text(), st.sampled_from(Padding))
def test_a_padded_value_is_still_the_same_json(value: object, padding: Padding) -> None:
    fragment = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    padded = pad(fragment, padding)
    assert json.loads(padded) == json.loads(fragment)
    assert len(padded) == padded_length(len(fragment), padding)


def test_nothing_is_no_value() -> None:
    with pytest.raises(SealError):
        pad(b"", Padding.CODE)
