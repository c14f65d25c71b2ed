"""The description tells the truth: real answers of the running server, read into the types the description is made of."""

import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from asks import AUDITOR, CLERK, RUN, WORKER, audit_body, now_text, record_body
from live import Live
from sauma.cli.contract import described
from sauma.core.problems import OAUTH_STATUS, STATUS
from sauma.web.answers import ANSWERS
from sauma.web.problems import CredentialsProblem, Problem
from sauma.web.published import OAuthError
from sauma.web.routes.tokens import TokenForm


def token_request(live: Live) -> httpx.Request:
    flow = live.system("pirha", "case:read", officer=WORKER).auth._fetch_token(httpx.Request("GET", live.url))
    return next(flow)


def granted(live: Live) -> Iterator[tuple[str, httpx.Response]]:
    with httpx.Client() as http:
        issued = http.send(token_request(live))
        yield "issue_token", issued
        for name, endpoint in {"introspect_token": "introspect", "revoke_token": "revoke"}.items():
            for token in (issued.json()["access_token"], "none"):
                form = {"token": token, **live.system("pirha").auth._authentication()}
                yield name, http.post(f"{live.url}/oauth/{endpoint}", data=form)


def differs(raw: bytes, kind: type[msgspec.Struct]) -> Any:
    """Nothing where the type reads the answer and writes all of it back: no member missing, wrong or undescribed."""
    said, read = msgspec.json.decode(raw), msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(raw, type=kind)))
    return None if said == read else (said, read)


def opened(live: Live) -> Iterator[tuple[str, httpx.Response]]:
    paths = {
        "show_status": "/v1/status",
        "show_serving": "/status",
        "show_live": "/health/live",
        "show_ready": "/health/ready",
        "list_purposes": "/v1/purposes",
        "show_problem": "/v1/problems/matter-missing",
        "show_description": "/openapi.json",
        "show_authorization_server": "/.well-known/oauth-authorization-server",
        "show_protected_resource": "/.well-known/oauth-protected-resource",
        "show_keys": "/.well-known/jwks.json",
    }
    for name, path in paths.items():
        yield name, httpx.get(live.url + path)
    for purpose in httpx.get(f"{live.url}/v1/purposes").json()["purposes"]:
        yield "show_purpose", httpx.get(f"{live.url}/v1/purposes/{purpose['id']}")


def written(live: Live) -> Iterator[tuple[str, httpx.Response]]:
    kela, hetu, record = live.system("kela"), live.client_of_both(), uuid.uuid4()
    body = record_body(hetu, {"basicAmount": "593.55"}, officer=CLERK)
    first = kela.put(f"/v1/calculations/{record}", body)
    yield "put_one", first
    yield "put_one", kela.put(f"/v1/calculations/{record}", body, If_Match=first.headers["ETag"])
    yield "get_one", kela.get(f"/v1/calculations/{record}")
    annulment = {"reason": "wrong-content", "officer": CLERK}
    yield "annul_one", kela.post(f"/v1/calculations/{record}/annulment", annulment, If_Match='"2"')
    parts = {"resource": "decisions", "recordId": str(uuid.uuid4()), "expectedRevision": None}
    yield "deposit_records", kela.post("/v1/deposits", {"records": [record_body(hetu, {}) | parts], "officer": CLERK})
    state = {"status": "delayed", "currentAsOf": now_text(hours=-1)}
    yield "publish_state", live.system("varha").put("/v1/publication-states/plans", state)
    change = {"from": {"hetu": live.known_at_county(live.system("varha"))}, "to": {"hetu": live.person()}}
    change |= {"reason": "assigned", "effectiveAt": now_text(hours=-1), "officer": WORKER}
    yield "record_identifier_change", live.system("varha").post("/v1/identifier-changes", change)


def asked(live: Live) -> Iterator[tuple[str, httpx.Response]]:
    pirha, hetu, reference = live.system("pirha"), live.client_of_both(), f"PIRHA-{uuid.uuid4().hex[:8]}"
    matter = {"subject": {"hetu": hetu}, "kind": "preventive-assistance", "openedAt": "2026-01-02", "officer": WORKER}
    opening = pirha.put(f"/v1/matters/{reference}", matter | {"state": "open", "unit": "Hervanta"})
    yield "state_matter", opening
    telling = {"subject": {"hetu": hetu}, "receivedBy": "Kela", "textVersion": "1", "language": "fi"}
    told = pirha.post("/v1/prior-informations", telling | {"at": now_text(hours=-1), "officer": WORKER})
    yield "record_prior_information", told
    answer = pirha.query(hetu, reference)
    assert answer.json()["outcome"] == "disclosed"
    yield "query_case", answer
    yield "query_case", pirha.query(hetu, reference, limit=1)
    yield "query_case", pirha.query(hetu, reference, form="existence")
    unknown = live.person()
    yield "query_case", pirha.query(unknown, pirha.open_matter(unknown))
    disclosure = answer.json()["disclosureId"]
    officer = live.system("pirha", "case:read", officer=WORKER)
    yield "list_own_disclosures", officer.get(f"/v1/disclosures?role=receiver&limit=2&caseReference={reference}")
    yield "list_own_disclosures", live.system("kela").get("/v1/disclosures?role=discloser&limit=1")
    yield "get_own_disclosure", officer.get(f"/v1/disclosures/{disclosure}")
    yield "get_own_disclosure", live.system("kela").get(f"/v1/disclosures/{disclosure}")
    erasure = {"extent": "erased", "at": now_text(hours=-1), "officer": WORKER}
    yield "record_erasure", pirha.post(f"/v1/disclosures/{disclosure}/erasures", erasure)
    auditor = live.system("ombudsman")
    yield "start_audit_session", auditor.post("/v1/audit-sessions", audit_body(officer=AUDITOR))
    yield "get_ledger_entry", auditor.entry(disclosure)


