"""The harness itself: what it must refuse, that it counts right, and that its sums are sums. No speed is judged here."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from bench import cost, doortables, frozen, page, plans, scale, staged, stages, tables
from bench.arms import PATH
from bench.doors import Doors, interleaved
from bench.load import Job, Result, at_share, content_length, play, requests
from bench.run import bodies
from bench.tables import Reading, Round
from sauma.oauth.claims import ProofTarget
from sauma.oauth.proof import verify_proof
from sauma.oauth.verify import Claims

ANSWER = b'{"outcome":"disclosed"}'


def test_the_floor_is_the_one_whose_digest_stands() -> None:
    assert frozen.digest_of_floor() == frozen.FLOOR


def test_a_changed_floor_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "digest_of_floor", lambda: "0" * 64)
    with pytest.raises(SystemExit, match="was changed"):
        frozen.refuse_changed_floor()


@pytest.mark.parametrize("target", staged.STAGES.values(), ids=staged.STAGES)
def test_every_stage_is_still_where_it_is_timed(target: str) -> None:
    owner, name = staged.find(target)
    assert callable(getattr(owner, name))


def test_a_stage_that_has_moved_stops_the_run() -> None:
    with pytest.raises(SystemExit, match="not there any more"):
        staged.find("sauma.exchange.disclose:decided")


def job(port: int = 1, **members: object) -> Job:
    key = ECKey.generate_key("P-256").as_dict(private=True)
    stated = {
        "port": port,
        "path": PATH,
        "bodies": ['{"one":1}', '{"two":2}'],
        "token": "a.b.c",
        "key": {name: str(key[name]) for name in ("crv", "kty", "x", "y", "d")},
        "count": 5,
        "seconds": 5.0,
        "connections": 2,
    }
    return Job(**(stated | members))


def test_every_request_carries_a_proof_of_its_own_that_the_product_accepts() -> None:
    asked = job(url="https://sauma.example" + PATH)
    target = ProofTarget(method="POST", url=asked.url, access_token=asked.token)
    seen = set()
    for request in requests(asked):
        head, _, body = request.partition(b"\r\n\r\n")
        assert content_length(head) == len(body)
        proof = next(line for line in head.decode().split("\r\n") if line.startswith("DPoP: "))
        claims = verify_proof((proof.removeprefix("DPoP: "),), target, now=int(time.time()))
        assert isinstance(claims, Claims)
        seen.add(claims.jti)
    assert len(seen) == asked.count


def test_bodies_are_sent_in_turn_from_the_one_named() -> None:
    sent = [request.partition(b"\r\n\r\n")[2] for request in requests(job(token="", first=1, count=3))]
    assert sent == [b'{"two":2}', b'{"one":1}', b'{"two":2}']


def test_every_person_is_asked_about_once_a_turn() -> None:
    references = [json.loads(body)["caseReference"] for body in bodies(1000)]
    assert len(set(references)) == 1000


@asynccontextmanager
async def server(answers: Callable[[int], bytes]) -> AsyncIterator[int]:
    """A tiny HTTP server; `answers` gives the bytes of the n-th answer, nothing closes the connection."""
    numbers = itertools.count()

    serving = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        while head := await _head(reader):
            await reader.readexactly(content_length(head))
            answer = answers(next(numbers))
            for part in (answer[:20], answer[20:]):  # an answer may come in pieces
                writer.write(part)
                await writer.drain()
            if not answer:
                break
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        await asyncio.gather(*serving)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answers", "right", "errors"),
    [
        pytest.param(lambda n: http("200 OK", ANSWER), 9, {}, id="all right"),
        pytest.param(
            lambda n: http("200 OK", ANSWER) if n % 3 else http("429 Slow Down", b"{}"),
            6,
            {"429": 3},
            id="a refusal is an error by its status",
        ),
        pytest.param(
            lambda n: http("200 OK", ANSWER if n else b'{"outcome":"nothing-disclosable"}'),
            8,
            {"200": 1},
            id="a 200 without the marker is an error",
        ),
        pytest.param(lambda n: b"", 0, {"connection-lost": 2}, id="a lost connection is an error"),
    ],
)
async def test_the_generator_counts_what_came_back(
    answers: Callable[[int], bytes], right: int, errors: dict[str, int]
) -> None:
    async with server(answers) as port:
        asked = job(port, token="", count=9)
        result = await play(asked, requests(asked))
    assert (result.answers, result.errors) == (right, errors)
    assert result.size == (len(ANSWER) if right else 0)
    assert result.p50 <= result.p99 <= result.seconds * 1000


async def test_the_generator_stops_when_its_time_is_over() -> None:
    async with server(lambda n: http("200 OK", ANSWER)) as port:
        asked = job(port, token="", count=50, seconds=0.0)
        waiting = requests(asked)
        result = await play(asked, waiting)
    assert (result.answers, len(waiting)) == (0, 50)


@pytest.mark.parametrize(("share", "found"), [(0.5, 3), (0.99, 4), (0.0, 1)])
def test_a_share_of_ordered_values(share: float, found: float) -> None:
    assert at_share([1, 2, 3, 4], share) == found
    assert at_share([], share) == 0


def reading(arm: str, rate: float, *, cpu: float = 1.0, **members: object) -> Reading:
    result = Result(answers=100, errors={}, seconds=100 / rate, p50=1000 / rate, p99=2000 / rate, cpu=0.1, size=10)
    return Reading(
        **({"arm": arm, "result": result, "server": cpu, "postgres": 0.5, "rows": 100, "others": 0.0} | members)
    )


ROUNDS = [
    Round(readings={"floor": reading("floor", 100), "naive": reading("naive", 25), "sauma": reading("sauma", 50)}),
    Round(readings={"floor": reading("floor", 10), "naive": reading("naive", 5), "sauma": reading("sauma", 6)}),
    Round(readings={"floor": reading("floor", 100), "naive": reading("naive", 50), "sauma": reading("sauma", 70)}),
]


def test_ratios_are_taken_within_a_round_and_the_median_is_told() -> None:
    assert tables.ratio(ROUNDS, "sauma", "floor", lambda r: r.rate) == pytest.approx((0.6, 0.5, 0.7))
    assert tables.ratio(ROUNDS, "sauma", "absent", lambda r: r.rate) is None
    table = tables.table(ROUNDS).splitlines()
    assert {line.count("|") for line in table} == {12}
    row = next(line for line in table if line.startswith("| sauma"))
    assert row == "| sauma | **0.60** (0.50–0.70) | 1.40 | 10000 | 1.00 | 5000 | 1.00 | 1.67 | 1.67 | 300 | 0 |"


def test_goals_are_judged_by_the_median_whichever_way_they_point() -> None:
    told = tables.goals(ROUNDS).splitlines()
    assert [line.rpartition(": ")[2] for line in told] == ["0.60, reached", "1.40, reached", "1.67, **not reached**"]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        pytest.param({}, "", id="as many rows as answers"),
        pytest.param({"rows": 99}, "100 answers but 99 ledger rows", id="an answer without its row"),
        pytest.param({"rows": 101}, "100 answers but 101 ledger rows", id="a row without its answer"),
    ],
)
def test_a_reading_counts_only_when_the_database_counted_the_same(members: dict[str, object], said: str) -> None:
    assert reading("sauma", 10, **members).flaw == said


DOORS = Doors(
    noop={"bare": [10, 20, 10], "authenticated": [50, 140, 60], "in the envelope": [80, 160, 90]},
    append={"alone": [100, 100, 100], "with claims": [110, 130, 115]},
    append_inside={"alone": [50, 50, 50], "with claims": [70, 55, 65]},
    refused={"wrong key": [100, 200, 100], "unknown client": [95, 210, 90], "unknown kid": [120, 200, 130]},
)


def test_doors_are_judged_by_the_median_of_their_pairs() -> None:
    assert doortables.against(DOORS.noop, "authenticated", "bare") == (6.0, 5.0, 7.0)
    told = doortables.goals(DOORS).splitlines()
    assert [line.rpartition(", ")[2] for line in told] == ["reached", "**not reached**", "**not reached**"]
    assert told[1].endswith("1.15 on the clock, 1.30 inside PostgreSQL, **not reached**")
    assert told[2].endswith("a wrong key: 0.95 and 1.20, **not reached**")
    lines = doortables.tables(DOORS).splitlines()
    assert "| unknown client | 95 | 0.95 (0.90–1.05) |" in lines
    assert "| with claims | 115 | 1.15 (1.10–1.30) | 65 | 1.30 (1.10–1.40) |" in lines


def test_blocks_are_taken_in_turn_and_the_other_way_round_every_other_time() -> None:
    turns = list(zip(*[iter(interleaved(("one", "two")))] * 2, strict=True))
    assert set(turns) == {("one", "two"), ("two", "one")}
    assert all(one != other for one, other in itertools.pairwise(turns))


def test_what_no_stage_holds_is_the_rest() -> None:
    each = {stage: staged.Sum(calls=100, wall=2_000_000, cpu=1_000_000) for stage in staged.STAGES}
    each["whole"] = staged.Sum(calls=100, wall=100_000_000, cpu=50_000_000)
    split = stages.Split(reading=reading("staged", 10, cpu=0.06), stages=each)
    told = stages.table(stages.Stages(alone=split, crowded=split, functions={"gather": 7.0}))
    assert "| gather | 10 | 2% | 20 | 20 | 7 |" in told
    assert "| rest of the application | 420 | 70% | 840 | 840 |  |" in told
    assert "| server and event loop | 100 | 17% |" in told


async def test_stopwatches_measure_and_hand_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(staged.sums, "open", staged.Sum())

    async def opened(value: int, *, more: int) -> int:
        await asyncio.sleep(0)
        return value + more

    assert await staged._timed(opened, "open")(1, more=2) == 3
    assert staged._timed(lambda value: value, "open")(4) == 4
    kept = staged.sums["open"]
    assert kept.calls == 2
    assert 0 < kept.cpu <= kept.wall


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.05, "Others took 5% of the machine in the median reading, 5% at most."), (0.5, "too much for the ratios")],
)
def test_a_run_says_how_much_of_the_machine_others_took(share: float, said: str) -> None:
    others = share * 10 * (os.cpu_count() or 1)
    assert said in tables.neighbours([Round(readings={"floor": reading("floor", 10, others=others)})])


def test_processor_time_is_that_of_the_process_and_its_children() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\ninput()"
    before, busy = cost.spent_by_tree(os.getpid()), cost.machine_busy()
    worked = cost.worked_by_tree(os.getpid())
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"burnt\n"
        assert cost.spent(child.pid) >= 0.18
        assert cost.machine_busy() - busy >= 0.18
        assert cost.worked_by_tree(os.getpid()) - worked >= 0.18
        assert cost.spent_by_tree(os.getpid()) - before >= 0.18
        child.communicate(b"\n")
    assert cost.spent_by_tree(os.getpid()) - before >= 0.18


def test_a_sequential_scan_is_found_wherever_it_is_in_a_plan(tmp_path: Path) -> None:
    plan = {
        "Query Text": "select 1",
        "Plan": {
            "Node Type": "Aggregate",
            "Plans": [
                {"Node Type": "Index Scan", "Relation Name": "subject"},
                {"Node Type": "Append", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "entry_202601"}]},
            ],
        },
    }
    log = tmp_path / "postgres.log"
    log.write_text(f"earlier\nLOG:  duration: 1 ms  plan:\n{json.dumps(plan, indent=1)}\nLOG:  other\n")
    assert [list(plans.scanned(one)) for one in plans.logged(log, 0)] == [["entry_202601"]]
    assert plans.logged(log, log.stat().st_size) == []


def test_sizes_grow_tenfold_up_to_the_one_asked_for() -> None:
    assert scale.sizes(1_000_000) == [10_000, 100_000, 1_000_000]
    assert scale.sizes(10_000) == [10_000]


def test_a_run_replaces_only_its_own_tables_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "bench.md"
    kept.write_text("a\n<!-- one -->\nold\n<!-- end of one -->\nb\n<!-- two -->\nother\n<!-- end of two -->\n")
    monkeypatch.setattr(page, "PAGE", kept)
    page.write("one", "new\nlines")
    assert kept.read_text() == (
        "a\n<!-- one -->\nnew\nlines\n<!-- end of one -->\nb\n<!-- two -->\nother\n<!-- end of two -->\n"
    )
    with pytest.raises(ValueError, match="no marks of three"):
        page.write("three", "")


@pytest.mark.parametrize("name", ["bench", "bench-scale"])
def test_the_page_has_a_place_for_each_run(name: str) -> None:
    assert f"<!-- {name} -->\n" in page.PAGE.read_text(encoding="utf-8")
    assert f"\n<!-- end of {name} -->" in page.PAGE.read_text(encoding="utf-8")


SMALL = {
    "BENCH_ROUNDS": "1",
    "BENCH_SECONDS": "0.3",
    "BENCH_PEOPLE": "30",
    "BENCH_CONNECTIONS": "4",
    "BENCH_BLOCKS": "3",
    "BENCH_CALLS": "10",
    "BENCH_APPENDS": "5",
    "BENCH_REFUSALS": "3",
}


def played(module: str, **settings: str) -> Any:
    root = page.PAGE.parents[1]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root / 'tests'}"}
    command = [sys.executable, "-m", module, "--json"]
    done = subprocess.run(
        command, env=environment | SMALL | settings, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_short_run_disposes_of_every_answer_and_every_stage() -> None:
    report = played("bench.run", BENCH_ARMS="floor,naive,sauma")
    (one,) = report["rounds"]
    assert list(one["readings"]) == ["floor", "naive", "sauma"]
    for reading in one["readings"].values():
        assert reading["result"]["answers"] == reading["rows"] > 0
    sizes = [reading["result"]["size"] for reading in one["readings"].values()]
    assert max(sizes) < 1.1 * min(sizes)
    alone = report["stages"]["alone"]
    assert {kept["calls"] for kept in alone["stages"].values()} == {alone["reading"]["result"]["answers"]}
    assert report["stages"]["functions"].keys() == {"gather", "append", "read"}
    doors = report["doors"]
    assert {name: list(blocks) for name, blocks in doors.items()} == {
        "noop": ["bare", "authenticated", "in the envelope"],
        "append": ["alone", "with claims"],
        "append_inside": ["alone", "with claims"],
        "refused": ["wrong key", "unknown client", "unknown kid"],
    }
    assert {len(each) for blocks in doors.values() for each in blocks.values()} == {3}
    assert min(took for blocks in doors.values() for each in blocks.values() for took in each) > 0


@pytest.mark.slow
def test_a_short_run_over_two_sizes_clones_what_the_schema_has_and_finds_a_scan_made_on_purpose() -> None:
    report = played("bench.scale", SCALE="12000")
    assert [size["records"] for size in report["sizes"].values()] == [10_000, 12_000]
    assert all(size["entries"] > 0.9 * size["records"] for size in report["sizes"].values())
    assert (report["scans"], report["control"]) == ([], ["record"])
    assert report["plans"] > 0
