"""Every committed entry gets one place, and what is published extends what was: on a real PostgreSQL, with faults."""

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from ledger.ground import Ground, hash_of, superuser, write
from sauma.core.errors import StartRefused, Unavailable
from sauma.core.tree.merkle import EMPTY_ROOT, Tree, grow, root_of
from sauma.core.tree.note import Checkpoint
from sauma.exchange.tree import sequence
from sauma.store.tree.sequencer import _BY_INDEX, PostgresTree, open_tree


async def is_whole(ground: Ground) -> None:
    """Every entry has one place, the tiles and the edge are those of the leaves, and the head is signed and kept."""
    entries = {row["id"] for row in await ground.sql("select id from ledger.entry")}
    placed = await ground.placed()
    assert len(placed) == len(set(placed))
    assert set(placed) == entries
    tree = grow(Tree(), [hash_of(entry) for entry in placed])
    tiles = {(r["level"], r["index"]): r["hashes"] for r in await ground.sql("select * from ledger.tile")}
    assert tiles == {(tile.level, tile.index): tile.hashes for tile in tree.tiles}
    edge = {r["level"]: (r["index"], r["hashes"]) for r in await ground.sql("select * from ledger.edge")}
    assert edge == {n: (tree.tree.edge_index(n), hashes) for n, hashes in enumerate(tree.tree.edge)}
    head = (len(placed), root_of(tree.tree))
    newest = (await ground.sql("select * from ledger.checkpoint order by size desc limit 1"))[0]
    assert ground.memory.read() == head == (newest["size"], newest["root"])
    assert ground.key.signed(newest["note"]) == Checkpoint(origin=ground.key.origin, size=head[0], root=head[1])


async def test_an_empty_ledger_has_no_head(ground: Ground) -> None:
    async with ground.sequencer() as sequencer:
        assert await sequencer.integrate() == 0
        assert await sequencer.publish() is None
    assert ground.memory.read() is None
    assert root_of(Tree()) == EMPTY_ROOT


async def test_entries_get_their_places_in_tiles_and_the_head_is_published(ground: Ground) -> None:
    for count in (1, 255, 1, 600):
        await ground.sql("select 1")
        async with superuser(ground.database) as connection:
            await write(connection, count)
        await ground.catch_up()
        await is_whole(ground)
    heads = await ground.sql("select size from ledger.checkpoint order by size")
    assert [row["size"] for row in heads] == [1, 256, 257, 857]


async def test_nothing_new_is_nothing_published(ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection)
    await ground.catch_up()
    async with ground.sequencer() as sequencer:
        assert await sequencer.integrate() == 0
        assert await sequencer.publish() is None


async def test_a_backlog_larger_than_a_window_is_taken_whole(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "CAP", 7)
    async with superuser(ground.database) as connection:
        for count in (5, 5, 5, 9, 1):
            await write(connection, count)
    async with ground.sequencer() as sequencer:
        assert [await sequencer.integrate() for _ in range(5)] == [7, 7, 7, 4, 0]
        async with superuser(ground.database) as connection:
            for count in (9, 2, 6):
                await write(connection, count)
        assert [await sequencer.integrate() for _ in range(4)] == [7, 7, 3, 0]
        await sequencer.publish()
    await is_whole(ground)


async def test_a_transaction_that_commits_behind_later_ones_is_not_lost(ground: Ground) -> None:
    async with superuser(ground.database) as slow, superuser(ground.database) as quick, ground.sequencer() as sequencer:
        await slow.execute("begin")
        late = await write(slow)
        for _ in range(3):
            await write(quick)
        assert await sequencer.integrate() == 3
        assert await sequencer.integrate() == 0
        await write(quick)
        assert await sequencer.integrate() == 1
        await slow.execute("commit")
        assert await sequencer.integrate() == 1
        assert (await ground.placed())[-1:] == late
        await sequencer.publish()
    await is_whole(ground)


async def test_what_is_rolled_back_gets_no_place(ground: Ground) -> None:
    async with (
        superuser(ground.database) as undone,
        superuser(ground.database) as kept,
        ground.sequencer() as sequencer,
    ):
        await undone.execute("begin")
        await write(undone, 3)
        await write(kept)
        assert await sequencer.integrate() == 1
        await undone.execute("rollback")
        await write(kept)
        assert await sequencer.integrate() == 1
        await sequencer.publish()
    await is_whole(ground)


