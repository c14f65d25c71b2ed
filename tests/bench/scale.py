"""`make bench-scale`: the same query where ten, a hundred times as much is stored.

One database a size, each with its own server on the same PostgreSQL; rounds are interleaved as in `make bench`, so a
ratio compares two sizes in the same half minute. Then every statement inside gather, append and read is explained on
the largest. Settings: SCALE (records and ledger rows of the largest; default 100 000), BENCH_ROUNDS, BENCH_SECONDS,
SCALE_CONNECTIONS (default 8).
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys

import msgspec

from bench import bulk, page, plans
from bench.ground import Ground, execute, rows, stand, value
from bench.run import ROUNDS, SECONDS, Bench, started
from bench.say import say, show
from bench.tables import Reading, Round, neighbours, ratio
from sauma.store.embedded import SUPERUSER

SMALLEST = 10_000
SCALE = int(os.environ.get("SCALE", "100000"))
CONNECTIONS = int(os.environ.get("SCALE_CONNECTIONS", "8"))
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "300"))
LIMIT = 1.25
_ROLE = "sauma_server"


class Size(msgspec.Struct):
    """What a database held: records, ledger rows, bytes."""

    records: int
    entries: int
    size: int


class Report(msgspec.Struct):
    """Sizes and rounds by database, plans seen, and what was scanned that should not be."""

    sizes: dict[str, Size]
    rounds: list[Round]
    plans: int
    scans: list[str]
    control: list[str]


def sizes(largest: int) -> list[int]:
    """Ten thousand, tenfold, up to the largest."""
    found = []
    size = SMALLEST
    while size < largest:
        found.append(size)
        size *= 10
    return [*found, largest]


def grown(ground: Ground, records: int) -> Ground:
    """A copy of the ground that holds that many records and ledger rows."""
    copied = asyncio.run(bulk.copy(ground, f"bench_{records}"))
    have = asyncio.run(value(copied, "select count(*) from exchange.record"))
    asyncio.run(bulk.fill(copied, max(records - have, 0)))
    return copied


def measure(grounds: dict[str, Ground]) -> list[Round]:
    """Interleaved rounds over the databases."""
    with contextlib.ExitStack() as stack:
        benches = {name: stack.enter_context(started(ground, ("sauma",))) for name, ground in grounds.items()}
        for name, bench in benches.items():
            say(f"warm-up: {name}: {_one(bench, count=400).line()}")
        rounds = []
        for number in range(ROUNDS):
            readings: dict[str, Reading] = {}
            for name in list(benches) if number % 2 == 0 else list(reversed(benches)):
                bench = benches[name]
                readings[name] = _one(bench, count=int(bench.rates["sauma"] * SECONDS * 2) + CONNECTIONS)
                say(f"round {number + 1} of {ROUNDS}: {name}: {readings[name].line()}")
            rounds.append(Round(readings=readings))
        return rounds


def _one(bench: Bench, *, count: int) -> Reading:
    return bench.read(bench.arms["sauma"], seconds=SECONDS, count=count, connections=CONNECTIONS)


def explained(ground: Ground) -> tuple[int, list[str], list[str]]:
    """How many plans were seen, the big tables scanned in them, and what a deliberate scan shows (the control)."""
    log = ground.cluster.home / "postgres.log"
    large = plans.big(ground)
    asyncio.run(plans.explain(ground, _ROLE))
    try:
        with started(ground, ("sauma",)) as bench:
            since = log.stat().st_size  # what a server does at its start is not the path
            bench.read(bench.arms["sauma"], seconds=SECONDS, count=60, connections=1)
            seen = plans.logged(log, since)
    finally:
        asyncio.run(plans.explain_no_more(ground, _ROLE))
    asyncio.run(plans.explain(ground, SUPERUSER))
    try:
        since = log.stat().st_size
        asyncio.run(execute(ground, "select count(*) from exchange.record where retain_until < '1950-01-01'"))
        control = plans.logged(log, since)
    finally:
        asyncio.run(plans.explain_no_more(ground, SUPERUSER))
    return len(seen), _scans(seen, large), _scans(control, large)


def _scans(seen: list[dict[str, object]], large: set[str]) -> list[str]:
    return sorted({relation for plan in seen for relation in plans.scanned(plan)} & large)


def size_of(ground: Ground) -> Size:
    found = asyncio.run(
        rows(
            ground,
            "select (select count(*) from exchange.record) as records, (select count(*) from ledger.entry) as entries,"
            " pg_database_size(current_database()) as size",
        )
    )[0]
    return Size(records=found["records"], entries=found["entries"], size=found["size"])


def table(report: Report) -> str:
    """The table of a run, in Markdown; every ratio is to the smallest database in the same round."""
    smallest = next(iter(report.sizes))
    lines = [
        "| records | ledger rows | database | p50 × smallest | server µs × | PostgreSQL µs | × smallest | wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, size in report.sizes.items():
        readings = [one.readings[name] for one in report.rounds]
        p50 = ratio(report.rounds, name, smallest, lambda r: r.result.p50)
        server = ratio(report.rounds, name, smallest, lambda r: r.server_us)
        postgres = ratio(report.rounds, name, smallest, lambda r: r.postgres_us)
        microseconds = statistics.median(r.postgres_us for r in readings)
        lines.append(
            f"| {size.records:,} | {size.entries:,} | {size.size / 1e6:,.0f} MB | {p50[0]:.2f} ({p50[1]:.2f}–{p50[2]:.2f})"
            f" | {server[0]:.2f} | {microseconds:.0f} | {postgres[0]:.2f} | {sum(bool(r.flaw) for r in readings)} |"
        )
    found = ", ".join(report.scans) or "none"
    lines.append("")
    lines.append(
        f"{report.plans} plans of the largest; big tables (≥ {plans.BIG:,} rows) read from end to end: {found}."
        f" A scan made on purpose is found: {', '.join(report.control) or 'NO, so the search proves nothing'}."
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print every reading as JSON instead of the table")
    parser.add_argument("--write", action="store_true", help="also keep the table in docs/bench.md")
    chosen = parser.parse_args()
    machine = page.machine()
    with stand(PEOPLE) as ground:
        with started(ground, ("sauma",)) as bench:
            _one(bench, count=PEOPLE)  # real disclosures to clone
        grounds = {f"{size:,}": grown(ground, size) for size in sizes(SCALE)}
        try:
            rounds = measure(grounds)
            largest = list(grounds.values())[-1]
            count, scans, control = explained(largest)
            held = {name: size_of(one) for name, one in grounds.items()}
        finally:
            for one in grounds.values():
                asyncio.run(bulk.drop(one))
    report = Report(sizes=held, rounds=rounds, plans=count, scans=scans, control=control)
    how = f"{ROUNDS} rounds × {SECONDS:g} s, {CONNECTIONS} connections, {PEOPLE:,} people asked about. {machine}."
    told = f"{how}\n\n{neighbours(rounds)}\n\n{table(report)}"
    show(msgspec.json.encode(report).decode() if chosen.json else told)
    if chosen.write:
        page.write("bench-scale", told)
    return _verdict(report)


def _verdict(report: Report) -> int:
    """0 when nothing was wrong and nothing scanned; a slow machine is no failure."""
    for one in report.rounds:
        for name, reading in one.readings.items():
            if reading.flaw:
                say(f"NOT VALID: {name}: {reading.flaw}")
                return 1
    return 1 if report.scans or not report.control or not report.plans else 0


if __name__ == "__main__":
    sys.exit(main())
