"""Metrics: how much is exchanged, and never between whom or about whom, whatever a caller sends."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as at_most
from hypothesis import strategies as st
from prometheus_client import generate_latest

import canary
from asks import P01
from databases import Database
from docs import pages
from live import Live
from sauma.catalogue.loader import load
from sauma.cli import VERSION, listening
from sauma.core.errors import StartRefused
from sauma.oauth import resource, server
from sauma.settings import from_environment
from sauma.web.edge import ROUTES
from sauma.web.telemetry.metrics import BUCKETS, COUNTERS, GAUGES, HISTOGRAMS, MEASURES, Metrics, closed_labels
from sauma.web.telemetry.tracing import CHALLENGES, OTHER, TOKEN_OUTCOMES, UNKNOWN, UNMATCHED, Vocabulary
from watched import Watched, free_port, samples

ROOT = Path(__file__).parents[2]
PATHS = frozenset(re.sub(r":[a-z]+\}", "}", path) for route in ROUTES for path in route.paths)
VOCABULARY = Vocabulary(routes=PATHS, purposes=frozenset(load().purposes))
CLOSED = closed_labels(VOCABULARY, version=VERSION)
EDGES = {*(str(float(edge)) for edge in BUCKETS), "+Inf"}
PERSONAL = re.compile("[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Ya-y]|[0-9a-f]{8}(-[0-9a-f]{4}){3}|[0-9]{7}-[0-9]")


def strays(text: str) -> list[tuple[str, dict[str, str]]]:
    """The samples with a name, a label or a value that is in no closed set."""
    found = []
    for name, labels in samples(text):
        family = re.sub("_(bucket|sum|count)$", "", name)
        allowed = dict(CLOSED.get(family, {})) | ({"le": EDGES} if name.endswith("_bucket") else {})
        if (
            family not in MEASURES
            or {n for n, _ in labels} != allowed.keys()
            or any(v not in allowed[n] for n, v in labels)
        ):
            found.append((name, dict(labels)))
    return found


def test_every_label_of_every_sample_is_of_a_closed_set(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    text = watched.text()
    assert strays(text) == []
    assert {re.sub("_(bucket|sum|count)$", "", name) for name, _ in samples(text)} == MEASURES.keys() - {
        "sauma_shed_total"
    }


STRAYS = {
    "a metric nobody knows": "sauma_people 1",
    "a label nobody knows": 'sauma_in_flight{organisation="0246246-0"} 1',
    "a value nobody knows": 'sauma_problems_total{code="010594Y9032"} 1',
    "a label missing": "sauma_requests_total 1",
}


@pytest.mark.parametrize("line", STRAYS.values(), ids=STRAYS)
def test_the_check_of_labels_does_see(line: str) -> None:
    assert strays(line + "\n")


def test_the_page_lists_every_metric_with_its_kind_and_labels() -> None:
    rows = pages.table((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), "metric")
    kinds = dict.fromkeys(COUNTERS, "counter") | dict.fromkeys(GAUGES, "gauge") | dict.fromkeys(HISTOGRAMS, "histogram")
    assert [(name.strip("`"), kind, pages.codes(labels), meaning) for name, kind, labels, meaning in rows] == [
        (name, kinds[name], list(CLOSED[name]), meaning) for name, meaning in MEASURES.items()
    ]


def test_nobody_is_in_the_metrics(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    text = watched.text()
    hetus = frozenset(marker.lower().encode() for marker in watched.markers | watched.live.told.texts)
    assert canary.hits(text.encode(), hetus) == set()
    assert [marker for marker in watched.markers | watched.live.told.texts if marker.lower() in text.lower()] == []
    assert PERSONAL.search(text) is None
    assert PERSONAL.search(f'{text}sauma_in_flight{{case="010594Y9032"}} 1') is not None


ROWS = {
    "a disclosure": ("sauma_decisions_total", {"purpose": P01, "outcome": "disclosed"}, 2),
    "nothing to disclose": ("sauma_decisions_total", {"purpose": P01, "outcome": "nothing-disclosable"}, 1),
    "a refusal": ("sauma_decisions_total", {"purpose": P01, "outcome": "refused"}, 1),
    "a refusal under no purpose of ours": ("sauma_decisions_total", {"purpose": UNKNOWN, "outcome": "refused"}, 1),
    "its code": ("sauma_problems_total", {"code": "purpose-unknown"}, 1),
    "an ambiguous body": ("sauma_problems_total", {"code": "malformed-json"}, 1),
    "a path of nobody's": ("sauma_requests_total", {"route": UNMATCHED, "method": "GET", "status": "404"}, 1),
    "a method of nobody's": (
        "sauma_requests_total",
        {"route": UNMATCHED, "method": "PATCH", "status": "405"},
        1,
    ),
    "a bad form": ("sauma_token_requests_total", {"outcome": "unsupported_grant_type"}, 1),
    "a bad token": ("sauma_challenges_total", {"error": "invalid_token"}, 1),
    "the version": ("sauma_build_info", {"version": VERSION}, 1),
    "pool": ("sauma_db_pool_size", {}, 1),
}


@pytest.mark.parametrize("row", ROWS)
def test_it_is_counted(watched: Watched, journeyed: dict[str, httpx.Response], row: str) -> None:
    name, labels, least = ROWS[row]
    assert watched.value(name, **labels) >= least


def test_fields_that_left_are_counted_and_those_withheld_are_not(
    watched: Watched, journeyed: dict[str, httpx.Response]
) -> None:
    before = watched.value("sauma_fields_disclosed_total", purpose=P01)
    system, hetu = watched.live.system("pirha"), watched.live.client_of_both()
    answer = system.query(hetu, system.open_matter(hetu), fields=["decision.amount", "calculation.result"]).json()
    assert sum(len(record["fields"]) for record in answer["records"]) == 2
    assert watched.value("sauma_fields_disclosed_total", purpose=P01) == before + 2


def test_who_asks_for_a_thousand_things_makes_no_series(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    before = watched.samples().keys()
    with httpx.Client(base_url=watched.live.url) as attacker:
        for number in range(1000):
            method = ("GET", "PUT", "DELETE", "REPORT", "MKCOL")[number % 5]
            attacker.request(method, f"/{uuid.uuid4()}/v1/case-queries/{number}", headers={"traceparent": str(number)})
    added = {
        (name, dict(labels)["method"]) for name, labels in watched.samples().keys() - before if "route" in dict(labels)
    }
    assert {method for _, method in added} <= {"PUT", "DELETE", OTHER}
    assert watched.value("sauma_requests_total", route=UNMATCHED, method=OTHER, status="404") == 400


words = st.text(max_size=20) | st.sampled_from(["/v1/case-queries", "GET", P01, "disclosed", "issued"])


@at_most(max_examples=50, deadline=None)
@given(path=words, method=words, status=st.integers(), noted=st.dictionaries(
    st.sampled_from(["problem", "challenge", "token", "purpose", "outcome", "fields"]), words | st.integers(), max_size=6
))  # fmt: skip
def test_whatever_a_request_was_its_end_is_told_in_closed_words(
    path: str, method: str, status: int, noted: dict[str, object]
) -> None:
    state = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", **noted}
    scope: Any = {"path_template": path, "method": method, "state": state, "headers": []}
    finished = VOCABULARY.finished(scope, status, 0.01)
    metrics = Metrics(version=VERSION)
    metrics.began()
    metrics.ended(finished)
    assert strays(generate_latest(metrics.registry).decode()) == []


def test_the_closed_sets_are_those_of_the_parts_that_speak() -> None:
    assert frozenset(server.ERROR_TEXTS) | {"issued"} == TOKEN_OUTCOMES
    assert frozenset(resource.ERROR_TEXTS) | {"none"} == CHALLENGES


def test_time_is_told_in_steps(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    told = {labels: value for (name, labels), value in watched.samples().items() if name == "sauma_request_seconds_sum"}
    assert told
    assert all(abs(value / 0.005 - round(value / 0.005)) < 1e-6 for value in told.values())


ELSEWHERE = {"another path": ("GET", "/", 404), "another method": ("POST", "/metrics", 405)}


@pytest.mark.parametrize("row", ELSEWHERE)
def test_nothing_else_is_at_that_port(watched: Watched, row: str) -> None:
    method, path, status = ELSEWHERE[row]
    answer = httpx.request(method, watched.metrics.removesuffix("/metrics") + path)
    assert (answer.status_code, answer.content, "server" in answer.headers) == (status, b"", False)


def test_the_api_serves_no_metrics(watched: Watched) -> None:
    assert httpx.get(f"{watched.live.url}/metrics").status_code == 404


@pytest.fixture(scope="module")
def crew(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Two workers, over files that a server before them left behind."""
    live = Live(database, tmp_path_factory.mktemp("crew"))
    live.register()
    port = free_port()
    left = live.home / "sauma" / f"metrics-{port}"
    left.mkdir(mode=0o755, parents=True)
    (left / "counter_1.db").write_bytes(b"left behind by a server that was killed")
    try:
        live.start(SAUMA_METRICS_PORT=str(port), SAUMA_WORKERS="2")
        yield Watched(live, f"http://127.0.0.1:{port}/metrics", None)  # type: ignore[arg-type]  # no spans here
    finally:
        live.stop()


