"""F-1: the ledger refuses one person's entries, in the middle of everything else. No entry, no field, no effect."""

# every part of a statement here is this file's own

import contextlib
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from attacks.scene import DECIDED, WORKER, Case, Scene
from sauma.core.errors import Unavailable
from sauma.core.evidence import base64url
from sauma.exchange.deposit import put_record

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILURES = {
    "an exception": "raise exception 'canary'",
    "a full disk": "raise exception 'canary' using errcode = '53100'",
    "a deadlock": "raise exception 'canary' using errcode = '40P01'",
    "too many connections": "raise exception 'canary' using errcode = '53300'",
    "a cancelled statement": "raise exception 'canary' using errcode = '57014'",
    "an input or output error": "raise exception 'canary' using errcode = '58030'",
    "a lost connection": "perform pg_terminate_backend(pg_backend_pid())",
}


@contextlib.asynccontextmanager
async def canary(scene: Scene, case: Case, failure: str) -> AsyncIterator[None]:
    """Entries that carry this person's tag fail."""
    month = scene.world.clock().strftime("%Y-%m")
    tag = scene.world.vault.subject_tag(month, scene.world.vault.person_seed(case.person))
    await scene.sql(
        f"create function public.canary() returns trigger language plpgsql security definer as $$ begin {failure}; return new; end $$"
    )
    await scene.sql("grant usage on schema public to sauma_owner")
    statement = f"create trigger canary before insert on ledger.entry for each row when (new.subject_tag = '\\x{tag.hex()}') execute function public.canary()"
    await scene.sql(statement)
    try:
        yield
    finally:
        await scene.sql("drop trigger canary on ledger.entry")
        await scene.sql("drop function public.canary")


@pytest.mark.parametrize("name", FAILURES)
async def test_no_entry_no_field(name: str, scene: Scene) -> None:
    case, bystander = await scene.case(), await scene.case()
    query = scene.query(case)
    async with canary(scene, case, FAILURES[name]):
        scene.watch.opened.clear()
        with pytest.raises(Unavailable) as said:
            await scene.disclose(case, caller=query.caller)
        assert said.value.code in {"ledger-unavailable", "outcome-unknown"}
        assert scene.watch.opened.total() == 0
        await scene.disclose(bystander)
    assert await scene.sql("select from ledger.claim where digest = $1", query.caller.claims[0].digest) == []
    await scene.disclose(case, caller=query.caller)  # not even its proof is used up


@pytest.mark.parametrize("name", FAILURES)
async def test_no_entry_no_effect(name: str, scene: Scene) -> None:
    """The write, its idempotency record and its proof are gone with the entry; the same call then works once."""
    case, key = await scene.case(), uuid.uuid4().hex
    deposit = scene.deposit(case.person, "decisions", DECIDED)
    call = scene.call("kela", key)
    async with canary(scene, case, FAILURES[name]):
        before = await scene.sql("select count(*) from ledger.idempotency")
        with pytest.raises(Unavailable) as said:
            await put_record(scene.world, call, deposit, WORKER)
        assert said.value.code in {"ledger-unavailable", "outcome-unknown"}
        assert await scene.sql("select count(*) from ledger.idempotency") == before
        assert await scene.sql("select from exchange.record where id = $1", deposit.id) == []
    done = await put_record(scene.world, call, deposit, WORKER)
    again = await put_record(scene.world, scene.call("kela", key), deposit, WORKER)
    assert (done.status, done.replayed, again.replayed, again.entry) == (201, False, True, done.entry)


async def test_an_outcome_that_cannot_be_recorded_still_opens_nothing(scene: Scene) -> None:
    """The record is replaced after the entry, and the outcome's entry fails too: over-reported, never under-reported."""
    case = await scene.case()

    async def replace_and_break() -> None:
        await scene.put(case.person, "decisions", DECIDED, record=case.records["decisions"], expected=1)
        await scene.sql(
            "create function public.canary() returns trigger language plpgsql as $$ begin raise exception 'canary'; end $$"
        )
        await scene.sql(
            "create trigger canary before insert on ledger.entry for each row when (new.kind = 'outcome') execute function public.canary()"
        )

    scene.watch.opened.clear()
    try:
        between, said = await scene.disclose_with(case, replace_and_break)
    finally:
        await scene.sql("drop trigger canary on ledger.entry")
        await scene.sql("drop function public.canary")
    assert isinstance(said, Unavailable)
    assert scene.watch.opened.total() == 0
    assert (await scene.entry(between.reads[0][0].entry))["kind"] == "disclosure"


async def test_after_a_lost_connection_the_next_writer_says_where_the_last_one_stood(scene: Scene) -> None:
    case = await scene.case()
    async with canary(scene, case, FAILURES["a lost connection"]):
        with pytest.raises(Unavailable):
            await scene.disclose(case)
    position = scene.world.ledger._database.broken[-1]
    await scene.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'sauma_server' and datname = current_database()"
    )
    rows = []
    for _ in range(9):  # the pool meets its dead connections one by one
        with contextlib.suppress(Unavailable):
            await scene.disclose(case)
        rows += await scene.sql("select leaf from ledger.entry where kind = 'writer' and refers = $1", position.writer)
        if rows:
            break
    said = json.loads(rows[0]["leaf"])
    assert (said["reason"], said["payload"]) == (str(position.counter), base64url(position.previous))
    stands = await scene.sql(
        "select counter, leaf_hash from ledger.entry where writer = $1 order by counter desc limit 1", position.writer
    )
    assert [(row["counter"] + 1, row["leaf_hash"]) for row in stands] == [(position.counter, position.previous)]
