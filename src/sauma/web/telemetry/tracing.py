"""What is known of a request when it has ended: its place in a trace (W3C Trace Context) and how it went.

Every text in it comes from a set that is closed before the first request, so that neither a metric nor a span can
hold a path, a query, a header, a person or a case reference, whatever a caller sends (attack S-24).
"""

from collections.abc import Container, Iterable
from http import HTTPStatus
from typing import Protocol

from litestar.types import Scope

from sauma.core.people import Confidential
from sauma.core.problems import STATUS
from sauma.web.logs import Log, duration_class, trace_id

UNMATCHED = "unmatched"
OTHER = "other"
UNKNOWN = "unknown"
DISCLOSED, NOTHING, REFUSED = "disclosed", "nothing-disclosable", "refused"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OUTCOMES = frozenset({DISCLOSED, NOTHING, REFUSED})
TOKEN_OUTCOMES = frozenset(
    {
        "issued",
        "invalid_request",
        "invalid_client",
        "unsupported_grant_type",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "invalid_scope",
        "invalid_target",
        "invalid_authorization_details",
        "unauthorized_client",
    }
)
CHALLENGES = frozenset(
    {
        "none",
        "invalid_request",
        "invalid_token",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "insufficient_scope",
        "insufficient_user_authentication",
    }
)

_STATUSES = frozenset(int(status) for status in HTTPStatus)


class Trace(Confidential, frozen=True, kw_only=True):
    """A request's place in a trace: ids in lower-case hex; `parent_id` is the caller's span, None where it began here.

    `sampled` says whether a span of it is wanted: of what began here always, else as the caller said.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    sampled: bool


def trace_of(traceparent: str, headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """The place the request's own `traceparent` names; `headers` are the caller's, whose span is its parent.

    Whether the caller's header was one at all has been judged where the own one was made (`web/carrier.py`): it was,
    if both are of the same trace.
    """
    _, trace_id, span_id, flags = traceparent.split("-")
    same = b"00-" + trace_id.encode() + b"-"
    parent = next((v[36:52].decode() for n, v in headers if n.lower() == b"traceparent" and v.startswith(same)), None)
    return Trace(trace_id=trace_id, span_id=span_id, parent_id=parent, sampled=parent is None or flags == "01")


class Finished(Confidential, frozen=True, kw_only=True):
    """How a request ended; made by `Vocabulary.finished` only.

    `status` is 0 where nothing was answered. `problem` is a code of ours, `challenge` and `token` what OAuth said,
    `purpose` and `outcome` those of a decision, `fields` how many field values left.
    """

    route: str
    method: str
    status: int
    seconds: float
    trace: Trace
    problem: str | None = None
    challenge: str | None = None
    token: str | None = None
    purpose: str | None = None
    outcome: str | None = None
    fields: int = 0


class Watcher(Protocol):
    """Whoever is told that a request began and how it ended; never raises, never waits."""

    def began(self) -> None:
        """A request has come."""

    def ended(self, finished: Finished) -> None:
        """It has been answered, or given up."""


class Vocabulary(Confidential, frozen=True, kw_only=True):
    """The sets that close at start: route templates as the framework spells them, and the catalogue's purposes."""

    routes: frozenset[str]
    purposes: frozenset[str]

    def finished(self, scope: Scope, status: int, seconds: float) -> Finished:
        """How a request ended; what is noted of it stands in the scope's state under the names of `Finished`."""
        noted = scope["state"]
        fields = noted.get("fields")
        return Finished(
            route=_known(scope.get("path_template"), self.routes, UNMATCHED),
            method=_known(scope.get("method"), METHODS, OTHER),
            status=status if status in _STATUSES else 0,
            seconds=seconds,
            trace=trace_of(noted["traceparent"], scope["headers"]),
            problem=_noted(noted.get("problem"), STATUS, OTHER),
            challenge=_noted(noted.get("challenge"), CHALLENGES, OTHER),
            token=_noted(noted.get("token"), TOKEN_OUTCOMES, OTHER),
            purpose=_noted(noted.get("purpose"), self.purposes, UNKNOWN),
            outcome=_noted(noted.get("outcome"), OUTCOMES, OTHER),
            fields=max(fields, 0) if isinstance(fields, int) else 0,
        )


def _known(value: object, closed: Container[object], otherwise: str) -> str:
    return value if isinstance(value, str) and value in closed else otherwise


def _noted(value: object, closed: Container[object], otherwise: str) -> str | None:
    return None if value is None else _known(value, closed, otherwise)


class Endings:
    """Tells the log and the watchers how each request ended."""

    def __init__(self, log: Log, vocabulary: Vocabulary, watchers: tuple[Watcher, ...]) -> None:
        self._log = log
        self._vocabulary = vocabulary
        self._watchers = watchers

    def began(self) -> None:
        """A request has come."""
        for watcher in self._watchers:
            watcher.began()

    def ended(self, scope: Scope, status: int, seconds: float) -> None:
        """It has been answered with `status`, 0 when not at all."""
        state = scope["state"]
        keys: dict[str, object] = {
            "requestId": state["request_id"],
            "traceId": trace_id(state),
            "route": str(scope.get("path_template") or UNMATCHED),
            "method": str(scope.get("method", "")),
            "status": status,
            "durationClass": duration_class(seconds * 1000),
            "code": state.get("problem"),
            "reason": state.get("reason"),
        }
        caller = state.get("caller")
        if caller is not None:
            keys |= {"organisation": caller.organisation, "client": caller.client.id}
        self._log.info("request-finished", **keys)
        if self._watchers:
            finished = self._vocabulary.finished(scope, status, seconds)
            for watcher in self._watchers:
                watcher.ended(finished)
