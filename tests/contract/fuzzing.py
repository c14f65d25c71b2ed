"""What schemathesis must know to speak to a running Sauma: credentials for every request, and texts that are real.

Schemathesis loads it (`SCHEMATHESIS_HOOKS`) in a process of its own. `FUZZED` in the environment holds the issuer, a
registered system with its key, and the identity codes of people who are known there.
"""

import datetime as dt
import json
import os
import re
import uuid

import httpx
import requests
import schemathesis
from hypothesis import strategies as st

from sauma.client.auth import Access, SaumaAuth

FUZZED = json.loads(os.environ["FUZZED"])
_KEY = re.compile("[A-Za-z0-9_-]{8,64}")
_SUBJECT_ID = re.compile("s[1-9][0-9]{0,8}[.][A-Za-z0-9_-]{64,160}")
_HETU = re.compile("[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]")
_HOUR = dt.timedelta(hours=1)
_MOMENTS = {"until": _HOUR, "at": -_HOUR, "currentAsOf": -_HOUR, "effectiveAt": -_HOUR}
_QUERY_DAYS = {"from": 20, "to": 10}
_LOOKS = ("/oauth/introspect", "/oauth/revoke")
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


@st.composite
def hetus(draw: st.DrawFn) -> str:
    """An identity code of the test range (900–999), its check character right."""
    birth = f"{draw(st.integers(1, 28)):02d}{draw(st.integers(1, 12)):02d}{draw(st.integers(30, 89)):02d}"
    individual = f"{draw(st.integers(900, 999))}"
    return f"{birth}{draw(st.sampled_from('-YXWVU'))}{individual}{_CHECK[int(birth + individual) % 31]}"


class Proven(requests.auth.AuthBase):
    """Our own httpx authentication, made to sign what requests is about to send."""

    def __init__(self) -> None:
        self._auth = SaumaAuth(Access(**FUZZED["access"]))
        self._http = httpx.Client()

    def assertion(self) -> dict[str, str]:
        """A fresh assertion of the system's own, as form fields."""
        return self._auth._authentication()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """A request that lacks the proof it must have goes as it is: that is what was to be tried."""
        if _KEY.fullmatch(str(request.headers.get("Idempotency-Key", ""))):
            request.headers["Idempotency-Key"] = uuid.uuid4().hex  # a key is for one request; generated ones recur
        if _is_uuid(request.headers.get("Sauma-Audit-Session")):
            request.headers["Sauma-Audit-Session"] = FUZZED["session"]
        if not request.headers.get("DPoP") or "Authorization" not in request.headers:
            return request
        flow = self._auth.auth_flow(httpx.Request(str(request.method), str(request.url)))
        step = next(flow)
        while step.url.path == "/oauth/token" and "DPoP" in step.headers and "Authorization" not in step.headers:
            step = flow.send(self._http.send(step))
        for name in ("Authorization", "DPoP"):
            request.headers[name] = step.headers[name]
        return request


PROVEN = Proven()


def _real(part: object) -> object:
    """A value JSON Schema calls valid, as the law of its member wants it; what is not valid stays what it is."""
    if isinstance(part, list):
        return [_real(each) for each in part]
    if isinstance(part, float) and part.is_integer():
        return int(part)  # to JSON Schema 50.0 is an integer; here integers are written without a fraction
    if not isinstance(part, dict):
        return part
    return _wanted({name: _real(value) for name, value in part.items()})


def _wanted(made: dict[object, object]) -> dict[object, object]:
    """An object with moments, codes and ids that the server can have given out or may accept."""
    for name, moment in _MOMENTS.items():
        if _is(dt.datetime, made.get(name)):
            made[name] = (dt.datetime.now(dt.UTC) + moment).isoformat(timespec="seconds")
    if _is(dt.date, made.get("openedAt")):
        made["openedAt"] = "2026-01-02"
    elif _is(dt.datetime, made.get("openedAt")):
        made["openedAt"] = "2026-01-02T09:00:00+02:00"
    if made.get("purpose") == "kela-case-request" and made.get("controller") is None:
        made["controller"] = "3221308-6"  # only Kela may be left unnamed
    if _is(dt.date, made.get("retainUntil")):
        made["retainUntil"] = f"{dt.datetime.now(dt.UTC).year + 5}-12-31"
    if all(_is(dt.date, made.get(end)) for end in ("from", "to")):
        made["from"], made["to"] = sorted((made["from"], made["to"]))
    if _HETU.fullmatch(str(made.get("hetu"))):
        made["hetu"] = FUZZED["people"][0]  # of the right form, but nobody's: the check character is one of 31
    if _SUBJECT_ID.fullmatch(str(made.get("subjectId"))):
        made["subjectId"] = FUZZED["subjectId"]  # no other was ever given out
    return made


def _is(kind: type[dt.date], text: object) -> bool:
    try:
        kind.fromisoformat(str(text))
    except ValueError:
        return False
    return isinstance(text, str)


def _is_uuid(text: object) -> bool:
    try:
        return str(uuid.UUID(str(text))) == text
    except ValueError:
        return False


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, object]) -> None:
    """What JSON Schema cannot say of a valid request: before, after, not in the past, given out to you, your own."""
    if isinstance(case.body, dict):
        case.body = _real(case.body)
        valid = case.meta is not None and case.meta.generation.mode.is_positive
        if valid and case.path in _LOOKS:
            shown = {name: case.body[name] for name in ("token", "token_type_hint") if name in case.body}
            case.body = (
                shown | PROVEN.assertion()
            )  # what the form does not name is ignored, but no parser may trip on it
    if case.path_parameters and _is_uuid(case.path_parameters.get("entryId")):
        case.path_parameters["entryId"] = FUZZED["entry"]
    for name, days in _QUERY_DAYS.items():
        if case.query and _is(dt.datetime, case.query.get(name)):
            case.query[name] = (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@st.composite
def person_oids(draw: st.DrawFn) -> str:
    """A temporary person id given out by Pirkanmaa."""
    return f"1.2.246.10.32213086.22.{draw(st.integers(2000, 2026))}.{draw(st.integers(0, 10**6))}"


CLEAN = st.characters(exclude_categories=["C", "Zl", "Zp"], max_codepoint=0x2FF)  # assigned, visible, and NFC by itself

schemathesis.openapi.format("clean-text", st.text(CLEAN, min_size=1, max_size=80))
schemathesis.openapi.format("person-oid", person_oids())
schemathesis.openapi.format("entity-tag", st.integers(1, 10**9 - 1).map('"{}"'.format))
schemathesis.openapi.format("hetu", st.sampled_from(FUZZED["people"]) | hetus())
schemathesis.auth.set_from_requests(PROVEN)
