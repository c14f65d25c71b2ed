"""A ground of its own for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from databases import Database
from ledger.ground import Ground


@pytest.fixture
def fresh(new_database: Callable[..., Database], _template: str) -> Database:
    """A migrated database nobody has written to."""
    return new_database(_template)


@pytest.fixture
async def ground(fresh: Database, tmp_path: Path) -> Ground:
    """Partitions, key and memory; no entry and no tree yet."""
    made = Ground(fresh, tmp_path)
    await made.prepare()
    return made
