"""What was verified a moment ago, so that the same bytes need no second signature check within a minute.

Only what passed every check is kept, under the SHA-256 of its bytes: no token, name or key can be read from what it is
looked up by. Nothing kept changes a verdict: what depends on the clock is bounded by the clock (`keep`), and the rows a
token names are compared at every append all the same, so a suspended client is refused at its next call.
"""

from typing import Generic, TypeVar

import msgspec

SECONDS = 60
MOST = 4096

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """At most `most` things, each for at most `seconds` from when it was kept; the oldest makes room."""

    def __init__(self, *, most: int = MOST, seconds: int = SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._kept: dict[bytes, _Kept[_T]] = {}

    def find(self, digest: bytes, *, now: int) -> _T | None:
        """What was kept under the digest, while it holds; a clock that was set back finds nothing either."""
        kept = self._kept.get(digest)
        return kept.what if kept is not None and kept.since <= now < kept.until else None

    def keep(self, digest: bytes, what: _T, *, now: int, until: int) -> None:
        """Keep what was verified at `now`; from the second `until` on it must be verified again. Forgets what ended."""
        self._kept.pop(digest, None)
        while self._kept:
            oldest = next(iter(self._kept))
            if now < self._kept[oldest].gone and len(self._kept) < self._most:
                break
            del self._kept[oldest]
        gone = now + self._seconds
        self._kept[digest] = _Kept(what=what, since=now, until=min(until, gone), gone=gone)

    def __len__(self) -> int:
        return len(self._kept)


class _Kept(msgspec.Struct, Generic[_T], frozen=True, kw_only=True):
    what: _T
    since: int
    until: int
    gone: int

    def __repr__(self) -> str:
        return "_Kept()"
