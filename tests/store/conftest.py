"""Parties of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from databases import Database
from store.parties import Parties, open_parties


@pytest.fixture
async def parties(database: Database) -> AsyncIterator[Parties]:
    """A county and a vendor that acts for it."""
    async with open_parties(database) as made:
        yield made
