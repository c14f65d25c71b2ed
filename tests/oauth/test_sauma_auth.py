"""Our client against our own decisions, over httpx and without a network."""

import asyncio
import base64
import json
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest

from sauma.client.auth import Access, AccessRefusedError, SaumaAuth
from sauma.core.parties import Action
from sauma.exchange.tokens import KnownClient, TokenRequest
from sauma.oauth.resource import Challenge, ProtectedRequest, authenticate
from sauma.oauth.server import decide_token

COUNTY, OTHER = "2816301-8", "3221308-6"


class Server:
    """The real decisions behind an httpx transport; `now` is its clock, `known` the one system it knows."""

    def __init__(self, baseline: Any, known: KnownClient | None = None) -> None:
        self.baseline, self.now = baseline, baseline.now
        self.known = known or baseline.client()
        self.trust = msgspec.structs.replace(baseline.trust(), nonces=baseline.nonces)
        self.revoked = set[str]()
        self.forms, self.tokens, self.seen, self.refused = list[Any](), list[str](), list[Any](), list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.token(request) if request.url.path == "/oauth/token" else self.resource(request)
        answer.headers["Date"] = formatdate(self.now, usegmt=True)
        return answer

    def token(self, request: httpx.Request) -> httpx.Response:
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
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
        else:
            self.refused.append(str(decision.body["error"]))
        headers = [(name, value) for name, value in decision.headers if name != "Content-Type"]
        return httpx.Response(decision.status, json=dict(decision.body), headers=headers)

    def resource(self, request: httpx.Request) -> httpx.Response:
        verdict = authenticate(
            ProtectedRequest(
                method=request.method,
                raw_path=request.url.raw_path.partition(b"?")[0].decode(),
                authorizations=tuple(request.headers.get_list("Authorization")),
                proofs=tuple(request.headers.get_list("DPoP")),
            ),
            self.trust,
            now=self.now,
        )
        if isinstance(verdict, Challenge):
            self.refused.append(verdict.body["error"])
            return httpx.Response(verdict.status, json=dict(verdict.body), headers=list(verdict.headers))
        if verdict.token_id in self.revoked:
            return httpx.Response(401, headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})
        self.seen.append(verdict)
        fresh = self.baseline.nonces.make(self.trust.resource, now=self.now)
        headers = {"DPoP-Nonce": fresh} if verdict.nonce_required else {}
        return httpx.Response(200, json={"client": verdict.client_id}, headers=headers)

    def signed(self) -> list[Any]:
        """What stood in each assertion."""
        parts = [form["client_assertion"].split(".")[1] for form in self.forms]
        return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts]


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


def timed(server: Server, *, wrong_by: int = 0, **changes: Any) -> SaumaAuth:
    """A client whose clock is the server's, or wrong by so many seconds."""
    return SaumaAuth(access(server.baseline, **changes), clock=lambda: server.now + wrong_by)


def test_one_token_serves_many_calls_each_with_its_own_proof(baseline: Any) -> None:
    server = Server(baseline)
    with client(server, timed(server)) as http:
        statuses = [http.put("/v1/matters/A-1:2~x?a=b", json={}).status_code for _ in range(3)]
    assert (statuses, len(server.tokens)) == ([200, 200, 200], 1)
    assert len({seen.claims[0].digest for seen in server.seen}) == 3


def test_an_async_client_works_the_same(baseline: Any) -> None:
    server = Server(baseline)

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.MockTransport(server), auth=timed(server)) as http:
            return (await http.get(f"{baseline.url}/v1/disclosures")).status_code

    assert asyncio.run(call()) == 200


def test_a_nonce_is_answered_at_both_doors_with_everything_new(baseline: Any) -> None:
    server = Server(baseline, baseline.client(nonce_required=True))
    with client(server, timed(server)) as http:
        assert http.get("/v1/disclosures").status_code == 200
    assert server.refused == ["use_dpop_nonce", "use_dpop_nonce"]
    assert len({signed["jti"] for signed in server.signed()}) == len(server.forms) == 2


