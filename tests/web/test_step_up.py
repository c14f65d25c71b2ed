"""What a caller is told whose officer must log in first: RFC 9470, over the whole edge and the World in memory."""

import datetime as dt
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest

from asks import WORKER, query_body
from conformance.cast import AINO, P01, Cast, outcomes
from conformance.registers import MemoryRegister
from sauma.catalogue.problems import load_problem_texts
from sauma.core.parties import CONTEXTS, FRESH_SECONDS, Assurance, Authentication, Caller, Officer, OfficerKind
from sauma.oauth.reasons import Reason
from sauma.oauth.resource.challenge import ERROR_TEXTS, challenge
from sauma.web.certificate import NoCertificates
from sauma.web.context import Admitted, Challenged, Credentials, Edge
from sauma.web.edge import application
from sauma.web.logs import get_log
from sauma.web.traffic import Traffic
from worlds import Memory

HERE = "https://sauma.example"


class Stage:
    """The county asks under a purpose that wants a login; `authenticated` says how its officer did log in."""

    def __init__(self) -> None:
        self.memory = Memory()
        world = self.memory.world
        purposes = dict(world.catalogue.purposes)
        purposes[P01] = msgspec.structs.replace(purposes[P01], officer_assurance=Assurance.AUTHENTICATED)
        catalogue = msgspec.structs.replace(world.catalogue, purposes=purposes)
        self.cast = Cast(msgspec.structs.replace(world, catalogue=catalogue), MemoryRegister(self.memory), first=1)
        self.authenticated: Authentication | None = None

    async def caller(self, credentials: Credentials) -> Admitted:
        plain = self.cast.caller(self.cast.county)
        officer = Officer(kind=OfficerKind.PERSON, **{name: WORKER[name] for name in ("id", "name", "role", "unit")})
        caller: Caller = msgspec.structs.replace(
            plain,
            scopes=frozenset({"case:read"}),
            officer=officer,
            passage=credentials.passage,
            authentication=self.authenticated,
        )
        return Admitted(caller=caller, nonce="a-nonce-of-ours")

    def logged_in(self, *, ago: dt.timedelta) -> None:
        at = int((self.cast.world.clock() - ago).timestamp())
        self.authenticated = Authentication(provider="https://idp.example", context_class=CONTEXTS[1], at=at)

    async def ask(self) -> httpx.Response:
        body = query_body(AINO.value, self.cast.case, officer=WORKER, controller=self.cast.kela)
        transport = httpx.ASGITransport(self.app())
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as http:
            return await http.post("/v1/case-queries", json=body)

    def app(self) -> Any:
        def challenged(error: str, told: Mapping[str, str]) -> Challenged:
            said = challenge(error, Reason.TOKEN_CLAIMS, metadata_url=f"{HERE}/metadata", told=told)
            return Challenged(said.status, said.body, said.headers, reason=said.reason.value)

        edge = Edge(
            world=self.cast.world,
            authenticate=self.caller,
            token_challenge=challenged,
            issues=False,
            tokens=None,
            documents={},
            key_set=lambda: b"",
            public_url=HERE,
            security_servers=frozenset(),
            certificates=NoCertificates(),
            problem_texts=load_problem_texts(),
            ready=self._ready,
            traffic=Traffic(limit=0, at_once=5, clock=time.monotonic),
            version="0",
        )
        ids = iter(range(1, 1000))
        return application(edge, log=get_log(), new_id=lambda: uuid.UUID(int=next(ids)))

    async def _ready(self) -> bool:
        return True


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.cast.enrol()
    await made.cast.open_case()
    return made


async def test_an_officer_who_has_not_logged_in_is_asked_to_and_that_is_recorded(stage: Stage) -> None:
    before = len(await stage.cast.recorded())
    answer = await stage.ask()
    assert answer.status_code == 401, answer.text
    wanted = answer.headers["www-authenticate"]
    assert wanted.startswith('DPoP error="insufficient_user_authentication", error_description="')
    assert f'acr_values="{CONTEXTS[0]} {CONTEXTS[1]}", max_age="{FRESH_SECONDS}"' in wanted
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/problem+json", "no-store")
    problem = answer.json()
    assert (problem["error"], problem["status"]) == ("insufficient_user_authentication", 401)
    assert problem["error_description"] == problem["detail"] == ERROR_TEXTS[problem["error"]]
    leaves = (await stage.cast.recorded())[before:]
    assert outcomes(leaves) == [("refusal", "refuse", "officer-assurance")]
    assert problem["decisionId"] == problem["receipt"]["entryId"] == leaves[0]["id"]


async def test_one_who_has_just_logged_in_is_answered_with_the_next_nonce(stage: Stage) -> None:
    stage.logged_in(ago=dt.timedelta(minutes=5))
    answer = await stage.ask()
    assert (answer.status_code, answer.json()["outcome"]) == (200, "disclosed"), answer.text
    assert answer.headers["dpop-nonce"] == "a-nonce-of-ours"
    assert (await stage.cast.recorded())[-1]["assurance"] == "authenticated"


async def test_one_who_logged_in_this_morning_is_asked_again(stage: Stage) -> None:
    stage.logged_in(ago=dt.timedelta(hours=3))
    answer = await stage.ask()
    assert answer.json()["error"] == "insufficient_user_authentication"
    assert (await stage.cast.recorded())[-1]["assurance"] == "authenticated"  # it is sure who; it was too long ago
