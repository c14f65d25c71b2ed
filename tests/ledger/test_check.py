"""`sauma ledger check` finds what the database alone can show: rows, leaves, tiles, edge and heads that do not fit."""

import pytest

from ledger.ground import Ground, superuser, write
from sauma.exchange.tree.check import Checked, check
from sauma.store.tree.sequencer import open_tree


async def checked(ground: Ground) -> Checked:
    async with open_tree(ground.dsn) as tree:
        return await check(tree, ground.memory, ground.key)


async def laid(ground: Ground) -> None:
    """600 leaves under heads of 300 and 600, and 5 entries that wait."""
    for count in (300, 300):
        async with superuser(ground.database) as connection:
            await write(connection, count)
        await ground.catch_up()
    async with superuser(ground.database) as connection:
        await write(connection, 5)


async def test_what_is_right_is_sound(ground: Ground) -> None:
    assert await checked(ground) == Checked(size=0, heads=0, waiting=0, faults=())
    await laid(ground)
    assert await checked(ground) == Checked(size=600, heads=2, waiting=5, faults=())


async def test_more_than_a_window_is_read(ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection, 5_100)
    await ground.catch_up()
    assert await checked(ground) == Checked(size=5_100, heads=1, waiting=0, faults=())


OFF = "alter table ledger.{} disable trigger user"
ALTER = "update ledger.entry set leaf = 'another' where id = (select entry from ledger.tree_leaf where seq = 299)"
TAMPERED = {
    "an entry's leaf replaced": (
        {"leaf-altered 299"},
        ALTER,
    ),
    "an entry deleted": (
        {"entry-missing 299"},
        "delete from ledger.entry where id = (select entry from ledger.tree_leaf where seq = 299)",
    ),
    "an entry's leaf and its place's hash replaced": (
        {"head-differs 300", "head-differs 600", "tile-differs 0/1", "edge-differs 600"},
        ALTER,
        "update ledger.tree_leaf set leaf_hash = sha256('\\x00'::bytea || 'another') where seq = 299",
    ),
    "two places exchanged": (
        {"head-differs 300", "head-differs 600", "tile-differs 0/0", "edge-differs 600"},
        "update ledger.tree_leaf set seq = -1 where seq = 10",
        "update ledger.tree_leaf set seq = 10 where seq = 11",
        "update ledger.tree_leaf set seq = 11 where seq = -1",
    ),
    "a place deleted": ({"place-empty 299"}, "delete from ledger.tree_leaf where seq = 299"),
    "a byte of a tile": (
        {"tile-differs 0/1"},
        "update ledger.tile set hashes = set_byte(hashes, 100, 255 - get_byte(hashes, 100)) where index = 1",
    ),
    "a tile deleted": ({"tile-missing 0/1"}, "delete from ledger.tile where index = 1"),
    "a byte of the edge": (
        {"edge-differs 600"},
        "update ledger.edge set hashes = set_byte(hashes, 100, 255 - get_byte(hashes, 100)) where level = 0",
    ),
    "a head's root": (
        {"head-not-signed 300", "head-differs 300"},
        "update ledger.checkpoint set root = sha256('other') where size = 300",
    ),
    "a head's note": (
        {"head-not-signed 300"},
        "update ledger.checkpoint set note = replace(note, 'sauma.test', 'other.test') where size = 300",
    ),
    "the tree cut to an older head": (
        {"tree-smaller-than-kept-head 600", "edge-differs 300"},
        "delete from ledger.tree_leaf where seq >= 300",
        "delete from ledger.checkpoint where size > 300",
        "update ledger.tree set size = 300",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
async def test_what_was_altered_is_found(name: str, ground: Ground) -> None:
    expected, *statements = TAMPERED[name]
    await laid(ground)
    async with superuser(ground.database) as connection:
        for table in ("entry", "tree_leaf", "tile", "edge", "tree", "checkpoint"):
            await connection.execute(OFF.format(table))
        await connection.execute("alter table ledger.tree_leaf drop constraint tree_leaf_seq_check")
        for statement in statements:
            await connection.execute(statement)
    found = {f"{fault.what} {fault.where}" for fault in (await checked(ground)).faults}
    assert found == expected


async def test_another_head_in_memory_is_found(ground: Ground) -> None:
    await laid(ground)
    ground.memory.keep((600, bytes(32)))
    assert [fault.what for fault in (await checked(ground)).faults] == ["kept-head-differs"]
