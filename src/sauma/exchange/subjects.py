"""Subjects: find the person at a controller or add them, sealed, with data keys of their own."""

import uuid

import msgspec

from sauma.core.canonical import uuid7
from sauma.core.errors import BadRequest, Unavailable
from sauma.core.fields import Padding, Sensitivity
from sauma.core.people import PersonIdentifier
from sauma.exchange.ports import Plot, World, WriteUnit
from sauma.exchange.rows import KnownSubject, NewSubject, SubjectKeys

IDENTIFIER_TABLE, MATTER_TABLE, PRIOR_INFORMATION_TABLE = 901, 902, 903
"""Table ids of sealed rows that are no resource; never a resource's."""


async def subject_at(world: World, unit: WriteUnit, controller: str, person: PersonIdentifier) -> KnownSubject:
    """The person at this controller, added when the controller has never named them before.

    Raises:
        Unavailable: another call is adding the same person at this moment; a repeat finds them.
    """
    index = world.vault.blind_index(person, controller)
    known = await unit.find_subject(controller, index)
    if known is not None:
        return known
    new = new_subject(world, controller, person)
    if not await unit.add_subject(controller, index, new):
        raise Unavailable("overloaded")
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
    return seal_members(
        world, keys, IDENTIFIER_TABLE, row, {"kind": person.kind.value, "value": person.value}
    )


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
    if len(people) > 50:
        raise BadRequest("invalid-value", ("/coSubjects",))
    return tuple([await subject_at(world, unit, controller, person) for person in dict.fromkeys(people)])
