"""A key ring and the vault over it."""

import datetime as dt
import os

import pytest

from sauma.vault.keyring import Keyring, new_keyring
from sauma.vault.local import LocalVault

NOW = dt.datetime(2026, 2, 9, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return new_keyring(NOW, os.urandom)


@pytest.fixture(scope="session")
def vault(keyring: Keyring) -> LocalVault:
    return LocalVault(keyring, random=os.urandom)
