"""What every route stands on: the edge's parts, the guard that lets nobody in by silence, and the answers' form."""

import datetime as dt
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Receive, Scope, Send

from sauma.core.canonical import JsonValue, structured_digest
from sauma.core.canonical import digest as sha256
from sauma.core.disclosure import Disclosed
from sauma.core.errors import BadRequest, SealError
from sauma.core.parties import Caller, Officer, OfficerKind, Passage
from sauma.core.people import (
    Confidential,
    PairwiseSubject,
    PersonIdentifier,
    SubjectRef,
    check_case_reference,
    looks_like_hetu,
)
from sauma.core.problems import ProblemTexts, Reason
from sauma.exchange.append import refuse, refuse_access, refuse_carrier
from sauma.exchange.ports import World
from sauma.exchange.record import receipt_member
from sauma.exchange.tokens import TokenEndpoints
from sauma.exchange.write import Call, Done
from sauma.web.bodies import OfficerBody
from sauma.web.carrier import passage_of
from sauma.web.certificate import CertificateSource
from sauma.web.gate import default_deny, stated_access
from sauma.web.traffic import Traffic

AnyRequest = Request[Any, Any, Any]
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_ETAG = re.compile(r'"([1-9][0-9]{0,8})"')
_YEARS = range(1900, 9000)


class Credentials(Confidential, frozen=True, kw_only=True):
    """What authentication needs of a request; header values once per field line."""

    method: str
    raw_path: str
    query: str
    authorizations: tuple[str, ...]
    proofs: tuple[str, ...]
    passage: Passage
    certificate: str | None = None

    def shown(self) -> dict[str, Any]:
        """What is judged of them, by name; how the request came is not."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "passage"}


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A verified caller, and the DPoP nonce it is told with its answer (RFC 9449 section 9), if it needs one."""

    caller: Caller
    nonce: str | None = None


class Challenged(Exception):  # noqa: N818  # the 401 itself
    """The caller is not who a protected route may serve: status, body and headers of RFC 6750 and 9449.

    `reason` is the exact one, for the log alone.
    """

    def __init__(
        self, status: int, body: Mapping[str, object], headers: tuple[tuple[str, str], ...], *, reason: str
    ) -> None:
        super().__init__(status)
        self.reason = reason
        self.status = status
        self.body = body
        self.headers = headers


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """The parts the routes use, made in the composition root.

    `authenticate` raises Challenged; `token_challenge` makes one for an error code and what else its challenge says.
    `issues`: tokens are issued here; else what a route with `issuer` in its `opt` would do is done elsewhere.
    `security_servers` are the addresses whose X-Road headers are read.
    """

    world: World
    authenticate: Callable[[Credentials], Awaitable[Admitted]]
    token_challenge: Callable[[str, Mapping[str, str]], Challenged]
    issues: bool
    tokens: TokenEndpoints
    documents: Mapping[str, bytes]
    key_set: Callable[[], bytes]
    public_url: str
    security_servers: frozenset[str]
    certificates: CertificateSource
    problem_texts: ProblemTexts
    ready: Callable[[], Awaitable[bool]]
    traffic: Traffic
    version: str


def edge_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Edge:
    """The edge of the running application."""
    edge: Edge = connection.app.state["edge"]
    return edge


