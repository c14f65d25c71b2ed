"""The issuer's key ring as a file of mode 0600, which every process of the server follows.

Who reads the file can mint tokens. It is replaced whole: written aside, synced, renamed over; a crash leaves the ring
of before or the new one, and at most a draft of mode 0600 that the next change overwrites. Changes wait for each other
at a lock that ends with its process. A server only reads.
"""

import contextlib
import datetime as dt
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from sauma.oauth.jose import SigningKey, VerifyingKey, import_public, strict_object
from sauma.oauth.keys import IssuerKeyError, create_key, key_set, private_members, signing_key
from sauma.oauth.keys.ring import IssuerKey, IssuerKeyState, IssuerRing, Unmoved, new_ring
from sauma.oauth.reasons import Reason

FORMAT = "sauma-issuer-keys/1"
_BEFORE = "issuer.jwk"
_MAX_FILE = 1 << 16


class _StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: IssuerKeyState
    since: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    jwk: dict[str, str]

    def __repr__(self) -> str:
        return "_StoredKey()"


class _StoredRing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    keys: tuple[_StoredKey, ...]

    def __repr__(self) -> str:
        return "_StoredRing()"


class IssuerKeys:
    """The ring as its file holds it: looked at whenever the ring is asked for (2 µs), read again if it changed.

    So a rotation, and a removal, holds in every worker from its next request on. `generation` grows with every change:
    what was verified under another one must be verified again. A file that cannot be used while the server runs leaves
    the ring that was read last, and `on_fault` is told once for each such file; it is tried again at every use, as
    what failed may have been the process (no descriptor left) and not the file. `now` is when a ring made now begins.

    Raises:
        IssuerKeyError: the file cannot be used to begin with.
        OSError: there is none, and it cannot be written.
    """

    def __init__(self, path: Path, *, now: int, on_fault: Callable[[IssuerKeyError], object]) -> None:
        self.generation = 0
        self._path = path
        self._on_fault = on_fault
        open_ring(path, now=now)
        self._identity = self._told = _identity(path)
        self._ring = load_ring(path)
        self._believed: tuple[IssuerRing, int, tuple[VerifyingKey, ...]] = (self._ring, -1, ())

    def ring(self) -> IssuerRing:
        """The keys as they are."""
        identity = _identity(self._path)
        if identity != self._identity:
            self._read_again(identity)
        return self._ring

    def verifying(self, *, now: int) -> tuple[VerifyingKey, ...]:
        """The keys whose tokens are believed: of one ring and one second the very same tuple, picked out once."""
        ring = self.ring()
        of, at, keys = self._believed
        if of is not ring or at != now:
            keys = ring.verifying(now=now)
            self._believed = (ring, now, keys)
        return keys

    def published(self, *beside: Mapping[str, str], now: int) -> bytes:
        """The JWK set to serve: every standing key of the issuer, and the public keys beside them."""
        standing = (key.public for key in self.ring().standing(now=now).keys)
        return msgspec.json.encode({"keys": [*key_set(*standing)["keys"], *beside]})

    def _read_again(self, identity: tuple[int, ...] | None) -> None:
        try:
            self._ring = load_ring(self._path)
        except IssuerKeyError as fault:
            if identity != self._told:
                self._told = identity
                self._on_fault(fault)
            return
        self._identity = self._told = identity
        self.generation += 1


def load_ring(path: Path) -> IssuerRing:
    """The ring of a file that is there.

    Raises:
        IssuerKeyError: it cannot be read, is open to others than its owner, or is not a whole and sound ring.
    """
    members = strict_object(_read_private(path))
    fault = IssuerKeyError(f"{path.name} is not a ring of issuer keys")
    if isinstance(members, Reason):
        raise fault
    try:
        stored = msgspec.convert(members, _StoredRing)
    except msgspec.ValidationError:
        raise fault from None
    if stored.format != FORMAT:
        raise fault
    try:
        ring = IssuerRing(keys=tuple(_key(one) for one in stored.keys))
    except IssuerKeyError as why:
        message = f"{path.name} {why.fault}"
        raise IssuerKeyError(message) from None
    states = [key.state for key in ring.keys]
    kids = {key.public.kid for key in ring.keys}
    if states.count(IssuerKeyState.ACTIVE) != 1 or states.count(IssuerKeyState.NEXT) > 1 or len(kids) != len(states):
        message = f"{path.name} has no active key, or two, or two keys alike"
        raise IssuerKeyError(message)
    return ring


