"""Who is let in: proofs once, tokens bound and short, scopes stated, and a suspended system out at its very next call."""

import base64
import json
import uuid
from typing import Any

import httpx
import pytest

from asks import PIRHA, WORKER, matter_body, now_text
from live import Live
from sauma.client.auth import AccessRefusedError


def challenged(answer: httpx.Response, error: str) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert f'error="{error}"' in answer.headers["www-authenticate"]
    assert answer.json()["error"] == error
    assert answer.headers["cache-control"] == "no-store"


def test_a_stranger_is_told_how_to_come_in_and_nothing_else(live: Live) -> None:
    answer = httpx.post(f"{live.url}/v1/case-queries", json={})
    assert answer.status_code == 401
    assert "error=" not in answer.headers["www-authenticate"]
    metadata = httpx.get(f"{live.url}/.well-known/oauth-protected-resource").json()
    assert f'resource_metadata="{live.url}/.well-known/oauth-protected-resource"' in answer.headers["www-authenticate"]
    assert metadata["resource"] == live.url
    issuer = httpx.get(f"{live.url}/.well-known/oauth-authorization-server").json()
    assert (issuer["issuer"], issuer["token_endpoint"]) == (live.url, f"{live.url}/oauth/token")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/disclosures"), ("POST", "/v1/case-queries"), ("PUT", "/v1/publication-states/plans")],
)
def test_a_proof_is_good_for_one_request(live: Live, method: str, path: str) -> None:
    pirha, hetu = live.new_system(PIRHA), live.person()
    body: Any = {
        "POST": {"purpose": "curiosity", "caseReference": "A-1", "subject": {"hetu": hetu}, "officer": WORKER},
        "PUT": {"status": "current", "currentAsOf": now_text()},
        "GET": None,
    }[method]
    headers = pirha.signed(method, path)
    answers = [
        httpx.request(method, live.url + path, json=body, headers={**headers, "Idempotency-Key": uuid.uuid4().hex})
        for _ in range(2)
    ]
    assert answers[0].status_code in {200, 201, 403}, answers[0].text
    challenged(answers[1], "invalid_dpop_proof")


def test_a_replayed_write_does_not_excuse_a_replayed_proof(live: Live) -> None:
    pirha, key, path = live.system("pirha"), uuid.uuid4().hex, f"/v1/matters/A-{uuid.uuid4().hex[:6]}"
    body = matter_body(live.person(), officer=WORKER)
    headers = {**pirha.signed("PUT", path), "Idempotency-Key": key}
    assert httpx.put(live.url + path, json=body, headers=headers).status_code == 201
    challenged(httpx.put(live.url + path, json=body, headers=headers), "invalid_dpop_proof")
    fresh = {**pirha.signed("PUT", path), "Idempotency-Key": key}
    assert httpx.put(live.url + path, json=body, headers=fresh).headers["idempotent-replayed"] == "true"


def wrong_credentials(live: Live) -> dict[str, tuple[dict[str, str], str]]:
    pirha, other = live.system("pirha"), live.system("varha")
    good, foreign = pirha.signed("GET", "/v1/disclosures"), other.signed("GET", "/v1/disclosures")
    token = good["Authorization"].removeprefix("DPoP ")
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"scope": "ledger:read"}).encode()).rstrip(b"=").decode()
    return {
        "Bearer is a downgrade": ({"Authorization": f"Bearer {token}"}, "invalid_token"),
        "Bearer with a proof too": (good | {"Authorization": f"Bearer {token}"}, "invalid_token"),
        "no proof": ({"Authorization": good["Authorization"]}, "invalid_dpop_proof"),
        "another's proof": (good | {"DPoP": foreign["DPoP"]}, "invalid_dpop_proof"),
        "another's token": (good | {"Authorization": foreign["Authorization"]}, "invalid_dpop_proof"),
        "a proof for another path": (
            good | {"DPoP": pirha.signed("GET", "/v1/case-queries")["DPoP"]},
            "invalid_dpop_proof",
        ),
        "a proof for another method": (
            good | {"DPoP": pirha.signed("POST", "/v1/disclosures")["DPoP"]},
            "invalid_dpop_proof",
        ),
        "a proof without the token's hash": (
            good | {"DPoP": pirha.auth._proof("GET", f"{live.url}/v1/disclosures")},
            "invalid_dpop_proof",
        ),
        "two proofs in one header": (good | {"DPoP": f"{good['DPoP']}, {foreign['DPoP']}"}, "invalid_dpop_proof"),
        "widened claims": (good | {"Authorization": f"DPoP {head}.{forged}.{signature}"}, "invalid_token"),
        "no signature": (good | {"Authorization": f"DPoP {head}.{body}."}, "invalid_token"),
        "not a token": (good | {"Authorization": "DPoP nonsense"}, "invalid_token"),
    }


CREDENTIALS = (
    "Bearer is a downgrade",
    "Bearer with a proof too",
    "no proof",
    "another's proof",
    "another's token",
    "a proof for another path",
    "a proof for another method",
    "a proof without the token's hash",
    "two proofs in one header",
    "widened claims",
    "no signature",
    "not a token",
)


@pytest.mark.parametrize("what", CREDENTIALS)
def test_credentials_that_do_not_hold(live: Live, what: str) -> None:
    headers, error = wrong_credentials(live)[what]
    challenged(httpx.get(f"{live.url}/v1/disclosures", headers=headers), error)


def test_a_token_in_the_query_is_refused(live: Live) -> None:
    token = live.system("pirha").signed("GET", "/v1/disclosures")["Authorization"].removeprefix("DPoP ")
    answer = httpx.get(f"{live.url}/v1/disclosures?access_token={token}")
    assert answer.status_code == 400
    assert token not in answer.text


