"""What a newcomer reads: headers, forms, answers and code lists stand in the description, and nothing points nowhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest
from jsonschema.validators import validator_for

from promised import broken
from sauma.catalogue.loader import load
from sauma.catalogue.problems import load_problem_texts
from sauma.cli.contract import described
from sauma.core.problems import STATUS, Reason
from sauma.core.resources import REGISTRY
from sauma.oauth import resource, server
from sauma.web.answers import ANSWERS
from sauma.web.bodies import DepositsBody, RecordBody
from sauma.web.edge import API_VERSION, ROUTES
from sauma.web.gate import strict_decode
from sauma.web.openapi.events import EVENTS
from sauma.web.openapi.schemas import body_of
from sauma.web.published import openapi_bytes

CATALOGUE = load()
DOCUMENT = json.loads(msgspec.json.encode(described()))
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
KEY, PROOF, MATCH, SESSION = "Idempotency-Key", "DPoP", "If-Match", "Sauma-Audit-Session"
PROBLEM, JSON = "application/problem+json", "application/json"

HEADERS = {
    "an open read takes none": ("GET /v1/purposes", set()),
    "the token endpoint takes a proof": ("POST /oauth/token", {PROOF}),
    "a look at a token takes none": ("POST /oauth/introspect", set()),
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
    assert {p["name"] for p in parameters if p["in"] == "header"} == names | {"traceparent"}
    assert all(p["required"] for p in parameters if p["name"] in {PROOF, KEY, SESSION})


def test_every_reference_leads_somewhere() -> None:
    references = [part for part in objects(DOCUMENT) if "$ref" in part]
    assert len(references) > 100
    assert all(isinstance(resolved(part), dict) for part in references)


def test_every_route_has_a_described_answer_and_no_answer_lacks_a_route() -> None:
    assert {route.fn.__name__ for route in ROUTES if not route.opt.get("page")} == ANSWERS.keys()
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)
    for name, operation in OPERATIONS.items():
        good = [said for status, said in operation["responses"].items() if status.startswith("2")]
        assert good, name
        described = all(resolved(said["content"]["application/json"]["schema"])["properties"] for said in good)
        assert described is (name != "POST /oauth/revoke"), name  # RFC 7009: what its answer holds is ignored


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
    assert {name for name in asked if SCHEMAS[name].get("type") == "object"} - closed == {"TokenForm", "ShownTokenForm"}


def test_the_token_form_says_what_it_takes_and_gives() -> None:
    token = OPERATIONS["POST /oauth/token"]
    form = resolved(token["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"])
    assert set(form["required"]) == {"grant_type", "client_assertion_type", "client_assertion", "scope"}
    assert set(form["properties"]) - set(form["required"]) == {
        "organisation",
        "authorization_details",
        "resource",
        "subject_token",
        "subject_token_type",
    }
    for word in ("`aud` the issuer", "ES256", "PS256", "EdDSA", "`kid`"):
        assert word in form["properties"]["client_assertion"]["description"]
    answer = resolved(token["responses"]["200"]["content"]["application/json"]["schema"])
    assert set(answer["required"]) == {"access_token", "token_type", "expires_in", "scope", "authorization_details"}
    refused = resolved(token["responses"]["400"])["content"]
    assert "error" in resolved(refused[JSON]["schema"])["properties"]
    assert set(refused[JSON]["examples"]) == set(server.ERROR_TEXTS)


CHOSEN = {
    "matterKinds": SCHEMAS["MatterBody"]["properties"]["kind"],
    "auditPurposes": SCHEMAS["AuditSessionBody"]["properties"]["auditPurpose"],
    "languages": SCHEMAS["PriorInformationBody"]["properties"]["language"],
    "relations": SCHEMAS["CoSubjectBody"]["properties"]["relation"],
    "officerRoles": SCHEMAS["CaseworkerOfficer"]["properties"]["role"],
    "necessity": SCHEMAS["CaseQueryBody"]["properties"]["necessity"]["additionalProperties"],
}


@pytest.mark.parametrize("codes", CHOSEN)
def test_a_closed_list_is_shown_as_its_codes(codes: str) -> None:
    assert CHOSEN[codes]["enum"] == list(CATALOGUE.codes[codes])


def test_the_codes_of_problems_are_the_closed_list() -> None:
    assert set(SCHEMAS["Problem"]["properties"]["code"]["enum"]) == STATUS.keys()


def test_an_officer_is_a_person_with_a_role_or_a_run_with_a_responsible_unit() -> None:
    kinds = [resolved(kind) for kind in SCHEMAS["OfficerBody"]["anyOf"]]
    assert {kind["properties"]["kind"]["const"]: set(kind["required"]) - {"id", "name"} for kind in kinds} == {
        "person": {"role", "unit"},
        "process": {"kind", "responsibleUnit"},
    }


def test_a_record_is_deposited_and_disclosed_with_the_fields_of_its_resource() -> None:
    body = OPERATIONS["PUT /v1/housing-costs/{recordId}"]["requestBody"]["content"][JSON]["schema"]
    assert resolved(body)["properties"]["fields"] == {"$ref": "#/components/schemas/HousingCost"}
    for union, fields in (("DepositBody", "HousingCost"), ("DisclosedRecord", "AnsweredHousingCost")):
        named = resolved({"$ref": SCHEMAS[union]["discriminator"]["mapping"]["housing-costs"]})
        assert named["properties"]["resource"]["const"] == "housing-costs"
        assert named["properties"]["fields"] == {"$ref": f"#/components/schemas/{fields}"}


def test_every_union_that_is_told_apart_says_by_what() -> None:
    unions = {name: schema for name, schema in SCHEMAS.items() if "oneOf" in schema}
    assert unions.keys() == {"DepositBody", "DisclosedRecord", "Event"}
    for schema in unions.values():
        assert {ref["$ref"] for ref in schema["oneOf"]} == set(schema["discriminator"]["mapping"].values())


def test_every_deposited_field_has_its_class() -> None:
    for resource_ in REGISTRY.values():
        if resource_.deposited:
            properties = SCHEMAS[resource_.struct.__name__]["properties"]
            assert {spec.member: spec.sensitivity.value for spec in resource_.specs} == {
                name: said["x-sauma-class"] for name, said in properties.items()
            }


def test_the_description_stands_on_its_own() -> None:
    """Nothing in it points to a page its reader does not have."""
    assert re.findall(r"(?i)(?:contract|law)(?:'s)? section [0-9]", json.dumps(DOCUMENT)) == []
    for name, operation in OPERATIONS.items():
        assert operation["summary"] == operation["x-summary"], name
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}, name


def test_the_scopes_named_are_those_of_the_flow() -> None:
    flow = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    named = {
        scope for operation in OPERATIONS.values() for way in operation["security"] for scope in way.get("oauth2", ())
    }
    assert named == set(flow["scopes"])
    assert all("dpop" in way for operation in OPERATIONS.values() for way in operation["security"])


def test_the_version_is_the_one_every_answer_says() -> None:
    assert DOCUMENT["info"]["version"] == API_VERSION


def test_the_served_description_is_the_committed_one() -> None:
    assert openapi_bytes() == (Path(__file__).parents[2] / "openapi" / "sauma.json").read_bytes()


# -- answers


def test_every_answer_says_version_request_and_quota() -> None:
    always = {"API-Version", "Cache-Control", "Sauma-Request-Id", "traceparent"}
    quota = {"RateLimit-Policy", "RateLimit", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
    for name, operation in OPERATIONS.items():
        for status, said in operation["responses"].items():
            headers = resolved(said)["headers"]
            assert always | quota <= headers.keys(), (name, status)
            assert "Retry-After" in headers or status not in {"429", "503", "504"}, (name, status)


def test_every_operation_but_health_can_be_limited_and_overloaded() -> None:
    for name, operation in OPERATIONS.items():
        answered = {"429", "503"} & operation["responses"].keys()
        assert answered == ({"429", "503"} if not name.startswith("GET /health/") else answered - {"429"}), name


def codes(response: dict[str, Any]) -> set[str]:
    return set(resolved(response).get("content", {}).get(PROBLEM, {}).get("examples", {}))


def test_every_refusal_is_answered_with_its_own_status_and_example() -> None:
    texts = load_problem_texts()
    for name, operation in OPERATIONS.items():
        for status, said in operation["responses"].items():
            if status < "400" or status == "401":
                continue
            assert codes(said), (name, status)
            for code, example in resolved(said)["content"][PROBLEM]["examples"].items():
                value = resolved(example)["value"]
                assert (value["code"], str(STATUS[code]), value["status"]) == (code, status, STATUS[code]), name
                assert value["title"] == texts.codes[code].title.en
    unauthenticated = resolved(OPERATIONS["GET /v1/disclosures"]["responses"]["401"])["content"][PROBLEM]["examples"]
    assert set(unauthenticated) == {
        "no-credentials",
        "invalid_token",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "insufficient_user_authentication",
    }
    assert set(resource.ERROR_TEXTS) - set(unauthenticated) == {"invalid_request", "insufficient_scope"}


def test_no_code_is_promised_that_nothing_raises() -> None:
    promised = {
        code for o in OPERATIONS.values() for said in o["responses"].values() for code in codes(said)
    } & STATUS.keys()
    source = Path(__file__).parents[2] / "src" / "sauma"
    told = ("core/problems.py", "web/openapi/refusals.py")
    text = "\n".join(p.read_text("utf-8") for p in source.rglob("*.py") if not p.as_posix().endswith(told))
    raised = {reason.value for reason in Reason}  # each is reached in tests/core
    assert {code for code in promised - raised if f'"{code}"' not in text} == set()
    assert "consent-withdrawn" not in promised


# -- examples


def validator(schema: dict[str, Any]) -> Any:
    """A validator of a schema of the document; references are looked up in its components."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return validator_for(whole, default=jsonschema.Draft202012Validator)(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Place, schema and value of every example of a body."""
    everything = {**OPERATIONS, "webhook": DOCUMENT["webhooks"]["event"]["post"]}
    for name, operation in everything.items():
        bodies = {"request": operation.get("requestBody", {})}
        bodies |= {status: resolved(said) for status, said in operation["responses"].items()}
        for place, body in bodies.items():
            for media, said in body.get("content", {}).items():
                named = said.get("examples") or {"": {"value": said["example"]}}
                for title, example in named.items():
                    yield f"{name} {place} {media} {title}", said["schema"], resolved(example)["value"]


