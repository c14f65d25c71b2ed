"""The gate, against a server that has every right of its role and no honesty (ledger attacks 21-23, 30, 35)."""

# ruff: noqa: S608  # every part of a statement here is this file's own

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from asks import KELA
from attacks.scene import Attempt, Case, Scene, append, read
from sauma.core.decision import Form
from sauma.core.errors import SaumaError, Unavailable
from sauma.exchange.disclose import disclose

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = "22222222-2222-7222-8222-222222222222"


async def test_a_committed_entry_hands_out_exactly_its_groups(scene: Scene) -> None:
    """The control: what all other rows of this file are denied is given for an honest entry, again for 30 seconds."""
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        for _ in range(2):
            given = await read(connection, attempt.entry.id, appended["recorded_at"])
            assert given["status"] == "handed-out"
            named = {(r.resource, r.record, r.sensitivity) for r in attempt.rows}
            assert set(zip(given["resource"], given["record"], given["class"], strict=True)) == named


# --------------------------------------------------------------------------- in the entry's own transaction

SETTINGS = {
    "plainly": "select 1",
    "with commits that do not wait": "set local synchronous_commit = off",
    "with another search path": "set local search_path = exchange, keys, ledger, api",
    "with names looked up in the catalogue last": "set local search_path = exchange, keys, ledger, api, pg_catalog",
    "in the easternmost time zone": "set local timezone = 'Pacific/Kiritimati'",
    "with nulls that equal each other": "set local transform_null_equals = on",
    "with strings of the old kind": "set local standard_conforming_strings = off",
    "behind a savepoint": "savepoint before_entry",
}


