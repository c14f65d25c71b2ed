"""What opens: exactly the wanted fields of exactly this group at exactly this place."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.errors import SealError
from sauma.core.fields import Padding, Sensitivity
from sauma.vault.keys import Secret
from sauma.vault.padding import pad
from sauma.vault.seal import SALT_LENGTH, Place, group_context, open_group, seal_group
from vault.seals import KEY, PLACE, VALUES, WatchedCipher, sealed

SALT = bytes(SALT_LENGTH)


@pytest.mark.parametrize("wanted", [frozenset(), frozenset({1902}), frozenset({1901, 1903}), frozenset(VALUES)])
def test_the_cipher_is_called_for_the_wanted_fields_and_no_other(wanted: frozenset[int]) -> None:
    watched = WatchedCipher()
    opened = open_group(sealed(), PLACE, KEY, wanted, aead=watched)
    assert opened == {field: VALUES[field] for field in wanted}
    assert sorted(watched.opened) == [(PLACE.record, field) for field in sorted(wanted)]


def test_a_field_the_group_does_not_hold_is_refused_before_any_decrypt() -> None:
    watched = WatchedCipher()
    with pytest.raises(SealError):
        open_group(sealed(), PLACE, KEY, frozenset({1901, 1904}), aead=watched)
    assert watched.opened == []


def test_a_wrong_key_with_the_right_id_is_refused_by_the_commitment_before_any_decrypt() -> None:
    watched = WatchedCipher()
    impostor = type(KEY)(id=KEY.id, secret=Secret(os.urandom(32)))
    with pytest.raises(SealError):
        open_group(sealed(), PLACE, impostor, frozenset(VALUES), aead=watched)
    assert watched.opened == []


UNSEALABLE = {
    "no field at all": ({}, SALT),
    "a value shorter than the smallest bucket": ({1: b"null"}, SALT),
    "field id zero": ({0: bytes(32)}, SALT),
    "a field id wider than four bytes": ({1 << 32: bytes(32)}, SALT),
    "a negative field id": ({-1: bytes(32)}, SALT),
    "a salt one byte short": ({1: bytes(32)}, SALT[1:]),
    "a salt one byte long": ({1: bytes(32)}, SALT + b"\0"),
}


@pytest.mark.parametrize("sentence", UNSEALABLE)
def test_is_not_sealed(sentence: str) -> None:
    values, salt = UNSEALABLE[sentence]
    with pytest.raises(SealError):
        seal_group(PLACE, KEY, values, salt=salt)


OUTSIDE = {
    "a controller that is no Y-tunnus": {"controller": "Kela"},
    "a Y-tunnus in other digits": {"controller": "\u0660246246-0"},
    "a Y-tunnus and a line feed": {"controller": "0246246-0\n"},
    "a table id of three bytes": {"table": 1 << 16},
    "a negative table id": {"table": -1},
    "a schema version of three bytes": {"schema_version": 1 << 16},
    "a revision of five bytes": {"revision": 1 << 32},
}


@pytest.mark.parametrize("sentence", OUTSIDE)
def test_is_no_place(sentence: str) -> None:
    fields = {name: getattr(PLACE, name) for name in Place.__struct_fields__} | OUTSIDE[sentence]
    with pytest.raises(SealError):
        seal_group(Place(**fields), KEY, VALUES, salt=SALT)


def test_no_key_and_nonce_meet_twice_in_ten_thousand_seals_of_the_same_revision() -> None:
    watched = WatchedCipher()
    for _ in range(10_000):
        seal_group(PLACE, KEY, VALUES, salt=os.urandom(SALT_LENGTH), aead=watched)
    assert len(watched.pairs) == 30_000
    assert len(set(watched.pairs)) == 30_000


def test_a_null_and_a_value_have_one_stored_length() -> None:
    empty = {field: pad(b"null", Padding.CODE) for field in VALUES}
    assert len(sealed(values=empty)) == len(sealed())


def test_every_outcome_word_has_one_stored_length() -> None:
    words = ("hyväksytty", "hylätty", "osittain hyväksytty", "peruttu", "rauennut", "true", "null", "2026-01-31")
    lengths = {len(sealed(values={1901: pad(f'"{word}"'.encode(), Padding.CODE)})) for word in words}
    assert len(lengths) == 1


small = st.integers(0, 3)
places = st.builds(
    Place,
    controller=st.sampled_from(["0000000-0", "0000000-1", "1000000-0"]),
    subject=st.uuids() | st.just(PLACE.subject),
    record=st.just(PLACE.record) | st.just(PLACE.subject),
    table=small | st.integers(0, 0xFFFF),
    sensitivity=st.sampled_from(Sensitivity),
    schema_version=small | st.integers(0, 0xFFFF),
    revision=small | st.integers(0, 0xFFFFFFFF),
)
contexts = st.tuples(
    places,
    st.just(SALT) | st.binary(min_size=SALT_LENGTH, max_size=SALT_LENGTH),
    st.frozensets(st.integers(1, 3) | st.integers(1, 0xFFFFFFFF), min_size=1, max_size=4),
)


@given(contexts, contexts)
def test_two_contexts_are_one_only_if_every_part_is(
    one: tuple[Place, bytes, frozenset[int]], other: tuple[Place, bytes, frozenset[int]]
) -> None:
    same = group_context(one[0], one[1], sorted(one[2])) == group_context(other[0], other[1], sorted(other[2]))
    assert same == (one == other)
