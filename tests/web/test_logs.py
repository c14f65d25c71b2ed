"""Log lines: a closed set of events and keys, one line each, and nothing about any person."""

import io
import json
import logging
import pathlib
import uuid
from collections.abc import Iterator

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docs import pages
from live import Live
from sauma.web import logs
from sauma.web.logs import EVENTS, configure, duration_class, error_origin, get_log, log_schema, trace_id, verify_line
from watched import Watched

HETU = "010594Y9032"
MARKER = "Marker7"
ID = uuid.UUID("018bcfe5-6800-7fff-bfff-ffffffffffff")


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    written = io.BytesIO()
    configure(logging.INFO, stream=written)
    yield written
    configure(stream=io.BytesIO())


def lines(stream: io.BytesIO) -> list[dict[str, object]]:
    found = stream.getvalue().splitlines()
    assert all(verify_line(line) for line in found)
    assert all(VALID.is_valid(json.loads(line)) for line in found)
    return [json.loads(line) for line in found]


ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "log-line.json").read_bytes())
VALID = jsonschema.Draft202012Validator(SCHEMA)


def test_a_finished_request(stream: io.BytesIO) -> None:
    get_log().info(
        "request-finished",
        requestId=ID,
        traceId=ID.hex,
        route="/v1/matters/{caseReference}",
        method="PUT",
        status=201,
        durationClass=duration_class(12.0),
        organisation="0246246-0",
        code=None,
    )
    [line] = lines(stream)
    assert line.pop("at")
    assert line.pop("sum")
    assert line == {
        "event": "request-finished",
        "level": "info",
        "requestId": str(ID),
        "traceId": ID.hex,
        "route": "/v1/matters/{caseReference}",
        "method": "PUT",
        "status": 201,
        "durationClass": "under-50-ms",
        "organisation": "0246246-0",
    }


def test_an_unknown_event_is_not_written(stream: io.BytesIO) -> None:
    get_log().info(f"client {HETU}", name=MARKER, status=200)
    [line] = lines(stream)
    assert (line["event"], line["dropped"]) == ("log-refused", 2)
    assert HETU not in stream.getvalue().decode()


def test_an_unknown_key_is_dropped_and_counted(stream: io.BytesIO) -> None:
    get_log().info("server-started", version="1.0", name=MARKER, path=f"/v1/{MARKER}")
    [line] = lines(stream)
    assert line["dropped"] == 2
    assert MARKER not in stream.getvalue().decode()


WITHHELD = {
    "a raw path": ("request-finished", "route", f"/v1/matters/{HETU}"),
    "a path with a record id": ("request-finished", "route", f"/v1/decisions/{ID}"),
    "a path with a query": ("request-finished", "route", "/v1/x?limit=5"),
    "an identity code as client": ("request-finished", "client", "x-010594-9032"),
    "a line break": ("request-finished", "code", 'ok\r\n{"event":"server-stopped"}'),
    "an escape sequence": ("request-finished", "code", "\x1b[31mok"),
    "a line separator": ("request-finished", "code", "a\u2028b"),
    "a final line feed": ("request-finished", "code", "ok\n"),
    "text for a number": ("request-finished", "status", MARKER),
    "a number too large to be a status": ("request-finished", "status", 10_000_000_000),
    "a yes for a number": ("request-finished", "status", True),
    "a list": ("request-finished", "code", [MARKER]),
    "an exception": ("request-finished", "code", ValueError(MARKER)),
    "an identity code at the end of a trace id": ("request-finished", "traceId", "a" * 21 + "010594a9032"),
    "a trace id of another length": ("request-finished", "traceId", "ab" * 15),
    "Finnish letters": ("request-finished", "organisation", "Ämmälä"),
}


@pytest.mark.parametrize(("event", "key", "value"), WITHHELD.values(), ids=WITHHELD)
def test_a_value_of_another_form_is_withheld(stream: io.BytesIO, event: str, key: str, value: object) -> None:
    get_log().info(event, **{key: value})
    [line] = lines(stream)
    assert line[key] == "withheld"


KEYS = sorted({key for keys in EVENTS.values() for key in keys} | {"other", "exc_info", "stack_info"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*EVENTS, "other"]),
    st.dictionaries(
        st.sampled_from(KEYS), st.text(max_size=20) | st.integers() | st.floats() | st.binary(), max_size=5
    ),
)
def test_whatever_is_logged_is_one_whole_line(stream: io.BytesIO, event: str, keys: dict[str, object]) -> None:
    stream.seek(0)
    stream.truncate()
    get_log().warning(event, **keys)
    [line] = lines(stream)
    assert line["event"] in EVENTS
    allowed = EVENTS[str(line["event"])] | {"event", "level", "at", "sum", "dropped"}
    assert line.keys() <= allowed


