"""A change that is acknowledged before a read begins always wins (attack S-5), and a key has one effect (S-6)."""

import asyncio
import json
import os
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import pytest

from asks import KELA
from attacks.scene import DECIDED, WORKER, Case, Scene, append, read
from sauma.core.disclosure import Receipt, Sealed
from sauma.core.errors import BadRequest, Unavailable
from sauma.core.evidence import Claim
from sauma.core.matters import BasisVersions
from sauma.exchange.deposit import put_record
from sauma.exchange.disclose import disclose
from sauma.exchange.ports import Build
from sauma.exchange.rows import Missed
from sauma.exchange.write import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

RACES = int(os.environ.get("RACES", "300"))
READERS = 4


@dataclass
class Timed:
    """The ports of one race: when each append and each read of a disclosure began, and what came of it."""

    scene: Scene
    draw: random.Random
    appends: list[tuple[float, Receipt]] = field(default_factory=list)
    reads: list[tuple[float, Receipt, Sealed | Missed]] = field(default_factory=list)

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        began = time.perf_counter()
        appended = await self.scene.world.ledger.append(build, claims, basis)
        if isinstance(appended, Receipt) and basis.subject is not None:
            self.appends.append((began, appended))
        return appended

    async def gather(self, keys: Any) -> Any:
        return await self.scene.world.records.gather(keys)

    async def read(self, receipt: Receipt, manifest: Any) -> Sealed | Missed:
        await asyncio.sleep(self.draw.random() * 0.003)
        began = time.perf_counter()
        found = await self.scene.world.records.read(receipt, manifest)
        self.reads.append((began, receipt, found))
        return found


async def race(scene: Scene, case: Case, draw: random.Random, ports: Timed) -> tuple[float, list[str]]:
    """Readers against one new restriction; when the restriction was acknowledged, and the readers' answers."""
    world = msgspec.structs.replace(scene.world, ledger=ports, records=ports)
    index = scene.world.vault.blind_index(case.person, KELA)

    async def reader() -> str:
        await asyncio.sleep(draw.random() * 0.006)
        try:
            return str(json.loads((await disclose(world, scene.query(case))).body)["outcome"])
        except Unavailable as said:
            return said.code

    async def change() -> float:
        await asyncio.sleep(draw.random() * 0.012)
        async with scene.pool.acquire() as connection:
            await connection.execute(
                "select api.add_prohibition(gen_random_uuid(), $1, $2, 'gdpr18-restriction', null)", KELA, index
            )
        return time.perf_counter()

    acknowledged, *answers = await asyncio.gather(change(), *(reader() for _ in range(READERS)))
    return acknowledged, answers


async def test_no_read_that_begins_after_the_acknowledgement_gets_anything(scene: Scene) -> None:
    draw = random.Random("race")  # noqa: S311  # seeded, so that a failure repeats
    cases = [await scene.case() for _ in range(4)]
    before = after = refused = 0
    for number in range(RACES):
        case = cases[number % len(cases)]
        await scene.sql("delete from exchange.prohibition")
        ports = Timed(scene, draw)
        acknowledged, answers = await race(scene, case, draw, ports)
        assert [r for began, r, found in ports.reads if began >= acknowledged and isinstance(found, Sealed)] == []
        assert [r for began, r in ports.appends if began >= acknowledged] == []
        assert set(answers) <= {"disclosed", "nothing-disclosable"}
        late = [found for began, _, found in ports.reads if began >= acknowledged]
        assert all(found is Missed.BASIS_CHANGED for found in late)
        after += len(late)
        before += answers.count("disclosed")
        refused += answers.count("nothing-disclosable")
    assert min(before, refused) > RACES / 20, "the race was not one"
    assert after > 0, "no read fell between entry and acknowledgement"


async def test_every_entry_of_the_races_precedes_the_change_it_raced(scene: Scene) -> None:
    """Seen from the database alone: the version an entry was decided on was the person's until after it was written."""
    draw, case = random.Random("order"), await scene.case()  # noqa: S311  # seeded, so that a failure repeats
    subject = (await scene.attempt(scene.query(case))).basis.subject
    changes: list[tuple[int, Any]] = []
    for _ in range(20):
        await scene.sql("delete from exchange.prohibition")
        await race(scene, case, draw, Timed(scene, draw))
        [row] = await scene.sql(
            "select version, clock_timestamp() as at from exchange.subject_basis where subject = $1", subject
        )
        changes.append((row["version"], row["at"]))
    entries = await scene.sql(
        "select basis_subject_version as version, recorded_at from ledger.entry where basis_subject = $1", subject
    )
    moved = dict(changes)
    assert len(entries) > 10
    assert all(entry["recorded_at"] < moved[entry["version"] + 1] for entry in entries)
    assert max(entry["version"] for entry in entries) < max(moved)


