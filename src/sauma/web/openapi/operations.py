"""One operation: what it takes, what it answers when it succeeds, and each refusal, with an example of everything."""

import inspect
from http import HTTPStatus
from typing import Any

from litestar.handlers import HTTPRouteHandler

from sauma.core.people import CASE_REFERENCE_PATTERN
from sauma.core.problems import STATUS
from sauma.web.answers import ANSWERS
from sauma.web.openapi.about import tag_of
from sauma.web.openapi.headers import (
    PARAMETERS,
    SCOPE_CHALLENGE,
    TAGGED,
    answer_headers,
    done_headers,
    is_of_record,
    parameter_names,
)
from sauma.web.openapi.refusals import codes_of
from sauma.web.openapi.samples import Sampler
from sauma.web.openapi.schemas import DEPOSITED, body_of, ref
from sauma.web.problems import MEDIA_TYPE, TRY_AGAIN

JsonObject = dict[str, Any]
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MOMENT: JsonObject = {"type": "string", "format": "date-time"}
_UUID: JsonObject = {"type": "string", "format": "uuid"}
_QUERY: dict[str, JsonObject] = {
    "caseReference": {"type": "string", "pattern": CASE_REFERENCE_PATTERN},
    "role": {"type": "string", "enum": ["receiver", "discloser"], "default": "receiver"},
    "from": _MOMENT,
    "to": _MOMENT,
    "after": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,200}$"},
    "limit": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100, "default": 50},
}
_PATH: dict[str, JsonObject] = {
    "recordId": _UUID,
    "disclosureId": _UUID,
    "entryId": _UUID,
    "caseReference": _QUERY["caseReference"],
    "resource": {"type": "string", "enum": list(DEPOSITED)},
    "code": {"type": "string", "enum": sorted(STATUS)},
    "purposeId": {"type": "string", "maxLength": 64},
    "wellKnown": {"type": "string", "enum": [".well-known"]},
}
_MEANING = {
    "recordId": "Any UUID the controller chose.",
    "disclosureId": "The `disclosureId` of the answer, which is also the id of its ledger entry.",
    "entryId": "A ledger entry's id.",
    "caseReference": "The caller's own case; a diary number's `/` is written `:`.",
    "resource": "A kind of record.",
    "code": "A problem code.",
    "purposeId": "A purpose of the catalogue.",
    "wellKnown": "Always `.well-known` (RFC 8615); a parameter because path segments here are kebab-case.",
    "role": "Which side of the disclosures the caller was on.",
    "from": "A moment with its offset. Absent: 31 days before `to`. It must lie before `to`, at most 366 days.",
    "to": "A moment with its offset, itself not included. Absent: now.",
    "after": "`nextCursor` of the page before.",
    "limit": "How many on a page.",
}
_SAMPLES = {"purposeId": "county-benefit-case", "code": "matter-missing"}
"""Examples of parameters that name something everybody has; the others are the caller's own."""
_PAGED = frozenset({"show_problem"})
"""Route functions that answer a browser with a page instead."""


def operation_of(route: HTTPRouteHandler, path: str, method: str, sampler: Sampler) -> JsonObject:
    """The operation of a route at one of its paths."""
    summary, _, rest = (inspect.getdoc(route.fn) or "").partition("\n")
    headers = parameter_names(route, path, method)
    scopes = [route.opt[name] for name in ("scope", "or_scope") if name in route.opt]
    operation: JsonObject = {
        "operationId": route.name or route.fn.__name__.replace("_", "-"),
        "summary": summary,
        "x-summary": summary,
        "description": "\n\n".join(filter(None, (rest.strip(), _admission(scopes)))),
        "tags": [tag_of(path)],
        "security": [{"dpop": [], "oauth2": [scope]} for scope in scopes],
        "parameters": [
            *(_parameter(name, "path") for name in _names(path)),
            *(_parameter(name, "query") for name in route.opt.get("query", ())),
            *({"$ref": f"#/components/parameters/{name}"} for name in headers),
        ],
        "responses": _responses(route, path, method, sampler),
    }
    content = _request_content(route, path, sampler)
    if content is not None:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _admission(scopes: list[str]) -> str:
    return "Scope " + " or ".join(f"`{scope}`" for scope in scopes) + "." if scopes else "Open to all."


def parameters() -> JsonObject:
    """The header parameters as components."""
    return {name: {"name": name, "in": "header", **said} for name, said in PARAMETERS.items()}