def test_a_suspended_system_is_out_at_its_very_next_call(live: Live) -> None:
    system, hetu, key = live.new_system(PIRHA), live.client_of_both(), uuid.uuid4().hex
    path, body = f"/v1/matters/A-{uuid.uuid4().hex[:6]}", matter_body(hetu, officer=WORKER)
    assert system.put(path, body, key=key).status_code == 201
    reference = system.open_matter(hetu)
    assert system.query(hetu, reference).status_code == 200
    live.sql("update registry.client set state = 'suspended' where id = $1 returning id", system.client_id)
    query = {"purpose": "county-benefit-case", "caseReference": reference, "subject": {"hetu": hetu}, "officer": WORKER}
    before = len(live.entries(system.client_id))
    for method, where, content, keyed in (
        ("POST", "/v1/case-queries", query, {}),
        ("PUT", path, matter_body(hetu, officer=WORKER, state="closed"), {"Idempotency-Key": uuid.uuid4().hex}),
        ("PUT", path, body, {"Idempotency-Key": key}),
        ("GET", "/v1/disclosures", None, {}),
    ):
        challenged(
            httpx.request(method, live.url + where, json=content, headers=system.signed(method, where) | keyed),
            "invalid_token",
        )
    assert len(live.entries(system.client_id)) == before
    with pytest.raises(AccessRefusedError) as refused:
        system.query(hetu, reference)
    assert refused.value.error == "invalid_client"


@pytest.mark.parametrize("change", ["state = 'suspended'", "state = 'retired'", "version = version + 1"])
def test_a_token_verified_a_moment_ago_does_not_outlive_its_registration(live: Live, change: str) -> None:
    system, path = live.new_system(PIRHA), "/v1/disclosures"
    before = system.signed("GET", path)
    assert httpx.get(live.url + path, headers=before).status_code == 200  # from here the server remembers this token
    live.sql(f"update registry.client set {change} where id = $1 returning id", system.client_id)  # noqa: S608  # of the table above
    after = system.signed("GET", path)
    assert (before["Authorization"] == after["Authorization"], before["DPoP"] == after["DPoP"]) == (True, False)
    challenged(httpx.get(live.url + path, headers=after), "invalid_token")


def test_a_token_from_before_a_change_of_registration_ends_with_it(live: Live) -> None:
    system = live.new_system(PIRHA)
    headers = system.signed("GET", "/v1/disclosures")
    live.sql("update registry.client set version = version + 1 where id = $1 returning id", system.client_id)
    challenged(httpx.get(f"{live.url}/v1/disclosures", headers=headers), "invalid_token")
    assert system.get("/v1/disclosures").status_code == 200  # the client fetches a new token by itself


def test_a_suspended_organisation_is_out_too(live: Live) -> None:
    system, hetu = live.system("newcomer"), live.person()
    reference = system.open_matter(hetu)
    live.sql("update registry.organisation set active = false where id = $1 returning id", system.organisation)
    try:
        headers = system.signed("PUT", f"/v1/matters/{reference}") | {"Idempotency-Key": uuid.uuid4().hex}
        answer = httpx.put(
            f"{live.url}/v1/matters/{reference}",
            json=matter_body(hetu, officer=WORKER, state="closed"),
            headers=headers,
        )
        challenged(answer, "invalid_token")
    finally:
        live.sql("update registry.organisation set active = true where id = $1 returning id", system.organisation)


def test_a_missing_scope_is_named_as_such_and_recorded(live: Live) -> None:
    system = live.new_system(PIRHA, ("matter:write",))
    answer = system.query(live.person(), "A-1")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="case:read"' in answer.headers["www-authenticate"]
    assert [row["reason"] for row in live.entries(system.client_id, kind="refusal")] == ["scope-missing"]


@pytest.mark.parametrize(("held", "named"), [("case:read", "record:write"), ("matter:write", "case:read")])
def test_where_either_of_two_scopes_lets_in_the_one_that_lacks_is_named(live: Live, held: str, named: str) -> None:
    answer = live.new_system(PIRHA, (held,)).get("/v1/disclosures?role=discloser")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert f'scope="{named}"' in answer.headers["www-authenticate"]


def test_a_scope_that_was_not_granted_is_not_given(live: Live) -> None:
    with pytest.raises(AccessRefusedError) as refused:
        live.system("pirha", "ledger:read").get("/v1/disclosures")
    assert refused.value.error == "invalid_scope"


def test_every_token_leaves_an_entry(live: Live) -> None:
    system = live.new_system(PIRHA)
    system.get("/v1/disclosures")
    assert [(row["kind"], row["decision"]) for row in live.entries(system.client_id)] == [
        ("admin", "token-issued"),
        ("read", "disclosures-listed"),
    ]


OPEN = (
    "/v1/status",
    "/health/live",
    "/health/ready",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/jwks.json",
    "/v1/purposes",
    "/v1/purposes/county-benefit-case",
    "/v1/problems/matter-missing",
)


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_answers_anyone(live: Live, path: str) -> None:
    answer = httpx.get(live.url + path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_published_keys_hold_nothing_private(live: Live) -> None:
    keys = httpx.get(f"{live.url}/.well-known/jwks.json").json()["keys"]
    assert len(keys) == 2
    for key in keys:
        assert key.keys() <= {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_trace_id_of_the_callers_does_not_become_the_request_id(live: Live) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = live.system("pirha").get("/v1/disclosures", traceparent=given, **{"Sauma-Request-Id": "mine"})
    assert answer.headers.get_list("sauma-request-id") != ["mine"]
    assert len(answer.headers.get_list("sauma-request-id")) == 1
