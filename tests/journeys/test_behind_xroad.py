"""Behind X-Road: what the security server says is compared and recorded, from it alone, and nothing rests on it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from asks import AUDITOR, PIRHA, VENDOR, WORKER, audit_body, matter_body, now_text, query_body, record_body
from databases import Database
from docs import pages
from live import Live
from sauma import settings
from sauma.client.auth import Access, AccessRefusedError, SaumaAuth
from sauma.core.resources import REGISTRY
from sauma.web.edge import ROUTES
from sauma.web.gate import stated_scope
from security_server import ADDRESS, SERVICE, SecurityServer, security_server
from systems import judged

OFFICER = {**WORKER, "id": "virkailija-0077"}
CLIENT, ISSUE, REFERENCE = f"FI/GOV/{PIRHA}/asiakasmerkki", "PIRHA/12/05.02/2026", "PIRHA:12:05.02:2026"
MESSAGE = "fa2e18a5-c2cb-4d09-b994-f57727f7c3fb"
SAID = {"X-Road-Client": CLIENT, "X-Road-Id": MESSAGE, "X-Road-UserId": OFFICER["id"], "X-Road-Issue": ISSUE}
RECORDED = {"client": CLIENT, "id": MESSAGE, "userId": OFFICER["id"], "issue": ISSUE, "representedParty": None}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GUIDE = (pages.ROOT / "docs" / "behind-x-road.md").read_text(encoding="utf-8")


class Carried:
    """A server with a security server in front of it, and one open matter on one client of both."""

    def __init__(self, live: Live, xroad: SecurityServer) -> None:
        self.live, self.xroad = live, xroad
        self._opened: dict[tuple[str, bool], httpx.Client] = {}
        self.hetu = live.client_of_both()
        opened = self.put(f"/v1/matters/{REFERENCE}", matter_body(self.hetu, officer=OFFICER))
        assert opened.status_code == 201, opened.text

    def system(self, name: str = "pirha", *, named: bool = False) -> httpx.Client:
        """A system that calls through X-Road and has its token; `named` puts the officer into it."""
        if (name, named) not in self._opened:
            auth = SaumaAuth(self.access(name, officer=OFFICER if named else None))
            http = httpx.Client(base_url=self.xroad.url, auth=auth, timeout=30, event_hooks={"response": [judged]})
            self.live.opened.append(http)
            assert http.get("/v1/status", headers={"X-Road-Client": CLIENT}).status_code == 200
            self._opened[name, named] = http
        return self._opened[name, named]

    def access(self, name: str, **more: Any) -> Access:
        scopes = (
            ("ledger:read",)
            if name.endswith("-dpo")
            else ("case:read", "matter:write", "record:write", "consent:write")
        )
        key = self.live.keys[name]
        return Access(issuer=self.live.url, gateway=self.xroad.url, client_id=name, key=key, scopes=scopes, **more)

    def put(self, path: str, body: Any, headers: Any = SAID) -> httpx.Response:
        return self.system().put(path, json=body, headers={**headers, "Idempotency-Key": uuid.uuid4().hex})

    def query(self, headers: Any = SAID, **members: Any) -> httpx.Response:
        body = query_body(self.hetu, REFERENCE, officer=OFFICER) | members
        return self.system().post("/v1/case-queries", json=body, headers=headers)

    def payload(self, entry: str, auditor: str = "pirha-dpo") -> dict[str, Any]:
        """The encrypted part of an entry, as an auditor's system that calls directly opens it."""
        answer = self.live.system(auditor).entry(entry)
        assert answer.status_code == 200, answer.text
        opened: dict[str, Any] = answer.json()["payload"]
        return opened


@pytest.fixture(scope="module")
def carried(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Carried]:
    """A server of its own that believes 127.0.0.2; afterwards nothing X-Road said stands in its log or in clear."""
    live = Live(new_database(_template), tmp_path_factory.mktemp("xroad"))
    live.register()
    try:
        live.start(SAUMA_XROAD_SECURITY_SERVER=f"10.9.9.9, {ADDRESS}")
        with security_server(live.url) as xroad:
            yield Carried(live, xroad)
    finally:
        live.stop()
    live.told.texts |= {OFFICER["id"], OFFICER["name"], "asiakasmerkki", "12/05.02", "12:05.02", MESSAGE}
    assert live.told.found_in(live.log.read_bytes()) == []
    rows = live.sql("select leaf, manifest, side from ledger.entry")
    clear = b"".join(bytes(value) for row in rows for value in row.values())
    assert [text for text in live.told.texts if text.encode() in clear] == []
    assert PIRHA.encode() in clear
    for status, headers in xroad.answered:
        assert not 300 <= status < 400
        assert [name for name in headers if name.lower().startswith("x-road-")] == []


