"""`make bench`: the whole lawful disclosure against the bare stack and against an honest naive pipeline.

Interleaved rounds with the order reversed every other round; every figure is a ratio within a round or processor time
an answer, because neighbours on a machine move bare rates. Settings: BENCH_ROUNDS, BENCH_SECONDS, BENCH_PEOPLE,
BENCH_CONNECTIONS, BENCH_POOL, BENCH_ARMS, BENCH_STAGES (0: no split), BENCH_DOORS (0: no doors), and BENCH_HOME (a
ground that is kept and used again).
"""

import argparse
import asyncio
import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import msgspec

from asks import WORKER, hetu_of, query_body
from bench import cost, doors, doortables, frozen, page, stages
from bench.arms import PATH, POOL, SOURCE, TESTS, Arm, is_product, running
from bench.ground import ASKER, REFERENCE, Ground, execute, stand, value
from bench.lay import lay
from bench.load import Job, Result
from bench.say import say, show, stop
from bench.tables import Reading, Round, goals, neighbours, table
from sauma.client.auth import Access, SaumaAuth

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "6"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "1000"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "32"))
ARMS = tuple(os.environ.get("BENCH_ARMS", "floor,naive,sauma,untuned").split(","))
STAGES = os.environ.get("BENCH_STAGES", "1") != "0"
DOORS = os.environ.get("BENCH_DOORS", "1") != "0"
_WARM_UP = 1500
_STRIDE = 7919  # a prime: consecutive requests are about people far apart


class Bench:
    """The running arms on one ground, and how many requests each is likely to need in a round."""

    def __init__(self, ground: Ground, arms: dict[str, Arm]) -> None:
        self.ground = ground
        self.arms = arms
        self.bodies = bodies(ground.people)
        self.rates: dict[str, float] = {}
        self._first = 0

    def read(
        self,
        arm: Arm,
        *,
        seconds: float,
        count: int,
        connections: int = CONNECTIONS,
        ready: Callable[[], object] = lambda: None,
    ) -> Reading:
        """One arm under load for some seconds; `ready` is called when nothing but the load is still to come."""
        product = arm if is_product(arm.name) else next(a for a in self.arms.values() if is_product(a.name))
        token, key = access(self.ground, product.url)
        job = Job(
            port=arm.port,
            path=PATH,
            bodies=self.bodies,
            token=token,
            key=key,
            url=product.url + PATH,
            count=count,
            seconds=seconds,
            first=self._first,
            connections=connections,
        )
        self._first = (self._first + count) % len(self.bodies)
        before = asyncio.run(value(self.ground, arm.counted))
        with _generator(job) as go:
            ready()
            spent = cost.spent(arm.process.pid), cost.spent_by_tree(self.ground.postmaster)
            busy = cost.machine_busy()
            result = go()
            busy = cost.machine_busy() - busy
            server = cost.spent(arm.process.pid) - spent[0]
            postgres = cost.spent_by_tree(self.ground.postmaster) - spent[1]
        rows = asyncio.run(value(self.ground, arm.counted)) - before
        self.rates[arm.name] = max(self.rates.get(arm.name, 0), result.answers / result.seconds)
        others = busy - server - postgres - result.cpu
        return Reading(arm=arm.name, result=result, server=server, postgres=postgres, rows=rows, others=others)

    def warm_up(self) -> None:
        """Plans prepared, connections open, and a first guess of each arm's rate."""
        for arm in self.arms.values():
            reading = self.read(arm, seconds=SECONDS, count=_WARM_UP)
            say(f"warm-up: {arm.name} {reading.line()}")
        asyncio.run(execute(self.ground, "vacuum analyze"))  # as autovacuum does within a minute of such traffic

    def round(self, number: int) -> Round:
        """Every arm once; the other way round every other time."""
        names = list(self.arms) if number % 2 == 0 else list(reversed(self.arms))
        readings = {}
        for name in names:
            count = int(self.rates[name] * SECONDS * 2) + CONNECTIONS
            readings[name] = self.read(self.arms[name], seconds=SECONDS, count=count)
            say(f"round {number + 1} of {ROUNDS}: {name} {readings[name].line()}")
        return Round(readings=readings)


def bodies(people: int) -> list[str]:
    """One case query a person, people in an order without neighbours."""
    numbers = [number * _STRIDE % people for number in range(people)]
    asked = [query_body(hetu_of(n), REFERENCE.format(n), officer=WORKER) for n in numbers]
    return [msgspec.json.encode(body).decode() for body in asked]


