"""The sequencer's life: wait to lead, look 20 times a second, publish once a second, and begin anew after a fault."""

import asyncio
from collections.abc import Callable

from sauma.core.errors import Unavailable
from sauma.exchange.tree.sequence import CAP, CheckpointSigner, HeadMemory, Sequencer
from sauma.store.tree.sequencer import PostgresTree, open_tree

POLL_SECONDS = 0.05
HEAD_SECONDS = 1.0
_AGAIN_SECONDS = 1.0


async def keep(
    dsn: str, parts: tuple[HeadMemory, CheckpointSigner], *, stopping: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Sequence until told to stop; then everything committed before has its place and its head.

    Raises:
        StartRefused: exit 1, the tree is not what was signed, or the database refuses the sequencer.
    """
    away = False
    while not stopping.is_set():
        try:
            async with open_tree(dsn) as tree:
                if await _leads(tree, stopping):
                    sequencer = Sequencer(tree, *parts)
                    await sequencer.begin()
                    away = False
                    await _lead(sequencer, stopping)
        except Unavailable:
            if not away:
                say("ledger: PostgreSQL does not answer the sequencer; it goes on when it does")
            away = True
            await _pause(stopping, _AGAIN_SECONDS)


async def _leads(tree: PostgresTree, stopping: asyncio.Event) -> bool:
    """Wait until no other leads; False where told to stop first."""
    while not await tree.lead():
        await _pause(stopping, _AGAIN_SECONDS)
        if stopping.is_set():
            return False
    return True


async def _lead(sequencer: Sequencer, stopping: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    next_head = clock()
    while True:
        last = stopping.is_set()
        idle = await sequencer.integrate() < CAP
        if (clock() >= next_head or (last and idle)) and await sequencer.publish() is not None:
            next_head = clock() + HEAD_SECONDS
        if last and idle:
            return
        if idle:
            await _pause(stopping, POLL_SECONDS)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
