"""The gate, against a server that has every right of its role and no honesty (ledger attacks 21-23, 30, 35)."""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from asks import KELA, PIRHA
from attacks.scene import TOLD, Attempt, Case, Scene, append, read
from sauma.core.decision import Form
from sauma.core.errors import Unavailable
from sauma.core.evidence import ManifestRow
from sauma.exchange.disclose import disclose
from sauma.store.statements import load

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = "22222222-2222-7222-8222-222222222222"


@pytest.fixture(scope="module")
def known(scene: Scene) -> dict[str, Case]:
    return {}


async def a_case(scene: Scene, known: dict[str, Case]) -> Case:
    """One case for the attacks that change nothing."""
    if "case" not in known:
        known["case"] = await scene.case()
    return known["case"]


async def test_a_committed_entry_hands_out_exactly_its_groups(scene: Scene, known: dict[str, Case]) -> None:
    """The control: what all other rows of this file are denied is given for an honest entry, again for 30 seconds."""
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        for _ in range(2):
            given = await read(connection, attempt.entry.id, appended["recorded_at"])
            assert given["status"] == "handed-out"
            named = {(r.resource, r.record, r.sensitivity) for r in attempt.rows}
            assert set(zip(given["resource"], given["record"], given["class"], strict=True)) == named


# --------------------------------------------------------------------------- in the entry's own transaction

SETTINGS = {
    "plainly": (),
    "with commits that do not wait": ("set local synchronous_commit = off",),
    "with another search path": ("set local search_path = exchange, keys, ledger, api",),
    "with names looked up in the catalogue last": ("set local search_path = exchange, keys, ledger, api, pg_catalog",),
    "in the easternmost time zone": ("set local timezone = 'Pacific/Kiritimati'",),
    "under repeatable read": ("set transaction isolation level repeatable read",),
    "serializable": ("set transaction isolation level serializable",),
    "with nulls that equal each other": ("set local transform_null_equals = on",),
    "with strings of the old kind": ("set local standard_conforming_strings = off",),
    "as a savepoint that was released": ("savepoint before_entry",),
}


@pytest.mark.parametrize("how", SETTINGS)
async def test_nothing_in_the_entrys_own_transaction(how: str, scene: Scene, known: dict[str, Case]) -> None:
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
    async with scene.server() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            for statement in SETTINGS[how]:
                await connection.execute(statement)
            appended = await append(connection, attempt)
            if how.startswith("as a savepoint"):
                await connection.execute("release savepoint before_entry")
            assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "uncommitted"
        except asyncpg.PostgresError as refused:
            assert refused.sqlstate == "SA003"
        finally:
            await transaction.rollback()


async def test_what_is_rolled_back_was_never_readable(scene: Scene, known: dict[str, Case]) -> None:
    """A server that appends, reads and rolls back gets nothing on its own or on another connection."""
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
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


async def test_a_prepared_transaction_is_no_way_around(scene: Scene, known: dict[str, Case]) -> None:
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
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
async def test_an_entry_is_good_for_thirty_seconds(
    seconds: int, status: str, scene: Scene, known: dict[str, Case]
) -> None:
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
    async with scene.server() as connection:
        await append(connection, attempt)
        copy, recorded_at = await copied(scene, attempt, seconds)
        assert (await read(connection, copy, recorded_at))["status"] == status


async def test_an_entry_is_named_by_its_id_and_its_time(scene: Scene, known: dict[str, Case]) -> None:
    attempt = await scene.attempt(scene.query(await a_case(scene, known)))
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
async def test_only_a_permit_is_a_permit(name: str, scene: Scene, known: dict[str, Case]) -> None:
    attempt = (await scene.attempt(scene.query(await a_case(scene, known)))).forged(**OTHER_KINDS[name])
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        assert appended["status"] == "appended"
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "no-entry"


async def test_an_existence_answer_hands_out_no_ciphertext(scene: Scene, known: dict[str, Case]) -> None:
    attempt = await scene.attempt(scene.query(await a_case(scene, known), form=Form.EXISTENCE))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        given = await read(connection, attempt.entry.id, appended["recorded_at"])
    assert given["status"] == "handed-out"
    assert not any(given[column] for column in ("record", "sealed", "wrapped"))


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
async def test_what_an_entry_may_not_name_is_not_handed_out(name: str, scene: Scene, known: dict[str, Case]) -> None:
    case = await a_case(scene, known)
    if "other" not in known:
        known["other"] = await scene.case()
        await scene.put(case.person, "persons", TOLD, client="pirha", record=case.records["persons"])
    other = Other(
        person=(await scene.attempt(scene.query(known["other"]))).rows[0],
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
    "a discloser other than decided on": lambda a: a.forged(counterparty=PIRHA),
    "a group of which it names no field": lambda a: a.forged(rows=[changed(a.rows[0], fields=())]),
    "fields of no group": lambda a: a.forged(rows=[changed(a.rows[0], sensitivity="", digest=b"")]),
}


