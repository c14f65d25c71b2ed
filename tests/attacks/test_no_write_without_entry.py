"""A compromised server cannot change what the exchange rests on behind the ledger's back: effect and entry, or neither."""

import datetime as dt
import os
import uuid

import asyncpg
import pytest

from attacks.scene import KELA, P01, PIRHA, WORKER, Scene
from sauma.core.problems import Reason
from sauma.exchange.append import Refused
from sauma.exchange.subjects import IdentifierChange, change_identifier

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _subject(scene: Scene, record: uuid.UUID) -> uuid.UUID:
    [row] = await scene.sql("select subject from exchange.record where id = $1 limit 1", record)
    found: uuid.UUID = row["subject"]
    return found


async def test_no_write_function_commits_without_its_entry(scene: Scene) -> None:
    case = await scene.case()
    subject = await _subject(scene, case.records["persons"])
    index, now = scene.world.vault.blind_index(case.person, KELA), dt.datetime.now(dt.UTC)
    writes = {
        "lift a protection": ("select api.protect_subject($1, false, '', '')", subject),
        "protect someone": ("select api.protect_subject($1, true, '', 'x')", subject),
        "annul a record": ("select api.annul_record($1, 'decisions', $2, null)", KELA, case.records["decisions"]),
        "add a prohibition": ("select api.add_prohibition($1, $2, $3, 'gdpr18-restriction', null)", uuid.uuid4(), KELA, index),
        "publish": ("select api.put_publication_state($1, 'decisions', 'delayed', $2)", KELA, now),
        "open an audit session": (
            "select api.open_audit_session($1, $2, 'pirha', 'x', $3, 'DOS-1')", uuid.uuid4(), PIRHA, now + dt.timedelta(hours=1),
        ),
    }  # fmt: skip
    await scene.sql(
        "insert into registry.auditor_grant (client, organisations, dossier, until)"
        " values ('pirha', $1, 'DOS-1', clock_timestamp() + interval '1 day')",
        [PIRHA],
    )
    before = await scene.sql("select state from exchange.record where id = $1", case.records["decisions"])
    async with scene.server() as server:
        for sentence, (statement, *values) in writes.items():
            with pytest.raises(asyncpg.PostgresError) as refused:
                await server.execute(statement, *values)
            assert refused.value.sqlstate == "SA004", sentence
    assert await scene.sql("select state from exchange.record where id = $1", case.records["decisions"]) == before
    assert await scene.sql("select 1 from exchange.prohibition where subject = $1", subject) == []


async def test_an_entry_of_an_earlier_transaction_is_none_of_this_one(scene: Scene) -> None:
    case = await scene.case()
    subject = await _subject(scene, case.records["persons"])
    await scene.disclose(case)
    async with scene.server() as server:
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with server.transaction():
                await server.execute("select api.protect_subject($1, true, '', $2)", subject, os.urandom(4).hex())
        assert refused.value.sqlstate == "SA004"


async def _allowance(scene: Scene, a_day: int) -> None:
    await scene.sql(
        "update registry.agreement set per_person_day = $4, version = version + 1"
        " where discloser = $1 and receiver = $2 and purpose = $3", KELA, PIRHA, P01, a_day,
    )  # fmt: skip


async def test_another_identifier_of_a_person_is_no_second_allowance(scene: Scene) -> None:
    """The frequency ceiling counts the person: what was asked under the old identifier counts under the new."""
    case, renamed = await scene.case(), scene.person()
    await _allowance(scene, 1)
    try:
        await scene.disclose(case)
        for client in ("kela", "pirha"):
            change = IdentifierChange(
                old=case.person,
                new=renamed,
                reason="corrected",
                effective_at=dt.datetime.now(dt.UTC),
                officer=WORKER,
            )
            await change_identifier(scene.world, scene.call(client), change)
        with pytest.raises(Refused, match=Reason.FREQUENCY_EXCEEDED.value):
            await scene.disclose(case, person=renamed)
        await _allowance(scene, 2)
        assert b"disclosed" in (await scene.disclose(case, person=renamed)).body
    finally:
        await _allowance(scene, 1_000_000)
