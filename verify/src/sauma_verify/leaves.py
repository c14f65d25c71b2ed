"""What the leaves say of one another: ids that stand once, times in order, and each writer's numbered, linked entries.

A writer numbers its leaves from 0, its first is its start, each names the hash of the one before. Where a writer could
not know whether its last entry was committed, its successor's start says where it stood: `refers` is the writer,
`reason` the number of its next leaf, `payload` the hash of its last.
"""

import base64
import binascii
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

from sauma_verify.verdict import Check, Code

GENESIS = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
TOLERANCE = 300.0
"""Seconds an entry may be dated before one that stands in front of it: the longest a server goes on without a tree."""
SAME_MOMENT = 1000
"""Milliseconds between the time inside an id and the time beside it."""

_ID, _WRITER, _AT = 36, 36, 27
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_read_json = json.JSONDecoder().raw_decode


@dataclass(slots=True)
class Chain:
    """Where one writer stands: the number of its next leaf, the hashes of its last two, and leaves come too early."""

    next: int = 0
    last: str = GENESIS
    before: str = GENESIS
    early: dict[int, tuple[int, str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """What a start entry says of another writer."""

    index: int
    writer: str
    counter: int
    previous: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry that was asked for."""

    index: int
    hash: bytes
    members: dict[str, Any]


class Leaves:
    """Takes the leaves in the tree's order; `minimum` is the first index that must be there."""

    def __init__(self, *, minimum: int = 0, wanted: frozenset[str] = frozenset()) -> None:
        self.entries, self.time, self.writers = Check("entries"), Check("time"), Check("writers")
        self.seen: dict[str, Seen] = {}
        self.newest = 0.0
        self._ids: set[str] = set()
        self._chains: dict[str, Chain] = {}
        self._predecessors: list[Predecessor] = []
        self._newest_index = 0
        self._second = ("", 0.0)
        self._minimum, self._wanted = minimum, wanted

    def take(self, start: int, leaves: list[bytes], hashes: list[bytes]) -> None:
        """The leaves of one bundle, the first of which stands at `start`."""
        for position, leaf in enumerate(leaves):
            index = start + position
            try:
                text = leaf.decode()
                members, end = _read_json(text)
                if end != len(text):
                    raise ValueError  # noqa: TRY301  # a leaf is exactly one object
                self._one(index, members, hashes[position])
            except (ValueError, TypeError, KeyError, RecursionError):
                self.entries.found(Code.LEAF_SHAPE, str(index))
        for check in (self.entries, self.time, self.writers):
            check.looked_at += len(leaves)

    def finish(self) -> None:
        """What can only be said when all leaves are known."""
        for writer, chain in self._chains.items():
            if chain.early:
                number, (index, _, _) = min(chain.early.items())
                self.writers.found(Code.WRITER_GAP, f"{writer} {chain.next}–{number - 1} < {index}")
        for named in self._predecessors:
            self._predecessor(named)

    def _one(self, index: int, members: dict[str, Any], hashed: bytes) -> None:
        identity, writer, counter = members["id"], members["writer"], members["counter"]
        if len(identity) != _ID or len(writer) != _WRITER or type(counter) is not int or counter < 0:
            raise ValueError
        if identity in self._ids:
            self.entries.found(Code.ID_TWICE, f"{index} {identity}")
        self._ids.add(identity)
        if identity in self._wanted:
            self.seen.setdefault(identity, Seen(index, hashed, members))
        self._dated(index, identity, members["at"])
        self._link(index, members, hashed)

    def _dated(self, index: int, identity: str, at: str) -> None:
        """An entry dated well before one in front of it was written later than it says."""
        if len(at) != _AT or at[-1] != "Z":
            raise ValueError
        if at[:19] != self._second[0]:
            self._second = (at[:19], dt.datetime.fromisoformat(at[:19] + "Z").timestamp())
        if at[19] != "." or not (fraction := at[20:26]).isdecimal():
            raise ValueError
        moment = self._second[1] + int(fraction) / 1_000_000
        if abs(int(identity[:8] + identity[9:13], 16) - moment * 1000) > SAME_MOMENT:
            self.time.found(Code.ID_TIME, f"{index} {identity}")
        if moment >= self.newest:
            self.newest, self._newest_index = moment, index
        elif self.newest - moment > TOLERANCE:
            self.time.found(Code.TIME_ORDER, f"{index} < {self._newest_index}")

    def _link(self, index: int, members: dict[str, Any], hashed: bytes) -> None:
        writer, counter, previous = members["writer"], members["counter"], members["previous"]
        chain = self._chains.get(writer)
        if chain is None:
            chain = self._chains[writer] = self._begun(counter, previous)
        if members["kind"] == "writer" or counter == 0:
            self._started(index, members)
        own = binascii.b2a_base64(hashed, newline=False)[:43].translate(_URL_SAFE).decode()
        if counter == chain.next and previous == chain.last and not chain.early:  # as nearly all are
            chain.next, chain.before, chain.last = counter + 1, previous, own
            return
        if counter != chain.next:
            if counter < chain.next or counter in chain.early:
                self.writers.found(Code.WRITER_TWICE, f"{writer} {counter} @ {index}")
                return
            chain.early[counter] = (index, previous, own)
            return
        self._advance(writer, chain, (index, previous, own))
        while chain.early and chain.next in chain.early:
            self._advance(writer, chain, chain.early.pop(chain.next))

    def _advance(self, writer: str, chain: Chain, leaf: tuple[int, str, str]) -> None:
        index, previous, own = leaf
        if previous != chain.last:
            self.writers.found(Code.WRITER_LINK, f"{writer} {chain.next} @ {index}")
        chain.next += 1
        chain.before, chain.last = previous, own

    def _begun(self, counter: int, previous: str) -> Chain:
        """A writer met first; behind a pruned beginning it may stand anywhere."""
        return Chain(next=counter, last=previous, before=previous) if self._minimum else Chain()

    def _started(self, index: int, members: dict[str, Any]) -> None:
        """A writer's first leaf is its start, and only that."""
        start = members["kind"] == "writer" and members.get("decision") == "start"
        if start != (members["counter"] == 0):
            self.writers.found(Code.WRITER_START, f"{members['writer']} @ {index}")
        if start and "refers" in members:
            named = Predecessor(index, members["refers"], int(members["reason"]), members["payload"])
            self._predecessors.append(named)

    def _predecessor(self, named: Predecessor) -> None:
        """A writer whose last answer was lost ends where its successor says, or one leaf later."""
        chain = self._chains.get(named.writer)
        if chain is None:
            chain = Chain(next=named.counter, last=named.previous) if self._minimum else Chain()
        at_rest = chain.next == named.counter and chain.last == named.previous
        one_more = chain.next == named.counter + 1 and chain.before == named.previous
        if not chain.early and not at_rest and not one_more:
            self.writers.found(Code.WRITER_END, f"{named.writer} {chain.next} ≠ {named.counter} @ {named.index}")
