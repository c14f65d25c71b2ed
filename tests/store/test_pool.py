"""Whose turn it is at the pool: nothing is lost, nobody is forgotten, and what is handed on is clean."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sauma.core.errors import Unavailable
from sauma.store import pool
from sauma.store.pool import Database, open_pool

SIZE = 2


@pytest.fixture
async def two(database: Any) -> AsyncIterator[Database]:
    """A server's database with two connections."""
    dsn = database.dsn("sauma_server")
    opened = Database(
        await open_pool(dsn, size=SIZE), dsn=dsn, clock=lambda: dt.datetime.now(dt.UTC), new_id=uuid.uuid4
    )
    yield opened
    await opened.close()


async def backend(two: Database) -> int:
    async with two.hold() as held:
        return int(await held.connection.fetchval("select pg_backend_pid()"))


async def test_many_share_two_and_each_gets_a_turn(two: Database) -> None:
    asked = 25
    backends = await asyncio.gather(*(backend(two) for _ in range(asked)))
    assert len(backends) == asked
    assert len(set(backends)) == SIZE
    assert two.connections() == (0, SIZE)


async def test_who_waits_longest_is_next(two: Database) -> None:
    held = [await two.take() for _ in range(SIZE)]
    waiting = [asyncio.ensure_future(two.take()) for _ in range(2)]
    await asyncio.sleep(0)
    await two.give(held[0], clean=True)
    assert await waiting[0] is held[0]
    assert not waiting[1].done()
    await two.give(held[1], clean=True)
    assert await waiting[1] is held[1]


async def test_a_request_given_up_as_its_turn_came_hands_the_connection_on(two: Database) -> None:
    held = [await two.take() for _ in range(SIZE)]
    first, second = (asyncio.ensure_future(two.take()) for _ in range(2))
    await asyncio.sleep(0)
    await two.give(held[0], clean=True)
    first.cancel()  # after it was handed the connection, before it could run
    assert await second is held[0]
    assert first.cancelled()


async def test_one_that_stopped_waiting_is_passed_over(two: Database) -> None:
    held = [await two.take() for _ in range(SIZE)]
    gone, waiting = (asyncio.ensure_future(two.take()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await two.give(held[0], clean=True)
    assert await waiting is held[0]


async def test_nobody_waits_for_ever(two: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "HOLD_SECONDS", 0.05)
    held = [await two.take() for _ in range(SIZE)]
    with pytest.raises(Unavailable):
        await two.take()
    await two.give(held[0], clean=True)
    assert await two.take() is held[0]


async def begin_and_fail(two: Database) -> None:
    async with two.hold() as held:
        await held.connection.execute("begin")
        raise RuntimeError


async def test_a_use_that_failed_leaves_no_transaction_behind(two: Database) -> None:
    for _ in range(SIZE + 1):
        with pytest.raises(RuntimeError):
            await begin_and_fail(two)
    assert two.connections()[0] == 0
    async with two.hold() as held:
        assert not held.connection.is_in_transaction()


async def test_a_doubtful_writer_ends_with_its_connection_and_another_takes_its_place(two: Database) -> None:
    before = await backend(two)
    async with two.hold() as held:
        position = held.writer.position
        held.writer.doubtful = True
        waiting = [asyncio.ensure_future(backend(two)) for _ in range(SIZE + 1)]
    assert before not in await asyncio.gather(*waiting)
    assert two.broken == [position]


async def test_a_connection_the_server_ended_is_not_handed_out(two: Database, database: Any) -> None:
    ended = await backend(two)
    async with two.hold() as held:
        spare = await two.take()
        await held.connection.fetchval("select 1")
        assert held.connection.get_server_pid() == ended
        held.connection.terminate()
        await two.give(spare, clean=True)
    assert ended not in {await backend(two) for _ in range(3)}


async def test_one_that_lay_idle_for_long_is_opened_anew(two: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await backend(two)
    assert await backend(two) == before
    monkeypatch.setattr(pool, "SPARE_SECONDS", 0)
    assert await backend(two) != before


async def test_every_session_plans_once_for_all_values(two: Database) -> None:
    async with two.hold() as held:
        assert await held.connection.fetchval("select current_setting('plan_cache_mode')") == "force_generic_plan"
