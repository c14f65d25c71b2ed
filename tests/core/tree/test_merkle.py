"""The tree in tiles is the tree of RFC 6962, whatever the sizes it grew by."""

import hashlib

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tree.recursive import Definition, leads_to
from sauma.core.tree.merkle import (
    EMPTY_ROOT,
    TILE_LENGTH,
    Tree,
    consistency_proof,
    consistency_spans,
    extends,
    grow,
    inclusion_proof,
    inclusion_spans,
    root_of,
    span_hash,
    split,
    tiles_needed,
    widths,
)

GOLDEN = 70_000


def leaves(count: int) -> tuple[bytes, ...]:
    return tuple(hashlib.sha256(b"\x00leaf %d" % n).digest() for n in range(count))


def standing(tree: Tree, tiles: dict[tuple[int, int], bytes]) -> dict[tuple[int, int], bytes]:
    """Full tiles and the edge, as the database hands them out."""
    return tiles | {(n, tree.edge_index(n)): hashes for n, hashes in enumerate(tree.edge) if hashes}


def grown(hashes: tuple[bytes, ...], *steps: int) -> tuple[Tree, dict[tuple[int, int], bytes]]:
    """The tree of these leaves, grown by so many at a time, and its full tiles."""
    tree, tiles, at = Tree(), dict[tuple[int, int], bytes](), 0
    for step in (*steps, len(hashes)):
        growth = grow(tree, hashes[at : at + step])
        tree, at = growth.tree, at + step
        tiles |= {(tile.level, tile.index): tile.hashes for tile in growth.tiles}
    return tree, tiles


@pytest.fixture(scope="module")
def golden() -> tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]]:
    hashes = leaves(GOLDEN)
    return (hashes, *grown(hashes))


def test_the_golden_log_has_the_shape_of_the_specification(
    golden: tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]],
) -> None:
    """C2SP tlog-tiles: 273 full tiles and a partial of 112, 1 full and a partial of 17, a partial of 1."""
    _, tree, tiles = golden
    full = [sum(level == n for level, _ in tiles) for n in range(3)]
    assert full == [273, 1, 0]
    assert [len(hashes) // 32 for hashes in tree.edge] == [112, 17, 1]
    assert widths(GOLDEN) == ((273, 112), (1, 17), (0, 1))
    assert {len(hashes) for hashes in tiles.values()} == {TILE_LENGTH}


def test_the_golden_logs_tiles_are_byte_for_byte_those_of_the_definition(
    golden: tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]],
) -> None:
    hashes, tree, tiles = golden
    expected = dict[tuple[int, int], bytes]()
    row, level = hashes, 0
    while row:
        for index in range(0, len(row), 256):
            expected[level, index // 256] = b"".join(row[index : index + 256])
        row = tuple(Definition(row[at : at + 256]).mth(256) for at in range(0, len(row) - 255, 256))
        level += 1
    assert standing(tree, tiles) == expected
    assert root_of(tree) == Definition(hashes).mth(GOLDEN) == span_hash(standing(tree, tiles), (0, GOLDEN))


def test_the_golden_logs_root_is_what_it_always_was(
    golden: tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]],
) -> None:
    assert root_of(golden[1]).hex() == "da0532ff7b2ee56f4067110fc964e9f27b5959f9527bfff3fa501aa7584deaf3"


@pytest.mark.parametrize("index", [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999])
def test_a_proof_in_the_golden_log_is_that_of_the_definition(
    index: int, golden: tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]]
) -> None:
    hashes, tree, tiles = golden
    found = inclusion_proof(standing(tree, tiles), index=index, size=GOLDEN)
    assert list(found) == Definition(hashes).path(index, GOLDEN)
    assert leads_to(found, leaf=hashes[index], index=index, size=GOLDEN) == root_of(tree)


@pytest.mark.parametrize("hundred", range(3))
def test_every_proof_up_to_300_leaves_is_that_of_the_definition(hundred: int) -> None:
    """Every inclusion, every pair of sizes: from the tiles of the largest, as they stand when it has grown on."""
    hashes = leaves(300)
    defined, stands = Definition(hashes), standing(*grown(hashes))
    for size in range(hundred * 100 + 1, hundred * 100 + 101):
        root = defined.mth(size)
        assert span_hash(stands, (0, size)) == root
        for index in range(size):
            found = inclusion_proof(stands, index=index, size=size)
            assert list(found) == defined.path(index, size)
            assert leads_to(found, leaf=hashes[index], index=index, size=size) == root
        for old in range(1, size + 1):
            shown = consistency_proof(stands, old=old, new=size)
            assert list(shown) == defined.proof(old, size)
            assert extends(shown, old=(old, defined.mth(old)), new=(size, root))


