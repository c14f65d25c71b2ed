"""`sauma migrate`."""

import asyncio
import sys

import msgspec

from sauma import settings as told
from sauma.cli.database import named, resolved, say
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, TO_MIGRATE, Settings
from sauma.store import bootstrap
from sauma.store import migrate as migrations
from sauma.store.session import SERVER


def migrate(*, json: bool) -> int:
    """Apply what is pending."""
    with resolved(told.read(needed=TO_MIGRATE), migrating=True) as (settings, _):
        return _answer("applied", bring_up_to_date(settings), json=json)


def check(*, json: bool) -> int:
    """Say what is pending: 0 nothing, 4 something; drift is refused with 3."""
    with resolved(told.read(needed=()), migrating=True) as (settings, _):
        dsn, key = named(settings, migrating=True)
        left = asyncio.run(migrations.pending(dsn, migrations=_files(), key=key))
        return _answer("pending", left, json=json) or (migrations.EX_BEHIND if left else 0)


def print_bootstrap() -> int:
    """Print what a DBA runs once; reads no settings and no database."""
    sys.stdout.write(bootstrap.script())
    return 0


def bring_up_to_date(settings: Settings) -> tuple[migrations.Migration, ...]:
    """Apply what is pending, as the migrator."""
    if settings.migrate_database_url is None:
        line = "SAUMA_MIGRATE_DATABASE_URL: missing, and the server's role may not migrate; fix: set it"
        raise StartRefused(line, exit_code=EX_CONFIG)
    applied = asyncio.run(migrations.migrate(settings.migrate_database_url, migrations=_files()))
    say(f"schema up to date ({len(applied)} migrations applied now)")
    return applied


def refuse_when_behind(settings: Settings) -> None:
    """Serve only on the schema this version was built for.

    Raises:
        StartRefused: exit 4 behind, exit 3 drift.
    """
    _refuse_behind(settings.database_url or "", key=SERVER)


def refuse_sequencer_behind(dsn: str, *, key: str) -> None:
    """The same for the sequencer, whose `dsn` the setting `key` names."""
    _refuse_behind(dsn, key=key)


def _refuse_behind(dsn: str, *, key: str) -> None:
    left = asyncio.run(migrations.pending(dsn, migrations=_files(), key=key))
    if left:
        line = f"schema: {len(left)} migrations are pending; fix: sauma migrate"
        raise StartRefused(line, exit_code=migrations.EX_BEHIND)


def _files() -> tuple[migrations.Migration, ...]:
    return migrations.read(migrations.default_folder())


def _answer(verb: str, found: tuple[migrations.Migration, ...], *, json: bool) -> int:
    names = [migration.name for migration in found]
    if json:
        sys.stdout.write(msgspec.json.encode({verb: names}).decode() + "\n")
        return 0
    sys.stdout.writelines(f"{verb} {name}\n" for name in names)
    return 0
