"""F-9: a call given up at any moment, its entry perhaps committed: no connection is left that cannot append any more."""

import asyncio

import pytest

from attacks.scene import Scene

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 60


async def test_a_cancelled_call_spoils_no_writer(scene: Scene) -> None:
    """A writer that does not know whether its last leaf stands is closed, instead of giving the number twice."""
    case = await scene.case()
    for moment in range(ROUNDS):
        calls = [
            asyncio.create_task(scene.disclose(case)),
            asyncio.create_task(scene.put(case.person, "plans", {"exists": True})),
            asyncio.create_task(scene.disclose(case)),
        ]
        for _ in range(moment % 12):  # a round trip each: the moment moves through gather, append, begin, commit, read
            await scene.sql("select 1")
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [e for e in ended if isinstance(e, Exception) and not isinstance(e, asyncio.CancelledError)] == []
    for _ in range(20):
        await scene.disclose(case)
        await scene.put(case.person, "plans", {"exists": True})
    uncounted = "select writer from ledger.entry group by writer having count(*) <> max(counter) + 1"
    assert await scene.sql(uncounted) == []
    held = "select from pg_stat_activity where usename = 'sauma_server' and state like 'idle in transaction%'"
    assert await scene.sql(held) == []