# -- the main job


def test_the_main_job_works_through_it(carried: Carried) -> None:
    """Proofs are made for SAUMA_PUBLIC_URL and the path as Sauma sees it, whatever host and path were called."""
    answer = carried.query({**SAID, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    assert answer.headers["x-road-id"] == MESSAGE
    payload = carried.payload(answer.json()["disclosureId"])
    assert (payload["carrier"], payload["trace"]) == (RECORDED, TRACE)
    assert (payload["officer"]["id"], payload["caseReference"]) == (OFFICER["id"], REFERENCE)


def test_a_proof_for_the_address_that_was_called_is_refused(carried: Carried) -> None:
    access = carried.access("pirha")
    wrong = SaumaAuth(Access(issuer=carried.xroad.url, client_id="pirha", key=access.key, scopes=access.scopes))
    with pytest.raises(AccessRefusedError), httpx.Client(auth=wrong) as http:
        http.get(f"{carried.xroad.url}/v1/disclosures", headers=SAID)


def test_a_write_is_recorded_with_what_carried_it(carried: Carried) -> None:
    done = carried.put(f"/v1/matters/{REFERENCE}", matter_body(carried.hetu, officer=OFFICER, state="closed"))
    again = carried.put(
        f"/v1/matters/{REFERENCE}",
        matter_body(carried.hetu, officer=OFFICER),
        {**SAID, "If-Match": done.headers["etag"]},
    )
    assert (done.status_code, again.status_code) == (200, 200), again.text
    for answer in (done, again):
        assert carried.payload(answer.json()["receipt"]["entryId"])["carrier"] == RECORDED


def test_a_token_is_recorded_with_what_carried_it(carried: Carried) -> None:
    carried.system()
    rows = carried.live.entries("pirha", kind="admin", decision="token-issued")
    carriers = [carried.payload(str(row["id"]))["carrier"] for row in rows]
    assert CLIENT in [said and said["client"] for said in carriers]


def test_the_disclosers_auditor_can_match_its_own_log_but_does_not_learn_the_receivers_case(carried: Carried) -> None:
    entry = carried.query().json()["disclosureId"]
    payload = carried.payload(entry, "kela-dpo")
    assert payload["carrier"] == {name: value for name, value in RECORDED.items() if name != "issue"}
    assert ISSUE not in json.dumps(payload)


# -- what is compared


def changed(*also: tuple[str, str], without: str = "", **said: str) -> list[tuple[str, str]]:
    """The right headers, with one left out, changed or added."""
    headers = {**SAID, **{name.replace("_", "-"): value for name, value in said.items()}}
    headers.pop(without, None)
    return [*headers.items(), *also]


AGREES: dict[str, tuple[list[tuple[str, str]], dict[str, str | None]]] = {
    "as it should be": (changed(), {}),
    "no person stated": (changed(without="X-Road-UserId"), {"userId": None}),
    "no issue stated": (changed(without="X-Road-Issue"), {"issue": None}),
    "the issue with colons": (changed(X_Road_Issue=REFERENCE), {"issue": REFERENCE}),
    "a member without subsystem": (changed(X_Road_Client=f"FI/GOV/{PIRHA}"), {"client": f"FI/GOV/{PIRHA}"}),
    "another subsystem of another class": (changed(X_Road_Client=f"FI/MUN/{PIRHA}/x"), {"client": f"FI/MUN/{PIRHA}/x"}),
    "it represents itself": (changed(X_Road_Represented_Party=f"GOV/{PIRHA}"), {"representedParty": f"GOV/{PIRHA}"}),
    "without a class": (changed(X_Road_Represented_Party=PIRHA), {"representedParty": PIRHA}),
}


@pytest.mark.parametrize("sentence", AGREES)
def test_what_agrees_is_served_and_recorded(carried: Carried, sentence: str) -> None:
    headers, recorded = AGREES[sentence]
    answer = carried.query(headers)
    assert answer.status_code == 200, answer.text
    assert carried.payload(answer.json()["disclosureId"])["carrier"] == {**RECORDED, **recorded}


def test_a_message_id_is_made_where_the_system_sends_none(carried: Carried) -> None:
    answer = carried.query(changed(without="X-Road-Id"))
    assert carried.payload(answer.json()["disclosureId"])["carrier"]["id"] == answer.headers["x-road-id"]


KELA_CLIENT, SUPPLIER = "FI/GOV/0246246-0/etuus", "FI/COM/9136515-1/jarjestelma"
MISMATCHES: dict[str, tuple[list[tuple[str, str]], str, dict[str, str]]] = {
    "another member": (changed(X_Road_Client=KELA_CLIENT), "X-Road-Client", {"client": KELA_CLIENT}),
    "the organisation as subsystem": (
        changed(X_Road_Client=f"FI/GOV/0246246-0/{PIRHA}"),
        "X-Road-Client",
        {"client": f"FI/GOV/0246246-0/{PIRHA}"},
    ),
    "a supplier for the organisation, whom the token does not name": (
        changed(X_Road_Client=SUPPLIER, X_Road_Represented_Party=PIRHA),
        "X-Road-Client",
        {"client": SUPPLIER, "representedParty": PIRHA},
    ),
    "the organisation for another": (
        changed(X_Road_Represented_Party="GOV/0246246-0"),
        "X-Road-Represented-Party",
        {"representedParty": "GOV/0246246-0"},
    ),
    "another person": (changed(X_Road_UserId="virkailija-0078"), "X-Road-UserId", {"userId": "virkailija-0078"}),
    "the person with a country in front": (
        changed(X_Road_UserId="FIvirkailija-0077"),
        "X-Road-UserId",
        {"userId": "FIvirkailija-0077"},
    ),
    "another case": (changed(X_Road_Issue="PIRHA/13/05.02/2026"), "X-Road-Issue", {"issue": "PIRHA/13/05.02/2026"}),
}
FAULTS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "two members in one line": (changed(X_Road_Client=f"{CLIENT},{KELA_CLIENT}"), "X-Road-Client"),
    "two members in two lines": (changed(("X-Road-Client", KELA_CLIENT)), "X-Road-Client"),
    "the same member twice": (changed(("X-Road-Client", CLIENT)), "X-Road-Client"),
    "a look-alike beside it": (changed(("X_Road_Client", KELA_CLIENT)), "X-Road-Client"),
    "a look-alike of a person": (changed(("X-Road_UserId", OFFICER["id"]), without="X-Road-UserId"), "X-Road-UserId"),
    "two persons": (changed(("X-Road-UserId", "virkailija-0078")), "X-Road-UserId"),
    "a person's identity code": (changed(X_Road_UserId="FI010594Y9032"), "X-Road-UserId"),
    "a client that is no client": (changed(X_Road_Client=PIRHA), "X-Road-Client"),
    "an escape that is none": (changed(X_Road_Client=f"FI/GOV/{PIRHA}/%"), "X-Road-Client"),
    "an empty issue": (changed(X_Road_Issue=""), "X-Road-Issue"),
    "two message ids": (changed(X_Road_Id=f"{MESSAGE},1"), "X-Road-Id"),
}


def refused(carried: Carried, answer: httpx.Response, header: str) -> dict[str, Any]:
    """The refusal is the one that was wanted, recorded before it was said; its payload."""
    problem = answer.json()
    assert (answer.status_code, problem.get("code")) == (403, "carrier-mismatch"), answer.text
    assert problem["errors"] == [{"pointer": f"/headers/{header}", "code": "carrier-mismatch"}]
    rows = carried.live.sql("select kind, reason from ledger.entry where id = $1", uuid.UUID(problem["decisionId"]))
    assert rows == [{"kind": "refusal", "reason": "carrier-mismatch"}]
    payload = carried.payload(problem["decisionId"])
    assert payload["mismatch"] == header
    return payload


@pytest.mark.parametrize("sentence", MISMATCHES)
def test_what_does_not_agree_is_refused_and_recorded_as_said(carried: Carried, sentence: str) -> None:
    headers, header, said = MISMATCHES[sentence]
    before = len(carried.live.entries("pirha", kind="disclosure"))
    payload = refused(carried, carried.query(headers), header)
    assert payload["carrier"] == {**RECORDED, **said}
    assert len(carried.live.entries("pirha", kind="disclosure")) == before


@pytest.mark.parametrize("sentence", FAULTS)
def test_what_can_be_read_in_two_ways_is_not_read(carried: Carried, sentence: str) -> None:
    headers, header = FAULTS[sentence]
    assert refused(carried, carried.query(headers), header)["carrier"] == {"fault": header}


def test_the_officer_in_the_token_is_compared_too(carried: Carried) -> None:
    http = carried.system(named=True)
    assert http.get("/v1/disclosures", headers=SAID).status_code == 200
    refused(carried, http.get("/v1/disclosures", headers=changed(X_Road_UserId="virkailija-0078")), "X-Road-UserId")


def test_a_member_gets_tokens_of_its_own_organisation_only(carried: Carried) -> None:
    before = len(carried.live.entries("pirha"))
    for headers in (
        changed(X_Road_Client=KELA_CLIENT),
        changed(X_Road_Represented_Party="0246246-0"),
        changed(X_Road_Client=PIRHA),
    ):
        with httpx.Client(base_url=carried.xroad.url, auth=SaumaAuth(carried.access("pirha"))) as http:
            with pytest.raises(AccessRefusedError) as stopped:
                http.get("/v1/disclosures", headers=headers)
            assert (stopped.value.status, stopped.value.error) == (400, "unauthorized_client")
    assert len(carried.live.entries("pirha")) == before


# -- a supplier that acts for the organisation

REPRESENTING = {"X-Road-Client": SUPPLIER, "X-Road-Represented-Party": f"GOV/{PIRHA}"}
# what the security server says of a call with the supplier's token, and the header that does not agree
SUPPLIED: dict[str, tuple[dict[str, str], str | None]] = {
    "the supplier, for the organisation": (REPRESENTING, None),
    "the organisation itself": ({}, None),
    "the supplier, and nobody said to be represented": ({"X-Road-Client": SUPPLIER}, "X-Road-Client"),
    "the supplier, for another": (REPRESENTING | {"X-Road-Represented-Party": "0246246-0"}, "X-Road-Represented-Party"),
    "the supplier, for itself": (REPRESENTING | {"X-Road-Represented-Party": VENDOR}, "X-Road-Represented-Party"),
    "another member, for the organisation": (REPRESENTING | {"X-Road-Client": KELA_CLIENT}, "X-Road-Client"),
}


@pytest.mark.parametrize("sentence", SUPPLIED)
def test_a_suppliers_call_is_let_in_for_the_organisation_it_represents(carried: Carried, sentence: str) -> None:
    said, header = SUPPLIED[sentence]
    access = Access(
        issuer=carried.live.url,
        gateway=carried.xroad.url,
        client_id="supplier",
        key=carried.live.keys["supplier"],
        scopes=("case:read", "matter:write"),
        organisation=PIRHA,
    )
    auth = SaumaAuth(access)
    with httpx.Client(base_url=carried.xroad.url, auth=auth, timeout=30, event_hooks={"response": [judged]}) as http:
        token = http.get("/v1/status", headers=SAID | REPRESENTING)  # it comes represented as well
        assert token.status_code == 200
        body = query_body(carried.hetu, REFERENCE, officer=OFFICER)
        answer = http.post("/v1/case-queries", json=body, headers=SAID | said)
    if header is not None:
        refused(carried, answer, header)
        return
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    expected = {"client": said.get("X-Road-Client", CLIENT), "representedParty": said.get("X-Road-Represented-Party")}
    assert carried.payload(answer.json()["disclosureId"])["carrier"] == RECORDED | expected
    (row,) = carried.live.sql(
        "select organisation, client, supplier from ledger.entry where id = $1",
        uuid.UUID(answer.json()["disclosureId"]),
    )
    assert row == {"organisation": PIRHA, "client": "supplier", "supplier": VENDOR}


# -- on every operation

ID = str(uuid.UUID(int=7))
DEPOSITED = [name for name, resource in REGISTRY.items() if resource.deposited]


def operations(hetu: str) -> dict[tuple[str, str], tuple[str, Any]]:
    """Every operation that takes a token: its path with a value in it, and a body that would do."""
    told = {
        "subject": {"hetu": hetu},
        "receivedBy": "x",
        "textVersion": "1",
        "language": "fi",
        "at": now_text(minutes=-5),
        "officer": OFFICER,
    }
    moved = {
        "from": {"hetu": hetu},
        "to": {"hetu": hetu},
        "reason": "corrected",
        "effectiveAt": now_text(),
        "officer": OFFICER,
    }
    record = record_body(hetu, {}, officer=OFFICER, caseReference=REFERENCE)
    row = {
        "resource": "payments",
        "recordId": ID,
        "expectedRevision": None,
        **record_body(hetu, {}, caseReference=REFERENCE),
    }
    return {
        ("PUT", "/v1/matters/{case_reference}"): (f"/v1/matters/{REFERENCE}", matter_body(hetu, officer=OFFICER)),
        ("POST", "/v1/deposits"): ("/v1/deposits", {"records": [row], "officer": OFFICER}),
        ("POST", "/v1/identifier-changes"): ("/v1/identifier-changes", moved),
        ("PUT", "/v1/publication-states/{resource}"): ("/v1/publication-states/plans", {"status": "current", "currentAsOf": now_text()}),
        ("POST", "/v1/case-queries"): ("/v1/case-queries", query_body(hetu, REFERENCE, officer=OFFICER)),
        ("GET", "/v1/disclosures"): (f"/v1/disclosures?caseReference={REFERENCE}", None),
        ("GET", "/v1/disclosures/{disclosure_id}"): (f"/v1/disclosures/{ID}", None),
        ("POST", "/v1/disclosures/{disclosure_id}/erasures"): (f"/v1/disclosures/{ID}/erasures", {"extent": "erased", "at": now_text(), "officer": OFFICER}),
        ("POST", "/v1/prior-informations"): ("/v1/prior-informations", told),
        ("POST", "/v1/audit-sessions"): ("/v1/audit-sessions", audit_body(officer={**AUDITOR, "id": OFFICER["id"]}, dossier=REFERENCE)),
        ("GET", "/v1/ledger/entries/{entry_id}"): (f"/v1/ledger/entries/{ID}", None),
        **{("PUT", f"/v1/{name}/{{record_id}}"): (f"/v1/{name}/{ID}", record) for name in DEPOSITED},
        **{("GET", f"/v1/{name}/{{record_id}}"): (f"/v1/{name}/{ID}", None) for name in DEPOSITED},
        **{("POST", f"/v1/{name}/{{record_id}}/annulment"): (f"/v1/{name}/{ID}/annulment", {"reason": "no-right", "officer": OFFICER}) for name in DEPOSITED},
    }  # fmt: skip


ROUTED = {
    (str(method), path.replace(":str}", "}")): str(stated_scope(route.opt))
    for route in ROUTES
    for path in route.paths
    for method in route.http_methods
    if stated_scope(route.opt) is not None
}
HAVE_A_CASE = {
    ("PUT", "/v1/matters/{case_reference}"),
    ("POST", "/v1/deposits"),
    ("POST", "/v1/case-queries"),
    ("GET", "/v1/disclosures"),
    ("POST", "/v1/audit-sessions"),
    *(("PUT", f"/v1/{name}/{{record_id}}") for name in DEPOSITED),
}


@pytest.mark.parametrize("operation", ROUTED, ids=" ".join)
def test_no_operation_forgets_to_compare(carried: Carried, operation: tuple[str, str]) -> None:
    path, body = operations(carried.hetu)[operation]
    http = carried.system("pirha-dpo" if ROUTED[operation] == "ledger:read" else "pirha", named=operation[0] == "GET")
    wrong = [({"X-Road-UserId": "virkailija-0078"}, "X-Road-UserId"), ({"X-Road-Client": KELA_CLIENT}, "X-Road-Client")]
    if operation in HAVE_A_CASE:
        wrong.append(({"X-Road-Issue": "PIRHA/13"}, "X-Road-Issue"))
    for other, header in wrong:
        said = {name: value for name, value in SAID.items() if operation in HAVE_A_CASE or name != "X-Road-Issue"}
        headers = {**said, **other, "Idempotency-Key": uuid.uuid4().hex}
        answer = http.request(operation[0], path, json=body, headers=headers)
        problem = answer.json()
        assert (problem.get("code"), problem.get("errors", [{}])[0].get("pointer")) == (
            "carrier-mismatch",
            f"/headers/{header}",
        ), answer.text


def test_a_person_is_stated_only_where_the_request_has_one(carried: Carried) -> None:
    """A GET with no officer in its token has nobody to compare with, so nobody may be stated."""
    refused(carried, carried.system().get("/v1/disclosures", headers=SAID), "X-Road-UserId")
    nobody = {name: value for name, value in SAID.items() if name != "X-Road-UserId"}
    assert carried.system().get("/v1/disclosures", headers=nobody).status_code == 200


# -- and from nobody else

FORGED = {
    "headers that would not agree": {**SAID, "X-Road-Client": KELA_CLIENT},
    "headers that cannot be read": {**SAID, "X-Road-Client": "?"},
    "headers that would agree": SAID,
    "a forwarded security server": {
        **SAID,
        "X-Road-Client": KELA_CLIENT,
        "X-Forwarded-For": ADDRESS,
        "Forwarded": f"for={ADDRESS}",
    },
}


@pytest.mark.parametrize("sentence", FORGED)
def test_from_anyone_else_the_headers_do_not_exist(carried: Carried, sentence: str) -> None:
    answer = carried.live.system("pirha").query(carried.hetu, REFERENCE, officer=OFFICER, headers=FORGED[sentence])
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    assert carried.payload(answer.json()["disclosureId"])["carrier"] is None


def test_a_security_server_that_says_nothing_is_refused(carried: Carried) -> None:
    transport = httpx.HTTPTransport(local_address=ADDRESS)
    auth = carried.live.system("pirha").auth
    carried.live.system("pirha").get("/v1/disclosures")  # its token came directly
    with httpx.Client(base_url=carried.live.url, auth=auth, transport=transport) as http:
        payload = refused(carried, http.get("/v1/disclosures"), "X-Road-Client")
        assert http.get("/v1/status").status_code == 200  # what is open to all is open to it
    assert payload["carrier"] == {"fault": "X-Road-Client"}


# -- traces


def test_a_trace_begins_where_none_came_and_its_id_is_the_requests(carried: Carried) -> None:
    answer = carried.live.system("pirha").query(
        carried.hetu, REFERENCE, officer=OFFICER, headers={"traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}
    )
    version, trace, parent, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", answer.headers["sauma-request-id"].replace("-", ""), "00")
    assert trace.endswith(parent)
    assert carried.payload(answer.json()["disclosureId"])["trace"] == trace


def test_a_trace_goes_on_in_every_answer(carried: Carried) -> None:
    for path in ("/v1/status", "/v1/nowhere", "/v1/disclosures"):
        answer = httpx.get(
            f"{carried.live.url}{path}", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "a=b"}
        )
        assert re.fullmatch(f"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", answer.headers["traceparent"]), path
        assert "tracestate" not in answer.headers


# -- the guide


def test_the_guides_headers_are_those_that_are_read() -> None:
    named = [row[0].strip("`") for row in pages.table(GUIDE, "header")]
    assert named == ["X-Road-Client", "X-Road-Represented-Party", "X-Road-UserId", "X-Road-Issue", "X-Road-Id"]


def test_the_guides_setting_is_one() -> None:
    told = dict(line.split("=", 1) for block in pages.fenced(GUIDE, "sh") for line in block.splitlines())
    assert settings.from_environment(told).xroad_security_servers == ("10.1.2.3", "10.1.2.4")


def test_the_guides_script_works_as_written(carried: Carried, tmp_path: pathlib.Path) -> None:
    (script,) = pages.fenced(GUIDE, "python")
    assert script.count(f"/r1/{SERVICE}") == script.count("010594Y9032") == 1
    (tmp_path / "system.jwk").write_text(json.dumps(carried.live.keys["pirha"]), encoding="utf-8")
    for written, here in {
        "https://sauma.example": carried.live.url,
        "https://own-security-server.example": carried.xroad.url.removesuffix(f"/r1/{SERVICE}"),
        "010594Y9032": carried.live.client_of_both(),
    }.items():
        script = script.replace(written, here)
    told = {**os.environ, "PYTHONPATH": str(pages.ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    opened, outcome, refusal = done.stdout.splitlines()
    assert (opened, outcome, refusal) == ("201", "disclosed", "carrier-mismatch /headers/X-Road-Issue")
