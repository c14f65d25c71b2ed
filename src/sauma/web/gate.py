"""The input gate: nothing reaches a use case that two parsers could read in two ways, and no route is open by silence.

Before msgspec: size, media type, UTF-8 without BOM, no NUL, depth, no repeated key, only finite numbers.
After it: clean text. A refusal names schema members and indexes only; the input is never echoed (S-9, S-10, S-18).
"""

import functools
import itertools
import json
import math
import re
from collections.abc import Collection, Generator
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import Scope
from litestar.typing import FieldDefinition

from sauma.core.errors import BadRequest
from sauma.core.intake import bad_request, is_clean, members_of
from sauma.core.parties import Action
from sauma.core.people import Confidential, looks_like_hetu
from sauma.core.resources import RECORD_MEMBERS

BODY_LIMIT = 64 * 1024
DEPOSITS_LIMIT = 1024 * 1024
DEPTH_LIMIT = 16
QUERY_LIMIT = 4096

_T = TypeVar("_T")
_MEDIA_TYPE = re.compile(r'application/json *(?:; *charset="?utf-8"? *)?', re.IGNORECASE)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_A_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_FATAL = re.compile("[\x00\ud800-\udfff]")
_PARAMETER = re.compile(rb"[A-Za-z][A-Za-z0-9]*")
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SEGMENT = re.compile(rb"[A-Za-z0-9._:~-]+")
_SHAPES: dict[object, tuple[msgspec.json.Decoder[Any], frozenset[str]]] = {}


def strict_decode(
    raw: bytes,
    type_: type[_T],
    *,
    content_type: str | None,
    content_encoding: str | None = None,
    limit: int = BODY_LIMIT,
) -> _T:
    """The body of a request as a value of its type.

    Raises:
        BadRequest: `too-large`, `unsupported-media-type`, `malformed-json`, `too-deep`, `unknown-property` or
            `invalid-value`; nothing else for any bytes whatever.
    """
    if len(raw) > limit:
        _refuse("too-large")
    if content_encoding is not None or content_type is None or not _MEDIA_TYPE.fullmatch(content_type.strip()):
        _refuse("unsupported-media-type")
    plain = _parse(raw)
    decoder, known = _shape(type_)
    unclean = None if _plainly_clean(raw, plain) else _first_unclean(plain, known)
    try:
        decoded: _T = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise bad_request(error, type_) from None
    except msgspec.DecodeError:
        _refuse("malformed-json")
    if unclean is not None:
        _refuse("invalid-value", unclean)
    return decoded


def strict_query(query: bytes, allowed: Collection[str]) -> dict[str, str]:
    """The query parameters, each of `allowed` at most once, none empty, none HETU-shaped.

    Raises:
        BadRequest: `invalid-value`, pointing at `/query/<name>` where the name is one of `allowed`.
    """
    found: dict[str, str] = {}
    if len(query) > QUERY_LIMIT:
        _refuse("invalid-value")
    for pair in query.split(b"&") if query else ():
        raw_name, _, raw_value = pair.partition(b"=")
        name = raw_name.decode() if _PARAMETER.fullmatch(raw_name) else ""
        if name not in allowed:
            _refuse("invalid-value")
        value = _unquote(raw_value)
        if name in found or not value or looks_like_hetu(value) or not is_clean(value) or "\n" in value:
            _refuse("invalid-value", f"/query/{name}")
        found[name] = value
    return found


def check_path(raw_path: bytes) -> None:
    """Refuse a path that a proxy and we could read as two: encoded slashes, empty or dot segments, a trailing slash.

    Raises:
        BadRequest: `not-found`, or `invalid-value` for a segment that is HETU-shaped.
    """
    path = raw_path.partition(b"?")[0]
    if path == b"/":
        return
    opening, *segments = path.split(b"/")
    if opening or not segments:
        _refuse("not-found")
    for segment in segments:
        plain = unquote_to_bytes(segment)
        if not _SEGMENT.fullmatch(plain) or plain in {b".", b".."}:
            _refuse("not-found")
        if looks_like_hetu(plain.decode()):
            _refuse("invalid-value")


class Stated(Confidential, frozen=True, kw_only=True):
    """What a token must hold to be let in at a route: the scope, and the action its details may confine it to."""

    scope: str
    action: Action


def stated_access(opt: dict[str, Any]) -> Stated | None:
    """What a route states to need of a token, None for a route that says it is open to all.

    Raises:
        BadRequest: `scope-missing` where the route says nothing, half of it, or both.
    """
    scope, action, opened = opt.get("scope"), opt.get("action"), opt.get("open")
    if isinstance(scope, str) and scope and isinstance(action, Action) and opened is None:
        return Stated(scope=scope, action=action)
    if scope is not None or action is not None or opened is not True:
        _refuse("scope-missing")
    return None


def stated_scope(opt: dict[str, Any]) -> str | None:
    """The scope a route states, None for a route that says it is open to all.

    Raises:
        BadRequest: as `stated_access`.
    """
    stated = stated_access(opt)
    return None if stated is None else stated.scope


