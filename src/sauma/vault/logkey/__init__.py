"""The log key, which only the sequencer opens, and its memory of the last head: two files of mode 0600.

Who reads the key can sign heads in our name; what then still notices is whoever kept an older head. The origin stands
in the file beside the key: a log has one name for ever, wherever it is reached. The head is replaced whole: written
aside, synced, renamed over; a crash leaves the one of before or the new one.
"""

import contextlib
import os
import stat
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sauma.core.errors import StartRefused
from sauma.core.tree.note import (
    ED25519,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    note_text,
    read_checkpoint,
    read_note,
    vkey_text,
)

FORMAT = "sauma-log-key/1"
_MAX_FILE = 1 << 12
_HASH_LENGTH = 32


class _StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    origin: str
    seed: bytes

    def __repr__(self) -> str:
        return "_StoredKey()"


class _StoredHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    size: int
    root: bytes


class LogKey:
    """Signs the heads of one log with Ed25519 (C2SP signed-note); `verifier` is its public half."""

    def __init__(self, origin: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name=origin, kind=ED25519, key=self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"LogKey(origin={self.origin!r})"

    @property
    def origin(self) -> str:
        """The log's name, and the key's."""
        return self.verifier.name

    @property
    def vkey(self) -> str:
        """The public key as policies spell it."""
        return vkey_text(self.verifier)

    def sign(self, text: str) -> str:
        """The text as a note."""
        signature = self._key.sign(text.encode())
        line = Signature(name=self.origin, key_id=self.verifier.key_id, signature=signature)
        return note_text(Note(text=text, signatures=(line,)))

    def signed(self, note: str) -> Checkpoint | None:
        """The checkpoint of a note this key signed."""
        with contextlib.suppress(ValueError):
            read = read_note(note)
            for line in read.signatures:
                if (line.name, line.key_id) == (self.origin, self.verifier.key_id):
                    with contextlib.suppress(InvalidSignature):
                        self._key.public_key().verify(line.signature, read.text.encode())
                        return read_checkpoint(read.text)
        return None


class LogHead:
    """The last head as its file holds it; raises OSError where the disk does not take it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[int, bytes] | None:
        """Size and root, None where none was kept.

        Raises:
            StartRefused: exit 78, the file cannot be read or is not whole.
        """
        if not self._path.exists():
            return None
        try:
            kept = msgspec.json.decode(_read_private(self._path), type=_StoredHead)
        except msgspec.MsgspecError:
            raise _unusable(self._path) from None
        if kept.size < 1 or len(kept.root) != _HASH_LENGTH:
            raise _unusable(self._path)
        return kept.size, kept.root

    def keep(self, head: tuple[int, bytes]) -> None:
        """Replace it; it is on disk when this returns."""
        draft = self._path.with_name(f".{self._path.name}.draft")
        draft.unlink(missing_ok=True)
        _write_private(draft, msgspec.json.encode(_StoredHead(size=head[0], root=head[1])))
        draft.replace(self._path)
        _sync_directory(self._path.parent)


def make_log_key(path: Path, *, origin: str) -> None:
    """A fresh key in a file of mode 0600; it appears whole or not at all, and of several processes one wins.

    Raises:
        FileExistsError: there is one; it is never overwritten.
        OSError: it cannot be written.
    """
    stored = _StoredKey(format=FORMAT, origin=origin, seed=Ed25519PrivateKey.generate().private_bytes_raw())
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        _write_private(draft, msgspec.json.encode(stored) + b"\n")
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def load_log_key(path: Path) -> LogKey:
    """The key of a file that is there.

    Raises:
        StartRefused: exit 78, it cannot be read, is open to others, or is not a whole key.
    """
    try:
        stored = msgspec.json.decode(_read_private(path), type=_StoredKey)
        if stored.format == FORMAT:
            return LogKey(stored.origin, stored.seed)
    except (msgspec.MsgspecError, ValueError):
        pass
    raise _unusable(path)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path) -> bytes:
    """The file's bytes, judged by the descriptor that is read, so that nobody swaps it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise _unusable(path) from None
    try:
        status = os.fstat(descriptor)
        private = stat.S_ISREG(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
        if not private or status.st_uid != os.geteuid():
            line = f"SAUMA_HOME: {path.name} must be its owner's only, who runs sauma; fix: chmod 600, or chown"
            raise StartRefused(line, exit_code=os.EX_CONFIG)
        return os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)


def _unusable(path: Path) -> StartRefused:
    line = f"SAUMA_HOME: {path.name} cannot be read or is not whole; fix: restore it from its own backup"
    return StartRefused(line, exit_code=os.EX_CONFIG)


def _sync_directory(directory: Path) -> None:
    """Make a new name survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
