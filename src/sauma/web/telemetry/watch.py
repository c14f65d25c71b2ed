"""Metrics and spans from first to last: settled before the workers are, opened in each of them.

What is not asked for is not loaded: neither library is imported where its setting is absent.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sauma.core.errors import StartRefused
from sauma.core.people import Confidential
from sauma.web.telemetry.tracing import Watcher

if TYPE_CHECKING:
    from sauma.web.telemetry.spans import Spans

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SAMPLE_SECONDS = 1.0
_NOT_INSTALLED = "SAUMA_OTEL_ENDPOINT: OpenTelemetry is not installed; fix: install sauma[otel], or unset it"
_EX_CONFIG = 78


class Wanted(Confidential, frozen=True, kw_only=True):
    """What was asked for: a socket to read metrics at, where spans are sent; None is: not at all.

    `folder` is for what several workers count; whoever has the socket owns it.
    """

    version: str
    workers: int
    exposing: socket.socket | None
    folder: Path
    endpoint: str | None


class Watch:
    """Metrics and spans of one server; to be made before its workers are.

    Raises:
        StartRefused: spans are asked for and OpenTelemetry is not installed.
    """

    def __init__(self, wanted: Wanted, *, environment: MutableMapping[str, str]) -> None:
        self._wanted = wanted
        self._shared = wanted.exposing is not None and wanted.workers > 1
        environment.pop(FOLDER, None)  # the library looks for it when it is loaded: to be settled before
        if self._shared:
            _emptied(wanted.folder)
            environment[FOLDER] = str(wanted.folder)
        if wanted.endpoint is not None:
            _load_spans()

    def beside(self, workers: Sequence[int]) -> AbstractContextManager[object]:
        """What the parent of several workers does meanwhile: it answers for them all where metrics are read."""
        if self._wanted.exposing is None:
            return contextlib.nullcontext()
        from sauma.web.telemetry import metrics  # noqa: PLC0415  # see the module's first lines

        return metrics.Exposition(self._wanted.exposing, metrics.files_of(workers, self._wanted.folder))

    @asynccontextmanager
    async def over(
        self, connections: Callable[[], tuple[int, int]], *, epoch: Callable[[], int]
    ) -> AsyncIterator[tuple[Watcher, ...]]:
        """The watchers of one worker, told each second how many database connections are in use and open."""
        watchers: list[Watcher] = []
        async with AsyncExitStack() as stack:
            if self._wanted.exposing is not None:
                from sauma.web.telemetry.metrics import Metrics, exposed  # noqa: PLC0415  # see the module's first lines

                metrics = Metrics(version=self._wanted.version)
                watchers.append(metrics)
                if self._shared:
                    self._wanted.exposing.close()  # the parent answers there
                else:
                    stack.enter_context(exposed(metrics, self._wanted.exposing))
                stack.callback(asyncio.create_task(_sample(connections, metrics.sample)).cancel)
            if self._wanted.endpoint is not None:
                spans = _load_spans()(self._wanted.endpoint, version=self._wanted.version, epoch=epoch)
                watchers.append(spans)
                stack.push_async_callback(asyncio.to_thread, spans.close)
            yield tuple(watchers)


def _load_spans() -> "type[Spans]":
    try:
        from sauma.web.telemetry.spans import Spans  # noqa: PLC0415  # see the module's first lines
    except ImportError:
        raise StartRefused(_NOT_INSTALLED, exit_code=_EX_CONFIG) from None
    return Spans


async def _sample(connections: Callable[[], tuple[int, int]], tell: Callable[[int, int], None]) -> None:
    while True:
        tell(*connections())
        await asyncio.sleep(SAMPLE_SECONDS)


def _emptied(folder: Path) -> None:
    """A folder of this user's only, without what a server before left in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for left in folder.glob("*.db"):
        left.unlink()
