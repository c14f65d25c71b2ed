"""The rows that need something to happen: suspended, revoked, raced, set back. Each reason is the log's or the ledger's."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from asks import PIRHA, WORKER, matter_body
from attacks.oauth.doors import KEYS, KNOWN, NOW, SERVER, Doors
from attacks.oauth.forge import Wire
from attacks.oauth.living import SCOPES, Living
from attacks.oauth.sent import Answer
from attacks.oauth.table import LIVE, Row
from databases import Database
from live import Live
from sauma.core.parties import OrganisationKind
from sauma.core.purposes import Text
from sauma.exchange.tokens import KnownClient, TokenCommit, TokenEndpoints, TokenGranted, TokenRequest
from sauma.oauth.keys.fetch import KeyFault, KeySetFetch
from sauma.oauth.keys.remote import RemoteKeys
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, VerifiedToken, authenticate
from sauma.store.enrol import EnrolledDelegation, EnrolledGrant, EnrolledOrganisation
from tls import Authority, publishing
from tls import answer as answering

ROWS = {row.number: row for row in LIVE}
XROAD, PROXY = "127.0.0.2", "127.0.0.3"
NAME = "keys.client.example"
TRIED: set[str] = set()


def row_of(number: str) -> Row:
    TRIED.add(number)
    return ROWS[number]


def refused(number: str, answer: Answer, reason: str | None) -> None:
    """Status, public code and internal reason are those of the row."""
    row = row_of(number)
    members = answer.members
    assert (answer.status, answer.error, reason) == (row.status, row.error, row.reason), answer.body
    assert members.get("code") == row.http.get("code")
    assert members.get("outcome") == row.http.get("outcome")


@pytest.fixture
def living(live: Live) -> Living:
    return Living(live)


# -- between issue and use


@pytest.fixture
def case(living: Living) -> tuple[str, str]:
    """A person with an open matter at the system's organisation: whose data the token may be used for."""
    hetu = living.live.client_of_both()
    return hetu, living.system.open_matter(hetu, officer=WORKER)


def queried(living: Living, hetu: str, reference: str, *, before: Callable[[], object]) -> Answer:
    """The main job with a token given before something happened; it worked with that very token."""
    confined = {"details.officer": WORKER, "details.fields": {"$absent": True}, "details.caseReference": reference}
    token = living.token(confined)
    body = {"purpose": "county-benefit-case", "caseReference": reference, "subject": {"hetu": hetu}, "officer": WORKER}
    change = {
        "request.method": "POST",
        "request.path": "/v1/case-queries",
        "proof.members.htm": "POST",
        "proof.members.htu": {"$url": "/v1/case-queries"},
        "request.headers.Content-Type": "application/json",
        "request.body": json.dumps(body),
    }
    first = living.ask("resource", change, token=token)
    assert (first.status, first.members["outcome"]) == (200, "disclosed"), first.body
    before()
    return living.ask("resource", change, token=token)


def test_109_the_legal_basis_ends_between_issue_and_use(living: Living, case: tuple[str, str]) -> None:
    hetu, reference = case

    def close() -> None:
        opened = living.system.get("/v1/disclosures")
        assert opened.status_code == 200
        body = matter_body(hetu, officer=WORKER, state="closed")
        assert living.system.put(f"/v1/matters/{reference}", body).status_code == 200

    answer = queried(living, hetu, reference, before=close)
    refused("109", answer, living.refusals()[-1])
    assert "records" not in answer.members


def test_109b_the_data_are_restricted_between_issue_and_use(living: Living, case: tuple[str, str]) -> None:
    restrict = (
        "insert into exchange.prohibition (id, subject, kind) select gen_random_uuid(), r.subject, 'gdpr18-restriction'"
        " from exchange.record r where r.resource = 'persons' order by r.recorded_at desc limit 1 returning id"
    )
    answer = queried(living, *case, before=lambda: living.live.sql(restrict))
    refused("109b", answer, living.refusals()[-1])
    assert answer.members["records"] == []


SUSPENDED = {
    "110": (
        "update registry.client set state = 'suspended' where id = $1 returning id",
        "update registry.client set state = 'active' where id = $1 returning id",
    ),
    "112": ("delete from registry.client_key where client = $1 returning kid", None),
}


@pytest.mark.parametrize("number", SUSPENDED)
def test_the_registration_changes_between_issue_and_use(number: str, living: Living) -> None:
    """And let in again, the token of before is no better: only a new one is."""
    ends, begins = SUSPENDED[number]
    token, client = living.token(), living.system.client_id
    assert living.ask("resource", token=token).status == 200
    living.live.sql(ends, client)
    for _ in range(2):
        answer = living.ask("resource", token=token)
        refused(number, answer, living.reason(answer))
        if begins is not None:
            living.live.sql(begins, client)
    assert living.ask("token").status == (400 if begins is None else 200)