def open_ring(path: Path, *, now: int) -> IssuerRing:
    """The ring, made where there is none; several processes may start at once, and find the same.

    The one key of an earlier version (`issuer.jwk` beside it) is taken over as the active one. The old file then goes:
    were the ring ever lost, a key that was removed must not come back from it.

    Raises:
        IssuerKeyError: as `load_ring`.
        OSError: it cannot be written.
    """
    before = path.with_name(_BEFORE)
    if path.exists() and not before.exists():
        return load_ring(path)
    with _locked(path):
        if not path.exists():
            _replace(path, new_ring(_taken_over(before) if before.exists() else create_key(), now=now))
        ring = load_ring(path)
        before.unlink(missing_ok=True)
    return ring


def change_ring(path: Path, step: Callable[[IssuerRing], IssuerRing | Unmoved]) -> IssuerRing | Unmoved:
    """Replace the ring of a file that is there by what `step` makes of it.

    Raises:
        IssuerKeyError: as `load_ring`.
        OSError: it cannot be written; nothing is changed.
    """
    with _locked(path):
        changed = step(load_ring(path))
        if isinstance(changed, IssuerRing):
            _replace(path, changed)
    return changed


def _key(stored: _StoredKey) -> IssuerKey:
    """One key of the file; a retired one must have lost its private half."""
    since = int(stored.since.timestamp())
    if stored.state is not IssuerKeyState.RETIRED:
        signing = signing_key(stored.jwk)
        return IssuerKey(state=stored.state, since=since, public=signing.public, signing=signing)
    public = import_public({name: value for name, value in stored.jwk.items() if name != "kid"})
    if not isinstance(public, VerifyingKey):
        message = "holds a retired key that is not a public JWK"
        raise IssuerKeyError(message)
    return IssuerKey(state=stored.state, since=since, public=public, signing=None)


def _taken_over(path: Path) -> SigningKey:
    """The one key of before the ring."""
    members = strict_object(_read_private(path))
    try:
        return signing_key({} if isinstance(members, Reason) else members)
    except IssuerKeyError as why:
        message = f"{path.name} {why.fault}"
        raise IssuerKeyError(message) from None


def _replace(path: Path, ring: IssuerRing) -> None:
    keys = tuple(
        _StoredKey(
            state=key.state,
            since=dt.datetime.fromtimestamp(key.since, dt.UTC),
            jwk=key.public.jwk if key.signing is None else private_members(key.signing),
        )
        for key in ring.keys
    )
    content = msgspec.json.format(msgspec.json.encode(_StoredRing(format=FORMAT, keys=keys))) + b"\n"
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_directory(path.parent)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with the file, among processes that change it."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_private(path: Path) -> bytes:
    """The file's bytes, judged by the descriptor that is read, so that nobody swaps it in between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        message = f"{path.name} cannot be read"
        raise IssuerKeyError(message) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            message = f"{path.name} is not a file"
            raise IssuerKeyError(message)
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            message = f"{path.name} must be its owner's only, who runs sauma (chmod 600)"
            raise IssuerKeyError(message)
        return os.read(descriptor, _MAX_FILE)
    except OSError:
        message = f"{path.name} cannot be read"
        raise IssuerKeyError(message) from None
    finally:
        os.close(descriptor)


def _identity(path: Path) -> tuple[int, ...] | None:
    """What differs when the file was replaced or altered; None where none is."""
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _sync_directory(directory: Path) -> None:
    """Make a new name survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
