"""The API's description, made from the routes and the types they read and answer; no operation is written by hand.

Bodies come from msgspec, which says closed objects are closed. Answers are open objects: a client ignores members it
does not know. Everything has an example, made from the schemas and the texts of the codes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from sauma.core.evidence import Leaf
from sauma.core.problems import ProblemTexts
from sauma.core.purposes import Catalogue, Purpose
from sauma.core.resources import REGISTRY
from sauma.web.logs import log_schema
from sauma.web.openapi.about import ISSUER, SERVERS, TAGS, information, security_schemes
from sauma.web.openapi.events import EVENTS, webhook
from sauma.web.openapi.headers import ANSWER_HEADERS, carrier
from sauma.web.openapi.operations import (
    operation_of,
    parameters,
    refusal,
    refusal_name,
    spelled,
    token_refused,
    unauthenticated,
)
from sauma.web.openapi.refusals import codes_of, credential_examples, problem_examples, token_examples
from sauma.web.openapi.samples import Sampler
from sauma.web.openapi.schemas import component_schemas, ref
from sauma.web.problems import Problem

JsonObject = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What the description is made from beside the routes: law, texts of the codes, and of the OAuth errors."""

    catalogue: Catalogue
    problems: ProblemTexts
    token_errors: Mapping[str, str]
    credential_errors: Mapping[str, str]


def schema_files() -> dict[str, JsonObject]:
    """One JSON Schema a resource, and those of event, leaf, line of the log, problem and purpose, by file name."""
    types: dict[str, Any] = {name: r.struct for name, r in REGISTRY.items()}
    types |= {"ledger-leaf": Leaf, "problem": Problem, "purpose": Purpose}
    files = {f"{name}.json": {"$schema": _DIALECT, **msgspec.json.schema(kind)} for name, kind in types.items()}
    refs, definitions = msgspec.json.schema_components(tuple(EVENTS.values()), ref_template="#/$defs/{name}")
    files["event.json"] = {"$schema": _DIALECT, "x-sauma-status": "planned", "oneOf": list(refs), "$defs": definitions}
    files["log-line.json"] = {"$schema": _DIALECT, **log_schema()}
    return files


def openapi_document(routes: tuple[HTTPRouteHandler, ...], *, version: str, sources: Sources) -> JsonObject:
    """The OpenAPI 3.1 document of the routes."""
    routes = tuple(route for route in routes if not route.opt.get("page"))  # for people, no operation of the interface
    schemas = component_schemas(routes, sources.catalogue)
    sampler = Sampler(schemas)
    paths: dict[str, JsonObject] = {}
    refused: set[tuple[str, ...]] = set()
    for route in routes:
        for path in sorted(route.paths):
            entry = paths.setdefault(spelled(path), {})
            for method in sorted(str(method) for method in route.http_methods):
                entry[method.lower()] = operation_of(route, path, method, sampler)
                refused |= set(codes_of(route, path, method).values())
    scopes = frozenset(route.opt[name] for route in routes for name in ("scope", "or_scope") if name in route.opt)
    return {
        "openapi": "3.1.0",
        "info": information(version) | {"x-sauma-carrier": carrier()},
        "servers": list(SERVERS),
        "tags": [{"name": name, "description": text} for name, text in sorted(TAGS.items())],
        "security": [{"dpop": [], "oauth2": []}],
        "paths": dict(sorted(paths.items())),
        "webhooks": {
            "event": {"post": webhook({kind.__name__: sampler.of(ref(kind.__name__)) for kind in EVENTS.values()})}
        },
        "components": {
            "schemas": schemas,
            "parameters": parameters(),
            "headers": dict(ANSWER_HEADERS),
            "responses": _shared_responses(refused, sources),
            "examples": _examples(refused, sources),
            "securitySchemes": security_schemes(scopes),
        },
    }


def _shared_responses(refused: set[tuple[str, ...]], sources: Sources) -> JsonObject:
    responses = {refusal_name(codes): refusal(codes) for codes in sorted(refused)}
    responses["unauthenticated"] = unauthenticated(("no-credentials", *_unauthenticating(sources)))
    responses["token-refused"] = token_refused(tuple(sources.token_errors))
    return responses


def _examples(refused: set[tuple[str, ...]], sources: Sources) -> JsonObject:
    """The examples of every code that some operation can answer, by family and name."""
    answered = {code for codes in refused for code in codes}
    problems = {code: said for code, said in problem_examples(sources.problems).items() if code in answered}
    families = {
        "problem": problems,
        "credentials": credential_examples(_unauthenticating(sources), sources.problems.oauth),
        "token": token_examples(sources.token_errors),
    }
    return {f"{family}.{name}": said for family, named in families.items() for name, said in named.items()}


def _unauthenticating(sources: Sources) -> dict[str, str]:
    """The errors that are answered with 401; the others are problems of their own status."""
    others = {"invalid_request", "insufficient_scope"}
    return {error: text for error, text in sources.credential_errors.items() if error not in others}


__all__ = ("ISSUER", "Sources", "openapi_document", "schema_files")
