"""Told to stop, the server loses no request: not ready at once, then no new connections, and what it has is finished.

The requests in flight wait for a lock a superuser holds on the ledger, so that they are in flight for certain.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from databases import Database
from faults.accounts import chains_are_whole
from live import Live
from sauma.web.protocol import BoundedProtocol
from systems import System

IN_FLIGHT = 30
LONGER_THAN_ANY_TEST = "300"


class Drained:
    """A server of its own that is started and told to stop, and a case to ask it for."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._case: tuple[str, str] | None = None

    def start(self, **settings: str) -> System:
        """Serve; the caller, its token in hand."""
        self.live.start(SAUMA_POOL_SIZE="32", **settings)
        if self._case is None:
            hetu = self.live.client_of_both()
            self._case = hetu, self.live.system("pirha").open_matter(hetu)
        pirha = System(self.live, "pirha", ("case:read",), None)
        assert self.query(pirha).status_code == 200
        return pirha

    def query(self, pirha: System) -> httpx.Response:
        assert self._case is not None
        return pirha.query(*self._case, limit=1)

    def ask(self, pirha: System, threads: ThreadPoolExecutor, times: int) -> list[Future[httpx.Response]]:
        """So many lawful questions, each waiting for the ledger; within `ledger_held`."""
        answers = [threads.submit(self.query, pirha) for _ in range(times)]
        until(lambda: self.waiting() == times)
        return answers

    def waiting(self) -> int:
        """How many of the server's statements wait for a lock."""
        return len(
            self.live.sql(
                "select from pg_stat_activity where datname = current_database() and usename = 'sauma_server'"
                " and wait_event_type = 'Lock'"
            )
        )

    @contextlib.contextmanager
    def ledger_held(self) -> Iterator[Callable[[], None]]:
        """Nothing can be appended until the block ends or calls what it is given."""
        locked, over = threading.Event(), threading.Event()

        async def hold() -> None:
            connection = await asyncpg.connect(self.live.database.dsn("postgres"))
            async with connection.transaction():
                await connection.execute("lock table ledger.entry in exclusive mode")
                locked.set()
                await asyncio.to_thread(over.wait)
            await connection.close()

        holder = threading.Thread(target=lambda: asyncio.run(hold()))
        holder.start()
        try:
            assert locked.wait(30)
            yield over.set
        finally:
            over.set()
            holder.join()

    def disclosures(self) -> int:
        """How many entries say that something was disclosed."""
        return len(self.live.entries("pirha", kind="disclosure"))

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def readiness(self) -> int | None:
        """The status of `/health/ready` on a new connection, None when nobody takes one."""
        try:
            return httpx.get(f"{self.live.url}/health/ready", timeout=30).status_code
        except httpx.TransportError:
            return None

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self.live._process is not None
        return self.live._process


def until(what: Callable[[], object]) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def one(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Drained:
    live = Live(database, tmp_path_factory.mktemp("drained"))
    live.register()
    live.sql("update registry.agreement set per_person_day = 1000000 where per_person_day > 10")
    return Drained(live)


@pytest.fixture
def server(one: Drained) -> Iterator[Drained]:
    yield one
    one.live.stop()
    one.live.opened.clear()
    one.live._systems.clear()


@pytest.mark.parametrize("workers", [1, 2])
def test_thirty_in_flight_all_finish_and_stand_once(server: Drained, workers: int) -> None:
    pirha = server.start(SAUMA_WORKERS=str(workers), SAUMA_DRAIN_SECONDS="2")
    before = server.disclosures()
    with ThreadPoolExecutor(IN_FLIGHT) as threads, server.ledger_held() as release:
        answers = server.ask(pirha, threads, IN_FLIGHT)
        server.tell(signal.SIGTERM)
        until(lambda: [server.readiness() for _ in range(5)] == [503] * 5)  # it still answers: the balancer is told
        until(lambda: server.readiness() is None)
        assert server.waiting() == IN_FLIGHT
        assert server.process.poll() is None
        release()
        answered = [answer.result() for answer in answers]
    assert [answer.status_code for answer in answered] == [200] * IN_FLIGHT
    assert {answer.headers["connection"] for answer in answered} == {"close"}
    assert server.process.wait(30) == 0
    entries = {answer.json()["receipt"]["entryId"] for answer in answered}
    assert len(entries) == IN_FLIGHT
    assert server.disclosures() == before + IN_FLIGHT
    asyncio.run(_chains(server.live.database))


async def _chains(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn("postgres"))
    await chains_are_whole(connection)
    await connection.close()


@contextlib.contextmanager
def half_sent(server: Drained) -> Iterator[socket.socket]:
    """A request whose head and half a body the server has: it asked for the rest."""
    parts = urlsplit(server.live.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=30) as connection:
        connection.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\na="
        )
        assert connection.recv(25).startswith(b"HTTP/1.1 100 Continue")
        yield connection


def test_a_body_that_is_on_its_way_is_waited_for(server: Drained) -> None:
    server.start()
    with half_sent(server) as connection:
        server.tell(signal.SIGTERM)
        until(lambda: server.readiness() is None)
        connection.sendall(b"1&")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"\r\nconnection: close\r\n" in answer
    assert server.process.wait(30) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_told_twice_it_stops_now_and_leaves_what_a_crash_leaves(server: Drained, workers: int) -> None:
    """Nobody was answered; an entry that was on its way may stand, as after a crash, and every chain is whole."""
    pirha = server.start(SAUMA_WORKERS=str(workers), SAUMA_DRAIN_SECONDS=LONGER_THAN_ANY_TEST)
    with ThreadPoolExecutor(4) as threads, server.ledger_held():
        answers = [threads.submit(server.query, pirha) for _ in range(4)]
        until(lambda: server.waiting() == 4)
        server.tell(signal.SIGTERM)
        until(lambda: server.readiness() == 503)
        server.tell(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert all(answer.exception() is not None or answer.result().status_code >= 500 for answer in answers)
    until(lambda: server.waiting() == 0)
    asyncio.run(_chains(server.live.database))


def test_told_twice_it_waits_for_no_body(server: Drained) -> None:
    server.start(SAUMA_DRAIN_SECONDS=LONGER_THAN_ANY_TEST)
    with half_sent(server):
        server.tell(signal.SIGTERM)
        until(lambda: server.readiness() == 503)
        server.tell(signal.SIGTERM)
        assert server.process.wait(BoundedProtocol.body_seconds * 3 / 4) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_drains_too_and_says_so_to_the_shell(server: Drained, workers: int) -> None:
    server.start(SAUMA_WORKERS=str(workers))
    server.tell(signal.SIGINT)
    assert server.process.wait(30) == 130


ENDS = {
    "it served and was told to stop": ("pass", 0, 0),
    "it was refused": ("raise StartRefused('SAUMA_X: no; fix: yes', exit_code=78)", 78, 2),
    "it met a fault nobody foresaw": ("raise RuntimeError('sauma: secret')", 70, 0),
    "it was killed": ("os.kill(os.getpid(), 9)", 70, 0),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_a_worker_ended_is_the_exit_code_and_it_never_runs_its_parents_code(name: str) -> None:
    statement, code, lines = ENDS[name]
    script = f"""
import os, socket, sys
from sauma.core.errors import StartRefused
from sauma.web.logs import configure
from sauma.web.running import in_workers
configure()
def work():
    {statement}
try:
    code = in_workers(2, work, listening=socket.socket())
finally:
    print("unwound", flush=True)
sys.exit(code)
"""
    path = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "unwound\n"), done.stderr
    assert done.stderr.count("sauma: ") == lines
    assert "secret" not in done.stderr
