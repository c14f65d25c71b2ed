"""Which database a command works on: `SAUMA_DATABASE_URL`, else the embedded server of this home."""

import asyncio
import contextlib
import functools
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from sauma import settings as told
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, Environment, Settings
from sauma.store import embedded
from sauma.store.bootstrap import bootstrap
from sauma.store.session import MIGRATOR, SERVER, durability


def say(line: str) -> None:
    """A line of progress, on stderr so that stdout is the answer."""
    sys.stderr.write(f"sauma: {line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def resolved(
    settings: Settings, *, migrating: bool = False, quiet: bool = False
) -> Iterator[tuple[Settings, embedded.Cluster | None]]:
    """The settings with a database that answers and is durable; an embedded server is let go at the end.

    `quiet` says nothing of a server that is as it must be, and only that one is started where none runs.

    Raises:
        StartRefused: no database is named where one must be, or the one named is not to be relied on.
    """
    dsn, key = named(settings, migrating=migrating)
    if dsn:
        _report(dsn, key=key)
        yield settings, None
        return
    if settings.environment is Environment.PRODUCTION or settings.migrate_database_url is not None:
        why = "production has no default for it" if settings.migrate_database_url is None else f"{MIGRATOR} is set"
        line = f"{key}: missing, and {why}; fix: set it"
        raise StartRefused(line, exit_code=EX_CONFIG)
    with _ended_by_signals():
        starting = functools.partial(say, "starting PostgreSQL")
        with embedded.start(settings.home, binaries=settings.pg_bin, on_start=starting) as cluster:
            asyncio.run(bootstrap(cluster))
            server, migrator = cluster.dsn("sauma_server"), cluster.dsn("sauma_migrator")
            settings = told.with_database(settings, server=server, migrator=migrator)
            _report(server, key=SERVER, quiet=quiet)
            yield settings, cluster


@contextlib.contextmanager
def joined(settings: Settings) -> Iterator[Settings]:
    """The settings with a database to look at: nothing is made, an embedded server that stands still is started."""
    if settings.database_url is not None:
        yield settings
        return
    with _ended_by_signals(), embedded.start(settings.home, binaries=settings.pg_bin) as cluster:
        yield told.with_database(settings, server=cluster.dsn("sauma_server"), migrator=cluster.dsn("sauma_migrator"))


def named(settings: Settings, *, migrating: bool = False) -> tuple[str, str]:
    """The connection string a command uses, empty where none is named, and the setting it stands in."""
    if migrating and (settings.migrate_database_url is not None or settings.database_url is None):
        return settings.migrate_database_url or "", MIGRATOR
    return settings.database_url or "", SERVER


def clean() -> int:
    """Stop the embedded server and remove what it and Sauma made."""
    embedded.remove(told.read().home)
    say("removed the database, its keys and its private directory")
    return 0


def _report(dsn: str, *, key: str, quiet: bool = False) -> None:
    found = asyncio.run(durability(dsn, key=key))
    if quiet:
        return
    say(f"PostgreSQL {found.version}, fsync {found.fsync}, synchronous_commit {found.synchronous_commit}")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A polite end (TERM, a closed terminal) unwinds like Ctrl-C does, so that the server is stopped."""

    def unwind(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
