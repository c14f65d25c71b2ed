"""Every key store is held to these rows; a provider that fails one is not supported (sealing at rest, section 4.16)."""

import hmac
import os
from collections.abc import Callable

import msgspec
import pytest

from sauma.core.errors import SealError
from sauma.vault.keyring import Keyring
from sauma.vault.keys import MACS, WRAPPING, KeyPurpose, KeyRef, KeyState
from sauma.vault.provider import LocalProvider, Provider

BLOB, CONTEXT = bytes(range(32)), b"organisation and epoch"
SEALING = KeyPurpose.SEAL_ORDINARY


def with_state(ring: Keyring, state: KeyState) -> Keyring:
    return msgspec.structs.replace(ring, keys=tuple(msgspec.structs.replace(k, state=state) for k in ring.keys))


def local(ring: Keyring) -> Provider:
    return LocalProvider(ring, random=os.urandom)


@pytest.fixture(params=[local])
def make(request: pytest.FixtureRequest) -> Callable[[Keyring], Provider]:
    return request.param


@pytest.fixture
def provider(make: Callable[[Keyring], Provider], keyring: Keyring) -> Provider:
    return make(keyring)


@pytest.mark.parametrize("purpose", sorted(WRAPPING, key=lambda p: p.value))
def test_a_wrapped_blob_comes_back_under_the_same_key_and_context(provider: Provider, purpose: KeyPurpose) -> None:
    key = provider.current(purpose)
    wrapped = provider.wrap(key, BLOB, CONTEXT)
    assert provider.unwrap(key, wrapped, CONTEXT) == BLOB
    assert BLOB not in wrapped
    assert wrapped != provider.wrap(key, BLOB, CONTEXT), "every wrap has its own key"


AMISS: dict[str, Callable[[Provider, KeyRef, bytes], object]] = {
    "another context": lambda p, k, w: p.unwrap(k, w, CONTEXT + b"!"),
    "no context": lambda p, k, w: p.unwrap(k, w, b""),
    "another purpose's key": lambda p, _, w: p.unwrap(p.current(KeyPurpose.PAYLOAD), w, CONTEXT),
    "a key nobody holds": lambda p, _, w: p.unwrap(KeyRef(purpose=SEALING, version=1), w, CONTEXT),
    "a blob cut short": lambda p, k, w: p.unwrap(k, w[:-1], CONTEXT),
    "an empty blob": lambda p, k, _: p.unwrap(k, b"", CONTEXT),
    "a changed salt": lambda p, k, w: p.unwrap(k, bytes([w[0] ^ 1]) + w[1:], CONTEXT),
    "a changed tag": lambda p, k, w: p.unwrap(k, w[:-1] + bytes([w[-1] ^ 1]), CONTEXT),
    "wrapping with a MAC key": lambda p, _k, _w: p.wrap(p.current(KeyPurpose.TAG), BLOB, CONTEXT),
    "wrapping with the signing key": lambda p, _k, _w: p.wrap(p.current(KeyPurpose.RECEIPT), BLOB, CONTEXT),
    "a MAC with a wrapping key": lambda p, k, _: p.mac(k, BLOB),
    "a MAC with the signing key": lambda p, _k, _w: p.mac(p.current(KeyPurpose.RECEIPT), BLOB),
    "a MAC with a key nobody holds": lambda p, _k, _w: p.mac(KeyRef(purpose=KeyPurpose.TAG, version=9), BLOB),
}


@pytest.mark.parametrize("sentence", AMISS)
def test_is_refused(provider: Provider, sentence: str) -> None:
    key = provider.current(SEALING)
    wrapped = provider.wrap(key, BLOB, CONTEXT)
    with pytest.raises(SealError) as refusal:
        AMISS[sentence](provider, key, wrapped)
    assert refusal.value.__context__ is None


def test_a_disabled_key_does_nothing(make: Callable[[Keyring], Provider], provider: Provider, keyring: Keyring) -> None:
    key, tag_key = provider.current(SEALING), provider.current(KeyPurpose.TAG)
    wrapped = provider.wrap(key, BLOB, CONTEXT)
    disabled = make(with_state(keyring, KeyState.DISABLED))
    assert disabled.state(key) is KeyState.DISABLED
    for act in (
        lambda: disabled.wrap(key, BLOB, CONTEXT),
        lambda: disabled.unwrap(key, wrapped, CONTEXT),
        lambda: disabled.mac(tag_key, BLOB),
        lambda: disabled.current(SEALING),
    ):
        with pytest.raises(SealError):
            act()


def test_health_and_state_say_what_may_be_used(
    make: Callable[[Keyring], Provider], provider: Provider, keyring: Keyring
) -> None:
    assert provider.health()
    assert not make(with_state(keyring, KeyState.DISABLED)).health()
    assert provider.state(provider.current(SEALING)) is KeyState.ENABLED
    assert provider.state(KeyRef(purpose=SEALING, version=1)) is KeyState.ABSENT


@pytest.mark.parametrize("purpose", sorted(MACS, key=lambda p: p.value))
def test_a_mac_is_hmac_sha_256(provider: Provider, keyring: Keyring, purpose: KeyPurpose) -> None:
    key = provider.current(purpose)
    stored = keyring.find(key)
    assert stored is not None
    assert provider.mac(key, BLOB) == hmac.digest(stored.material.material, BLOB, "sha256")


def test_no_purpose_can_both_wrap_and_mac() -> None:
    assert not WRAPPING & MACS
    assert {KeyPurpose.RECEIPT} == set(KeyPurpose) - WRAPPING - MACS