def workers_of(crew: Watched) -> list[int]:
    assert crew.live._process is not None
    children = Path(f"/proc/{crew.live._process.pid}/task/{crew.live._process.pid}/children").read_text()
    own = (int(child) for child in children.split())
    return [pid for pid in own if b"sequence" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


def each_answers(crew: Watched, asked: int) -> None:
    """Requests over connections of their own, so that every worker gets some."""
    for _ in range(asked):
        assert httpx.get(f"{crew.live.url}/health/live").status_code == 200


def test_several_workers_are_counted_as_one(crew: Watched) -> None:
    before = crew.value("sauma_requests_total", route="/health/live", method="GET", status="200")
    each_answers(crew, 40)
    assert crew.value("sauma_requests_total", route="/health/live", method="GET", status="200") == before + 40
    assert strays(crew.text()) == []
    assert crew.value("sauma_build_info", version=VERSION) == 1
    assert crew.value("sauma_in_flight") == 0


def test_the_files_they_count_in_are_this_users_only(crew: Watched) -> None:
    each_answers(crew, 1)
    (folder,) = (crew.live.home / "sauma").glob("metrics-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {int(re.findall("[0-9]+", path.name)[-1]) for path in folder.glob("*.db")} <= set(workers_of(crew))


def test_what_a_dead_worker_held_is_no_longer_held_and_what_it_counted_is(crew: Watched) -> None:
    each_answers(crew, 20)
    counted = crew.value("sauma_requests_total", route="/health/live", method="GET", status="200")
    pooled = crew.value("sauma_db_pool_size")
    victim, _ = workers_of(crew)
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while crew.value("sauma_db_pool_size") >= pooled and time.monotonic() < deadline:
        continue
    assert crew.value("sauma_db_pool_size") < pooled
    assert crew.value("sauma_requests_total", route="/health/live", method="GET", status="200") == counted


def test_the_port_is_taken_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = from_environment({"SAUMA_METRICS_PORT": str(other.getsockname()[1])})
        with pytest.raises(StartRefused, match="SAUMA_METRICS_PORT: taken"), listening.listen_for_metrics(settings):
            pytest.fail("another listens there")


def test_without_the_setting_there_is_no_port_and_no_library() -> None:
    with listening.listen_for_metrics(from_environment({})) as none:
        assert none is None
    look = "import sauma.app, sys; print(*(m for m in sys.modules if m.startswith(('prometheus', 'opentelemetry'))))"
    done = subprocess.run(
        [sys.executable, "-c", look],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