def swapped(attempt: Attempt, **members: bytes) -> Attempt:
    return Attempt(msgspec.structs.replace(attempt.entry, **members), attempt.basis, attempt.claims)


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_entry_is_not_appended(name: str, scene: Scene, known: dict[str, Case]) -> None:
    attempt = FORGED[name](await scene.attempt(scene.query(await a_case(scene, known))))
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
async def test_side_tags_are_those_of_the_leaf(name: str, scene: Scene, known: dict[str, Case]) -> None:
    side, quoted = SIDES[name]
    attempt = (await scene.attempt(scene.query(await a_case(scene, known)))).forged(side=quoted, subjects=None)
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
async def test_a_disclosure_cannot_leave_out_what_it_rests_on(name: str, scene: Scene, known: dict[str, Case]) -> None:
    attempt = (await scene.attempt(scene.query(await a_case(scene, known)))).on(**INCOMPLETE[name])
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
async def test_a_basis_that_does_not_stand_is_not_appended_on(name: str, scene: Scene, known: dict[str, Case]) -> None:
    attempt = (await scene.attempt(scene.query(await a_case(scene, known)))).on(**WRONG[name])
    async with scene.server() as connection:
        assert (await append(connection, attempt))["status"] in {"basis-changed", "caller-changed"}
    assert await scene.sql("select from ledger.entry where id = $1", attempt.entry.id) == []


async def test_an_agreement_of_other_parties_is_no_basis(scene: Scene, known: dict[str, Case]) -> None:
    [row] = await scene.sql(
        "insert into registry.agreement (id, discloser, receiver, purpose, valid_from, max_months, per_person_day)"
        " values (gen_random_uuid(), $1, $2, 'kela-case-request', '2024-01-01', 12, 50) returning id",
        PIRHA,
        KELA,
    )
    attempt = (await scene.attempt(scene.query(await a_case(scene, known)))).on(
        agreement=row["id"], agreement_version=1
    )
    async with scene.server() as connection:
        assert (await append(connection, attempt))["status"] == "basis-changed"


# --------------------------------------------------------------------------- what changes between record and read

Change = Callable[[Scene, Case, Attempt], Awaitable[object]]


async def prohibit(scene: Scene, case: Case, attempt: Attempt) -> None:
    index = scene.world.vault.blind_index(case.person, KELA)
    async with scene.server() as connection:
        assert await connection.fetchval(
            "select api.add_prohibition(gen_random_uuid(), $1, $2, 'gdpr18-restriction', null)", KELA, index
        )


async def protect(scene: Scene, subject: uuid.UUID) -> None:
    async with scene.server() as connection:
        await connection.execute("select api.protect_subject($1, true, '', 'opaque')", subject)


async def protect_other(scene: Scene, case: Case, attempt: Attempt) -> None:
    [row] = await scene.sql(
        "select distinct subject from exchange.record_person where record = $1", case.records["decisions"]
    )
    await protect(scene, row["subject"])


async def link(scene: Scene, case: Case, attempt: Attempt) -> None:
    old, new = scene.world.vault.blind_index(case.person, KELA), scene.world.vault.blind_index(scene.person(), KELA)
    [row] = await scene.sql("select sealed::bytea from exchange.identifier where blind_index = $1", old)
    async with scene.server() as connection:
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
        as_owner("update registry.client set active = false where id = 'pirha'"),
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
    for table in ("agreement", "client", "organisation"):
        await scene.sql(f"update registry.{table} set active = true, version = 1 where not active or version <> 1")


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
    assert await scene.outcomes(receipt.entry) == ([status] if status != "caller-changed" else [])
    if isinstance(said, Exception):
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


# --------------------------------------------------------------------------- the append itself


async def test_a_replayed_claim_rolls_everything_back(scene: Scene, known: dict[str, Case]) -> None:
    """Also what came before it in the same transaction, and the claims that were still fresh."""
    case = await a_case(scene, known)
    first, second = [await scene.attempt(scene.query(case)) for _ in range(2)]
    fresh = second.claims[0]
    replay = Attempt(second.entry, second.basis, (fresh, first.claims[0]))
    key = uuid.uuid4().bytes
    async with scene.server() as connection:
        assert (await append(connection, first))["status"] == "appended"
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with connection.transaction():
                await connection.execute(load("writes")["end_write"], key, b"r", 200, b"{}", None)
                await append(connection, replay)
        assert refused.value.sqlstate == "SA001"
        assert await scene.sql("select from ledger.idempotency where key_digest = $1", key) == []
        assert await scene.sql("select from ledger.claim where digest = $1", fresh.digest) == []
        assert await scene.sql("select from ledger.entry where id = $1", replay.entry.id) == []
        assert (await append(connection, second))["status"] == "appended"


async def test_an_entry_with_a_used_id_is_an_error_and_never_swallowed(scene: Scene, known: dict[str, Case]) -> None:
    case = await a_case(scene, known)
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


async def test_a_session_cannot_make_the_append_forgetful(scene: Scene, known: dict[str, Case]) -> None:
    """With synchronous_commit off in the session an entry is flushed all the same; a plain write, the control, is not."""
    case = await a_case(scene, known)
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
