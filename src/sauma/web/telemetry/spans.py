"""One OpenTelemetry span a request, where `SAUMA_OTEL_ENDPOINT` asks for them; imported only then.

A span says what a log line says, and how long it took: method, route template, status, purpose, problem code. Its ids
are those of the log line, the answer's `traceparent` and the ledger's payload. An export that fails loses its spans
and never touches a request: a thread of the library's sends them.
"""

from collections.abc import Callable
from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from sauma.web.telemetry.tracing import Finished, Trace

EXPORT_SECONDS = 3.0
"""How long one export may take with its retries; the end of the server waits for two at most."""

ATTRIBUTES = frozenset(
    {"http.request.method", "http.route", "http.response.status_code", "sauma.purpose", "error.type"}
)
"""Every attribute a span may carry."""


class Spans:
    """The watcher that makes the spans of one worker; to be made in it, as its thread survives no fork.

    `epoch` is the time in nanoseconds since 1970.
    """

    def __init__(self, endpoint: str, *, version: str, epoch: Callable[[], int]) -> None:
        self._ids = _Ids()
        self._epoch = epoch
        self._provider = TracerProvider(
            sampler=sampling.ParentBased(sampling.ALWAYS_ON),
            resource=Resource({"service.name": "sauma", "service.version": version}),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sauma", version)

    def began(self) -> None:
        """Nothing yet: a span is made whole at the end, when the route is known."""

    def ended(self, finished: Finished) -> None:
        """One span, where whoever began the trace keeps spans of it."""
        if not finished.trace.sampled:
            return
        end = self._epoch()
        self._ids.trace = finished.trace
        span = self._tracer.start_span(
            f"{finished.method} {finished.route}",
            context=_parent(finished.trace),
            kind=SpanKind.SERVER,
            attributes=attributes(finished),
            start_time=end - int(finished.seconds * 1_000_000_000),
        )
        if _failed(finished):
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def close(self) -> None:
        """Send what is left; blocks for a few seconds where nobody takes it."""
        self._provider.shutdown()


class _Ids(IdGenerator):
    """Hands out the ids of the request whose span is being made."""

    def __init__(self) -> None:
        self.trace = Trace(trace_id="", span_id="", parent_id=None, sampled=False)

    def generate_trace_id(self) -> int:
        return int(self.trace.trace_id, 16)

    def generate_span_id(self) -> int:
        return int(self.trace.span_id, 16)


def attributes(finished: Finished) -> dict[str, str | int]:
    """What a span says (OpenTelemetry's conventions for HTTP servers), each member of a closed set."""
    said: dict[str, str | int] = {"http.request.method": finished.method, "http.route": finished.route}
    if finished.status:
        said["http.response.status_code"] = finished.status
    if finished.purpose is not None:
        said["sauma.purpose"] = finished.purpose
    if _failed(finished) or finished.problem is not None:
        said["error.type"] = finished.problem or str(finished.status or "unanswered")
    return said


def _failed(finished: Finished) -> bool:
    return not finished.status or finished.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _parent(trace: Trace) -> Context:
    if trace.parent_id is None:
        return Context()
    span = SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(span), Context())