@pytest.mark.parametrize("how", SETTINGS)
async def test_nothing_in_the_entrys_own_transaction(how: str, scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection, scene.server() as other:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(SETTINGS[how])
        appended = await append(connection, attempt)
        if how == "behind a savepoint":
            await connection.execute("release savepoint before_entry")
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "uncommitted"
        await transaction.commit()
        for each in (connection, other):
            assert (await read(each, attempt.entry.id, appended["recorded_at"]))["status"] == "handed-out"


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_no_entry_under_a_snapshot_that_is_kept(isolation: Any, scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection, connection.transaction(isolation=isolation):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await append(connection, attempt)
    assert refused.value.sqlstate == "SA003"


async def test_what_is_rolled_back_was_never_readable(scene: Scene) -> None:
    """A server that appends, reads and rolls back gets nothing on its own or on another connection."""
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection, scene.server() as other:
        transaction = connection.transaction()
        await transaction.start()
        appended = await append(connection, attempt)
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "uncommitted"
        assert (await read(other, attempt.entry.id, appended["recorded_at"]))["status"] == "no-entry"
        await transaction.rollback()
        for each in (connection, other):
            assert (await read(each, attempt.entry.id, appended["recorded_at"]))["status"] == "no-entry"
    assert await scene.sql("select from ledger.entry where id = $1", attempt.entry.id) == []


async def test_a_prepared_transaction_is_no_way_around(scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection:
        await connection.execute("begin")
        await append(connection, attempt)
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute("prepare transaction 'kept'")
        assert refused.value.sqlstate == "55000"


async def test_a_snapshot_from_before_the_change_reads_nothing(scene: Scene) -> None:
    """REPEATABLE READ would compare the basis with what stood when the snapshot was taken, not with what stands."""
    case = await scene.case()
    attempt = await scene.attempt(scene.query(case))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        async with connection.transaction(isolation="repeatable_read"):
            await connection.fetchval("select count(*) from sauma_meta.applied()")
            await prohibit(scene, case, attempt)
            with pytest.raises(asyncpg.PostgresError) as refused:
                await read(connection, attempt.entry.id, appended["recorded_at"])
            assert refused.value.sqlstate == "SA003"


# --------------------------------------------------------------------------- not this entry


async def copied(scene: Scene, attempt: Attempt, seconds: int) -> tuple[uuid.UUID, Any]:
    """A copy of a committed entry as old as asked, made by the superuser: nobody else can date one."""
    copy = uuid.uuid4()
    columns = await scene.sql(
        "select string_agg(column_name, ', ') from information_schema.columns where table_schema = 'ledger'"
        " and table_name = 'entry' and column_name not in ('id', 'recorded_at', 'writer', 'xid', 'leaf_hash')"
    )
    await scene.sql(
        "select ledger.add_partition((date_trunc('month', now() at time zone 'UTC') - interval '1 month')::date)"
    )
    [row] = await scene.sql(
        f"insert into ledger.entry (id, recorded_at, writer, {columns[0][0]})"
        f" select $1, clock_timestamp() - make_interval(secs => $3), gen_random_uuid(), {columns[0][0]}"
        "  from ledger.entry where id = $2 returning recorded_at",
        copy,
        attempt.entry.id,
        float(seconds),
    )
    return copy, row["recorded_at"]


@pytest.mark.parametrize(("seconds", "status"), [(20, "handed-out"), (31, "stale"), (3600, "stale")])
async def test_an_entry_is_good_for_thirty_seconds(seconds: int, status: str, scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection:
        await append(connection, attempt)
        copy, recorded_at = await copied(scene, attempt, seconds)
        assert (await read(connection, copy, recorded_at))["status"] == status


async def test_an_entry_is_named_by_its_id_and_its_time(scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case()))
    async with scene.server() as connection:
        at = (await append(connection, attempt))["recorded_at"]
        for entry, when in (
            (uuid.uuid4(), at),
            (attempt.entry.id, at.replace(microsecond=(at.microsecond + 1) % 10**6)),
            (None, at),
            (attempt.entry.id, None),
        ):
            assert (await read(connection, entry, when))["status"] == "no-entry"


OTHER_KINDS: dict[str, dict[str, object]] = {
    "a refusal that names records": {"kind": "refusal", "decision": "refuse", "reason": "prohibited"},
    "a write that names records": {"kind": "write", "decision": "deposited"},
    "a read that names records": {"kind": "read", "decision": "permit"},
    "an outcome that names records": {"kind": "outcome", "decision": "permit", "refers": GONE},
    "an annotation that permits": {"kind": "annotation", "decision": "permit"},
}


@pytest.mark.parametrize("name", OTHER_KINDS)
async def test_only_a_permit_is_a_permit(name: str, scene: Scene) -> None:
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).forged(**OTHER_KINDS[name])
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        assert appended["status"] == "appended"
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "no-entry"


async def test_an_existence_answer_hands_out_no_ciphertext(scene: Scene) -> None:
    attempt = await scene.attempt(scene.query(await scene.settled_case(), form=Form.EXISTENCE))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        given = await read(connection, attempt.entry.id, appended["recorded_at"])
    assert given["status"] == "handed-out"
    assert not any(given[column] for column in ("record", "sealed", "wrapped"))


# --------------------------------------------------------------------------- what changes between record and read

Change = Callable[[Scene, Case, Attempt], Awaitable[object]]


async def prohibit(scene: Scene, case: Case, attempt: Attempt) -> None:
    index = scene.world.vault.blind_index(case.person, KELA)
    async with scene.elsewhere() as connection:
        assert await connection.fetchval(
            "select api.add_prohibition(gen_random_uuid(), $1, $2, 'gdpr18-restriction', null)", KELA, index
        )


async def protect(scene: Scene, subject: uuid.UUID) -> None:
    async with scene.elsewhere() as connection:
        await connection.execute("select api.protect_subject($1, true, '', 'opaque')", subject)


async def protect_other(scene: Scene, case: Case, attempt: Attempt) -> None:
    [row] = await scene.sql(
        "select distinct subject from exchange.record_person where record = $1", case.records["decisions"]
    )
    await protect(scene, row["subject"])


async def link(scene: Scene, case: Case, attempt: Attempt) -> None:
    old, new = scene.world.vault.blind_index(case.person, KELA), scene.world.vault.blind_index(scene.person(), KELA)
    [row] = await scene.sql("select sealed::bytea from exchange.identifier where blind_index = $1", old)
    async with scene.elsewhere() as connection:
        assert (
            await connection.fetchval("select api.link_identifier($1, $2, $3, $4)", KELA, old, new, row["sealed"])
            == "linked"
        )


def as_owner(statement: str) -> Change:
    async def change(scene: Scene, case: Case, attempt: Attempt) -> None:
        values = {
            "person": attempt.basis.subject,
            "record": case.records["persons"],
            "agreement": attempt.basis.agreement,
        }
        await scene.sql(
            statement,
            *(values[name] for name in ("person", "record", "agreement") if name in statement.partition("--")[2]),
        )

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "the record was annulled": (lambda s, c, a: s.annul("decisions", c.records["decisions"]), "superseded"),
    "the record was replaced": (
        lambda s, c, a: s.put(c.person, "decisions", {"amount": "1.00"}, record=c.records["decisions"], expected=1),
        "superseded",
    ),
    "a prohibition was set": (prohibit, "basis-changed"),
    "the person was protected": (lambda s, c, a: protect(s, a.basis.subject), "basis-changed"),
    "another person in the record was protected": (protect_other, "basis-changed"),
    "the person got another identifier": (link, "basis-changed"),
    "the matter was closed": (
        lambda s, c, a: s.matter(c.person, state="closed", reference=c.reference),
        "basis-changed",
    ),
    "the agreement was ended": (
        as_owner("update registry.agreement set active = false where id = $1 -- agreement"),
        "basis-changed",
    ),
    "the agreement was changed": (
        as_owner("update registry.agreement set version = 2 where id = $1 -- agreement"),
        "basis-changed",
    ),
    "the client was suspended": (
        as_owner("update registry.client set state = 'suspended' where id = 'pirha'"),
        "caller-changed",
    ),
    "the client was suspended and let in again": (
        as_owner("update registry.client set version = 2 where id = 'pirha'"),
        "caller-changed",
    ),
    "the receiver was suspended": (
        as_owner("update registry.organisation set active = false where id = '3221308-6'"),
        "caller-changed",
    ),
    "the discloser was suspended": (
        as_owner("update registry.organisation set active = false where id = '0246246-0'"),
        "basis-changed",
    ),
    "the person's keys were closed": (
        as_owner("update keys.data_key set state = 'closing' where subject = $1 -- person"),
        "superseded",
    ),
    "the record was given to somebody else": (
        as_owner(
            "update exchange.record set subject = (select subject from exchange.decoy limit 1) where id = $1 -- record"
        ),
        "superseded",
    ),
}


async def restore(scene: Scene) -> None:
    for table, standing in (
        ("agreement", "active = true"),
        ("client", "state = 'active'"),
        ("organisation", "active = true"),
    ):
        await scene.sql(f"update registry.{table} set {standing}, version = 1 where not active or version <> 1")
    await scene.new_tokens()


@pytest.mark.parametrize("name", CHANGES)
async def test_what_changed_after_the_entry_wins(name: str, scene: Scene) -> None:
    change, status = CHANGES[name]
    case = await scene.case(others=(scene.person(),))
    attempt = await scene.attempt(scene.query(case))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "handed-out"
        try:
            await change(scene, case, attempt)
            assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == status
        finally:
            await restore(scene)


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_during_a_query_opens_nothing_under_the_old_entry(name: str, scene: Scene) -> None:
    """The same through the product: the old entry opens nothing and has its outcome; a new try decides anew."""
    change, status = CHANGES[name]
    case = await scene.case(others=(scene.person(),))
    attempt = await scene.attempt(scene.query(case))
    opened = scene.watch.calls
    try:
        between, said = await scene.disclose_with(case, lambda: change(scene, case, attempt))
    finally:
        await restore(scene)
    receipt, found = between.reads[0]
    assert getattr(found, "value", found) == status
    assert await scene.outcomes(receipt.entry) == [status]
    if isinstance(said, SaumaError):
        assert scene.watch.calls == opened
        return
    body = json.loads(said.body)
    assert said.receipt.entry != receipt.entry
    assert body["outcome"] == "nothing-disclosable" or len(between.reads) == 2


async def test_a_record_that_keeps_changing_is_given_up(scene: Scene) -> None:
    case = await scene.case()

    async def replace() -> None:
        [row] = await scene.sql("select revision from exchange.record where id = $1", case.records["decisions"])
        await scene.put(
            case.person, "decisions", {"amount": "1.00"}, record=case.records["decisions"], expected=row["revision"]
        )

    world = msgspec.structs.replace(scene.world, records=Restless(scene, replace))
    opened = scene.watch.calls
    with pytest.raises(Unavailable) as said:
        await disclose(world, scene.query(case))
    assert said.value.code == "overloaded"
    assert scene.watch.calls == opened


class Restless:
    """Records that change before every read."""

    def __init__(self, scene: Scene, act: Callable[[], Awaitable[object]]) -> None:
        self._records, self._act = scene.world.records, act

    async def gather(self, keys: Any) -> Any:
        return await self._records.gather(keys)

    async def read(self, receipt: Any, manifest: Any) -> Any:
        await self._act()
        return await self._records.read(receipt, manifest)
