"""The watched server of this folder."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from databases import Database
from live import Live
from watched import Watched, free_port, journey, receiving


@pytest.fixture(scope="session")
def watched(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """One worker with metrics and spans."""
    live = Live(new_database(_template), tmp_path_factory.mktemp("watched"))
    live.register()
    port = free_port()
    with receiving() as receiver:
        try:
            live.start(SAUMA_METRICS_PORT=str(port), SAUMA_OTEL_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="200")
            yield Watched(live, f"http://127.0.0.1:{port}/metrics", receiver)
        finally:
            live.stop()


@pytest.fixture(scope="session")
def journeyed(watched: Watched) -> dict[str, httpx.Response]:
    """What was answered to one request of every kind."""
    return journey(watched)
