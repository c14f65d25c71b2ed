"""What a server with every right of its role cannot make the append function take (ledger attacks 21-23, 30).

Entries that name what they may not, that rest on another basis, or that are claimed, placed or flushed otherwise.
"""

import json
import uuid
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from asks import KELA, PIRHA
from attacks.scene import TOLD, Attempt, Case, Scene, append, read
from sauma.core.evidence import ManifestRow
from sauma.store.statements import load

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = "22222222-2222-7222-8222-222222222222"

# --------------------------------------------------------------------------- a manifest that names too much

Rows = Callable[[list[ManifestRow], "Other"], list[ManifestRow]]


class Other(msgspec.Struct, frozen=True):
    """What the server would like to have: another person's group and another controller's group of the same id."""

    person: ManifestRow
    controller: ManifestRow


def changed(row: ManifestRow, **members: object) -> ManifestRow:
    return msgspec.structs.replace(row, **members)


def of(rows: list[ManifestRow], sensitivity: str) -> ManifestRow:
    return next(r for r in rows if r.sensitivity == sensitivity and r.resource == "persons")


NAMED: dict[str, Rows] = {
    "another person's record": lambda rows, other: [*rows, other.person],
    "another controller's record of the same id": lambda rows, other: [other.controller],
    "a record that does not exist": lambda rows, other: [changed(rows[0], record=uuid.UUID(GONE))],
    "the record under another resource": lambda rows, other: [changed(rows[0], resource="payments")],
    "the next revision": lambda rows, other: [changed(rows[0], revision=2)],
    "the revision before": lambda rows, other: [changed(rows[0], revision=0)],
    "a digest that is not the group's": lambda rows, other: [changed(rows[0], digest=bytes(32))],
    "one class under another's digest": lambda rows, other: [
        changed(of(rows, "ordinary"), digest=of(rows, "protection").digest)
    ],
    "a class it does not know the digest of": lambda rows, other: [
        changed(of(rows, "ordinary"), sensitivity="restricted")
    ],
    "one good and one bad row": lambda rows, other: [*rows, changed(rows[0], digest=bytes(32))],
}


@pytest.mark.parametrize("name", NAMED)
async def test_what_an_entry_may_not_name_is_not_handed_out(name: str, scene: Scene) -> None:
    case = await scene.settled_case()
    elsewhere = await scene.case()
    if not await scene.sql(
        "select from exchange.record where controller = $1 and id = $2", PIRHA, case.records["persons"]
    ):
        await scene.put(case.person, "persons", TOLD, client="pirha", record=case.records["persons"])
    other = Other(
        person=(await scene.attempt(scene.query(elsewhere))).rows[0],
        controller=changed(
            of((await scene.attempt(scene.query(case))).rows, "ordinary"), digest=await digest_at(scene, PIRHA, case)
        ),
    )
    honest = await scene.attempt(scene.query(case))
    attempt = honest.forged(rows=NAMED[name](honest.rows, other))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "superseded"


async def digest_at(scene: Scene, controller: str, case: Case) -> bytes:
    [row] = await scene.sql(
        "select digest from exchange.record_group where controller = $1 and record = $2 and class = 'ordinary'",
        controller,
        case.records["persons"],
    )
    return row["digest"]


FORGED: dict[str, Callable[[Attempt], Attempt]] = {
    "a manifest other than its leaf says": lambda a: swapped(a, manifest=a.forged(rows=a.rows[:1]).entry.manifest),
    "no manifest where its leaf names one": lambda a: swapped(a, manifest=b"[]"),
    "a manifest its leaf does not name": lambda a: a.forged(manifest=None),
    "another client's basis": lambda a: a.on(client="pirha-other"),
    "another organisation's basis": lambda a: a.on(organisation=KELA),
    "a leaf of another client": lambda a: a.forged(client="kela"),
    "a leaf of another organisation": lambda a: a.forged(organisation=KELA),
    "a supplier that does not act": lambda a: a.forged(supplier="9136515-1"),
    "an assurance nobody knows": lambda a: a.forged(assurance="sworn"),
    "a discloser other than decided on": lambda a: a.forged(counterparty=PIRHA),
    "a group of which it names no field": lambda a: a.forged(rows=[changed(a.rows[0], fields=())]),
    "fields of no group": lambda a: a.forged(rows=[changed(a.rows[0], sensitivity="", digest=b"")]),
}


def swapped(attempt: Attempt, **members: bytes) -> Attempt:
    return Attempt(msgspec.structs.replace(attempt.entry, **members), attempt.basis, attempt.claims)


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_entry_is_not_appended(name: str, scene: Scene) -> None:
    attempt = FORGED[name](await scene.attempt(scene.query(await scene.settled_case())))
    async with scene.server() as connection:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await append(connection, attempt)
    assert refused.value.sqlstate == "SA002"
    assert await scene.sql("select from ledger.entry where id = $1", attempt.entry.id) == []


SIDES: dict[str, tuple[bytes, str | None]] = {
    "tags other than the leaf commits to": (b"\x01" * 80, "A" * 43),
    "tags the leaf does not commit to": (b"\x01" * 80, None),
    "a commitment without tags": (b"", "A" * 43),
}


@pytest.mark.parametrize("name", SIDES)
async def test_side_tags_are_those_of_the_leaf(name: str, scene: Scene) -> None:
    side, quoted = SIDES[name]
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).forged(side=quoted, subjects=None)
    async with scene.server() as connection:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await append(connection, attempt, side=side)
    assert refused.value.sqlstate == "SA002"


