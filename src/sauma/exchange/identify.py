"""Identify: a person's identifier was corrected, changed or first assigned, or two persons were wrongly linked.

A HETU is no stable key (661/2009 12 §). Old and new resolve to one subject among the caller's own records only.
"""

import datetime as dt

import msgspec

from sauma.core.errors import BadRequest
from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.people import PersonIdentifier
from sauma.exchange.answers import Done
from sauma.exchange.ports import World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.subjects import new_subject, seal_identifier
from sauma.exchange.write import Call, Effect, perform

WRONG_LINK = "wrong-link"


class IdentifierChange(msgspec.Struct, frozen=True, kw_only=True):
    """From which identifier to which, why, and since when."""

    old: PersonIdentifier
    new: PersonIdentifier
    reason: str
    effective_at: dt.datetime
    officer: Officer

    def __repr__(self) -> str:
        """Never who."""
        return f"IdentifierChange({self.reason})"


async def change_identifier(world: World, call: Call, change: IdentifierChange) -> Done:
    """Link two identifiers to one person, or split a wrong link."""

    async def effect(unit: WriteUnit) -> Effect:
        controller, vault = call.caller.organisation, world.vault
        old, new = (vault.blind_index(p, controller) for p in (change.old, change.new))
        known = await unit.find_subject(controller, old)
        if known is None or change.old == change.new:
            raise BadRequest("not-found" if known is None else "invalid-value", ("/to",) if known else ())
        if change.reason == WRONG_LINK:
            status = await unit.split_identifier(controller, old, new, new_subject(world, controller, change.new))
        else:
            status = await unit.link_identifier(controller, old, new, seal_identifier(world, known.keys, change.new))
        if status == "absent":
            raise BadRequest("not-found")
        draft = Draft(
            kind=EventKind.WRITE,
            caller=call.caller,
            decision=f"identifier-{status}",
            reason=change.reason,
            officer=change.officer,
            seeds=tuple(vault.person_seed(p) for p in (change.old, change.new)),
            particulars={"effectiveAt": change.effective_at.isoformat()},
            body=call.body,
        )
        return Effect(draft=draft, status=201, members={"status": status, "reason": change.reason})

    return await perform(world, call, effect)
