"""Our client against our own decisions, over httpx and without a network."""

import asyncio
import base64
import json
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from sauma.client.auth import Access, AccessRefusedError, SaumaAuth
from sauma.exchange.tokens import TokenRequest
from sauma.oauth.resource import Challenge, ProtectedRequest, authenticate
from sauma.oauth.server import decide_token


class Server:
    """The real decisions behind an httpx transport; `now` is its clock, the wanted nonces its policy."""

    def __init__(self, baseline: Any, **policy: Any) -> None:
        self.baseline, self.now = baseline, baseline.now
        self.token_nonce, self.resource_nonce = policy.get("token_nonce"), policy.get("resource_nonce")
        self.revoked = set[str]()
        self.known = policy.get("known") or baseline.client()
        self.assertions, self.tokens, self.seen = list[str](), list[str](), list[Any]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.token(request) if request.url.path == "/oauth/token" else self.resource(request)
        answer.headers["Date"] = formatdate(self.now, usegmt=True)
        return answer

    def token(self, request: httpx.Request) -> httpx.Response:
        form = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))
        self.assertions.append(form["client_assertion"])
        if nonce_of(request) != self.token_nonce:
            return httpx.Response(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": self.token_nonce})
        decision = decide_token(
            TokenRequest(
                content_type=request.headers["Content-Type"],
                body=request.content,
                proofs=tuple(request.headers.get_list("DPoP")),
            ),
            self.known,
            issuer=self.baseline.issuer(),
            now=self.now,
            token_id=f"token-{len(self.tokens):016}",
        )
        if decision.status == 200:
            self.tokens.append(str(decision.body["access_token"]))
        return httpx.Response(decision.status, json=dict(decision.body))

    def resource(self, request: httpx.Request) -> httpx.Response:
        if nonce_of(request) != self.resource_nonce:
            challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": self.resource_nonce}
            return httpx.Response(401, headers=challenge)
        verdict = authenticate(
            ProtectedRequest(
                method=request.method,
                raw_path=request.url.raw_path.partition(b"?")[0].decode(),
                authorizations=tuple(request.headers.get_list("Authorization")),
                proofs=tuple(request.headers.get_list("DPoP")),
            ),
            self.baseline.trust(),
            now=self.now,
        )
        if isinstance(verdict, Challenge):
            return httpx.Response(verdict.status, json=dict(verdict.body), headers=list(verdict.headers))
        if verdict.token_id in self.revoked:
            return httpx.Response(401, headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})
        self.seen.append(verdict)
        return httpx.Response(200, json={"client": verdict.client_id})


def nonce_of(request: httpx.Request) -> str | None:
    payload = request.headers["DPoP"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("nonce")


def access(baseline: Any, **changes: Any) -> Access:
    full = {
        "issuer": baseline.url,
        "client_id": "pirha-case",
        "key": {**baseline.client_key.as_dict(private=True), "kid": "k1"},
        "scopes": ("case:read",),
    }
    return Access(**{**full, **changes})


def client(server: Server, auth: SaumaAuth) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(server), auth=auth, base_url=server.baseline.url)


def test_one_token_serves_many_calls_each_with_its_own_proof(baseline: Any) -> None:
    server = Server(baseline)
    with client(server, SaumaAuth(access(baseline), clock=lambda: baseline.now)) as http:
        statuses = [http.put("/v1/matters/A-1:2~x?a=b", json={}).status_code for _ in range(3)]
    assert (statuses, len(server.tokens)) == ([200, 200, 200], 1)
    assert len({seen.claims[0].digest for seen in server.seen}) == 3


def test_an_async_client_works_the_same(baseline: Any) -> None:
    server = Server(baseline)

    async def call() -> int:
        auth = SaumaAuth(access(baseline), clock=lambda: baseline.now)
        async with httpx.AsyncClient(transport=httpx.MockTransport(server), auth=auth) as http:
            return (await http.get(f"{baseline.url}/v1/disclosures")).status_code

    assert asyncio.run(call()) == 200


