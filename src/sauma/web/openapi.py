"""The API's description, made from the routes and the types they read and answer; no operation is written by hand.

Bodies come from msgspec, which says closed objects are closed. Answers are open objects: a client ignores members it
does not know. Which headers an operation takes follows from its method and path, as the contract has it.
"""

import inspect
from typing import Any, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler

from sauma.core.decision import PULLS_BUILT
from sauma.core.evidence import Leaf
from sauma.core.people import CASE_REFERENCE_PATTERN
from sauma.core.problems import STATUS
from sauma.core.purposes import Catalogue, Purpose
from sauma.core.resources import REGISTRY
from sauma.web.answers import ANSWERS
from sauma.web.problems import MEDIA_TYPE, Problem
from sauma.web.published import OAuthError

JsonObject = dict[str, Any]
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_REF = "#/components/schemas/{name}"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEPOSITED = {name: resource.struct for name, resource in REGISTRY.items() if resource.deposited}
_ABOUT = """Least-data exchange of client case data between Kela and the wellbeing services counties.

1. Get a token: `POST /oauth/token`. 2. State your own pending case: `PUT /v1/matters/{caseReference}`; where the
purpose asks for it, record that the client was told: `POST /v1/prior-informations`. 3. Ask: `POST /v1/case-queries`.

Every protected call sends `Authorization: DPoP <token>` and a fresh `DPoP` proof by the key the token is bound to.
URLs in tokens and proofs (`aud`, `htu`) begin with the issuer named at `/.well-known/oauth-authorization-server`.
Request objects are closed: an unknown member is refused. Answers are open: ignore what you do not know."""
_HEADERS: dict[str, JsonObject] = {
    "DPoP": {
        "required": True,
        "description": "A proof JWT (RFC 9449): header `typ` dpop+jwt, `alg` and the public `jwk`; `htm` the method, "
        "`htu` the absolute URL without query, `iat`, a `jti` of 16 to 256 characters never used again, and with an "
        "access token `ath`, base64url of its SHA-256. A new proof for every call.",
        "schema": {"type": "string"},
    },
    "Idempotency-Key": {
        "required": True,
        "description": "Makes a repeat safe for 7 days: same key and same body get the same answer once more.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"},
    },
    "If-Match": {
        "required": False,
        "description": "The ETag of what is changed. Absent when it is created; replacing a record, or changing a "
        "matter that stays open, without it is answered with 428, a stale one with 412; both carry the present ETag.",
        "schema": {"type": "string", "pattern": '^"[1-9][0-9]{0,8}"$'},
    },
    "Sauma-Audit-Session": {
        "required": True,
        "description": "The id of the caller's open audit session (`POST /v1/audit-sessions`).",
        "schema": {"type": "string", "format": "uuid"},
    },
}
_MOMENT: JsonObject = {"type": "string", "format": "date-time"}
_UUID: JsonObject = {"type": "string", "format": "uuid"}
_CASE: JsonObject = {"type": "string", "pattern": CASE_REFERENCE_PATTERN}
_PARAMETERS: dict[str, JsonObject] = {
    "recordId": _UUID,
    "disclosureId": _UUID,
    "entryId": _UUID,
    "caseReference": _CASE,
    "resource": {"type": "string", "enum": list(_DEPOSITED)},
    "code": {"type": "string", "enum": sorted(STATUS)},
    "role": {"enum": ["receiver", "discloser"], "default": "receiver"},
    "from": _MOMENT | {"description": "Absent: 31 days before `to`; at most 366 days before it."},
    "to": _MOMENT | {"description": "Absent: now."},
    "after": {"type": "string", "description": "`nextCursor` of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
}
_CHOSEN = {
    ("AuditSessionBody", "auditPurpose"): "auditPurposes",
    ("CoSubjectBody", "relation"): "relations",
    ("MatterBody", "kind"): "matterKinds",
    ("OfficerBody", "role"): "officerRoles",
    ("PriorInformationBody", "language"): "languages",
}
"""Members of bodies whose values are a closed list of the catalogue."""
_OFFICER_KINDS = [
    {
        "title": "a person",
        "properties": {"kind": {"const": "person"}, "responsibleUnit": {"type": "null"}},
        "required": ["role", "unit"],
    },
    {
        "title": "an unattended run",
        "properties": {"kind": {"const": "process"}, "role": {"type": "null"}, "unit": {"type": "null"}},
        "required": ["kind", "responsibleUnit"],
    },
]


def schema_files() -> dict[str, JsonObject]:
    """One JSON Schema a resource, and those of leaf, problem and purpose, by file name."""
    types: dict[str, type[msgspec.Struct]] = {name: r.struct for name, r in REGISTRY.items()}
    types |= {"ledger-leaf": Leaf, "problem": Problem, "purpose": Purpose}
    return {f"{name}.json": {"$schema": _DIALECT, **msgspec.json.schema(kind)} for name, kind in types.items()}


def openapi_document(routes: tuple[HTTPRouteHandler, ...], *, version: str, catalogue: Catalogue) -> JsonObject:
    """The OpenAPI 3.1 document of the routes; the catalogue names the codes a caller may choose from."""
    paths: dict[str, JsonObject] = {}
    for route in routes:
        for path in sorted(route.paths):
            entry = paths.setdefault(_spelled(path), {})
            for method in sorted(route.http_methods):
                entry[str(method).lower()] = _operation(route, path, str(method))
    licence = {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sauma", "version": version, "description": _ABOUT, "license": licence},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(_schemas(routes, catalogue).items())),
            "parameters": {name: {"name": name, "in": "header", **said} for name, said in _HEADERS.items()},
            "securitySchemes": {
                "dpop": {"type": "http", "scheme": "DPoP", "description": "RFC 9449 key-bound access token."},
            },
        },
    }