def test_the_nonce_of_a_good_answer_is_kept_for_the_next_call(baseline: Any) -> None:
    server = Server(baseline, baseline.client(nonce_required=True))
    with client(server, timed(server)) as http:
        for _ in range(5):
            assert http.get("/v1/disclosures").status_code == 200
            server.now += 50
    assert server.refused == ["use_dpop_nonce", "use_dpop_nonce"], "one at each door, at first contact only"


@pytest.mark.parametrize("nonce_required", [False, True])
@pytest.mark.parametrize("wrong_by", [-3600, 3600])
def test_a_wrong_clock_is_corrected_from_the_date_header(baseline: Any, wrong_by: int, nonce_required: bool) -> None:  # noqa: FBT001  # a policy of the table
    server = Server(baseline, baseline.client(nonce_required=nonce_required))
    with client(server, timed(server, wrong_by=wrong_by)) as http:
        assert http.get("/v1/disclosures").status_code == 200
        assert http.get("/v1/disclosures").status_code == 200
    assert server.refused == ["invalid_client", *["use_dpop_nonce"] * 2 * nonce_required]


def test_a_clock_that_breaks_on_the_way_is_corrected_at_a_call(baseline: Any) -> None:
    server, wrong = Server(baseline), [0]
    with client(server, SaumaAuth(access(baseline), clock=lambda: server.now + wrong[0])) as http:
        assert http.get("/v1/disclosures").status_code == 200
        wrong[0] = -200
        assert http.get("/v1/disclosures").status_code == 200
    assert server.refused == ["invalid_dpop_proof"]


def test_a_token_near_its_end_is_renewed_and_a_refused_one_replaced_once(baseline: Any) -> None:
    server = Server(baseline)
    with client(server, timed(server)) as http:
        http.get("/v1/disclosures")
        server.now += 280
        assert http.get("/v1/disclosures").status_code == 200
        assert len(server.tokens) == 2
        server.revoked.add("token-0000000000000001")
        assert http.get("/v1/disclosures").status_code == 200
        server.revoked.update({"token-0000000000000002", "token-0000000000000003"})
        assert http.get("/v1/disclosures").status_code == 401
    assert len(server.tokens) == 4


def test_what_a_token_is_confined_to_is_signed_for_and_nowhere_else(baseline: Any) -> None:
    server = Server(baseline)
    wanted = {
        "organisation": COUNTY,
        "purpose": "county-benefit-case",
        "case_reference": "PIRHA-2026-000123",
        "fields": ("decision.amount",),
        "actions": ("disclose",),
        "officer": baseline.person,
    }
    with client(server, timed(server, **wanted)) as http:
        assert http.get("/v1/disclosures").status_code == 200
    (form,), (signed,), (seen,) = server.forms, server.signed(), server.seen
    assert "authorization_details" not in form
    assert signed["authorization_details"] == [
        {
            "type": "sauma_case_access",
            "organisation": COUNTY,
            "purpose": "county-benefit-case",
            "caseReference": "PIRHA-2026-000123",
            "fields": ["decision.amount"],
            "actions": ["disclose"],
            "officer": baseline.person,
        }
    ]
    assert (seen.organisation, seen.officer.id, seen.access.purpose) == (COUNTY, "v-17", "county-benefit-case")
    assert seen.access.case_reference == "PIRHA-2026-000123"
    assert (seen.access.fields, seen.access.actions) == ({"decision.amount"}, {Action.DISCLOSE})


def test_a_token_confined_to_nothing_signs_for_nothing(baseline: Any) -> None:
    server = Server(baseline)
    with client(server, timed(server)) as http:
        http.get("/v1/disclosures")
    assert "authorization_details" not in server.signed()[0]


