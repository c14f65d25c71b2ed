"""Seeding goes on where it was cut, and a second run has no effect."""

import asyncio
import collections
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import pytest

from databases import Database
from sauma.app import open_running, open_world
from sauma.core.areas import Areas
from sauma.core.errors import StartRefused
from sauma.core.parties import KELA
from sauma.core.people import Hetu
from sauma.demo import seed
from sauma.demo.cases import Case, record_id
from sauma.demo.featured import AINO, CORRECTED, MOVED, OTHER_AINO, PROTECTED, UNKNOWN
from sauma.demo.finland import batches, households, last_key
from sauma.demo.keys import client_keys, read_key
from sauma.demo.organisations import KELA_CLIENT, LOGIN, LOGIN_ISSUER, PIRKANMAA, clients, county_id, organisations
from sauma.exchange.ports import World
from sauma.settings import Settings
from sauma.store.enrol import stands

HOUSEHOLDS = 60


@pytest.fixture(scope="module")
def stood_before(settings: Settings, areas: Areas) -> list[bool]:
    """Register and featured cases stand; whether everything stood before."""
    keys = client_keys(settings.home, clients(organisations(areas)))
    return [asyncio.run(seed._prepare(settings, areas, keys))]


@pytest.fixture
def cases(areas: Areas) -> list[Case]:
    everyone = list(households(areas))
    return [*everyone[:HOUSEHOLDS], everyone[-1]]


async def counted(database: Database) -> dict[str, int]:
    """Records, subjects that are no decoys, and ledger entries but those that say a writer began."""
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        row = await connection.fetchrow(
            "select (select count(*) from exchange.record r where r.subject not in (select subject from exchange.decoy)) as records,"
            " (select count(*) from exchange.subject s where s.id not in (select subject from exchange.decoy)) as subjects,"
            " (select count(*) from ledger.entry where kind = 'write') as writes"
        )
        return dict(row)
    finally:
        await connection.close()


async def subject_of(world: World, controller: str, hetu: str) -> Any:
    async with world.writes.transaction() as unit:
        return await unit.find_subject(controller, world.vault.blind_index(Hetu(hetu).identifier, controller))


def silent(_: str) -> None:
    """Nobody watches."""


async def test_the_identity_provider_of_the_guide_is_registered_with_its_county(
    stood_before: list[bool], settings: Settings, database: Database
) -> None:
    assert stood_before == [False]
    key = read_key(settings.home, LOGIN.id)
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        rows = await connection.fetch("select organisation, issuer, kid from registry.identity_provider")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [(PIRKANMAA, LOGIN_ISSUER, key.jwk["kid"])]


async def test_the_featured_cases_stand_before_the_server_is_up(
    stood_before: list[bool], settings: Settings, database: Database
) -> None:
    assert stood_before == [False]
    async with open_world(settings) as world:
        one, other = [await subject_of(world, KELA, human.hetu) for human in (AINO, OTHER_AINO)]
        assert one.canonical != other.canonical
        assert await subject_of(world, KELA, UNKNOWN.hetu) is None
        before, after = [await subject_of(world, KELA, code) for code in (CORRECTED.old, CORRECTED.new)]
        assert before.canonical == after.canonical
        moved = await subject_of(world, KELA, MOVED.hetu)
        protected = await subject_of(world, KELA, PROTECTED.hetu)
        assert await subject_of(world, county_id("05"), MOVED.hetu) is not None
    connection = await asyncpg.connect(database.dsn("postgres"))
    row = await connection.fetchrow("select protected, handling_unit from exchange.subject where id = $1", moved.id)
    assert tuple(row) == (False, county_id("08"))
    row = await connection.fetchrow("select protected, handling_unit from exchange.subject where id = $1", protected.id)
    assert row["protected"]
    assert row["handling_unit"] not in {"", county_id("08")}
    await connection.close()


async def test_featured_cases_seeded_again_have_no_effect(
    stood_before: list[bool], settings: Settings, areas: Areas, database: Database
) -> None:
    before = await counted(database)
    async with open_running(settings) as running:
        await seed.seed_featured(running, areas)
    assert await counted(database) == before