def spelled(path: str) -> str:
    """A route's path as the description spells it: parameters in camelCase, the well-known prefix as one of them.

    A leading dot is no kebab-case to the Dutch rules, which know no exception for RFC 8615.
    """
    parts = [f"{{{_camel(p[1:-1].partition(':')[0])}}}" if p.startswith("{") else p for p in path.split("/")]
    return "/".join("{wellKnown}" if part == ".well-known" else part for part in parts)


def _request_content(route: HTTPRouteHandler, path: str, sampler: Sampler) -> JsonObject | None:
    kind = route.opt.get("form") or body_of(route)
    if kind is None:
        return None
    name = kind.__name__
    if name == "RecordBody":
        name = f"{DEPOSITED[path.split('/')[2]].__name__}Body"
    return {_FORM if "form" in route.opt else _JSON: {"schema": ref(name), "example": sampler.of(ref(name))}}


def _responses(route: HTTPRouteHandler, path: str, method: str, sampler: Sampler) -> JsonObject:
    schema = ref(ANSWERS[route.fn.__name__].__name__)
    headers = done_headers(path, method)
    example = sampler.of(schema)
    if is_of_record(path):
        example["resource"] = path.split("/")[2]
    done: JsonObject = {
        "description": "Done.",
        "headers": answer_headers(*headers),
        "content": {_JSON: {"schema": schema, "example": example}},
    }
    if route.fn.__name__ in _PAGED:
        done["content"]["text/html"] = {"schema": {"type": "string"}, "example": "<!doctype html>"}
    responses: JsonObject = {str(route.status_code): done}
    if method == "PUT":
        place = ("Location",) if is_of_record(path) else ()
        responses["201"] = done | {"description": "Created.", "headers": answer_headers(*headers, *place)}
    if path in TAGGED:
        responses["304"] = {"description": "The reader's copy is the same.", "headers": answer_headers("ETag")}
    if "scope" in route.opt:
        responses["401"] = {"$ref": "#/components/responses/unauthenticated"}
    for status, codes in codes_of(route, path, method).items():
        responses[str(status)] = {"$ref": f"#/components/responses/{refusal_name(codes)}"}
    if "form" in route.opt:
        responses["400"] = {"$ref": "#/components/responses/token-refused"}
    return dict(sorted(responses.items()))


def refusal_name(codes: tuple[str, ...]) -> str:
    """The name of the response that answers one of these codes."""
    return ".".join(codes)


def refusal(codes: tuple[str, ...]) -> JsonObject:
    """The response that answers one of these codes, which share a status."""
    status = STATUS[codes[0]]
    more = ["Content-Language"]
    if set(codes) & TRY_AGAIN:
        more.append("Retry-After")
    if status in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED}:
        more.append("ETag")
    return {
        "description": "Refused: " + ", ".join(f"`{code}`" for code in codes) + ".",
        "headers": answer_headers(*more) | (SCOPE_CHALLENGE if "scope-missing" in codes else {}),
        "content": {MEDIA_TYPE: {"schema": ref("Problem"), "examples": _named("problem", codes)}},
    }


def unauthenticated(errors: tuple[str, ...]) -> JsonObject:
    """The 401 answer to a call whose token or proof does not let it in."""
    return {
        "description": "Token or proof missing, not valid or used before (RFC 6750, RFC 9449).",
        "headers": answer_headers("WWW-Authenticate"),
        "content": {MEDIA_TYPE: {"schema": ref("CredentialsProblem"), "examples": _named("credentials", errors)}},
    }


def token_refused(errors: tuple[str, ...]) -> JsonObject:
    """The 400 answer of the token endpoint: an OAuth error, or a problem where the form is not even read."""
    return {
        "description": "An error of RFC 6749 section 5.2, or a problem: `invalid-value`.",
        "headers": answer_headers("DPoP-Nonce"),
        "content": {
            _JSON: {"schema": ref("OAuthError"), "examples": _named("token", errors)},
            MEDIA_TYPE: {"schema": ref("Problem"), "examples": _named("problem", ("invalid-value",))},
        },
        "x-noqa": True,
    }


def _named(family: str, names: tuple[str, ...]) -> JsonObject:
    return {name: {"$ref": f"#/components/examples/{family}.{name}"} for name in names}


def _parameter(name: str, place: str) -> JsonObject:
    schema = (_PATH if place == "path" else _QUERY)[name]
    said: JsonObject = {"name": name, "in": place, "description": _MEANING[name], "schema": schema}
    if place == "path":
        said["required"] = True
    if name in _SAMPLES:
        said["example"] = _SAMPLES[name]
    return said


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in spelled(path).split("/") if part.startswith("{")]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
