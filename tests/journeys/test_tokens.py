"""Tokens over the wire: looked at, ended before their time, given for an officer's login, and what the ledger keeps."""

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from asks import CASEWORK, DELEGATED, P01, PIRHA, VARHA, VENDOR, WORKER
from live import Live
from sauma.client.auth import Access, AccessRefusedError, SaumaAuth, _sign
from sauma.core.evidence import base64url
from sauma.store.enrol import EnrolledProvider
from systems import System

IDP = "https://login.pirha.example"


def posted(system: System, endpoint: str, **form: str) -> httpx.Response:
    """A form with a fresh assertion of the system's own."""
    authenticated = system.auth._authentication()
    return httpx.post(f"{system.live.url}/oauth/{endpoint}", data={**authenticated, **form})


def spent(system: System, token: str) -> httpx.Response:
    """A call of the system with the token, whatever became of it."""
    url = f"{system.live.url}/v1/disclosures"
    proof = system.auth._proof("GET", url, token=token)
    return httpx.get(url, headers={"Authorization": f"DPoP {token}", "DPoP": proof})


def test_a_revoked_token_is_refused_at_its_very_next_call(live: Live) -> None:
    system = live.new_system(PIRHA, CASEWORK)
    token = system.token()
    said = posted(system, "introspect", token=token).json()
    assert (said["active"], said["client_id"], said["token_type"]) == (True, system.client_id, "DPoP")
    assert said["cnf"] == {"jkt": system.auth._proof_key.thumbprint()}
    assert spent(system, token).status_code == 200
    for _ in range(2):
        ended = posted(system, "revoke", token=token)
        assert (ended.status_code, ended.json()) == (200, {})
    refused = spent(system, token)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert posted(system, "introspect", token=token).json() == {"active": False}
    looks = [row["decision"] for row in live.entries(system.client_id) if row["decision"].startswith("token-")]
    assert looks == [
        "token-issued",
        "token-introspected",
        "token-revoked",
        "token-revoked",
        "token-introspected",
    ]


def test_only_the_system_it_was_issued_to_ends_a_token_or_learns_its_case(live: Live) -> None:
    own = live.system("pirha").within(organisation=PIRHA, purpose=P01, case_reference="PIRHA-9", officer=WORKER)
    vendor = live.system("supplier").within(organisation=PIRHA, scopes=("case:read",))
    token = own.token()
    told = {name: posted(live.system(name), "introspect", token=token).json() for name in ("pirha", "pirha-dpo")}
    assert told["pirha"]["authorization_details"][0]["officer"] == WORKER
    assert told["pirha-dpo"].keys() == {"active", "token_type", "scope", "client_id", "sub", "exp", "cnf"}
    assert posted(vendor, "introspect", token=token).json() == {"active": False}
    for asker in (vendor, live.system("pirha-dpo")):
        assert posted(asker, "revoke", token=token).json() == {}
        assert spent(own, token).status_code == 200


def test_a_token_of_another_organisation_is_neither_shown_nor_ended(live: Live) -> None:
    token, kela = live.system("pirha").token(), live.system("kela")
    assert posted(kela, "introspect", token=token).json() == {"active": False}
    assert posted(kela, "revoke", token=token).json() == {}
    assert posted(live.system("pirha"), "introspect", token=token).json()["active"] is True


def test_an_assertion_is_good_for_one_request_at_any_of_the_endpoints(live: Live) -> None:
    system = live.system("pirha")
    assertion = system.auth._authentication()
    first = httpx.post(f"{live.url}/oauth/introspect", data={**assertion, "token": "x"})
    assert (first.status_code, first.json()) == (200, {"active": False})
    for endpoint in ("introspect", "revoke"):
        again = httpx.post(f"{live.url}/oauth/{endpoint}", data={**assertion, "token": "x"})
        assert (again.status_code, again.json()["error"]) == (400, "invalid_client")


def test_the_entry_of_a_token_names_the_assertion_it_was_given_for(live: Live) -> None:
    system = live.new_system(PIRHA, CASEWORK)
    form = {"grant_type": "client_credentials", "scope": "case:read", **system.auth._authentication()}
    url = f"{live.url}/oauth/token"
    given = httpx.post(url, data=form, headers={"DPoP": system.auth._proof("POST", url)})
    assert given.status_code == 200, given.text
    (entry,) = live.entries(system.client_id, decision="token-issued")
    leaf = json.loads(bytes(entry["leaf"]))
    digest = hashlib.sha256(form["client_assertion"].encode()).digest()
    assert leaf["assertion"] == base64url(digest)


