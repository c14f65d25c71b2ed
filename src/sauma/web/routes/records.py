"""A controller's own records: deposit, replace, look at the state, annul; one set of routes a resource."""

import uuid
from collections.abc import Mapping

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from sauma.core.canonical import JsonValue, structured_digest
from sauma.core.errors import BadRequest
from sauma.core.parties import Action, Officer
from sauma.core.people import Confidential, PersonIdentifier
from sauma.core.resources import REGISTRY, Resource
from sauma.exchange.append import refuse_access
from sauma.exchange.deposit import Annulment, Deposit, annul, put_record, put_records, resource_named, state_of
from sauma.exchange.publish import PublicationStatement, put_publication_state
from sauma.exchange.times import rfc3339
from sauma.web.bodies import (
    AnnulmentBody,
    CoSubjectBody,
    DepositBody,
    DepositsBody,
    PublicationStateBody,
    RecordBody,
)
from sauma.web.context import (
    AnyRequest,
    call_of,
    caller_of,
    case_reference_of,
    done_response,
    edge_of,
    expected_revision,
    json_response,
    moment_of,
    officer_of,
    optional_officer,
    person_of,
    stay_in_case,
    uuid_of,
)
from sauma.web.gate import DEPOSITS_LIMIT, StrictBody, get, post, put

DEPOSIT = {"scope": "record:write", "action": Action.DEPOSIT}
CASELESS = DEPOSIT | {"caseless": True}
LOOK = {"scope": "record:write", "action": Action.INSPECT, "caseless": True}


def record_routes(resource: Resource) -> tuple[HTTPRouteHandler, ...]:
    """The three operations on one kind of record."""
    path = f"/v1/{resource.name}/{{record_id:str}}"

    @put(path, opt=DEPOSIT, dto=StrictBody, return_dto=None, name=f"put-{resource.name}")
    async def put_one(request: AnyRequest, record_id: FromPath[str], data: JSONBody[RecordBody]) -> Response[bytes]:
        record = uuid_of(record_id, "/path/recordId")
        call = await call_of(request, f"PUT /v1/{resource.name}/{record}")
        officer = await officer_of(request, data.officer, data.case_reference)
        await stay_in_case(request, {"/caseReference": data.case_reference}, officer=officer)
        target = _Target(resource=resource, record=record, expected=expected_revision(request))
        await _add_only(request, {"/headers/If-Match": target.expected}, officer=officer)
        deposit = _deposit(request, target, data)
        return done_response(request, await put_record(edge_of(request).world, call, deposit, officer))

    @get(path, opt=LOOK, name=f"get-{resource.name}")
    async def get_one(request: AnyRequest, record_id: FromPath[str]) -> Response[bytes]:
        record = uuid_of(record_id, "/path/recordId")
        head, receipt = await state_of(edge_of(request).world, caller_of(request), resource, record)
        members: dict[str, JsonValue] = {
            "resource": resource.name,
            "id": str(record),
            "revision": head.revision,
            "state": head.state,
            "recordedAt": rfc3339(head.recorded_at),
            "digests": {name: structured_digest(value) for name, value in head.digests.items()},
            "receipt": receipt,
        }
        return json_response(members, headers={"ETag": f'"{head.revision}"'})

    @post(
        f"{path}/annulment",
        opt=CASELESS,
        dto=StrictBody,
        return_dto=None,
        status_code=200,
        name=f"annul-{resource.name}",
    )
    async def annul_one(
        request: AnyRequest, record_id: FromPath[str], data: JSONBody[AnnulmentBody]
    ) -> Response[bytes]:
        record = uuid_of(record_id, "/path/recordId")
        call = await call_of(request, f"POST /v1/{resource.name}/{record}/annulment")
        annulment = Annulment(
            resource=resource,
            id=record,
            reason=data.reason,
            officer=await officer_of(request, data.officer),
            expected=expected_revision(request),
        )
        return done_response(request, await annul(edge_of(request).world, call, annulment))

    put_one.fn.__doc__ = f"Deposit or replace one of the controller's own {resource.name}."
    get_one.fn.__doc__ = f"State, revision and digests of one of the controller's own {resource.name}; no content."
    annul_one.fn.__doc__ = f"Never disclose one of the controller's own {resource.name} again."
    return put_one, get_one, annul_one


