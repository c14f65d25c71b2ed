"""Inclusion proofs as files (C2SP tlog-proof), and consistency proofs as the server answers them."""

import json
from dataclasses import dataclass

from sauma_verify.formats.note import Checkpoint, Key, Malformed, signed_checkpoint, strict_base64, strict_number
from sauma_verify.tree import HASH, consistent, included

HEADER = "c2sp.org/tlog-proof@v1"
LONGEST_PATH = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a leaf stands at `index` of the tree of a checkpoint; `path` from the leaf's sibling upwards."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self, leaf: bytes) -> bool:
        """Whether it proves this leaf hash."""
        head = self.checkpoint
        return included(leaf, index=self.index, size=head.size, path=list(self.path), root=head.root)


def parse_proof(raw: bytes, key: Key) -> Proof:
    """A proof over a checkpoint this log signed.

    Raises:
        Malformed: not a proof, or its checkpoint is not the log's.
    """
    head, blank, checkpoint = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("proof") from None
    if not blank or lines.pop(0) != HEADER:
        raise Malformed("proof")
    if lines and lines[0].startswith("extra "):
        strict_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise Malformed("proof")
    index = strict_number(lines.pop(0).removeprefix("index "))
    path = tuple(map(strict_base64, lines))
    if len(path) > LONGEST_PATH or any(len(value) != HASH for value in path):
        raise Malformed("proof")
    return Proof(index=index, path=path, checkpoint=signed_checkpoint(checkpoint, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """That the tree of `second` leaves only appends to the one of `first`."""

    first: int
    second: int
    path: tuple[bytes, ...]

    def holds(self, first_root: bytes, second_root: bytes) -> bool:
        """Whether it proves this of these two roots."""
        first, second = (self.first, first_root), (self.second, second_root)
        return consistent(first=first, second=second, path=list(self.path))


def parse_consistency(raw: bytes) -> Consistency:
    """`{"from", "to", "hashes"}`, the hashes as base64.

    Raises:
        Malformed: something else.
    """
    try:
        members = json.loads(raw)
        first, second = (strict_number(str(members[name])) for name in ("from", "to"))
        path = tuple(map(strict_base64, members["hashes"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Malformed("consistency") from None
    if len(path) > 2 * LONGEST_PATH or any(len(value) != HASH for value in path):
        raise Malformed("consistency")
    return Consistency(first=first, second=second, path=path)
