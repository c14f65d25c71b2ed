"""The application's outer layer: request ids, headers of every answer, one log line a request, and refused callers."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from sauma.exchange.append import CallerChanged, ProofReplayed, Refused
from sauma.exchange.record import receipt_member
from sauma.web.context import Challenged, Edge, edge_of, guard
from sauma.web.gate import DEPOSITS_LIMIT
from sauma.web.logs import Log, duration_class
from sauma.web.problems import LastResort, ProblemWriter
from sauma.web.routes import cases, inspection, matters, public, records, tokens

ROUTES = (*public.ROUTES, *tokens.ROUTES, *cases.ROUTES, *matters.ROUTES, *records.ROUTES, *inspection.ROUTES)

API_VERSION = "1.0.0"


class Envelope:
    """The one middleware: a request id in and out, fixed headers, and one line about how the request ended."""

    def __init__(self, app: ASGIApp, *, log: Log, new_id: Callable[[], uuid.UUID], clock: Callable[[], float]) -> None:
        self._app = app
        self._log = log
        self._new_id = new_id
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = str(self._new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        began = self._clock()
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"sauma-request-id", request_id.encode()),
                    (b"api-version", API_VERSION.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        finally:
            self._tell(scope, status, (self._clock() - began) * 1000)

    def _tell(self, scope: Scope, status: int, milliseconds: float) -> None:
        caller = scope.get("state", {}).get("caller")
        keys: dict[str, object] = {
            "requestId": scope["state"]["request_id"],
            "route": str(scope.get("path_template") or "unmatched"),
            "method": str(scope.get("method", "")),
            "status": status,
            "durationClass": duration_class(milliseconds),
        }
        if caller is not None:
            keys |= {"organisation": caller.organisation, "client": caller.client.id}
        self._log.info("request-finished", **keys)


def application(edge: Edge, *, log: Log, new_id: Callable[[], uuid.UUID]) -> ASGIApp:
    """The ASGI application over the given parts."""
    writer = ProblemWriter(edge.problem_texts, public_url=edge.public_url, log=log, new_id=new_id)
    answers = writer.exception_map() | {
        Challenged: _challenged,
        Refused: _refused(writer),
        CallerChanged: _token_gone,
        ProofReplayed: _proof_gone,
    }
    app = Litestar(
        route_handlers=list(ROUTES),
        guards=[guard],
        exception_handlers=answers,
        openapi_config=None,
        logging_config=None,
        state=State({"edge": edge}),
        request_max_body_size=DEPOSITS_LIMIT + 1,
        debug=False,
    )
    return LastResort(Envelope(app, log=log, new_id=new_id, clock=time.perf_counter), log=log)


def _challenged(_: Request[Any, Any, Any], error: Challenged) -> Response[bytes]:
    return Response(
        msgspec.json.encode(error.body),
        status_code=error.status,
        media_type="application/json",
        headers={name: value for name, value in error.headers if name.lower() != "content-type"},
    )


def _token_gone(request: Request[Any, Any, Any], _: CallerChanged) -> Response[bytes]:
    return _challenged(request, edge_of(request).token_challenge("invalid_token"))


def _proof_gone(request: Request[Any, Any, Any], _: ProofReplayed) -> Response[bytes]:
    return _challenged(request, edge_of(request).token_challenge("invalid_dpop_proof"))


def _refused(writer: ProblemWriter) -> Callable[[Request[Any, Any, Any], Refused], Response[bytes]]:
    def answer(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
        receipt = receipt_member(edge_of(request).world, error.receipt.entry, error.receipt.leaf_hash)
        response = writer.response(request, error.code, pointers=error.pointers, receipt=receipt)
        if error.code == "scope-missing":
            challenge = edge_of(request).token_challenge("insufficient_scope")
            response.headers |= {k: v for k, v in challenge.headers if k.lower() == "www-authenticate"}
        return response

    return answer