def _schemas(routes: tuple[HTTPRouteHandler, ...], catalogue: Catalogue) -> dict[str, JsonObject]:
    """Closed objects of the requests as they are read, and open ones of the answers."""
    read = [kind for route in routes for kind in (_body(route), route.opt.get("form")) if kind is not None]
    read += _DEPOSITED.values()
    answered = [ANSWERS[route.fn.__name__] for route in routes]
    _, closed = msgspec.json.schema_components(dict.fromkeys(read), ref_template=_REF)
    both = dict.fromkeys([*read, *answered, Problem, OAuthError])
    _, schemas = msgspec.json.schema_components(both, ref_template=_REF)
    for name in schemas.keys() - closed.keys():
        schemas[name].pop("additionalProperties", None) if schemas[name].get("additionalProperties") is False else None
    for (name, member), codes in _CHOSEN.items():
        _choose(schemas[name]["properties"], member, list(catalogue.codes[codes]))
    _choose(
        schemas["CaseQueryBody"]["properties"]["necessity"], "additionalProperties", list(catalogue.codes["necessity"])
    )
    _choose(schemas["DepositBody"]["properties"], "resource", list(_DEPOSITED))
    _choose(schemas["Problem"]["properties"], "code", sorted(STATUS))
    schemas["CaseQueryBody"]["properties"]["purpose"]["examples"] = sorted(PULLS_BUILT)
    schemas["OfficerBody"]["oneOf"] = _OFFICER_KINDS
    schemas["SubjectRef"] |= {"minProperties": 1, "maxProperties": 1}
    content = {"anyOf": [_ref(kind) for kind in _DEPOSITED.values()]}
    for name in ("RecordBody", "DepositBody", "DisclosedRecord"):
        schemas[name]["properties"]["fields"] = content | {"description": "Members of the schema of the resource."}
    return schemas


def _choose(properties: JsonObject, member: str, codes: list[str]) -> None:
    """Say that a member's text, where it is not null, is one of the codes."""
    said = properties[member]
    chosen = {"type": "string", "enum": codes}
    if "anyOf" in said:
        said["anyOf"] = [part if part.get("type") == "null" else chosen for part in said["anyOf"]]
    else:
        properties[member] = chosen