EXAMPLES = {place: (schema, value) for place, schema, value in examples()}


def test_every_body_has_an_example() -> None:
    bodies = [o.get("requestBody") for o in OPERATIONS.values()] + [
        resolved(said) for o in OPERATIONS.values() for said in o["responses"].values()
    ]
    contents = [content for body in bodies if body for content in body.get("content", {}).values()]
    assert len(contents) > 500
    assert all("example" in content or content["examples"] for content in contents)


def test_every_example_is_of_its_schema() -> None:
    seen: set[str] = set()
    for place, (schema, value) in EXAMPLES.items():
        if (both := json.dumps([schema, value], sort_keys=True)) not in seen:
            seen.add(both)
            assert [error.message for error in validator(schema).iter_errors(value)] == [], place
    assert len(seen) > 100


def test_a_wrong_example_would_be_seen() -> None:
    schema, value = EXAMPLES["POST /v1/case-queries request application/json "]
    assert list(validator(schema).iter_errors({**value, "law": "1412/1997"}))
    assert list(validator(schema).iter_errors({**value, "caseReference": "a/b"}))


def test_every_example_of_a_request_is_read_by_the_server() -> None:
    read = 0
    for route in ROUTES:
        kind = body_of(route)
        for method in route.http_methods if kind else ():
            path = re.sub(
                r"{(\w+):str}", lambda m: "{" + re.sub("_(.)", lambda n: n[1].upper(), m[1]) + "}", min(route.paths)
            )
            value = OPERATIONS[f"{method} {path}"]["requestBody"]["content"][JSON]["example"]
            decoded = strict_decode(json.dumps(value).encode(), kind, content_type=JSON)
            if isinstance(decoded, RecordBody):
                REGISTRY[path.split("/")[2]].decode(decoded.fields)
            if isinstance(decoded, DepositsBody):
                assert [REGISTRY[body.resource].decode(body.fields) for body in decoded.records]
            read += 1
    assert read == sum(1 for o in OPERATIONS.values() if JSON in o.get("requestBody", {}).get("content", {}))


