"""The one path as it should be: nothing here is refused, so the refusals beside it are about the misuse alone."""

import datetime as dt

from sauma.core.decision import Ask, Permit, Refusal, decide
from sauma.core.matters import Facts
from sauma.core.disclosure import Opened, Receipt, Sealed
from sauma.core.evidence import ManifestRow
from sauma.core.matters import BasisVersions
from sauma.exchange.ports import Build, World


async def disclose(ask: Ask, facts: Facts, build: Build, basis: BasisVersions, world: World) -> Opened | Refusal | None:
    manifest: tuple[ManifestRow, ...] = ()
    decision = decide(ask, facts, world.catalogue, day=dt.date(2026, 1, 1))
    match decision:
        case Refusal():
            return decision
        case Permit():
            pass
    receipt = await world.ledger.append(build, (), basis)
    if not isinstance(receipt, Receipt):
        return None
    sealed = await world.records.read(receipt, manifest)
    return world.vault.open_sealed(sealed) if isinstance(sealed, Sealed) else None
