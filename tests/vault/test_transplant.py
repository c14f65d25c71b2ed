"""What a database owner can write into a row, and that none of it opens (sealing at rest, T5-T14)."""

import hmac
import uuid
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from sauma.core.errors import SealError
from sauma.core.fields import Sensitivity
from sauma.vault.datakeys import DataKey
from sauma.vault.seal import Place, group_context, group_digest, open_group
from vault.seals import KEY, PIRHA, PLACE, VALUES, WatchedCipher, sealed

GROUP = sealed()
VERSION, ALGORITHM, KEY_ID, SCHEMA, REVISION, CLASS, SALT, COMMITMENT, FIELDS = range(9)
WANTED = frozenset(VALUES)


def at(**changes: object) -> Place:
    return msgspec.structs.replace(PLACE, **changes)


def rewritten(group: bytes = GROUP, *changes: tuple[int, object]) -> bytes:
    array = msgspec.msgpack.decode(group[1:])
    for element, value in changes:
        array[element] = value
    return group[:1] + msgspec.msgpack.encode(array)


def fields(group: bytes = GROUP) -> dict[int, bytes]:
    return msgspec.msgpack.decode(group[1:])[FIELDS]


OTHER_SUBJECT = at(subject=uuid.UUID(int=77))
OTHER_RECORD = at(record=uuid.UUID(int=78))
RESTRICTED = at(sensitivity=Sensitivity.RESTRICTED)
OTHER_KEY = DataKey(id=bytes(16), secret=KEY.secret)
FOREIGN = sealed(OTHER_SUBJECT)
OLD = sealed(at(revision=2))
SWAPPED = {**fields(), 1901: fields()[1903], 1903: fields()[1901]}

# what stands in the row, and the place the reader opens it at
BY_COMMITMENT: dict[str, tuple[bytes, Place]] = {
    "two clients' groups swapped": (FOREIGN, PLACE),
    "the row repointed to another subject": (GROUP, OTHER_SUBJECT),
    "the record id changed": (GROUP, OTHER_RECORD),
    "the row moved to another organisation": (GROUP, at(controller=PIRHA)),
    "the row moved to another table": (GROUP, at(table=20)),
    "two class columns swapped": (sealed(RESTRICTED), PLACE),
    "two class columns swapped and the class relabelled": (rewritten(sealed(RESTRICTED), (CLASS, 1)), PLACE),
    "a group's class relabelled with its column": (rewritten(GROUP, (CLASS, 2)), RESTRICTED),
    "the row's revision raised": (GROUP, at(revision=4)),
    "the revision raised in row and group": (rewritten(GROUP, (REVISION, 4)), at(revision=4)),
    "an old group under the new revision": (OLD, PLACE),
    "an old group relabelled to the new revision": (rewritten(OLD, (REVISION, 3)), PLACE),
    "the schema version changed in the group": (rewritten(GROUP, (SCHEMA, 2)), PLACE),
    "the schema version changed in row and group": (rewritten(GROUP, (SCHEMA, 2)), at(schema_version=2)),
    "the format version changed": (rewritten(GROUP, (VERSION, 0)), PLACE),
    "the algorithm downgraded": (rewritten(GROUP, (ALGORITHM, 0)), PLACE),
    "the data key id changed": (rewritten(GROUP, (KEY_ID, bytes(16))), PLACE),
    "the salt replaced": (rewritten(GROUP, (SALT, bytes(24))), PLACE),
    "the salt of another group": (rewritten(GROUP, (SALT, msgspec.msgpack.decode(OLD[1:])[SALT])), PLACE),
    "the commitment replaced": (rewritten(GROUP, (COMMITMENT, bytes(32))), PLACE),
    "a field dropped": (rewritten(GROUP, (FIELDS, {f: c for f, c in fields().items() if f != 1902})), PLACE),
    "a field added": (rewritten(GROUP, (FIELDS, {**fields(), 1904: fields()[1903]})), PLACE),
    "a field renumbered": (
        rewritten(GROUP, (FIELDS, {1900 if f == 1901 else f: c for f, c in fields().items()})),
        PLACE,
    ),
    "all fields removed": (rewritten(GROUP, (FIELDS, {})), PLACE),
    "another group appended": (GROUP + GROUP, PLACE),
    "nothing in the column": (b"", PLACE),
    "plaintext in the column": (b'{"amount":"412.30"}'.ljust(64), PLACE),
    "only the magic byte": (b"S", PLACE),
}
BY_TAG: dict[str, tuple[bytes, Place]] = {
    "two fields swapped inside the group": (rewritten(GROUP, (FIELDS, SWAPPED)), PLACE),
    "a field of an older revision": (rewritten(GROUP, (FIELDS, {**fields(), 1902: fields(OLD)[1902]})), PLACE),
    "a field of another client": (rewritten(GROUP, (FIELDS, {**fields(), 1901: fields(FOREIGN)[1901]})), PLACE),
    "a byte put after a field": (rewritten(GROUP, (FIELDS, {**fields(), 1903: fields()[1903] + b"\0"})), PLACE),
}