async def guard(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """The one guard of every route: unambiguous request, then a verified caller whose token holds what the route does.

    The token must hold the route's scope, and its details, where they name actions, the route's (RFC 9396). Of a route
    that states `caseless` no case can be compared: a token that names one is not for it.

    Behind X-Road the carrier must speak for the caller's organisation; a GET has its officer in the token only, so
    there the officer is compared too. What has a body is compared with it in `officer_of` and `optional_officer`.

    A route that states `always` (health) is answered however busy the server is.

    Raises:
        Unavailable: `overloaded`.
        BadRequest: `rate-limited`, or what makes the request ambiguous.
        Challenged: no valid token and proof.
        Refused: the carrier does not agree, or scope or action is missing (recorded).
    """
    default_deny(connection, route)
    stated, edge = stated_access(route.opt), edge_of(connection)
    if route.opt.get("always") is True:
        edge.traffic.look(connection.scope)
        return
    connection.scope["state"]["visit"].enter()
    if stated is None:
        if route.opt.get("issuer") is True and not edge.issues:
            raise BadRequest("not-found")
        edge.traffic.admit_address(connection.scope, token="form" in route.opt)
        return
    passage = passage_of(connection.scope, edge.security_servers)
    try:
        admitted = await edge.authenticate(_credentials(connection, passage))
    except (BadRequest, Challenged):
        edge.traffic.admit_address(connection.scope)
        raise
    caller = admitted.caller
    connection.scope["state"].update(caller=caller, nonce=admitted.nonce)
    edge.traffic.admit_client(connection.scope, caller.organisation, caller.client.id)
    if passage.carrier is not None:
        header = passage.carrier.stranger_to(caller.organisation, caller.supplier)
        if header is None and connection.scope.get("method") == "GET":
            header = passage.carrier.at_odds_with(caller.officer, ())
        if header is not None:
            await refuse_carrier(edge.world, caller, header, officer=caller.officer, body=b"")
    if stated.scope not in caller.scopes and route.opt.get("or_scope") not in caller.scopes:
        await refuse(edge.world, caller, Reason.SCOPE_MISSING, officer=caller.officer, body=b"")
    elsewhere = route.opt.get("caseless") is True and caller.access.case_reference is not None
    if elsewhere or not caller.access.allows(stated.action):
        await refuse_access(edge.world, caller, (), officer=caller.officer, body=b"")


def _credentials(connection: ASGIConnection[Any, Any, Any, Any], passage: Passage) -> Credentials:
    headers = connection.scope["headers"]
    return Credentials(
        method=str(connection.scope.get("method", "")),
        raw_path=connection.scope["raw_path"].decode("ascii", "replace").partition("?")[0],
        query=connection.scope["query_string"].decode("ascii", "replace"),
        authorizations=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"authorization"),
        proofs=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"dpop"),
        passage=passage,
        certificate=edge_of(connection).certificates.thumbprint_of(connection.scope),
    )


