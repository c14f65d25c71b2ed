"""The members of a case query's answer, spliced from the opened fragments: nothing is decoded and encoded again."""

import datetime as dt

import msgspec

from sauma.core.canonical import structured_digest
from sauma.core.decision import Ask, Permit, Reason, Refusal
from sauma.core.disclosure import Opened, OpenedRecord, Receipt
from sauma.core.matters import Form
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


def common_members(
    world: World, purpose: Purpose, gathered: Gathered, *, receipt: Receipt, pairwise: str
) -> dict[str, object]:
    """What every 200 of a case query says, whatever left: never dependent on the person but for their pairwise id."""
    now = world.clock()
    day = day_of(now)
    days = world.catalogue.erase_by_days.get(purpose.erase_by)
    flow = next(f for f in purpose.flows if f.mode is Mode.PULL)
    return {
        "disclosureId": str(receipt.entry),
        "decidedAt": rfc3339(now),
        "purpose": {
            "id": purpose.id,
            "version": purpose.version,
            "catalogueDigest": structured_digest(world.catalogue.digest),
        },
        "basis": {
            "kind": flow.basis.value,
            "provisions": [
                {"act": p.act, "section": p.section, "title": {"fi": p.title.fi, "sv": p.title.sv, "en": p.title.en}}
                for p in purpose.provisions_in_force(day)
            ],
        },
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
        "eraseBy": (day + dt.timedelta(days=days)).isoformat() if days else None,
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
    headers = {(r.header.resource, r.header.id): r.header for r in permit.records}
    members["records"] = [
        {
            "resource": r.resource,
            "id": str(r.record),
            "revision": r.revision,
            "recordedAt": rfc3339(headers[r.resource, r.record].recorded_at),
            "controller": permit.ask.controller,
            "fields": _fields(r),
        }
        for r in opened.records
    ]
    return members


def _fields(record: OpenedRecord) -> dict[str, msgspec.Raw]:
    return {
        BY_FIELD_ID[field][1].member: msgspec.Raw(fragment.rstrip(b" "))
        for field, fragment in sorted(record.fragments.items())
    }


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
