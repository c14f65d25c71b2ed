"""Ciphertext is read with a Receipt and nothing else: not with the decision, not with an id somebody made up."""

import uuid

from sauma.core.decision import Permit, Refusal
from sauma.exchange.ports import World


async def read(permit: Permit, refusal: Refusal, entry: uuid.UUID, world: World) -> None:
    await world.records.read(permit, ())  # E: arg-type
    await world.records.read(refusal, ())  # E: arg-type
    await world.records.read(entry, ())  # E: arg-type
    await world.records.read(None, ())  # E: arg-type