def caller_of(request: AnyRequest) -> Caller:
    """The caller the guard let in."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


async def officer_of(request: AnyRequest, stated: OfficerBody | None, *references: str) -> Officer:
    """The officer in the body or in the token; both present must be equal, and what the carrier says must agree.

    `references` are the case references of the request.

    Raises:
        BadRequest: they differ, or the body's does not fit its kind.
        Refused: neither names one, or the carrier names another officer or case (recorded).
    """
    officer = await optional_officer(request, stated, *references)
    if officer is None:
        world, body = edge_of(request).world, await request.body()
        await refuse(world, caller_of(request), Reason.OFFICER_MISSING, officer=None, body=body)
    return officer


async def optional_officer(request: AnyRequest, stated: OfficerBody | None, *references: str) -> Officer | None:
    """As `officer_of`, for an operation that may have none, or whose use case records the missing one itself."""
    caller = caller_of(request)
    body = None if stated is None else _officer(stated)
    if body is not None and caller.officer is not None and body != caller.officer:
        raise BadRequest("invalid-value", ("/officer",))
    officer = body or caller.officer
    carrier = caller.passage.carrier if caller.passage else None
    header = carrier.at_odds_with(officer, references) if carrier else None
    if header is not None:
        world, received = edge_of(request).world, await request.body()
        await refuse_carrier(world, caller, header, officer=officer, body=received)
    return officer


async def stay_in_case(request: AnyRequest, references: Mapping[str, str], *, officer: Officer | None) -> None:
    """Case references, by the pointers to them, that the token must be for where it names a case (RFC 9396).

    Raises:
        Refused: it names another (recorded).
    """
    caller = caller_of(request)
    stray = tuple(p for p, named in references.items() if caller.access.stray(purpose=None, case_reference=named))
    if stray:
        await refuse_access(edge_of(request).world, caller, stray, officer=officer, body=await request.body())


def _officer(stated: OfficerBody) -> Officer:
    said = (stated.id, stated.name, stated.unit or "", stated.responsible_unit or "")
    if any(looks_like_hetu(text) for text in said):
        raise BadRequest("invalid-value", ("/officer",))
    if stated.kind == "process":
        if stated.responsible_unit is None or stated.role is not None or stated.unit is not None:
            raise BadRequest("invalid-value", ("/officer",))
        unit, role, kind = stated.responsible_unit, "", OfficerKind.PROCESS
    else:
        if stated.unit is None or stated.role is None or stated.responsible_unit is not None:
            raise BadRequest("invalid-value", ("/officer",))
        unit, role, kind = stated.unit, stated.role, OfficerKind.PERSON
    return Officer(kind=kind, id=stated.id, name=stated.name, role=role, unit=unit)


def person_of(request: AnyRequest, subject: SubjectRef, *, pointer: str = "/subject") -> PersonIdentifier:
    """The person a subject member names; the caller's own pairwise id is opened, never looked up.

    Raises:
        BadRequest: `invalid-value`.
    """
    world = edge_of(request).world
    try:
        resolved = subject.resolve(environment=world.environment)
        if isinstance(resolved, PairwiseSubject):
            kind, value = world.vault.resolve_pairwise(caller_of(request).organisation, resolved.subject_id)
            return PersonIdentifier(kind=kind, value=value)
    except (ValueError, SealError):
        raise BadRequest("invalid-value", (pointer,)) from None
    return resolved


async def call_of(request: AnyRequest, route: str) -> Call:
    """A write as it arrived, with its idempotency key.

    Raises:
        BadRequest: `idempotency-key-missing` or `invalid-value`.
    """
    keys = request.headers.getall("idempotency-key", [])
    if not keys:
        raise BadRequest("idempotency-key-missing")
    if len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
        raise BadRequest("invalid-value", ("/headers/Idempotency-Key",))
    return Call(caller=caller_of(request), route=route, key=keys[0], body=await request.body())


def expected_revision(request: AnyRequest) -> int | None:
    """The revision in If-Match, None without the header.

    Raises:
        BadRequest: not one strong entity tag of ours.
    """
    values = request.headers.getall("if-match", [])
    if not values:
        return None
    match = _ETAG.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        raise BadRequest("invalid-value", ("/headers/If-Match",))
    return int(match[1])


def uuid_of(text: str, pointer: str) -> uuid.UUID:
    """A UUID in its canonical spelling.

    Raises:
        BadRequest: `invalid-value`.
    """
    try:
        value = uuid.UUID(text)
    except ValueError:
        raise BadRequest("invalid-value", (pointer,)) from None
    if str(value) != text.lower():
        raise BadRequest("invalid-value", (pointer,))
    return value


def moment_of(stated: dt.datetime, pointer: str) -> dt.datetime:
    """A stated moment in UTC, of a year that no time zone carries out of the calendar.

    Raises:
        BadRequest: `invalid-value`.
    """
    if stated.year not in _YEARS:
        raise BadRequest("invalid-value", (pointer,))
    return stated.astimezone(dt.UTC)


def day_or_moment_of(stated: str, pointer: str) -> str:
    """A stated day as it is, or a stated moment in UTC.

    Raises:
        BadRequest: `invalid-value`: the calendar has no such day or moment.
    """
    try:
        if "T" not in stated:
            return dt.date.fromisoformat(stated).isoformat()
        return moment_of(dt.datetime.fromisoformat(stated), pointer).isoformat()
    except ValueError:
        raise BadRequest("invalid-value", (pointer,)) from None


def case_reference_of(stated: str, pointer: str) -> str:
    """A stated case reference, which never holds an identity code.

    Raises:
        BadRequest: `invalid-value`.
    """
    if not check_case_reference(stated):
        raise BadRequest("invalid-value", (pointer,))
    return stated


def done_response(request: AnyRequest, done: Done, also: Mapping[str, JsonValue] | None = None) -> Response[bytes]:
    """A write's answer: its members and the receipt; a repeat says that it is one.

    `also` are members the request itself holds, so that they need not be stored for a repeat.
    """
    world = edge_of(request).world
    headers = {"Cache-Control": "no-store"}
    if done.etag is not None:
        headers["ETag"] = done.etag
    if done.location is not None:
        headers["Location"] = done.location
    if done.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_response(
        {**(also or {}), **done.members, "receipt": receipt_member(world, done.entry, done.leaf_hash)},
        status=done.status,
        headers=headers,
    )


def json_response(
    members: Mapping[str, JsonValue] | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """A JSON answer that no cache keeps."""
    body = members if isinstance(members, bytes) else msgspec.json.encode(members)
    return Response(
        body,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


class DisclosedAnswer:
    """What was disclosed, as it goes out: JSON that no cache keeps, with its Content-Digest (RFC 9530).

    It takes nothing but what the one path made, and the framework has nothing left to render.
    """

    def __init__(self, disclosed: Disclosed) -> None:
        body = self._body = disclosed.body
        self._headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"content-digest", structured_digest(sha256(body)).encode()),
            (b"content-length", b"%d" % len(body)),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})
