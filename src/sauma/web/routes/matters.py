"""The caller's own matters, what it told the client beforehand, and identifiers that changed."""

import datetime as dt

from litestar import Response
from litestar.params import FromPath, JSONBody

from sauma.core.errors import BadRequest
from sauma.core.parties import Action
from sauma.exchange.matters import MatterStatement, Telling, inform, put_matter
from sauma.exchange.subjects import IdentifierChange, change_identifier
from sauma.exchange.times import day_of
from sauma.web.bodies import IdentifierChangeBody, MatterBody, PriorInformationBody
from sauma.web.context import (
    AnyRequest,
    call_of,
    case_reference_of,
    day_or_moment_of,
    done_response,
    edge_of,
    expected_revision,
    moment_of,
    officer_of,
    person_of,
    stay_in_case,
)
from sauma.web.gate import StrictBody, post, put

MATTER = {"scope": "matter:write", "action": Action.MATTER}
TELLING = {"scope": "consent:write", "action": Action.INFORM, "caseless": True}
IDENTIFIERS = {"scope": "record:write", "action": Action.DEPOSIT, "caseless": True}


@put("/v1/matters/{case_reference:str}", opt=MATTER, dto=StrictBody, return_dto=None)
async def state_matter(
    request: AnyRequest, case_reference: FromPath[str], data: JSONBody[MatterBody]
) -> Response[bytes]:
    """Open, change or close the caller's own pending matter; closing needs no If-Match."""
    case_reference_of(case_reference, "/path/caseReference")
    world = edge_of(request).world
    if data.kind not in world.catalogue.codes["matterKinds"]:
        raise BadRequest("invalid-value", ("/kind",))
    call = await call_of(request, f"PUT /v1/matters/{case_reference}")
    officer = await officer_of(request, data.officer, case_reference)
    await stay_in_case(request, {"/path/caseReference": case_reference}, officer=officer)
    said = MatterStatement(
        case_reference=case_reference,
        person=person_of(request, data.subject),
        kind=data.kind,
        opened_at=_opened(data.opened_at, world.clock()),
        state=data.state,
        unit=data.unit,
        officer=officer,
        expected=expected_revision(request),
    )
    done = await put_matter(world, call, said)
    return done_response(request, done, {"caseReference": case_reference})


def _opened(stated: str, now: dt.datetime) -> str:
    """The day or moment a matter was opened, which has come: a case of tomorrow is not pending (ToTuL 18 a.1 §)."""
    opened = day_or_moment_of(stated, "/openedAt")
    future = dt.datetime.fromisoformat(opened) > now if "T" in opened else opened > day_of(now).isoformat()
    if future:
        raise BadRequest("invalid-value", ("/openedAt",))
    return opened


@post("/v1/prior-informations", opt=TELLING, dto=StrictBody, return_dto=None, status_code=201)
async def record_prior_information(request: AnyRequest, data: JSONBody[PriorInformationBody]) -> Response[bytes]:
    """Record that the client was told beforehand (ToTuL 18 a.1 §)."""
    world = edge_of(request).world
    if data.language not in world.catalogue.codes["languages"]:
        raise BadRequest("invalid-value", ("/language",))
    at = moment_of(data.at, "/at")
    if at > world.clock():
        raise BadRequest("invalid-value", ("/at",))
    call = await call_of(request, "POST /v1/prior-informations")
    telling = Telling(
        person=person_of(request, data.subject),
        received_by=data.received_by,
        text_version=data.text_version,
        language=data.language,
        told_at=at,
        officer=await officer_of(request, data.officer),
    )
    return done_response(request, await inform(world, call, telling))


@post("/v1/identifier-changes", opt=IDENTIFIERS, dto=StrictBody, return_dto=None, status_code=201)
async def record_identifier_change(request: AnyRequest, data: JSONBody[IdentifierChangeBody]) -> Response[bytes]:
    """Old and new identifier resolve to one subject among the caller's own records; `wrong-link` splits them."""
    call = await call_of(request, "POST /v1/identifier-changes")
    change = IdentifierChange(
        old=person_of(request, data.old, pointer="/from"),
        new=person_of(request, data.new, pointer="/to"),
        reason=data.reason,
        effective_at=moment_of(data.effective_at, "/effectiveAt"),
        officer=await officer_of(request, data.officer),
    )
    return done_response(request, await change_identifier(edge_of(request).world, call, change))


ROUTES = (state_matter, record_prior_information, record_identifier_change)
