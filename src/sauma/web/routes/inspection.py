"""What a party asked or gave, what became of it, and the ledger for auditors."""

import datetime as dt
import re
import uuid

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody

from sauma.core.errors import BadRequest
from sauma.core.parties import Action
from sauma.core.problems import Reason
from sauma.exchange.append import refuse
from sauma.exchange.inspect import (
    AuditSession,
    DisclosureSearch,
    find_disclosure,
    list_disclosures,
    open_audit_session,
    read_entry,
)
from sauma.exchange.matters import Erasure, attest_erasure
from sauma.web.bodies import AuditSessionBody, ErasureBody, Moment
from sauma.web.context import (
    AnyRequest,
    call_of,
    caller_of,
    case_reference_of,
    done_response,
    edge_of,
    json_response,
    moment_of,
    officer_of,
    optional_officer,
    stay_in_case,
    uuid_of,
)
from sauma.web.gate import StrictBody, get, post, strict_query

LIST_QUERY = ("role", "from", "to", "caseReference", "after", "limit")
OWN = {"scope": "case:read", "or_scope": "record:write", "action": Action.INSPECT}
AUDIT = {"scope": "ledger:read", "action": Action.AUDIT}
_SCOPES = {"receiver": "case:read", "discloser": "record:write"}
_DEFAULT_DAYS = 31
_MOST = 100


@get("/v1/disclosures", opt=OWN | {"query": LIST_QUERY})
async def list_own_disclosures(request: AnyRequest) -> Response[bytes]:
    """What the caller asked (role receiver) or gave (role discloser): metadata and receipts, no content."""
    query = strict_query(request.scope["query_string"], LIST_QUERY)
    role = query.get("role", "receiver")
    if role not in _SCOPES:
        raise BadRequest("invalid-value", ("/query/role",))
    caller = caller_of(request)
    if _SCOPES[role] not in caller.scopes:
        await refuse(edge_of(request).world, caller, Reason.SCOPE_MISSING, officer=caller.officer, body=b"")
    reference = query.get("caseReference")
    if reference is not None:
        officer = await optional_officer(request, None, reference)
        await stay_in_case(request, {"/query/caseReference": reference}, officer=officer)
    world = edge_of(request).world
    until = _moment(query, "to") or world.clock()
    search = DisclosureSearch(
        as_receiver=role == "receiver",
        since=_moment(query, "from") or until - dt.timedelta(days=_DEFAULT_DAYS),
        until=until,
        case_reference=None if reference is None else case_reference_of(reference, "/query/caseReference"),
        cursor=query.get("after"),
        limit=_limit(query),
    )
    return json_response(await list_disclosures(world, caller, search))


@get("/v1/disclosures/{disclosure_id:str}", opt=OWN)
async def get_own_disclosure(request: AnyRequest, disclosure_id: FromPath[str]) -> Response[bytes]:
    """One disclosure the caller's organisation is party to."""
    entry = uuid_of(disclosure_id, "/path/disclosureId")
    caller = caller_of(request)
    members = await find_disclosure(edge_of(request).world, caller, entry)
    if _SCOPES[str(members["role"])] not in caller.scopes:
        raise BadRequest("not-found")
    return json_response(members)


@post(
    "/v1/disclosures/{disclosure_id:str}/erasures",
    opt={"scope": "case:read", "action": Action.ERASE},
    dto=StrictBody,
    return_dto=None,
    status_code=201,
)
async def record_erasure(
    request: AnyRequest, disclosure_id: FromPath[str], data: JSONBody[ErasureBody]
) -> Response[bytes]:
    """Say what became of a disclosure's content at the receiver."""
    entry = uuid_of(disclosure_id, "/path/disclosureId")
    world = edge_of(request).world
    if (data.extent == "other-purpose") != (data.purpose is not None):
        raise BadRequest("invalid-value", ("/purpose",))
    if data.purpose is not None and data.purpose not in world.catalogue.purposes:
        raise BadRequest("invalid-value", ("/purpose",))
    at = moment_of(data.at, "/at")
    if at > world.clock():
        raise BadRequest("invalid-value", ("/at",))
    call = await call_of(request, f"POST /v1/disclosures/{entry}/erasures")
    erasure = Erasure(
        disclosure=entry,
        extent=data.extent,
        purpose=data.purpose,
        officer=await officer_of(request, data.officer),
        at=at,
    )
    return done_response(request, await attest_erasure(world, call, erasure))


@post("/v1/audit-sessions", opt=AUDIT, dto=StrictBody, return_dto=None, status_code=201)
async def start_audit_session(request: AnyRequest, data: JSONBody[AuditSessionBody]) -> Response[bytes]:
    """Open a time-boxed right to read the ledger for a dossier (purpose S2)."""
    world = edge_of(request).world
    if data.audit_purpose not in world.catalogue.codes["auditPurposes"]:
        raise BadRequest("invalid-value", ("/auditPurpose",))
    call = await call_of(request, "POST /v1/audit-sessions")
    officer = await officer_of(request, data.officer, data.dossier)
    await stay_in_case(request, {"/dossier": data.dossier}, officer=officer)
    session = AuditSession(
        audit_purpose=data.audit_purpose,
        dossier=case_reference_of(data.dossier, "/dossier"),
        officer=officer,
        until=moment_of(data.until, "/until"),
    )
    return done_response(request, await open_audit_session(world, call, session))


@get("/v1/ledger/entries/{entry_id:str}", opt=AUDIT)
async def get_ledger_entry(request: AnyRequest, entry_id: FromPath[str]) -> Response[bytes]:
    """One ledger entry within the auditor's sight; needs `Sauma-Audit-Session`."""
    entry = uuid_of(entry_id, "/path/entryId")
    members = await read_entry(edge_of(request).world, caller_of(request), entry, _session(request))
    return json_response(members)


def _session(request: AnyRequest) -> uuid.UUID | None:
    values = request.headers.getall("sauma-audit-session", [])
    if not values:
        return None
    if len(values) != 1:
        raise BadRequest("invalid-value", ("/headers/Sauma-Audit-Session",))
    return uuid_of(values[0], "/headers/Sauma-Audit-Session")


def _moment(query: dict[str, str], name: str) -> dt.datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        moment: dt.datetime = msgspec.convert(text, Moment)
    except msgspec.ValidationError:
        raise BadRequest("invalid-value", (f"/query/{name}",)) from None
    return moment_of(moment, f"/query/{name}")


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", "50")
    if not re.fullmatch("[1-9][0-9]{0,2}", text) or int(text) > _MOST:
        raise BadRequest("invalid-value", ("/query/limit",))
    return int(text)


ROUTES = (list_own_disclosures, get_own_disclosure, record_erasure, start_audit_session, get_ledger_entry)