@pytest.fixture(scope="module")
def answers(live: Live) -> list[tuple[str, httpx.Response]]:
    return [pair for group in (opened, written, asked, granted) for pair in group(live)]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_is_as_described(answers: list[tuple[str, httpx.Response]], name: str) -> None:
    given = [answer for of, answer in answers if of == name]
    assert given
    for answer in given:
        assert answer.is_success, answer.text
        assert differs(answer.content, ANSWERS[name]) is None


def test_a_member_nobody_described_would_be_noticed(live: Live) -> None:
    raw = httpx.get(f"{live.url}/v1/status").content
    assert differs(raw[:-1] + b',"more":1}', ANSWERS["show_status"]) is not None
    with pytest.raises(msgspec.ValidationError):
        differs(raw.replace(b'"environment"', b'"surroundings"'), ANSWERS["show_status"])


def test_a_refused_caller_is_told_as_described(live: Live) -> None:
    bare = httpx.get(f"{live.url}/v1/disclosures")
    assert (bare.status_code, bare.headers["content-type"]) == (401, "application/problem+json")
    assert "error" not in bare.json()
    refused = httpx.post(f"{live.url}/oauth/token", data={"grant_type": "client_credentials"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    assert differs(refused.content, OAuthError) is None
    token = {"Authorization": "DPoP nothing", "DPoP": "nothing"}
    forged = httpx.get(f"{live.url}/v1/disclosures", headers=token)
    assert forged.json()["error"] == "invalid_token"
    for answer in (bare, forged):
        assert differs(answer.content, CredentialsProblem) is None
    twice = httpx.get(f"{live.url}/v1/disclosures", headers=[("Authorization", "DPoP a"), ("Authorization", "DPoP b")])
    assert (twice.status_code, twice.json()["code"], twice.json()["error"]) == (400, "invalid-value", "invalid_request")
    assert differs(twice.content, Problem) is None
    for answer in (refused, forged, twice):
        page = httpx.get(answer.json()["error_uri"]).json()
        assert (page["code"], page["status"]) == (answer.json()["error"], answer.status_code)
    assert forged.json()["type"] == forged.json()["error_uri"]
    assert f'error_uri="{forged.json()["type"]}"' in forged.headers["www-authenticate"]


def test_the_form_of_our_own_client_is_as_described(live: Live) -> None:
    form = dict(urllib.parse.parse_qsl(token_request(live).content.decode()))
    described = msgspec.to_builtins(msgspec.convert(form, TokenForm))
    assert described == {name: text for name, text in form.items() if name != "client_id"}


def test_the_catalogue_says_what_is_served_today(live: Live) -> None:
    said = httpx.get(f"{live.url}/v1/purposes").json()
    available = {purpose["id"] for purpose in said["purposes"] if purpose["available"]}
    assert available == {"county-benefit-case", "kela-case-request", "supervision-audit"}
    assert "supplementary-assistance" in {code["code"] for code in said["codes"]["matterKinds"]}
    assert all(code["text"]["sv"] and code["source"] for codes in said["codes"].values() for code in codes)
    page = httpx.get(f"{live.url}/v1/purposes/county-benefit-case").json()
    assert page["alreadyHeld"] == ["person.hetu"]
    assert (
        set(page["setByServer"]) == {path for path in page["fields"] if path.startswith(("legal.", "case."))} != set()
    )


def test_a_released_field_that_comes_back_in_no_record_is_explained(live: Live) -> None:
    """Every R field of the main purpose is some resource's member, already held, or said by the server itself."""
    document = described()
    members = {
        schema.get("x-sauma-field")
        for component in document["components"]["schemas"].values()
        for schema in component.get("properties", {}).values()
    }
    page = httpx.get(f"{live.url}/v1/purposes/county-benefit-case").json()
    released = {path for path, cell in page["fields"].items() if cell == "R"}
    assert released - members - set(page["setByServer"]) == set()
    assert set(page["alreadyHeld"]) <= released


def test_an_officer_needs_what_the_description_says(live: Live) -> None:
    hetu = live.client_of_both()
    for officer, good in (
        (RUN, True),
        ({**RUN, "role": "finance"}, False),
        ({name: text for name, text in RUN.items() if name != "responsibleUnit"}, False),
        (CLERK, True),
        ({name: text for name, text in CLERK.items() if name != "unit"}, False),
        ({name: text for name, text in CLERK.items() if name != "role"}, False),
    ):
        body = record_body(hetu, {"basicAmount": "1.00"}, officer=officer)
        done = live.system("kela").put(f"/v1/calculations/{uuid.uuid4()}", body)
        assert (done.status_code == 201) is good, (officer, done.text)
        assert good or done.json()["code"] == "invalid-value"


@pytest.mark.parametrize(("relation", "status"), [("spouse", 201), ("best-friend", 400)])
def test_a_relation_is_one_of_the_list(live: Live, relation: str, status: int) -> None:
    others = [{"subject": {"hetu": live.person()}, "relation": relation}]
    body = record_body(live.client_of_both(), {"basicAmount": "1.00"}, coSubjects=others, officer=CLERK)
    done = live.system("kela").put(f"/v1/calculations/{uuid.uuid4()}", body)
    assert done.status_code == status, done.text
    if status == 400:
        assert done.json()["errors"] == [{"pointer": "/coSubjects/0/relation", "code": "invalid-value"}]


@pytest.mark.parametrize("code", sorted({*STATUS, *OAUTH_STATUS}))
def test_every_problem_has_its_page(live: Live, code: str) -> None:
    assert differs(httpx.get(f"{live.url}/v1/problems/{code}").content, ANSWERS["show_problem"]) is None
