"""Records in whose way something happens: after what was gathered, or before what is read."""

from collections.abc import Awaitable, Callable

import msgspec

from conformance.cast import Cast
from sauma.core.disclosure import Receipt, Sealed
from sauma.core.evidence import ManifestRow
from sauma.exchange.ports import Records
from sauma.exchange.rows import Gathered, GatherKeys, Missed

Act = Callable[[], Awaitable[object]]


class Between:
    """The real records; each act happens once, in order. `receipts` are those read with; `age` makes the first older."""

    def __init__(self, records: Records, *, gathered: tuple[Act, ...] = (), reading: tuple[Act, ...] = ()) -> None:
        self._records = records
        self._gathered = [*gathered]
        self._reading = [*reading]
        self.receipts: list[Receipt] = []
        self.manifests: list[tuple[ManifestRow, ...]] = []
        self.swap: Callable[[Receipt], Awaitable[Receipt]] | None = None

    async def gather(self, keys: GatherKeys) -> Gathered:
        found = await self._records.gather(keys)
        if self._gathered:
            await self._gathered.pop(0)()
        return found

    async def read(self, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed | Missed:
        self.receipts.append(receipt)
        self.manifests.append(manifest)
        if self._reading:
            await self._reading.pop(0)()
        if self.swap is not None:
            receipt, self.swap = await self.swap(receipt), None
        return await self._records.read(receipt, manifest)


def between(cast: Cast, *, gathered: tuple[Act, ...] = (), reading: tuple[Act, ...] = ()) -> Between:
    """Put the acts in the cast's way."""
    way = Between(cast.world.records, gathered=gathered, reading=reading)
    cast.world = msgspec.structs.replace(cast.world, records=way)
    return way
