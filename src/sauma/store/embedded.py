"""A real PostgreSQL for `./sauma` and the tests: started, shared by several processes, stopped by the last of them.

What a crash leaves: locks die with their process (flock); `initdb` works in `pg.new` and is renamed when done; a killed
Sauma leaves a running server that the next start uses; a killed server recovers from its own log at the next start.
Where things lie and why: `sauma.store.places`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex, token_urlsafe  # noqa: TID251  # passwords of a database that lives and dies in this folder
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import msgspec

from sauma.core.errors import StartRefused
from sauma.store.places import EX_CONFIG, EX_UNAVAILABLE, Site, find_binaries, own, private_directories, run, settle

LOGIN_ROLES = ("sauma_migrator", "sauma_server", "sauma_auditor", "sauma_sequencer")
OPERATORS = ("sauma_registrar_1", "sauma_registrar_2")
"""The two registrars of an embedded server: members of `sauma_registrar`, so that one proposes and one approves."""
SUPERUSER = "postgres"

_OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "timezone": "UTC",
    "log_error_verbosity": "terse",  # DETAIL names key values
    "log_min_messages": "log",  # above ERROR: its text quotes rejected values; whoever sent them is told anyway
    "log_min_error_statement": "panic",  # a failed statement is not repeated
    "log_min_duration_statement": "-1",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class Cluster:
    """A running embedded server, used by this process until `stop`; leaving a `with` block stops it too."""

    def __init__(self, site: Site, *, passwords: dict[str, str], use: Path, lock: int) -> None:
        self._site = site
        self._passwords = passwords
        self._use = use
        self._lock = lock
        self._pid = os.getpid()
        self.home = site.home
        self.database_directory = site.database
        self.socket_directory = site.private

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Cluster(home={str(self.home)!r})"

    @property
    def passwords(self) -> dict[str, str]:
        """Role to password, for the bootstrap; never printed."""
        return dict(self._passwords)

    def dsn(self, role: str, database: str = "sauma") -> str:
        """A connection string for a role that logs in; it holds the role's password, so it is never printed."""
        return f"postgresql://{role}:{self._passwords[role]}@/{quote(database)}?host={self.socket_directory}"

    def stop(self) -> None:
        """Let go; the last process to do so stops the server. A second call, or a forked worker's, does nothing."""
        if self._lock < 0 or self._pid != os.getpid():
            return
        with _locked(self.home):
            lock, self._lock = self._lock, -1
            self._use.unlink(missing_ok=True)
            os.close(lock)
            if not _in_use(self.home):
                _halt(self._site)


def start(home: Path, *, binaries: Path | None = None, on_start: Callable[[], object] = lambda: None) -> Cluster:
    """Start the server of this home, or join the one that runs; several processes may call this at once.

    `binaries` overrides `find_binaries` (`SAUMA_PG_BIN`); `on_start` is called before a server that stands is started.

    Raises:
        StartRefused: no binaries, no private place for the socket, or PostgreSQL does not start.
    """
    binaries = find_binaries(binaries)
    try:
        own(home)
        with _locked(home):
            site = settle(home, binaries=binaries)
            passwords = _passwords(site)
            if not _runs(site):
                on_start()
            if not (site.database / "PG_VERSION").exists():
                _initialise(site, password=passwords[SUPERUSER])
            _refuse_other_major(site)
            _launch(site)
            use, lock = _use(site.home)
    except PermissionError as fault:
        line = "SAUMA_HOME: this user may not write there or become PostgreSQL's user; fix: run as an ordinary user"
        raise StartRefused(line, exit_code=EX_UNAVAILABLE) from fault
    return Cluster(site, passwords=passwords, use=use, lock=lock)


