"""Another authorization server's tokens, beside ours and instead of ours: accepted, and every way they may not be."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from asks import KELA, P01, PIRHA, VENDOR, WORKER, matter_body, now_text, query_body
from databases import Database
from live import Live
from sauma.client.auth import _sign
from sauma.core.canonical import digest
from sauma.core.evidence import base64url
from systems import judged

ISSUER = "https://login.example/tenant"
SCOPE = "case:read matter:write record:write"
ENDPOINTS = ("/oauth/token", "/oauth/introspect", "/oauth/revoke")


@dataclass
class Theirs:
    """The other issuer, played: its key, and a server of ours that trusts it."""

    live: Live
    key: ECKey
    proof_key: ECKey

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        members = {
            "iss": ISSUER,
            "aud": self.live.url,
            "sub": "their-county",
            "client_id": "their-county",
            "scope": SCOPE,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
            "cnf": {"jkt": self.proof_key.thumbprint()},
            **claims,
        }
        return _sign({"typ": "at+jwt", "kid": "theirs-1"}, members, self.key)

    def call(self, method: str, path: str, body: Any = None, **claims: Any) -> httpx.Response:
        """A call over a connection of its own, so that any worker may get it."""
        return self.spend(self.token(**claims), method, path, body)

    def spend(self, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
        members = {
            "htm": method,
            "htu": f"{self.live.url}{path.partition('?')[0]}",
            "iat": int(time.time()),
            "jti": uuid.uuid4().hex,
            "ath": base64url(digest(token.encode())),
        }
        proof = _sign({"typ": "dpop+jwt", "jwk": self.proof_key.as_dict(private=False)}, members, self.proof_key)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof, "Idempotency-Key": uuid.uuid4().hex}
        answer = httpx.request(method, f"{self.live.url}{path}", json=body, headers=headers, timeout=30)
        judged(answer)
        return answer


def theirs(live: Live, **settings: str) -> Theirs:
    """A server started with the file that names them."""
    key, proof_key = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    clients = {
        "their-county": {"client": "pirha", "organisation": PIRHA},
        "their-supplier": {"client": "supplier", "organisation": PIRHA},
        "their-stranger": {"client": "nobody-here", "organisation": PIRHA},
        "their-pretender": {"client": "pirha", "organisation": KELA},
    }
    keys = {"keys": [{**key.as_dict(private=False), "kid": "theirs-1", "alg": "ES256", "use": "sig"}]}
    row = {"issuer": ISSUER, "jwks": keys, "clients": clients, "scopes": ["case:read", "matter:write"]}
    file = live.home / "issuers.json"
    file.write_text(json.dumps([row]), encoding="utf-8")
    live.register()
    live.start(SAUMA_TRUSTED_ISSUERS=str(file), **settings)
    return Theirs(live, key, proof_key)


@pytest.fixture(scope="module")
def beside(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Theirs]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("beside"))
    try:
        yield theirs(live, SAUMA_WORKERS="2")
    finally:
        live.stop()


@pytest.fixture(scope="module")
def alone(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Theirs]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("alone"))
    try:
        yield theirs(live, SAUMA_OWN_TOKENS="off")
    finally:
        live.stop()


def test_their_token_plays_the_main_job_as_the_registered_system(beside: Theirs) -> None:
    live, hetu, reference = beside.live, beside.live.client_of_both(), f"A-{uuid.uuid4().hex[:8]}"
    opened = beside.call("PUT", f"/v1/matters/{reference}", matter_body(hetu, officer=WORKER))
    assert opened.status_code == 201, opened.text
    token = beside.token()
    answer = beside.spend(token, "POST", "/v1/case-queries", query_body(hetu, reference, officer=WORKER))
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    (row,) = live.sql("select * from ledger.entry where id = $1", uuid.UUID(answer.json()["disclosureId"]))
    assert (row["organisation"], row["client"], row["supplier"]) == (PIRHA, "pirha", None)
    assert json.loads(row["leaf"])["assertion"] == base64url(digest(token.encode()))


def test_a_supplier_of_theirs_acts_for_the_county_and_is_named(beside: Theirs) -> None:
    path = f"/v1/matters/A-{uuid.uuid4().hex[:8]}"
    answer = beside.call("PUT", path, matter_body(beside.live.person(), officer=WORKER), client_id="their-supplier")
    assert answer.status_code == 201, answer.text
    (row,) = beside.live.entries("supplier", kind="write")
    assert (row["organisation"], row["supplier"]) == (PIRHA, VENDOR)


DETAIL = {"type": "sauma_case_access"}
# fmt: off
NOBODY: dict[str, dict[str, Any]] = {
    "for another audience": {"aud": "https://other.example"},
    "of another issuer": {"iss": "https://login.example"},
    "of a client that is not in the file": {"client_id": "another"},
    "of the registered system's own name": {"client_id": "pirha"},
    "of a client that stands for no registered system": {"client_id": "their-stranger"},
    "of a system that may not act for that organisation": {"client_id": "their-pretender"},
    "expired": {"exp": int(time.time()) - 1},
    "not bound to a key": {"cnf": {}},
    "with details for another organisation": {"authorization_details": [{**DETAIL, "organisation": KELA}]},
}
# fmt: on


@pytest.mark.parametrize("sentence", NOBODY)
def test_a_token_of_theirs_that_is_nobody_here(beside: Theirs, sentence: str) -> None:
    answer = beside.call("GET", "/v1/disclosures", **NOBODY[sentence])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token"), answer.text


def test_one_signed_by_somebody_else_is_nobody(beside: Theirs) -> None:
    forger = Theirs(beside.live, ECKey.generate_key("P-256"), beside.proof_key)
    assert forger.call("GET", "/v1/disclosures").json()["error"] == "invalid_token"


def test_scopes_end_where_the_file_ends(beside: Theirs) -> None:
    """Both their issuer and the register let it write records; the file does not."""
    body = {"status": "current", "currentAsOf": now_text()}
    answer = beside.call("PUT", "/v1/publication-states/plans", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), answer.text
    assert 'scope="record:write"' in answer.headers["www-authenticate"]
    rows = beside.live.sql("select reason from ledger.entry where id = $1", uuid.UUID(answer.json()["decisionId"]))
    assert rows == [{"reason": "scope-missing"}]


OUTSIDE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "another case": ({"caseReference": "another"}, ["/caseReference"]),
    "another purpose": ({"purpose": "kela-case-request"}, ["/purpose"]),
    "other fields": ({"fields": ["decision.type"]}, ["/fields"]),
    "another action": ({"actions": ["deposit"]}, []),
}


@pytest.mark.parametrize("sentence", OUTSIDE)
def test_a_query_outside_the_details_of_their_token_is_refused(beside: Theirs, sentence: str) -> None:
    detail, pointers = OUTSIDE[sentence]
    body = query_body(beside.live.person(), "A-1", officer=WORKER, purpose=P01)
    body |= {"fields": ["person.name"]} if "fields" in detail else {}
    answer = beside.call("POST", "/v1/case-queries", body, authorization_details=[DETAIL | detail])
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), answer.text
    found = [error["pointer"] for error in answer.json().get("errors", [])]
    assert found == [f"{pointer}/0" if pointer == "/fields" else pointer for pointer in pointers]


def test_a_system_suspended_here_is_out_at_its_next_call_whoever_gave_the_token(beside: Theirs) -> None:
    token = beside.token()
    assert beside.spend(token, "GET", "/v1/disclosures").status_code == 200
    state = "update registry.client set state = $1 where id = 'pirha' returning 1"
    beside.live.sql(state, "suspended")
    try:
        for _ in range(4):  # over connections of their own, to whichever worker
            assert beside.spend(token, "GET", "/v1/disclosures").json()["error"] == "invalid_token"
    finally:
        beside.live.sql(state, "active")
    assert beside.spend(token, "GET", "/v1/disclosures").status_code == 200


def test_both_issuers_are_named_and_ours_still_issues(beside: Theirs) -> None:
    metadata = httpx.get(f"{beside.live.url}/.well-known/oauth-protected-resource").json()
    assert metadata["authorization_servers"] == [beside.live.url, ISSUER]
    assert beside.live.system("pirha").get("/v1/disclosures").status_code == 200


# -- instead of ours


def test_where_only_they_issue_they_alone_are_named(alone: Theirs) -> None:
    metadata = httpx.get(f"{alone.live.url}/.well-known/oauth-protected-resource").json()
    assert metadata["authorization_servers"] == [ISSUER]
    assert alone.call("GET", "/v1/disclosures").status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_where_only_they_issue_our_endpoints_are_not_found(alone: Theirs, endpoint: str) -> None:
    answer = httpx.post(f"{alone.live.url}{endpoint}", data={"grant_type": "client_credentials", "token": "x"})
    judged_problem(answer)


def test_where_only_they_issue_we_describe_no_issuer(alone: Theirs) -> None:
    judged_problem(httpx.get(f"{alone.live.url}/.well-known/oauth-authorization-server"))


def judged_problem(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not-found"
