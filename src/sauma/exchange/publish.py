"""Publish: a controller says how current what it has deposited of a resource is; never about a person."""

import datetime as dt

import msgspec

from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.resources import Resource
from sauma.exchange.ports import World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.times import rfc3339
from sauma.exchange.write import Call, Done, Effect, perform, revision_of


class PublicationStatement(msgspec.Struct, frozen=True, kw_only=True):
    """How current one resource is, by the controller's own word."""

    resource: Resource
    status: str
    current_as_of: dt.datetime
    officer: Officer | None


async def put_publication_state(world: World, call: Call, said: PublicationStatement) -> Done:
    """Set the publication state of one of the caller's resources."""

    async def effect(unit: WriteUnit) -> Effect:
        controller, name = call.caller.organisation, said.resource.name
        written = await unit.put_publication_state(controller, name, said.status, said.current_as_of)
        revision = revision_of(written)
        draft = Draft(
            kind=EventKind.WRITE,
            caller=call.caller,
            decision=f"publication-{said.status}",
            officer=said.officer,
            particulars={"resource": name, "currentAsOf": rfc3339(said.current_as_of)},
            body=call.body,
        )
        return Effect(
            draft=draft,
            status=201 if revision == 1 else 200,
            members={
                "resource": name,
                "status": said.status,
                "currentAsOf": rfc3339(said.current_as_of),
                "revision": revision,
            },
            etag=f'"{revision}"',
        )

    return await perform(world, call, effect)