def test_an_event_is_thin_and_planned() -> None:
    for kind in EVENTS.values():
        assert set(SCHEMAS[kind.__name__]["properties"]) == {
            "id", "source", "specversion", "type", "time", "dataschema", "subject", "data",
        }  # fmt: skip
        assert SCHEMAS[kind.__name__]["x-sauma-status"] == "planned"
    assert DOCUMENT["webhooks"]["event"]["post"]["x-sauma-status"] == "planned"
    assert {
        name for types in SCHEMAS["Event"]["discriminator"]["mapping"] for name in [types.partition(".")[0]]
    } == set(EVENTS)
    written = json.loads((Path(__file__).parents[2] / "schemas" / "event.json").read_text("utf-8"))
    for example in DOCUMENT["webhooks"]["event"]["post"]["requestBody"]["content"][JSON]["examples"].values():
        assert list(jsonschema.Draft202012Validator(written).iter_errors(example["value"])) == []


def answered(method: str, path: str, status: int, body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(status, json=body, request=httpx.Request(method, f"http://sauma.example{path}"))


KEPT = {
    "a code it names": (answered("POST", "/v1/case-queries", 403, {"code": "matter-missing"}), None),
    "a code of another operation": (
        answered("GET", "/v1/purposes/x", 404, {"code": "matter-missing"}),
        "show-purpose does not promise matter-missing",
    ),
    "a status it does not name": (answered("GET", "/v1/status", 409, {}), "show-status promises no 409"),
    "a success": (answered("PUT", "/v1/plans/01990000-0000-7000-8000-000000000001", 201, {}), None),
    "a challenge": (answered("GET", "/v1/disclosures", 401, {"error": "invalid_token"}), None),
    "a challenge without credentials": (answered("GET", "/v1/disclosures", 401, {}), None),
    "an OAuth error": (answered("POST", "/oauth/token", 400, {"error": "invalid_scope"}), None),
    "a path nobody described": (answered("GET", "/nowhere", 404, {"code": "not-found"}), None),
}


@pytest.mark.parametrize(("answer", "said"), KEPT.values(), ids=KEPT)
def test_an_answer_nobody_was_promised_is_noticed(answer: httpx.Response, said: str | None) -> None:
    assert broken(answer) == said
