"""Request and answer headers, each described once; which an operation takes follows from its method and path."""

from types import MappingProxyType
from typing import Any

from litestar.handlers import HTTPRouteHandler

from sauma.core.resources import REGISTRY

JsonObject = dict[str, Any]
_TEXT: JsonObject = {"type": "string"}
_COUNT: JsonObject = {"type": "integer", "format": "int32", "minimum": 0}
_TRACEPARENT: JsonObject = {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}

PARAMETERS: MappingProxyType[str, JsonObject] = MappingProxyType(
    {
        "DPoP": {
            "required": True,
            "description": "A proof JWT (RFC 9449): header `typ` dpop+jwt, `alg` and the public `jwk`; `htm` the "
            "method, `htu` the absolute URL without query, `iat`, a `jti` of 16 to 256 characters never used again, "
            "and with an access token `ath`, base64url of its SHA-256; `nonce`, where the last answer's `DPoP-Nonce` "
            "gave one. A new proof for every call.",
            "schema": {"type": "string", "minLength": 1},
        },
        "Idempotency-Key": {
            "required": True,
            "description": "Makes a repeat safe for 7 days: same key and same body get the same answer once more.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$", "minLength": 8},
        },
        "If-Match": {
            "required": False,
            "description": "The ETag of what is changed, from your last answer. Absent when it is created: for what "
            "does not exist every If-Match is answered with 412, without an ETag. Replacing a record, or changing a "
            "matter that stays open, without it is answered with 428, a stale one with 412; both carry the present "
            "ETag. Closing a matter and annulling a record do not need it; where it is sent it must be right.",
            "schema": {"type": "string", "format": "entity-tag"},
        },
        "Sauma-Audit-Session": {
            "required": True,
            "description": "The id of the caller's open audit session (`POST /v1/audit-sessions`).",
            "schema": {"type": "string", "format": "uuid"},
        },
        "traceparent": {
            "required": False,
            "description": "W3C Trace Context: the caller's trace is continued and recorded; absent or not valid, a "
            "new one begins.",
            "schema": _TEXT,
        },
    }
)
"""What a caller sends, by header name; components of these names are referred to by every operation that takes them."""

CARRIER_HEADERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "X-Road-Client": "`instance/class/code/subsystem`; its member code must be the token's organisation, or that "
        "of `X-Road-Represented-Party` must.",
        "X-Road-Id": "The message's own id; recorded.",
        "X-Road-UserId": "Must be the officer's `id`.",
        "X-Road-Issue": "Must be the case reference; a `/` in it is read as `:`.",
        "X-Road-Represented-Party": "`class/code` of the organisation a supplier acts for.",
    }
)
"""What a security server says on the caller's behalf; no parameters, because a caller cannot send them itself."""

ANSWER_HEADERS: MappingProxyType[str, JsonObject] = MappingProxyType(
    {
        "API-Version": {"required": True, "description": "The version of this description.", "schema": _TEXT},
        "Cache-Control": {
            "required": True,
            "description": "`no-store` for everything but public documents, which say `public` and a `max-age`.",
            "schema": _TEXT,
        },
        "Sauma-Request-Id": {
            "required": True,
            "description": "Names this request in the server's log; quote it when you ask for help.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "traceparent": {
            "required": True,
            "description": "W3C Trace Context: the caller's trace or a new one, with this request as its parent.",
            "schema": _TRACEPARENT,
        },
        "RateLimit-Policy": {
            "description": 'The quota: `"default";q=<requests>;w=<seconds>`. Absent where no quota is set.',
            "schema": _TEXT,
        },
        "RateLimit": {
            "description": 'What is left of it: `"default";r=<requests>;t=<seconds until more are>`.',
            "schema": _TEXT,
        },
        "RateLimit-Limit": {"description": "As `q` of RateLimit-Policy, in its elder spelling.", "schema": _COUNT},
        "RateLimit-Remaining": {"description": "As `r` of RateLimit, in its elder spelling.", "schema": _COUNT},
        "RateLimit-Reset": {"description": "As `t` of RateLimit, in its elder spelling.", "schema": _COUNT},
        "ETag": {"description": "The entity tag of what is answered about.", "schema": _TEXT},
        "Location": {"description": "The path of what was created: GET it there.", "schema": _TEXT},
        "Idempotent-Replayed": {
            "description": "`true` on the answer to a repeat; otherwise absent.",
            "schema": {"const": "true"},
        },
        "Content-Digest": {
            "required": True,
            "description": "SHA-256 of the body (RFC 9530).",
            "schema": _TEXT,
        },
        "Content-Language": {
            "description": "The language of the texts.",
            "schema": {"enum": ["fi", "sv", "en"]},
        },
        "Retry-After": {
            "description": "Seconds after which the same request may be sent again.",
            "schema": _COUNT,
        },
        "DPoP-Nonce": {
            "description": "To a client whose policy wants nonces: the one its next proof at this door must hold (RFC "
            "9449 sections 8 and 9). Good for a minute or two.",
            "schema": _TEXT,
        },
        "WWW-Authenticate": {
            "required": True,
            "description": "The DPoP challenge (RFC 9449 section 7.1): `error`, `error_description`, `error_uri`, "
            "`algs` and `resource_metadata`; `error` is absent where no credentials were shown.",
            "schema": _TEXT,
        },
    }
)
"""What an answer carries, by header name."""