def _operation(route: HTTPRouteHandler, path: str, method: str) -> JsonObject:
    summary, _, rest = (inspect.getdoc(route.fn) or "").partition("\n")
    headers = _header_names(route, path, method)
    path_parameters = [{"name": n, "in": "path", "required": True, "schema": _parameter(n)} for n in _names(path)]
    query = [{"name": n, "in": "query", "schema": _parameter(n)} for n in route.opt.get("query", ())]
    operation: JsonObject = {
        "operationId": route.name or route.fn.__name__.replace("_", "-"),
        "summary": summary,
        "security": [{"dpop": [route.opt[name]]} for name in ("scope", "or_scope") if name in route.opt],
        "parameters": [*path_parameters, *query, *({"$ref": f"#/components/parameters/{n}"} for n in headers)],
        "responses": _responses(route, path, headers),
    }
    if rest.strip():
        operation["description"] = rest.strip()
    content = _request_content(route, path)
    if content is not None:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _header_names(route: HTTPRouteHandler, path: str, method: str) -> list[str]:
    """The headers an operation takes: every write has its key, and what has an ETag is changed against it."""
    names = ["DPoP"] if "scope" in route.opt or "form" in route.opt else []
    writes = method in {"PUT", "POST"} and path.startswith("/v1/") and path != "/v1/case-queries"
    if writes:
        names.append("Idempotency-Key")
    if writes and (_is_of_record(path) or path.startswith("/v1/matters/")):
        names.append("If-Match")
    if path.startswith("/v1/ledger/"):
        names.append("Sauma-Audit-Session")
    return names


def _request_content(route: HTTPRouteHandler, path: str) -> JsonObject | None:
    if "form" in route.opt:
        return {_FORM: {"schema": _ref(route.opt["form"])}}
    kind = _body(route)
    if kind is None:
        return None
    schema = _ref(kind)
    if "fields" in kind.__struct_fields__ and _is_of_record(path):
        own = _ref(_DEPOSITED[path.split("/")[2]])
        schema = {"allOf": [schema, {"type": "object", "properties": {"fields": own}}]}
    return {_JSON: {"schema": schema}}


def _responses(route: HTTPRouteHandler, path: str, headers: list[str]) -> JsonObject:
    schema = _ref(ANSWERS[route.fn.__name__])
    done: JsonObject = {"description": "Done.", "content": {_JSON: {"schema": schema}}}
    told = _answer_headers(path, headers)
    if told:
        done["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}
    problem = {MEDIA_TYPE: {"schema": _ref(Problem)}}
    responses: JsonObject = {
        str(route.status_code): done,
        "default": {"description": "A problem (RFC 9457).", "content": problem},
    }
    if "PUT" in route.http_methods:
        responses["201"] = done | {"description": "Created."}
    if path == "/health/ready":
        responses["503"] = done | {"description": "Not ready."}
    refused = {_JSON: {"schema": _ref(OAuthError)}}
    if "form" in route.opt:
        responses["400"] = {"description": "An error of RFC 6749 section 5.2.", "content": refused}
    if "scope" in route.opt:
        responses["400"] = {
            "description": "A problem, or credentials sent twice (RFC 6750).",
            "content": problem | refused,
        }
        responses["401"] = {
            "description": "Token or proof missing, not valid or used before (RFC 6750, RFC 9449).",
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            "content": refused,
        }
    return responses


def _answer_headers(path: str, headers: list[str]) -> dict[str, str]:
    told: dict[str, str] = {}
    if "If-Match" in headers or _is_of_record(path) or path.startswith("/v1/publication-states/"):
        told["ETag"] = 'The revision as an entity tag: `"<revision>"`.'
    if "Idempotency-Key" in headers:
        told["Idempotent-Replayed"] = "`true` on the answer to a repeat; otherwise absent."
    if path == "/v1/case-queries":
        told["Content-Digest"] = "SHA-256 of the body (RFC 9530)."
    return told


def _body(route: HTTPRouteHandler) -> type[msgspec.Struct] | None:
    kind: type[msgspec.Struct] | None = get_type_hints(route.fn).get(
        "data"
    )  # without the marker of the body's media type
    return kind


def _ref(kind: type[msgspec.Struct]) -> JsonObject:
    return {"$ref": _REF.format(name=kind.__name__)}


def _is_of_record(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > len(("", "v1", "resource")) and parts[2] in _DEPOSITED


def _parameter(name: str) -> JsonObject:
    return _PARAMETERS.get(name, {"type": "string"})


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in _spelled(path).split("/") if part.startswith("{")]


def _spelled(path: str) -> str:
    parts = [f"{{{_camel(p[1:-1].partition(':')[0])}}}" if p.startswith("{") else p for p in path.split("/")]
    return "/".join(parts)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
