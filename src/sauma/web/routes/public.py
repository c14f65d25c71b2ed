"""What is open to all: status, health, the purpose catalogue, problem pages, published keys and metadata."""

import msgspec
from litestar import Response
from litestar.params import FromPath

from sauma.core.canonical import JsonValue, structured_digest
from sauma.core.decision import PULLS_BUILT, SERVER_SET
from sauma.core.errors import BadRequest, Unavailable
from sauma.core.problems import accepted_language, in_language
from sauma.core.purposes import ALREADY_HELD, Catalogue, Mode, Purpose
from sauma.web.context import AnyRequest, Edge, edge_of, json_response
from sauma.web.gate import get
from sauma.web.pages import HTML, READING, page_headers, prefers_html, problem_page
from sauma.web.routes.documents import document, served

OPEN = {"open": True}
ALWAYS = OPEN | {"always": True}
"""Answered, and never limited, however busy the server is: a supervisor that hears nothing would end it."""
PUBLIC_CACHE = {"Cache-Control": "public, max-age=300"}
KEYS_CACHE = "public, max-age=600"
AVAILABLE = PULLS_BUILT | {"supervision-audit"}
CHOSEN_CODES = ("matterKinds", "officerRoles", "auditPurposes", "languages", "relations")


@get("/v1/status", opt=OPEN)
async def show_status(request: AnyRequest) -> Response[bytes]:
    """Which environment and version this is, and under which catalogue it decides."""
    return _status(edge_of(request))


@get("/status", opt=OPEN)
async def show_serving(request: AnyRequest) -> Response[bytes]:
    """What `/v1/status` says while the interface serves, a problem while it cannot (Italian rule `paths-status`)."""
    edge = edge_of(request)
    await _check_ready(edge)
    return _status(edge)


def _status(edge: Edge) -> Response[bytes]:
    members: dict[str, JsonValue] = {
        "environment": edge.world.environment.value,
        "version": edge.version,
        "catalogueDigest": structured_digest(edge.world.catalogue.digest),
    }
    return json_response(members)


@get("/health/live", opt=ALWAYS)
async def show_live() -> Response[bytes]:
    """The process answers."""
    return json_response({"status": "live"})


@get("/health/ready", opt=ALWAYS)
async def show_ready(request: AnyRequest) -> Response[bytes]:
    """The process can serve: its database answered within the last second, and it was not told to stop."""
    await _check_ready(edge_of(request))
    return json_response({"status": "ready"})


async def _check_ready(edge: Edge) -> None:
    if edge.traffic.draining:
        raise Unavailable("overloaded")
    if not await edge.ready():
        raise Unavailable("ledger-unavailable")


@get("/v1/purposes", opt=OPEN)
async def list_purposes(request: AnyRequest) -> Response[bytes]:
    """Every purpose of the catalogue with its flows and provisions, and the code lists a caller chooses from."""
    catalogue = edge_of(request).world.catalogue
    members = {
        "catalogueDigest": structured_digest(catalogue.digest),
        "purposes": [_summary(p) for p in sorted(catalogue.purposes.values(), key=lambda p: p.number)],
        "codes": {
            name: [{"code": c.code, "text": c.text, "source": c.source} for c in catalogue.codes[name].values()]
            for name in CHOSEN_CODES
        },
    }
    return json_response(msgspec.json.encode(members), headers=PUBLIC_CACHE)


@get("/v1/purposes/{purpose_id:str}", opt=OPEN)
async def show_purpose(request: AnyRequest, purpose_id: FromPath[str]) -> Response[bytes]:
    """One purpose whole: what may leave under it, to whom, on what, and which codes justify an optional field."""
    catalogue = edge_of(request).world.catalogue
    purpose = catalogue.purposes.get(purpose_id)
    if purpose is None:
        raise BadRequest("not-found")
    return json_response(msgspec.json.encode(_whole(catalogue, purpose)), headers=PUBLIC_CACHE)


