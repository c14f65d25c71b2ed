"""The local key ring: one JSON file, readable by its owner only, with a key of its own for every purpose.

Who reads the file reads everything ever sealed under it; losing it loses the same. It is backed up apart from the data.
"""

import base64
import contextlib
import datetime as dt
import hmac
import os
import stat
from pathlib import Path

import msgspec

from sauma.core.errors import StartRefused
from sauma.vault.keys import KeyPurpose, KeyRef, KeyState, Random, Secret

FORMAT = "sauma-keyring/1"
_KEY_LENGTH = 32
_MAX_FILE = 1 << 20
_CHECKED, _CHECK_LENGTH = b"sauma/key-check/v1", 16
_WEEKLY = {KeyPurpose.SEAL_ORDINARY, KeyPurpose.SEAL_RESTRICTED, KeyPurpose.SEAL_PROTECTION}


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of the ring; `version` is YYYYWW for sealing epochs, YYYYMM for payload epochs, else counted from 1."""

    purpose: KeyPurpose
    version: int
    state: KeyState
    material: Secret


class Keyring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All keys of one installation."""

    format: str
    created_at: dt.datetime
    keys: tuple[StoredKey, ...]

    def find(self, ref: KeyRef) -> StoredKey | None:
        """The key of that name, if the ring holds it."""
        return next((k for k in self.keys if k.purpose is ref.purpose and k.version == ref.version), None)

    def state(self, ref: KeyRef) -> KeyState:
        """The key's state; absent if the ring does not hold it."""
        found = self.find(ref)
        return KeyState.ABSENT if found is None else found.state


class KeyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """By what a key is recognised without being shown: 16 bytes of a MAC under it over a constant text."""

    purpose: str
    version: int
    value: bytes


def key_checks(ring: Keyring) -> tuple[KeyCheck, ...]:
    """The check of every key of the ring; the database keeps them, so that another ring is noticed at start."""
    return tuple(
        KeyCheck(
            purpose=key.purpose.value,
            version=key.version,
            value=hmac.digest(key.material.material, _CHECKED, "sha256")[:_CHECK_LENGTH],
        )
        for key in ring.keys
    )


def new_keyring(now: dt.datetime, random: Random) -> Keyring:
    """A ring with one fresh, independent 256-bit key per purpose."""
    keys = tuple(
        StoredKey(
            purpose=purpose,
            version=_version(purpose, now),
            state=KeyState.ENABLED,
            material=Secret(random(_KEY_LENGTH)),
        )
        for purpose in KeyPurpose
    )
    return Keyring(format=FORMAT, created_at=now, keys=keys)


def create_keyring(path: Path, now: dt.datetime, random: Random) -> Keyring:
    """Write a new ring with mode 0600 and return it.

    The file appears whole or not at all (written beside, synced, then linked); of several processes one wins.

    Raises:
        FileExistsError: there is a ring already; it is never overwritten.
    """
    ring = new_keyring(now, random)
    draft = path.with_name(f".{path.name}.{random(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(ring, enc_hook=_encode_secret)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    _sync_directory(path.parent)
    return ring


def load_keyring(path: Path) -> Keyring:
    """Read a ring.

    Raises:
        StartRefused: missing, a link, another owner's, open to others, or not a whole and sound ring.
    """
    ring: Keyring | None = None
    content = _read_private(path)
    with contextlib.suppress(msgspec.MsgspecError, ValueError):
        ring = msgspec.json.decode(content, type=Keyring, dec_hook=_decode_secret)
    if ring is None or ring.format != FORMAT:
        line = "SAUMA_KEYRING: not a sauma key ring; fix: restore the file from its own backup"
        raise StartRefused(line, exit_code=os.EX_CONFIG)
    _require_sound(ring)
    return ring


def _read_private(path: Path) -> bytes:
    """The file's bytes, judged by the descriptor that is read so that nobody swaps it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        descriptor = -1
    if descriptor < 0:
        line = "SAUMA_KEYRING: the file cannot be read; fix: restore it, or chown it to the account that runs sauma"
        raise StartRefused(line, exit_code=os.EX_CONFIG)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077:
            line = "SAUMA_KEYRING: the file is open to others than its owner; fix: chmod 600"
            raise StartRefused(line, exit_code=os.EX_CONFIG)
        if status.st_uid != os.geteuid():
            line = "SAUMA_KEYRING: the file belongs to another account than the one that runs sauma; fix: chown it"
            raise StartRefused(line, exit_code=os.EX_CONFIG)
        return os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)


def _require_sound(ring: Keyring) -> None:
    """Refuse a ring in which two keys share a name or material, or a purpose has no enabled key."""
    names = {(key.purpose, key.version) for key in ring.keys}
    materials = {bytes(key.material.material) for key in ring.keys}
    enabled = {key.purpose for key in ring.keys if key.state is KeyState.ENABLED}
    absent = any(key.state is KeyState.ABSENT for key in ring.keys)
    if len(names) != len(ring.keys) or len(materials) != len(ring.keys) or enabled != set(KeyPurpose) or absent:
        line = (
            "SAUMA_KEYRING: a purpose without an enabled key, or two keys alike; fix: restore the file from its backup"
        )
        raise StartRefused(line, exit_code=os.EX_CONFIG)


def _version(purpose: KeyPurpose, now: dt.datetime) -> int:
    """The version a key made now gets: its ISO week or month where keys live in epochs."""
    if purpose in _WEEKLY:
        year, week, _ = now.isocalendar()
        return year * 100 + week
    if purpose is KeyPurpose.PAYLOAD:
        return now.year * 100 + now.month
    return 1


def _sync_directory(directory: Path) -> None:
    """Make a new name survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode_secret(value: object) -> str:
    """Key material as base64, in the file only."""
    if not isinstance(value, Secret):
        raise NotImplementedError
    return base64.b64encode(value.material).decode("ascii")


def _decode_secret(kind: type, value: object) -> Secret:
    """Key material from base64."""
    if kind is not Secret or not isinstance(value, str):
        raise ValueError
    material = base64.b64decode(value, validate=True)
    if len(material) != _KEY_LENGTH:
        raise ValueError
    return Secret(material)
