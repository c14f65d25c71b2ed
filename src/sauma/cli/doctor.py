"""`sauma doctor`: every condition of a good start, looked at one by one; changes nothing, shows no secret."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator

import msgspec

from sauma import app
from sauma import settings as told
from sauma.cli import fitness, schema
from sauma.cli.database import joined, say
from sauma.cli.machine import in_words, look_at_machine, tried
from sauma.core.errors import StartRefused
from sauma.settings import Settings
from sauma.store.examination import Finding, State, examine, examine_migrator, ring_differs
from sauma.store.session import MIGRATOR, SERVER, durability
from sauma.vault.keyring import load_keyring

_OF_DATABASE = (
    "database",
    "schema",
    "version",
    "primary",
    "checksums",
    "encryption",
    "connections",
    "clock",
    "server role",
    "registrars",
    "triggers",
    "owner",
    "partitions",
    "key ring fits",
    "migrator",
)
"""The checks that need a database, in their order; those that could not be made are said to be skipped."""


def doctor(*, json: bool) -> int:
    """Look at everything; 1 when something is wrong, a warning alone is 0.

    Raises:
        StartRefused: exit 78, the settings themselves.
    """
    settings = told.read()
    found: list[Finding] = []
    for finding in _look(settings):
        found.append(finding)
        tell = f"{finding.state.value:5}  {finding.check}: {_said(finding)}"
        if json:
            say(tell)
        else:
            sys.stdout.write(f"{tell}\n")
            sys.stdout.flush()
    wrong = fitness.any_wrong(tuple(found))
    if json:
        checks = [
            {"check": f.check, "state": f.state.value, "subject": f.subject, "what": f.what, "fix": f.fix}
            for f in found
        ]
        sys.stdout.write(msgspec.json.encode({"ok": not wrong, "checks": checks}).decode() + "\n")
    return 1 if wrong else 0


def _said(finding: Finding) -> str:
    fix = f"; fix: {finding.fix}" if finding.fix else ""
    named = f"{finding.subject}: " if finding.state is State.WRONG else ""
    return f"{named}{finding.what}{fix}"


def _look(settings: Settings) -> Iterator[Finding]:
    found: list[Finding] = []
    for finding in look_at_machine(settings):
        found.append(finding)
        yield finding
    unusable = next((f.check for f in found if f.state is State.WRONG and f.check in {"home", "private files"}), None)
    if settings.database_url is None and unusable:
        yield from _skipped(set(), f"mend {unusable} first: looking at the embedded database would change it")
        return
    if settings.database_url is None and not (settings.home / "passwords.json").exists():
        yield from _skipped(set(), "the embedded database is made by the first start")
        return
    made = set()
    for finding in _look_at_database(settings):
        made.add(finding.check)
        yield finding
    yield from _skipped(made, "what comes before it must be mended first")


def _skipped(made: set[str], why: str) -> Iterator[Finding]:
    for check in _OF_DATABASE:
        if check not in made:
            yield Finding(check=check, state=State.SKIP, what=why)


def _look_at_database(settings: Settings) -> Iterator[Finding]:
    """The database's checks; a look that ends in a refusal ends the rest."""
    with contextlib.ExitStack() as open_while_looking:
        try:
            settings = open_while_looking.enter_context(joined(settings))
        except StartRefused as refused:
            yield in_words("database", refused)
            return
        dsn = settings.database_url or ""
        database = tried("database", lambda: _database(dsn))
        yield database
        if database.state is State.WRONG:
            return
        current = tried("schema", lambda: _schema(settings))
        yield current
        if current.state is State.OK:
            yield from _examined(settings, dsn)
        yield _migrator(settings)


def _database(dsn: str) -> str:
    found = asyncio.run(durability(dsn, key=SERVER))
    return f"PostgreSQL {found.version} answers; fsync, full_page_writes and synchronous_commit are on"


def _schema(settings: Settings) -> str:
    schema.refuse_when_behind(settings)
    return "the one this version was built for"


def _examined(settings: Settings, dsn: str) -> Iterator[Finding]:
    found = asyncio.run(examine(dsn, demand=fitness.demand(settings), clock=app.now))
    yield from found
    if fitness.any_wrong(tuple(finding for finding in found if finding.check == "server role")):
        return
    place = app.keyring_place(settings)
    if not place.exists():
        yield Finding(check="key ring fits", state=State.SKIP, what="there is no key ring yet")
        return
    with contextlib.suppress(StartRefused):  # what is wrong with the file itself was said above
        checks = fitness.ring_checks(load_keyring(place))
        yield asyncio.run(ring_differs(dsn, checks=checks))


def _migrator(settings: Settings) -> Finding:
    if settings.migrate_database_url is None:
        return Finding(check="migrator", state=State.OK, what=f"{MIGRATOR} is not set, as serving needs none")
    try:
        return asyncio.run(examine_migrator(settings.migrate_database_url))
    except StartRefused as refused:
        return in_words("migrator", refused)
