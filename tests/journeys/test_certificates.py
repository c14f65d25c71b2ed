"""Certificate-bound tokens behind a TLS proxy (RFC 8705, RFC 9440): with another certificate, or none, they are nothing."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from asks import PIRHA
from databases import Database
from live import Live
from sauma.client.auth import Access, AccessRefusedError, SaumaAuth
from sauma.oauth.keys.certificate import certificate_thumbprint
from systems import judged
from tls import Authority

PROXY = "127.0.0.3"
DERS = [Authority().issue(name)[0].public_bytes(Encoding.DER) for name in ("casework.example", "other.example")]
MINE, ANOTHERS = ({"Client-Cert": f":{base64.b64encode(der).decode()}:"} for der in DERS)


class Proxied:
    """A server that believes the proxy at `PROXY`, and one system whose tokens are bound to a certificate."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.name = live.new_system(PIRHA, ("case:read",)).client_id
        live.sql("update registry.client set certificate_bound = true where id = $1", self.name)

    def client(self, shown: dict[str, str], *, through: str = PROXY, name: str | None = None) -> httpx.Client:
        """The system as the proxy passes it on: its certificate with every request, the token's too."""
        name = name or self.name
        access = Access(issuer=self.live.url, client_id=name, key=self.live.keys[name], scopes=("case:read",))
        http = httpx.Client(
            base_url=self.live.url,
            auth=Showing(access, shown),
            headers=shown,
            transport=httpx.HTTPTransport(local_address=through),
            event_hooks={"response": [judged]},
        )
        self.live.opened.append(http)
        return http


class Showing(SaumaAuth):
    """Shows the certificate to the token endpoint too, as every request of a mutual TLS connection does."""

    def __init__(self, access: Access, shown: dict[str, str]) -> None:
        super().__init__(access)
        self.shown = shown

    def auth_flow(self, request: httpx.Request) -> Any:
        flow, sent = super().auth_flow(request), None
        while True:
            try:
                asked = flow.send(sent)
            except StopIteration:
                return
            if asked.url.path == "/oauth/token":
                asked.headers.update(self.shown)
            sent = yield asked


@pytest.fixture(scope="module")
def proxied(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("proxied"))
    live.register()
    try:
        live.start(SAUMA_CERTIFICATE_PEER=PROXY)
        yield Proxied(live)
    finally:
        live.stop()


def claims(http: httpx.Client) -> dict[str, Any]:
    """What the token the client holds says."""
    payload = str(http.auth._token).split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "==")))


def test_a_bound_system_is_served_with_its_certificate(proxied: Proxied) -> None:
    http = proxied.client(MINE)
    assert http.get("/v1/disclosures").status_code == 200
    assert claims(http)["cnf"]["x5t#S256"] == certificate_thumbprint(DERS[0])
    assert claims(http)["cnf"]["jkt"]


def test_its_token_with_another_certificate_or_none_is_refused(proxied: Proxied) -> None:
    first = proxied.client(MINE)
    assert first.get("/v1/disclosures").status_code == 200
    for shown in (ANOTHERS, {}):
        thief = proxied.client(shown)
        thief.auth = first.auth
        thief.auth.shown = MINE
        answer = thief.get("/v1/disclosures")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_without_a_certificate_it_gets_no_token(proxied: Proxied) -> None:
    with pytest.raises(AccessRefusedError):
        proxied.client({}).get("/v1/disclosures")


def test_a_system_that_is_not_bound_needs_none_and_may_show_one(proxied: Proxied) -> None:
    for shown in ({}, MINE):
        http = proxied.client(shown, name="pirha")
        assert http.get("/v1/disclosures").status_code == 200
        assert "x5t#S256" not in claims(http)["cnf"]


LOOK_ALIKES = ({"Client_Cert": MINE["Client-Cert"]}, {"X-SSL-Client-Verify": "SUCCESS"}, {"X-Client-Cert": "x"})


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/disclosures"])
def test_119_a_certificate_forged_past_the_proxy_ends_the_call(proxied: Proxied, path: str) -> None:
    method = "POST" if path == "/oauth/token" else "GET"
    for through, shown in [("127.0.0.1", MINE), *((PROXY, one) for one in LOOK_ALIKES)]:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=through)) as http:
            answer = http.request(method, proxied.live.url + path, headers=shown)
        judged(answer)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-value")


@pytest.mark.parametrize("name", ["oauth-authorization-server", "oauth-protected-resource"])
def test_the_metadata_says_whether_tokens_can_be_bound_to_a_certificate(
    name: str, proxied: Proxied, live: Live
) -> None:
    said = [httpx.get(f"{one.url}/.well-known/{name}").json() for one in (proxied.live, live)]
    assert [one["tls_client_certificate_bound_access_tokens"] for one in said] == [True, False]


def test_where_no_proxy_is_named_the_header_means_nothing(live: Live) -> None:
    system = live.system("pirha")
    for shown in (MINE, *LOOK_ALIKES):
        assert system.get("/v1/disclosures", **shown).status_code == 200
