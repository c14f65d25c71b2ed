"""One cast, played over the memory World and over PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from conformance.cast import Cast
from conformance.registers import MemoryRegister, PostgresRegister
from databases import Database
from sauma import settings as told
from sauma.app import open_world
from worlds import Memory


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the key ring of the PostgreSQL worlds lies."""
    return tmp_path_factory.mktemp("conformance") / ".sauma"


@pytest.fixture(scope="session")
def conformance_database(new_database: Callable[..., Database], _template: str) -> Database:
    """One database for the whole suite: every cast has its own organisations."""
    return new_database(_template)


@pytest.fixture(params=["memory", "postgresql"])
def ground(request: pytest.FixtureRequest) -> Database | None:
    """The database, made before the test's event loop runs; None for the memory World."""
    return None if request.param == "memory" else request.getfixturevalue("conformance_database")


@pytest.fixture
async def cast(ground: Database | None, keys: Path) -> AsyncIterator[Cast]:
    """The players over one World or the other."""
    if ground is None:
        memory = Memory()
        made = Cast(memory.world, MemoryRegister(memory))
        await made.enrol()
        yield made
        return
    superuser = await asyncpg.connect(ground.dsn("postgres"))
    settings = told.from_environment(
        {
            "SAUMA_ENV": "test",
            "SAUMA_HOME": str(keys),
            "SAUMA_DATABASE_URL": ground.dsn("sauma_server"),
            "SAUMA_POOL_SIZE": "3",
        }
    )
    try:
        async with open_world(settings) as world:
            made = Cast(world, PostgresRegister(superuser))
            await made.enrol()
            yield made
    finally:
        await superuser.close()
