"""Inform: record that the client was told beforehand that data may be asked for (ToTuL 18 a.1 §)."""

import datetime as dt

import msgspec

from sauma.core.canonical import uuid7
from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.people import PersonIdentifier
from sauma.exchange.answers import Done
from sauma.exchange.ports import PriorInformationRow, World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.subjects import PRIOR_INFORMATION_TABLE, seal_members, subject_at
from sauma.exchange.write import Call, Effect, perform


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """Who was told, by whom, with which text, when."""

    person: PersonIdentifier
    received_by: str
    text_version: str
    language: str
    told_at: dt.datetime
    officer: Officer

    def __repr__(self) -> str:
        """Never who."""
        return "Telling(…)"


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
        return Effect(draft=draft, status=201, members={"id": str(row)}, location=f"/v1/prior-informations/{row}")

    return await perform(world, call, effect)