# -- an officer's login


@pytest.fixture(scope="module")
def provider(live: Live) -> ECKey:
    """The key of Pirkanmaa's identity provider, registered with the county."""
    key = ECKey.generate_key("P-256")
    registered(live, key, PIRHA)
    return key


def registered(live: Live, key: ECKey, organisation: str) -> None:
    """The key is one of the organisation's identity provider from now on."""
    public = {name: value for name, value in key.as_dict(private=False).items() if name in {"crv", "kty", "x", "y"}}
    jwk = json.dumps(public, separators=(",", ":"), sort_keys=True).encode()
    row = EnrolledProvider(organisation=organisation, issuer=IDP, kid=key.thumbprint(), algorithm="ES256", jwk=jwk)
    live._enrol(providers=(row,))


def login(live: Live, key: ECKey, **changes: Any) -> str:
    """The provider's word that the worker has just logged in."""
    now = int(time.time())
    members = {
        "iss": IDP,
        "aud": live.url,
        "organisation": PIRHA,
        "sub": WORKER["id"],
        "name": WORKER["name"],
        "role": WORKER["role"],
        "unit": WORKER["unit"],
        "acr": "substantial",
        "auth_time": now - 30,
        "iat": now,
        "exp": now + 120,
        "jti": uuid.uuid4().hex,
    }
    return _sign({"typ": "JWT", "kid": key.thumbprint()}, members | changes, key)


def exchanging(live: Live, name: str, word: str, **access: Any) -> httpx.Client:
    """A client of the system that gets its tokens for the login."""
    wanted = Access(
        issuer=live.url,
        client_id=name,
        key=live.keys[name],
        officer_token=lambda: word,
        **{"scopes": ("case:read", "matter:write")} | access,
    )
    http = httpx.Client(base_url=live.url, auth=SaumaAuth(wanted), timeout=30)
    live.opened.append(http)
    return http


def query(live: Live, http: httpx.Client) -> Mapping[str, Any]:
    """The ledger's row of one main job with that client."""
    hetu = live.client_of_both()
    reference = live.system("pirha").open_matter(hetu)
    body = {"purpose": "county-benefit-case", "caseReference": reference, "subject": {"hetu": hetu}}
    answer = http.post("/v1/case-queries", json=body)
    assert answer.status_code == 200, answer.text
    (row,) = live.sql("select * from ledger.entry where id = $1", uuid.UUID(answer.json()["disclosureId"]))
    return row


def test_a_login_is_recorded_as_authenticated_and_counts_once(live: Live, provider: ECKey) -> None:
    word = login(live, provider)
    row = query(live, exchanging(live, "pirha", word))
    assert (row["organisation"], row["assurance"], row["supplier"]) == (PIRHA, "authenticated", None)
    with pytest.raises(AccessRefusedError, match="invalid_request"):
        exchanging(live, "pirha", word).get("/v1/disclosures")


def test_a_supplier_may_bring_the_login_of_the_organisation_it_acts_for(live: Live, provider: ECKey) -> None:
    assert PIRHA in DELEGATED
    row = query(live, exchanging(live, "supplier", login(live, provider), organisation=PIRHA))
    assert (row["organisation"], row["assurance"], row["supplier"]) == (PIRHA, "authenticated", VENDOR)


def test_another_organisations_provider_is_not_believed(live: Live, provider: ECKey) -> None:
    with pytest.raises(AccessRefusedError, match="invalid_request"):
        exchanging(live, "varha", login(live, provider)).get("/v1/disclosures")


def test_a_login_for_one_of_two_that_share_a_provider_is_none_for_the_other(live: Live, provider: ECKey) -> None:
    registered(live, provider, VARHA)
    word = login(live, provider)
    with pytest.raises(AccessRefusedError, match="invalid_request"):
        exchanging(live, "supplier", word, organisation=VARHA, scopes=("case:read",)).get("/v1/disclosures")
    meant = login(live, provider, organisation=VARHA)
    http = exchanging(live, "supplier", meant, organisation=VARHA, scopes=("case:read",))
    assert http.get("/v1/disclosures").status_code == 200
    row = query(live, exchanging(live, "supplier", word, organisation=PIRHA))
    assert (row["organisation"], row["assurance"]) == (PIRHA, "authenticated")
