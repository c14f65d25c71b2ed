"""Disclose: the main job, as the one path. Decide, record, read, open, answer; each step consumes the one before.

A crash after the append and before the answer leaves an entry that says more than left: the ledger may over-report,
never under-report. What fails in between is said by an outcome entry where the process still can.
"""

import uuid

import msgspec

from sauma.core.canonical import JsonValue, canonical_bytes, digest
from sauma.core.decision import HEADERS, PULLS_BUILT, Ask, Permit, Refusal, decide, wanted_resources, window_of
from sauma.core.disclosure import Disclosed, Opened, Receipt
from sauma.core.errors import BadRequest, SealError, Unavailable
from sauma.core.evidence import EventKind, ManifestRow
from sauma.core.matters import BasisVersions, Facts, Form, Months, RecordHeader, RecordKey
from sauma.core.parties import KELA, Caller, Officer, OrganisationKind, vouched
from sauma.core.people import Confidential, PersonIdentifier
from sauma.core.problems import Reason
from sauma.core.purposes import Mode
from sauma.exchange.append import Refused, StepUp, committed, refuse_access
from sauma.exchange.ports import Build, World
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.render import common_members, disclosed_members, nothing_members, refused_pointers
from sauma.exchange.rows import Gathered, GatherKeys, Missed
from sauma.exchange.times import day_of

TRIES = 3


class CaseQuery(Confidential, frozen=True, kw_only=True):
    """A case query as it came through the gate; `body` is what was received, digested into the entry."""

    caller: Caller
    purpose: str
    case_reference: str
    controller: str | None
    person: PersonIdentifier
    officer: Officer | None
    period: Months | None
    form: Form
    fields: tuple[str, ...] | None
    necessity: dict[str, str]
    limit: int
    cursor: str | None
    body: bytes


class _Step(Confidential, frozen=True, kw_only=True):
    """One try of the path: the question and what was gathered for it."""

    world: World
    query: CaseQuery
    ask: Ask
    gathered: Gathered
    seed: bytes


async def disclose(world: World, query: CaseQuery) -> Disclosed:
    """Answer a case query: values, existence, or that nothing can be disclosed.

    Raises:
        BadRequest: no controller is named where several could be asked, or the cursor is not of this question.
        Refused: the caller's own side is not in order, or the question is not one its token is for; recorded.
        StepUp: the officer has not logged in as the purpose wants; recorded.
        ProofReplayed, CallerChanged: the proof or token no longer holds; nothing was written.
        Unavailable: ledger or keys cannot answer, or the records kept changing; no field left.
    """
    ask = _ask(world, query)
    await _stay_within(world, query, ask)
    claims = query.caller.claims
    superseded = False
    for _ in range(TRIES):
        gathered = await world.records.gather(_keys(world, query, ask))
        step = _Step(world=world, query=query, ask=ask, gathered=gathered, seed=world.vault.person_seed(query.person))
        decision = decide(ask, _facts(step), world.catalogue, day=day_of(world.clock()))
        named = manifest(decision) if isinstance(decision, Permit) else ()
        appended = await world.ledger.append(_entry(step, decision, named), claims, _basis(query, decision))
        if appended is Missed.BASIS_CHANGED:
            continue
        receipt, claims = committed(appended), ()
        if isinstance(decision, Refusal):
            if decision.public:
                raise _told(world, decision, receipt)
            return _nothing(step, receipt)
        disclosed = await _deliver(step, receipt, decision, named)
        if isinstance(disclosed, Disclosed):
            return disclosed
        if superseded:
            break
        superseded = True
    raise Unavailable("overloaded")


def _told(world: World, refusal: Refusal, receipt: Receipt) -> Refused | StepUp:
    code = refusal.reason.value
    if code == Reason.OFFICER_ASSURANCE.value:
        return StepUp(receipt)
    return Refused(code, receipt, refused_pointers(refusal, world.catalogue))


async def _stay_within(world: World, query: CaseQuery, ask: Ask) -> None:
    """Before anything is gathered: the question is one that the token is for (RFC 9396).

    Raises:
        Refused: it names another purpose, case or field, or names no field and none of those released is left.
    """
    access = query.caller.access
    stray = access.stray(purpose=query.purpose, case_reference=query.case_reference, fields=query.fields or ())
    unnamed = query.fields is None and access.fields is not None and query.purpose in world.catalogue.purposes
    if unnamed and not stray and not wanted_resources(ask, world.catalogue):
        stray = ("/fields",)
    if stray:
        await refuse_access(world, query.caller, stray, officer=query.officer, body=query.body)


