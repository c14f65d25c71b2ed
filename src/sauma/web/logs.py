"""JSON lines about the running of the server: a closed set of events and keys, and nothing about any person.

What is not in `EVENTS` is not written: an unknown event becomes `log-refused`, an unknown key is dropped and counted,
a value that is not of its key's form becomes `withheld` (attacks S-12, S-23, S-24). No exception message, no local
variable and no raw path ever reaches a line; library messages are reduced to the name of their logger.
Every line ends in the first 16 hex digits of the SHA-256 of the rest of it, so that a forged line is noticed.
"""

import functools
import hashlib
import logging
import re
import sys
import uuid
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Protocol

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from sauma.core.people import looks_like_hetu

EVENTS: MappingProxyType[str, frozenset[str]] = MappingProxyType(
    {
        event: frozenset(keys.split())
        for event, keys in {
            "server-started": "version environment port workers",
            "server-stopped": "version environment",
            "request-finished": "requestId traceId route method status durationClass code reason organisation client",
            "problem-answered": "requestId traceId instance route method status code",
            "internal-error": "requestId traceId instance route method status errorClass module line",
            "seal-refused": "requestId traceId instance route method status errorClass module line",
            "dependency-unavailable": "requestId traceId instance route method status code",
            "last-resort": "errorClass module line",
            "issuer-keys-unusable": "errorClass module line",
            "remote-keys-unusable": "code origin",
            "library-message": "logger",
            "log-refused": "dropped",
        }.items()
    }
)
"""Every event that may be written, with the keys it may carry."""

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WORD = "[a-z0-9][a-z0-9-]{0,63}"
_FORMS = {
    key: re.compile(form)
    for key, form in {
        "requestId": _UUID,
        "traceId": "[0-9a-f]{32}",
        "instance": _UUID,
        "route": r"/[A-Za-z{}_/.-]{0,100}|/v1(/[A-Za-z{}_.-]{1,40}){0,8}|unmatched",
        "method": "[A-Z]{1,10}",
        "durationClass": _WORD,
        "code": _WORD,
        "reason": _WORD,
        "origin": "https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?",
        "environment": _WORD,
        "version": "[0-9A-Za-z.+-]{1,30}",
        "organisation": "[0-9]{7}-[0-9]",
        "client": "[A-Za-z0-9._:-]{1,64}",
        "errorClass": "[A-Za-z_][A-Za-z0-9_.]{0,100}",
        "module": "[A-Za-z_][A-Za-z0-9_.]{0,100}",
        "logger": "[A-Za-z_][A-Za-z0-9_.]{0,100}",
    }.items()
}
_NUMBERS = frozenset({"status", "line", "port", "workers", "dropped"})
_RECURRING = frozenset({"route", "method", "durationClass", "code", "organisation", "client"})
_LARGEST_NUMBER = 10**9
_SUM_DIGITS = 16
_WITHHELD = "withheld"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z$"
_SUM_OPENING = b',"sum":"'
_DURATION_CLASSES = ((10, "under-10-ms"), (50, "under-50-ms"), (250, "under-250-ms"), (1000, "under-1-s"))


class Log(Protocol):
    """What this package asks of a logger: an event of `EVENTS` at a level, with its keys."""

    def info(self, event: str, **keys: object) -> object:
        """Something expected."""

    def warning(self, event: str, **keys: object) -> object:
        """Something an operator may want to look at."""

    def error(self, event: str, **keys: object) -> object:
        """Something an operator must look at."""


