"""Inspect: what a party asked or gave, and ledger entries for auditors. Every read of this kind is itself an entry."""

import datetime as dt
import uuid
from collections.abc import Mapping

import msgspec

from sauma.core.canonical import JsonValue, canonical_bytes, json_members, structured_digest, uuid7, uuid7_time
from sauma.core.errors import BadRequest, SealError
from sauma.core.evidence import EventKind, Leaf, unbase64url
from sauma.core.parties import Caller, Officer
from sauma.core.people import Confidential
from sauma.core.problems import DISCLOSER_SIDE, Reason
from sauma.core.resources import BY_FIELD_ID
from sauma.exchange.append import note_read, refuse
from sauma.exchange.ports import World, WriteUnit
from sauma.exchange.record import Draft, month_of, receipt_member
from sauma.exchange.rows import AuditSessionRow, InspectKeys, LedgerRow, ListKeys
from sauma.exchange.times import day_of, rfc3339
from sauma.exchange.write import Call, Done, Effect, perform

LONGEST_SESSION = dt.timedelta(hours=8)
LONGEST_LIST = dt.timedelta(days=366)


class DisclosureSearch(Confidential, frozen=True, kw_only=True):
    """Which of the caller's own disclosures to list."""

    as_receiver: bool
    since: dt.datetime
    until: dt.datetime
    case_reference: str | None
    cursor: str | None
    limit: int


async def list_disclosures(world: World, caller: Caller, search: DisclosureSearch) -> dict[str, JsonValue]:
    """The caller's own disclosures in one role, oldest first: metadata and receipts, no content.

    Those of the purpose and case its token is for, where it names them (RFC 9396).
    """
    if not search.since < search.until <= search.since + LONGEST_LIST:
        raise BadRequest("invalid-value", ("/query/from", "/query/to"))
    purpose, reference = caller.access.purpose, search.case_reference or caller.access.case_reference
    context = _list_context(caller, search, reference)
    after = _after(world, context, search.cursor)
    looked: dict[str, JsonValue] = {
        "role": "receiver" if search.as_receiver else "discloser",
        "from": rfc3339(search.since),
        "to": rfc3339(search.until),
        "purpose": purpose,
        "caseReference": reference,
    }
    receipt = await note_read(world, caller, decision="disclosures-listed", refers=None, particulars=looked)
    cases = None
    if reference is not None:
        cases = tuple(
            world.vault.case_tag(month, caller.organisation, reference) for month in _months(search.since, search.until)
        )
    keys = ListKeys(
        organisation=caller.organisation,
        as_receiver=search.as_receiver,
        since=search.since,
        until=search.until,
        purpose=purpose,
        cases=cases,
        after=after,
        limit=search.limit + 1,
    )
    rows = await world.inspection.list_disclosures(receipt, keys)
    page = rows[: search.limit]
    cursor = world.vault.seal_cursor(context, page[-1].id.bytes) if len(rows) > search.limit else None
    return {
        "disclosures": [_summary(world, row, caller) for row in page],
        "nextCursor": cursor,
        "receipt": receipt_member(world, receipt.entry, receipt.leaf_hash),
    }


async def find_disclosure(world: World, caller: Caller, entry: uuid.UUID) -> dict[str, JsonValue]:
    """One disclosure the caller's organisation is party to.

    Raises:
        BadRequest: `not-found`, also for other parties' disclosures and for those the token is not for.
    """
    receipt = await note_read(world, caller, decision="disclosure-read", refers=entry)
    row = await world.inspection.find_disclosure(receipt, caller.organisation, entry)
    if row is None:
        raise BadRequest("not-found")
    leaf = msgspec.json.decode(row.leaf, type=Leaf)
    if not token_is_for(world, caller, entry, purpose=leaf.purpose, case=unbase64url(leaf.case or "")):
        raise BadRequest("not-found")
    return _summary(world, row, caller) | {"readReceipt": receipt_member(world, receipt.entry, receipt.leaf_hash)}