def test_a_nonce_is_answered_with_a_fresh_assertion(baseline: Any) -> None:
    server = Server(baseline, token_nonce="nonce-a", resource_nonce="nonce-r")
    with client(server, SaumaAuth(access(baseline), clock=lambda: baseline.now)) as http:
        assert http.get("/v1/disclosures").status_code == 200
        assert http.get("/v1/disclosures").status_code == 200
    assert len(server.assertions) == len(set(server.assertions)) == 2


@pytest.mark.parametrize("wrong_by", [-3600, 3600])
def test_a_wrong_clock_is_corrected_from_the_date_header(baseline: Any, wrong_by: int) -> None:
    server = Server(baseline)
    with client(server, SaumaAuth(access(baseline), clock=lambda: baseline.now + wrong_by)) as http:
        assert http.get("/v1/disclosures").status_code == 200


def test_a_token_near_its_end_is_renewed_and_a_refused_one_replaced_once(baseline: Any) -> None:
    server = Server(baseline)
    with client(server, SaumaAuth(access(baseline), clock=lambda: server.now)) as http:
        http.get("/v1/disclosures")
        server.now += 280
        assert http.get("/v1/disclosures").status_code == 200
        assert len(server.tokens) == 2
        server.revoked.add("token-0000000000000001")
        assert http.get("/v1/disclosures").status_code == 200
        server.revoked.update({"token-0000000000000002", "token-0000000000000003"})
        assert http.get("/v1/disclosures").status_code == 401
    assert len(server.tokens) == 4


def test_the_officer_and_the_organisation_reach_the_token(baseline: Any) -> None:
    server = Server(baseline, known=baseline.client(organisations=("2816301-8", "0246246-0")))
    wanted = access(baseline, organisation="0246246-0", officer=baseline.person)
    with client(server, SaumaAuth(wanted, clock=lambda: baseline.now)) as http:
        http.get("/v1/disclosures")
    assert (server.seen[0].organisation, server.seen[0].officer.id) == ("0246246-0", "v-17")


def test_a_refused_token_is_an_exception_with_the_code_and_no_key_in_sight(baseline: Any) -> None:
    server = Server(baseline)
    wanted = access(baseline, scopes=("ledger:read",))
    with client(server, SaumaAuth(wanted, clock=lambda: baseline.now)) as http, pytest.raises(AccessRefusedError) as no:
        http.get("/v1/disclosures")
    assert (no.value.status, no.value.error, len(server.assertions)) == (400, "invalid_scope", 1)
    assert str(wanted.key["d"]) not in repr(wanted)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_each_kind_of_client_key_works(baseline: Any, algorithm: str) -> None:
    key = baseline.algorithm_keys[algorithm]
    known = baseline.client(keys=({**key.as_dict(private=False), "kid": "k1", "alg": algorithm},))
    server = Server(baseline, known=known)
    registered = {**key.as_dict(private=True), "kid": "k1", "alg": algorithm, "use": "sig"}
    with client(server, SaumaAuth(access(baseline, key=registered), clock=lambda: baseline.now)) as http:
        assert http.get("/v1/disclosures").status_code == 200


@pytest.mark.parametrize("in_front", ["", "/r1/FI/GOV/0246246-0/sauma/api"])
def test_behind_a_gateway_the_issuer_is_what_is_signed_for(baseline: Any, in_front: str) -> None:
    server, called = Server(baseline), list[tuple[str, str | None]]()
    gateway = f"https://gateway.internal:8443{in_front}"

    def rewritten(request: httpx.Request) -> httpx.Response:
        called.append((str(request.url), request.headers.get("X-Road-Client")))
        path = request.url.path.removeprefix(in_front)
        return server(
            httpx.Request(request.method, f"{baseline.url}{path}", headers=request.headers, content=request.content)
        )

    auth = SaumaAuth(access(baseline, gateway=gateway), clock=lambda: baseline.now)
    with httpx.Client(transport=httpx.MockTransport(rewritten), auth=auth) as http:
        assert http.get(f"{gateway}/v1/disclosures", headers={"X-Road-Client": "FI/GOV/1"}).status_code == 200
    assert called == [(f"{gateway}/oauth/token", "FI/GOV/1"), (f"{gateway}/v1/disclosures", "FI/GOV/1")]
