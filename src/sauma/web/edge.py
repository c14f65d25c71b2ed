"""The application's outer layer: request ids, headers of every answer, one log line a request, and refused callers."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from sauma.core.parties import CONTEXTS, FRESH_SECONDS
from sauma.exchange.append import CallerChanged, ProofReplayed, Refused, StepUp
from sauma.exchange.record import receipt_member
from sauma.web.carrier import traceparent_of
from sauma.web.context import Challenged, Edge, caller_of, edge_of, guard
from sauma.web.gate import DEPOSITS_LIMIT, BoundedRequest
from sauma.web.logs import Log
from sauma.web.problems import LastResort, ProblemWriter
from sauma.web.routes import cases, documents, inspection, matters, public, records, tokens
from sauma.web.telemetry.tracing import REFUSED, Endings, Vocabulary, Watcher
from sauma.web.traffic import Traffic, Visit

ROUTES = (
    *public.ROUTES,
    *documents.ROUTES,
    *tokens.ROUTES,
    *cases.ROUTES,
    *matters.ROUTES,
    *records.ROUTES,
    *inspection.ROUTES,
)

API_VERSION = "1.0.0"


class Envelope:
    """The one middleware: a request id in and out, fixed headers, and one line about how the request ended."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        traffic: Traffic,
        endings: Endings,
        new_id: Callable[[], uuid.UUID],
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._traffic = traffic
        self._endings = endings
        self._new_id = new_id
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = str(self._new_id())
        visit = Visit(self._traffic, receive)
        scope.setdefault("state", {}).update(request_id=request_id, visit=visit)
        scope["state"]["traceparent"] = traceparent = traceparent_of(scope["headers"], request_id)
        began = self._clock()
        self._endings.began()
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                visit.leave()
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"sauma-request-id", request_id.encode()),
                    (b"traceparent", traceparent.encode()),
                    (b"api-version", API_VERSION.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *self._traffic.lines(scope),
                    *_nonce_line(scope),
                ]
            await send(message)

        try:
            await self._app(scope, visit.receive, stamped)
        finally:
            visit.leave()
            self._endings.ended(scope, status, self._clock() - began)


def application(
    edge: Edge, *, log: Log, new_id: Callable[[], uuid.UUID], watchers: tuple[Watcher, ...] = ()
) -> ASGIApp:
    """The ASGI application over the given parts; `watchers` are told how each request ended."""
    writer = ProblemWriter(edge.problem_texts, public_url=edge.public_url, log=log, new_id=new_id)
    answers = writer.exception_map() | {
        Challenged: _challenged(writer),
        Refused: _refused(writer),
        StepUp: _step_up(writer),
        CallerChanged: _credentials_gone(writer, "invalid_token"),
        ProofReplayed: _credentials_gone(writer, "invalid_dpop_proof"),
    }
    app = Litestar(
        route_handlers=list(ROUTES),
        guards=[guard],
        exception_handlers=answers,
        openapi_config=None,
        logging_config=None,
        state=State({"edge": edge}),
        request_class=BoundedRequest,
        request_max_body_size=DEPOSITS_LIMIT + 1,
        debug=False,
    )
    endings = Endings(log, vocabulary(app, edge), watchers)
    envelope = Envelope(app, traffic=edge.traffic, endings=endings, new_id=new_id, clock=time.perf_counter)
    return LastResort(envelope, log=log)


def vocabulary(app: Litestar, edge: Edge) -> Vocabulary:
    """The routes and purposes there are."""
    routes = frozenset(route.path_format for route in app.routes)
    return Vocabulary(routes=routes, purposes=frozenset(edge.world.catalogue.purposes))


def _nonce_line(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """The nonce of the next proof, for a caller that needs one and was let in (RFC 9449 section 9)."""
    nonce = scope["state"].get("nonce")
    return () if nonce is None else ((b"dpop-nonce", nonce.encode()),)


def _challenged(writer: ProblemWriter) -> Callable[[Request[Any, Any, Any], Challenged], Response[bytes]]:
    def answer(request: Request[Any, Any, Any], error: Challenged) -> Response[bytes]:
        request.scope["state"].update(challenge=error.body.get("error", "none"), reason=error.reason)
        response = writer.challenge(request, error.status, error.body)
        response.headers |= {name: value for name, value in error.headers if name.lower() != "content-type"}
        return response

    return answer


def _credentials_gone(writer: ProblemWriter, error: str) -> Callable[[Request[Any, Any, Any], Any], Response[bytes]]:
    challenged = _challenged(writer)
    reason = {"invalid_token": "caller-changed", "invalid_dpop_proof": "proof-replayed"}[error]

    def answer(request: Request[Any, Any, Any], _: CallerChanged | ProofReplayed) -> Response[bytes]:
        answered = challenged(request, edge_of(request).token_challenge(error, {}))
        request.scope["state"]["reason"] = reason
        return answered

    return answer


def _refused(writer: ProblemWriter) -> Callable[[Request[Any, Any, Any], Refused], Response[bytes]]:
    def answer(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
        request.scope["state"]["outcome"] = REFUSED
        receipt = receipt_member(edge_of(request).world, error.receipt.entry, error.receipt.leaf_hash)
        response = writer.response(request, error.code, pointers=error.pointers, receipt=receipt)
        if error.code == "scope-missing":
            challenge = edge_of(request).token_challenge("insufficient_scope", _missing_scope(request))
            response.headers |= {k: v for k, v in challenge.headers if k.lower() == "www-authenticate"}
        return response

    return answer


def _missing_scope(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The first of the route's scopes that the token lacks (RFC 6750 section 3), none where it lacks something else."""
    opt = request.route_handler.opt
    stated = [str(opt[name]) for name in ("scope", "or_scope") if name in opt]
    held = caller_of(request).scopes
    missing = [scope for scope in stated if scope not in held]
    return {"scope": missing[0]} if missing else {}


def _step_up(writer: ProblemWriter) -> Callable[[Request[Any, Any, Any], StepUp], Response[bytes]]:
    def answer(request: Request[Any, Any, Any], error: StepUp) -> Response[bytes]:
        edge, state = edge_of(request), request.scope["state"]
        wanted = {"acr_values": " ".join(CONTEXTS), "max_age": str(FRESH_SECONDS)}
        said = edge.token_challenge("insufficient_user_authentication", wanted)
        state["outcome"], state["challenge"] = REFUSED, said.body["error"]
        receipt = receipt_member(edge.world, error.receipt.entry, error.receipt.leaf_hash)
        response = writer.challenge(request, said.status, said.body, receipt=receipt)
        response.headers |= {name: value for name, value in said.headers if name.lower() != "content-type"}
        return response

    return answer
