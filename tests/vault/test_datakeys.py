"""A data key unwraps for its own controller, subject and class, and nowhere else (T14)."""

import os
import uuid
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.errors import SealError
from sauma.core.fields import Sensitivity
from sauma.vault.datakeys import DataKeyPlace, new_data_key, wrap_context, wrapped_epoch, wrapped_id
from sauma.vault.keyring import Keyring
from sauma.vault.keys import KeyPurpose, KeyState, Secret
from sauma.vault.local import LocalVault
from sauma.vault.seal import open_group
from vault.seals import KELA, PIRHA, PLACE, VALUES, sealed

HERE = DataKeyPlace(controller=KELA, subject=uuid.UUID(int=1), sensitivity=Sensitivity.ORDINARY)
ELSEWHERE = {
    "another controller": msgspec.structs.replace(HERE, controller=PIRHA),
    "another subject": msgspec.structs.replace(HERE, subject=uuid.UUID(int=2)),
    "the restricted class": msgspec.structs.replace(HERE, sensitivity=Sensitivity.RESTRICTED),
    "the protection class": msgspec.structs.replace(HERE, sensitivity=Sensitivity.PROTECTION),
}
ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "another form": lambda w: b"\x02" + w[1:],
    "an epoch nobody holds": lambda w: w[:1] + bytes(4) + w[5:],
    "another data key id": lambda w: w[:5] + bytes(16) + w[21:],
    "a byte more": lambda w: w + b"\0",
    "a byte less": lambda w: w[:-1],
}


def test_a_data_key_comes_back_where_it_was_wrapped(vault: LocalVault) -> None:
    key = vault.new_data_key()
    wrapped = vault.wrap_data_key(key, HERE)
    back = vault.unwrap_data_key(wrapped, HERE)
    assert (back.id, back.secret.material) == (key.id, key.secret.material)
    assert (wrapped_id(wrapped), wrapped_epoch(wrapped), len(wrapped)) == (key.id, 202607, 85)


@pytest.mark.parametrize("sentence", ELSEWHERE)
def test_does_not_unwrap_for(vault: LocalVault, sentence: str) -> None:
    wrapped = vault.wrap_data_key(vault.new_data_key(), HERE)
    with pytest.raises(SealError):
        vault.unwrap_data_key(wrapped, ELSEWHERE[sentence])


@pytest.mark.parametrize("sentence", ALTERED)
def test_does_not_unwrap_when_the_row_holds(vault: LocalVault, sentence: str) -> None:
    wrapped = vault.wrap_data_key(vault.new_data_key(), HERE)
    with pytest.raises(SealError):
        vault.unwrap_data_key(ALTERED[sentence](wrapped), HERE)


def test_every_byte_of_a_wrapped_key_counts(vault: LocalVault) -> None:
    wrapped = vault.wrap_data_key(vault.new_data_key(), HERE)
    for position in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[position] ^= 1
        with pytest.raises(SealError):
            vault.unwrap_data_key(bytes(altered), HERE)


def with_next_epoch(ring: Keyring, *, old: KeyState) -> Keyring:
    (epoch,) = [k for k in ring.keys if k.purpose is KeyPurpose.SEAL_ORDINARY]
    following = msgspec.structs.replace(epoch, version=epoch.version + 1, material=Secret(os.urandom(32)))
    others = tuple(k for k in ring.keys if k is not epoch)
    return msgspec.structs.replace(ring, keys=(*others, msgspec.structs.replace(epoch, state=old), following))


def test_a_new_epoch_wraps_and_the_old_one_unwraps_until_it_is_disabled(vault: LocalVault, keyring: Keyring) -> None:
    wrapped = vault.wrap_data_key(vault.new_data_key(), HERE)
    draining = LocalVault(with_next_epoch(keyring, old=KeyState.ENABLED), random=os.urandom)
    assert wrapped_epoch(draining.wrap_data_key(draining.new_data_key(), HERE)) == 202608
    assert draining.unwrap_data_key(wrapped, HERE).id == wrapped_id(wrapped)
    closed = LocalVault(with_next_epoch(keyring, old=KeyState.DISABLED), random=os.urandom)
    with pytest.raises(SealError):
        closed.unwrap_data_key(wrapped, HERE)


def test_a_wiped_key_neither_opens_nor_seals() -> None:
    key = new_data_key(os.urandom)
    group = sealed(key=key)
    key.wipe()
    for act in (lambda: open_group(group, PLACE, key, frozenset(VALUES)), lambda: sealed(key=key)):
        with pytest.raises(SealError):
            act()


parts = st.tuples(
    st.builds(
        DataKeyPlace,
        controller=st.sampled_from(["0000000-0", "0000000-1"]),
        subject=st.just(HERE.subject) | st.uuids(),
        sensitivity=st.sampled_from(Sensitivity),
    ),
    st.just(bytes(16)) | st.binary(min_size=16, max_size=16),
    st.integers(0, 2) | st.integers(0, 0xFFFFFFFF),
)


@given(parts, parts)
def test_two_wrap_contexts_are_one_only_if_every_part_is(
    one: tuple[DataKeyPlace, bytes, int], other: tuple[DataKeyPlace, bytes, int]
) -> None:
    first, second = (wrap_context(p, data_key_id=i, epoch=e) for p, i, e in (one, other))
    assert (first == second) == (one == other)
    assert len(first) == 66
