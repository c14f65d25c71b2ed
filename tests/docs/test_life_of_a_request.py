"""The page on a request's life names what exists, in the order in which it happens."""

import re
import sys
from collections.abc import AsyncIterator
from types import CodeType, FrameType
from typing import Any

import asyncpg
import httpx
import pytest

from docs import pages
from live import P01, WORKER, matter_body, query_body
from sauma import app, settings
from sauma.client.auth import Access, SaumaAuth
from sauma.core.problems import STATUS
from sauma.exchange.disclose import TRIES

PAGE = (pages.ROOT / "docs" / "life-of-a-request.md").read_text(encoding="utf-8")
TRUST = (pages.ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
STEPS = [row[1].strip("`") for row in pages.table(PAGE, "#")]

NAMED_IN_SQL = """
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    union select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    union select n.nspname || '.' || t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace"""


@pytest.fixture
async def sql_names(database: Any) -> set[str]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        return {row[0] for row in await connection.fetch(NAMED_IN_SQL)}
    finally:
        await connection.close()


@pytest.mark.parametrize("page", ["life-of-a-request", "trust"])
def test_every_name_exists(page: str, sql_names: set[str]) -> None:
    names = pages.dotted({"life-of-a-request": PAGE, "trust": TRUST}[page])
    assert len(names) >= {"life-of-a-request": 40, "trust": 5}[page]
    assert [name for name in names if name not in sql_names and pages.resolve(name) is None] == []


MISTAKES = ("exchange.disclose.disclosed", "store.ledgers", "api.gathers", "ledger.entries", "vault.open.Opened.x")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_name_that_does_not_exist_is_found(mistake: str, sql_names: set[str]) -> None:
    (name,) = pages.dotted(f"see `{mistake}` and `docs/style.md`")
    assert name not in sql_names
    assert pages.resolve(name) is None


def test_every_code_has_the_status_the_page_says() -> None:
    said = re.findall(r"([45][0-9]{2}) `([a-z-]+)`", PAGE)
    assert len(said) >= 5
    assert {code: int(status) for status, code in said} == {code: STATUS[code] for _, code in said}


def test_the_tries_are_as_many_as_it_says() -> None:
    assert "three tries in all" in PAGE
    assert TRIES == 3


@pytest.fixture
async def county(live: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A county's system that speaks to the application in this process, over the live server's database and keys."""
    told = settings.from_environment(
        {
            "SAUMA_DATABASE_URL": live.database.dsn("sauma_server"),
            "SAUMA_HOME": str(live.home / "sauma"),
            "SAUMA_PUBLIC_URL": live.url,
            "SAUMA_POOL_SIZE": "2",
        }
    )
    access = Access(issuer=live.url, client_id="pirha", key=live.keys["pirha"], scopes=("case:read", "matter:write"))
    async with app.open_running(told) as running:
        transport = httpx.ASGITransport(app.application_over(told, running))
        async with httpx.AsyncClient(transport=transport, base_url=live.url, auth=SaumaAuth(access)) as http:
            yield http


async def test_the_steps_happen_in_the_order_of_the_table(live: Any, county: httpx.AsyncClient) -> None:
    hetu, reference = live.client_of_both(), "LIFE-1"
    opened = await county.put(
        f"/v1/matters/{reference}", json=matter_body(hetu, officer=WORKER), headers={"Idempotency-Key": "life-of-1"}
    )
    assert opened.status_code == 201, opened.text
    step_of = {pages.code_of(pages.resolve(name)): name for name in STEPS}
    met: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code: CodeType = frame.f_code
        if event == "call" and code in step_of:
            met.setdefault(step_of[code])

    sys.setprofile(note)
    try:
        answer = await county.post("/v1/case-queries", json=query_body(hetu, reference, officer=WORKER, purpose=P01))
    finally:
        sys.setprofile(None)
    assert answer.json()["outcome"] == "disclosed"
    assert list(met) == STEPS