def token_is_for(world: World, caller: Caller, entry: uuid.UUID, *, purpose: str | None, case: bytes) -> bool:
    """Whether a disclosure is one the caller's token is for: its purpose, and its case by the tag of its month."""
    access = caller.access
    if access.purpose not in {None, purpose}:
        return False
    if access.case_reference is None:
        return True
    month = month_of(dt.datetime.fromtimestamp(uuid7_time(entry) / 1000, tz=dt.UTC))
    return case == world.vault.case_tag(month, caller.organisation, access.case_reference)


class AuditSession(Confidential, frozen=True, kw_only=True):
    """For what, under which dossier, by whom, and until when the ledger will be read (purpose S2)."""

    audit_purpose: str
    dossier: str
    officer: Officer
    until: dt.datetime


async def open_audit_session(world: World, call: Call, session: AuditSession) -> Done:
    """Open a time-boxed session for ledger reads.

    Raises:
        BadRequest: the end lies in the past or more than eight hours ahead.
        Refused: the officer's role does not carry the purpose, or no grant to the system names the dossier and
            outlives the session (recorded).
    """
    now = world.clock()
    if not now < session.until <= now + LONGEST_SESSION:
        raise BadRequest("invalid-value", ("/until",))
    purpose = world.catalogue.purposes["supervision-audit"]
    if session.officer.role not in purpose.receiver_roles:
        await refuse(world, call.caller, Reason.OFFICER_ROLE, officer=session.officer, body=call.body)
    if not await world.inspection.audit_is_granted(call.caller.client.id, session.dossier, session.until):
        await refuse(world, call.caller, Reason.PARTY_NOT_ENTITLED, officer=session.officer, body=call.body)

    async def effect(unit: WriteUnit) -> Effect:
        draft = Draft(
            kind=EventKind.READ,
            caller=call.caller,
            decision="audit-session-opened",
            officer=session.officer,
            case_reference=session.dossier,
            purpose=purpose.id,
            provisions=tuple(f"{p.act} {p.section}" for p in purpose.provisions_in_force(day_of(now))),
            particulars={"auditPurpose": session.audit_purpose, "until": rfc3339(session.until)},
            body=call.body,
        )
        session_id = uuid7(int(now.timestamp() * 1000), world.entropy(10))
        row = AuditSessionRow(
            id=session_id,
            organisation=call.caller.organisation,
            client=call.caller.client.id,
            audit_purpose=session.audit_purpose,
            dossier=session.dossier,
            until=session.until,
        )
        if not await unit.open_audit_session(row):  # the grant ended a moment ago
            raise BadRequest("state-conflict")
        members: dict[str, JsonValue] = {"id": str(session_id), "until": rfc3339(session.until)}
        return Effect(draft=draft, status=201, members=members)

    return await perform(world, call, effect)


async def read_entry(world: World, caller: Caller, entry: uuid.UUID, session: uuid.UUID | None) -> dict[str, JsonValue]:
    """One ledger entry for an auditor: leaf verbatim, manifest, and the payload opened; the read is an entry first.

    The leaf of a refusal on the discloser's side is null for the caller's own house: what the caller may not learn
    (unknown, not competent, prohibited, protected), its auditor does not learn for it.

    Raises:
        Refused: no standing audit session (recorded).
        BadRequest: `not-found`: absent, or outside the organisation's sight.
    """
    organisation, client = caller.organisation, caller.client.id
    if session is None or not await world.inspection.audit_session_stands(session, organisation, client):
        await refuse(world, caller, Reason.AUDIT_SESSION_MISSING, officer=caller.officer, body=b"")
    looked: dict[str, JsonValue] = {"auditSession": str(session)}
    receipt = await note_read(world, caller, decision="entry-read", refers=entry, particulars=looked)
    look = InspectKeys(organisation=organisation, session=session, entry=entry)
    row = await world.inspection.inspect_entry(receipt, look)
    if row is None:
        raise BadRequest("not-found")
    leaf = msgspec.json.decode(row.leaf, type=Leaf)
    return {
        "id": str(leaf.id),
        "recordedAt": rfc3339(row.recorded_at),
        "leaf": None if _never_public(leaf, caller) else row.leaf.decode(),
        "leafHash": structured_digest(row.leaf_hash),
        "manifest": row.manifest.decode(),
        "fields": _field_paths(row),
        "payload": _seen_by(_payload(world, row), leaf, caller),
        "readReceipt": receipt_member(world, receipt.entry, receipt.leaf_hash),
    }


