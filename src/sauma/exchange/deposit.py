"""Deposit: a controller stores, replaces or annuls its own records; every field is sealed before it is stored."""

import datetime as dt
import uuid

import msgspec

from sauma.core.canonical import JsonValue
from sauma.core.errors import BadRequest
from sauma.core.evidence import EventKind
from sauma.core.fields import Padding, Sensitivity
from sauma.core.parties import Caller, Officer
from sauma.core.people import Confidential, PersonIdentifier, parse_hetu
from sauma.core.resources import REGISTRY, Resource, check_identifiers
from sauma.core.resources.persons import Person
from sauma.core.resources.record import Record
from sauma.exchange.append import note_read
from sauma.exchange.ports import Plot, World, WriteUnit
from sauma.exchange.record import Draft, receipt_member
from sauma.exchange.rows import KnownSubject, RecordHead, RecordRow, SubjectKeys
from sauma.exchange.subjects import other_subjects, subject_at
from sauma.exchange.times import day_of
from sauma.exchange.write import Call, Done, Effect, perform, revision_of


class Deposit(Confidential, frozen=True, kw_only=True):
    """One record as its controller states it; `expected` is the revision it replaces, None when it must not exist."""

    resource: Resource
    id: uuid.UUID
    person: PersonIdentifier
    others: tuple[tuple[PersonIdentifier, str], ...]
    case_reference: str
    retain_until: dt.date
    source_reference: str | None
    fields: Record
    expected: int | None


async def put_record(world: World, call: Call, deposit: Deposit, officer: Officer) -> Done:
    """Store or replace one record."""

    async def effect(unit: WriteUnit) -> Effect:
        revision = await _store(world, unit, call.caller, deposit)
        return Effect(
            draft=_draft(world, call, (deposit,), officer, "deposited"),
            status=201 if revision == 1 else 200,
            members={"resource": deposit.resource.name, "id": str(deposit.id), "revision": revision},
            etag=f'"{revision}"',
            location=f"/v1/{deposit.resource.name}/{deposit.id}" if revision == 1 else None,
        )

    return await perform(world, call, effect)


async def put_records(world: World, call: Call, deposits: tuple[Deposit, ...], officer: Officer) -> Done:
    """Store or replace up to 100 records, all or none."""

    async def effect(unit: WriteUnit) -> Effect:
        rows: list[JsonValue] = []
        for index, deposit in enumerate(deposits):
            try:
                revision = await _store(world, unit, call.caller, deposit)
            except BadRequest as refused:
                # a batch states its revisions: null is one too
                code = "precondition-failed" if refused.code == "precondition-required" else refused.code
                raise BadRequest(code, refused.pointers or (f"/records/{index}",)) from None
            rows.append({"resource": deposit.resource.name, "id": str(deposit.id), "revision": revision})
        return Effect(
            draft=_draft(world, call, deposits, officer, "deposited"),
            status=201,
            members={"records": rows},
        )

    return await perform(world, call, effect)


class Annulment(msgspec.Struct, frozen=True, kw_only=True):
    """Which record is never to be disclosed again, and why."""

    resource: Resource
    id: uuid.UUID
    reason: str
    officer: Officer
    expected: int | None


async def annul(world: World, call: Call, annulment: Annulment) -> Done:
    """Annul one of the controller's own records; it stays sealed and is never disclosed again."""

    async def effect(unit: WriteUnit) -> Effect:
        caller, name = call.caller, annulment.resource.name
        written = await unit.annul_record(caller.organisation, name, annulment.id, annulment.expected)
        revision = revision_of(written)
        draft = Draft(
            kind=EventKind.ANNULMENT,
            caller=caller,
            decision="annulled",
            reason=annulment.reason,
            officer=annulment.officer,
            particulars={"record": {"resource": name, "id": str(annulment.id), "revision": revision}},
            body=call.body,
        )
        return Effect(
            draft=draft,
            status=200,
            members={"resource": name, "id": str(annulment.id), "revision": revision, "state": "annulled"},
            etag=f'"{revision}"',
        )

    return await perform(world, call, effect)


async def state_of(
    world: World, caller: Caller, resource: Resource, record: uuid.UUID
) -> tuple[RecordHead, dict[str, str]]:
    """The controller's own record without its content, and the receipt of having looked.

    Raises:
        BadRequest: `not-found`, also for another controller's record.
    """
    looked: dict[str, JsonValue] = {"record": {"resource": resource.name, "id": str(record)}}
    receipt = await note_read(world, caller, decision="record-state-read", refers=None, particulars=looked)
    async with world.writes.transaction() as unit:
        head = await unit.record_state(caller.organisation, resource.name, record)
    if head is None:
        raise BadRequest("not-found")
    return head, receipt_member(world, receipt.entry, receipt.leaf_hash)


