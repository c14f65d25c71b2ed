"""Subjects: find the person at a controller or add them, sealed, with data keys of their own; changed identifiers.

A HETU is no stable key (661/2009 12 §). Old and new resolve to one subject among the caller's own records only.
"""

import datetime as dt
import uuid

import msgspec

from sauma.core.canonical import uuid7
from sauma.core.errors import BadRequest, Unavailable
from sauma.core.evidence import EventKind
from sauma.core.fields import Padding, Sensitivity
from sauma.core.parties import Officer
from sauma.core.people import Confidential, PersonIdentifier
from sauma.core.problems import Reason
from sauma.exchange.ports import Plot, World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.rows import KnownSubject, NewSubject, SubjectKeys
from sauma.exchange.write import Absent, Call, Done, Effect, perform

IDENTIFIER_TABLE, MATTER_TABLE, PRIOR_INFORMATION_TABLE = 901, 902, 903
"""Table ids of sealed rows that are no resource; never a resource's."""

WRONG_LINK = "wrong-link"
MOST_PERSONS = 50


async def subject_at(world: World, unit: WriteUnit, controller: str, person: PersonIdentifier) -> KnownSubject:
    """The person at this controller, added when the controller has never named them before.

    Raises:
        Unavailable: the person was added meanwhile and yet cannot be found.
    """
    index = world.vault.blind_index(person, controller)
    known = await unit.find_subject(controller, index)
    if known is not None:
        return known
    new = new_subject(world, controller, person)
    if not await unit.add_subject(controller, index, new):
        known = await unit.find_subject(controller, index)
        if known is None:
            raise Unavailable("overloaded")
        return known
    return KnownSubject(id=new.keys.subject, canonical=new.keys.subject, keys=new.keys)


def new_subject(world: World, controller: str, person: PersonIdentifier) -> NewSubject:
    """A person about to be added: a random id, fresh data keys, the identifier sealed under them."""
    subject = uuid7(int(world.clock().timestamp() * 1000), world.entropy(10))
    keys = world.vault.new_subject_keys(controller, subject)
    return NewSubject(
        keys=keys,
        sealed_identifier=seal_identifier(world, keys, person),
        wrapped_seed=world.vault.wrap_seed(controller, world.vault.person_seed(person)),
    )


def seal_identifier(world: World, keys: SubjectKeys, person: PersonIdentifier) -> bytes:
    """The identifier itself, sealed in its own row."""
    row = uuid.UUID(bytes=world.vault.blind_index(person, keys.controller))
    return seal_members(world, keys, IDENTIFIER_TABLE, row, {"kind": person.kind.value, "value": person.value})


def seal_members(world: World, keys: SubjectKeys, table: int, row: uuid.UUID, members: dict[str, str | None]) -> bytes:
    """The members of a sealed row that is no resource: field ids `table * 100 + n` in the order given."""
    plot = Plot(
        controller=keys.controller,
        subject=keys.subject,
        record=row,
        table=table,
        sensitivity=Sensitivity.ORDINARY,
        revision=1,
    )
    values = {
        table * 100 + n: (Padding.TEXT, msgspec.json.encode(value)) for n, value in enumerate(members.values(), 1)
    }
    return world.vault.seal(plot, keys, values)[1]


async def other_subjects(
    world: World, unit: WriteUnit, controller: str, people: tuple[PersonIdentifier, ...]
) -> tuple[KnownSubject, ...]:
    """Everyone else a record names, each a subject of the controller too."""
    if len(people) > MOST_PERSONS:
        raise BadRequest("invalid-value", ("/coSubjects",))
    return tuple([await subject_at(world, unit, controller, person) for person in people])


class IdentifierChange(Confidential, frozen=True, kw_only=True):
    """From which identifier to which, why, and since when."""

    old: PersonIdentifier
    new: PersonIdentifier
    reason: str
    effective_at: dt.datetime
    officer: Officer


async def change_identifier(world: World, call: Call, change: IdentifierChange) -> Done:
    """Link two identifiers to one person, or split a wrong link.

    Raises:
        BadRequest: both are the same.
        Refused: nobody is known by one of them; recorded, so that asking who is known leaves a trace.
    """

    async def effect(unit: WriteUnit) -> Effect:
        controller, vault = call.caller.organisation, world.vault
        if change.old == change.new:
            raise BadRequest("invalid-value", ("/to",))
        old, new = (vault.blind_index(p, controller) for p in (change.old, change.new))
        known = await unit.find_subject(controller, old)
        if known is None:
            raise Absent(draft(EventKind.REFUSAL, "refuse", Reason.SUBJECT_UNKNOWN.value))
        if change.reason == WRONG_LINK:
            status = await unit.split_identifier(controller, old, new, new_subject(world, controller, change.new))
        else:
            status = await unit.link_identifier(controller, old, new, seal_identifier(world, known.keys, change.new))
        if status == "absent":
            raise Absent(draft(EventKind.REFUSAL, "refuse", Reason.SUBJECT_UNKNOWN.value))
        return Effect(
            draft=draft(EventKind.WRITE, f"identifier-{status}", change.reason),
            status=201,
            members={"status": status, "reason": change.reason},
        )

    def draft(kind: EventKind, decision: str, reason: str) -> Draft:
        return Draft(
            kind=kind,
            caller=call.caller,
            decision=decision,
            reason=reason,
            officer=change.officer,
            seeds=tuple(world.vault.person_seed(p) for p in (change.old, change.new)),
            particulars={"effectiveAt": change.effective_at.isoformat()},
            body=call.body,
        )

    return await perform(world, call, effect)
