"""A foreign, FAPI-certified client (npm oauth4webapi) gets a token from us and spends it."""

import hashlib
from typing import Any

import httpx
import pytest

from sauma.client.auth import Access, SaumaAuth

OFFICER = {"id": "v-17", "name": "Päivi Äijälä", "role": "social-care-professional", "unit": "Hervanta"}
JOB = {"scope": "case:read matter:write", "caseReference": "PIRHA-2026:000123", "matter": {}, "query": {}}


@pytest.mark.parametrize("client", ["es256", "ed25519", "ps256"])
def test_a_foreign_client_gets_a_token_and_spends_it(play: Any, access_server: Any, client: str) -> None:
    key = access_server.keys[client]
    steps = play("client-oauth4.mjs", issuer=access_server.url, clientId=client, key=key, officer=OFFICER, **JOB)
    assert steps.returncode == 0, steps.lines
    assert steps["discovery"]["issuer"] == steps["resource-discovery"]["resource"] == access_server.url
    assert steps["token"] == {"step": "token", "tokenType": "dpop", "expiresIn": 300, "scope": JOB["scope"]}
    assert (steps["matter"]["status"], steps["matter"]["body"]) == (200, {"caseReference": JOB["caseReference"]})
    assert steps["query"]["status"] == 200
    caller = access_server.callers[-1]
    assert (caller.client_id, caller.organisation, caller.officer.name) == (client, "2816301-8", OFFICER["name"])
    assert caller.assertion_digest == access_server.register.events[-1].assertion_digest


def test_a_foreign_client_understands_our_refusals(play: Any, access_server: Any) -> None:
    asked: dict[str, Any] = {"issuer": access_server.url, "clientId": "es256", "key": access_server.keys["es256"]}
    ungranted = play("client-oauth4.mjs", **asked, scope="ledger:read")
    assert (ungranted.returncode, ungranted["error"]["error"]) == (1, "invalid_scope")
    foreign_key = {**asked, "key": {**access_server.keys["ed25519"]}}
    unknown = play("client-oauth4.mjs", **foreign_key, scope="case:read")
    assert (unknown.returncode, unknown["error"]["error"]) == (1, "invalid_client")
    narrow = play("client-oauth4.mjs", **asked, scope="case:read", caseReference="A-1", matter={})
    assert (narrow.returncode, narrow["error"]["status"]) == (1, 403)
    assert narrow["error"]["cause"][0]["parameters"]["error"] == "insufficient_scope"


def test_our_own_client_does_the_same_over_http(access_server: Any) -> None:
    access = Access(issuer=access_server.url, client_id="ps256", key=access_server.keys["ps256"], scopes=("case:read",))
    with httpx.Client(auth=SaumaAuth(access), base_url=access_server.url) as http:
        answers = [http.post("/v1/case-queries", json={}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    sent = answers[0].request.headers["Authorization"].removeprefix("DPoP ")
    assert hashlib.sha256(sent.encode()).digest() not in {
        event.assertion_digest for event in access_server.register.events
    }


def test_the_main_job_against_the_full_server(play: Any, request: pytest.FixtureRequest) -> None:
    """`live_server`: url, client_id, key (private JWK), matter and query bodies and caseReference of a seeded case."""
    try:
        live = request.getfixturevalue("live_server")
    except pytest.FixtureLookupError:
        pytest.skip("the live_server fixture (the whole of ./sauma) is not there yet")
    steps = play(
        "client-oauth4.mjs",
        issuer=live.url,
        clientId=live.client_id,
        key=live.key,
        scope="case:read matter:write",
        caseReference=live.case_reference,
        matter=live.matter,
        query=live.query,
    )
    assert steps.returncode == 0, steps.lines
    assert steps["matter"]["status"] in {200, 201}
    assert (steps["query"]["status"], steps["query"]["body"]["outcome"]) == (200, "disclosed")