async def _store(world: World, unit: WriteUnit, caller: Caller, deposit: Deposit) -> int:
    """Seal and store one record, and set what the person's row must know of it."""
    check_identifiers(deposit.fields, environment=world.environment)
    controller = caller.organisation
    subject = await subject_at(world, unit, controller, deposit.person)
    people = tuple(person for person, _ in deposit.others) + _named(world, deposit)
    others = await other_subjects(world, unit, controller, tuple({p: None for p in people if p != deposit.person}))
    revision = 1 if deposit.expected is None else deposit.expected + 1
    row = RecordRow(
        controller=controller,
        resource=deposit.resource.name,
        id=deposit.id,
        subject=subject.id,
        revision=revision,
        month=deposit.resource.month_of(deposit.fields),
        retain_until=deposit.retain_until,
        groups=_seal(world, deposit, subject.keys, revision),
        others=tuple(o.id for o in others),
    )
    written = revision_of(await unit.put_record(row))
    if isinstance(deposit.fields, Person):
        await _protect(world, unit, subject, deposit.fields)
    return written


def _seal(world: World, deposit: Deposit, keys: SubjectKeys, revision: int) -> tuple[tuple[str, uuid.UUID, bytes], ...]:
    """One sealed group a class, every field of the class inside, unset ones as null."""
    fragments = deposit.resource.fragments(deposit.fields)
    groups: dict[Sensitivity, dict[int, tuple[Padding, bytes]]] = {}
    for spec in deposit.resource.specs:
        groups.setdefault(spec.sensitivity, {})[spec.id] = (spec.padding, fragments[spec.id])
    groups.setdefault(Sensitivity.ORDINARY, {}).update(_envelope(deposit))
    sealed: list[tuple[str, uuid.UUID, bytes]] = []
    for sensitivity, values in groups.items():
        plot = Plot(
            controller=keys.controller,
            subject=keys.subject,
            record=deposit.id,
            table=deposit.resource.table,
            sensitivity=sensitivity,
            revision=revision,
        )
        key, group = world.vault.seal(plot, keys, values)
        sealed.append((sensitivity.value, key, group))
    return tuple(sealed)


def _envelope(deposit: Deposit) -> dict[int, tuple[Padding, bytes]]:
    """Case and source references and relations: sealed beside the fields, never disclosed (`table * 100 + 97…99`)."""
    base = deposit.resource.table * 100
    relations = [{"kind": p.kind.value, "value": p.value, "relation": relation} for p, relation in deposit.others]
    return {
        base + 97: (Padding.TEXT, msgspec.json.encode(deposit.case_reference)),
        base + 98: (Padding.TEXT, msgspec.json.encode(deposit.source_reference)),
        base + 99: (Padding.TEXT, msgspec.json.encode(relations)),
    }


def _named(world: World, deposit: Deposit) -> tuple[PersonIdentifier, ...]:
    codes = deposit.resource.person_identifiers(deposit.fields)
    return tuple(parse_hetu(code, environment=world.environment).identifier for code in codes)


async def _protect(world: World, unit: WriteUnit, subject: KnownSubject, person: Person) -> None:
    """Protection flag and handling unit from the newest person record: opaque when protected (661/2009 36-37 §)."""
    code = person.home_municipality
    county = world.county_of(code, day_of(world.clock())) if code else None
    await unit.protect_subject(
        subject.id,
        protected=person.turvakielto,
        unit=county or "",
        opaque=world.vault.opaque_unit(subject.canonical, county) if county else "",
    )


def _draft(world: World, call: Call, deposits: tuple[Deposit, ...], officer: Officer, decision: str) -> Draft:
    people = {p: None for d in deposits for p in (d.person, *(o for o, _ in d.others), *_named(world, d))}
    cases = {d.case_reference for d in deposits}
    return Draft(
        kind=EventKind.WRITE,
        caller=call.caller,
        decision=decision,
        officer=officer,
        case_reference=deposits[0].case_reference if len(cases) == 1 else None,
        seeds=tuple(world.vault.person_seed(p) for p in people),
        particulars={
            "records": [{"resource": d.resource.name, "id": str(d.id), "expected": d.expected} for d in deposits]
        },
        body=call.body,
    )


def resource_named(name: str) -> Resource:
    """The depositable resource of a URL name.

    Raises:
        BadRequest: `not-found`.
    """
    resource = REGISTRY.get(name)
    if resource is None or not resource.deposited:
        raise BadRequest("not-found")
    return resource
