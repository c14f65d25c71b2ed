"""Sequence: entries get their places in the tree, and its heads are signed and published, by one process.

What may be relied on:
1. Every committed entry gets one place, whatever order transactions end in: entries are found by the transaction that
   wrote them and by having no place yet (`_Low`), never by id or time. Each start looks at all of them once.
2. What is signed extends what was signed before. The last head is kept outside the database; where the tree is smaller
   than it, or does not begin with it, nothing more is published.
3. The head is kept, then published. A crash between leaves a head that nobody has seen, of a tree that stands.
4. Two at once do no harm: places are given only to a tree of the size that was read.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Protocol, TypeAlias

import msgspec

from sauma.core.errors import StartRefused, Unavailable
from sauma.core.tree.merkle import (
    Growth,
    Place,
    Tree,
    consistency_proof,
    consistency_spans,
    extends,
    grow,
    root_of,
    span_hash,
    tiles_needed,
)
from sauma.core.tree.note import Checkpoint, checkpoint_text

CAP = 5_000
"""How many entries get their place in one statement."""

EX_STOPPED = 1

Head: TypeAlias = tuple[int, bytes]
"""Size and root of a tree."""


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """A committed entry without a place: its transaction, id, time and leaf hash, as PostgreSQL has them."""

    xid: int
    entry: uuid.UUID
    recorded_at: dt.datetime
    leaf_hash: bytes


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in the order of their places; `horizon` is the oldest transaction that may still have been running."""

    horizon: int
    entries: tuple[Unplaced, ...]


class TreeStore(Protocol):
    """The sequencer's side of the database; each call is one statement and commits by itself."""

    async def tree(self) -> Tree:
        """The tree as it stands."""
        ...

    async def next_window(self, low: int, cap: int) -> Window:
        """Entries without a place of the transactions from `low` on."""
        ...

    async def without_place(self, low: int, cap: int) -> Window:
        """The same, of transactions counted before a restore as well."""
        ...

    async def integrate(self, size: int, entries: tuple[Unplaced, ...], growth: Growth) -> bool:
        """Give the places from `size` on; False where the tree has another size."""
        ...

    async def tiles(self, places: frozenset[Place]) -> Mapping[Place, bytes]:
        """Tiles, full or as wide as they are."""
        ...

    async def published(self) -> tuple[Head, str] | None:
        """The newest published head and its note."""
        ...

    async def publish(self, head: Head, note: str) -> bool:
        """Publish a head; False where one as large is."""
        ...


class HeadMemory(Protocol):
    """The last head, kept outside the database."""

    def read(self) -> Head | None:
        """What was kept last."""
        ...

    def keep(self, head: Head) -> None:
        """Keep it; it is on disk when this returns."""
        ...


class CheckpointSigner(Protocol):
    """Who signs heads, and knows its own."""

    @property
    def origin(self) -> str:
        """Whose heads they are."""
        ...

    def sign(self, text: str) -> str:
        """The text as a note."""
        ...

    def signed(self, note: str) -> Checkpoint | None:
        """The checkpoint of a note that is one of its own."""
        ...


class Sequencer:
    """One leader's work on one database; after a fault of the database a new one begins.

    Make it with `begin`.
    """

    def __init__(self, store: TreeStore, memory: HeadMemory, signer: CheckpointSigner) -> None:
        self._store = store
        self._memory = memory
        self._signer = signer
        self._tree = Tree()
        self._published = 0
        self._low = _Low()

    async def begin(self) -> None:
        """Read how the tree stands and hold it against the heads of before.

        Raises:
            StartRefused: exit 1, it is not the tree that was signed.
        """
        published = await self._store.published()
        self._tree = await self._store.tree()
        kept = self._memory.read()
        await self._hold_against(kept)
        if published is None:
            return
        head, note = published
        if self._signer.signed(note) != Checkpoint(origin=self._signer.origin, size=head[0], root=head[1]):
            raise _stopped(_FOREIGN)
        await self._hold_against(head)
        if kept is None or kept[0] < head[0]:  # the memory is new, or older than the database
            self._memory.keep(head)
        self._published = head[0]

    async def integrate(self) -> int:
        """Give places to what has none, at most `CAP`; how many there were.

        Raises:
            Unavailable: the tree has grown by another's hand; begin anew.
        """
        find = self._store.without_place if self._low.sweeping else self._store.next_window
        window = await find(self._low.low, CAP)
        if window.entries:
            growth = grow(self._tree, [entry.leaf_hash for entry in window.entries])
            if not await self._store.integrate(self._tree.size, window.entries, growth):
                raise Unavailable("ledger-unavailable")
            self._tree = growth.tree
        self._low = self._low.after(window)
        return len(window.entries)

    async def publish(self) -> Checkpoint | None:
        """Sign and publish the tree's head if it has grown.

        Raises:
            StartRefused: exit 1, the tree does not begin with what was signed before.
        """
        if self._tree.size == self._published:
            return None
        await self._hold_against(self._memory.read())
        head = self._tree.size, root_of(self._tree)
        checkpoint = Checkpoint(origin=self._signer.origin, size=head[0], root=head[1])
        self._memory.keep(head)
        await self._store.publish(head, self._signer.sign(checkpoint_text(checkpoint)))
        self._published = head[0]
        return checkpoint

    async def _hold_against(self, kept: Head | None) -> None:
        """Refuse a tree that is smaller than a head or does not begin with it, by the tiles the database holds."""
        size, (old, root) = self._tree.size, kept or (0, b"")
        if size < old:
            raise _stopped(_SMALLER)
        if size == 0:
            return
        spans = consistency_spans(old, size) if old else ()
        tiles = await self._store.tiles(tiles_needed([*spans, (0, size)]))
        try:
            whole = span_hash(tiles, (0, size))
            proof = consistency_proof(tiles, old=old, new=size) if old else ()
        except KeyError:
            raise _stopped(_INCOMPLETE) from None
        if whole != root_of(self._tree) or not extends(proof, old=(old, root), new=(size, whole)):
            raise _stopped(_OTHER)


class _Low(msgspec.Struct, frozen=True, kw_only=True):
    """The transaction to look from. At first all are swept through, as a restore counts transactions anew."""

    low: int = 0
    sweeping: bool = True
    horizon: int | None = None

    def after(self, window: Window) -> "_Low":
        """Where to look next, when the window's entries have their places."""
        full = len(window.entries) == CAP
        if not self.sweeping:
            low = min(window.horizon, window.entries[-1].xid) if full else window.horizon
            return _Low(low=low, sweeping=False)
        horizon = window.horizon if self.horizon is None else self.horizon
        if full:
            return _Low(low=window.entries[-1].xid, horizon=horizon)
        return _Low(low=horizon, sweeping=False)


_FOREIGN = "the published head is not one this log key signed; fix: restore log-key.json from its own backup"
_SMALLER = "the tree is smaller than what was signed; fix: it was restored or cut, docs/ledger.md says what then"
_OTHER = "the tree does not begin with what was signed; fix: it was altered, docs/ledger.md says what then"
_INCOMPLETE = "a tile of the tree is missing; fix: it was altered, docs/ledger.md says what then"


def _stopped(line: str) -> StartRefused:
    return StartRefused(f"ledger: {line}", exit_code=EX_STOPPED)
