"""Foreign, FAPI-certified clients get tokens of us and spend them: npm oauth4webapi and openid-client, unmodified."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from asks import P01, PIRHA, VENDOR, WORKER
from interop.conftest import ALGORITHMS, NONCE, Case, Foreign, Login, private_key

SCOPE = "case:read matter:write"
FIELDS = ["decision.amount", "calculation.result"]
PLAIN = "foreign-ES256"


@pytest.fixture(
    scope="module", params=["client-oauth4.mjs", "client-openid.mjs"], ids=["oauth4webapi", "openid-client"]
)
def script(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("policy", ["", NONCE], ids=["no nonce", "nonce"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_main_job_with_all_it_is_about_signed_for(
    foreign: Foreign, new_case: Callable[[], Case], script: str, algorithm: str, policy: str
) -> None:
    system, case = f"foreign-{algorithm}{policy}", new_case()
    signed = case.details(fields=FIELDS, actions=["matter", "disclose", "inspect"])
    steps = foreign.play(script, system, proofAlgorithm=algorithm, scope=SCOPE, details=signed, **case.asked())
    assert steps.returncode == 0, steps.lines
    token = steps["token"]
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("dpop", 300, SCOPE)
    assert by_member(token["authorization_details"]) == by_member(signed)
    assert [one["nonce"] for one in token["sent"]] == ([False, True] if policy else [False])
    assert {one["alg"] for one in token["sent"]} == {algorithm}
    assert len({one["digest"] for one in token["sent"]}) == len(token["sent"]), "a challenge wants a fresh assertion"
    assert steps["matter"]["status"] == 201
    assert (steps["query"]["status"], steps["query"]["body"]["outcome"]) == (200, "disclosed")
    assert steps["query"]["body"]["records"][0]["fields"]
    assert [one["caseReference"] for one in steps["listed"]["body"]["disclosures"]] == [case.reference]
    recorded = {json.loads(row["leaf"]).get("assertion") for row in foreign.live.entries(system)}
    assert token["sent"][-1]["digest"] in recorded, "the requester's own signature is in the ledger"
    assert all(one["digest"] not in recorded for one in token["sent"][:-1]), "a challenge leaves nothing behind"


def by_member(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Details without the order of what is a set: fields and actions."""
    return [{n: sorted(v) if isinstance(v, list) else v for n, v in detail.items()} for detail in details]


def test_what_we_publish_is_what_they_expect(foreign: Foreign) -> None:
    url = foreign.live.url
    steps = foreign.play("client-oauth4.mjs", PLAIN, scope=SCOPE)
    server, resource = steps["discovery"], steps["resource-discovery"]
    assert (server["issuer"], resource["resource"]) == (url, url)
    assert resource["authorization_servers"] == [url]
    assert resource["dpop_bound_access_tokens_required"] is True
    algorithms = {"ES256", "PS256", "EdDSA", "Ed25519"}
    assert set(server["token_endpoint_auth_signing_alg_values_supported"]) == algorithms
    assert set(server["dpop_signing_alg_values_supported"]) == algorithms
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    assert set(server["grant_types_supported"]) == {"client_credentials", exchange}
    assert server["authorization_details_types_supported"] == ["sauma_case_access"]
    for endpoint in ("token_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint"):
        assert server[endpoint].startswith(f"{url}/"), endpoint


def test_they_understand_our_refusals(foreign: Foreign, script: str) -> None:
    steps = foreign.play(script, PLAIN, scope="case:read", ungranted="ledger:read", unproved=True)
    assert steps.returncode == 0, steps.lines
    assert (steps["ungranted"]["error"], steps["ungranted"]["status"]) == ("invalid_scope", 400)
    assert (steps["token-unproved"]["error"], steps["token-unproved"]["status"]) == ("invalid_dpop_proof", 400)
    assert (steps["call-unproved"]["error"], steps["call-unproved"]["status"]) == ("invalid_token", 401)
    foreign_key = foreign.play(script, PLAIN, key=private_key("ES256"), scope="case:read")
    assert (foreign_key.returncode, foreign_key["error"]["error"]) == (1, "invalid_client")
    narrow = foreign.play(script, PLAIN, scope="case:read", caseReference="A-1", matter={})
    assert (narrow.returncode, narrow["error"]["status"]) == (1, 403)
    assert narrow["error"]["challenge"]["error"] == "insufficient_scope"
    assert narrow["error"]["challenge"]["scope"] == "matter:write"


