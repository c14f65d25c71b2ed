"""The members of a case query's answer, spliced from the opened fragments: nothing is decoded and encoded again."""

import datetime as dt

import msgspec

from sauma.core.canonical import structured_digest
from sauma.core.decision import Ask, Permit, Refusal
from sauma.core.disclosure import Opened, OpenedRecord, Receipt
from sauma.core.matters import Form
from sauma.core.people import Confidential
from sauma.core.problems import Reason
from sauma.core.purposes import Catalogue, Cell, Mode, Purpose
from sauma.core.resources import BY_FIELD_ID
from sauma.exchange.ports import World
from sauma.exchange.record import receipt_member
from sauma.exchange.rows import Gathered
from sauma.exchange.times import day_of, rfc3339

POINTERS = {
    Reason.PURPOSE_UNKNOWN: ("/purpose",),
    Reason.PURPOSE_NOT_AGREED: ("/purpose",),
    Reason.WINDOW_EXCEEDED: ("/period",),
    Reason.OFFICER_MISSING: ("/officer",),
    Reason.OFFICER_ROLE: ("/officer/role",),
    Reason.MATTER_MISSING: ("/caseReference",),
    Reason.MATTER_CLOSED: ("/caseReference",),
    Reason.MATTER_FOREIGN: ("/caseReference",),
    Reason.SUBJECT_MISMATCH: ("/subject",),
}
"""The member of a query a refusal is about, where it is always the same."""

NOTHING = {
    "fi": "Tämän käyttötarkoituksen perusteella ei voida luovuttaa mitään; tämä ei kerro, onko rekisterinpitäjällä"
    " tietoja henkilöstä.",
    "sv": "Ingenting kan lämnas ut för detta ändamål; detta säger inte om den personuppgiftsansvarige har uppgifter"
    " om personen.",
    "en": "Nothing can be disclosed under this purpose; this does not say whether the controller holds data on the"
    " person.",
}


class _Told(Confidential, frozen=True, kw_only=True):
    """What an answer of a day says of its purpose, as JSON; `catalogue` is kept: no other may take its identity."""

    catalogue: Catalogue
    purpose: msgspec.Raw
    basis: msgspec.Raw
    erase_by: str | None


_TOLD: dict[tuple[int, str, dt.date], _Told] = {}
_MOST = 256  # a catalogue has far fewer purposes; tests make many catalogues


def _told(catalogue: Catalogue, purpose: Purpose, day: dt.date) -> _Told:
    """The part of an answer that follows from purpose and day alone, written once."""
    key = (id(catalogue), purpose.id, day)
    known = _TOLD.get(key)
    if known is not None:
        return known
    if len(_TOLD) >= _MOST:
        _TOLD.clear()
    flow = next(f for f in purpose.flows if f.mode is Mode.PULL)
    provisions: list[dict[str, object]] = [
        {"act": p.act, "section": p.section, "title": {"fi": p.title.fi, "sv": p.title.sv, "en": p.title.en}}
        for p in purpose.provisions_in_force(day)
    ]
    names: dict[str, object] = {
        "id": purpose.id,
        "version": purpose.version,
        "catalogueDigest": structured_digest(catalogue.digest),
    }
    basis: dict[str, object] = {"kind": flow.basis.value, "provisions": provisions}
    days = catalogue.erase_by_days.get(purpose.erase_by)
    known = _TOLD[key] = _Told(
        catalogue=catalogue,
        purpose=msgspec.Raw(msgspec.json.encode(names)),
        basis=msgspec.Raw(msgspec.json.encode(basis)),
        erase_by=(day + dt.timedelta(days=days)).isoformat() if days else None,
    )
    return known


def common_members(
    world: World, purpose: Purpose, gathered: Gathered, *, receipt: Receipt, pairwise: str
) -> dict[str, object]:
    """What every 200 of a case query says, whatever left: never dependent on the person but for their pairwise id."""
    now = world.clock()
    told = _told(world.catalogue, purpose, day_of(now))
    return {
        "disclosureId": receipt.entry,
        "decidedAt": rfc3339(now),
        "purpose": told.purpose,
        "basis": told.basis,
        "subject": {"subjectId": pairwise},
        "sources": [
            {
                "controller": gathered.discloser.id if gathered.discloser else None,
                "resource": s.resource,
                "status": s.status,
                "currentAsOf": rfc3339(s.current_as_of),
            }
            for s in gathered.sources
        ],
        "eraseBy": told.erase_by,
        "receipt": receipt_member(world, receipt.entry, receipt.leaf_hash),
    }


def nothing_members(ask: Ask) -> dict[str, object]:
    """The one answer for every reason on the discloser's side and for an unknown person."""
    return {
        "outcome": "nothing-disclosable",
        "case": {"caseReference": ask.case_reference},
        "records": [],
        "withheld": [],
        "explanation": NOTHING,
        "contact": {"controller": ask.controller},
        "nextCursor": None,
    }


def disclosed_members(permit: Permit, opened: Opened, *, cursor: str | None) -> dict[str, object]:
    """What left: records with their fields, or for existence one line a resource and month."""
    members: dict[str, object] = {
        "outcome": "disclosed",
        "case": {"caseReference": permit.ask.case_reference},
        "withheld": permit.withheld,
        "nextCursor": cursor,
    }
    if permit.ask.form is Form.EXISTENCE:
        lines = sorted({(r.header.resource, r.header.month) for r in permit.records}, key=repr)
        members["records"] = []
        members["existence"] = [{"resource": name, "month": month, "exists": True} for name, month in lines]
        return members
    times = {(r.header.resource, r.header.id): r.header.recorded_at for r in permit.records}
    controller = msgspec.json.encode(permit.ask.controller)
    records = [_record(r, rfc3339(times[r.resource, r.record]), controller) for r in opened.records]
    members["records"] = msgspec.Raw(b"[" + b",".join(records) + b"]")
    return members


def _record(record: OpenedRecord, recorded_at: str, controller: bytes) -> bytes:
    """One record: its fields are the very fragments that were opened, without their padding."""
    fragments = record.fragments
    fields = b",".join([_MEMBERS[field] + fragments[field].rstrip(b" ") for field in sorted(fragments)])
    return b'{"resource":"%b","id":"%b","revision":%d,"recordedAt":"%b","controller":%b,"fields":{%b}}' % (
        record.resource.encode(),
        str(record.record).encode(),
        record.revision,
        recorded_at.encode(),
        controller,
        fields,
    )


_MEMBERS = {field: msgspec.json.encode(spec.member) + b":" for field, (_, spec) in BY_FIELD_ID.items()}
"""A field's name as it stands before its value."""


def refused_pointers(refusal: Refusal, catalogue: Catalogue) -> tuple[str, ...]:
    """Which members of the query a refusal is about, by schema members and indexes; never what stood there."""
    ask, purpose = refusal.ask, refusal.purpose
    if refusal.reason not in {Reason.FIELD_NOT_PERMITTED, Reason.NECESSITY_MISSING} or purpose is None:
        return POINTERS.get(refusal.reason, ())
    asked = list(enumerate(ask.fields or ()))
    if refusal.reason is Reason.FIELD_NOT_PERMITTED:
        return tuple(f"/fields/{n}" for n, path in asked if path not in purpose.cells)
    codes = catalogue.codes["necessity"]
    optional = [(n, path) for n, path in asked if purpose.cells.get(path) is Cell.OPTIONAL]
    given = {path: codes.get(code) for path, code in ask.necessity.items()}
    return tuple(f"/fields/{n}" for n, path in optional if (code := given.get(path)) is None or path not in code.fields)