WRITERS, TURNS = 8, 30


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_eight_writers_in_any_order_of_commit_lose_nothing(seed: int, ground: Ground) -> None:
    """Each turn writes, waits for a turn of chance, and commits, rolls back, or rolls back to a savepoint."""
    chance = random.Random(seed)  # noqa: S311  # the order of commits, repeatable
    acknowledged, done = list[uuid.UUID](), asyncio.Event()

    async def writer(draw: random.Random) -> None:
        async with superuser(ground.database) as connection:
            for _ in range(TURNS):
                await connection.execute("begin")
                ids = await write(connection, draw.randint(1, 3))
                await asyncio.sleep(draw.choice([0, 0, 0.001, 0.01, 0.03]))
                if draw.random() < 0.1:
                    await connection.execute("savepoint here")
                    await write(connection)
                    await connection.execute("rollback to here")
                ended = "rollback" if draw.random() < 0.1 else "commit"
                await connection.execute(ended)
                if ended == "commit":
                    acknowledged.extend(ids)

    async def sequence_until_done() -> None:
        async with ground.sequencer() as sequencer:
            while not done.is_set():
                await sequencer.integrate()
                await asyncio.sleep(0)
            while await sequencer.integrate():
                pass
            await sequencer.publish()

    leader = asyncio.create_task(sequence_until_done())
    draws = [random.Random(chance.random()) for _ in range(WRITERS)]  # noqa: S311  # the order of commits, repeatable
    await asyncio.gather(*(writer(draw) for draw in draws))
    done.set()
    await leader
    assert set(await ground.placed()) == set(acknowledged)
    await is_whole(ground)


async def test_two_at_once_do_no_harm(ground: Ground) -> None:
    """Without the lock that lets one lead: the second is told that the tree has grown, and begins anew."""
    async with superuser(ground.database) as connection, ground.sequencer() as one, ground.sequencer() as two:
        await write(connection, 3)
        assert await one.integrate() == 3
        await write(connection, 2)
        with pytest.raises(Unavailable):
            await two.integrate()
        await two.begin()
        assert await two.integrate() == 2
        await two.publish()
        await one.begin()
        assert await one.publish() is None
    await is_whole(ground)


async def test_two_that_race_give_each_entry_one_place(ground: Ground) -> None:
    async def work() -> None:
        async with ground.sequencer() as sequencer:
            for _ in range(40):
                try:
                    await sequencer.integrate()
                    await sequencer.publish()
                except Unavailable:
                    await sequencer.begin()

    async def writing() -> None:
        async with superuser(ground.database) as connection:
            for _ in range(40):
                await write(connection)

    await asyncio.gather(work(), work(), writing())
    await ground.catch_up()
    await is_whole(ground)


async def test_one_leads_and_the_next_only_when_it_has_gone(ground: Ground) -> None:
    async with open_tree(ground.dsn) as first:
        assert await first.lead()
        async with open_tree(ground.dsn) as second:
            assert not await second.lead()
    async with open_tree(ground.dsn) as third:
        while not await third.lead():  # noqa: ASYNC110  # PostgreSQL takes a moment to notice that the first has gone
            await asyncio.sleep(0.01)


class Broken(Exception):  # noqa: N818  # a fault of the test's own
    """What a killed process would not see."""


