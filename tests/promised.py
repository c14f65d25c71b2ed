"""What the committed description promises of an answer: no status and no refusal comes that it does not name."""

import json
import re
from typing import Any

import httpx

from sauma.web.published import openapi_bytes

_DOCUMENT: dict[str, Any] = json.loads(openapi_bytes())
_PROBLEM = "application/problem+json"
_UNROUTED = 405


def _named(response: dict[str, Any]) -> frozenset[str]:
    """The codes or OAuth errors an answer may hold."""
    said = _DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response
    return frozenset(name for content in said.get("content", {}).values() for name in content.get("examples", ()))


_PROMISED = sorted(
    (
        (path.count("{"), re.compile(re.sub(r"\\{[A-Za-z]+\\}", "[^/]+", re.escape(path))), methods)
        for path, methods in _DOCUMENT["paths"].items()
    ),
    key=lambda row: row[0],
)


def broken(answer: httpx.Response) -> str | None:
    """What the description does not promise of an answer; None where it promises it, or says nothing of the path."""
    sent = answer.request.extensions.get("target", answer.url.raw_path)  # as it was on the wire, not tidied up
    path, method = sent.partition(b"?")[0].decode(), answer.request.method.lower()
    methods = next((methods for _, pattern, methods in _PROMISED if pattern.fullmatch(path)), {})
    if method not in methods or answer.status_code == _UNROUTED:
        return None
    said = methods[method]["responses"].get(str(answer.status_code))
    if said is None:
        return f"{methods[method]['operationId']} promises no {answer.status_code}"
    if answer.is_success or answer.is_redirect:
        return None
    body = answer.json()
    code = body.get("code", body.get("error", "no-credentials"))
    return None if code in _named(said) else f"{methods[method]['operationId']} does not promise {code}"