def test_an_officer_who_logged_in_is_exchanged_anew_for_each_token(baseline: Any) -> None:
    server, logins = Server(baseline, baseline.client(nonce_required=True)), list[str]()

    def logged_in() -> str:
        times = {"iat": server.now, "exp": server.now + 60, "auth_time": server.now - 60}
        logins.append(baseline.login(members={**times, "jti": f"login-number-{len(logins):08}"}))
        return logins[-1]

    with client(server, timed(server, officer_token=logged_in)) as http:
        assert http.get("/v1/disclosures").status_code == 200
        server.now += 280
        assert http.get("/v1/disclosures").status_code == 200
    assert (len(logins), len(server.tokens)) == (2, 2), "a challenge uses no login up"
    assert {seen.authentication.provider for seen in server.seen} == {baseline.idp}
    assert {seen.officer.id for seen in server.seen} == {baseline.person["id"]}


def test_each_organisation_has_its_token_and_all_share_what_was_learned(baseline: Any) -> None:
    mandates = tuple(baseline.mandate(organisation=one, supplier="9136515-1") for one in (COUNTY, OTHER))
    known = baseline.client(organisation="9136515-1", mandates=mandates, nonce_required=True)
    server = Server(baseline, known)
    first = timed(server, wrong_by=3600, organisation=COUNTY)
    second = first.within(access(baseline, organisation=OTHER))
    for auth in (first, second, first, second):
        with client(server, auth) as http:
            assert http.get("/v1/disclosures").status_code == 200
    assert [seen.organisation for seen in server.seen] == [COUNTY, OTHER, COUNTY, OTHER]
    assert {seen.supplier for seen in server.seen} == {"9136515-1"}
    assert len(server.tokens) == 2
    assert server.refused == ["invalid_client", "use_dpop_nonce", "use_dpop_nonce"], "learned once, for both"


class Wire(httpx.BaseTransport):
    """Reads a body as a network does, once, as it goes out."""

    def __init__(self, server: Server) -> None:
        self.server, self.bodies = server, list[bytes]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        self.bodies.append(b"".join(request.stream))
        return self.server(httpx.Request(request.method, request.url, headers=request.headers, content=self.bodies[-1]))


def test_a_body_is_sent_again_whole_after_a_challenge(baseline: Any) -> None:
    server = Server(baseline, baseline.client(nonce_required=True))
    wire = Wire(server)
    with httpx.Client(transport=wire, auth=timed(server), base_url=baseline.url) as http:
        assert http.post("/v1/case-queries", content=iter([b"{", b"}"])).status_code == 200
    assert wire.bodies[-2:] == [b"{}", b"{}"]


def test_a_refused_token_is_an_exception_with_the_code_and_no_key_in_sight(baseline: Any) -> None:
    server = Server(baseline)
    wanted = access(baseline, scopes=("ledger:read",))
    with (
        client(server, timed(server, scopes=("ledger:read",))) as http,
        pytest.raises(AccessRefusedError) as no,
    ):
        http.get("/v1/disclosures")
    assert (no.value.status, no.value.error, len(server.forms)) == (400, "invalid_scope", 1)
    assert str(wanted.key["d"]) not in repr(wanted)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_each_kind_of_client_key_works(baseline: Any, algorithm: str) -> None:
    key = baseline.algorithm_keys[algorithm]
    server = Server(baseline, baseline.client(keys=(baseline.registered(key, alg=algorithm),)))
    registered = {**key.as_dict(private=True), "kid": "k1", "alg": algorithm, "use": "sig"}
    with client(server, timed(server, key=registered)) as http:
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

    auth = timed(server, gateway=gateway)
    with httpx.Client(transport=httpx.MockTransport(rewritten), auth=auth) as http:
        assert http.get(f"{gateway}/v1/disclosures", headers={"X-Road-Client": "FI/GOV/1"}).status_code == 200
    assert called == [(f"{gateway}/oauth/token", "FI/GOV/1"), (f"{gateway}/v1/disclosures", "FI/GOV/1")]
