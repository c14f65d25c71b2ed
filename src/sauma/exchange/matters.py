"""Matters: which of its own cases the caller has pending, and that it told the client beforehand (ToTuL 18 a.1 §)."""

import datetime as dt
import uuid

from sauma.core.canonical import uuid7
from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.people import Confidential, PersonIdentifier
from sauma.exchange.ports import MatterRow, PriorInformationRow, World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.subjects import MATTER_TABLE, PRIOR_INFORMATION_TABLE, seal_members, subject_at
from sauma.exchange.write import Call, Done, Effect, perform, revision_of


class MatterStatement(Confidential, frozen=True, kw_only=True):
    """What the caller says of its matter; `expected` is the revision it has seen, None when it creates."""

    case_reference: str
    person: PersonIdentifier
    kind: str
    opened_at: str
    state: str
    unit: str
    officer: Officer
    expected: int | None


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
            members={"state": said.state, "revision": revision},  # no case: what a repeat is told is kept in clear
            etag=f'"{revision}"',
        )

    return await perform(world, call, effect)


class Telling(Confidential, frozen=True, kw_only=True):
    """Who was told, by whom, with which text, when."""

    person: PersonIdentifier
    received_by: str
    text_version: str
    language: str
    told_at: dt.datetime
    officer: Officer


async def inform(world: World, call: Call, telling: Telling) -> Done:
    """Record the prior information in the caller's own space; queries find it by themselves."""

    async def effect(unit: WriteUnit) -> Effect:
        organisation = call.caller.organisation
        subject = await subject_at(world, unit, organisation, telling.person)
        row = uuid7(int(world.clock().timestamp() * 1000), world.entropy(10))
        members: dict[str, str | None] = {
            "receivedBy": telling.received_by,
            "textVersion": telling.text_version,
            "language": telling.language,
        }
        await unit.add_prior_information(
            PriorInformationRow(
                id=row,
                organisation=organisation,
                subject=subject.id,
                told_at=telling.told_at,
                sealed=seal_members(world, subject.keys, PRIOR_INFORMATION_TABLE, row, members),
            )
        )
        draft = Draft(
            kind=EventKind.WRITE,
            caller=call.caller,
            decision="prior-information",
            officer=telling.officer,
            seeds=(world.vault.person_seed(telling.person),),
            particulars={"priorInformationId": str(row), "textVersion": telling.text_version},
            body=call.body,
        )
        return Effect(draft=draft, status=201, members={"id": str(row)})

    return await perform(world, call, effect)
