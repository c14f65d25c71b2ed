"""The players over the memory World: no database, one clock."""

import pytest

from conformance.cast import Cast
from conformance.registers import MemoryRegister
from worlds import Memory


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def cast(memory: Memory) -> Cast:
    made = Cast(memory.world, MemoryRegister(memory), first=1)
    await made.enrol()
    return made