def test_a_call_without_its_proof_is_told_what_is_missing(foreign: Foreign) -> None:
    steps = foreign.play("client-oauth4.mjs", PLAIN, scope="case:read", unproved=True)
    assert (steps["call-naked"]["status"], steps["call-naked"]["body"]["error"]) == (401, "invalid_dpop_proof")


def test_a_call_outside_what_was_signed_for_is_refused(
    foreign: Foreign, new_case: Callable[[], Case], script: str
) -> None:
    signed_for, other = new_case(), new_case()
    steps = foreign.play(script, "foreign-Ed25519", scope=SCOPE, details=signed_for.details(), **other.asked())
    assert (steps.returncode, steps["error"]["status"]) == (1, 403)
    assert steps["error"]["challenge"]["error"] == "insufficient_scope"


def test_a_purpose_nobody_knows_is_not_signed_for(foreign: Foreign, script: str) -> None:
    details = [{"type": "sauma_case_access", "organisation": PIRHA, "purpose": "curiosity", "caseReference": "A-1"}]
    steps = foreign.play(script, "foreign-PS256", scope=SCOPE, details=details)
    assert (steps.returncode, steps["error"]["error"]) == (1, "invalid_authorization_details")


def test_a_supplier_acts_for_the_county_it_names(foreign: Foreign, new_case: Callable[[], Case], script: str) -> None:
    case, live = new_case(), foreign.live
    steps = foreign.play(script, "supplier", scope=SCOPE, details=case.details(), **case.asked())
    assert steps.returncode == 0, steps.lines
    (entry,) = [row for row in live.entries("supplier") if str(row["id"]) == steps["query"]["body"]["disclosureId"]]
    assert (entry["organisation"], entry["supplier"]) == (PIRHA, VENDOR)
    unsaid = foreign.play(script, "supplier", scope=SCOPE)
    assert (unsaid.returncode, unsaid["error"]["error"]) == (1, "invalid_request"), "it acts for two, and says for none"


def test_an_officer_who_logged_in_is_recorded_as_such(
    foreign: Foreign, login: Login, new_case: Callable[[], Case]
) -> None:
    case, live = new_case(), foreign.live
    said = {"subjectToken": login.said(live.url, WORKER), "details": case.details(officer=None), **case.asked()}
    steps = foreign.play("client-openid.mjs", "foreign-ES256-with-nonces", scope=SCOPE, **said)
    assert steps.returncode == 0, steps.lines
    assert steps["token"]["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert steps["token"]["authorization_details"][0]["officer"] == WORKER
    disclosed = steps["query"]["body"]["disclosureId"]
    (entry,) = [row for row in live.entries("foreign-ES256-with-nonces") if str(row["id"]) == disclosed]
    assert entry["assurance"] == "authenticated"
    again = foreign.play("client-openid.mjs", PLAIN, scope=SCOPE, **said)
    assert (again.returncode, again["error"]["error"]) == (1, "invalid_request"), "a login is exchanged once"


def test_they_ask_about_a_token_and_take_it_back(foreign: Foreign, script: str) -> None:
    details = [{"type": "sauma_case_access", "organisation": PIRHA, "purpose": P01, "caseReference": "PIRHA-1"}]
    steps = foreign.play(script, PLAIN, scope="case:read", details=details, spent=True)
    assert steps.returncode == 0, steps.lines
    told = steps["introspected"]
    assert (told["active"], told["scope"], told["token_type"].lower()) == (True, "case:read", "dpop")
    assert told["cnf"].keys() == {"jkt"}
    assert told["authorization_details"] == details
    assert {n: v for n, v in steps["introspected-again"].items() if n != "step"} == {"active": False}
    assert (steps["call-revoked"]["status"], steps["call-revoked"]["error"]) == (401, "invalid_token")
