"""What a newcomer reads: headers, forms, answers and code lists stand in the description, and nothing points nowhere."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sauma.catalogue.loader import load
from sauma.core.problems import STATUS
from sauma.web.answers import ANSWERS
from sauma.web.edge import ROUTES
from sauma.web.openapi import openapi_document

CATALOGUE = load()
DOCUMENT = openapi_document(ROUTES, version="0", catalogue=CATALOGUE)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
KEY, PROOF, MATCH, SESSION = "Idempotency-Key", "DPoP", "If-Match", "Sauma-Audit-Session"

HEADERS = {
    "an open read takes none": ("GET /v1/purposes", set()),
    "the token endpoint takes a proof": ("POST /oauth/token", {PROOF}),
    "the main job is a read: no key": ("POST /v1/case-queries", {PROOF}),
    "a deposit takes a key": ("POST /v1/deposits", {PROOF, KEY}),
    "a record is replaced against its ETag": ("PUT /v1/decisions/{recordId}", {PROOF, KEY, MATCH}),
    "a record is annulled against its ETag": ("POST /v1/decisions/{recordId}/annulment", {PROOF, KEY, MATCH}),
    "a record's state is only read": ("GET /v1/decisions/{recordId}", {PROOF}),
    "a matter is changed against its ETag": ("PUT /v1/matters/{caseReference}", {PROOF, KEY, MATCH}),
    "a publication state has no precondition": ("PUT /v1/publication-states/{resource}", {PROOF, KEY}),
    "an audit session is a write": ("POST /v1/audit-sessions", {PROOF, KEY}),
    "the ledger is read in a session": ("GET /v1/ledger/entries/{entryId}", {PROOF, SESSION}),
    "an erasure is a write": ("POST /v1/disclosures/{disclosureId}/erasures", {PROOF, KEY}),
}


def resolved(said: dict[str, Any]) -> dict[str, Any]:
    found: Any = DOCUMENT
    for part in said["$ref"].split("/")[1:] if "$ref" in said else ():
        found = found[part]
    return said if found is DOCUMENT else found


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


@pytest.mark.parametrize(("operation", "names"), HEADERS.values(), ids=HEADERS)
def test_an_operation_names_the_headers_it_takes(operation: str, names: set[str]) -> None:
    parameters = [resolved(p) for p in OPERATIONS[operation]["parameters"]]
    assert {p["name"] for p in parameters if p["in"] == "header"} == names
    assert all(p["required"] for p in parameters if p["name"] in {PROOF, KEY, SESSION})


def test_every_reference_leads_somewhere() -> None:
    references = [part for part in objects(DOCUMENT) if "$ref" in part]
    assert len(references) > 100
    assert all(isinstance(resolved(part), dict) for part in references)


def test_every_route_has_a_described_answer_and_no_answer_lacks_a_route() -> None:
    assert {route.fn.__name__ for route in ROUTES} == ANSWERS.keys()
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)
    for name, operation in OPERATIONS.items():
        good = [said for status, said in operation["responses"].items() if status.startswith("2")]
        assert good, name
        assert all(resolved(said["content"]["application/json"]["schema"])["properties"] for said in good), name


def test_requests_are_closed_and_answers_open() -> None:
    def reached(schema: dict[str, Any]) -> Iterator[str]:
        for part in objects(schema):
            if "$ref" in part and (name := part["$ref"].rpartition("/")[2]) not in seen:
                seen.add(name)
                yield name
                yield from reached(SCHEMAS[name])

    seen: set[str] = set()
    asked = set(reached({"bodies": [o.get("requestBody", {}) for o in OPERATIONS.values()]}))
    closed = {name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}
    assert closed <= asked
    assert {name for name in asked if SCHEMAS[name].get("type") == "object"} - closed == {"TokenForm"}


def test_the_token_form_says_what_it_takes_and_gives() -> None:
    token = OPERATIONS["POST /oauth/token"]
    form = resolved(token["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"])
    assert set(form["required"]) == {"grant_type", "client_assertion_type", "client_assertion", "scope"}
    assert set(form["properties"]) - set(form["required"]) == {"organisation", "authorization_details", "resource"}
    for word in ("`aud` the issuer", "ES256", "PS256", "EdDSA", "`kid`"):
        assert word in form["properties"]["client_assertion"]["description"]
    answer = resolved(token["responses"]["200"]["content"]["application/json"]["schema"])
    assert set(answer["required"]) == {"access_token", "token_type", "expires_in", "scope", "authorization_details"}
    assert "error" in resolved(token["responses"]["400"]["content"]["application/json"]["schema"])["properties"]


CHOSEN = {
    "matterKinds": SCHEMAS["MatterBody"]["properties"]["kind"],
    "auditPurposes": SCHEMAS["AuditSessionBody"]["properties"]["auditPurpose"],
    "languages": SCHEMAS["PriorInformationBody"]["properties"]["language"],
    "relations": SCHEMAS["CoSubjectBody"]["properties"]["relation"],
    "officerRoles": SCHEMAS["OfficerBody"]["properties"]["role"]["anyOf"][0],
    "necessity": SCHEMAS["CaseQueryBody"]["properties"]["necessity"]["additionalProperties"],
}


@pytest.mark.parametrize("codes", CHOSEN)
def test_a_closed_list_is_shown_as_its_codes(codes: str) -> None:
    assert CHOSEN[codes]["enum"] == list(CATALOGUE.codes[codes])


def test_the_codes_of_problems_are_the_closed_list() -> None:
    assert set(SCHEMAS["Problem"]["properties"]["code"]["enum"]) == STATUS.keys()


def test_an_officer_is_a_person_with_a_role_or_a_run_with_a_responsible_unit() -> None:
    kinds = {kind["properties"]["kind"]["const"]: set(kind["required"]) for kind in SCHEMAS["OfficerBody"]["oneOf"]}
    assert kinds == {"person": {"role", "unit"}, "process": {"kind", "responsibleUnit"}}


def test_a_record_is_deposited_with_the_fields_of_its_resource() -> None:
    body = OPERATIONS["PUT /v1/housing-costs/{recordId}"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["allOf"][1]["properties"]["fields"] == {"$ref": "#/components/schemas/HousingCost"}


def test_the_description_stands_on_its_own() -> None:
    """Nothing in it points to a page its reader does not have."""
    assert re.findall(r"(?i)(?:contract|law)(?:'s)? section [0-9]", json.dumps(DOCUMENT)) == []
    assert all(operation["summary"] for operation in OPERATIONS.values())