INCOMPLETE: dict[str, dict[str, object]] = {
    "without an agreement": {"agreement": None, "agreement_version": None},
    "without the version of the organisation": {"organisation_version": None},
    "without the version of the discloser": {"discloser_version": None},
    "without a subject": {"subject": None, "subject_version": None},
}


@pytest.mark.parametrize("name", INCOMPLETE)
async def test_a_disclosure_cannot_leave_out_what_it_rests_on(name: str, scene: Scene) -> None:
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).on(**INCOMPLETE[name])
    async with scene.server() as connection:
        try:
            appended = await append(connection, attempt)
        except asyncpg.CheckViolationError:
            return
        assert appended["status"] == "basis-changed"


WRONG: dict[str, dict[str, object]] = {
    "an older version of the person": {"subject_version": 0},
    "a newer version of the person": {"subject_version": 2**40},
    "another version of the matter": {"matter_version": 7},
    "a matter there is not": {"case_mac": bytes(16)},
    "another version of the agreement": {"agreement_version": 7},
    "an agreement there is not": {"agreement": uuid.UUID(GONE)},
    "another version of the discloser": {"discloser_version": 7},
    "another version of the client": {"client_version": 7},
    "another version of the organisation": {"organisation_version": 7},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_basis_that_does_not_stand_is_not_appended_on(name: str, scene: Scene) -> None:
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).on(**WRONG[name])
    async with scene.server() as connection:
        assert (await append(connection, attempt))["status"] in {"basis-changed", "caller-changed"}
    assert await scene.sql("select from ledger.entry where id = $1", attempt.entry.id) == []


async def test_an_agreement_of_other_parties_is_no_basis(scene: Scene) -> None:
    [row] = await scene.sql(
        "insert into registry.agreement (id, discloser, receiver, purpose, valid_from, max_months, per_person_day)"
        " values (gen_random_uuid(), $1, $2, 'kela-case-request', '2024-01-01', 12, 50) returning id",
        PIRHA,
        KELA,
    )
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).on(
        agreement=row["id"], agreement_version=1
    )
    async with scene.server() as connection:
        assert (await append(connection, attempt))["status"] == "basis-changed"


# --------------------------------------------------------------------------- the append itself


async def test_a_replayed_claim_rolls_everything_back(scene: Scene) -> None:
    """Also what came before it in the same transaction, and the claims that were still fresh."""
    case = await scene.settled_case()
    first, second = [await scene.attempt(scene.query(case)) for _ in range(2)]
    fresh = second.claims[0]
    replay = Attempt(second.entry, second.basis, (fresh, first.claims[0]))
    key = uuid.uuid4().bytes
    async with scene.server() as connection:
        assert (await append(connection, first))["status"] == "appended"
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(load("writes")["end_write"], key, b"r", 200, b"{}", None)
        with pytest.raises(asyncpg.PostgresError) as refused:
            await append(connection, replay)
        await transaction.rollback()
        assert refused.value.sqlstate == "SA001"
        assert await scene.sql("select from ledger.idempotency where key_digest = $1", key) == []
        assert await scene.sql("select from ledger.claim where digest = $1", fresh.digest) == []
        assert await scene.sql("select from ledger.entry where id = $1", replay.entry.id) == []
        assert (await append(connection, second))["status"] == "appended"


async def test_an_entry_with_a_used_id_is_an_error_and_never_swallowed(scene: Scene) -> None:
    case = await scene.settled_case()
    first, second = [await scene.attempt(scene.query(case)) for _ in range(2)]
    same_id = second.forged(id=str(first.entry.id))
    position = json.loads(first.entry.leaf)
    same_place = second.forged(writer=position["writer"], counter=position["counter"])
    async with scene.server() as connection:
        await append(connection, first)
        for attempt in (same_id, same_place):
            with pytest.raises(asyncpg.UniqueViolationError):
                await append(connection, attempt)
    assert (await scene.entry(first.entry.id))["leaf"] == first.entry.leaf


UNFLUSHED = "select (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::bigint"


async def test_a_session_cannot_make_the_append_forgetful(scene: Scene) -> None:
    """With synchronous_commit off in the session an entry is flushed all the same; a plain write, the control, is not."""
    case = await scene.settled_case()
    await scene.sql("create table public.scratch (a integer)")
    await scene.sql("alter system set wal_writer_delay = '10s'")
    await scene.sql("select pg_reload_conf()")
    try:
        async with scene.server() as connection:
            await connection.execute("set synchronous_commit = off")
            left = []
            for _ in range(5):
                await append(connection, await scene.attempt(scene.query(case)))
                left.append(await scene.superuser.fetchval(UNFLUSHED))
            assert min(left) == 0
            assert await connection.fetchval("show synchronous_commit") == "off"  # the append's own is gone with it
            await scene.sql("set synchronous_commit = off")
            left = []
            for _ in range(5):
                await scene.sql("insert into public.scratch values (1)")
                left.append(await scene.superuser.fetchval(UNFLUSHED))
            assert min(left) > 0
    finally:
        await scene.sql("set synchronous_commit = on")
        await scene.sql("alter system reset wal_writer_delay")
        await scene.sql("select pg_reload_conf()")
        await scene.sql("drop table public.scratch")