def test_messages_of_libraries_are_reduced_to_a_name(stream: io.BytesIO) -> None:
    logger = logging.getLogger("asyncpg.pool")
    try:
        int(HETU)
    except ValueError:
        logger.exception("connection of %s", HETU)
    logger.warning("slow: %s", HETU)
    logger.info("not written: %s", HETU)
    found = lines(stream)
    assert [(line["event"], line["logger"], line["level"]) for line in found] == [
        ("library-message", "asyncpg.pool", "error"),
        ("library-message", "asyncpg.pool", "warning"),
    ]
    assert HETU not in stream.getvalue().decode()


def test_the_origin_of_an_error_has_no_text_of_it(stream: io.BytesIO) -> None:
    def culprit(secret: str) -> None:
        raise KeyError(secret)

    try:
        culprit(HETU)
    except KeyError as error:
        get_log().error("internal-error", instance=ID, **error_origin(error))
    [line] = lines(stream)
    assert line["errorClass"] == "builtins.KeyError"
    assert str(line["module"]).endswith("test_logs")
    assert HETU not in stream.getvalue().decode()


def test_a_changed_line_is_noticed(stream: io.BytesIO) -> None:
    get_log().info("server-started", version="1.0", port=8000)
    line = stream.getvalue()
    assert verify_line(line)
    for place in range(len(line) - 1):
        forged = bytearray(line)
        forged[place] ^= 1
        assert not verify_line(bytes(forged)), place
    assert not verify_line(b"{}")


def test_nothing_below_the_level_is_written(stream: io.BytesIO) -> None:
    configure(logging.ERROR, stream=stream)
    get_log().info("server-started", version="1.0")
    get_log().warning("server-started", version="1.0")
    assert stream.getvalue() == b""


@pytest.mark.parametrize(
    ("milliseconds", "name"),
    [(0.1, "under-10-ms"), (10, "under-50-ms"), (249, "under-250-ms"), (999, "under-1-s"), (5000, "over-1-s")],
)
def test_duration_classes(milliseconds: float, name: str) -> None:
    assert duration_class(milliseconds) == name


WRONG = {
    "an event nobody knows": {"event": "secret-told"},
    "a key of another event": {"errorClass": "ValueError"},
    "a key nobody knows": {"name": "Aino"},
    "a raw path": {"route": "/v1/matters/010594Y9032"},
    "a status in words": {"status": "fine"},
    "a level nobody writes": {"level": "debug"},
    "no time": {"at": None},
    "a time of another zone": {"at": "2026-01-15T09:00:00+02:00"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_schema_refuses(stream: io.BytesIO, wrong: dict[str, object]) -> None:
    get_log().info("request-finished", requestId=ID, route="/v1/status", method="GET", status=200)
    [line] = lines(stream)
    assert VALID.is_valid(line)
    assert not VALID.is_valid(line | wrong)


def test_every_event_is_written_somewhere_and_every_form_is_of_a_key() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert [event for event in EVENTS if source.count(f'"{event}"') < 2] == []  # once in the list, once where written
    assert {key for keys in EVENTS.values() for key in keys} == logs._FORMS.keys() | logs._NUMBERS


def test_the_page_lists_every_event_with_its_keys() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = {row[0].strip("`"): frozenset(pages.codes(row[1])) for row in pages.table(page, "event")}
    assert listed == dict(EVENTS)


def test_the_schema_is_the_committed_one() -> None:
    assert {name: value for name, value in SCHEMA.items() if name != "$schema"} == log_schema()


def test_every_line_of_a_running_server_fits(
    live: Live, watched: Watched, journeyed: dict[str, httpx.Response]
) -> None:
    found = [
        json.loads(line)
        for log in (live.log, watched.live.log)
        for line in log.read_bytes().splitlines()
        if line.startswith(b"{")
    ]
    assert [line for line in found if not VALID.is_valid(line)] == []
    assert {"server-started", "request-finished", "problem-answered"} <= {line["event"] for line in found}
    answered = [line for line in found if line["event"] in {"request-finished", "problem-answered"}]
    assert all("traceId" in line for line in answered)
    codes = {line["code"] for line in answered if line["event"] == "request-finished" and line["status"] == 403}
    assert {"field-not-permitted", "purpose-unknown"} <= codes


def test_the_trace_of_a_request_that_has_none_yet() -> None:
    assert trace_id({}) is None
    assert trace_id({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}) == "a" * 32