def _seen_by(payload: JsonValue, leaf: Leaf, caller: Caller) -> JsonValue:
    """The payload as an auditor sees it: the discloser's learns neither the receiver's case nor the digest's salt."""
    if not isinstance(payload, Mapping) or leaf.counterparty != caller.organisation:
        return payload
    carrier = payload.get("carrier")
    if isinstance(carrier, Mapping):  # its issue is the case once more
        carrier = {name: value for name, value in carrier.items() if name != "issue"}
    seen = {name: value for name, value in payload.items() if name not in {"caseReference", "requestSalt", "carrier"}}
    return {**seen, "carrier": carrier}


def _never_public(leaf: Leaf, caller: Caller) -> bool:
    return leaf.organisation == caller.organisation and leaf.reason in {r.value for r in DISCLOSER_SIDE}


def _summary(world: World, row: LedgerRow, caller: Caller) -> dict[str, JsonValue]:
    leaf = msgspec.json.decode(row.leaf, type=Leaf)
    received = leaf.organisation == caller.organisation
    reference: JsonValue = None
    payload = _payload(world, row) if received else None
    if isinstance(payload, dict):
        reference = payload.get("caseReference")
    return {
        "id": str(leaf.id),
        "role": "receiver" if received else "discloser",
        "receiver": leaf.organisation,
        "discloser": leaf.counterparty,
        "recordedAt": rfc3339(row.recorded_at),
        "purpose": leaf.purpose,
        "provisions": list(leaf.provisions),
        "caseReference": reference,
        "fields": _field_paths(row),
        "receipt": receipt_member(world, row.id, row.leaf_hash),
    }


def _field_paths(row: LedgerRow) -> list[JsonValue]:
    rows = msgspec.json.decode(row.manifest, type=list[tuple[str, str, int, str, list[int], str]])
    return [*sorted({BY_FIELD_ID[f][1].path for _, _, _, _, fields, _ in rows for f in fields})]


def _payload(world: World, row: LedgerRow) -> JsonValue:
    leaf = msgspec.json.decode(row.leaf, type=Leaf)
    if row.payload is None or row.payload_key is None or leaf.payload is None:
        return None
    try:
        plain = world.vault.open_payload(row.id, row.payload, row.payload_key, unbase64url(leaf.payload))
    except SealError:
        return None
    return json_members(plain)


def _after(world: World, context: str, cursor: str | None) -> uuid.UUID | None:
    if cursor is None:
        return None
    try:
        return uuid.UUID(bytes=world.vault.open_cursor(context, cursor))
    except (SealError, ValueError):
        raise BadRequest("cursor-expired") from None


def _list_context(caller: Caller, search: DisclosureSearch, reference: str | None) -> str:
    """What a page belongs to; not the window, whose default ends at the moment of each call."""
    asked: JsonValue = [caller.organisation, search.as_receiver, reference, caller.access.purpose]
    return canonical_bytes(asked).hex()


def _months(since: dt.datetime, until: dt.datetime) -> tuple[str, ...]:
    months = []
    first = since.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while first < until:
        months.append(month_of(first))
        first = (first + dt.timedelta(days=32)).replace(day=1)
    return tuple(months)
