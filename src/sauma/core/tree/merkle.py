"""The Merkle tree of RFC 6962 over leaf hashes, kept as tlog-tiles keep it: 256 hashes to a tile, tiles over tiles.

A tile of level L holds the roots of 256 whole subtrees of 256**L leaves each. What of a level fills no tile yet is the
*edge*; a partial tile of any older size is a prefix of what stands today, so nothing is kept twice. Proofs follow the
recursive definitions of RFC 6962 section 2.1; whoever verifies uses the algorithms of RFC 9162: two derivations.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

TILE_WIDTH = 256
TILE_HEIGHT = 8
HASH_LENGTH = 32
TILE_LENGTH = TILE_WIDTH * HASH_LENGTH
EMPTY_ROOT = hashlib.sha256(b"").digest()

Place: TypeAlias = tuple[int, int]
"""Level and index of a tile."""

Tiles: TypeAlias = Mapping[Place, bytes]
"""Tiles by their place: hashes one after another, at least as many as are asked for."""

Span: TypeAlias = tuple[int, int]
"""The leaves of one subtree: first, and one past the last."""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A full tile: 8,192 bytes that never change."""

    level: int
    index: int
    hashes: bytes


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A tree of `size` leaves by its edge: for each level the hashes that fill no tile yet, the lowest level first."""

    size: int = 0
    edge: tuple[bytes, ...] = (b"",)

    def edge_index(self, level: int) -> int:
        """The index of the tile that this level's edge is a part of."""
        return self.size >> (TILE_HEIGHT * (level + 1))


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A tree with more leaves, and the tiles that have become full."""

    tree: Tree
    tiles: tuple[Tile, ...]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and the two children (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(tree: Tree, leaves: Iterable[bytes]) -> Growth:
    """The tree with these leaf hashes at its end."""
    new, size, tiles = tuple(leaves), tree.size, list[Tile]()
    edge, level, rising = list[bytes](), 0, b"".join(new)
    while level < len(tree.edge) or rising:
        hashes = (tree.edge[level] if level < len(tree.edge) else b"") + rising
        first, full = tree.edge_index(level), len(hashes) // TILE_LENGTH
        fresh = [
            Tile(level=level, index=first + at, hashes=hashes[at * TILE_LENGTH : (at + 1) * TILE_LENGTH])
            for at in range(full)
        ]
        tiles += fresh
        edge.append(hashes[full * TILE_LENGTH :])
        rising = b"".join(_perfect(split(tile.hashes)) for tile in fresh)
        level += 1
    return Growth(tree=Tree(size=size + len(new), edge=tuple(edge)), tiles=tuple(tiles))


def root_of(tree: Tree) -> bytes:
    """The root hash by the edge alone; of no leaves SHA-256 of nothing."""
    root: bytes | None = None
    for hashes in tree.edge:
        nodes = split(hashes)
        while nodes:
            width = len(nodes) & -len(nodes)  # the rightmost whole subtree of this level
            subtree = _perfect(nodes[-width:])
            root = subtree if root is None else node_hash(subtree, root)
            nodes = nodes[:-width]
    return EMPTY_ROOT if root is None else root


def split(hashes: bytes) -> tuple[bytes, ...]:
    """The hashes of a tile one by one."""
    return tuple(hashes[at : at + HASH_LENGTH] for at in range(0, len(hashes), HASH_LENGTH))


def widths(size: int) -> tuple[tuple[int, int], ...]:
    """For each level that a tree of this size has: its full tiles, and how many hashes the partial one holds."""
    found, hashes = list[tuple[int, int]](), size
    while hashes:
        found.append((hashes // TILE_WIDTH, hashes % TILE_WIDTH))
        hashes //= TILE_WIDTH
    return tuple(found)


def inclusion_spans(index: int, size: int) -> tuple[Span, ...]:
    """The subtrees of an inclusion proof, the lowest first: PATH(index, D[size]) of RFC 6962 section 2.1.1.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        message = "no such leaf in a tree of this size"
        raise ValueError(message)
    return _path(index, 0, size)


