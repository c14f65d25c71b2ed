"""An append may have missed: its answer is not a Receipt before somebody looked."""

from sauma.core.matters import BasisVersions
from sauma.exchange.ports import Build, World


async def read(build: Build, basis: BasisVersions, world: World) -> None:
    appended = await world.ledger.append(build, (), basis)
    await world.records.read(appended, ())  # E: arg-type
