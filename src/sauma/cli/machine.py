"""What `sauma doctor` looks at on this machine: Python, files, keys, address, disk; changes nothing."""

import os
import resource
import shutil
import stat
import sys
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from sauma import app
from sauma.catalogue.loader import load, load_areas
from sauma.cli import listening
from sauma.core.errors import CatalogueError, StartRefused
from sauma.oauth.keys.issuer import load_ring
from sauma.settings import EX_CONFIG, Environment, Settings
from sauma.store.examination import Finding, State
from sauma.vault.keyring import load_keyring
from sauma.vault.logkey import LogHead, load_log_key

_OLDEST_PYTHON = (3, 11)
_FILES_WANTED = 1024
_ROOM_WANTED, _ROOM_NEEDED = 2 << 30, 256 << 20
_MADE_AT_START = "not there yet; the first start makes it"
_PRIVATE_MODES = {0o700, 0o710}  # 0710: PostgreSQL's user passes through on its way to the embedded database


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """Every check that needs no database, in the order a start meets them."""
    yield _python()
    yield tried("time zone", _time_zone)
    yield tried("catalogue", _catalogue)
    yield Finding(check="settings", state=State.OK, what=f"{settings.environment.value}, every key and value known")
    yield _account(settings)
    yield _home(settings)
    yield _private_files(settings)
    yield of_room(shutil.disk_usage(_nearest(settings.home)).free)
    yield _open_files()
    yield tried("key ring", lambda: _key_ring(settings))
    yield tried("issuer keys", lambda: _issuer_keys(settings))
    yield tried("log key", lambda: _log_key(settings))
    yield _public_url(settings)
    yield tried("address", lambda: _address(settings))


def tried(check: str, look: Callable[[], str]) -> Finding:
    """What the look says, or the refusal it ends in."""
    try:
        return Finding(check=check, state=State.OK, what=look())
    except StartRefused as refused:
        return in_words(check, refused)


def in_words(check: str, refused: StartRefused) -> Finding:
    """A refusal as the finding of a check."""
    subject, _, rest = refused.line.partition(": ")
    what, _, fix = rest.partition("; fix: ")
    return Finding(check=check, state=State.WRONG, what=what, fix=fix, subject=subject, exit_code=refused.exit_code)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= _OLDEST_PYTHON:
        return Finding(check="python", state=State.OK, what=found)
    return Finding(check="python", state=State.WRONG, what=f"{found} is older than 3.11", fix="install Python 3.11")


def _time_zone() -> str:
    """Dates are Europe/Helsinki days."""
    try:
        zoneinfo.ZoneInfo("Europe/Helsinki")
    except zoneinfo.ZoneInfoNotFoundError:
        line = "Python: Europe/Helsinki is unknown; fix: install the package tzdata"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    return "Europe/Helsinki is known"


def _catalogue() -> str:
    try:
        found = load()
        load_areas()
    except CatalogueError as fault:
        line = f"catalogue: {fault}; fix: restore the files Sauma was released with"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    return f"{len(found.purposes)} purposes, digest {found.digest.hex()[:16]}…"


def _account(settings: Settings) -> Finding:
    if os.geteuid() == 0 and settings.environment is Environment.PRODUCTION:
        fix = "run it as an account of its own that owns SAUMA_HOME and the key ring"
        return Finding(check="account", state=State.WARN, what="Sauma runs as root", fix=fix)
    return Finding(check="account", state=State.OK, what="root" if os.geteuid() == 0 else "not root")


def _home(settings: Settings) -> Finding:
    home = settings.home
    if not home.exists():
        return Finding(check="home", state=State.OK, what=_MADE_AT_START)
    status = home.stat()
    fix = "chown it to the account that runs sauma"
    if status.st_uid != os.geteuid():
        return _wrong("home", "belongs to another account", fix, subject="SAUMA_HOME")
    if stat.S_IMODE(status.st_mode) not in _PRIVATE_MODES:
        return _wrong("home", "open to other accounts", "chmod 700", subject="SAUMA_HOME")
    if not os.access(home, os.W_OK):
        return _wrong("home", "cannot be written to", fix, subject="SAUMA_HOME")
    return Finding(check="home", state=State.OK, what="its owner's only")