CHANGES = {
    "the person's basis": "select api.protect_subject($1, true, '', 'opaque')",
    "the matter": "select api.put_matter($1, $2, $3, 'closed', null, $4)",
}


async def change_of(scene: Scene, case: Case, name: str, basis: BasisVersions) -> tuple[str, list[Any]]:
    if name == "the person's basis":
        return CHANGES[name], [basis.subject]
    [row] = await scene.sql(
        "select subject, sealed::bytea as sealed from exchange.matter where case_mac = $1", basis.case_mac
    )
    return CHANGES[name], [basis.organisation, basis.case_mac, row["subject"], row["sealed"]]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_waits_for_the_entry_that_was_first(name: str, scene: Scene) -> None:
    """Without the row lock both would commit, and the change would be acknowledged before the entry is."""
    case = await scene.case()
    attempt = await scene.attempt(scene.query(case))
    statement, values = await change_of(scene, case, name, attempt.basis)
    async with scene.server() as first, scene.elsewhere() as second:
        async with first.transaction():
            assert (await append(first, attempt))["status"] == "appended"
            await second.execute("set lock_timeout = '100ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await second.fetchval(statement, *values)
        await second.fetchval(statement, *values)
        row = await scene.entry(attempt.entry.id)
        assert (await read(first, row["id"], row["recorded_at"]))["status"] == "basis-changed"


@pytest.mark.parametrize("name", CHANGES)
async def test_an_entry_waits_for_the_change_that_was_first_and_sees_it(name: str, scene: Scene) -> None:
    case = await scene.case()
    attempt = await scene.attempt(scene.query(case))
    statement, values = await change_of(scene, case, name, attempt.basis)
    async with scene.elsewhere() as first, scene.server() as second:
        async with first.transaction():
            await first.fetchval(statement, *values)
            waiting = asyncio.create_task(append(second, attempt))
            while not await scene.sql(
                "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            ):
                assert not waiting.done()
        assert (await waiting)["status"] == "basis-changed"


async def test_one_key_has_one_effect(scene: Scene) -> None:
    """Sixty-four at once under one key: one deposit; the others are its replay or told that it is in progress."""
    deposit = scene.deposit(scene.person(), "decisions", DECIDED)
    key = uuid.uuid4().hex
    said = await asyncio.gather(*(once(scene, deposit, key) for _ in range(64)))
    while "idempotency-key-in-progress" in said:
        said = [await once(scene, deposit, key) if s == "idempotency-key-in-progress" else s for s in said]
    assert len({s[1:] for s in said}) == 1
    assert sorted(s[0] for s in said) == [False] + [True] * 63
    [row] = await scene.sql(
        "select revision, (select count(*) from ledger.entry where id = $2) as entries from exchange.record where id = $1",
        deposit.id,
        said[0][1],
    )
    assert (row["revision"], row["entries"]) == (1, 1)


async def once(scene: Scene, deposit: Any, key: str, **call: Any) -> Any:
    try:
        done = await put_record(
            scene.world, msgspec.structs.replace(scene.call("kela", key, "PUT one"), **call), deposit, WORKER
        )
    except BadRequest as refused:
        return refused.code
    return done.replayed, done.entry, done.leaf_hash, done.etag, done.status, json.dumps(done.members, sort_keys=True)


REUSES: dict[str, tuple[dict[str, Any], str]] = {
    "for another body": ({"body": b"other"}, "idempotency-key-reused"),
    "on another route": ({"route": "PUT two"}, "idempotency-key-reused"),
}


@pytest.mark.parametrize("name", REUSES)
async def test_a_key_is_not_used_twice(name: str, scene: Scene) -> None:
    call, code = REUSES[name]
    deposit, key = scene.deposit(scene.person(), "decisions", DECIDED), uuid.uuid4().hex
    await once(scene, deposit, key)
    assert await once(scene, deposit, key, **call) == code


async def test_a_key_belongs_to_one_client(scene: Scene) -> None:
    key = uuid.uuid4().hex
    calls = [Call(caller=scene.caller(client), route="PUT x", key=key, body=b"b") for client in ("kela", "pirha")]
    done = [
        await put_record(scene.world, call, scene.deposit(scene.person(), "decisions", DECIDED), WORKER)
        for call in calls
    ]
    assert not any(d.replayed for d in done)
    assert done[0].entry != done[1].entry


async def test_what_a_replay_is_answered_from_holds_no_client_data(scene: Scene) -> None:
    rows = await scene.sql("select answer from ledger.idempotency")
    assert rows
    for row in rows:
        answer = json.loads(row["answer"])
        assert answer.keys() == {"members", "entry", "leafHash", "location"}
        assert answer["members"].keys() <= {"resource", "id", "revision", "caseReference", "state", "records"}
