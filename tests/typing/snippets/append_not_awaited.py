"""A forgotten await on the ledger would be a disclosure without a record."""

from sauma.core.matters import BasisVersions
from sauma.exchange.ports import Build, World


async def record(build: Build, basis: BasisVersions, world: World) -> None:
    world.ledger.append(build, (), basis)  # E: unused-coroutine
    receipt = world.ledger.append(build, (), basis)
    await world.records.read(receipt, ())  # E: arg-type
