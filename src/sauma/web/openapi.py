"""The API's description, made from the routes and the types they read; nothing in it is written by hand.

Bodies come from msgspec, which says closed objects are closed. Answers are open objects with a receipt.
"""

import inspect
from typing import Any, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler

from sauma.core.evidence import Leaf
from sauma.core.purposes import Purpose
from sauma.core.resources import REGISTRY
from sauma.web.problems import MEDIA_TYPE, Problem

JsonObject = dict[str, Any]
_REF = "#/components/schemas/{name}"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_files() -> dict[str, JsonObject]:
    """One JSON Schema a resource, and those of leaf, problem and purpose, by file name."""
    types: dict[str, type[msgspec.Struct]] = {name: r.struct for name, r in REGISTRY.items()}
    types |= {"ledger-leaf": Leaf, "problem": Problem, "purpose": Purpose}
    return {f"{name}.json": {"$schema": _DIALECT, **msgspec.json.schema(kind)} for name, kind in types.items()}


def openapi_document(routes: tuple[HTTPRouteHandler, ...], *, version: str) -> JsonObject:
    """The OpenAPI 3.1 document of the routes."""
    bodies = [kind for route in routes if (kind := _body(route)) is not None]
    resources = [r.struct for r in REGISTRY.values() if r.deposited]
    _, components = msgspec.json.schema_components([*dict.fromkeys([*bodies, *resources, Problem])], ref_template=_REF)
    paths: dict[str, JsonObject] = {}
    for route in routes:
        for path in sorted(route.paths):
            entry = paths.setdefault(_spelled(path), {})
            for method in sorted(route.http_methods):
                entry[str(method).lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sauma", "version": version, "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "dpop": {"type": "http", "scheme": "DPoP", "description": "RFC 9449 key-bound access token."},
            },
        },
    }


def _operation(route: HTTPRouteHandler, path: str) -> JsonObject:
    document = inspect.getdoc(route.fn) or ""
    scope = route.opt.get("scope")
    kind = _body(route)
    operation: JsonObject = {
        "operationId": route.name or route.fn.__name__.replace("_", "-"),
        "summary": document.partition("\n")[0],
        "security": [{"dpop": [scope]}] if scope else [],
        "parameters": [_path_parameter(name) for name in _names(path)] + _query_parameters(route),
        "responses": {
            str(route.status_code): {"description": "Done.", "content": {"application/json": {"schema": {}}}},
            "default": {
                "description": "A problem (RFC 9457).",
                "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
            },
        },
    }
    if kind is not None:
        schema = {"$ref": _REF.format(name=kind.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _body(route: HTTPRouteHandler) -> type[msgspec.Struct] | None:
    kind: type[msgspec.Struct] | None = get_type_hints(route.fn).get(
        "data"
    )  # without the marker of the body's media type
    return kind


def _names(path: str) -> list[str]:
    return [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]


def _spelled(path: str) -> str:
    parts = [f"{{{_camel(p[1:-1].partition(':')[0])}}}" if p.startswith("{") else p for p in path.split("/")]
    return "/".join(parts)


def _path_parameter(name: str) -> JsonObject:
    return {"name": _camel(name), "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(route: HTTPRouteHandler) -> list[JsonObject]:
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.opt.get("query", ())]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
