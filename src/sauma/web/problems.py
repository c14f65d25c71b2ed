"""The one mapping from errors to answers: `application/problem+json` (RFC 9457), never with input or internal text.

Whatever is raised becomes a code of the closed list. What nobody foresaw becomes `internal` with nothing but an id;
the log line of the same id tells the class and place of the error, not its message (attack S-12).
"""

import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from sauma.core.errors import BadRequest, SealError, Unavailable
from sauma.core.problems import STATUS, ProblemTexts, accepted_language, in_language
from sauma.web.logs import Log, error_origin, trace_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"

ExceptionMap = dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[bytes]]]

_CODE_OF_STATUS = {
    HTTPStatus.BAD_REQUEST: "malformed-json",
    HTTPStatus.FORBIDDEN: "scope-missing",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not-acceptable",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
    HTTPStatus.TOO_MANY_REQUESTS: "rate-limited",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}
TRY_AGAIN = frozenset({"idempotency-key-in-progress", "rate-limited"} | {c for c, s in STATUS.items() if s > 500})  # noqa: PLR2004  # 503 and 504
"""Codes whose answer says after how many seconds the same request may be sent again."""
_NO_CREDENTIALS = "The request shows no credentials."
_LAST_WORDS = b'{"type":"about:blank","title":"Internal error","status":500,"code":"internal"}'


