"""The verification algorithms of RFC 9162 against the recursive definitions of RFC 6962, exhaustively."""

import functools
import hashlib

import pytest

from sauma_verify.tree import EMPTY_ROOT, Frontier, consistent, included, leaf_hash, node_hash, perfect_root

LARGEST = 300
HASHES = [hashlib.sha256(b"\x00" + b"%d" % number).digest() for number in range(LARGEST)]


@functools.cache
def root(low: int, high: int) -> bytes:
    """MTH(D[low:high])."""
    if high - low == 1:
        return HASHES[low]
    k = low + (1 << (high - low - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + root(low, k) + root(k, high)).digest()


def inclusion(m: int, low: int, high: int) -> list[bytes]:
    if high - low == 1:
        return []
    k = low + (1 << (high - low - 1).bit_length() - 1)
    return [*inclusion(m, low, k), root(k, high)] if m < k else [*inclusion(m, k, high), root(low, k)]


def subproof(m: int, low: int, high: int, *, whole: bool = True) -> list[bytes]:
    if m == high:
        return [] if whole else [root(low, high)]
    k = low + (1 << (high - low - 1).bit_length() - 1)
    if m <= k:
        return [*subproof(m, low, k, whole=whole), root(k, high)]
    return [*subproof(m, k, high, whole=False), root(low, k)]


def test_every_index_of_every_size_is_included_there_and_nowhere_else() -> None:
    for size in range(1, LARGEST + 1):
        head = root(0, size)
        for index in range(size):
            path = inclusion(index, 0, size)
            assert included(HASHES[index], index=index, size=size, path=path, root=head)
            assert not included(HASHES[index], index=index ^ 1, size=size, path=path, root=head) or size == 1
            assert not included(HASHES[index], index=index, size=size, path=[*path, head], root=head)
            assert not path or not included(HASHES[index], index=index, size=size, path=path[:-1], root=head)


def test_every_pair_of_sizes_is_consistent_in_that_order_only() -> None:
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            path = subproof(first, 0, second)
            one, other = (first, root(0, first)), (second, root(0, second))
            assert consistent(first=one, second=other, path=path)
            if first < second:
                assert not consistent(first=other, second=one, path=path)
                assert not consistent(first=(first, root(1, 2)), second=other, path=path)
                assert not consistent(first=one, second=(second, HASHES[0]), path=path)
                assert not consistent(first=one, second=other, path=path[:-1])
            assert not consistent(first=one, second=other, path=[*path, HASHES[0]])


CONSISTENT = {
    "two empty trees": ((0, EMPTY_ROOT), (0, EMPTY_ROOT), [], True),
    "an empty tree before any other": ((0, EMPTY_ROOT), (3, root(0, 3)), [], True),
    "an empty tree with another root": ((0, HASHES[0]), (3, root(0, 3)), [], False),
    "an empty tree with a proof": ((0, EMPTY_ROOT), (3, root(0, 3)), [HASHES[0]], False),
    "one size with two roots": ((3, root(0, 3)), (3, HASHES[0]), [], False),
    "a size below nothing": ((-1, root(0, 3)), (3, root(0, 3)), [HASHES[0]], False),
}


@pytest.mark.parametrize("said", CONSISTENT)
def test_at_the_edges(said: str) -> None:
    first, second, path, expected = CONSISTENT[said]
    assert consistent(first=first, second=second, path=path) is expected


def test_an_index_outside_the_tree_is_not_in_it() -> None:
    assert not included(HASHES[0], index=1, size=1, path=[], root=HASHES[0])
    assert not included(HASHES[0], index=-1, size=1, path=[], root=HASHES[0])
    assert not included(HASHES[0], index=0, size=0, path=[], root=HASHES[0])


def test_a_size_may_not_be_said_larger_than_the_tree_that_was_signed() -> None:
    """The hashes alone would fit: it is the count of levels that tells (attack 42)."""
    assert not included(HASHES[0], index=0, size=4, path=[HASHES[1]], root=root(0, 2))
    small, large = (2, root(0, 2)), (8, root(0, 4))
    assert not consistent(first=small, second=large, path=[root(2, 4)])
    assert consistent(first=small, second=(4, root(0, 4)), path=[root(2, 4)])


def test_the_frontier_gives_the_root_of_every_size() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for size in range(1, LARGEST + 1):
        frontier.push(HASHES[size - 1])
        assert frontier.root() == root(0, size)
        assert Frontier().with_leaves(HASHES[:size]).root() == root(0, size)


def test_hashes_of_the_standard() -> None:
    """The vectors of the reference implementation of RFC 6962."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert perfect_root([leaf_hash(b""), leaf_hash(b"\x00")]).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )
    assert node_hash(leaf_hash(b""), leaf_hash(b"\x00")) == perfect_root([leaf_hash(b""), leaf_hash(b"\x00")])
