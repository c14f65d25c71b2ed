"""A server whose metrics are read and whose spans are received, and a journey with everything a caller can plant."""

import http.server
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from asks import PIRHA, WORKER
from live import Live

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WAIT_SECONDS = 30


class Receiver:
    """Takes OTLP/HTTP on a port of this machine and keeps what came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._came = threading.Condition()
        receiver = self

        class Taking(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._came:
                    receiver.bodies.append(body)
                    receiver._came.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def spans(self) -> list[dict[str, Any]]:
        """Every span that came, by OpenTelemetry's own reading of the bytes."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            {
                "name": span.name,
                "kind": span.kind,
                "trace": span.trace_id.hex(),
                "span": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
                "failed": span.status.code == 2,
                "attributes": {a.key: a.value.string_value or a.value.int_value for a in span.attributes},
                "resource": {a.key: a.value.string_value for a in of.resource.attributes},
            }
            for request in requests
            for of in request.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
        ]

    def span_of(self, request_id: str) -> dict[str, Any]:
        """The span of a request, once it has come: the end of its id is the span's."""
        wanted = uuid.UUID(request_id).hex[16:]
        with self._came:
            assert self._came.wait_for(lambda: any(s["span"] == wanted for s in self.spans()), WAIT_SECONDS)
        return next(span for span in self.spans() if span["span"] == wanted)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass
class Watched:
    """A running server, where its metrics are, and what took its spans."""

    live: Live
    metrics: str
    receiver: Receiver
    markers: set[str] = field(default_factory=set)

    def text(self) -> str:
        """The metrics, as a reader gets them."""
        answer = httpx.get(self.metrics)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
        return answer.text

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Each sample's value by its name and labels."""
        return samples(self.text())

    def value(self, name: str, **labels: str) -> float:
        """One sample; 0 where there is none yet."""
        return self.samples().get((name, frozenset(labels.items())), 0)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def journey(watched: Watched) -> dict[str, httpx.Response]:
    """One request of every kind, with a canary wherever a caller can put one."""
    live, marker = watched.live, f"Salanimi{uuid.uuid4().hex[:8]}"
    system, hetu = live.new_system(PIRHA), live.client_of_both()
    reference = system.open_matter(hetu)
    unknown = live.person()
    elsewhere = system.open_matter(unknown)
    named = {"User-Agent": marker, "Referer": f"https://x/{hetu}", "tracestate": f"a={marker}", "baggage": hetu}
    watched.markers |= {marker, hetu, unknown, reference, elsewhere}
    return {
        "disclosed": system.query(hetu, reference, headers={"traceparent": f"00-{TRACE}-{PARENT}-01", **named}),
        "unsampled": system.query(hetu, reference, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}),
        "nothing": system.query(unknown, elsewhere),
        "refused": system.query(hetu, reference, fields=["contact.address"]),
        "no such purpose": system.query(hetu, reference, purpose="purpose-of-mine"),
        "not JSON": system.http.post(
            "/v1/case-queries",
            content=f'{{"{marker}": "{hetu}"'.encode(),
            headers={"Content-Type": "application/json"},
        ),
        "a body that does not fit": system.query(hetu, reference, officer={**WORKER, "name": 7}),
        "unknown query": system.get(f"/v1/disclosures?{marker}={hetu}"),
        "no such path": system.get(f"/v1/{marker}/{hetu}", **named),
        "no such method": httpx.patch(f"{live.url}/v1/case-queries"),
        "nobody": httpx.get(f"{live.url}/v1/disclosures"),
        "a bad token": httpx.get(
            f"{live.url}/v1/disclosures", headers={"Authorization": f"DPoP {marker}", "DPoP": hetu}
        ),
        "a bad form": httpx.post(f"{live.url}/oauth/token", data={"grant_type": marker}),
    }
