"""Which problem codes an operation can answer, and an example of each, made from the texts of the codes.

What follows from an operation's form (a body, a key, a precondition, a token) is derived; what its use case refuses is
named here by route function. The tests hold every refusal they see against it, so that a code left out is noticed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from litestar.handlers import HTTPRouteHandler

from sauma.core.problems import STATUS, ProblemText, ProblemTexts
from sauma.web.openapi.about import ISSUER
from sauma.web.openapi.headers import parameter_names

JsonObject = dict[str, Any]
FORBIDDEN = 403
_INSTANCE = "urn:uuid:01990000-0000-7000-8000-000000000001"
_DECISION = "01990000-0000-7000-8000-000000000002"
_RECEIPT = {
    "entryId": _DECISION,
    "leafHash": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    "kid": "receipt-1",
    "signature": "A" * 86,
}
_POINTERS = {"unknown-property": "/officer", "invalid-value": "/caseReference", "field-not-permitted": "/fields/0"}

_OWN: MappingProxyType[str, str] = MappingProxyType(
    {
        "query_case": "purpose-unknown purpose-not-agreed basis-not-in-force party-not-entitled "
        "direction-not-allowed matter-missing matter-closed matter-foreign subject-mismatch "
        "prior-information-missing consent-required field-not-permitted necessity-missing window-exceeded "
        "frequency-exceeded officer-missing officer-role cursor-expired outcome-unknown",
        "state_matter": "officer-missing precondition-failed precondition-required state-conflict",
        "record_prior_information": "officer-missing",
        "record_identifier_change": "officer-missing not-found",
        "deposit_records": "officer-missing precondition-failed state-conflict",
        "put_one": "officer-missing precondition-failed precondition-required state-conflict",
        "annul_one": "officer-missing precondition-failed state-conflict",
        "list_own_disclosures": "cursor-expired",
        "record_erasure": "officer-missing",
        "start_audit_session": "party-not-entitled officer-missing officer-role state-conflict",
        "get_ledger_entry": "audit-session-missing",
        "show_serving": "ledger-unavailable",
        "show_ready": "ledger-unavailable overloaded",
        "issue_token": "ledger-unavailable outcome-unknown",
        "introspect_token": "ledger-unavailable outcome-unknown",
        "revoke_token": "ledger-unavailable outcome-unknown",
    }
)
"""What an operation's use case can refuse, beyond what its form implies."""


def codes_of(route: HTTPRouteHandler, path: str, method: str) -> dict[int, tuple[str, ...]]:
    """The problem codes an operation can answer by status, each in the order of the closed list."""
    found = {"invalid-value", "internal", *_OWN.get(route.fn.__name__, "").split()}
    if not route.opt.get("always"):
        found |= {"rate-limited", "overloaded"}
    if "{" in path or path.startswith("/.well-known/"):
        found.add("not-found")
    taken = parameter_names(route, path, method)
    if "scope" in route.opt:
        found |= {"scope-missing", "carrier-mismatch", "ledger-unavailable", "crypto-unavailable", "outcome-unknown"}
        if method in {"PUT", "POST"}:
            found |= {"malformed-json", "unknown-property", "too-deep", "unsupported-media-type"}
    if method in {"PUT", "POST"}:
        found.add("too-large")
    if "Idempotency-Key" in taken:
        found |= {"idempotency-key-missing", "idempotency-key-in-progress", "idempotency-key-reused"}
    by_status: dict[int, tuple[str, ...]] = {}
    for code in STATUS:
        if code in found:
            by_status[STATUS[code]] = (*by_status.get(STATUS[code], ()), code)
    return by_status


def problem_examples(texts: ProblemTexts) -> JsonObject:
    """One example of every code, in English, by code."""
    return {code: {"summary": texts.codes[code].title.en, "value": _problem(texts, code)} for code in STATUS}


def credential_examples(texts: Mapping[str, str], titles: Mapping[str, ProblemText]) -> JsonObject:
    """The 401 answers, by the error of RFC 6750 or 9449; without credentials none is named."""
    bare: JsonObject = {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The request shows no credentials.",
        "instance": _INSTANCE,
    }
    told = {
        error: {
            "summary": text,
            "value": bare
            | {"type": _page(error), "title": titles[error].title.en, "detail": text}
            | _oauth(error, text),
        }
        for error, text in texts.items()
    }
    return {"no-credentials": {"summary": "The request shows no credentials.", "value": bare}} | told


def token_examples(texts: Mapping[str, str]) -> JsonObject:
    """The errors of the token endpoint (RFC 6749 section 5.2), by error."""
    return {error: {"summary": text, "value": _oauth(error, text)} for error, text in texts.items()}


def _oauth(error: str, text: str) -> JsonObject:
    return {"error": error, "error_description": text, "error_uri": _page(error)}


def _page(code: str) -> str:
    return f"{ISSUER}/v1/problems/{code}"


def _problem(texts: ProblemTexts, code: str) -> JsonObject:
    text = texts.codes[code]
    shown: JsonObject = {
        "type": _page(code),
        "title": text.title.en,
        "status": STATUS[code],
        "detail": text.detail.en,
        "instance": _INSTANCE,
        "code": code,
        "remedy": text.remedy.en,
    }
    if code in _POINTERS:
        shown["errors"] = [{"pointer": _POINTERS[code], "code": code}]
    if STATUS[code] == FORBIDDEN:
        shown |= {"decisionId": _DECISION, "receipt": _RECEIPT}
    return shown