@get("/v1/problems/{code:str}", opt=OPEN)
async def show_problem(request: AnyRequest, code: FromPath[str]) -> Response[bytes]:
    """What a problem code, or an OAuth error, means, how it comes about, what to do about it and who does it.

    A problem's `type`, and the `error_uri` of an OAuth error, is the address of this page: a program gets JSON, and a
    browser, which prefers `text/html`, gets the same as a page.
    """
    texts = edge_of(request).problem_texts
    found = texts.page_of(code)
    if found is None:
        raise BadRequest("not-found")
    status, text = found
    language = accepted_language(request.headers.get("accept-language"))
    headers = PUBLIC_CACHE | {"Content-Language": language, "Vary": "Accept, Accept-Language"}
    if prefers_html(request.headers.get("accept")):
        page = problem_page(texts, code, text, status=status, language=language)
        return Response(page, media_type=HTML, headers={**headers, **page_headers(READING)})
    members = {
        "code": code,
        "status": status,
        "title": text.title,
        "detail": text.detail,
        "cause": text.cause,
        "remedy": text.remedy,
        "actor": {"id": text.actor, "text": texts.actors[text.actor]},
        "retry": {"id": text.retry, "text": texts.retries[text.retry]},
        "shown": in_language(text.title, language),
    }
    return json_response(msgspec.json.encode(members), headers=headers)


@get("/.well-known/oauth-authorization-server", opt=OPEN | {"issuer": True})
async def show_authorization_server(request: AnyRequest) -> Response[bytes]:
    """The issuer's metadata (RFC 8414)."""
    return json_response(edge_of(request).documents["authorization-server"], headers=PUBLIC_CACHE)


@get("/.well-known/oauth-protected-resource", opt=OPEN)
async def show_protected_resource(request: AnyRequest) -> Response[bytes]:
    """The resource's metadata (RFC 9728)."""
    return json_response(edge_of(request).documents["protected-resource"], headers=PUBLIC_CACHE)


@get("/.well-known/jwks.json", opt=OPEN)
async def show_keys(request: AnyRequest) -> Response[bytes]:
    """Public keys of token issuer and receipts (RFC 7517).

    A key appears here before the first token is signed with it, at least twice as long as this answer may be kept.
    """
    keys = document(edge_of(request).key_set(), "application/json")
    return served(request, keys, {"Cache-Control": KEYS_CACHE})


def _summary(purpose: Purpose) -> dict[str, object]:
    return {
        "id": purpose.id,
        "number": purpose.number,
        "version": purpose.version,
        "enabled": purpose.enabled,
        "available": purpose.enabled and purpose.id in AVAILABLE,
        "title": purpose.title,
        "description": purpose.description,
        "flows": purpose.flows,
        "provisions": purpose.provisions,
    }


def _whole(catalogue: Catalogue, purpose: Purpose) -> dict[str, object]:
    codes = catalogue.codes["necessity"].values()
    pulled = any(flow.mode is Mode.PULL for flow in purpose.flows)
    return _summary(purpose) | {
        "preconditions": [p.value for p in purpose.preconditions],
        "receiverRoles": purpose.receiver_roles,
        "unattended": purpose.unattended,
        "officerAssurance": purpose.officer_assurance.value,
        "window": purpose.window,
        "eraseBy": purpose.erase_by,
        "timer": purpose.timer,
        "fields": {path: cell.value for path, cell in purpose.cells.items()},
        "alreadyHeld": [ALREADY_HELD] if pulled and ALREADY_HELD in purpose.cells else [],
        "setByServer": [path for path in purpose.cells if path.startswith(SERVER_SET)],
        "qualifiers": purpose.qualifiers,
        "necessity": [
            {"code": c.code, "text": c.text, "source": c.source, "fields": [f for f in c.fields if f in purpose.cells]}
            for c in codes
            if any(f in purpose.cells for f in c.fields)
        ],
        "catalogueDigest": structured_digest(catalogue.digest),
    }


ROUTES = (
    show_status,
    show_serving,
    show_live,
    show_ready,
    list_purposes,
    show_purpose,
    show_problem,
    show_authorization_server,
    show_protected_resource,
    show_keys,
)
