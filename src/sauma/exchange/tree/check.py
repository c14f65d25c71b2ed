"""Check: the whole ledger read anew, and everything the tree says of it held against it; changes nothing.

Sound means: every place has its entry, every leaf is what was hashed, every tile, the edge and every published head
are those of the leaves, and the head kept outside the database is one of theirs. It is what the operator can check
alone: who suspects the operator holds older heads against it, with `sauma-verify`.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from sauma.core.tree.merkle import Growth, Place, Tree, grow, root_of
from sauma.core.tree.note import Checkpoint
from sauma.exchange.tree.sequence import CAP, CheckpointSigner, Head, HeadMemory, Window

_SHOWN = 100
_HEADS = 1_000


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A place: what the tree says of it, and the entry as it stands; None where there is none."""

    seq: int
    entry: uuid.UUID
    leaf_hash: bytes
    leaf: bytes | None
    entry_hash: bytes | None


class CheckStore(Protocol):
    """What a check reads."""

    async def tree(self) -> Tree:
        """The tree as it stands."""
        ...

    async def leaves(self, seq: int, cap: int) -> Sequence[Placed]:
        """Places from one on."""
        ...

    async def tiles(self, places: frozenset[Place]) -> Mapping[Place, bytes]:
        """Tiles, full or as wide as they are."""
        ...

    async def checkpoints(self, size: int, cap: int) -> Sequence[tuple[Head, str]]:
        """Published heads from a size on, the smallest first."""
        ...

    async def without_place(self, low: int, cap: int) -> Window:
        """Entries that have no place yet."""
        ...


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it must be, and where: a place, a tile as `level/index`, or a size."""

    what: str
    where: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: sound where there is no fault. `waiting` entries have no place yet, at most a window's."""

    size: int
    heads: int
    waiting: int
    faults: tuple[Fault, ...]


async def check(store: CheckStore, memory: HeadMemory, signer: CheckpointSigner) -> Checked:
    """Read everything once, in the order of places; at most 100 faults are told."""
    walk = _Walk(stood=await store.tree(), kept=memory.read(), signer=signer)
    walk.expect(await _heads(store))
    while walk.tree.size < walk.stood.size and not walk.stopped:
        leaves = await store.leaves(walk.tree.size, min(CAP, walk.stood.size - walk.tree.size))
        for growth in walk.take(leaves):
            held = await store.tiles(frozenset((tile.level, tile.index) for tile in growth.tiles))
            walk.compare(growth, held)
    walk.end()
    waiting = await store.without_place(0, CAP)
    return Checked(
        size=walk.stood.size, heads=walk.heads, waiting=len(waiting.entries), faults=tuple(walk.faults[:_SHOWN])
    )


async def _heads(store: CheckStore) -> list[tuple[Head, str]]:
    found, after = list[tuple[Head, str]](), 0
    while page := await store.checkpoints(after, _HEADS):
        found += page
        after = page[-1][0][0] + 1
    return found


class _Walk:
    """The tree built anew beside the one that stands; what differs is noted."""

    def __init__(self, *, stood: Tree, kept: Head | None, signer: CheckpointSigner) -> None:
        self.stood = stood
        self.tree = Tree()
        self.faults: list[Fault] = []
        self.stopped = False
        self.heads = 0
        self._kept = kept
        self._signer = signer
        self._roots: dict[int, bytes] = {}

    def expect(self, published: Sequence[tuple[Head, str]]) -> None:
        """The heads that must come true, and whether each is signed as it stands."""
        self.heads = len(published)
        for (size, root), note in published:
            if self._signer.signed(note) != Checkpoint(origin=self._signer.origin, size=size, root=root):
                self._note("head-not-signed", size)
            if size > self.stood.size and (self._kept is None or size <= self._kept[0]):
                self._note("head-beyond-tree", size)
            self._roots[size] = root
        if self._kept is not None:
            size, root = self._kept
            if size > self.stood.size:
                self._note("tree-smaller-than-kept-head", size)
            elif self._roots.setdefault(size, root) != root:
                self._note("kept-head-differs", size)

    def take(self, leaves: Sequence[Placed]) -> Sequence[Growth]:
        """Grow by these leaves, stopping at each size that a head names."""
        if not leaves:
            self._stop("place-empty", self.tree.size)
            return ()
        grown, hashes = list[Growth](), list[bytes]()
        for expected, placed in enumerate(leaves, self.tree.size):
            if placed.seq != expected:
                self._stop("place-empty", expected)
                break
            self._look_at(placed)
            hashes.append(placed.leaf_hash)
            if expected + 1 in self._roots:
                grown.append(self._grow(hashes))
                hashes = []
                if root_of(self.tree) != self._roots[expected + 1]:
                    self._note("head-differs", expected + 1)
        return (*grown, self._grow(hashes))

    def compare(self, growth: Growth, held: Mapping[Place, bytes]) -> None:
        """Whether the tiles that became full are those that stand."""
        for tile in growth.tiles:
            found = held.get((tile.level, tile.index))
            if found != tile.hashes:
                what = "tile-missing" if found is None else "tile-differs"
                self.faults.append(Fault(what=what, where=f"{tile.level}/{tile.index}"))

    def end(self) -> None:
        """Whether the edge is that of the leaves."""
        if not self.stopped and self.tree != self.stood:
            self._note("edge-differs", self.tree.size)

    def _grow(self, hashes: Sequence[bytes]) -> Growth:
        growth = grow(self.tree, hashes)
        self.tree = growth.tree
        return growth

    def _look_at(self, placed: Placed) -> None:
        if placed.leaf is None:
            self._note("entry-missing", placed.seq)
        elif not hashlib.sha256(b"\x00" + placed.leaf).digest() == placed.leaf_hash == placed.entry_hash:
            self._note("leaf-altered", placed.seq)

    def _note(self, what: str, where: int) -> None:
        self.faults.append(Fault(what=what, where=str(where)))

    def _stop(self, what: str, where: int) -> None:
        self.stopped = True
        self._note(what, where)