def configure(level: int = logging.INFO, *, stream: BinaryIO | None = None) -> None:
    """Send our events and the names of library messages to `stream` (standard error) as JSON lines."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _only_known,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stderr.buffer),
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [_LibraryNames(level=logging.WARNING)]
    root.setLevel(logging.WARNING)


def get_log() -> Log:
    """The logger of the running server, as `configure` has last set it up."""
    log: Log = structlog.get_logger().bind()
    return log


def duration_class(milliseconds: float) -> str:
    """How long something took, coarse enough to tell nothing about the person asked for (fault list, finding 9)."""
    return next((name for limit, name in _DURATION_CLASSES if milliseconds < limit), "over-1-s")


def trace_id(state: Mapping[str, object]) -> str | None:
    """The trace a request belongs to, as the state of its scope names it: 32 hex digits."""
    traceparent = state.get("traceparent")
    return None if traceparent is None else str(traceparent).split("-")[1]


def error_origin(error: BaseException) -> dict[str, object]:
    """Class of an exception and module and line it was raised at, as log keys; never its message or locals."""
    kind = type(error)
    module, line = "unknown", 0
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        module, line = str(frame.tb_frame.f_globals.get("__name__", "unknown")), frame.tb_lineno
        frame = frame.tb_next
    return {"errorClass": f"{kind.__module__}.{kind.__qualname__}", "module": module, "line": line}


def log_schema() -> dict[str, object]:
    """JSON Schema of a line of the log, made of `EVENTS` and the forms of their keys."""
    always: dict[str, object] = {
        "level": {"enum": ["info", "warning", "error"]},
        "at": {"type": "string", "pattern": _MOMENT},
        "sum": {"type": "string", "pattern": f"^[0-9a-f]{{{_SUM_DIGITS}}}$"},
        "dropped": _form("dropped"),
    }
    lines = [
        {
            "title": event,
            "type": "object",
            "properties": {"event": {"const": event}, **{key: _form(key) for key in sorted(keys)}, **always},
            "required": ["event", "level", "at", "sum"],
            "additionalProperties": False,
        }
        for event, keys in EVENTS.items()
    ]
    return {
        "title": "A line of the log",
        "description": "One JSON object a line, its events and keys a closed set. `at` is UTC. `sum` is the beginning "
        "of the SHA-256 of what stands before it. `withheld` stands where a value was not of its key's form.",
        "oneOf": lines,
    }


def _form(key: str) -> dict[str, object]:
    if key in _NUMBERS:
        told: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": _LARGEST_NUMBER}
    else:
        told = {"type": "string", "pattern": f"^(?:{_FORMS[key].pattern})$"}
    return {"anyOf": [told, {"const": _WITHHELD}]}


def verify_line(line: bytes) -> bool:
    """Whether a log line is as it was written."""
    content, opening, rest = line.rstrip(b"\n").rpartition(_SUM_OPENING)
    return bool(opening) and rest == _sum(content) + b'"}'


def _only_known(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    event = event_dict.pop("event", None)
    level = event_dict.pop("level", "info")
    if not isinstance(event, str) or event not in EVENTS:
        return {"event": "log-refused", "level": "error", "dropped": len(event_dict)}
    told: EventDict = {"event": event, "level": level}
    known, dropped = EVENTS[event], 0
    for key, value in event_dict.items():
        if key not in known:
            dropped += 1
        elif value is not None:
            told[key] = _fit(key, value)
    if dropped:
        told["dropped"] = dropped
    return told


def _fit(key: str, value: object) -> str | int:
    if key in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
            return _WITHHELD
        return value
    text = str(value) if isinstance(value, str | uuid.UUID) else ""
    return _judged_before(key, text) if key in _RECURRING else _judged(key, text)


def _judged(key: str, text: str) -> str:
    return text if _FORMS[key].fullmatch(text) and not looks_like_hetu(text) else _WITHHELD


_judged_before = functools.lru_cache(maxsize=1024)(_judged)


def _render(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> bytes:
    content = msgspec.json.encode(event_dict)[:-1]
    return content + _SUM_OPENING + _sum(content) + b'"}'


def _sum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_SUM_DIGITS].encode()


class _LibraryNames(logging.Handler):
    """Takes messages of the standard library's logging and writes only which logger spoke, and how loudly."""

    def emit(self, record: logging.LogRecord) -> None:
        log = get_log()
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell("library-message", logger=record.name)