def test_one_leaf_at_a_time_gives_the_roots_of_the_definition() -> None:
    tree, hashes = Tree(), leaves(300)
    defined = Definition(hashes)
    assert root_of(tree) == EMPTY_ROOT == defined.mth(0)
    for size in range(300):
        tree = grow(tree, hashes[size : size + 1]).tree
        assert root_of(tree) == defined.mth(size + 1)


@given(st.lists(st.integers(min_value=0, max_value=700), max_size=6))
def test_in_whatever_steps_it_grows_the_tiles_are_the_same(steps: list[int]) -> None:
    hashes = leaves(1_500)
    assert grown(hashes, *steps) == grown(hashes)


@given(size=st.integers(min_value=1, max_value=GOLDEN), data=st.data())
def test_the_tiles_named_are_enough(
    size: int, data: st.DataObject, golden: tuple[tuple[bytes, ...], Tree, dict[tuple[int, int], bytes]]
) -> None:
    hashes, tree, tiles = golden
    index, old = (data.draw(st.integers(min_value=low, max_value=size - 1 + low)) for low in (0, 1))
    spans = [*inclusion_spans(index, size), *consistency_spans(old, size), (0, size)]
    named = {place: standing(tree, tiles)[place] for place in tiles_needed(spans)}
    root = span_hash(named, (0, size))
    assert leads_to(inclusion_proof(named, index=index, size=size), leaf=hashes[index], index=index, size=size) == root
    assert extends(
        consistency_proof(named, old=old, new=size),
        old=(old, span_hash(standing(tree, tiles), (0, old))),
        new=(size, root),
    )


NOT_CONSISTENT = {
    "another old root": lambda shown, old, new: (shown, (old[0], bytes(32)), new),
    "another new root": lambda shown, old, new: (shown, old, (new[0], bytes(32))),
    "another old size": lambda shown, old, new: (shown, (old[0] + 1, old[1]), new),
    "another new size": lambda shown, old, new: (shown, old, (new[0] * 2 + 1, new[1])),
    "the sizes exchanged": lambda shown, old, new: (shown, new, old),
    "one hash fewer": lambda shown, old, new: (shown[:-1], old, new),
    "one hash more": lambda shown, old, new: ((*shown, bytes(32)), old, new),
    "hashes in another order": lambda shown, old, new: (tuple(reversed(shown)), old, new),
    "no proof": lambda _, old, new: ((), old, new),
    "a proof for equal sizes": lambda shown, old, _: (shown, old, old),
}


@pytest.mark.parametrize("name", NOT_CONSISTENT)
@pytest.mark.parametrize("sizes", [(6, 11), (7, 13), (100, 300)], ids=str)
def test_what_does_not_extend_is_refused(name: str, sizes: tuple[int, int]) -> None:
    hashes = leaves(300)
    stands = standing(*grown(hashes))
    old, new = ((size, Definition(hashes).mth(size)) for size in sizes)
    shown = consistency_proof(stands, old=old[0], new=new[0])
    proof_hashes, former, latter = NOT_CONSISTENT[name](shown, old, new)
    assert extends(shown, old=old, new=new)
    assert not extends(proof_hashes, old=former, new=latter)


def test_a_leaf_or_a_size_that_is_not_there_has_no_proof() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="no such leaf"):
            inclusion_spans(index, size)
    for old, new in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="grows into"):
            consistency_spans(old, new)


def test_a_tile_too_short_is_not_read_beyond_its_end() -> None:
    with pytest.raises(KeyError):
        span_hash({(0, 0): leaves(1)[0]}, (0, 2))
    with pytest.raises(KeyError):
        span_hash({}, (0, 1))


def test_another_implementation_finds_the_same_root() -> None:
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    for n in range(1_000):
        theirs.append_entry(b"leaf %d" % n)
    assert theirs.get_root() == root_of(grow(Tree(), leaves(1_000)).tree)


def test_a_tile_falls_into_its_hashes() -> None:
    assert split(b"".join(leaves(3))) == leaves(3)
