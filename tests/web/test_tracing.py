"""Spans: off unless asked for, one a request, in closed words; whoever does not take them is no trouble."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import canary
from databases import Database
from live import Live
from sauma.web.telemetry.spans import ATTRIBUTES
from sauma.web.telemetry.tracing import UNMATCHED, Trace, trace_of
from watched import PARENT, TRACE, Watched, free_port, journey

SERVER_KIND = 2
OWN = "018bcfe568007fffbfffffffffffffff"


def traceparent(trace: str = TRACE, span: str = OWN[16:], flags: str = "01") -> str:
    return f"00-{trace}-{span}-{flags}"


PLACES = {
    "continued and sampled": (traceparent(), traceparent(TRACE, PARENT), Trace(trace_id=TRACE, span_id=OWN[16:], parent_id=PARENT, sampled=True)),
    "continued and not sampled": (traceparent(flags="00"), traceparent(TRACE, PARENT, "00"), Trace(trace_id=TRACE, span_id=OWN[16:], parent_id=PARENT, sampled=False)),
    "begun here": (traceparent(OWN, flags="00"), None, Trace(trace_id=OWN, span_id=OWN[16:], parent_id=None, sampled=True)),
    "begun here because the caller's was not one": (traceparent(OWN, flags="00"), "00-x-y-01", Trace(trace_id=OWN, span_id=OWN[16:], parent_id=None, sampled=True)),
}  # fmt: skip


@pytest.mark.parametrize("row", PLACES)
def test_the_place_in_the_trace(row: str) -> None:
    own, sent, place = PLACES[row]
    headers = [] if sent is None else [(b"traceparent", sent.encode())]
    found = trace_of(own, headers)
    assert (found.trace_id, found.span_id, found.parent_id, found.sampled) == (
        place.trace_id,
        place.span_id,
        place.parent_id,
        place.sampled,
    )


def span_of(watched: Watched, answer: httpx.Response) -> dict[str, object]:
    return watched.receiver.span_of(answer.headers["sauma-request-id"])


SPANS: dict[str, tuple[str, dict[str, object]]] = {
    "disclosed": (
        "POST /v1/case-queries",
        {"http.response.status_code": 200, "sauma.purpose": "county-benefit-case"},
    ),
    "refused": (
        "POST /v1/case-queries",
        {
            "http.response.status_code": 403,
            "sauma.purpose": "county-benefit-case",
            "error.type": "field-not-permitted",
        },
    ),
    "no such purpose": (
        "POST /v1/case-queries",
        {"http.response.status_code": 403, "sauma.purpose": "unknown", "error.type": "purpose-unknown"},
    ),
    "no such path": (f"GET {UNMATCHED}", {"http.response.status_code": 404, "error.type": "not-found"}),
    "no such method": (
        f"PATCH {UNMATCHED}",
        {"http.response.status_code": 405, "error.type": "method-not-allowed"},
    ),
}


@pytest.mark.parametrize("name", SPANS)
def test_a_span_says(watched: Watched, journeyed: dict[str, httpx.Response], name: str) -> None:
    said, attributes = SPANS[name]
    span = span_of(watched, journeyed[name])
    method, _, route = said.partition(" ")
    assert span["name"] == said
    assert span["attributes"] == {"http.request.method": method, "http.route": route, **attributes}
    assert (span["kind"], span["failed"]) == (SERVER_KIND, False)
    assert span["resource"] == {"service.name": "sauma", "service.version": "0.1.0"}


def test_log_answer_and_span_name_the_same_trace(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    answer = journeyed["disclosed"]
    span = span_of(watched, answer)
    lines = [json.loads(line) for line in watched.live.log.read_bytes().splitlines() if line.startswith(b"{")]
    (told,) = (line for line in lines if line.get("requestId") == answer.headers["sauma-request-id"])
    assert (span["trace"], span["parent"], told["traceId"]) == (TRACE, PARENT, TRACE)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{span['span']}-01"
    own = span_of(watched, journeyed["nothing"])
    assert (own["parent"], own["trace"]) == ("", journeyed["nothing"].headers["sauma-request-id"].replace("-", ""))


def test_a_caller_that_keeps_no_spans_gets_none(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    span_of(watched, journeyed["a bad form"])  # it came last: what was to come has come
    unsampled = journeyed["unsampled"].headers["sauma-request-id"].replace("-", "")[16:]
    assert unsampled not in {span["span"] for span in watched.receiver.spans()}


def test_nobody_is_in_the_spans(watched: Watched, journeyed: dict[str, httpx.Response]) -> None:
    span_of(watched, journeyed["a bad form"])
    octets = b"\n".join(watched.receiver.bodies)
    markers = watched.markers | watched.live.told.texts
    hetus = frozenset(marker.lower().encode() for marker in markers)
    assert canary.hits(octets, hetus) == set()
    assert [marker for marker in markers if marker.encode().lower() in octets.lower()] == []
    for span in watched.receiver.spans():
        assert set(span["attributes"]) <= ATTRIBUTES
    planted = octets + next(iter(watched.live.told.texts)).encode()
    assert [marker for marker in markers if marker.encode().lower() in planted.lower()]


def test_the_page_lists_every_attribute() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("### Traces")[2].partition("###")[0]
    assert {line[3:-1] for line in section.splitlines() if line.startswith("- `")} == ATTRIBUTES


def test_a_receiver_that_is_gone_is_no_trouble(database: Database, tmp_path: Path) -> None:
    live = Live(database, tmp_path)
    live.register()
    try:
        live.start(SAUMA_OTEL_ENDPOINT=f"http://127.0.0.1:{free_port()}/v1/traces", OTEL_BSP_SCHEDULE_DELAY="50")
        watched = Watched(live, "", None)  # type: ignore[arg-type]  # nobody receives
        assert journey(watched)["disclosed"].status_code == 200
    finally:
        live.stop()
    assert live._process is not None
    assert live._process.returncode == 0
    lines = [json.loads(line) for line in live.log.read_bytes().splitlines() if line.startswith(b"{")]
    told = [line for line in lines if line["event"] == "library-message"]
    assert {line["logger"].partition(".")[0] for line in told} == {"opentelemetry"}
    assert all(line.keys() == {"event", "level", "logger", "at", "sum"} for line in told)
    assert live.told.found_in(live.log.read_bytes()) == []


def test_asked_for_without_the_packages_the_start_is_refused(tmp_path: Path) -> None:
    """A stand-in for a machine without them: a module of their name that cannot be imported."""
    (tmp_path / "opentelemetry.py").write_text("raise ImportError\n")
    look = (
        "import os, pathlib\n"
        "from sauma.core.errors import StartRefused\n"
        "from sauma.web.telemetry.watch import Wanted, Watch\n"
        "wanted = Wanted(version='1', workers=1, exposing=None, folder=pathlib.Path('x'), endpoint='http://127.0.0.1/v1')\n"
        "try:\n"
        "    Watch(wanted, environment={})\n"
        "except StartRefused as refused:\n"
        "    print(refused.line, refused.exit_code)\n"
    )
    src = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", look],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{src}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == (
        "SAUMA_OTEL_ENDPOINT: OpenTelemetry is not installed; fix: install sauma[otel], or unset it 78\n"
    ), done.stderr