SCOPE_CHALLENGE: JsonObject = {
    "WWW-Authenticate": {
        "description": "With `scope-missing` alone: the DPoP challenge with `error` `insufficient_scope` and the "
        "`scope` that is missing.",
        "schema": _TEXT,
    }
}
"""What a refusal among whose codes is `scope-missing` may carry besides."""

_ALWAYS = ("API-Version", "Cache-Control", "Sauma-Request-Id", "traceparent")
_QUOTA = ("RateLimit-Policy", "RateLimit", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def carrier() -> JsonObject:
    """What a security server may say for the caller."""
    return {
        "description": "Behind X-Road, and only from the configured security server, these headers are compared with "
        "the token and the request (403 `carrier-mismatch`) and recorded; from anyone else they do not exist.",
        "headers": dict(CARRIER_HEADERS),
    }


TOKEN_ENDPOINT = "/oauth/token"  # noqa: S105  # a path, no secret
TAGGED = frozenset({"/openapi.json", "/.well-known/jwks.json"})
"""Documents with an entity tag, answered with 304 where the reader's copy is the same."""


def parameter_names(route: HTTPRouteHandler, path: str, method: str) -> list[str]:
    """The headers an operation takes: every write has its key, and what has an ETag is changed against it."""
    names = ["DPoP"] if "scope" in route.opt or path == TOKEN_ENDPOINT else []
    if writes(path, method):
        names.append("Idempotency-Key")
        if is_of_record(path) or path.startswith("/v1/matters/"):
            names.append("If-Match")
    if path.startswith("/v1/ledger/"):
        names.append("Sauma-Audit-Session")
    return [*names, "traceparent"]


def answer_headers(*more: str) -> JsonObject:
    """The headers of an answer: those of every answer, and `more`."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *_QUOTA, *more)}


def done_headers(path: str, method: str) -> tuple[str, ...]:
    """The further headers of a success."""
    told: list[str] = ["DPoP-Nonce"] if path == TOKEN_ENDPOINT else []
    if is_of_record(path) or path.startswith(("/v1/publication-states/", "/v1/matters/")) or path in TAGGED:
        told.append("ETag")
    if writes(path, method):
        told.append("Idempotent-Replayed")
    if path == "/v1/case-queries":
        told.append("Content-Digest")
    if path.startswith("/v1/problems/"):
        told.append("Content-Language")
    return tuple(told)


def writes(path: str, method: str) -> bool:
    """Whether an operation changes something, and so takes an idempotency key."""
    return method in {"PUT", "POST"} and path.startswith("/v1/") and path != "/v1/case-queries"


def is_of_record(path: str) -> bool:
    """Whether an operation is about one record of a resource."""
    parts = path.split("/")
    return len(parts) > len(("", "v1", "resource")) and parts[2] in REGISTRY
