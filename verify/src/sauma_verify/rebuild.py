"""The tree, rebuilt from the entries; every tile held against it, and what does not fit named.

1. Entries give leaf hashes, leaf hashes the root: it must be the one that was signed.
2. Every tile and every older partial one must be what the entries make.
3. Where the root is another one, the served tiles are followed from the signed root down to the entry that differs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sauma_verify.formats.note import Malformed
from sauma_verify.formats.tiles import ENTRIES, WIDTH, Tile, hashes_of, leaves_of, levels, parse_path, row
from sauma_verify.source import Source
from sauma_verify.tree import HASH, Frontier, leaf_hash, leaf_hashes, perfect_root
from sauma_verify.verdict import Check, Code

OnLeaves = Callable[[int, list[bytes], list[bytes]], None]
"""Called for each bundle in order: index of its first entry, leaves, leaf hashes."""


@dataclass(slots=True)
class Rebuilt:
    """What a pass over the export gave: the roots at the sizes asked for, and the leaf hashes at the indices."""

    root: bytes | None = None
    roots: dict[int, bytes] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)


class Rebuild:
    """One pass over all entries and tiles of the tree of a checkpoint."""

    def __init__(
        self, source: Source, size: int, *, minimum: int = 0, sizes: Iterable[int] = (), indices: Iterable[int] = ()
    ) -> None:
        self.tree, self.tiles = Check("tree"), Check("tiles")
        self.rebuilt = Rebuilt()
        self._source, self._size, self._minimum = source, size, minimum
        self._sizes, self._indices = sorted(set(sizes)), set(indices)
        self._others = _by_place(source.paths() or frozenset())
        self._frontier = Frontier()
        self._differing: list[tuple[Tile, int]] = []

    def run(self, root: bytes, on_leaves: OnLeaves) -> Rebuilt:
        """Go through everything once; the findings are in `tree` and `tiles` afterwards."""
        hashes: list[bytes] = []
        whole = True
        for tile in row(self._size, 0):
            whole = self._bundle(tile, hashes, on_leaves) and whole
        self.rebuilt.root = self._frontier.root() if whole else None
        self.tree.looked_at = max(self._size, 1)
        for level in range(1, levels(self._size) if whole else 0):
            hashes = self._level(level, hashes)
        if self.rebuilt.root == root:
            for tile, position in self._differing:
                self.tiles.found(Code.TILE_TAMPERED, f"{tile.path} #{position}")
        else:
            self._blame(root)
        for others in self._others.values():
            for tile in others:
                self.tiles.found(Code.SURPLUS, tile.path)
        if 0 in self._sizes:
            self.rebuilt.roots[0] = Frontier().root()
        return self.rebuilt

    def _bundle(self, tile: Tile, above: list[bytes], on_leaves: OnLeaves) -> bool:
        """One bundle and its tile; False where neither gives the leaf hashes."""
        start = tile.index * WIDTH
        leaves = self._leaves(tile)
        served = self._served(tile)
        hashes = leaf_hashes(leaves) if leaves is not None else hashes_of(served or b"")
        if not hashes:
            self.tree.found(Code.NOT_REBUILT, tile.path)
            return False
        self._compare(tile, hashes, served)
        if leaves is not None:
            on_leaves(start, leaves, hashes)
            self._older_bundles(tile, leaves)
        self._note_roots(start, hashes)
        for index in self._indices & set(range(start, start + tile.width)):
            self.rebuilt.leaves[index] = hashes[index - start]
        if tile.width == WIDTH:
            above.append(perfect_root(hashes))
            self._frontier.push(above[-1], height=8)
        else:
            self._frontier = self._frontier.with_leaves(hashes)
        return True

    def _level(self, level: int, hashes: list[bytes]) -> list[bytes]:
        """The tiles of a level above the leaves; the hashes of the next one."""
        above: list[bytes] = []
        for tile in row(self._size, level):
            mine = hashes[tile.index * WIDTH : tile.index * WIDTH + tile.width]
            self._compare(tile, mine, self._served(tile))
            if tile.width == WIDTH:
                above.append(perfect_root(mine))
        return above

    def _leaves(self, tile: Tile) -> list[bytes] | None:
        bundle = Tile(ENTRIES, tile.index, tile.width)
        raw, width = self._read(bundle)
        if raw is None:
            pruned = (tile.index + 1) * WIDTH <= self._minimum
            self.tree.found(Code.PRUNED if pruned else Code.FILE_MISSING, bundle.path)
            return None
        try:
            return leaves_of(raw, width)[: tile.width]
        except Malformed:
            self.tree.found(Code.BUNDLE_SHAPE, bundle.path)
            return None

    def _served(self, tile: Tile) -> bytes | None:
        """A tile as it is served; noted where it is missing or of another length."""
        raw, width = self._read(tile)
        self.tiles.looked_at += 1
        if raw is None:
            self.tiles.found(Code.FILE_MISSING, tile.path)
            return None
        if len(raw) != width * HASH:
            self.tiles.found(Code.TILE_TAMPERED, tile.path)
            return None
        return raw[: tile.width * HASH]

    def _read(self, tile: Tile) -> tuple[bytes | None, int]:
        """The file and its width; in place of a partial one that was dropped, the full one."""
        self._others.get((tile.level, tile.index), set()).discard(tile)
        raw = self._source.read(tile.path)
        if raw is not None or tile.width == WIDTH:
            return raw, tile.width
        full = Tile(tile.level, tile.index)
        self._others.get((tile.level, tile.index), set()).discard(full)
        return self._source.read(full.path), WIDTH

    def _compare(self, tile: Tile, mine: list[bytes], served: bytes | None) -> None:
        """Hold a tile and the older partial ones of its place against what the entries make."""
        joined = b"".join(mine)
        if served is not None and served != joined:
            self._differing.append((tile, _first_difference(joined, served)))
        for older in self._older(tile):
            raw = self._source.read(older.path) or b""
            self.tiles.looked_at += 1
            if raw != joined[: older.width * HASH]:
                self._differing.append((older, _first_difference(joined, raw)))

    def _older_bundles(self, tile: Tile, leaves: list[bytes]) -> None:
        for older in self._older(Tile(ENTRIES, tile.index, tile.width)):
            raw = self._source.read(older.path) or b""
            self.tiles.looked_at += 1
            try:
                same = leaves_of(raw, older.width) == leaves[: older.width]
            except Malformed:
                same = False
            if not same:
                self.tiles.found(Code.TILE_TAMPERED, older.path)

    def _older(self, tile: Tile) -> list[Tile]:
        place = self._others.get((tile.level, tile.index), set())
        older = [other for other in place if other.width < tile.width]
        place.difference_update(older)
        return older

    def _note_roots(self, start: int, hashes: list[bytes]) -> None:
        """The roots of the trees asked for that end in this bundle."""
        while self._sizes and self._sizes[0] <= start + len(hashes):
            size = self._sizes.pop(0)
            if size > start:
                self.rebuilt.roots[size] = self._frontier.with_leaves(hashes[: size - start]).root()
            elif size == 0:
                self.rebuilt.roots[0] = Frontier().root()

    def _blame(self, root: bytes) -> None:
        """Follow the served tiles from the signed root down to what differs."""
        edge = Frontier()
        edges = [tile for level in range(levels(self._size)) for tile in row(self._size, level) if tile.width < WIDTH]
        for tile in reversed(edges):
            for value in hashes_of(self._read(tile)[0] or b"")[: tile.width]:
                edge.push(value, height=8 * tile.level)
        if edge.root() != root:
            self.tree.found(Code.ROOT)
            for tile, position in self._differing:
                self.tiles.found(Code.TILE_TAMPERED, f"{tile.path} #{position}")
            return
        for tile in edges:
            self._descend(tile)
        if not self.tree.findings:
            self.tree.found(Code.ROOT)

    def _descend(self, tile: Tile) -> None:
        """Below a tile that follows from the signed root: what of its children does, too."""
        hashes = hashes_of(self._read(tile)[0] or b"")[: tile.width]
        if tile.level == 0:
            self._blame_entries(tile, hashes)
            return
        for position, value in enumerate(hashes):
            child = Tile(tile.level - 1, tile.index * WIDTH + position)
            raw = self._source.read(child.path)
            if raw is not None and len(raw) == WIDTH * HASH and perfect_root(hashes_of(raw)) == value:
                self._descend(child)
                continue
            self.tiles.found(Code.TILE_TAMPERED, child.path)
            first, span = child.index * WIDTH ** (child.level + 1), WIDTH ** (child.level + 1)
            self.tree.found(Code.RANGE_TAMPERED, f"{first}–{first + span - 1}")

    def _blame_entries(self, tile: Tile, hashes: list[bytes]) -> None:
        if all(other != tile for other, _ in self._differing):
            return
        raw, width = self._read(Tile(ENTRIES, tile.index, tile.width))
        for position, leaf in enumerate(leaves_of(raw or b"", width)[: tile.width]):
            if leaf_hash(leaf) != hashes[position]:
                self.tree.found(Code.ENTRY_TAMPERED, str(tile.index * WIDTH + position))


def _by_place(paths: frozenset[str]) -> dict[tuple[int, int], set[Tile]]:
    """Every tile and bundle that lies there, by level and index."""
    places: dict[tuple[int, int], set[Tile]] = {}
    for tile in map(parse_path, paths):
        if tile is not None:
            places.setdefault((tile.level, tile.index), set()).add(tile)
    return places


def _first_difference(mine: bytes, served: bytes) -> int:
    """The position of the first hash that differs."""
    pairs = enumerate(zip(hashes_of(mine), hashes_of(served), strict=False))
    return next((position for position, (one, other) in pairs if one != other), len(served) // HASH)
