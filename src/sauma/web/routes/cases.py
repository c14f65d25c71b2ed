"""The main job over HTTP: `POST /v1/case-queries`."""

from litestar.params import JSONBody
from litestar.types import ASGIApp

from sauma.core.errors import BadRequest
from sauma.core.matters import Form, Months
from sauma.core.parties import Action
from sauma.exchange.disclose import CaseQuery, disclose
from sauma.web.bodies import CaseQueryBody, PeriodBody
from sauma.web.context import (
    AnyRequest,
    DisclosedAnswer,
    caller_of,
    case_reference_of,
    edge_of,
    optional_officer,
    person_of,
)
from sauma.web.gate import StrictBody, post
from sauma.web.telemetry.tracing import DISCLOSED, NOTHING

OPT = {"scope": "case:read", "action": Action.DISCLOSE}


@post("/v1/case-queries", opt=OPT, dto=StrictBody, return_dto=None, status_code=200)
async def query_case(request: AnyRequest, data: JSONBody[CaseQueryBody]) -> ASGIApp:
    """Ask for a client's minimal case data: a purpose and a case, never a law."""
    reference = case_reference_of(data.case_reference, "/caseReference")
    query = CaseQuery(
        caller=caller_of(request),
        purpose=data.purpose,
        case_reference=reference,
        controller=data.controller,
        person=person_of(request, data.subject),
        officer=await optional_officer(request, data.officer, reference),
        period=None if data.period is None else _months(data.period),
        form=Form(data.form),
        fields=data.fields,
        necessity=data.necessity,
        limit=data.limit,
        cursor=data.cursor,
        body=await request.body(),
    )
    noted = request.scope["state"]
    noted["purpose"] = data.purpose
    disclosed = await disclose(edge_of(request).world, query)
    noted["outcome"] = NOTHING if disclosed.fields is None else DISCLOSED
    noted["fields"] = disclosed.fields or 0
    return DisclosedAnswer(disclosed)


def _months(period: PeriodBody) -> Months:
    if period.first > period.last:
        raise BadRequest("invalid-value", ("/period",))
    return Months(first=period.first.replace(day=1), last=period.last.replace(day=1))


ROUTES = (query_case,)
