"""The raw client of this folder."""

import pytest

from live import Live
from wire import ASCII_MARKER, MARKER, Wire


@pytest.fixture(scope="session")
def wire(live: Live) -> Wire:
    """The raw client; what it marks never stands in the server's log."""
    live.told.texts |= {MARKER, ASCII_MARKER}
    return Wire(live)
