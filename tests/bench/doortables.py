"""What the doors' blocks say: three tables, each arm against its first, and three goals told, none of which fails a run."""

import statistics

from bench.doors import Blocks, Doors

NOOP, APPEND, REFUSED = 6.0, 1.2, 0.1
"""At most so many bare no-ops; at most so many appends alone; within that share of a wrong key, either way."""


def against(blocks: Blocks, arm: str, to: str) -> tuple[float, float, float]:
    """Median, least and greatest ratio of the blocks of one arm to those of another, taken in pairs."""
    ratios = [one / other for one, other in zip(blocks[arm], blocks[to], strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def tables(doors: Doors) -> str:
    """The tables and goals, in Markdown."""
    return "\n\n".join((_noop(doors), _append(doors), _refused(doors), goals(doors)))


def goals(doors: Doors) -> str:
    """Each goal with what was measured and whether that is enough."""
    noop = against(doors.noop, "authenticated", "bare")[0]
    append = against(doors.append, "with claims", "alone")[0]
    inside = against(doors.append_inside, "with claims", "alone")[0]
    apart = [against(doors.refused, arm, "wrong key")[0] for arm in doors.refused if arm != "wrong key"]
    told, alike = " and ".join(f"{found:.2f}" for found in apart), all(abs(found - 1) <= REFUSED for found in apart)
    clocks, dearer = f"{append:.2f} on the clock, {inside:.2f} inside PostgreSQL", max(append, inside)
    lines = (
        f"- an authenticated no-op at most {NOOP:g} of the bare one: {noop:.2f}, {_reached(noop <= NOOP)}",
        f"- claims and append at most {APPEND:g} of the append alone: {clocks}, {_reached(dearer <= APPEND)}",
        f"- unknown client and unknown key id within {REFUSED:.0%} of a wrong key: {told}, {_reached(alike)}",
    )
    return "\n".join(lines)


def _reached(enough: bool) -> str:  # noqa: FBT001  # the answer itself
    return "reached" if enough else "**not reached**"


def _noop(doors: Doors) -> str:
    said = {
        "bare": "bare Litestar",
        "authenticated": "behind the product's guard: token remembered, one ES256 proof verified",
        "in the envelope": "and in all that stands around a route: request id, quota, headers, log line",
    }
    lines = ["| no-op, in one process | CPU µs | × bare |", "|---|---|---|"]
    for arm, text in said.items():
        lines.append(f"| {text} | {_middle(doors.noop, arm)} | {_spread(against(doors.noop, arm, 'bare'))} |")
    return "\n".join(lines)


def _append(doors: Doors) -> str:
    lines = [
        "| append of a disclosure | µs on the clock | × alone | inside PostgreSQL µs | × alone |",
        "|---|---|---|---|---|",
    ]
    for arm in doors.append:
        outside, inside = against(doors.append, arm, "alone"), against(doors.append_inside, arm, "alone")
        lines.append(
            f"| {arm} | {_middle(doors.append, arm)} | {_spread(outside)}"
            f" | {_middle(doors.append_inside, arm)} | {_spread(inside)} |"
        )
    return "\n".join(lines)


def _refused(doors: Doors) -> str:
    lines = ["| refused at the token endpoint | µs on the clock | × wrong key |", "|---|---|---|"]
    lines += [
        f"| {arm} | {_middle(doors.refused, arm)} | {_spread(against(doors.refused, arm, 'wrong key'))} |"
        for arm in doors.refused
    ]
    return "\n".join(lines)


def _middle(blocks: Blocks, arm: str) -> str:
    return f"{statistics.median(blocks[arm]):.0f}"


def _spread(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f}–{found[2]:.2f})"
