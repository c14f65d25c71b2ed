"""F-2, F-3: PostgreSQL is killed in the middle of traffic, again and again; nothing acknowledged is lost, nothing is twice.

One process with sixteen busy callers over the product's own pool. `FAULT_ROUNDS` sets the number of rounds.
"""

import asyncio
import itertools
import os
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from attacks.scene import DECIDED, WORKER, Case, Scene, open_scene
from databases import Database
from faults.accounts import ENOUGH, ROUNDS, chains_are_whole, have_one_effect, kill_postgres, stand_once
from sauma.core.errors import Unavailable
from sauma.exchange.deposit import Deposit, put_record
from sauma.store import embedded, migrate
from sauma.store.bootstrap import bootstrap

CALLERS = 16


@dataclass
class Traffic:
    """What the callers were told, and what they were not."""

    scene: Scene
    cases: list[Case]
    acknowledged: dict[uuid.UUID, bytes] = field(default_factory=dict)
    records: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    unknown: list[tuple[str, Deposit]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    stopped: bool = False

    async def write(self, key: str, deposit: Deposit) -> bool:
        try:
            done = await put_record(
                self.scene.world, self.scene.call("kela", key, f"PUT {deposit.id}"), deposit, WORKER
            )
        except Unavailable as said:
            self.codes.add(said.code)
            await asyncio.sleep(0.1)
            return False
        self.acknowledged[done.entry] = done.leaf_hash
        self.records[deposit.id] = done.entry
        return True

    async def caller(self, draw: random.Random) -> None:
        while not self.stopped:
            case = draw.choice(self.cases)
            if draw.random() < 0.5:
                key, deposit = uuid.uuid4().hex, self.scene.deposit(case.person, "decisions", DECIDED)
                if not await self.write(key, deposit):
                    self.unknown.append((key, deposit))
                continue
            try:
                answer = await self.scene.disclose(case, limit=3)
            except Unavailable as said:
                self.codes.add(said.code)
                await asyncio.sleep(0.1)
            else:
                self.acknowledged[answer.receipt.entry] = answer.receipt.leaf_hash

    async def settle(self) -> None:
        """Repeat what is unknown under the same key until it is known."""
        async with asyncio.timeout(30):
            for key, deposit in self.unknown:
                while not await self.write(key, deposit):
                    continue
        self.unknown.clear()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / ".sauma"
    embedded.remove(tmp_path / ".sauma")


def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(home: Path) -> None:
    named = os.environ.get("SAUMA_TEST_PG_BIN")
    binaries = Path(named) if named else None
    first = embedded.start(home, binaries=binaries)
    database = Database(first, "sauma")

    async def play() -> list[int]:
        await bootstrap(first)
        await migrate.migrate(database.dsn("sauma_migrator"), migrations=migrate.read(migrate.default_folder()))
        draws = map(random.Random, itertools.count())
        async with open_scene(database, home) as scene:
            traffic = Traffic(scene, [await scene.case() for _ in range(6)])
            counts = [await one_round(traffic, draws) for _ in range(ROUNDS)]
        assert traffic.codes >= {"outcome-unknown", "ledger-unavailable"}
        return counts

    async def one_round(traffic: Traffic, draws: Iterator[random.Random]) -> int:
        before, traffic.stopped = len(traffic.acknowledged), False
        callers = [asyncio.create_task(traffic.caller(next(draws))) for _ in range(CALLERS)]
        while len(traffic.acknowledged) - before < ENOUGH:
            assert not any(task.done() for task in callers), [task for task in callers if task.done()]
            await asyncio.sleep(0.01)
        await asyncio.to_thread(kill_postgres, first.database_directory)
        await asyncio.sleep(0.1)  # callers go on asking a dead server
        acknowledged = len(traffic.acknowledged) - before
        servers.append(await asyncio.to_thread(embedded.start, home, binaries=binaries))
        traffic.stopped = True
        await asyncio.gather(*callers)
        await traffic.settle()
        connection = await asyncpg.connect(database.dsn("postgres"))
        await stand_once(connection, traffic.acknowledged)
        await have_one_effect(connection, traffic.records)
        await chains_are_whole(connection)
        await connection.close()
        return acknowledged

    servers = [first]
    try:
        counts = asyncio.run(play())
        assert len(counts) == ROUNDS
        assert min(counts) >= ENOUGH
    finally:
        for server in servers:
            server.stop()
