"""What a token is confined to holds at every operation: its actions, its case, its purpose and fields (RFC 9396)."""

import uuid
from typing import Any

import httpx
import pytest

from asks import CASEWORK, P01, PIRHA, WORKER, now_text, query_body
from journeys.test_behind_xroad import HAVE_A_CASE, operations
from live import Live
from sauma.core.parties import Action
from sauma.web.edge import ROUTES
from sauma.web.gate import Stated, stated_access
from systems import System

REFERENCE = "PIRHA:12:05.02:2026"
STATED: dict[tuple[str, str], Stated] = {
    (str(method), path.replace(":str}", "}")): said
    for route in ROUTES
    for path in route.paths
    for method in route.http_methods
    if (said := stated_access(route.opt)) is not None
}
NAMES = {"audit-sessions": "/dossier", "disclosures": "/query/caseReference", "matters": "/path/caseReference"}


@pytest.fixture(scope="module")
def hetu(live: Live) -> str:
    return live.person()


def ask(system: System, hetu: str, operation: tuple[str, str]) -> httpx.Response:
    path, body = operations(hetu)[operation]
    return system.http.request(operation[0], path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})


MADE: dict[tuple[bool, str], System] = {}


def holder(live: Live, operation: tuple[str, str], **details: Any) -> System:
    """A system of the county with a token that holds the operation's scope, confined so; one for all alike."""
    audit = STATED[operation].scope == "ledger:read"
    if (audit, str(details)) not in MADE:
        system = live.new_system(PIRHA, ("ledger:read",) if audit else CASEWORK)
        MADE[audit, str(details)] = system.within(**details)
    return MADE[audit, str(details)]


def told(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json().get("errors", [])]


def refused(live: Live, system: System, answer: httpx.Response, *pointers: str) -> None:
    """403 insufficient_scope with the places outside, recorded before it was said, and never anything else."""
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "scope-missing"), answer.text
    assert told(answer) == list(pointers)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("DPoP ")
    assert 'error="insufficient_scope"' in challenge
    assert "scope=" not in challenge  # the scope it has
    rows = live.entries(system.client_id)
    assert {(row["kind"], row["reason"]) for row in rows if row["decision"] != "token-issued"} == {
        ("refusal", "scope-missing")
    }
    assert str(rows[-1]["id"]) == problem["decisionId"]


@pytest.mark.parametrize("operation", STATED, ids=" ".join)
def test_an_operation_whose_action_the_token_is_not_for_is_refused(
    live: Live, hetu: str, operation: tuple[str, str]
) -> None:
    action = STATED[operation].action
    other = holder(live, operation, actions=tuple(sorted(one.value for one in Action if one is not action)))
    refused(live, other, ask(other, hetu, operation))


ONE_OF_EACH = {said.action: operation for operation, said in STATED.items()}


@pytest.mark.parametrize("action", Action, ids=lambda action: action.value)
def test_an_operation_whose_action_the_token_names_is_let_in(live: Live, hetu: str, action: Action) -> None:
    operation = ONE_OF_EACH[action]
    answer = ask(holder(live, operation, actions=(action.value,)), hetu, operation)
    assert answer.json().get("code") != "scope-missing", answer.text


@pytest.mark.parametrize("operation", sorted(HAVE_A_CASE), ids=" ".join)
def test_no_operation_that_names_a_case_forgets_to_compare_it(
    live: Live, hetu: str, operation: tuple[str, str]
) -> None:
    other = holder(live, operation, case_reference="PIRHA:13")
    part = operation[1].split("/")[2]
    pointer = "/records/0/caseReference" if part == "deposits" else NAMES.get(part, "/caseReference")
    refused(live, other, ask(other, hetu, operation), pointer)
    same = holder(live, operation, case_reference=REFERENCE)
    assert ask(same, hetu, operation).json().get("code") != "scope-missing"


def test_a_deposit_names_each_record_of_another_case(live: Live, hetu: str) -> None:
    path, body = operations(hetu)["POST", "/v1/deposits"]
    row = body["records"][0]
    rows = [row | {"recordId": str(uuid.uuid4()), "caseReference": f"A-{n}"} for n in range(3)]
    system = live.new_system(PIRHA).within(case_reference="A-1")
    answer = system.post(path, body | {"records": rows})
    refused(live, system, answer, "/records/0/caseReference", "/records/2/caseReference")


class Confined:
    """A county's open matter on a client of both, and systems confined to it."""

    def __init__(self, live: Live) -> None:
        self.live, self.hetu = live, live.client_of_both()
        self.reference = live.system("pirha").open_matter(self.hetu)

    def system(self, **details: Any) -> System:
        said = {"purpose": P01, "case_reference": self.reference, "officer": WORKER, **details}
        return self.live.new_system(PIRHA).within(**said)


@pytest.fixture(scope="module")
def confined(live: Live) -> Confined:
    return Confined(live)


def members(answer: httpx.Response) -> set[str]:
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    return {name for record in answer.json()["records"] for name in record["fields"]}


def test_the_fields_of_the_token_are_what_a_query_without_fields_gets(confined: Confined) -> None:
    system = confined.system(fields=("decision.amount", "person.name"))
    assert members(system.query(confined.hetu, confined.reference)) == {"amount", "name"}
    assert members(system.query(confined.hetu, confined.reference, fields=["decision.amount"])) == {"amount"}
    rows = confined.live.entries(system.client_id, kind="disclosure")
    assert len(rows) == 2


