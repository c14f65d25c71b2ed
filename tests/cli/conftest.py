"""The ground the commands are tried on."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.ground import LIVED_IN, Ground, cleared, free_port
from databases import Database
from sauma import app
from sauma import settings as told
from sauma.cli import fitness
from sauma.store.bootstrap import bootstrap
from sauma.store.embedded import Cluster


@pytest.fixture(scope="session")
def lived_in(cluster: Cluster, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a server that was started once on the database `LIVED_IN`: key ring, issuer key, partitions."""
    home = tmp_path_factory.mktemp("lived-in") / "home"
    asyncio.run(bootstrap(cluster, database=LIVED_IN, template=_template))
    settings = told.from_environment(
        {"SAUMA_HOME": str(home), "SAUMA_DATABASE_URL": cluster.dsn("sauma_server", LIVED_IN), "SAUMA_ENV": "test"}
    )
    fitness.refuse_unfit(settings)

    async def begin() -> None:
        async with app.open_running(settings):
            pass

    asyncio.run(begin())
    return home


@pytest.fixture
def ground(
    new_database: Callable[..., Database], lived_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    """A right configuration; nothing of this machine's environment is in it."""
    for name in cleared():
        monkeypatch.delenv(name)
    port = free_port()
    made = Ground(root=tmp_path, make=new_database)
    shutil.copytree(lived_in, made.home)
    made.environment = {
        "SAUMA_HOME": str(made.home),
        "SAUMA_PORT": str(port),
        "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    yield made
    made.drop()
