"""A fresh migrated database with its settings, and the areas of the catalogue."""

import pathlib

import pytest

from databases import Database
from sauma.catalogue.loader import load_areas
from sauma.core.areas import Areas
from sauma.settings import Settings, from_environment


@pytest.fixture(scope="session")
def areas() -> Areas:
    return load_areas()


@pytest.fixture(scope="module")
def settings(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home: pathlib.Path = tmp_path_factory.mktemp("demo") / ".sauma"
    return from_environment(
        {
            "SAUMA_ENV": "test",
            "SAUMA_HOME": str(home),
            "SAUMA_DATABASE_URL": database.dsn("sauma_server"),
            "SAUMA_MIGRATE_DATABASE_URL": database.dsn("sauma_migrator"),
        }
    )