def test_a_field_outside_the_token_is_refused_and_discloses_nothing(confined: Confined) -> None:
    system = confined.system(fields=("decision.amount", "person.name"))
    answer = system.query(confined.hetu, confined.reference, fields=["decision.amount", "decision.type"])
    refused(confined.live, system, answer, "/fields/1")


def test_another_case_or_purpose_than_the_tokens_is_refused(confined: Confined) -> None:
    other = confined.live.system("pirha").open_matter(confined.hetu)
    for changes, pointer in (
        ({"caseReference": other}, "/caseReference"),
        ({"purpose": "urgent-handling"}, "/purpose"),
    ):
        system = confined.system()
        body = query_body(confined.hetu, confined.reference, officer=WORKER) | changes
        answer = system.http.post("/v1/case-queries", json=body)
        refused(confined.live, system, answer, pointer)


def test_two_tokens_of_one_system_do_not_lend_each_other_anything(confined: Confined) -> None:
    """Both are remembered by the server; each call is held to the token it came with."""
    wide = confined.live.new_system(PIRHA)
    narrow = wide.within(purpose=P01, case_reference=confined.reference, fields=("person.name",))
    for _ in range(2):
        assert members(narrow.query(confined.hetu, confined.reference)) == {"name"}
        assert "amount" in members(wide.query(confined.hetu, confined.reference))
    answer = narrow.query(confined.hetu, confined.reference, fields=["decision.amount"])
    assert (answer.status_code, told(answer)) == (403, ["/fields/0"])


# -- where the call names no case

COMPARED_BY_ENTRY = {
    ("GET", "/v1/disclosures/{disclosure_id}"),
    ("POST", "/v1/disclosures/{disclosure_id}/erasures"),
}
BY_SESSION = {("GET", "/v1/ledger/entries/{entry_id}")}
"""What an auditor sees follows from the session and its grant, whose dossier the session's opening compared."""
CASELESS = sorted(set(STATED) - HAVE_A_CASE - COMPARED_BY_ENTRY - BY_SESSION)


@pytest.mark.parametrize("operation", CASELESS, ids=" ".join)
def test_an_operation_of_no_case_is_not_for_a_token_that_names_one(
    live: Live, hetu: str, operation: tuple[str, str]
) -> None:
    named = holder(live, operation, case_reference="PIRHA:14", purpose=P01)
    refused(live, named, ask(named, hetu, operation))
    unnamed = holder(live, operation, purpose=P01)
    assert ask(unnamed, hetu, operation).json().get("code") != "scope-missing"


def test_a_token_that_names_a_case_adds_records_of_it_and_replaces_none(live: Live, hetu: str) -> None:
    _, body = operations(hetu)["PUT", "/v1/payments/{record_id}"]
    record = f"/v1/payments/{uuid.uuid4()}"
    rows = operations(hetu)["POST", "/v1/deposits"][1]
    row = rows["records"][0] | {"recordId": record.rpartition("/")[2], "expectedRevision": 1}
    maker = live.new_system(PIRHA)
    assert maker.within(case_reference=REFERENCE).put(record, body).status_code == 201
    one, many = (live.new_system(PIRHA).within(case_reference=REFERENCE) for _ in range(2))
    refused(live, one, one.put(record, body, If_Match='"1"'), "/headers/If-Match")
    refused(live, many, many.post("/v1/deposits", rows | {"records": [row]}), "/records/0/expectedRevision")
    assert maker.put(record, body, If_Match='"1"').status_code == 200


def listed(system: System, query: str = "") -> set[str]:
    answer = system.get(f"/v1/disclosures{query}")
    assert answer.status_code == 200, answer.text
    return {row["id"] for row in answer.json()["disclosures"]}


def test_a_token_that_names_purpose_or_case_sees_the_disclosures_of_it(confined: Confined) -> None:
    since = now_text(seconds=-1).replace("+00:00", "Z")  # the organisation has more than a page of the other tests'
    live, other = confined.live, confined.live.system("pirha").open_matter(confined.hetu)
    asker = live.new_system(PIRHA)
    mine, others = (
        str(asker.query(confined.hetu, reference).json()["disclosureId"]) for reference in (confined.reference, other)
    )
    erased = {"extent": "erased", "at": now_text(), "officer": WORKER}
    for details, seen, unseen in (
        ({}, {mine}, {others}),
        ({"purpose": None}, {mine}, {others}),
        ({"case_reference": None}, {mine, others}, set()),
        ({"case_reference": None, "purpose": "urgent-handling"}, set(), {mine, others}),
    ):
        system = confined.system(**details)
        assert (
            listed(system, f"?from={since}") & {mine, others},
            listed(system, f"?role=discloser&from={since}") & {mine, others},
        ) == (seen, set())
        for entry in seen:
            assert system.get(f"/v1/disclosures/{entry}").status_code == 200
            assert system.post(f"/v1/disclosures/{entry}/erasures", erased).status_code == 201
        for entry in unseen:
            assert system.get(f"/v1/disclosures/{entry}").json()["code"] == "not-found"
            gone = system.post(f"/v1/disclosures/{entry}/erasures", erased)
            assert (gone.status_code, gone.json()["code"]) == (404, "not-found")
            rows = live.entries(system.client_id, kind="refusal")
            assert (str(rows[-1]["id"]), rows[-1]["reason"]) == (gone.json()["decisionId"], "scope-missing")