def remove(home: Path) -> None:
    """End every process that uses this home's server, stop it, and remove home and its private directory."""
    if home.exists() or private_directories(home):
        binaries = find_binaries()
        own(home)
        with _locked(home):
            site = settle(home, binaries=binaries)
        for pid in set(_in_use(site.home)) - {os.getpid()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while _in_use(site.home) and time.monotonic() < deadline:
            time.sleep(0.05)
        with _locked(site.home):
            _halt(site)
            shutil.rmtree(site.home)
    for private in private_directories(home):
        shutil.rmtree(private)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server of a home."""
    lock = os.open(home / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _use(home: Path) -> tuple[Path, int]:
    """Note that this process uses the server: a file of its id, locked as long as it lives."""
    (home / "users").mkdir(mode=0o700, exist_ok=True)
    path = home / "users" / f"{os.getpid()}.{token_hex(4)}"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return path, lock


def _in_use(home: Path) -> list[int]:
    """The processes that use the server; what dead ones left is swept away."""
    alive = []
    for path in (home / "users").glob("[0-9]*.*"):
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                alive.append(int(path.name.partition(".")[0]))
            finally:
                os.close(lock)
    return alive


def _passwords(site: Site) -> dict[str, str]:
    """The passwords of this home, made before the database that needs them; registrars came later than the others."""
    path = site.home / "passwords.json"
    if not path.exists():
        if (site.database / "PG_VERSION").exists():
            line = "SAUMA_HOME: the database is there but passwords.json is not; fix: ./sauma clean"
            raise StartRefused(line, exit_code=EX_CONFIG)
        _write(path, _fresh(SUPERUSER, *LOGIN_ROLES, *OPERATORS))
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        found = {}
    if not found.keys() >= {SUPERUSER, *LOGIN_ROLES}:
        line = "SAUMA_HOME: passwords.json cannot be read or is not whole; fix: restore it, or ./sauma clean"
        raise StartRefused(line, exit_code=EX_CONFIG)
    if not found.keys() >= set(OPERATORS):
        found = _fresh(*OPERATORS) | found
        _write(path, found)
    return found


def _fresh(*roles: str) -> dict[str, str]:
    return {role: token_urlsafe(24) for role in roles}


def _write(path: Path, passwords: dict[str, str]) -> None:
    """Whole or not at all, and never open to others."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(passwords), encoding="ascii")
    new.rename(path)


def _initialise(site: Site, *, password: str) -> None:
    new = site.database.with_name("pg.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os.chown(new, site.identity.uid, site.identity.gid)
    with tempfile.NamedTemporaryFile("w", dir=site.private, encoding="ascii") as pwfile, _log(site) as log:
        pwfile.write(password)
        pwfile.flush()
        os.chown(pwfile.name, site.identity.uid, site.identity.gid)
        access = (f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={pwfile.name}")
        shape = ("--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions")
        done = run(site.identity, str(site.binaries / "initdb"), f"--pgdata={new}", *access, *shape, log=log)
    if done != 0:
        raise _did_not_start()
    new.rename(site.database)


def _refuse_other_major(site: Site) -> None:
    """Refuse binaries of another major version than the one the database was made by."""
    made = (site.database / "PG_VERSION").read_text(encoding="ascii").strip()
    with tempfile.TemporaryFile() as answer:
        run(site.identity, str(site.binaries / "postgres"), "--version", log=answer)
        answer.seek(0)
        version = answer.read().decode().split()
    if "(PostgreSQL)" not in version or version[2].partition(".")[0] != made:
        line = f"SAUMA_PG_BIN: the database was made by PostgreSQL {made}; fix: name its binaries, or ./sauma clean"
        raise StartRefused(line, exit_code=EX_CONFIG)


def _launch(site: Site) -> None:
    """`pg_ctl start` unless it runs already; a start that fails or is interrupted is undone.

    The backends of a killed server take a moment to notice and hold its memory until then: hence three tries.
    """
    if _runs(site):
        return
    options = " ".join(f"-c {name}='{value}'" for name, value in _OPTIONS.items())
    where = f"-c unix_socket_directories='{site.private}'"
    ready = False
    try:
        for pause in (0, 0.5, 1):
            time.sleep(pause)
            _forget_zombies(site)
            ready = _pg_ctl(site, "start", "--wait", "--timeout=60", f"--options={options} {where}") == 0
            if ready:
                break
    finally:
        if not ready:
            _halt(site)
    if not ready:
        raise _did_not_start()


def _runs(site: Site) -> bool:
    _forget_zombies(site)
    return _pg_ctl(site, "status") == 0


def _forget_zombies(site: Site) -> None:
    """Remove the pid files of a killed server that nobody has reaped: where process 1 is not an init (a container)."""
    for note in (site.database / "postmaster.pid", site.private / ".s.PGSQL.5432.lock"):
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(note.read_text(encoding="utf-8").partition("\n")[0])
            if ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"):
                note.unlink()


def _halt(site: Site) -> None:
    _pg_ctl(site, "stop", "--mode=fast", "--wait", "--timeout=30")


def _pg_ctl(site: Site, verb: str, *words: str) -> int:
    program = str(site.binaries / "pg_ctl")
    with _log(site) as log:
        return run(
            site.identity, program, verb, f"--pgdata={site.database}", *words, log=log if verb == "start" else None
        )


@contextlib.contextmanager
def _log(site: Site) -> Iterator[IO[bytes]]:
    descriptor = os.open(site.home / "postgres.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        yield log


def _did_not_start() -> StartRefused:
    return StartRefused("PostgreSQL: did not start; fix: read postgres.log in SAUMA_HOME", exit_code=EX_UNAVAILABLE)
