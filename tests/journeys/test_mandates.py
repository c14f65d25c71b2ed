"""What ends between issue and use, on two workers: refused at the very next call of each, and nothing disclosed."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from asks import AUDIT, CASEWORK, DELEGATED, KELA, P01, PIRHA, VENDOR, WORKER, matter_body, query_body
from databases import Database
from journeys.test_keys import Crew
from live import Live
from sauma.client.auth import AccessRefusedError
from systems import System


@pytest.fixture(scope="module")
def crew(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crew]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("mandates"))
    live.register()
    try:
        live.start(SAUMA_WORKERS="2")
        yield Crew(live)
    finally:
        live.stop()


def own(live: Live) -> System:
    return live.new_system(PIRHA)


def suppliers(live: Live) -> System:
    return live.new_system(VENDOR).within(organisation=PIRHA, scopes=("case:read", "matter:write"))


def update(table: str, what: str, where: str) -> str:
    """A change of the register, as a registrar's program or a person at the database would make it."""
    return f"update registry.{table} set {what} where {where} returning 1"  # noqa: S608  # of the table below


def of_system(table: str, what: str) -> Callable[[System], object]:
    named = "id" if table == "client" else "client"
    return lambda system: system.live.sql(update(table, what, f"{named} = '{system.client_id}'"))


def of_all(statement: str) -> Callable[[System], object]:
    return lambda system: system.live.sql(statement)


def without_its_key(system: System) -> None:
    system.live.sql("delete from registry.client_key where client = $1", system.client_id)


def revoke(system: System) -> None:
    """The token ends before its time (RFC 7009)."""
    form = {**system.auth._authentication(), "token": system.token()}
    assert httpx.post(f"{system.live.url}/oauth/revoke", data=form).status_code == 200


GRANT = "organisation_grant", f"organisation = '{PIRHA}'"
COUNTY, SUPPLIER = ("organisation", f"id = '{PIRHA}'"), ("organisation", f"id = '{VENDOR}'")
DELEGATION = "delegation", f"organisation = '{PIRHA}' and supplier = '{VENDOR}'"
LESS, KEPT = f"scopes = array{[*CASEWORK[1:], *AUDIT]}", f"scopes = array{[*CASEWORK, *AUDIT]}"
SUPPLIED = f"scopes = array{[*DELEGATED[PIRHA]]}"


def changed(row: tuple[str, str], what: str) -> str:
    return update(row[0], what, row[1])


# who asks, what ends, and how it is as before
# fmt: off
ENDS: dict[str, tuple[Callable[[Live], System], Callable[[System], object], str | None]] = {
    "the system is suspended": (own, of_system("client", "state = 'suspended'"), None),
    "the system is retired": (own, of_system("client", "state = 'retired'"), None),
    "a key of the system is removed": (own, without_its_key, None),
    "a key of the system is switched off": (own, of_system("client_key", "active = false"), None),
    "the system is granted less": (own, of_system("client", LESS), None),
    "the organisation is granted less": (own, of_all(changed(GRANT, LESS)), changed(GRANT, KEPT)),
    "the organisation is switched off": (own, of_all(changed(COUNTY, "active = false")), changed(COUNTY, "active = true")),
    "the token is revoked": (own, revoke, None),
    "the supplier's token is revoked": (suppliers, revoke, None),
    "the supplier's system is suspended": (suppliers, of_system("client", "state = 'suspended'"), None),
    "the delegation is ended": (suppliers, of_all(changed(DELEGATION, "active = false")), changed(DELEGATION, "active = true")),
    "the delegation runs out": (suppliers, of_all(changed(DELEGATION, "valid_until = clock_timestamp()")), changed(DELEGATION, "valid_until = null")),
    "the delegation is for less": (suppliers, of_all(changed(DELEGATION, "scopes = array['matter:write']")), changed(DELEGATION, SUPPLIED)),
    "the supplier is switched off": (suppliers, of_all(changed(SUPPLIER, "active = false")), changed(SUPPLIER, "active = true")),
}
# fmt: on