async def _deliver(step: _Step, receipt: Receipt, permit: Permit, named: tuple[ManifestRow, ...]) -> Disclosed | Missed:
    """Read, open and answer with the committed receipt; whatever goes wrong here is recorded as an outcome."""
    missed: Missed | None = None
    try:
        sealed = await step.world.records.read(receipt, named)
        if not isinstance(sealed, Missed):
            return _answer(step, step.world.vault.open_sealed(sealed), permit)
        missed, why = sealed, sealed.value
    except SealError:
        why = "crypto-unavailable"
    except Unavailable as error:
        why = error.code
    await _outcome(step, receipt, why)
    if missed is None:
        raise Unavailable(why)
    return missed


async def _outcome(step: _Step, receipt: Receipt, reason: str) -> None:
    draft = Draft(
        kind=EventKind.OUTCOME,
        caller=step.query.caller,
        decision="undelivered",
        reason=reason,
        officer=step.ask.officer,
        counterparty=step.ask.controller,
        purpose=step.ask.purpose,
        seeds=(step.seed,),
        refers=receipt.entry,
    )
    _, build = compose(step.world, draft)
    committed(await step.world.ledger.append(build, (), caller_basis(step.query.caller)))


def manifest(permit: Permit) -> tuple[ManifestRow, ...]:
    """Exactly the groups and fields the permit names, one row a group; for existence one row a record, no field.

    A group that has gone is named all the same: the gate then hands out nothing.
    """
    if permit.ask.form is Form.EXISTENCE:
        return tuple(_row(r.header, "", (), b"") for r in permit.records)
    return tuple(
        _row(r.header, name, tuple([s.id for s in specs]), r.header.groups.get(name, b""))
        for r in permit.records
        for name, specs in r.fields.items()
    )


def _row(header: RecordHeader, sensitivity: str, fields: tuple[int, ...], group: bytes) -> ManifestRow:
    return ManifestRow(
        resource=header.resource,
        record=header.id,
        revision=header.revision,
        sensitivity=sensitivity,
        fields=fields,
        digest=group,
    )


def _ask(world: World, query: CaseQuery) -> Ask:
    if query.controller is None and not _kela_answers(world, query.purpose):
        raise BadRequest("invalid-value", ("/controller",))
    after: RecordKey | None = None
    if query.cursor is not None:
        try:
            end = world.vault.open_cursor(_cursor_context(query), query.cursor)
            after = RecordKey(record=uuid.UUID(bytes=end[:16]), resource=end[16:].decode())
        except (SealError, ValueError):
            raise BadRequest("cursor-expired") from None
    return Ask(
        caller=query.caller,
        purpose=query.purpose,
        case_reference=query.case_reference,
        controller=query.controller or KELA,
        officer=query.officer,
        period=query.period,
        form=query.form,
        fields=query.fields,
        necessity=query.necessity,
        limit=query.limit,
        after=after,
        vouched=vouched(query.caller, query.officer, now=world.clock()),
    )


def _kela_answers(world: World, purpose_id: str) -> bool:
    """Whether Kela can be meant where nobody is named; of what is not built or unknown the decision speaks."""
    purpose = world.catalogue.purposes.get(purpose_id)
    if purpose is None or purpose_id not in PULLS_BUILT:
        return True
    return any(f.mode is Mode.PULL and OrganisationKind.KELA in f.discloser for f in purpose.flows)


def _keys(world: World, query: CaseQuery, ask: Ask) -> GatherKeys:
    now = world.clock()
    months = window_of(ask, world.catalogue, day=day_of(now))
    first, last = months.text()
    return GatherKeys(
        client=query.caller.client.id,
        client_version=query.caller.client.version,
        organisation=query.caller.organisation,
        discloser=ask.controller,
        purpose=ask.purpose,
        case_mac=world.vault.case_index(ask.case_reference),
        own_index=world.vault.blind_index(query.person, query.caller.organisation),
        index=world.vault.blind_index(query.person, ask.controller),
        resources=wanted_resources(ask, world.catalogue),
        first=first,
        last=last,
        after=ask.after,
        limit=HEADERS,
    )