class PointedError(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the request that does not fit, by schema members and indexes."""

    pointer: str
    code: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The members of a problem (RFC 9457 section 3 and our extensions).

    `error`, its text and its page stand beside the code where credentials are in a place they may not be in (400,
    RFC 6750). A `pointer` in `errors` is a JSON Pointer into the body; into the request it begins with `/path`,
    `/query` or `/headers`.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    decision_id: str | None = None
    remedy: str | None = None
    errors: tuple[PointedError, ...] = ()
    receipt: dict[str, str] | None = None
    error: str | None = None
    error_description: str | None = msgspec.field(default=None, name="error_description")
    error_uri: str | None = msgspec.field(default=None, name="error_uri")


class CredentialsProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to credentials that do not let in: a problem whose kind is the OAuth error, and none without any.

    `error`, `error_description` and `error_uri` are those of the challenge in `WWW-Authenticate` (RFC 6750 section 3);
    `type` is the error's page too. A refusal that was recorded, because only the officer's login is missing (RFC 9470),
    has its entry and receipt.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: str | msgspec.UnsetType = msgspec.UNSET
    error_description: str | msgspec.UnsetType = msgspec.UNSET
    error_uri: str | msgspec.UnsetType = msgspec.UNSET
    decision_id: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="decisionId")
    receipt: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class ProblemWriter:
    """Writes problems in the caller's language; one per application.

    `public_url` is the base of problem types; `new_id` makes the id an answer and its log line share.
    """

    def __init__(self, texts: ProblemTexts, *, public_url: str, log: Log, new_id: Callable[[], uuid.UUID]) -> None:
        self._texts = texts.codes
        self._oauth = texts.oauth
        self._types = public_url.rstrip("/") + "/v1/problems/"
        self._log = log
        self._new_id = new_id

    def response(
        self,
        request: Request[Any, Any, Any],
        code: str,
        *,
        pointers: tuple[str, ...] = (),
        receipt: dict[str, str] | None = None,
        cause: BaseException | None = None,
    ) -> Response[bytes]:
        """The answer for a code, and the log line of its id; `cause` is named in the line by class and place only.

        `receipt` is the receipt of a recorded refusal; its entry is the decision's id.
        """
        instance = self._new_id()
        request.scope.setdefault("state", {})["problem"] = code
        language = accepted_language(request.headers.get("accept-language"))
        problem = self.problem(code, language, instance=instance, pointers=pointers, receipt=receipt)
        self._tell(request, problem, instance, cause)
        headers = {"Cache-Control": "no-store", "Content-Language": language}
        if code in TRY_AGAIN:
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        if isinstance(cause, HTTPException) and code == "method-not-allowed":
            headers["Allow"] = (cause.headers or {}).get("allow", "")
        return Response(
            msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
        )

    def problem(
        self,
        code: str,
        language: str,
        *,
        instance: uuid.UUID,
        pointers: tuple[str, ...] = (),
        receipt: dict[str, str] | None = None,
    ) -> Problem:
        """The problem itself, as `/v1/problems/{code}` and the answers show it."""
        text = self._texts[code]
        return Problem(
            type=self._types + code,
            title=in_language(text.title, language),
            status=STATUS[code],
            detail=in_language(text.detail, language),
            instance=instance.urn,
            code=code,
            decision_id=receipt["entryId"] if receipt else None,
            receipt=receipt,
            remedy=in_language(text.remedy, language),
            errors=tuple(PointedError(pointer=pointer, code=code) for pointer in pointers),
        )

    def challenge(
        self,
        request: Request[Any, Any, Any],
        status: int,
        body: Mapping[str, object],
        *,
        receipt: dict[str, str] | None = None,
    ) -> Response[bytes]:
        """The answer to credentials that let nobody in; `body` holds the OAuth error and its text, or nothing.

        `receipt` is that of a refusal that was recorded. Credentials in a place where they may not be are a malformed
        request: 400, a problem with a code.
        """
        told = {name: str(said) for name, said in body.items()}
        error = told.get("error")
        if error is not None:
            told["error_uri"] = self._types + error
        if status == HTTPStatus.BAD_REQUEST:
            language = accepted_language(request.headers.get("accept-language"))
            request.scope["state"]["problem"] = "invalid-value"
            problem = self.problem("invalid-value", language, instance=self._new_id())
            return _written({**msgspec.to_builtins(problem), **told}, status)
        text = told.get("error_description", _NO_CREDENTIALS)
        refused = CredentialsProblem(
            type="about:blank" if error is None else self._types + error,
            title=HTTPStatus(status).phrase if error is None else self._oauth[error].title.en,
            status=status,
            detail=text,
            instance=self._new_id().urn,
            decision_id=msgspec.UNSET if receipt is None else receipt["entryId"],
            receipt=msgspec.UNSET if receipt is None else receipt,
            **told,
        )
        return _written(refused, status)

    def exception_map(self) -> ExceptionMap:
        """What the application registers as `exception_handlers`."""
        return {
            BadRequest: self._refused,
            Unavailable: self._unavailable,
            SealError: self._unsealed,
            HTTPException: self._http,
            Exception: self._unforeseen,
        }

    def _refused(self, request: Request[Any, Any, Any], error: BadRequest) -> Response[bytes]:
        if error.code not in STATUS:
            return self._unforeseen(request, error)
        response = self.response(request, error.code, pointers=error.pointers)
        if error.etag is not None:  # the caller's own: what it must send to go on
            response.headers["ETag"] = error.etag
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _unavailable(self, request: Request[Any, Any, Any], error: Unavailable) -> Response[bytes]:
        if error.code not in STATUS:
            return self._unforeseen(request, error)
        return self.response(request, error.code, cause=error)

    def _http(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        code = _CODE_OF_STATUS.get(HTTPStatus(error.status_code), "internal")
        if code == "malformed-json" and _names_a_parameter(error.extra):
            code = "invalid-value"
        return self.response(request, code, cause=error)

    def _unsealed(self, request: Request[Any, Any, Any], error: SealError) -> Response[bytes]:
        return self.response(request, "crypto-unavailable", cause=error)

    def _unforeseen(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        return self.response(request, "internal", cause=error)

    def _tell(
        self, request: Request[Any, Any, Any], problem: Problem, instance: uuid.UUID, cause: BaseException | None
    ) -> None:
        state = request.scope.get("state", {})
        keys: dict[str, object] = {
            "requestId": state.get("request_id"),
            "traceId": trace_id(state),
            "instance": instance,
            "route": request.scope.get("path_template") or "unmatched",
            "method": request.method,
            "status": problem.status,
        }
        if isinstance(cause, SealError):
            self._log.error("seal-refused", **keys, **error_origin(cause))
        elif problem.code == "internal" and cause is not None:
            self._log.error("internal-error", **keys, **error_origin(cause))
        elif problem.status > HTTPStatus.INTERNAL_SERVER_ERROR:
            self._log.error("dependency-unavailable", **keys, code=problem.code)
        else:
            self._log.info("problem-answered", **keys, code=problem.code)


class LastResort:
    """The outermost ASGI layer: an error that escapes even the problem answers ends in a fixed text and a log line."""

    def __init__(self, app: ASGIApp, *, log: Log) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; if anything is raised before the answer began, answer 500; never let a traceback be printed."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Any) -> None:  # noqa: ANN401  # any ASGI message
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  # the one broad except of the product
            self._log.error("last-resort", **error_origin(error))
            if not begun:
                headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
                await send({"type": "http.response.start", "status": 500, "headers": headers})
                await send({"type": "http.response.body", "body": _LAST_WORDS, "more_body": False})


def _written(problem: Mapping[str, object] | CredentialsProblem, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE)


def _names_a_parameter(extra: object) -> bool:
    parts = extra if isinstance(extra, list) else []
    return any(isinstance(part, dict) and part.get("source") in {"query", "path", "header", "cookie"} for part in parts)