async def test_a_cut_run_goes_on_where_it_stopped_and_nothing_is_there_twice(
    stood_before: list[bool], settings: Settings, database: Database, cases: list[Case]
) -> None:
    before = await counted(database)
    turns: Iterator[bool] = iter([True] * 4)
    marker = (KELA, "persons", record_id(KELA, "persons", case=last_key()))
    migrator = database.dsn("sauma_migrator")
    async with open_running(settings) as running:
        assert not await seed.seed_bulk(running, cases, progress=silent, go_on=lambda: next(turns, False))
        cut = await counted(database)
        assert cut["writes"] - before["writes"] == 4
        assert not await stands(migrator, keys=(), record=marker)
        assert await seed.seed_bulk(running, cases, progress=silent)
        whole = await counted(database)
        assert await stands(migrator, keys=(), record=marker)
        assert await seed.seed_bulk(running, cases, progress=silent)
        assert await counted(database) == whole
        made = [
            *batches("bulk", cases[:-1], running.world.clock().date()),
            *batches("closing", _alone(cases[-1]), running.world.clock().date()),
        ]
    assert whole["records"] - before["records"] == sum(len(batch.deposits) for batch in made)
    assert whole["writes"] - before["writes"] == len(made)


async def test_every_deposit_stands_in_the_ledger_with_the_persons_it_is_about(
    database: Database, stood_before: list[bool]
) -> None:
    connection = await asyncpg.connect(database.dsn("postgres"))
    rows = await connection.fetch(
        "select organisation, decision, cardinality(subject_tags) as tags from ledger.entry where kind = 'write'"
    )
    await connection.close()
    decisions = collections.Counter(row["decision"] for row in rows)
    assert decisions.keys() <= {"deposited", "identifier-linked"} | {"publication-current"}
    assert all(row["tags"] > 0 for row in rows if row["decision"] == "deposited")


async def test_a_run_whose_idempotency_records_have_expired_still_has_no_effect(
    stood_before: list[bool], settings: Settings, areas: Areas, database: Database
) -> None:
    before = await counted(database)
    connection = await asyncpg.connect(database.dsn("postgres"))
    await connection.execute(
        "delete from ledger.idempotency where key_digest in (select key_digest from ledger.idempotency)"
    )
    await connection.close()
    async with open_running(settings) as running:
        await seed.seed_featured(running, areas)
    after = await counted(database)
    assert (after["records"], after["subjects"]) == (before["records"], before["subjects"])


async def test_a_suspended_system_stops_the_seed_with_its_fix_and_it_goes_on_once_resumed(
    stood_before: list[bool], settings: Settings, areas: Areas, database: Database
) -> None:
    """What the mandate's version is by then is the register's to say."""
    before = await counted(database)
    connection = await asyncpg.connect(database.dsn("postgres"))
    state = "update registry.client set state = $2 where id = $1"
    await connection.execute(state, KELA_CLIENT, "suspended")
    try:
        async with open_running(settings) as running:
            with pytest.raises(StartRefused, match=f"{KELA_CLIENT} may not deposit now; fix: "):
                await seed.seed_featured(running, areas)
            await connection.execute(state, KELA_CLIENT, "active")
            await seed.seed_featured(running, areas)
    finally:
        await connection.execute(state, KELA_CLIENT, "active")
        await connection.close()
    assert (await counted(database))["records"] == before["records"]


async def test_the_child_stops_when_nobody_speaks_to_it_any_more(
    stood_before: list[bool], settings: Settings, database: Database
) -> None:
    told = seed.Databases(server=str(settings.database_url), migrator=str(settings.migrate_database_url))
    before = await counted(database)
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-m", "sauma.demo.bulk"],
        input=msgspec.json.encode(told) + b"\n",
        capture_output=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "SAUMA_ENV": "test", "SAUMA_HOME": str(settings.home)},
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (await counted(database))["records"] == before["records"]
    assert "sauma_server" not in repr(told)


def test_without_a_migrator_nothing_is_seeded(settings: Settings) -> None:
    less = type(settings)(**(msgspec.structs.asdict(settings) | {"migrate_database_url": None}))
    with pytest.raises(StartRefused, match=r"SAUMA_MIGRATE_DATABASE_URL: .*; fix: "), seed.ensure(less):
        pass


def _alone(case: Case) -> list[Case]:
    return [msgspec.structs.replace(case, at_county=False)]