def _facts(step: _Step) -> Facts:
    gathered, world = step.gathered, step.world
    subject = gathered.subject if gathered.found else None
    organisation = step.query.caller.organisation
    competent = subject is not None and (
        subject.handling_unit == organisation
        or subject.handling_unit == world.vault.opaque_unit(subject.id, organisation)
    )
    return Facts(
        organisation=gathered.organisation,
        discloser=gathered.discloser,
        agreement=gathered.agreement,
        matter=gathered.matter,
        matter_elsewhere=gathered.matter_elsewhere,
        prior_information=gathered.prior_information,
        subject=subject,
        competent=competent,
        prohibitions=gathered.prohibitions if gathered.found else (),
        headers=gathered.headers if gathered.found else (),
        recent=gathered.recent,
        basis=gathered.basis,
    )


def _basis(query: CaseQuery, decision: Permit | Refusal) -> BasisVersions:
    if isinstance(decision, Refusal):
        return caller_basis(query.caller)
    return decision.basis


def _entry(step: _Step, decision: Permit | Refusal, rows: tuple[ManifestRow, ...]) -> Build:
    permit = decision if isinstance(decision, Permit) else None
    refusal = decision if isinstance(decision, Refusal) else None
    named = sorted({s.path for r in permit.records for specs in r.fields.values() for s in specs}) if permit else []
    particulars: dict[str, JsonValue] = {
        "fields": named or None,
        "form": step.ask.form.value,
        "asked": list(step.ask.fields) if step.ask.fields is not None else None,
        "necessity": step.ask.necessity,
        "priorInformationId": str(permit.prior_information) if permit and permit.prior_information else None,
        "agreementId": str(permit.basis.agreement) if permit and permit.basis.agreement else None,
        "protected": permit.subject.protected if permit else None,
    }
    draft = Draft(
        kind=EventKind.REFUSAL if refusal else EventKind.DISCLOSURE,
        caller=step.query.caller,
        decision="refuse" if refusal else "permit",
        reason=refusal.reason.value if refusal else None,
        officer=step.ask.officer,
        case_reference=step.ask.case_reference,
        counterparty=step.ask.controller,
        purpose=decision.purpose.id if decision.purpose else None,
        provisions=tuple(f"{p.act} {p.section}" for p in decision.provisions),
        seeds=(step.seed, *_other_seeds(step, permit)),
        manifest=rows,
        particulars=particulars,
        body=step.query.body,
    )
    return compose(step.world, draft)[1]


def _other_seeds(step: _Step, permit: Permit | None) -> tuple[bytes, ...]:
    """Everyone else named in the records that leave: their data leave too."""
    if permit is None:
        return ()
    wrapped = {seed: None for r in permit.records for seed in r.header.others}
    return tuple(step.world.vault.unwrap_seed(step.ask.controller, seed) for seed in wrapped)


def _nothing(step: _Step, receipt: Receipt) -> Disclosed:
    purpose = step.world.catalogue.purposes[step.ask.purpose]
    members = common_members(step.world, purpose, step.gathered, receipt=receipt, pairwise=_pairwise(step))
    return Disclosed(body=msgspec.json.encode(members | nothing_members(step.ask)), receipt=receipt, fields=None)


def _answer(step: _Step, opened: Opened, permit: Permit) -> Disclosed:
    cursor = None
    if permit.more_after is not None:
        end = permit.more_after.record.bytes + permit.more_after.resource.encode()
        cursor = step.world.vault.seal_cursor(_cursor_context(step.query), end)
    receipt, pairwise = opened.receipt, _pairwise(step)
    members = common_members(step.world, permit.purpose, step.gathered, receipt=receipt, pairwise=pairwise)
    body = msgspec.json.encode(members | disclosed_members(permit, opened, cursor=cursor))
    return Disclosed(body=body, receipt=receipt, fields=sum(len(record.fragments) for record in opened.records))


def _pairwise(step: _Step) -> str:
    person = step.query.person
    return step.world.vault.pairwise_id(step.query.caller.organisation, person.kind, person.value)


def _cursor_context(query: CaseQuery) -> str:
    """What a page belongs to: the same question by the same organisation, or the cursor does not open."""
    asked: JsonValue = [
        query.caller.organisation,
        query.purpose,
        query.case_reference,
        query.controller,
        query.person.kind.value,
        query.person.value,
        list(query.period.text()) if query.period else None,
        query.form.value,
        list(query.fields) if query.fields is not None else None,
    ]
    return digest(canonical_bytes(asked)).hex()
