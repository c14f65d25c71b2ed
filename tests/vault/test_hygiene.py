"""Key material leaves a process neither in a core file nor in a printed object."""

import base64
import subprocess
import sys

import pytest

from sauma.vault.keyring import Keyring
from sauma.vault.local import LocalVault

HARDENED = """
import ctypes, resource
from sauma.vault.hygiene import harden_process
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
before = dumpable()
harden_process()
print(before, dumpable(), resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux")
def test_a_hardened_process_leaves_no_core_and_is_not_dumpable() -> None:
    told = subprocess.run(
        [sys.executable, "-c", HARDENED],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert told.stdout.split(maxsplit=1)[1].strip() == "0 (0, 0)"


def test_no_object_of_the_vault_prints_key_material(vault: LocalVault, keyring: Keyring) -> None:
    key = vault.new_data_key()
    secrets = [bytes(k.material.material) for k in keyring.keys] + [bytes(key.secret.material)]
    printed = "".join(
        form(thing)
        for thing in (vault, vault.provider, vault.receipts, keyring, *keyring.keys, key, key.secret)
        for form in (repr, str, "{}".format)
    )
    assert "Secret(redacted)" in printed
    for secret in secrets:
        for shown in (secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1]):
            assert shown not in printed