def access(ground: Ground, url: str) -> tuple[str, dict[str, str]]:
    """A fresh access token and the private key its proofs are signed with."""
    auth = SaumaAuth(Access(issuer=url, client_id=ASKER, key=ground.key, scopes=("case:read",)))
    with httpx.Client(auth=auth) as http:
        http.get(f"{url}/v1/disclosures", params={"role": "receiver"})
    key = auth._proof_key.as_dict(private=True)
    return str(auth._token), {name: str(key[name]) for name in ("crv", "kty", "x", "y", "d")}


@contextlib.contextmanager
def _generator(job: Job) -> Iterator[Callable[[], Result]]:
    """A load generator that has signed its proofs; calling what is yielded lets it go and waits for its result."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join((str(SOURCE), str(TESTS)))}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    process.stdin.flush()
    if process.stdout.readline() != b"ready\n":
        stop("the load generator did not start")

    def go() -> Result:
        process.stdin.write(b"go\n")
        process.stdin.flush()
        return msgspec.json.decode(process.stdout.readline(), type=Result)

    try:
        yield go
    finally:
        process.stdin.close()
        process.wait(30)


@contextlib.contextmanager
def started(ground: Ground, names: tuple[str, ...]) -> Iterator[Bench]:
    """The named arms, a product first because the others believe its tokens and answer as long as it does."""
    arms: dict[str, Arm] = {}
    answer, url = b"", ""
    with contextlib.ExitStack() as stack:
        for name in sorted(names, key=lambda n: not is_product(n)):
            told = {} if is_product(name) else lay(name, ground, answer=answer, url=url)
            arms[name] = stack.enter_context(running(name, ground, told))
            url = url or arms[name].url
            answer = answer or _answer(ground, url)
        yield Bench(ground, {name: arms[name] for name in names})


def _answer(ground: Ground, url: str) -> bytes:
    """One answer of the product."""
    auth = SaumaAuth(Access(issuer=url, client_id=ASKER, key=ground.key, scopes=("case:read",)))
    with httpx.Client(auth=auth) as http:
        content = bodies(ground.people)[0]
        answer = http.post(url + PATH, content=content, headers={"Content-Type": "application/json"})
    return answer.raise_for_status().content


def split(ground: Ground) -> stages.Stages:
    """The product once more, with a stopwatch around each stage."""
    asyncio.run(stages.count_functions(ground))
    try:
        with started(ground, ("staged",)) as bench:
            arm = bench.arms["staged"]
            bench.warm_up()
            found = []
            for connections in (1, CONNECTIONS):
                count = int(bench.rates["staged"] * SECONDS * 2) + CONNECTIONS
                ask = functools.partial(stages.told_by, arm, ground)
                reading = bench.read(arm, seconds=SECONDS, count=count, connections=connections, ready=ask)
                say(f"stages, {connections} at a time: {reading.line()}")
                found.append(stages.Split(reading=reading, stages=ask()))
    finally:
        asyncio.run(stages.count_functions_no_more(ground))
    return stages.Stages(alone=found[0], crowded=found[1], functions=stages.functions(ground))


class Report(msgspec.Struct):
    """Everything a run has found."""

    rounds: list[Round]
    stages: stages.Stages | None
    doors: doors.Doors | None


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print every reading as JSON instead of the tables")
    parser.add_argument("--write", action="store_true", help="also keep the tables in docs/bench.md")
    chosen = parser.parse_args()
    machine = page.machine()
    frozen.refuse_changed_floor()
    with stand(PEOPLE) as ground:
        with started(ground, ARMS) as bench:
            bench.warm_up()
            rounds = [bench.round(number) for number in range(ROUNDS)]
        report = Report(
            rounds=rounds,
            stages=split(ground) if STAGES else None,
            doors=doors.measured(ground) if DOORS else None,
        )
    show(msgspec.json.encode(report).decode() if chosen.json else shown(report, machine))
    if chosen.write:
        page.write("bench", shown(report, machine))
    wrong = [r for one in rounds for r in one.readings.values() if r.flaw]
    for reading in wrong:
        say(f"NOT VALID: {reading.arm}: {reading.flaw}")
    return 1 if wrong else 0


def shown(report: Report, machine: str) -> str:
    """The tables of a run."""
    how = f"{len(report.rounds)} rounds × {SECONDS:g} s, {CONNECTIONS} connections, {PEOPLE:,} people, pool {POOL}. {machine}."
    parts = [how, neighbours(report.rounds), table(report.rounds), goals(report.rounds)]
    parts += [] if report.stages is None else [stages.table(report.stages)]
    parts += [] if report.doors is None else [doortables.tables(report.doors)]
    return "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
