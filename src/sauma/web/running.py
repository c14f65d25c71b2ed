"""How the server's processes start and end: workers on one socket, and a drain that loses no request.

Told to stop, a worker is not ready at once, still accepts for `linger` seconds so that a balancer notices, then takes
no new connection, finishes what it works on within `FINISH_SECONDS`, and ends with exit code 0. Told a second time it
ends now: what was not finished is cancelled, and a cancelled append leaves what a crash leaves (see store.pool).
"""

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FrameType

import uvicorn

from sauma.core.errors import StartRefused
from sauma.web.logs import error_origin, get_log
from sauma.web.protocol import CONNECTIONS, FILES_KEPT
from sauma.web.traffic import Traffic

FINISH_SECONDS = 30
_CRASHED = 70
"""EX_SOFTWARE of sysexits.h."""


class Server(uvicorn.Server):
    """uvicorn that ends in order; `interrupted` says whether it was Ctrl-C that ended it."""

    def __init__(self, config: uvicorn.Config, *, traffic: Traffic, linger: float) -> None:
        super().__init__(config)
        self.interrupted = False
        self._traffic = traffic
        self._linger = linger
        self._leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler's arguments
        """The first signal begins the drain, the second ends it."""
        self.interrupted = self.interrupted or sig == signal.SIGINT
        if self._leave_at is None:
            self._traffic.draining = True
            self._leave_at = time.monotonic() + self._linger
            return
        self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Every tenth of a second: whether it is time to leave."""
        if self._leave_at is not None and time.monotonic() >= self._leave_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, wait for what is worked on, and cancel what is not finished."""
        await super().shutdown(sockets)
        for task in tuple(self.server_state.tasks):
            task.cancel()


def allow_connections() -> None:
    """Raise the soft limit of open files to what `CONNECTIONS` need, as far as the hard limit lets this user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + FILES_KEPT
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    bounded = soft != resource.RLIM_INFINITY
    if bounded and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def in_workers(
    count: int,
    work: Callable[[], object],
    *,
    listening: socket.socket,
    beside: Callable[[Sequence[int]], AbstractContextManager[object]] = contextlib.nullcontext,
) -> int:
    """Do `work` in `count` processes that accept on one socket; returns after the last, with the first fault's code.

    `beside` is what this process does meanwhile, told which they are: threads begin only after the last fork.

    A signal to this process ends them all. They leave Ctrl-C to it: the terminal sends that to every process, and a
    worker that heard it twice would not drain.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
    """
    workers: list[int] = []
    told: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        told.append(number)
        for worker in workers:
            _tell(worker)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while len(workers) < count and not told:
        workers.append(_forked(work))
    if told:
        forward(told[0], None)
    listening.close()  # else connections would still be taken when no worker answers them any more
    with beside(workers):
        codes = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    if signal.SIGINT in told:
        raise KeyboardInterrupt
    faults = [_CRASHED if code < 0 else code for code in codes if code not in {0, -signal.SIGTERM}]
    return faults[0] if faults else 0


def _forked(work: Callable[[], object]) -> int:
    """The id of a new process that does the work and ends there, whatever happens: never in its parent's frames."""
    worker = os.fork()
    if worker:
        return worker
    code = _CRASHED
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        work()
        code = 0
    except StartRefused as refused:
        sys.stderr.write(f"sauma: {refused.line}\n")
        code = refused.exit_code
    finally:
        fault = sys.exc_info()[1]
        if fault is not None:
            get_log().error("last-resort", **error_origin(fault))
        sys.stderr.flush()
        os._exit(code)


def _tell(worker: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)