@contextlib.contextmanager
def ended(system: System, end: Callable[[System], object], undo: str | None) -> Iterator[None]:
    end(system)
    try:
        yield
    finally:
        if undo is not None:
            system.live.sql(undo)


@pytest.mark.parametrize("sentence", ENDS)
def test_what_ends_between_issue_and_use_ends_at_the_next_call_of_every_worker(crew: Crew, sentence: str) -> None:
    make, end, undo = ENDS[sentence]
    live, hetu = crew.live, crew.live.client_of_both()
    system = make(live)
    reference = live.system("pirha").open_matter(hetu)
    body = query_body(hetu, reference, officer=WORKER)
    workers = crew.connection_of_each_worker()

    def ask(http: httpx.Client, method: str, path: str, content: Any) -> httpx.Response:
        headers = system.signed(method, path) | {"Idempotency-Key": uuid.uuid4().hex}
        return http.request(method, path, json=content, headers=headers, auth=None)

    for http in workers:  # each has seen the token, and remembers it
        assert ask(http, "POST", "/v1/case-queries", body).json()["outcome"] == "disclosed"
    recorded = len(live.entries(system.client_id, kind="disclosure"))
    writes = len(live.entries(system.client_id, kind="write"))
    token = system.token()
    with ended(system, end, undo):
        for http in workers:
            for method, path, content in (
                ("POST", "/v1/case-queries", body),
                ("PUT", f"/v1/matters/A-{uuid.uuid4().hex[:8]}", matter_body(hetu, officer=WORKER)),
                ("GET", "/v1/disclosures", None),
            ):
                answer = ask(http, method, path, content)
                assert (answer.status_code, answer.json().get("error")) == (401, "invalid_token"), (path, answer.text)
        assert system.token() == token
    assert len(live.entries(system.client_id, kind="disclosure")) == recorded == 2
    assert len(live.entries(system.client_id, kind="write")) == writes


def test_of_an_ended_delegation_no_new_token_is_given(crew: Crew) -> None:
    system = suppliers(crew.live)
    _, end, undo = ENDS["the delegation is ended"]
    with ended(system, end, undo), pytest.raises(AccessRefusedError) as refused:
        system.get("/v1/disclosures")
    assert refused.value.error == "unauthorized_client"
    assert system.get("/v1/disclosures").status_code == 200  # and it may begin again


def test_a_supplier_acts_for_a_county_and_the_entries_name_both(crew: Crew) -> None:
    """Three parties: the county whose matter it is, the supplier whose system asks, and Kela that is asked."""
    live, hetu = crew.live, crew.live.client_of_both()
    supplier = live.system("supplier").within(
        organisation=PIRHA,
        scopes=("case:read", "matter:write"),
        purpose=P01,
        case_reference=f"S-{uuid.uuid4().hex[:8]}",
    )
    reference = supplier.auth._access.case_reference
    assert reference is not None
    supplier.open_matter(hetu, reference)
    answer = supplier.query(hetu, reference)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    said = [
        (row["kind"], row["decision"], row["organisation"], row["supplier"], row["counterparty"])
        for row in live.entries("supplier")
    ]
    assert said == [
        ("admin", "token-issued", PIRHA, VENDOR, None),
        ("write", "matter-open", PIRHA, VENDOR, None),
        ("disclosure", "permit", PIRHA, VENDOR, KELA),
    ]
    entry = live.system("kela-dpo").entry(answer.json()["disclosureId"]).json()
    leaf = json.loads(entry["leaf"])
    assert (leaf["organisation"], leaf["supplier"], leaf["assurance"]) == (PIRHA, VENDOR, "asserted")
    # the county sees what was asked in its name, by whichever system
    listed = live.system("pirha").get(f"/v1/disclosures?caseReference={reference}").json()
    assert [row["id"] for row in listed["disclosures"]] == [answer.json()["disclosureId"]]


def test_a_supplier_may_do_for_a_county_what_was_delegated_and_nothing_for_itself(crew: Crew) -> None:
    supplier = crew.live.system("supplier")
    for organisation, scopes in ((PIRHA, ("record:write",)), (KELA, ("case:read",)), (VENDOR, ("case:read",))):
        with pytest.raises(AccessRefusedError):
            supplier.within(organisation=organisation, scopes=scopes).get("/v1/disclosures")