def _private_files(settings: Settings) -> Finding:
    """Everything below home that holds a key or a password."""
    below = tuple(settings.home / name for name in ("passwords.json", "log-key.json", "log-head.json"))
    named = (app.keyring_place(settings), app.issuer_keys_place(settings), *below)
    try:
        demo = tuple((settings.home / "demo-clients").glob("*.json"))
        present = [path for path in (*named, *demo) if path.is_file()]
    except PermissionError:
        present = []
    loose = [path.name for path in present if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if loose:
        return _wrong("private files", f"open to others: {', '.join(sorted(loose))}", "chmod 600", subject="SAUMA_HOME")
    return Finding(check="private files", state=State.OK, what=f"{len(present)} there, each its owner's only")


def of_room(free: int) -> Finding:
    """What so many free bytes on the disk of `SAUMA_HOME` mean."""
    what, fix = f"{free >> 20:,} MiB free", "make room; a full disk stops every disclosure, as none goes unrecorded"
    if free < _ROOM_NEEDED:
        return _wrong("disk", what, fix, subject="SAUMA_HOME")
    if free < _ROOM_WANTED:
        return Finding(check="disk", state=State.WARN, what=what, fix=fix)
    return Finding(check="disk", state=State.OK, what=what)


def _open_files() -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _FILES_WANTED:
        fix = f"ulimit -n {_FILES_WANTED}, or LimitNOFILE in the unit"
        return Finding(check="open files", state=State.WARN, what=f"{limit} at most", fix=fix)
    return Finding(check="open files", state=State.OK, what=f"{limit} at most")


def _key_ring(settings: Settings) -> str:
    place = app.keyring_place(settings)
    if not place.exists() and settings.environment is not Environment.PRODUCTION:
        return _MADE_AT_START
    return f"sound, {len(load_keyring(place).keys)} keys"


def _issuer_keys(settings: Settings) -> str:
    place = app.issuer_keys_place(settings)
    if not place.exists():
        return _MADE_AT_START
    states = Counter(key.state.value for key in load_ring(place).keys)
    return "sound, " + ", ".join(f"{count} {state}" for state, count in states.items())


def _log_key(settings: Settings) -> str:
    """Only the sequencer opens it; where that runs elsewhere, so does its home."""
    place = settings.home / "log-key.json"
    if place.exists():
        kept = LogHead(settings.home / "log-head.json").read()
        return f"sound, of {load_log_key(place).origin}; the last head kept has {kept[0] if kept else 0:,} leaves"
    if settings.database_url is not None and settings.sequencer_database_url is None:
        return "not here: the sequencer runs elsewhere"
    if settings.environment is Environment.PRODUCTION:
        line = "SAUMA_HOME: there is no log-key.json; fix: sauma ledger vkey --make, once, then back it up"
        raise StartRefused(line, exit_code=EX_CONFIG)
    return _MADE_AT_START


def _public_url(settings: Settings) -> Finding:
    astray = listening.astray(settings)
    if astray is not None:
        _, _, rest = astray.partition(": ")
        what, _, fix = rest.partition("; fix: ")
        return _wrong("public url", what, fix, subject="SAUMA_PUBLIC_URL")
    if settings.environment is Environment.PRODUCTION and not settings.public_url.startswith("https://"):
        fix = "the https origin that callers use; tokens and proofs name it"
        return Finding(check="public url", state=State.WARN, what="production on plain http", fix=fix)
    return Finding(check="public url", state=State.OK, what=settings.public_url)


def _address(settings: Settings) -> str:
    """Free to listen on, or a Sauma answers there."""
    try:
        listening.listen(settings).close()
    except StartRefused:
        if not _sauma_answers(settings):
            raise
        return f"a Sauma answers on {listening.address(settings)}"
    return f"free: {listening.address(settings)}"


def _sauma_answers(settings: Settings) -> bool:
    try:
        answer = httpx.get(f"{listening.reachable(settings)}/health/live", timeout=5, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return "sauma-request-id" in answer.headers


def _nearest(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(place for place in (path, *path.parents) if place.is_dir())


def _wrong(check: str, what: str, fix: str, *, subject: str) -> Finding:
    return Finding(check=check, state=State.WRONG, what=what, fix=fix, subject=subject)
