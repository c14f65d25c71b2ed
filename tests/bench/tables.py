"""What the readings say: medians of ratios within a round, and processor time an answer."""

import os
import statistics
from collections.abc import Callable

import msgspec

from bench.load import Result

FLOOR, NAIVE = "floor", "naive"
QUIET = 0.1


class Reading(msgspec.Struct):
    """One arm for some seconds: what the generator saw, rows left behind.

    `server`, `postgres` and `others` are processor seconds: of the server, of PostgreSQL with its backends, and of
    everything else on the machine but the generator.
    """

    arm: str
    result: Result
    server: float
    postgres: float
    rows: int
    others: float

    @property
    def rate(self) -> float:
        return self.result.answers / self.result.seconds

    @property
    def server_us(self) -> float:
        return self.server / max(self.result.answers, 1) * 1e6

    @property
    def postgres_us(self) -> float:
        return self.postgres / max(self.result.answers, 1) * 1e6

    @property
    def both_us(self) -> float:
        return self.server_us + self.postgres_us

    @property
    def flaw(self) -> str:
        """Why the reading does not count; empty when it does."""
        if self.result.errors:
            return f"errors {self.result.errors}"
        if self.rows != self.result.answers:
            return f"{self.result.answers} answers but {self.rows} ledger rows"
        return "" if self.result.answers else "no answer"

    def line(self) -> str:
        r = self.result
        return (
            f"{self.rate:6.0f}/s, cpu {self.server_us:4.0f} + pg {self.postgres_us:4.0f} µs, p50 {r.p50:.1f} ms,"
            f" p99 {r.p99:.1f} ms, {r.answers} answers of {r.size} B, {self.flaw or 'all right'}"
        )


class Round(msgspec.Struct):
    """Every arm's reading of one round."""

    readings: dict[str, Reading]


def ratio(rounds: list[Round], arm: str, to: str, of: Callable[[Reading], float]) -> tuple[float, float, float] | None:
    """Median, least and greatest of the per-round ratios; None where an arm did not run."""
    both = [r.readings for r in rounds if arm in r.readings and to in r.readings]
    ratios = [of(readings[arm]) / of(readings[to]) for readings in both if of(readings[to])]
    return (statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


_COLUMNS = (
    "throughput × floor",
    "× naive",
    "server µs",
    "× floor",
    "PostgreSQL µs",
    "both × floor",
    "p50 × floor",
    "p99 × floor",
    "answers",
    "wrong",
)


def table(rounds: list[Round]) -> str:
    """The table of a run, in Markdown."""
    lines = [f"| arm | {' | '.join(_COLUMNS)} |", "|" + "---|" * (len(_COLUMNS) + 1)]
    lines += [f"| {arm} | {' | '.join(_cells(rounds, arm))} |" for arm in rounds[0].readings]
    return "\n".join(lines)


GOALS: tuple[tuple[str, str, Callable[[Reading], float], float], ...] = (
    ("throughput at least 0.55 of the floor", FLOOR, lambda r: r.rate, 0.55),
    ("throughput at least 1.3 of the naive pipeline", NAIVE, lambda r: r.rate, 1.3),
    ("p99 at most 1.5 of the floor", FLOOR, lambda r: r.result.p99, -1.5),
)
"""What was aimed at: in words, against which arm, of what, and the bound; a negative bound is a ceiling."""


def goals(rounds: list[Round], arm: str = "sauma") -> str:
    """Each goal with what was measured and whether that is enough."""
    lines = []
    for said, to, of, bound in GOALS:
        found = ratio(rounds, arm, to, of)
        if found is not None:
            reached = found[0] <= -bound if bound < 0 else found[0] >= bound
            lines.append(f"- {said}: {found[0]:.2f}, {'reached' if reached else '**not reached**'}")
    return "\n".join(lines)


def neighbours(rounds: list[Round]) -> str:
    """How much of the machine others took meanwhile: where it was much, only processor times say something."""
    readings = [reading for one in rounds for reading in one.readings.values()]
    shares = [r.others / r.result.seconds / (os.cpu_count() or 1) for r in readings if r.result.seconds]
    most = (
        f"Others took {statistics.median(shares):.0%} of the machine in the median reading, {max(shares):.0%} at most"
    )
    busy = statistics.median(shares) > QUIET
    return f"{most}: **too much for the ratios of throughput and time to be trusted**." if busy else f"{most}."


def _cells(rounds: list[Round], arm: str) -> tuple[str, ...]:
    readings = [r.readings[arm] for r in rounds]
    return (
        _spread(ratio(rounds, arm, FLOOR, lambda r: r.rate)),
        _median(ratio(rounds, arm, NAIVE, lambda r: r.rate)),
        f"{statistics.median(r.server_us for r in readings):.0f}",
        _median(ratio(rounds, arm, FLOOR, lambda r: r.server_us)),
        f"{statistics.median(r.postgres_us for r in readings):.0f}",
        _median(ratio(rounds, arm, FLOOR, lambda r: r.both_us)),
        _median(ratio(rounds, arm, FLOOR, lambda r: r.result.p50)),
        _median(ratio(rounds, arm, FLOOR, lambda r: r.result.p99)),
        f"{sum(r.result.answers for r in readings)}",
        f"{sum(bool(r.flaw) for r in readings)}",
    )


def _median(found: tuple[float, float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:.2f}"


def _spread(found: tuple[float, float, float] | None) -> str:
    return "–" if found is None else f"**{found[0]:.2f}** ({found[1]:.2f}–{found[2]:.2f})"