def consistency_spans(old: int, new: int) -> tuple[Span, ...]:
    """The subtrees of a consistency proof, in order: PROOF(old, D[new]) of RFC 6962 section 2.1.2; none where equal.

    Raises:
        ValueError: no leaf in the old tree, or fewer in the new one.
    """
    if not 0 < old <= new:
        message = "no tree of the one size grows into one of the other"
        raise ValueError(message)
    return _subproof(old, 0, new, whole=True)


def tiles_needed(spans: Iterable[Span]) -> frozenset[Place]:
    """The tiles that the hashes of these subtrees stand in; `(0, size)` is the root's."""
    return frozenset(_place(node) for span in spans for node in _whole(*span))


def span_hash(tiles: Tiles, span: Span) -> bytes:
    """MTH of the span's leaves (RFC 6962 section 2.1).

    Raises:
        KeyError: a tile is not there, or holds fewer hashes than the span needs.
    """
    start, end = span
    if start == end:
        return EMPTY_ROOT
    nodes = [_node(tiles, node) for node in _whole(start, end)]
    root = nodes.pop()
    while nodes:
        root = node_hash(nodes.pop(), root)
    return root


def inclusion_proof(tiles: Tiles, *, index: int, size: int) -> tuple[bytes, ...]:
    """The hashes that lead from a leaf to the root of a tree of `size`, which may be older than the tiles.

    Raises:
        ValueError: the tree has no such leaf.
        KeyError: as `span_hash`.
    """
    return tuple(span_hash(tiles, span) for span in inclusion_spans(index, size))


def consistency_proof(tiles: Tiles, *, old: int, new: int) -> tuple[bytes, ...]:
    """The hashes that show a tree of `new` leaves to begin with the one of `old`.

    Raises:
        ValueError: no leaf in the old tree, or fewer in the new one.
        KeyError: as `span_hash`.
    """
    return tuple(span_hash(tiles, span) for span in consistency_spans(old, new))


def extends(proof: Sequence[bytes], *, old: tuple[int, bytes], new: tuple[int, bytes]) -> bool:
    """Whether the proof shows the new head to extend the old one; each is size and root (RFC 9162 section 2.1.4.2)."""
    (size, root), (new_size, new_root) = old, new
    if size in {0, new_size}:
        return not proof and (size == 0 or root == new_root)
    path = list(proof) if size & (size - 1) else [root, *proof]
    if size > new_size or not path:
        return False
    at, last = size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    former = latter = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            former, latter = node_hash(step, former), node_hash(step, latter)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            latter = node_hash(latter, step)
        at, last = at >> 1, last >> 1
    return last == 0 and former == root and latter == new_root


_Node: TypeAlias = tuple[int, int]
"""A whole subtree: the height of its root, and its place among those of that height."""


def _path(index: int, start: int, end: int) -> tuple[Span, ...]:
    if end - start == 1:
        return ()
    middle = start + _left(end - start)
    if index < middle:
        return (*_path(index, start, middle), (middle, end))
    return (*_path(index, middle, end), (start, middle))


def _subproof(old: int, start: int, end: int, *, whole: bool) -> tuple[Span, ...]:
    if old == end:
        return () if whole else ((start, end),)
    middle = start + _left(end - start)
    if old <= middle:
        return (*_subproof(old, start, middle, whole=whole), (middle, end))
    return (*_subproof(old, middle, end, whole=False), (start, middle))


def _left(count: int) -> int:
    """The largest power of two below the count."""
    return 1 << ((count - 1).bit_length() - 1)


def _whole(start: int, end: int) -> tuple[_Node, ...]:
    """The whole subtrees a span falls into, from the left; a span begins where its first one may."""
    found = list[_Node]()
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return tuple(found)


def _place(node: _Node) -> Place:
    height, index = node
    level, above = divmod(height, TILE_HEIGHT)
    return level, (index << above) // TILE_WIDTH


def _node(tiles: Tiles, node: _Node) -> bytes:
    height, index = node
    above, place = height % TILE_HEIGHT, _place(node)
    first = (index << above) % TILE_WIDTH * HASH_LENGTH
    hashes = tiles[place][first : first + (HASH_LENGTH << above)]
    if len(hashes) != HASH_LENGTH << above:
        raise KeyError(place)
    return _perfect(split(hashes))


def _perfect(nodes: Sequence[bytes]) -> bytes:
    """The root over a power of two of nodes."""
    while len(nodes) > 1:
        nodes = [node_hash(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
    return nodes[0]
