"""Matters: what the caller says of its own cases: which it has pending, and what became of what it got for one.

And that it told the client beforehand (ToTuL 18 a.1 §).
"""

import datetime as dt
import uuid

from sauma.core.canonical import JsonValue, uuid7
from sauma.core.evidence import EventKind
from sauma.core.parties import Officer
from sauma.core.people import Confidential, PersonIdentifier
from sauma.core.problems import Reason
from sauma.exchange.inspect import token_is_for
from sauma.exchange.ports import World, WriteUnit
from sauma.exchange.record import Draft
from sauma.exchange.rows import MatterRow, PriorInformationRow
from sauma.exchange.subjects import MATTER_TABLE, PRIOR_INFORMATION_TABLE, seal_members, subject_at
from sauma.exchange.times import rfc3339
from sauma.exchange.write import Absent, Call, Done, Effect, perform, revision_of


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


class Erasure(Confidential, frozen=True, kw_only=True):
    """What the receiver says became of a disclosure's content."""

    disclosure: uuid.UUID
    extent: str
    purpose: str | None
    officer: Officer
    at: dt.datetime


async def attest_erasure(world: World, call: Call, erasure: Erasure) -> Done:
    """Record the receiver's word that the content was erased, filed, or is kept for another purpose.

    Raises:
        Refused: the disclosure is not the caller's own as receiver, or not one its token is for; recorded.
    """
    caller = call.caller

    async def effect(unit: WriteUnit) -> Effect:
        named = await unit.disclosure_parties(erasure.disclosure)
        if named is None or named.receiver != caller.organisation:
            raise Absent(_unheld(call, erasure, Reason.PARTY_NOT_ENTITLED))
        if not token_is_for(world, caller, erasure.disclosure, purpose=named.purpose, case=named.case):
            raise Absent(_unheld(call, erasure, Reason.SCOPE_MISSING))
        draft = Draft(
            kind=EventKind.ERASURE,
            caller=caller,
            decision=erasure.extent,
            officer=erasure.officer,
            counterparty=named.discloser,
            purpose=erasure.purpose,
            particulars={"at": rfc3339(erasure.at)},
            body=call.body,
            refers=erasure.disclosure,
        )
        members: dict[str, JsonValue] = {"disclosureId": str(erasure.disclosure), "extent": erasure.extent}
        return Effect(draft=draft, status=201, members=members)

    return await perform(world, call, effect)


def _unheld(call: Call, erasure: Erasure, reason: Reason) -> Draft:
    return Draft(
        kind=EventKind.REFUSAL,
        caller=call.caller,
        decision="refuse",
        reason=reason.value,
        officer=erasure.officer,
        body=call.body,
        refers=erasure.disclosure,
    )