def default_deny(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """The guard of every route: unambiguous path, a stated scope or openness, and only the query it states.

    A route states `opt={"scope": "case:read", "action": Action.DISCLOSE}` or `opt={"open": True}`, and its parameters
    as `"query": ("limit",)`. The caller must still check the token against `stated_access(route.opt)`.

    Raises:
        BadRequest: `not-found`, `scope-missing` or `invalid-value`.
    """
    scope = connection.scope
    check_path(scope.get("raw_path") or scope["path"].encode())
    stated_access(route.opt)
    strict_query(scope["query_string"], route.opt.get("query", ()))


class StrictBody(AbstractDTO[Any]):
    """Reads the `data` of a route through `strict_decode`: `@post(dto=StrictBody, return_dto=None)`.

    `opt={"body_limit": DEPOSITS_LIMIT}` states another size than 64 KiB. Answers are not touched.
    """

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, handler_id: str, *_: object) -> None:
        """Nothing to build: the annotation of `data` is the type."""

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:  # noqa: ARG003  # its place in the base class
        """No fields are rewritten."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003  # its place in the base class
        """No field is rewritten."""
        return False

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Any:  # noqa: ANN401, ARG003  # Litestar's private types
        """The schema of the annotation itself."""
        return schema_creator.for_field_definition(field_definition)

    def decode_bytes(self, value: bytes) -> Any:  # noqa: ANN401  # of the type the route names
        """The decoded body."""
        scope, route = self.asgi_connection.scope, self.asgi_connection.route_handler
        content_types, encodings = header_lines(scope, b"content-type"), header_lines(scope, b"content-encoding")
        return strict_decode(
            value,
            route.parsed_data_field.annotation,
            content_type=content_types[0] if len(content_types) == 1 else None,
            content_encoding=encodings[0] if encodings else None,
            limit=route.opt.get("body_limit", BODY_LIMIT),
        )


class BoundedRequest(Request[Any, Any, Any]):
    """A request whose body is read once, up to the largest its route takes.

    The framework's own `body` does the same through a generator and a parsed copy of all headers.
    """

    _whole: bytes | None = None

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            BadRequest: `too-large`, said before a byte is read where the length is announced; `malformed-json` where
                the caller went before it was whole.
        """
        if self._whole is None:
            largest = self.route_handler.resolve_request_max_body_size() or 0
            announced = [int(text) for text in header_lines(self.scope, b"content-length") if text.isdecimal()]
            if announced and max(announced) > largest:
                _refuse("too-large")
            parts: list[bytes] = []
            size, more = 0, True
            while more:
                message = await self.receive()
                if message["type"] != "http.request":
                    _refuse("malformed-json")
                parts.append(message["body"])
                size += len(parts[-1])
                if size > largest:
                    _refuse("too-large")
                more = message.get("more_body", False)
            self._whole = b"".join(parts)
        return self._whole


class _Guarded(HTTPRouteHandler):
    """A route whose guards are shown the route itself: the framework copies it for each of them at every request."""

    __slots__ = ()

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Run every guard there is."""
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]  # as in the base class: all of them are awaited


get = functools.partial(_Guarded, http_method=HttpMethod.GET)
post = functools.partial(_Guarded, http_method=HttpMethod.POST)
put = functools.partial(_Guarded, http_method=HttpMethod.PUT)
"""A route's decorators, as the framework's own of these names, with guards that cost no copy."""


def header_lines(scope: Scope, name: bytes) -> list[str]:
    """The values of a header, one for each of its lines; `name` in lower case."""
    return [value.decode("latin-1") for said, value in scope["headers"] if said.lower() == name]


def _refuse(code: str, *pointers: str) -> NoReturn:
    raise BadRequest(code, pointers)


def _shape(type_: object) -> tuple[msgspec.json.Decoder[Any], frozenset[str]]:
    """Decoder of a type and the member names a pointer into it may use, made once."""
    if type_ not in _SHAPES:
        _SHAPES[type_] = msgspec.json.Decoder(type_), members_of(type_) | RECORD_MEMBERS
    return _SHAPES[type_]


def _parse(raw: bytes) -> object:
    """The untyped value; a BOM, a raw NUL and what follows the value are refused by `json`, NaN by msgspec after it."""
    try:
        text = raw.decode()
        if _depth(raw) > DEPTH_LIMIT:
            _refuse("too-deep")
        parsed: object = _DECODER.decode(text)
    except ValueError:
        _refuse("malformed-json")
    return parsed


def _depth(raw: bytes) -> int:
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_LIMIT:
        return 0
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_A_BRACKET)
    return max(itertools.accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "repeated key"
        raise ValueError(message)
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        message = "not a finite number"
        raise ValueError(message)
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite)
_UNESCAPED = json.JSONEncoder(ensure_ascii=False)


def _plainly_clean(raw: bytes, plain: object) -> bool:
    """Whether all of it is clean at once, and so every text in it: what is in NFC has no part that is not (UAX 15).

    Escapes hide what they stand for, so `plain`, the parsed value, is then looked at as it is written without them.
    """
    escaped = b"\\" in raw
    if raw.isascii() and not escaped:
        return b"\x7f" not in raw
    text = _UNESCAPED.encode(plain) if escaped else raw.decode()
    return "\\" not in text and is_clean(text)


def _first_unclean(value: object, known: frozenset[str]) -> str | None:
    """Pointer of the first text that is not clean, cut where it leaves the schema; NUL and surrogates are malformed."""
    for place, text in _texts(value, "", known):
        if _FATAL.search(text):
            _refuse("malformed-json")
        if not is_clean(text):
            return place
    return None


def _texts(value: object, place: str, known: frozenset[str] | None) -> Generator[tuple[str, str], None, None]:
    """Every key and text with its pointer; below a key that is not `known` the pointer grows no further."""
    match value:
        case str():
            yield place, value
        case list():
            for index, member in enumerate(value):
                yield from _texts(member, place if known is None else f"{place}/{index}", known)
        case dict():
            for key, member in value.items():
                yield place, key
                within = known is not None and key in known
                yield from _texts(member, f"{place}/{key}" if within else place, known if within else None)
        case _:
            return


def _unquote(raw: bytes) -> str:
    if _PERCENT.search(raw):
        _refuse("invalid-value")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        _refuse("invalid-value")
