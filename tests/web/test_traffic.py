"""How often and how much at once: the count itself, and what a caller over HTTP is told of it."""

import asyncio
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asks import WORKER, query_body
from live import Live
from sauma import app, settings
from sauma.client.auth import Access, SaumaAuth
from sauma.core.errors import BadRequest, Unavailable
from sauma.store import pool
from sauma.web.context import Edge
from sauma.web.edge import application
from sauma.web.gate import BODY_LIMIT, DEPOSITS_LIMIT
from sauma.web.logs import get_log
from sauma.web.protocol import CONNECTIONS, FILES_KEPT, HEAD_LIMIT, HEAD_LINES, PIPELINED, BoundedProtocol
from sauma.web.running import FINISH_SECONDS
from sauma.web.traffic import CALLERS_MOST, WINDOW_SECONDS, Quota, Shared, Standing, Traffic, Visit
from systems import judged

HEADERS = ("ratelimit-policy", "ratelimit", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# -- the count

GAPS = st.one_of(st.sampled_from([0, 0.1, 0.9, 1, 29.6, 30, 59, 59.5, 60, 60.5, 61]), st.floats(0, 40))
"""Between two requests; a minute holds them both, or just not."""


@given(limit=st.integers(1, 5), gaps=st.lists(GAPS, max_size=60))
def test_no_minute_holds_more_than_the_quota_wherever_it_begins(limit: int, gaps: list[float]) -> None:
    clock, admitted = Clock(), list[float]()
    quota = Quota(limit, clock=clock)
    for gap in gaps:
        clock.now += gap
        standing = quota.take("kela")
        last = [moment for moment in admitted if moment >= clock.now - 60]
        assert standing.admitted or len([m for m in admitted if m > clock.now - 62]) >= limit
        assert not standing.admitted or len(last) < limit
        admitted += [clock.now] if standing.admitted else []
        assert 0 <= standing.remaining <= limit - len(last) - standing.admitted
        assert 1 <= standing.reset <= 61


@given(limit=st.integers(1, 5), gaps=st.lists(GAPS, min_size=1, max_size=40))
def test_whoever_waits_as_long_as_told_is_let_in(limit: int, gaps: list[float]) -> None:
    clock = Clock()
    quota = Quota(limit, clock=clock)
    for gap in gaps:
        clock.now += gap
        standing = quota.take("kela")
        if not standing.admitted:
            clock.now += standing.reset
            assert quota.take("kela").admitted


def test_looking_costs_nothing_and_sees_what_was_taken() -> None:
    clock = Clock()
    quota = Quota(3, clock=clock)
    untouched = Standing(admitted=True, remaining=3, reset=0)
    assert quota.look("kela") == untouched
    quota.take("kela")
    assert quota.look("kela") == quota.look("kela") == Standing(admitted=True, remaining=2, reset=61)
    clock.now += 61
    assert quota.look("kela") == untouched


def test_nobody_spends_anothers_quota() -> None:
    quota = Quota(1, clock=Clock())
    assert [quota.take(key).admitted for key in ("kela", "kela", "pirha", "pirha")] == [True, False, True, False]


def test_each_system_of_an_organisation_has_its_own() -> None:
    traffic = Traffic(limit=1, at_once=1, clock=Clock())
    for organisation, system in (("0246246-0", "a"), ("0246246-0", "b"), ("3221308-6", "a")):
        traffic.admit_client(_scope("192.0.2.1"), organisation, system)
    with pytest.raises(BadRequest, match="rate-limited"):
        traffic.admit_client(_scope("192.0.2.1"), "0246246-0", "b")


def test_a_flood_of_callers_fills_no_memory_and_forgets_the_silent_ones_first() -> None:
    quota = Quota(1, clock=Clock(), most=100)
    for number in range(5000):
        quota.take("busy")
        quota.take(number)
        assert len(quota) <= 100
    assert not quota.take("busy").admitted
    assert quota.take(1).admitted


def test_the_lines_are_those_of_the_draft_and_its_elder_spelling() -> None:
    quota = Quota(6000, clock=Clock())
    assert quota.lines(quota.take("kela")) == (
        (b"ratelimit-policy", b'"default";q=6000;w=60'),
        (b"ratelimit", b'"default";r=5999;t=61'),
        (b"ratelimit-limit", b"6000"),
        (b"ratelimit-remaining", b"5999"),
        (b"ratelimit-reset", b"61"),
    )


NEIGHBOURS = {
    "two IPv4 addresses are two": ("192.0.2.1", "192.0.2.2", False),
    "an IPv4 address is itself when mapped": ("192.0.2.1", "::ffff:192.0.2.1", True),
    "two mapped addresses are two": ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    "one subscriber's IPv6 network is one": ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
    "two IPv6 networks are two": ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_an_address_stands_for_who_has_it(name: str) -> None:
    first, second, same = NEIGHBOURS[name]
    traffic = Traffic(limit=1, at_once=1, clock=Clock())
    traffic.admit_address(_scope(first))
    if not same:
        traffic.admit_address(_scope(second))
        return
    with pytest.raises(BadRequest, match="rate-limited"):
        traffic.admit_address(_scope(second))


def test_what_an_address_asks_in_vain_keeps_nobody_there_from_a_token() -> None:
    traffic = Traffic(limit=1, at_once=1, clock=Clock())
    scope = _scope("192.0.2.1")
    traffic.lines(scope)  # what no route answers
    with pytest.raises(BadRequest, match="rate-limited"):
        traffic.admit_address(_scope("192.0.2.1"))
    traffic.admit_address(_scope("192.0.2.1"), token=True)
    with pytest.raises(BadRequest, match="rate-limited"):
        traffic.admit_address(_scope("192.0.2.1"), token=True)


def _scope(address: str) -> Any:
    return {"client": (address, 1), "state": {}}


# -- how much at once


async def nothing_comes() -> Any:
    await asyncio.Event().wait()


def test_there_is_room_for_so_many_and_each_leaves_once() -> None:
    traffic = Traffic(limit=0, at_once=2, clock=Clock())
    first, second, third = (Visit(traffic, nothing_comes) for _ in range(3))
    first.enter()
    first.enter()
    second.enter()
    with pytest.raises(Unavailable, match="overloaded"):
        third.enter()
    first.leave()
    first.leave()
    third.enter()
    assert traffic.inside == 2


async def test_who_sends_slowly_is_waited_for_outside() -> None:
    traffic = Traffic(limit=0, at_once=1, clock=Clock())
    slow, quick = (Visit(traffic, nothing_comes) for _ in range(2))
    slow.enter()
    waiting = asyncio.create_task(slow.receive())
    await asyncio.sleep(0)
    quick.enter()
    quick.leave()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert traffic.inside == 0


async def test_a_body_that_never_came_whole_is_no_body() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    visit = Visit(Traffic(limit=0, at_once=1, clock=Clock()), gone)
    visit.enter()
    with pytest.raises(BadRequest, match="malformed-json"):
        await visit.receive()


# -- a question asked for all


async def test_many_who_ask_at_once_ask_once() -> None:
    asked, clock, answer = [0], Clock(), asyncio.Event()

    async def ask() -> bool:
        asked[0] += 1
        await answer.wait()
        return asked[0] == 1

    shared = Shared(ask, clock=clock)
    impatient = asyncio.create_task(shared())
    waiting = [asyncio.create_task(shared()) for _ in range(5)]
    await asyncio.sleep(0)
    impatient.cancel()
    answer.set()
    assert await asyncio.gather(*waiting) == [True] * 5
    clock.now += 0.9
    assert await shared()
    clock.now += 0.1
    assert not await shared()
    assert asked == [2]


# -- over HTTP, the clock in hand


class Ground:
    """The application in this process over the live server's database, its traffic as a test wants it."""

    def __init__(self, live: Live, edge: Edge) -> None:
        self.live = live
        self.edge = edge
        self.clock = Clock()

    def at(self, address: str = "192.0.2.7", *, auth: httpx.Auth | None = None, **traffic: Any) -> httpx.AsyncClient:
        """A client at an address; `traffic` makes a new one, for this client and those after it."""
        if traffic:
            made = Traffic(clock=self.clock, **({"limit": 1000, "at_once": 100} | traffic))
            self.edge = msgspec.structs.replace(self.edge, traffic=made)
        transport = httpx.ASGITransport(
            application(self.edge, log=get_log(), new_id=app.new_id), client=(address, 50000)
        )
        return httpx.AsyncClient(
            transport=transport, base_url=self.live.url, auth=auth, event_hooks={"response": [_judged]}
        )

    def auth(self, name: str = "pirha") -> SaumaAuth:
        """Credentials of a registered system."""
        scopes = ("case:read",)
        return SaumaAuth(Access(issuer=self.live.url, client_id=name, key=self.live.keys[name], scopes=scopes))


async def _judged(answer: httpx.Response) -> None:
    await answer.aread()
    judged(answer)


@pytest.fixture
async def ground(live: Live) -> AsyncIterator[Ground]:
    told = settings.from_environment(
        {
            "SAUMA_DATABASE_URL": live.database.dsn("sauma_server"),
            "SAUMA_HOME": str(live.home / "sauma"),
            "SAUMA_PUBLIC_URL": live.url,
            "SAUMA_POOL_SIZE": "1",
        }
    )
    async with app.open_running(told) as running:
        yield Ground(live, app.edge_over(told, running))


async def entries(live: Live) -> int:
    """How many ledger rows the system has left."""
    return len(await asyncio.to_thread(live.entries, "pirha"))


def said(answer: httpx.Response) -> tuple[int, str | None]:
    """Status, and the code of a problem."""
    return answer.status_code, answer.json().get("code") if answer.status_code >= 400 else None


async def test_a_system_is_told_its_quota_on_every_answer_and_refused_beyond_it(ground: Ground) -> None:
    async with ground.at(auth=ground.auth(), limit=4) as http:
        answers = [
            await http.get("/v1/disclosures"),
            await http.get("/v1/disclosures?limit=-1"),
            await http.get("/v1/disclosures/x"),
            await http.post("/v1/case-queries", json={}),
            await http.get("/v1/disclosures"),
        ]
        assert [a.status_code for a in answers] == [200, 400, 400, 400, 429]
        for answer in answers:
            assert all(len(answer.headers.get_list(name)) == 1 for name in HEADERS), answer.text
            assert answer.headers["ratelimit-policy"] == '"default";q=4;w=60'
            left, seconds = answer.headers["ratelimit-remaining"], answer.headers["ratelimit-reset"]
            assert answer.headers["ratelimit"] == f'"default";r={left};t={seconds}'
        assert [int(a.headers["ratelimit-remaining"]) for a in answers] == [3, 2, 1, 0, 0]
        assert answers[-1].headers["retry-after"] == answers[-1].headers["ratelimit-reset"] == "61"
        assert said(answers[-1]) == (429, "rate-limited")
        ground.clock.now += 61
        assert (await http.get("/v1/disclosures")).status_code == 200


async def test_a_system_over_its_quota_hinders_nobody_else(ground: Ground) -> None:
    async with ground.at(auth=ground.auth(), limit=1) as greedy, ground.at(auth=ground.auth("varha")) as modest:
        assert [(await greedy.get("/v1/disclosures")).status_code for _ in range(2)] == [200, 429]
        ground.clock.now += 61  # the modest one's token counts against the address both have
        await greedy.get("/v1/disclosures")
        assert (await modest.get("/v1/disclosures")).status_code == 200


async def test_over_quota_nothing_is_recorded_and_the_same_proof_still_serves(ground: Ground) -> None:
    live, auth = ground.live, ground.auth()
    hetu = live.client_of_both()
    body = query_body(hetu, live.system("pirha").open_matter(hetu), officer=WORKER)
    async with ground.at(auth=auth, limit=2) as http:
        await http.get("/v1/disclosures")
        proven = http.build_request("POST", "/v1/case-queries", json=body)
        flow = auth.auth_flow(proven)
        next(flow)
        flow.close()
        await http.get("/v1/disclosures")
        before = await entries(live)
        assert said(await http.send(proven, auth=None)) == (429, "rate-limited")
        assert await entries(live) == before
        ground.clock.now += 61
        answer = await http.send(proven, auth=None)
        assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed")
        assert (await http.send(proven, auth=None)).status_code == 401, "a proof that was used is used"


STRANGERS: dict[str, Callable[[httpx.AsyncClient], Any]] = {
    "an open operation": lambda http: http.get("/v1/status"),
    "a token": lambda http: http.post("/oauth/token", data={"grant_type": "client_credentials"}),
    "a token that is none": lambda http: http.get("/v1/disclosures", headers={"Authorization": "DPoP x"}),
    "no credentials at all": lambda http: http.post("/v1/case-queries", content=b"{}"),
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_stranger_is_limited_by_address(ground: Ground, name: str) -> None:
    async with ground.at(limit=2) as http, ground.at("192.0.2.8") as neighbour:
        answers = [await STRANGERS[name](http) for _ in range(3)]
        assert 429 not in {a.status_code for a in answers[:2]}
        assert said(answers[2]) == (429, "rate-limited")
        assert [int(a.headers["ratelimit-remaining"]) for a in answers] == [1, 0, 0]
        assert (await STRANGERS[name](neighbour)).status_code == answers[0].status_code


async def test_what_no_route_answers_counts_too(ground: Ground) -> None:
    async with ground.at(limit=2) as http:
        assert (await http.get("/nowhere")).headers["ratelimit-remaining"] == "1"
        assert (await http.delete("/v1/status")).headers["ratelimit-remaining"] == "0"
        assert said(await http.get("/v1/status")) == (429, "rate-limited")


async def test_a_security_server_is_not_limited_by_address(ground: Ground) -> None:
    carriers = frozenset({"192.0.2.7", "2001:db8::1"})
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        async with ground.at(address, limit=1, carriers=carriers) as http:
            for name, ask in STRANGERS.items():
                answers = [await ask(http) for _ in range(2)]
                assert [a.headers["ratelimit-remaining"] for a in answers] == ["1", "1"], name
                assert 429 not in {a.status_code for a in answers}, name


async def test_health_is_never_limited_and_never_shed(ground: Ground) -> None:
    async with ground.at(limit=1, at_once=0) as http:
        shed = await http.get("/v1/status")
        assert said(shed) == (503, "overloaded")
        assert shed.headers["retry-after"] == "1"
        for path in ("/health/live", "/health/ready"):
            answers = [await http.get(path) for _ in range(3)]
            assert {a.status_code for a in answers} == {200}
            assert {a.headers["ratelimit-remaining"] for a in answers} == {"0"}


async def test_no_limit_no_header(ground: Ground) -> None:
    async with ground.at(auth=ground.auth(), limit=0) as http:
        answers = [await http.get(path) for path in ("/v1/disclosures", "/v1/status", "/health/live", "/nowhere")]
        assert not any(name in answer.headers for answer in answers for name in HEADERS)


async def test_a_request_is_shed_before_it_is_authenticated(ground: Ground) -> None:
    async with ground.at(at_once=0) as http:
        answer = await http.get("/v1/disclosures")
        assert said(answer) == (503, "overloaded")
        assert "www-authenticate" not in answer.headers
        assert int(answer.headers["ratelimit-remaining"]) == 999


async def test_a_request_whose_body_comes_when_there_is_no_more_room_is_shed_unrecorded(ground: Ground) -> None:
    live, hetu = ground.live, ground.live.client_of_both()
    body = msgspec.json.encode(query_body(hetu, live.system("pirha").open_matter(hetu), officer=WORKER))
    async with ground.at(auth=ground.auth(), at_once=3) as http:
        await http.get("/v1/disclosures")
        traffic, before = ground.edge.traffic, await entries(live)

        async def late() -> AsyncIterator[bytes]:
            yield body[:20]
            assert traffic.inside == 0, "a body that is waited for takes no room"
            traffic.inside = 3
            yield body[20:]

        asked = http.build_request("POST", "/v1/case-queries", content=late())
        asked.headers["content-type"] = "application/json"
        assert said(await http.send(asked)) == (503, "overloaded")
        assert await entries(live) == before
        assert traffic.inside == 3, "who did not come in does not go out"


async def test_every_request_goes_out_again(ground: Ground) -> None:
    async with ground.at(auth=ground.auth()) as http:
        for _ in range(2):
            await http.get("/v1/disclosures")
            await http.post("/v1/case-queries", content=b"\xff", headers={"Content-Type": "application/json"})
            await http.get("/v1/nowhere")
            await http.post("/oauth/token", data={})
        assert ground.edge.traffic.inside == 0


async def test_an_answer_that_is_waited_for_takes_no_room(ground: Ground) -> None:
    async with ground.at(auth=ground.auth(), limit=1000) as http:
        transport, inside = http._transport, list[int]()
        assert isinstance(transport, httpx.ASGITransport)
        served = transport.app

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def noted(message: Any) -> None:
                inside.append(ground.edge.traffic.inside)
                await send(message)

            await served(scope, receive, noted)

        transport.app = watched
        assert (await http.get("/v1/disclosures")).status_code == 200
        assert set(inside) == {0}


async def test_a_request_given_up_goes_out_too(ground: Ground) -> None:
    async with ground.at(auth=ground.auth(), limit=1000) as http:
        await http.get("/v1/disclosures")
        async with ground.edge.world.ledger._database.hold():
            asked = asyncio.create_task(http.get("/v1/disclosures"))
            async with asyncio.timeout(30):
                while ground.edge.traffic.inside == 0:  # noqa: ASYNC110  # the product has no event for a test
                    await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
        assert ground.edge.traffic.inside == 0


async def test_who_is_leaving_says_so(ground: Ground) -> None:
    async with ground.at() as http:
        assert (await http.get("/health/ready")).status_code == 200
        ground.edge.traffic.draining = True
        answer = await http.get("/health/ready")
        assert said(answer) == (503, "overloaded")
        status = await http.get("/v1/status")
        assert (status.status_code, status.headers["connection"]) == (200, "close")
        assert (await http.get("/health/live")).status_code == 200
        ground.edge.traffic.draining = False


async def test_a_pool_with_nothing_to_give_is_a_503_and_no_endless_wait(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "HOLD_SECONDS", 0.2)
    async with ground.at(auth=ground.auth()) as http:
        await http.get("/v1/disclosures")
        async with ground.edge.world.ledger._database.hold():
            answer = await http.get("/v1/disclosures", headers={"Accept-Language": "en"})
            assert said(answer) == (503, "ledger-unavailable")
            assert answer.headers["retry-after"] == "1"
            assert (await http.get("/health/ready")).status_code == 200
        assert (await http.get("/v1/disclosures")).status_code == 200


def test_the_page_says_the_numbers_of_the_code() -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    found = settings.from_environment({})
    wanted = [
        f"| `SAUMA_RATE_LIMIT` | `{found.rate_limit}` | requests in any {WINDOW_SECONDS} seconds",
        f"| `SAUMA_MAX_IN_FLIGHT` | `{found.max_in_flight}` |",
        f"| `SAUMA_DRAIN_SECONDS` | `5` in production, else `{found.drain_seconds}` |",
        f"| {HEAD_LIMIT // 1024} KiB, {HEAD_LINES}, {BoundedProtocol.head_seconds} s |",
        f"framing between two bytes of body | {HEAD_LIMIT // 1024} KiB |",
        f"the one before | {PIPELINED} |",
        f"| {BODY_LIMIT // 1024} KiB (deposits {DEPOSITS_LIMIT // 1024**2} MiB), {BoundedProtocol.body_seconds} s |",
        f"| an answer is taken by the peer | {BoundedProtocol.write_seconds} s |",
        f"| {CONNECTIONS}, or what the limit of open files less {FILES_KEPT} allows |",
        f"to {CONNECTIONS + FILES_KEPT} as far as",
        f"| a database connection is waited for | {pool.HOLD_SECONDS} s |",
        f"| a drain ends | {FINISH_SECONDS} s |",
        f"At most {CALLERS_MOST // 1000} 000 counters",
    ]
    assert [line for line in wanted if line not in page] == []
