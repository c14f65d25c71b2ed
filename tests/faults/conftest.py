"""One seeded database and one event loop per module of attacks."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from attacks.scene import Scene, open_scene
from databases import Database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with open_scene(database, tmp_path_factory.mktemp("scene")) as opened:
        yield opened