@post(
    "/v1/deposits",
    opt=DEPOSIT | {"body_limit": DEPOSITS_LIMIT},
    dto=StrictBody,
    return_dto=None,
    status_code=201,
)
async def deposit_records(request: AnyRequest, data: JSONBody[DepositsBody]) -> Response[bytes]:
    """Deposit up to 100 records, all or none."""
    call = await call_of(request, "POST /v1/deposits")
    named = {f"/records/{index}/caseReference": record.case_reference for index, record in enumerate(data.records)}
    officer = await officer_of(request, data.officer, *named.values())
    await stay_in_case(request, named, officer=officer)
    replaced = {f"/records/{index}/expectedRevision": row.expected_revision for index, row in enumerate(data.records)}
    await _add_only(request, replaced, officer=officer)
    deposits = tuple(
        _deposit(request, _target(body, f"/records/{index}"), body) for index, body in enumerate(data.records)
    )
    return done_response(request, await put_records(edge_of(request).world, call, deposits, officer))


@put("/v1/publication-states/{resource:str}", opt=CASELESS, dto=StrictBody, return_dto=None)
async def publish_state(
    request: AnyRequest, resource: FromPath[str], data: JSONBody[PublicationStateBody]
) -> Response[bytes]:
    """Say how current the controller's publication of a resource is."""
    found = resource_named(resource)
    call = await call_of(request, f"PUT /v1/publication-states/{found.name}")
    said = PublicationStatement(
        resource=found,
        status=data.status,
        current_as_of=moment_of(data.current_as_of, "/currentAsOf"),
        officer=await optional_officer(request, None),
    )
    return done_response(request, await put_publication_state(edge_of(request).world, call, said))


async def _add_only(request: AnyRequest, replaced: Mapping[str, int | None], *, officer: Officer | None) -> None:
    """The revisions to be replaced, by the pointers to them: none, where the token names a case.

    The case of a record that stands is sealed with it and cannot be compared.

    Raises:
        Refused: it would replace one (recorded).
    """
    caller = caller_of(request)
    stray = tuple(pointer for pointer, revision in replaced.items() if revision is not None)
    if stray and caller.access.case_reference is not None:
        await refuse_access(edge_of(request).world, caller, stray, officer=officer, body=await request.body())


class _Target(Confidential, frozen=True, kw_only=True):
    """Which record a body is about, the revision it replaces, and where in the request the body stands."""

    resource: Resource
    record: uuid.UUID
    expected: int | None
    place: str = ""


def _target(body: DepositBody, place: str) -> _Target:
    resource = REGISTRY.get(body.resource)
    if resource is None or not resource.deposited:
        raise BadRequest("invalid-value", (f"{place}/resource",))
    return _Target(resource=resource, record=body.record_id, expected=body.expected_revision, place=place)


def _deposit(request: AnyRequest, target: _Target, body: RecordBody | DepositBody) -> Deposit:
    place = target.place
    if body.retain_until < edge_of(request).world.clock().date():
        raise BadRequest("invalid-value", (f"{place}/retainUntil",))
    return Deposit(
        resource=target.resource,
        id=target.record,
        person=person_of(request, body.subject, pointer=f"{place}/subject"),
        others=tuple(_other(request, other, f"{place}/coSubjects/{n}") for n, other in enumerate(body.co_subjects)),
        case_reference=case_reference_of(body.case_reference, f"{place}/caseReference"),
        retain_until=body.retain_until,
        source_reference=body.source_reference,
        fields=target.resource.decode(msgspec.Raw(body.fields), pointer=f"{place}/fields"),
        expected=target.expected,
    )


def _other(request: AnyRequest, other: CoSubjectBody, place: str) -> tuple[PersonIdentifier, str]:
    if other.relation not in edge_of(request).world.catalogue.codes["relations"]:
        raise BadRequest("invalid-value", (f"{place}/relation",))
    return person_of(request, other.subject, pointer=f"{place}/subject"), other.relation


ROUTES = (
    deposit_records,
    publish_state,
    *(route for resource in REGISTRY.values() if resource.deposited for route in record_routes(resource)),
)
