"""Prometheus metrics with closed label sets, and the port they are read at; imported only where they are asked for.

Each worker counts for itself: in memory where there is one, in a file of its own where there are several
(`PROMETHEUS_MULTIPROC_DIR`, read by the library when it is imported, so the composition root sets it before). Whoever
owns the port reads all of them. No label says who asked, for whom, or in which case, and no path or text of a caller's
becomes a label: a reader of the metrics learns how much is exchanged, never between whom or about whom.

The framework's own Prometheus middleware is not used: it would be a layer more around every request, its path label is
what the caller sent unless it is told otherwise, and it knows nothing of decisions.
"""

import asyncio
import math
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import uvicorn
from litestar.types import HTTPScope, Receive, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from sauma.core.problems import STATUS
from sauma.web.protocol import BoundedProtocol
from sauma.web.telemetry.tracing import (
    CHALLENGES,
    METHODS,
    OTHER,
    OUTCOMES,
    TOKEN_OUTCOMES,
    UNKNOWN,
    UNMATCHED,
    Finished,
    Vocabulary,
)

COUNTERS = {
    "sauma_requests_total": "Requests answered, by route template, method and status.",
    "sauma_decisions_total": "Case queries decided, by purpose and by what the caller was told.",
    "sauma_fields_disclosed_total": "Field values that left in answers to case queries, by purpose.",
    "sauma_problems_total": "Problems answered, by code.",
    "sauma_challenges_total": "Calls sent back for their credentials, by OAuth error.",
    "sauma_token_requests_total": "Token requests, by outcome.",
    "sauma_shed_total": "Requests turned away to come again later, by problem code.",
}
GAUGES = {
    "sauma_in_flight": "Requests being served, sampled each second.",
    "sauma_db_pool_in_use": "Database connections in use, sampled each second.",
    "sauma_db_pool_size": "Database connections open, sampled each second.",
    "sauma_build_info": "Always 1; the label says which version runs.",
}
HISTOGRAMS = {"sauma_request_seconds": "How long requests took, in steps of 5 ms, by route template."}
MEASURES = {**COUNTERS, **GAUGES, **HISTOGRAMS}
"""Every metric, and what it counts."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SHED = frozenset({"overloaded", "rate-limited"})
UNANSWERED = "unanswered"
BUILD = "sauma_build_info"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_GRID = 0.005  # seconds: the sum may not tell how long one request took; time tells found from not found (finding 9)
_READERS = 8

Labels = Mapping[str, Mapping[str, frozenset[str]]]


def closed_labels(vocabulary: Vocabulary, *, version: str) -> Labels:
    """Every label of every metric, with every value it can ever have."""
    route = {"route": vocabulary.routes | {UNMATCHED}}
    purpose = {"purpose": vocabulary.purposes | {UNKNOWN}}
    status = frozenset(str(int(s)) for s in HTTPStatus) | {UNANSWERED}
    labelled: Labels = {
        "sauma_requests_total": route | {"method": METHODS | {OTHER}, "status": status},
        "sauma_request_seconds": route,
        "sauma_decisions_total": purpose | {"outcome": OUTCOMES | {OTHER}},
        "sauma_fields_disclosed_total": purpose,
        "sauma_problems_total": {"code": frozenset(STATUS) | {OTHER}},
        "sauma_challenges_total": {"error": CHALLENGES | {OTHER}},
        "sauma_token_requests_total": {"outcome": TOKEN_OUTCOMES | {OTHER}},
        "sauma_shed_total": {"reason": SHED},
        "sauma_build_info": {"version": frozenset({version})},
    }
    return {name: labelled.get(name, {}) for name in MEASURES}


class Metrics:
    """The watcher that counts, one a worker; what it is handed is of closed sets already."""

    def __init__(self, *, version: str) -> None:
        labels = closed_labels(Vocabulary(routes=frozenset(), purposes=frozenset()), version=version)
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._counters = {n: Counter(n, h, tuple(labels[n]), registry=self.registry) for n, h in COUNTERS.items()}
        self._gauges = {
            n: Gauge(n, h, tuple(labels[n]), registry=self.registry, multiprocess_mode="livesum")
            for n, h in GAUGES.items()
            if n != BUILD
        }
        (timed,) = HISTOGRAMS
        self._seconds = Histogram(
            timed, HISTOGRAMS[timed], tuple(labels[timed]), registry=self.registry, buckets=BUCKETS
        )
        build = Gauge(BUILD, GAUGES[BUILD], tuple(labels[BUILD]), registry=self.registry, multiprocess_mode="livemax")
        build.labels(version).set(1)
        self._counted: dict[tuple[str, ...], Counter] = {}  # as many as there are labels: asking the library is slower
        self._timed: dict[str, Histogram] = {}
        self._inside = 0

    def began(self) -> None:
        """A request has come."""
        self._inside += 1

    def ended(self, finished: Finished) -> None:
        """It has been answered, or given up."""
        self._inside -= 1
        self._count("sauma_requests_total", finished.route, finished.method, str(finished.status or UNANSWERED))
        timed = self._timed.get(finished.route)
        if timed is None:
            timed = self._timed[finished.route] = self._seconds.labels(finished.route)
        timed.observe(math.ceil(finished.seconds / _GRID) * _GRID)
        if finished.problem is not None:
            self._count("sauma_problems_total", finished.problem)
        if finished.problem in SHED:
            self._count("sauma_shed_total", finished.problem)
        if finished.challenge is not None:
            self._count("sauma_challenges_total", finished.challenge)
        if finished.token is not None:
            self._count("sauma_token_requests_total", finished.token)
        if finished.purpose is not None and finished.outcome is not None:
            self._count("sauma_decisions_total", finished.purpose, finished.outcome)
            self._count("sauma_fields_disclosed_total", finished.purpose, by=finished.fields)

    def sample(self, in_use: int, size: int) -> None:
        """Say what is so now; of the database's connections how many are in use and open."""
        self._gauges["sauma_in_flight"].set(self._inside)
        self._gauges["sauma_db_pool_in_use"].set(in_use)
        self._gauges["sauma_db_pool_size"].set(size)

    def _count(self, *key: str, by: int = 1) -> None:
        counted = self._counted.get(key)
        if counted is None:
            counted = self._counted[key] = self._counters[key[0]].labels(*key[1:])
        counted.inc(by)


def exposed(metrics: Metrics, listening: socket.socket) -> "Exposition":
    """The counts of the one worker there is, to be read at the socket."""
    return Exposition(listening, lambda: generate_latest(metrics.registry))


def files_of(workers: Sequence[int], folder: Path) -> Callable[[], bytes]:
    """What `workers`, processes of this one, have counted into the folder; what the dead held is no longer held."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))

    def read() -> bytes:
        for worker in workers:
            if _dead(worker):
                mark_process_dead(worker, str(folder))
        return generate_latest(registry)

    return read


class Exposition:
    """`GET /metrics` on a socket of its own, answered by a thread with a loop of its own: no request waits for it."""

    def __init__(self, listening: socket.socket, read: Callable[[], bytes]) -> None:
        self._read = read
        config = uvicorn.Config(
            self._answer,
            http=BoundedProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_READERS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[listening])), name="metrics", daemon=True
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _answer(self, scope: HTTPScope, _: Receive, send: Send) -> None:
        status = 404 if scope["path"] != "/metrics" else 200 if scope["method"] == "GET" else 405
        headers = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = self._read() if status == HTTPStatus.OK else b""
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _dead(worker: int) -> bool:
    """Whether a child has ended, without taking the news from whoever waits for it."""
    try:
        return os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
