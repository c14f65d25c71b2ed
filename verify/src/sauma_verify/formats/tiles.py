"""Where tiles and entry bundles lie, and what is in a bundle (C2SP tlog-tiles)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sauma_verify.formats.note import Malformed

WIDTH = 256
ENTRIES = -1
"""The level under which entry bundles are kept here; their path says `entries`."""

_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile or bundle; `width` 256 is a full one."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]`."""
        groups = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> Tile | None:
    """The tile of a path, None for any other path or another spelling of it."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level = ENTRIES if match[1] == "entries" else int(match[1])
    index = int(match[2].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(match[3]) if match[3] else WIDTH)
    return tile if tile.path == path else None


def row(size: int, level: int) -> Iterator[Tile]:
    """The tiles of one level of a tree of `size` leaves, the last one partial unless it is full."""
    hashes = size >> (8 * max(level, 0))
    full, rest = divmod(hashes, WIDTH)
    for index in range(full):
        yield Tile(level, index)
    if rest:
        yield Tile(level, full, rest)


def levels(size: int) -> int:
    """How many levels of hash tiles a tree of `size` leaves has."""
    count = 0
    while size >> (8 * count):
        count += 1
    return count


def hashes_of(raw: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


def leaves_of(bundle: bytes, width: int) -> list[bytes]:
    """The leaves of a bundle: each after its length as big-endian uint16.

    Raises:
        Malformed: it does not hold exactly `width` of them.
    """
    leaves: list[bytes] = []
    at, end = 0, len(bundle)
    while at + 2 <= end:
        start = at + 2
        at = start + (bundle[at] << 8 | bundle[at + 1])
        leaves.append(bundle[start:at])
    if at != end or len(leaves) != width:
        raise Malformed("bundle")
    return leaves