def test_a_supplier_delegated_for_some_purposes_sees_what_was_disclosed_under_them(crew: Crew) -> None:
    live, hetu = crew.live, crew.live.client_of_both()
    county = live.system("pirha")
    reference = county.open_matter(hetu)
    entry = county.query(hetu, reference).json()["disclosureId"]
    supplier = live.new_system(VENDOR)

    def under(purpose: str | None) -> System:
        named = {"purpose": purpose, "case_reference": reference}
        return supplier.within(organisation=PIRHA, scopes=("case:read",), **named)

    narrow = of_all(changed(DELEGATION, "purposes = array['urgent-handling']"))
    with ended(supplier, narrow, changed(DELEGATION, "purposes = null")):
        assert under("urgent-handling").get("/v1/disclosures").json()["disclosures"] == []
        assert under("urgent-handling").get(f"/v1/disclosures/{entry}").status_code == 404
        for purpose in (P01, None):  # not its own, or all of them
            with pytest.raises(AccessRefusedError):
                under(purpose).get("/v1/disclosures")
    listed = under(P01).get("/v1/disclosures").json()["disclosures"]
    assert [row["id"] for row in listed] == [entry]


# -- proofs and nonces


def burnt(system: System, first: dict[str, str]) -> bool:
    """Whether the proof of these headers has been used up."""
    answer = httpx.get(f"{system.live.url}/v1/disclosures", headers=first)
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 401 and answer.json()["error"] == "invalid_dpop_proof"


def test_what_was_not_recorded_burns_no_proof_and_what_was_does(crew: Crew) -> None:
    live = crew.live
    system, path = own(live), "/v1/disclosures"
    url = f"{live.url}{path}"

    def look(query: str, headers: dict[str, str]) -> int:
        return httpx.get(f"{url}{query}", headers=headers).status_code

    first = system.signed("GET", path)
    assert look("?role=nobody", first) == 400
    assert not burnt(system, first)
    second = system.signed("GET", path)
    other = live.system("varha").signed("GET", path)
    assert look("", second | {"Authorization": other["Authorization"]}) == 401
    assert not burnt(system, second)
    narrow = live.new_system(PIRHA, ("case:read",))
    third = narrow.signed("GET", path)
    assert look("?role=discloser", third) == 403
    assert burnt(narrow, third)
    assert [row["reason"] for row in live.entries(narrow.client_id, kind="refusal")] == ["scope-missing"]


def test_a_client_whose_policy_wants_a_nonce_is_given_one_and_a_challenge_burns_nothing(crew: Crew) -> None:
    live, path = crew.live, "/v1/disclosures"
    system = own(live)
    live.sql("update registry.client set nonce_required = true where id = $1 returning 1", system.client_id)
    answer = system.get(path)
    assert (answer.status_code, bool(answer.headers["dpop-nonce"])) == (200, True)
    token, url = system.token(), f"{live.url}{path}"
    system.auth._shared.nonces.pop("resource")
    without = system.signed("GET", path)
    challenge = httpx.get(url, headers=without)
    assert (challenge.status_code, challenge.json()["error"]) == (401, "use_dpop_nonce")
    assert 'error="use_dpop_nonce"' in challenge.headers["www-authenticate"]
    fresh = challenge.headers["dpop-nonce"]
    before = len(live.sql("select 1 from ledger.claim"))
    assert httpx.get(url, headers=without).json()["error"] == "use_dpop_nonce"  # not used up, and still without one
    assert len(live.sql("select 1 from ledger.claim")) == before
    system.auth._shared.nonces["resource"] = fresh
    for http in crew.connection_of_each_worker():  # each knows what the other gave out
        good = http.get(path, headers=system.signed("GET", path), auth=None)
        assert (good.status_code, good.headers["dpop-nonce"]) == (200, fresh)
    assert system.token() == token
    assert "dpop-nonce" not in live.system("pirha").get(path).headers
