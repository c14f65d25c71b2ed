"""Matters: the caller says which of its own cases is pending, and about whom (ToTuL 18 a.1 §, TiHL 22.2 §)."""

import uuid

import msgspec

from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.people import PersonIdentifier
from sauma.exchange.answers import Done
from sauma.exchange.ports import MatterRow, World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.subjects import MATTER_TABLE, seal_members, subject_at
from sauma.exchange.write import Call, Effect, perform, revision_of


class MatterStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says of its matter; `expected` is the revision it has seen, None when it creates."""

    case_reference: str
    person: PersonIdentifier
    kind: str
    opened_at: str
    state: str
    unit: str
    officer: Officer
    expected: int | None

    def __repr__(self) -> str:
        """Never who."""
        return "MatterStatement(…)"


async def put_matter(world: World, call: Call, said: MatterStatement) -> Done:
    """Open, change or close the caller's own matter; closing needs no precondition."""

    async def effect(unit: WriteUnit) -> Effect:
        organisation = call.caller.organisation
        subject = await subject_at(world, unit, organisation, said.person)
        mac = world.vault.case_index(said.case_reference)
        members: dict[str, str | None] = {
            "caseReference": said.case_reference,
            "kind": said.kind,
            "openedAt": said.opened_at,
            "unit": said.unit,
        }
        sealed = seal_members(world, subject.keys, MATTER_TABLE, uuid.UUID(bytes=mac), members)
        row = MatterRow(
            organisation=organisation,
            case_mac=mac,
            subject=subject.id,
            state=said.state,
            expected=said.expected,
            sealed=sealed,
        )
        revision = revision_of(await unit.put_matter(row))
        draft = Draft(
            kind=EventKind.WRITE,
            caller=call.caller,
            decision=f"matter-{said.state}",
            officer=said.officer,
            case_reference=said.case_reference,
            seeds=(world.vault.person_seed(said.person),),
            particulars={"matter": {"kind": said.kind, "revision": revision}},
            body=call.body,
        )
        return Effect(
            draft=draft,
            status=201 if revision == 1 else 200,
            members={
                "caseReference": said.case_reference,
                "state": said.state,
                "revision": revision,
            },
            etag=f'"{revision}"',
        )

    return await perform(world, call, effect)
