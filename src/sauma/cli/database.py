"""Which database a command works on: `SAUMA_DATABASE_URL`, else the embedded server of this home."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from sauma import settings as told
from sauma.settings import Settings
from sauma.store import embedded
from sauma.store.bootstrap import bootstrap
from sauma.store.session import durability


def say(line: str) -> None:
    """A line of progress, on stderr so that stdout is the answer."""
    sys.stderr.write(f"sauma: {line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def resolved(settings: Settings) -> Iterator[tuple[Settings, embedded.Cluster | None]]:
    """The settings with a database that answers and is durable; an embedded server is let go at the end.

    Production never comes here without `SAUMA_DATABASE_URL`: its settings are refused before.
    """
    if settings.database_url is not None:
        _report(settings)
        yield settings, None
        return
    with _ended_by_signals():
        say("starting PostgreSQL")
        with embedded.start(settings.home, binaries=settings.pg_bin) as cluster:
            asyncio.run(bootstrap(cluster))
            server, migrator = cluster.dsn("sauma_server"), cluster.dsn("sauma_migrator")
            settings = told.with_database(settings, server=server, migrator=migrator)
            _report(settings)
            yield settings, cluster


def clean() -> int:
    """Stop the embedded server and remove what it and Sauma made."""
    embedded.remove(told.read().home)
    say("removed the database, its keys and its private directory")
    return 0


def _report(settings: Settings) -> None:
    found = asyncio.run(durability(settings.database_url or ""))
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
