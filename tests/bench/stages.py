"""The split by stage: the product with a stopwatch around each, one request at a time and then many."""

import asyncio
import time
from pathlib import Path

import msgspec

from bench.arms import Arm
from bench.ground import Ground, execute, rows
from bench.say import stop
from bench.staged import Sum
from bench.tables import Reading

_PATH = ("auth", "gather", "decide", "entry", "append", "read", "open", "render")


class Split(msgspec.Struct):
    """Sums by stage of one reading, with the reading itself."""

    reading: Reading
    stages: dict[str, Sum]


class Stages(msgspec.Struct):
    """One request at a time, many at a time, and what PostgreSQL says of its functions, in µs a call."""

    alone: Split
    crowded: Split
    functions: dict[str, float]


async def count_functions(ground: Ground) -> None:
    """Have PostgreSQL count the time in functions for the product's role, from nothing."""
    await execute(ground, f"alter role sauma_server in database {ground.database} set track_functions = 'all'")
    await execute(ground, "select pg_stat_reset()")


async def count_functions_no_more(ground: Ground) -> None:
    await execute(ground, f"alter role sauma_server in database {ground.database} reset track_functions")


def functions(ground: Ground) -> dict[str, float]:
    """Microseconds a call inside PostgreSQL, of the path's three statements."""
    found = asyncio.run(
        rows(
            ground,
            "select funcname as name, total_time * 1000 / calls as took from pg_stat_user_functions"
            " where schemaname = 'api' and funcname in ('gather', 'append', 'read') and calls > 0",
        )
    )
    return {row["name"]: float(row["took"]) for row in found}


def told_by(arm: Arm, ground: Ground) -> dict[str, Sum]:
    """The sums of a staged server since it was last asked."""
    path = ground.home / "stages.json"
    path.unlink(missing_ok=True)
    arm.process.stdin.write(f"{path}\n".encode())
    arm.process.stdin.flush()
    deadline = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > deadline:
            stop("the staged server does not answer")
        time.sleep(0.05)
    return msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Sum])


def table(found: Stages) -> str:
    """The split, in Markdown: processor time and wall time a request, alone and in a crowd, and PostgreSQL's share."""
    lines = [
        "| stage | CPU µs | share of CPU | wall µs alone | wall µs crowded | inside PostgreSQL µs |",
        "|---|---|---|---|---|---|",
    ]
    alone, crowded = _each(found.alone), _each(found.crowded)
    whole = found.alone.reading.server_us
    for stage in (*_PATH, "rest of the application", "server and event loop"):
        cpu, wall = alone[stage]
        inside = f"{found.functions[stage]:.0f}" if stage in found.functions else ""
        waited = f"{crowded[stage][1]:.0f}" if stage != "server and event loop" else ""
        took = f"{wall:.0f}" if stage != "server and event loop" else ""
        lines.append(f"| {stage} | {cpu:.0f} | {cpu / whole:.0%} | {took} | {waited} | {inside} |")
    lines.append(
        f"| **all of it** | {whole:.0f} | 100% | {alone['whole'][1]:.0f} | {crowded['whole'][1]:.0f}"
        f" | {found.alone.reading.postgres_us:.0f} with all that is outside the three functions |"
    )
    return "\n".join(lines)


def _each(split: Split) -> dict[str, tuple[float, float]]:
    """Stage to processor and wall time in µs an answer; what no stage holds is the rest."""
    answers = split.reading.result.answers
    each = {stage: (kept.cpu / answers / 1000, kept.wall / answers / 1000) for stage, kept in split.stages.items()}
    whole = each["whole"]
    rest = tuple(whole[n] - sum(each[stage][n] for stage in _PATH) for n in (0, 1))
    return each | {
        "rest of the application": (rest[0], rest[1]),
        "server and event loop": (split.reading.server_us - whole[0], 0.0),
    }
