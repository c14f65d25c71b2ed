"""F-4: the server process is killed in the middle of traffic; what it answered stands once, a repeat has one effect.

The whole server over HTTP, eight systems calling it at once with tokens and proofs of their own.
"""

import asyncio
import random
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from asks import CASEWORK, record_body, today
from attacks.scene import DECIDED
from databases import Database
from faults.accounts import ENOUGH, ROUNDS, chains_are_whole, have_one_effect, stand_once
from live import Live, unpadded
from systems import System

CALLERS = 8


@dataclass
class Traffic:
    """What the callers were answered, and what they were not."""

    cases: list[tuple[str, str]]
    acknowledged: dict[uuid.UUID, bytes] = field(default_factory=dict)
    records: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    unknown: list[tuple[str, uuid.UUID, dict[str, Any]]] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)
    goal: int = 0

    def answered(self, answer: httpx.Response) -> uuid.UUID:
        assert answer.status_code in {200, 201}, answer.text
        receipt = answer.json()["receipt"]
        entry = uuid.UUID(receipt["entryId"])
        self.acknowledged[entry] = unpadded(
            receipt["leafHash"].removeprefix("sha-256=:").removesuffix(":").translate(str.maketrans("+/", "-_"))
        )
        if len(self.acknowledged) >= self.goal:
            self.enough.set()
        return entry

    def write(self, kela: System, key: str, record: uuid.UUID, body: dict[str, Any]) -> None:
        answer = kela.put(f"/v1/decisions/{record}", body, key=key)
        self.records[record] = self.answered(answer)

    def caller(self, kela: System, pirha: System, draw: random.Random) -> None:
        """One write or question after the other, until nobody answers."""
        while True:
            hetu, reference = draw.choice(self.cases)
            if draw.random() < 0.5:
                try:
                    self.answered(pirha.query(hetu, reference, limit=3))
                except httpx.TransportError:
                    return
                continue
            body = record_body(hetu, DECIDED | {"date": today().isoformat()}, officer=kela.officer)
            key, record = uuid.uuid4().hex, uuid.uuid4()
            try:
                self.write(kela, key, record, body)
            except httpx.TransportError:
                self.unknown.append((key, record, body))
                return


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key ring for the module's one database, which refuses a server that comes with another."""
    return tmp_path_factory.mktemp("killed")


@pytest.fixture
def server(database: Database, home: Path) -> Iterator[Live]:
    server = Live(database, home)
    server.register()
    server.sql("update registry.agreement set per_person_day = 1000000 where per_person_day > 10")
    server.start()
    yield server
    server.stop()


def kill(server: Live) -> None:
    assert server._process is not None
    server._process.kill()
    server._process.wait()


def checked(database: Database, *checks: Callable[[asyncpg.Connection], Awaitable[object]]) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(database.dsn("postgres"))
        for check in checks:
            await check(connection)
        await connection.close()

    asyncio.run(run())


def test_what_a_killed_server_answered_stands_once(server: Live, database: Database) -> None:
    people = [server.client_of_both() for _ in range(6)]
    traffic = Traffic([(hetu, server.system("pirha").open_matter(hetu)) for hetu in people])
    unknown = 0
    for number in range(ROUNDS):
        traffic.goal = len(traffic.acknowledged) + ENOUGH
        traffic.enough.clear()
        systems = [
            (System(server, "kela", CASEWORK, None), System(server, "pirha", CASEWORK, None)) for _ in range(CALLERS)
        ]
        with ThreadPoolExecutor(CALLERS) as threads:
            draws = [random.Random(number * CALLERS + n) for n in range(CALLERS)]  # noqa: S311  # seeded draws, so that a failing round can be played again
            callers = [threads.submit(traffic.caller, *pair, draw) for pair, draw in zip(systems, draws, strict=True)]
            assert traffic.enough.wait(60), [caller.exception(0) for caller in callers if caller.done()]
            kill(server)
        for caller in callers:
            caller.result()
        server.start()
        unknown += len(traffic.unknown)
        kela = System(server, "kela", CASEWORK, None)
        for key, record, body in traffic.unknown:
            traffic.write(kela, key, record, body)
            traffic.write(kela, key, record, body)
        traffic.unknown.clear()
        assert len(traffic.acknowledged) >= traffic.goal
        checked(
            database,
            lambda c: stand_once(c, traffic.acknowledged),
            lambda c: have_one_effect(c, traffic.records),
            chains_are_whole,
        )
    assert unknown >= ROUNDS, "no write was in flight when the server died"


def test_a_write_committed_but_never_answered_is_answered_by_its_repeat(server: Live, database: Database) -> None:
    """The server dies after the commit and before the answer: the repeat is told the entry that stands."""
    hetu, kela = server.client_of_both(), server.system("kela")
    key, record = uuid.uuid4().hex, uuid.uuid4()
    body = record_body(hetu, DECIDED, officer=kela.officer)
    server.sql(
        "create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.7); return null; end $$"
    )
    server.sql(
        "create constraint trigger slow after insert on ledger.idempotency deferrable initially deferred for each row execute function public.slow()"
    )
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(kela.put, f"/v1/decisions/{record}", body, key=key)
        while not server.sql(
            "select from pg_stat_activity where query ilike 'commit%' and state = 'active' and wait_event = 'PgSleep' and datname = current_database()"
        ):
            assert not asked.done()
        kill(server)
        assert isinstance(asked.exception(), httpx.TransportError)
    while server.sql("select from pg_stat_activity where usename = 'sauma_server' and datname = current_database()"):
        continue
    server.sql("drop trigger slow on ledger.idempotency")
    server.sql("drop function public.slow")
    [stored] = server.sql(
        "select convert_from(answer, 'UTF8')::json ->> 'entry' as entry from ledger.idempotency where convert_from(answer, 'UTF8') like $1",
        f"%{record}%",
    )
    server.start()
    repeat = System(server, "kela", CASEWORK, None).put(f"/v1/decisions/{record}", body, key=key)
    assert (repeat.status_code, repeat.headers["idempotent-replayed"]) == (201, "true")
    assert repeat.json()["receipt"]["entryId"] == stored["entry"]
    entry = uuid.UUID(stored["entry"])
    checked(database, lambda c: have_one_effect(c, {record: entry}), chains_are_whole)
