"""The encrypted part of an entry opens for its own entry, and only as the leaf commits to it."""

import os
import uuid
from collections.abc import Callable

import msgspec
import pytest

from sauma.core.errors import SealError
from sauma.vault.keyring import Keyring
from sauma.vault.keys import KeyPurpose, KeyState, Secret
from sauma.vault.local import LocalVault
from sauma.vault.payload import SealedPayload

ENTRY, OTHER = uuid.UUID(int=11), uuid.UUID(int=12)
PLAIN = '{"officer":"Testi Työntekijä","caseReference":"PIRHA-2026-1"}'.encode()


def changed(sealed: SealedPayload, **members: bytes) -> SealedPayload:
    return msgspec.structs.replace(sealed, **members)


Attack = Callable[[SealedPayload, SealedPayload], SealedPayload]
ATTACKS: dict[str, Attack] = {
    "another entry's payload": lambda _, o: o,
    "another entry's ciphertext": lambda m, o: changed(m, ciphertext=o.ciphertext),
    "another entry's ciphertext and key": lambda m, o: changed(o, commitment=m.commitment),
    "another entry's key": lambda m, o: changed(m, wrapped_key=o.wrapped_key),
    "another commitment in the leaf": lambda m, o: changed(m, commitment=o.commitment),
    "a changed ciphertext": lambda m, _: changed(m, ciphertext=m.ciphertext[:-1] + bytes([m.ciphertext[-1] ^ 1])),
    "no ciphertext": lambda m, _: changed(m, ciphertext=b""),
    "no key, as after erasure": lambda m, _: changed(m, wrapped_key=b""),
    "another form of key": lambda m, _: changed(m, wrapped_key=b"\x02" + m.wrapped_key[1:]),
    "an epoch nobody holds": lambda m, _: changed(m, wrapped_key=m.wrapped_key[:1] + bytes(4) + m.wrapped_key[5:]),
    "no commitment": lambda m, _: changed(m, commitment=b""),
}


@pytest.mark.parametrize("plain", [PLAIN, b"", bytes(100_000)])
def test_a_payload_comes_back_for_its_entry(vault: LocalVault, plain: bytes) -> None:
    sealed = vault.seal_payload(ENTRY, plain)
    assert vault.open_payload(ENTRY, sealed) == plain
    assert len(sealed.commitment) == 32


def test_the_same_text_twice_looks_unrelated(vault: LocalVault) -> None:
    one, other = vault.seal_payload(ENTRY, PLAIN), vault.seal_payload(ENTRY, PLAIN)
    assert one.commitment != other.commitment
    assert one.ciphertext != other.ciphertext
    assert PLAIN not in one.ciphertext


@pytest.mark.parametrize("sentence", ATTACKS)
def test_does_not_open_with(vault: LocalVault, sentence: str) -> None:
    mine, other = vault.seal_payload(ENTRY, PLAIN), vault.seal_payload(OTHER, PLAIN)
    with pytest.raises(SealError) as refusal:
        vault.open_payload(ENTRY, ATTACKS[sentence](mine, other))
    assert refusal.value.__context__ is None


def test_does_not_open_for_another_entry(vault: LocalVault) -> None:
    with pytest.raises(SealError):
        vault.open_payload(OTHER, vault.seal_payload(ENTRY, PLAIN))


def test_a_payload_of_last_month_opens_under_its_own_epoch_key(vault: LocalVault, keyring: Keyring) -> None:
    sealed = vault.seal_payload(ENTRY, PLAIN)
    (old,) = [k for k in keyring.keys if k.purpose is KeyPurpose.PAYLOAD]
    new = msgspec.structs.replace(old, version=202603, material=Secret(os.urandom(32)), state=KeyState.ENABLED)
    march = LocalVault(msgspec.structs.replace(keyring, keys=(*keyring.keys, new)), random=os.urandom)
    assert (old.version, march.open_payload(ENTRY, sealed)) == (202602, PLAIN)
    with pytest.raises(SealError):
        vault.open_payload(ENTRY, march.seal_payload(ENTRY, PLAIN))