class Failing:
    """Stands before the database and fails the n-th call, before it or after its commit."""

    def __init__(self, tree: PostgresTree, fails: int, *, after: bool) -> None:
        self._tree, self._left, self._after = tree, fails, after
        self.failed = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._tree, name)

        async def failing(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                self.failed = True
                raise Broken
            done = await call(*arguments)
            if self._left == 0:
                self.failed = True
                raise Broken
            return done

        return failing


@pytest.mark.parametrize("after", [False, True], ids=["before the statement", "after its commit"])
async def test_killed_at_each_statement_it_goes_on_and_nothing_is_lost(after: bool, ground: Ground) -> None:  # noqa: FBT001  # a parameter of the test
    """Each statement fails once, as if the process had died there: the next one finds all in order."""
    broken = 0
    for fails in range(1, 30):
        async with superuser(ground.database) as connection:
            await write(connection, 90)
        made = list[Failing]()

        def around(tree: PostgresTree, fails: int = fails, made: list[Failing] = made) -> Any:
            made.append(Failing(tree, fails, after=after))
            return made[0]

        try:
            async with ground.sequencer(around) as sequencer:
                while await sequencer.integrate():
                    pass
                await sequencer.publish()
        except Broken:
            broken += 1
        await ground.catch_up()
        await is_whole(ground)
        if not made[0].failed:
            break
    assert broken >= 8
    assert not made[0].failed


class ForgetfulMemory:
    """A memory whose process dies at its n-th write: before it, or after."""

    def __init__(self, memory: Any, *, after: bool) -> None:
        self._memory, self._after = memory, after

    def read(self) -> tuple[int, bytes] | None:
        return self._memory.read()

    def keep(self, head: tuple[int, bytes]) -> None:
        if self._after:
            self._memory.keep(head)
        raise Broken


@pytest.mark.parametrize("after", [False, True], ids=["before the head is kept", "between head and publication"])
async def test_killed_around_the_memory_it_goes_on(after: bool, ground: Ground) -> None:  # noqa: FBT001  # a parameter of the test
    for count in (3, 300):
        async with superuser(ground.database) as connection:
            await write(connection, count)
        async with open_tree(ground.dsn) as tree:
            made = sequence.Sequencer(tree, ForgetfulMemory(ground.memory, after=after), ground.key)
            await made.begin()
            await made.integrate()
            with pytest.raises(Broken):
                await made.publish()
        await ground.catch_up()
        await is_whole(ground)


async def as_before(ground: Ground, *statements: str) -> None:
    """What a superuser does who has taken the triggers away."""
    async with superuser(ground.database) as connection:
        for table in ("tree_leaf", "tile", "edge", "tree", "checkpoint"):
            await connection.execute(f"alter table ledger.{table} disable trigger user")
        for statement in statements:
            await connection.execute(statement)


TAKEN_BACK = {
    "an old backup: a smaller tree": (
        "the tree is smaller",
        "delete from ledger.tree_leaf where seq >= 300",
        "delete from ledger.edge where level = 0",
        "insert into ledger.edge select 0, 1, substring((select hashes from before where level = 0) from 1 for 44 * 32)",
        "update ledger.tree set size = 300",
        "delete from ledger.checkpoint where size > 300",
    ),
    "an old backup without any head": (
        "the tree is smaller",
        "delete from ledger.checkpoint",
        "update ledger.tree set size = 300",
    ),
    "a leaf's hash in the edge": (
        "does not begin",
        "update ledger.edge set hashes = overlay(hashes placing '\\x00000000'::bytea from 1) where level = 0",
    ),
    "a hash in a full tile, and the root above it left": (
        "does not begin",
        "update ledger.edge set hashes = overlay(hashes placing '\\x00000000'::bytea from 1) where level = 1",
    ),
    "a tile that is gone": (
        "a tile of the tree is missing",
        "delete from ledger.edge where level = 1",
        "update ledger.tree set size = 600",
    ),
    "a head signed with another key": (
        "not one this log key signed",
        "update ledger.checkpoint set note = replace(note, 'A', 'B') where size = 600",
    ),
    "a head of another root": (
        "not one this log key signed",
        "update ledger.checkpoint set root = sha256('other') where size = 600",
    ),
}


@pytest.mark.parametrize("name", TAKEN_BACK)
async def test_a_tree_that_was_taken_back_is_not_published(name: str, ground: Ground) -> None:
    said, *statements = TAKEN_BACK[name]
    for count in (300, 300):
        async with superuser(ground.database) as connection:
            await write(connection, count)
        await ground.catch_up()
    await ground.sql("create table before as select * from ledger.edge")
    await as_before(ground, *statements)
    heads = await ground.sql("select * from ledger.checkpoint")
    async with superuser(ground.database) as connection:
        await write(connection, 700)
    with pytest.raises(StartRefused, match=said) as refused:
        await ground.catch_up()
    assert refused.value.exit_code == 1
    assert await ground.sql("select * from ledger.checkpoint") == heads
    kept = ground.memory.read()
    assert kept is not None
    assert kept[0] == 600


async def test_a_tree_altered_while_it_runs_is_not_published(ground: Ground) -> None:
    async with superuser(ground.database) as connection, ground.sequencer() as sequencer:
        await write(connection, 300)
        await sequencer.integrate()
        await sequencer.publish()
        await as_before(ground, "update ledger.edge set hashes = overlay(hashes placing '\\x00'::bytea from 1)")
        sequencer._published = 0  # as if it had grown
        with pytest.raises(StartRefused, match="does not begin"):
            await sequencer.publish()
    assert len(await ground.sql("select from ledger.checkpoint")) == 1


async def test_a_lost_memory_is_taken_from_the_signed_head(ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection, 300)
    await ground.catch_up()
    ground.head_path.unlink()
    async with ground.sequencer():
        pass
    assert json.loads(ground.head_path.read_bytes())["size"] == 300
    await is_whole(ground)


@pytest.mark.parametrize("epoch", ["xids of long before", "xids far ahead"])
async def test_entries_of_another_count_of_transactions_get_their_places(epoch: str, ground: Ground) -> None:
    """A dump restored into a new server: the rows' transaction ids are another server's, and the count begins anew."""
    async with superuser(ground.database) as connection:
        await write(connection, 20)
        await ground.catch_up()
        other = "'3'::xid8" if epoch == "xids of long before" else "'900000000000'::xid8"
        before = await write(connection, 15)
        await connection.execute("alter table ledger.entry disable trigger user")
        await connection.execute(f"update ledger.entry set xid = {other} where id = any ($1)", before)  # noqa: S608  # the test's own
    async with superuser(ground.database) as connection, ground.sequencer() as sequencer:
        assert await sequencer.integrate() == 15
        await write(connection, 4)
        assert await sequencer.integrate() == 4
        assert await sequencer.integrate() == 0
        await sequencer.publish()
    await is_whole(ground)


FORGED = {
    "an entry that is not there": lambda entry, at, leaf: (uuid.uuid4(), at, leaf),
    "another hash than the entry's": lambda entry, at, leaf: (entry, at, bytes(32)),
}


@pytest.mark.parametrize("name", FORGED)
async def test_the_sequencers_role_cannot_invent_a_leaf(name: str, ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection)
    row = (await ground.sql("select id, recorded_at, leaf_hash from ledger.entry"))[0]
    entry, at, leaf = FORGED[name](*row)
    async with open_tree(ground.dsn) as tree:
        forged = sequence.Unplaced(xid=1, entry=entry, recorded_at=at, leaf_hash=leaf)
        with pytest.raises(StartRefused, match="SA005"):
            await tree.integrate(0, (forged,), grow(Tree(), [leaf]))
    assert await ground.placed() == []


UNTOUCHABLE = {"tree_leaf": "leaf_hash", "tile": "hashes", "checkpoint": "root"}
UNTOUCHED = ("update ledger.{0} set {1} = {1}", "delete from ledger.{0}", "truncate ledger.{0}")


@pytest.mark.parametrize("table", UNTOUCHABLE)
async def test_what_stands_in_the_tree_is_not_changed_even_by_the_owner(table: str, ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection, 300)
        await ground.catch_up()
    for role, setting in (("sauma_owner", "select 1"), ("postgres", "set session_replication_role = replica")):
        async with superuser(ground.database) as connection:
            await connection.execute(f"{setting}; set role {role}")
            for statement in UNTOUCHED:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
                    await connection.execute(statement.format(table, UNTOUCHABLE[table]))


async def test_places_are_found_by_index_and_not_by_reading_the_ledger(ground: Ground) -> None:
    """50 times a second over millions of rows: the plan may read neither table whole."""
    async with superuser(ground.database) as connection:
        await write(connection, 500)
    await ground.catch_up()
    async with superuser(ground.database) as connection:
        for setting, value in _BY_INDEX.items():
            await connection.execute(f"set {setting} = {value}")
        plan = await connection.fetch(
            "explain select e.xid from ledger.entry e where e.xid >= '5'::xid8"
            " and not exists (select from ledger.tree_leaf t where t.entry = e.id) order by e.xid, e.id limit 5000"
        )
    said = "\n".join(row[0] for row in plan)
    assert "Seq Scan" not in said
    assert "Gather" not in said
