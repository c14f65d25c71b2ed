"""The routes as a set: what is built, written out by hand, each with its scope or its openness, and nothing else."""

import json
import pathlib

import pytest
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.testing import TestClient

from sauma.core.errors import BadRequest
from sauma.core.parties import Action
from sauma.web.context import guard
from sauma.web.edge import ROUTES
from sauma.web.gate import get, stated_access, stated_scope

RESOURCES = (
    "persons",
    "households",
    "applications",
    "decisions",
    "calculations",
    "housing-costs",
    "payments",
    "commitments",
    "recoveries",
    "reductions",
    "statements",
    "county-decisions",
    "plans",
)
OPERATIONS: dict[tuple[str, str], str | None] = {
    # open to all
    ("GET", "/openapi.json"): None,
    ("GET", "/v1/status"): None,
    ("GET", "/status"): None,
    ("GET", "/health/live"): None,
    ("GET", "/health/ready"): None,
    ("GET", "/.well-known/oauth-authorization-server"): None,
    ("GET", "/.well-known/oauth-protected-resource"): None,
    ("GET", "/.well-known/jwks.json"): None,
    ("GET", "/v1/purposes"): None,
    ("GET", "/v1/purposes/{purpose_id}"): None,
    ("GET", "/v1/problems/{code}"): None,
    ("POST", "/oauth/token"): None,
    ("POST", "/oauth/introspect"): None,
    ("POST", "/oauth/revoke"): None,
    # with a token
    ("PUT", "/v1/matters/{case_reference}"): "matter:write",
    ("POST", "/v1/deposits"): "record:write",
    ("POST", "/v1/identifier-changes"): "record:write",
    ("PUT", "/v1/publication-states/{resource}"): "record:write",
    ("POST", "/v1/case-queries"): "case:read",
    ("GET", "/v1/disclosures"): "case:read",
    ("GET", "/v1/disclosures/{disclosure_id}"): "case:read",
    ("POST", "/v1/disclosures/{disclosure_id}/erasures"): "case:read",
    ("POST", "/v1/prior-informations"): "consent:write",
    ("POST", "/v1/audit-sessions"): "ledger:read",
    ("GET", "/v1/ledger/entries/{entry_id}"): "ledger:read",
    **{("PUT", f"/v1/{name}/{{record_id}}"): "record:write" for name in RESOURCES},
    **{("GET", f"/v1/{name}/{{record_id}}"): "record:write" for name in RESOURCES},
    **{("POST", f"/v1/{name}/{{record_id}}/annulment"): "record:write" for name in RESOURCES},
}
PAGES = {("GET", "/docs"): None, ("GET", "/docs/{file}"): None}
"""For people with a browser; they are no operations, and the description leaves them out."""
EITHER = {("GET", "/v1/disclosures"): "record:write", ("GET", "/v1/disclosures/{disclosure_id}"): "record:write"}
"""Operations both parties have, each with the scope of its role."""


def spelled(path: str) -> str:
    return path.replace(":str}", "}")


def operations() -> dict[tuple[str, str], HTTPRouteHandler]:
    return {
        (str(method), spelled(path)): route for route in ROUTES for path in route.paths for method in route.http_methods
    }


def test_the_routes_are_the_contracts_and_no_others() -> None:
    assert {operation: stated_scope(route.opt) for operation, route in operations().items()} == OPERATIONS | PAGES


ACTIONS: dict[tuple[str, str], Action] = {
    ("PUT", "/v1/matters/{case_reference}"): Action.MATTER,
    ("POST", "/v1/deposits"): Action.DEPOSIT,
    ("POST", "/v1/identifier-changes"): Action.DEPOSIT,
    ("PUT", "/v1/publication-states/{resource}"): Action.DEPOSIT,
    ("POST", "/v1/case-queries"): Action.DISCLOSE,
    ("GET", "/v1/disclosures"): Action.INSPECT,
    ("GET", "/v1/disclosures/{disclosure_id}"): Action.INSPECT,
    ("POST", "/v1/disclosures/{disclosure_id}/erasures"): Action.ERASE,
    ("POST", "/v1/prior-informations"): Action.INFORM,
    ("POST", "/v1/audit-sessions"): Action.AUDIT,
    ("GET", "/v1/ledger/entries/{entry_id}"): Action.AUDIT,
    **{("PUT", f"/v1/{name}/{{record_id}}"): Action.DEPOSIT for name in RESOURCES},
    **{("GET", f"/v1/{name}/{{record_id}}"): Action.INSPECT for name in RESOURCES},
    **{("POST", f"/v1/{name}/{{record_id}}/annulment"): Action.DEPOSIT for name in RESOURCES},
}
"""What a token whose details name actions must name to be let in."""