def test_112b_an_assertion_by_a_key_that_was_removed(living: Living) -> None:
    living.add_rsa_key()
    living.live.sql(
        SUSPENDED["112"][0].replace("returning", "and algorithm = 'ES256' returning"), living.system.client_id
    )
    answer = living.ask("token")
    refused("112b", answer, living.reason(answer))


@pytest.fixture
def own(live: Live) -> Living:
    """A system of a county of its own, so that nobody else's tokens end."""
    county = next(_BUSINESS_IDS)
    name = Text(fi=county, sv=county, en=county)
    live._enrol(
        organisations=(EnrolledOrganisation(id=county, kind=OrganisationKind.COUNTY, name=name, area_code="19"),),
        grants=(EnrolledGrant(organisation=county, scopes=SCOPES),),
    )
    return Living(live, organisation=county)


def _business_ids() -> Iterator[str]:
    """Business ids with their check digit, from a range nobody else uses."""
    for number in range(7_700_000, 7_800_000):
        digits = f"{number:07d}"
        rest = sum(int(d) * w for d, w in zip(digits, (7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
        if rest != 1:
            yield f"{digits}-{0 if rest == 0 else 11 - rest}"


_BUSINESS_IDS = _business_ids()
ORGANISATION = {
    "110b": "update registry.organisation set active = false where id = $1 returning id",
    "110c": "update registry.organisation_grant set scopes = '{matter:write}' where organisation = $1 returning organisation",
}


@pytest.mark.parametrize("number", ORGANISATION)
def test_the_organisation_changes_between_issue_and_use(number: str, own: Living) -> None:
    token = own.token()
    assert own.ask("resource", token=token).status == 200
    own.live.sql(ORGANISATION[number], own.organisation)
    answer = own.ask("resource", token=token)
    refused(number, answer, own.reason(answer))


def test_111_the_token_is_revoked(living: Living) -> None:
    token, other = living.token(), living.token()
    assert living.ask("resource", token=token).status == 200
    for _ in range(2):  # a second revocation is none (RFC 7009 section 2.2)
        assert revoked(living, token) == (200, {})
    answer = living.ask("resource", token=token)
    refused("111", answer, living.reason(answer))
    assert living.ask("resource", token=other).status == 200


def revoked(living: Living, token: str) -> tuple[int, dict[str, Any]]:
    form = {"token": token, "client_assertion": "{assertion}"}
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    answer = living.ask(
        "token", {"request.path": "/oauth/revoke", "request.headers.DPoP": {"$absent": True}, "form": form}
    )
    return answer.status, answer.members


def test_121_the_delegation_is_ended(live: Live, own: Living) -> None:
    """One key set of a supplier: the county it still acts for keeps its token."""
    supplier = live.system("supplier").organisation
    for county in (own.organisation, PIRHA):
        live._enrol(delegations=(EnrolledDelegation(organisation=county, supplier=supplier, scopes=("case:read",)),))
    acting = [Living(live, live.system("supplier"), organisation=county) for county in (own.organisation, PIRHA)]
    tokens = [one.token() for one in acting]
    assert [one.ask("resource", token=t).status for one, t in zip(acting, tokens, strict=True)] == [200, 200]
    live.sql("update registry.delegation set active = false where organisation = $1 returning id", own.organisation)
    answer = acting[0].ask("resource", token=tokens[0])
    refused("121", answer, acting[0].reason(answer))
    assert acting[1].ask("resource", token=tokens[1]).status == 200
    denied = acting[0].ask("token")
    assert (denied.error, acting[0].reason(denied)) == ("unauthorized_client", "organisation-ungranted")


def test_124_the_same_assertion_with_another_key_after_a_nonce_challenge(living: Living) -> None:
    living.live.sql(
        "update registry.client set nonce_required = true where id = $1 returning id", living.system.client_id
    )
    bound = {"assertion.members.cnf": {"jkt": {"$thumbprint": "proof"}}}
    challenged = living.ask("token", bound)
    assert (challenged.status, challenged.error) == (400, "use_dpop_nonce")
    nonce = {"proof.members.nonce": challenged.header("dpop-nonce")}
    kept = living.forge.said("assertion")
    answer = living.send(living.forge.again("token", {**nonce, **row_of("124").change}, assertion=kept))
    refused("124", answer, living.reason(answer))
    good = living.send(living.forge.again("token", nonce, assertion=kept))  # neither challenge nor theft burnt it
    assert good.status == 200
    spent = living.send(living.forge.again("token", nonce, assertion=kept))
    assert (spent.error, living.reason(spent)) == ("invalid_client", "assertion-replayed")


# -- a server of its own: two workers, a security server and a proxy it believes


@pytest.fixture(scope="module")
def workers(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    running = Live(new_database(_template), tmp_path_factory.mktemp("workers"))
    running.register()
    try:
        running.start(SAUMA_WORKERS="2", SAUMA_XROAD_SECURITY_SERVER=XROAD, SAUMA_CERTIFICATE_PEER=PROXY)
        yield running
    finally:
        running.stop()
    assert running.told.found_in(running.log.read_bytes()) == []


def test_117_two_workers_race_one_proof(workers: Live) -> None:
    living = Living(workers)
    token = living.token()
    for _ in range(5):
        wire = living.forge.wires("resource", {}, token=token)[0]
        with ThreadPoolExecutor(16) as racers:
            answers = list(racers.map(lambda _, wire=wire: living.send(wire), range(row_of("117").change["at_once"])))
        assert sorted(a.status for a in answers) == [200, *[401] * 15]
        for answer in (a for a in answers if a.status != 200):
            refused("117", answer, living.reason(answer))


def test_112c_the_issuers_key_is_removed_on_every_worker(workers: Live) -> None:
    living = Living(workers)
    token = living.token()
    assert living.ask("resource", token=token).status == 200
    kid = living.forge.target.keys["issuer"].thumbprint()
    command = [sys.executable, "-m", "sauma", "keys", "issuer", "remove", kid]
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "SAUMA_HOME": str(workers.home / "sauma")}
    subprocess.run(command, env=environment, check=True, cwd=workers.home, capture_output=True)
    answers = [living.ask("resource", token=token) for _ in range(8)]  # both workers answer some of them
    for answer in answers:
        refused("112c", answer, living.reason(answer))
    assert Living(workers).ask("token").status == 200


@pytest.mark.parametrize("number", ["119", "119b"])
@pytest.mark.parametrize("door", ["resource", "token"])
def test_a_forged_certificate_header(number: str, door: str, workers: Live) -> None:
    living = Living(workers)
    answer = living.ask(door, row_of(number).change)
    refused(number, answer, answer.members["code"])
    assert answer.members["errors"][0]["pointer"] == "/headers/Client-Cert"


def test_119c_a_bound_client_without_a_certificate(live: Live) -> None:
    """And with certificates off, as they are by default, a header that speaks of one means nothing."""
    living = Living(live)
    living.live.sql(
        "update registry.client set certificate_bound = true where id = $1 returning id", living.system.client_id
    )
    for change in ({}, ROWS["119"].change):
        answer = living.ask("token", change)
        refused("119c", answer, living.reason(answer))


def test_122_the_security_server_names_another_officer(workers: Live) -> None:
    living = Living(workers)
    said = {"X-Road-Client": f"FI/GOV/{PIRHA}/system", "X-Road-Id": "fa2e18a5-c2cb-4d09-b994-f57727f7c3fb"}
    headers = {f"request.headers.{name}": text for name, text in said.items()}
    fits = {**headers, "request.headers.X-Road-UserId": "v-17"}
    token = living.token()
    through = [
        living.forge.wires("resource", change, token=token)[0] for change in (fits, {**fits, **row_of("122").change})
    ]
    good, answer = (living.send(wire, source=XROAD) for wire in through)
    assert good.status == 200, good.body
    refused("122", answer, living.refusals()[-1])


# -- what is no HTTP/1.1 request


def test_120_http_2_is_not_spoken(live: Live) -> None:
    """No pseudo-header can be read, let alone two: the preface is no request, and the connection ends."""
    assert answered(live, row_of("120").change["preface"].encode()) == row_of("120").status


def test_120b_two_host_lines(live: Live) -> None:
    living = Living(live)
    hosts = [urlsplit(live.url).netloc, row_of("120b").change["request.headers.Host"][1]]
    wire = living.forge.wires("resource", {"request.headers.Host": hosts})[0]
    head = f"{wire.method} {wire.path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in wire.headers) + "\r\n"
    assert answered(live, head.encode()) == row_of("120b").status


def answered(live: Live, octets: bytes) -> int:
    place = urlsplit(live.url)
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=20) as connection:
        connection.sendall(octets)
        first = connection.recv(4096)
    found = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", first)
    assert found, first
    return int(found[1])


# -- a clock that is set back


def test_123_the_clock_is_set_back() -> None:
    """A server that remembers the token, and one that does not, say the same; ahead of time it is not valid yet."""
    doors, memory = Doors(), Memory()
    wire = doors.forge.wires("resource", {})[0]
    request = ProtectedRequest(
        method="GET", raw_path=wire.path, authorizations=wire.lines("authorization"), proofs=wire.lines("dpop")
    )
    assert isinstance(authenticate(request, doors.trust, now=NOW, memory=memory), VerifiedToken)
    row = row_of("123")
    for remembered in (memory, None):
        verdict = authenticate(request, doors.trust, now=NOW + row.change["clock"], memory=remembered)
        assert isinstance(verdict, Challenge)
        assert (verdict.status, verdict.body["error"], verdict.reason.value) == (row.status, row.error, row.reason)


# -- keys a client publishes at an address of its own


class Publishing:
    """The store's port in memory: one client, whose keys stand elsewhere."""

    def __init__(self, uri: str) -> None:
        self.known = msgspec.structs.replace(KNOWN, keys=(), jwks_uri=uri)

    async def find_client(self, client_id: str) -> KnownClient | None:
        return self.known if client_id == self.known.id else None

    async def mandate_stands(self, *_: object) -> bool:
        return True

    async def commit_token(self, _: TokenGranted) -> TokenCommit:
        return TokenCommit.FRESH

    async def commit_look(self, *_: object, **__: object) -> TokenCommit:
        return TokenCommit.FRESH


def jwk(*, private: bool = False) -> dict[str, Any]:
    return {**KEYS["client"].as_dict(private=private), "kid": "k1"}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


LINK_LOCAL = "169.254.169.254"
PUBLISHED = {
    "good": (answering(key_set(jwk())), "127.0.0.1"),
    "114": (answering(key_set(jwk(private=True))), "127.0.0.1"),
    "115": (answering(status="302 Found", Location=f"https://{LINK_LOCAL}/keys"), "127.0.0.1"),
    "115b": (answering(key_set(jwk())), LINK_LOCAL),
}


async def asked(tmp_path: Path, number: str, wires: list[Wire]) -> tuple[list[tuple[Any, ...]], int]:
    """What token requests get whose client's keys are published so, and how often the address was asked."""
    said, address = PUBLISHED[number]
    authority = Authority()

    async def resolve(_host: str, _port: int) -> tuple[str, ...]:
        return (address,)

    async with publishing(authority.serving(tmp_path, NAME)) as publisher:
        publisher.said = said
        permits = {"127.0.0.1"}.__contains__ if address != LINK_LOCAL else None
        chosen: dict[str, Any] = {} if permits is None else {"permits": permits}
        fetch = KeySetFetch(resolve=resolve, tls=authority.believed, **chosen)
        faults: list[KeyFault] = []
        keys = RemoteKeys(fetch, clock=lambda: 1000.0, on_fault=lambda fault, _: faults.append(fault))
        endpoints = TokenEndpoints(
            Publishing(f"https://{NAME}:{publisher.port}/keys"),
            lambda: SERVER,
            keys=keys,
            clock=lambda: NOW,
            new_id=lambda: "token-0123456789abcdef",
        )
        decisions = [await endpoints.issue(as_request(wire)) for wire in wires]
        return [(d.status, d.body.get("error"), d.reason) for d in decisions], publisher.connections


def as_request(wire: Wire) -> TokenRequest:
    content_type = wire.lines("content-type")[0]
    return TokenRequest(content_type=content_type, body=wire.body, proofs=wire.lines("dpop"))


@pytest.mark.parametrize("number", ["114", "115", "115b"])
def test_a_key_set_that_is_not_to_be_used(number: str, tmp_path: Path) -> None:
    row, wire = row_of(number), Doors().forge.wires("token", {})[0]
    decisions, connections = asyncio.run(asked(tmp_path, number, [wire, wire]))
    assert decisions == [(row.status, row.error, row.reason)] * 2
    assert connections == (0 if number == "115b" else 1)  # never a second time, and never elsewhere


def test_116_a_flood_of_unknown_kids(tmp_path: Path) -> None:
    row, forge = row_of("116"), Doors().forge
    flood = [forge.wires("token", {"assertion.header.kid": f"k-{n}"})[0] for n in range(row.change["flood"])]
    good = forge.wires("token", {})[0]
    decisions, connections = asyncio.run(asked(tmp_path, "good", [good, *flood, good]))
    assert [decisions[0][0], decisions[-1][0]] == [200, 200]
    assert set(decisions[1:-1]) == {(row.status, row.error, row.reason)}
    assert connections <= 2


def test_every_live_row_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [number for number in ROWS if f'"{number}"' not in source] == []
