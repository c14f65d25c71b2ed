"""Lots drawn by hashing a counter: the same seed gives the same country on every machine and Python."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_WORD = 8
_WORDS = 4
_HUNDRED = 100


class Lots:
    """An endless row of numbers that follows from its seed alone; for demo data, never for secrets."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._drawn = 0
        self._block = b""

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        place = self._drawn % _WORDS
        if place == 0:
            self._block = hashlib.sha256(self._seed + b"|%d" % (self._drawn // _WORDS)).digest()
        self._drawn += 1
        return int.from_bytes(self._block[place * _WORD : (place + 1) * _WORD]) % limit

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def percent(self, share: int) -> bool:
        """True in `share` of a hundred draws."""
        return self.below(_HUNDRED) < share

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, int]]) -> T:
        """One of the choices, as likely as its weight says."""
        left = self.below(sum(weight for _, weight in choices))
        for choice, weight in choices:
            if left < weight:
                return choice
            left -= weight
        message = "weights are positive numbers"
        raise ValueError(message)