def test_every_operation_with_a_token_states_its_action() -> None:
    stated = {operation: stated_access(route.opt) for operation, route in operations().items()}
    assert {operation: said.action for operation, said in stated.items() if said} == ACTIONS


def test_what_only_an_issuer_does_says_so() -> None:
    said = {operation for operation, route in operations().items() if route.opt.get("issuer") is True}
    assert said == {
        ("POST", "/oauth/token"),
        ("POST", "/oauth/introspect"),
        ("POST", "/oauth/revoke"),
        ("GET", "/.well-known/oauth-authorization-server"),
    }


def test_only_the_pages_say_that_they_are_pages() -> None:
    assert {operation for operation, route in operations().items() if route.opt.get("page")} == PAGES.keys()


def test_a_second_scope_is_stated_only_where_both_parties_have_the_operation() -> None:
    assert {o: route.opt["or_scope"] for o, route in operations().items() if "or_scope" in route.opt} == EITHER


def test_the_description_lists_the_same_operations_with_the_same_scopes() -> None:
    document = json.loads((pathlib.Path(__file__).parents[2] / "openapi" / "sauma.json").read_text(encoding="utf-8"))
    told = {
        (method.upper(), path): next(iter(operation["security"]), {}).get("oauth2", [None])[0]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "put", "post", "delete", "patch"}
    }
    told = {(method, path.replace("{wellKnown}", ".well-known")): scope for (method, path), scope in told.items()}
    assert {(method, path.lower().replace("_", "")): scope for (method, path), scope in told.items()} == {
        (method, path.lower().replace("_", "")): scope for (method, path), scope in OPERATIONS.items()
    }


def test_no_route_brings_a_guard_a_dependency_or_a_middleware_of_its_own() -> None:
    for operation, route in operations().items():
        assert not route.guards, operation
        assert not route.dependencies, operation
        assert not route.middleware, operation


def test_every_guard_of_a_route_is_asked_and_sees_the_route_itself() -> None:
    seen: list[tuple[str, int]] = []

    async def outer(_: ASGIConnection[object, object, object, object], route: BaseRouteHandler) -> None:
        seen.append(("outer", id(route)))

    async def inner(_: ASGIConnection[object, object, object, object], route: BaseRouteHandler) -> None:
        seen.append(("inner", id(route)))
        raise BadRequest("scope-missing")

    @get("/", guards=[inner])
    async def served() -> None:
        seen.append(("served", 0))

    app = Litestar([served], guards=[outer], openapi_config=None, debug=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500
    [route] = [handler for handler in app.routes[0].route_handlers if "GET" in handler.http_methods]
    assert seen == [("outer", id(route)), ("inner", id(route))]


def test_every_route_is_guarded_by_the_one_guard_and_without_a_copy() -> None:
    app = Litestar(list(ROUTES), guards=[guard], openapi_config=None, debug=False)
    for operation in operations():
        assert type(operations()[operation]).__name__ == "_Guarded", operation
    for route in app.routes:
        for handler in route.route_handlers:
            assert handler.resolve_guards() == [guard], route.path


@pytest.mark.parametrize(
    "opt",
    [
        {},
        {"scope": "", "action": Action.DISCLOSE},
        {"scope": "case:read"},
        {"action": Action.DISCLOSE},
        {"scope": "case:read", "action": "disclose"},
        {"open": False},
        {"open": True, "scope": "case:read", "action": Action.DISCLOSE},
        {"open": True, "scope": "case:read"},
        {"open": True, "action": Action.DISCLOSE},
        {"scope": ["case:read"], "action": Action.DISCLOSE},
    ],
)
def test_a_route_that_states_nothing_clear_serves_nobody(opt: dict[str, object]) -> None:
    @get("/silent", opt=opt)
    async def silent() -> None:
        """A route somebody forgot to finish."""

    codes: list[str] = []

    def note(_: object, error: BadRequest) -> object:
        codes.append(error.code)
        raise error

    app = Litestar([silent], guards=[guard], openapi_config=None, exception_handlers={BadRequest: note}, debug=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/silent").status_code == 500
    assert codes == ["scope-missing"]
