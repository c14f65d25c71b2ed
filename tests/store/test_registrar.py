"""A registrar's session: all of its acts or none, its writer, and what a lost or refused answer says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from databases import Database
from sauma import settings as told
from sauma.app import new_id, now, open_world
from sauma.core.canonical import JsonValue
from sauma.core.errors import StartRefused
from sauma.exchange.ports import World
from sauma.exchange.record import Act, Desk, compose_act
from sauma.store import bootstrap, embedded
from sauma.store.registrar import Registrar, Step, registrar_at

ORGANISATION, SYSTEM = "3221308-6", "system-1"
ARGUMENTS: dict[str, JsonValue] = {"organisation": ORGANISATION, "client": SYSTEM}


def with_a_system(database: Database) -> Database:
    """One organisation with one active system."""

    async def run() -> None:
        connection = await asyncpg.connect(database.dsn("postgres"))
        await connection.execute(
            "insert into registry.organisation (id, kind, name_fi, name_sv, name_en) values ($1, 'county', 'F', 'S', 'E')",
            ORGANISATION,
        )
        await connection.execute(
            "insert into registry.client (id, organisation, scopes) values ($1, $2, '{case:read}')",
            SYSTEM,
            ORGANISATION,
        )
        await connection.close()

    asyncio.run(run())
    return database


@pytest.fixture(scope="module")
def seeded(new_database: Callable[..., Database], _template: str) -> Database:
    return with_a_system(new_database(_template))


@pytest.fixture
def never_served(new_database: Callable[..., Database], _template: str) -> Database:
    return with_a_system(new_database(_template))


@pytest.fixture
async def world(seeded: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    home = tmp_path_factory.getbasetemp() / "registrar-home"
    settings = told.from_environment(
        {"SAUMA_ENV": "test", "SAUMA_HOME": str(home), "SAUMA_DATABASE_URL": seeded.dsn("sauma_server")}
    )
    async with open_world(settings) as opened:
        yield opened


def step(world: World, statement: str, decision: str, *values: object) -> Step:
    desk = Desk(vault=world.vault, catalogue=world.catalogue.digest, clock=world.clock, entropy=world.entropy)
    act = Act(
        decision=decision, organisation=ORGANISATION, client=SYSTEM, counterparty=None, refers=None, arguments=ARGUMENTS
    )
    _, build = compose_act(desk, act, operator="x")
    return Step(statement=statement, values=values, build=build)


async def entries(database: Database) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        return await connection.fetch(
            "select id, kind, decision, counter, writer from ledger.entry order by writer, counter"
        )
    finally:
        await connection.close()


async def done(registrar: Registrar, *steps: Step) -> int:
    return len(await registrar.perform(steps, at=now(), start=new_id()))


async def test_several_acts_are_one_writers_and_commit_together(seeded: Database, world: World) -> None:
    before = {row["id"] for row in await entries(seeded)}
    suspend = step(world, "suspend", "client-suspended", SYSTEM)
    resume = step(world, "propose", "resumption-proposed", "resumption", json.dumps(ARGUMENTS))
    async with registrar_at(seeded.dsn("sauma_registrar_1"), new_id=new_id) as registrar:
        assert registrar.operator == "sauma_registrar_1"
        assert await done(registrar, suspend, resume) == 2
    made = [row for row in await entries(seeded) if row["id"] not in before]
    assert [(row["kind"], row["decision"], row["counter"]) for row in made] == [
        ("writer", "start", 0),
        ("admin", "client-suspended", 1),
        ("admin", "resumption-proposed", 2),
    ]
    assert len({row["writer"] for row in made}) == 1


async def test_where_one_of_them_is_refused_nothing_stands(seeded: Database, world: World) -> None:
    before = await entries(seeded)
    again = step(world, "suspend", "client-suspended", "nobody")
    propose = step(world, "propose", "resumption-proposed", "resumption", json.dumps(ARGUMENTS))
    async with registrar_at(seeded.dsn("sauma_registrar_1"), new_id=new_id) as registrar:
        with pytest.raises(StartRefused) as refused:
            await done(registrar, propose, again)
    assert (refused.value.exit_code, refused.value.line.partition(":")[0]) == (1, "client")
    assert await entries(seeded) == before


async def test_a_connection_that_is_cut_leaves_nothing_and_says_that_it_may(seeded: Database, world: World) -> None:
    before = await entries(seeded)
    async with registrar_at(seeded.dsn("sauma_registrar_1"), new_id=new_id) as registrar:
        superuser = await asyncpg.connect(seeded.dsn("postgres"))
        await superuser.execute("select pg_terminate_backend($1)", registrar._connection.get_server_pid())
        await superuser.close()
        with pytest.raises(StartRefused) as refused:
            await done(registrar, step(world, "suspend", "client-suspended", SYSTEM))
        assert refused.value.exit_code == 69
    assert await entries(seeded) == before


async def test_the_first_act_may_come_before_the_first_start(never_served: Database, world: World) -> None:
    """The ledger has no month yet: the writer's start makes it."""
    async with registrar_at(never_served.dsn("sauma_registrar_2"), new_id=new_id) as registrar:
        assert await done(registrar, step(world, "suspend", "client-suspended", SYSTEM)) == 1
    assert [row["kind"] for row in await entries(never_served)] == ["writer", "admin"]


async def test_who_is_no_registrar_is_told_so(seeded: Database) -> None:
    async with registrar_at(seeded.dsn("sauma_auditor"), new_id=new_id) as nobody:
        with pytest.raises(StartRefused, match="no registrar's") as refused:
            await nobody.register()
    assert refused.value.exit_code == 78


# -- the embedded server's two


def test_a_home_of_before_gets_its_registrars_at_the_next_start(tmp_path: Path) -> None:
    home = tmp_path / ".sauma"
    roles = (embedded.SUPERUSER, *embedded.LOGIN_ROLES)
    try:
        home.mkdir(mode=0o700)
        (home / "passwords.json").write_text(json.dumps({role: f"of-before-{role}" for role in roles}))
        (home / "passwords.json").chmod(0o600)
        with embedded.start(home) as cluster:
            asyncio.run(bootstrap.bootstrap(cluster))
            asyncio.run(bootstrap.bootstrap(cluster))
            found = json.loads((home / "passwords.json").read_text())
            assert {role: found[role] for role in roles} == {role: f"of-before-{role}" for role in roles}
            assert found.keys() - set(roles) == set(embedded.OPERATORS)
            assert (home / "passwords.json").stat().st_mode & 0o777 == 0o600
            for operator in embedded.OPERATORS:
                assert asyncio.run(_member(cluster.dsn(operator)))
    finally:
        embedded.remove(home)


async def _member(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval("select pg_has_role(session_user, 'sauma_registrar', 'usage')"))
    finally:
        await connection.close()