def refuse(group: bytes, place: Place, key: DataKey = KEY, wanted: frozenset[int] = WANTED) -> WatchedCipher:
    watched = WatchedCipher()
    with pytest.raises(SealError) as refusal:
        open_group(group, place, key, wanted, aead=watched)
    assert str(refusal.value) == "sealed value does not open"
    assert refusal.value.__context__ is None, "a chained error would carry the key's frame into a log"
    return watched


def test_what_is_attacked_opens_when_left_alone() -> None:
    assert open_group(GROUP, PLACE, KEY, WANTED) == VALUES


@pytest.mark.parametrize("sentence", BY_COMMITMENT)
def test_refused_before_any_plaintext_exists(sentence: str) -> None:
    assert refuse(*BY_COMMITMENT[sentence]).opened == []
    refuse(*BY_COMMITMENT[sentence], wanted=frozenset())


@pytest.mark.parametrize("sentence", BY_TAG)
def test_refused_by_the_fields_own_tag(sentence: str) -> None:
    assert refuse(*BY_TAG[sentence]).opened != []


def test_another_data_key_row_is_refused_by_its_id() -> None:
    assert refuse(GROUP, PLACE, OTHER_KEY).opened == []


def test_a_whole_row_rolled_back_opens_and_only_its_digest_tells() -> None:
    rolled_back = at(revision=2)
    assert open_group(OLD, rolled_back, KEY, WANTED) == VALUES
    assert group_digest(OLD) != group_digest(GROUP)


def test_every_bit_of_a_group_counts() -> None:
    for position in range(len(GROUP)):
        for bit in range(8):
            flipped = bytearray(GROUP)
            flipped[position] ^= 1 << bit
            refuse(bytes(flipped), PLACE)


def test_a_group_cut_anywhere_is_refused() -> None:
    for length in range(len(GROUP)):
        refuse(GROUP[:length], PLACE)


def test_a_group_in_another_order_is_refused_even_from_a_writer_with_the_key() -> None:
    salt = bytes(24)
    ids = sorted(VALUES, reverse=True)
    block = hmac.digest(KEY.secret.material, group_context(PLACE, salt, ids), "sha512")
    cipher = AESGCM(block[:32])
    backwards = {field: cipher.encrypt(field.to_bytes(12, "big"), VALUES[field], None) for field in ids}
    refuse(rewritten(GROUP, (SALT, salt), (COMMITMENT, block[32:]), (FIELDS, backwards)), PLACE)


# other spellings of the very same content: (what to find, what to write instead)
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "a length in two bytes": lambda g: g.replace(b"\xc4\x10", b"\xc5\x00\x10", 1),
    "a number in two bytes": lambda g: g[:2] + b"\xcc\x01" + g[3:],
    "the array length in two bytes": lambda g: b"S\xdc\x00\x09" + g[2:],
    "text where bytes belong": lambda g: g.replace(b"\xc4\x10", b"\xb0", 1),
    "field ids descending": lambda g: rewritten(g, (FIELDS, dict(reversed(fields(g).items())))),
    "a field id twice": lambda g: (
        g[: g.index(b"\x83\xcd")] + b"\x84" + (g[g.index(b"\x83\xcd") + 1 :][:53] * 2) + g[g.index(b"\x83\xcd") + 54 :]
    ),
    "a tenth element": lambda g: b"S\x9a" + g[2:] + b"\xc0",
}


@pytest.mark.parametrize("sentence", SPELLINGS)
def test_a_second_spelling_is_refused(sentence: str) -> None:
    spelling = SPELLINGS[sentence](GROUP)
    assert spelling != GROUP
    assert refuse(spelling, PLACE).opened == []


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=60) | st.text(max_size=8)
values = st.recursive(leaves, lambda v: st.lists(v, max_size=9) | st.dictionaries(leaves, v, max_size=4), max_leaves=12)
shaped = st.tuples(*[leaves] * 8, st.dictionaries(st.integers(), st.binary(max_size=60), max_size=3))


@given(st.one_of(values, shaped, st.binary(max_size=80)))
@settings(max_examples=200)
def test_arbitrary_msgpack_is_refused_and_raises_nothing_else(content: object) -> None:
    try:
        packed = msgspec.msgpack.encode(content)
    except OverflowError:
        packed = repr(content).encode()
    refuse(b"S" + packed, PLACE)


@given(st.integers(0, len(GROUP)), st.binary(min_size=1, max_size=8))
@settings(max_examples=200)
def test_bytes_put_in_anywhere_are_refused(position: int, content: bytes) -> None:
    refuse(GROUP[:position] + content + GROUP[position:], PLACE)
