"""Problem answers: a closed list in three languages, one mapping, and nothing of the input or of the error."""

import io
import json
import pathlib
import re
import uuid
from collections.abc import Iterator

import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException, ServiceUnavailableException, TooManyRequestsException
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.testing import TestClient

from sauma.catalogue.problems import load_problem_texts, read_problem_texts
from sauma.core.errors import (
    BadRequest,
    CatalogueError,
    OutcomeUnknown,
    SaumaError,
    SealError,
    Unavailable,
)
from sauma.core.problems import LANGUAGES, OAUTH_STATUS, STATUS, accepted_language, in_language
from sauma.web.gate import StrictBody, default_deny
from sauma.web.logs import configure, get_log, verify_line
from sauma.web.problems import LastResort, ProblemWriter

MARKER = "Marker7-010594Y9032"
INSTANCE = uuid.UUID("018bcfe5-6800-7fff-bfff-ffffffffffff")
TEXTS = load_problem_texts()
RECEIPT = {"entryId": "018bcfe5-6800-7000-8000-000000000001", "leafHash": "sha-256=:AA==:"}

# the closed list, written out by hand
CONTRACT = {
    403: """purpose-unknown purpose-not-agreed basis-not-in-force party-not-entitled direction-not-allowed matter-missing
        matter-closed matter-foreign subject-mismatch prior-information-missing consent-required consent-foreign
        consent-scope consent-withdrawn consent-paused consent-expired field-not-permitted necessity-missing
        window-exceeded frequency-exceeded officer-missing officer-role receiver-paused carrier-mismatch not-controller
        review-overdue audit-session-missing scope-missing consent-missing prohibited restricted-processing
        protected-person county-not-competent erased subject-unknown""",
    400: "malformed-json unknown-property invalid-value too-deep idempotency-key-missing",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "idempotency-key-in-progress state-conflict receiver-key-missing legal-hold",
    410: "cursor-expired",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "idempotency-key-reused",
    428: "precondition-required",
    429: "rate-limited",
    500: "internal",
    503: "overloaded ledger-unavailable crypto-unavailable",
    504: "outcome-unknown",
}


def test_codes_and_statuses_are_those_of_the_contract() -> None:
    wanted = {code: status for status, codes in CONTRACT.items() for code in codes.split()}
    assert dict(STATUS) == wanted


@pytest.mark.parametrize("code", [*STATUS, *OAUTH_STATUS])
def test_every_code_speaks_three_languages(code: str) -> None:
    found = TEXTS.page_of(code)
    assert found is not None
    status, text = found
    assert status == {**STATUS, **OAUTH_STATUS}[code]
    for kind in (text.title, text.detail, text.cause, text.remedy):
        said = [in_language(kind, language) for language in LANGUAGES]
        assert len(set(said)) == len(LANGUAGES), "two languages share a text"
    assert not re.search("[äöå]", text.title.en + text.detail.en + text.remedy.en)
    assert not text.title.en.endswith(".")
    assert text.detail.fi.endswith(".")
    assert text.remedy.fi.endswith(".")


def test_no_two_codes_share_a_title() -> None:
    for language in LANGUAGES:
        titles = [in_language(text.title, language) for text in (TEXTS.codes | TEXTS.oauth).values()]
        assert len(titles) == len(set(titles))


FILE = pathlib.Path("src/sauma/catalogue/problems.toml")
RAW = (pathlib.Path(__file__).parents[2] / FILE).read_bytes()
FAULTY = {
    "a language missing": RAW.replace(b'title.sv = "Internt fel"\n', b""),
    "an empty text": RAW.replace(b'title.sv = "Internt fel"', b'title.sv = ""'),
    "a code missing": RAW.replace(b"[codes.internal]", b"[codes.overheated]"),
    "a code too many": RAW + b"\n[codes.teapot]\n" + RAW.partition(b"[codes.internal]\n")[2].partition(b"\n[")[0],
    "an OAuth error misspelt": RAW.replace(b"[oauth.invalid_token]", b"[oauth.invalid_tokens]"),
    "an unknown member": RAW + b'colour.fi = "x"\n',
    "not TOML": b"[codes",
    "not UTF-8": RAW + b"# \xff",
}


@pytest.mark.parametrize("raw", FAULTY.values(), ids=FAULTY)
def test_a_faulty_file_of_texts_does_not_load(raw: bytes) -> None:
    assert raw != RAW
    with pytest.raises(CatalogueError):
        read_problem_texts(raw)


ACCEPT = {
    "nothing": (None, "en"),
    "empty": ("", "en"),
    "Finnish": ("fi", "fi"),
    "Swedish of Finland": ("sv-FI", "sv"),
    "shouted": ("SV", "sv"),
    "weighted": ("en;q=0.5, sv;q=0.9, fi;q=0.7", "sv"),
    "unknown first": ("de, fi;q=0.1", "fi"),
    "only unknown": ("de, *", "en"),
    "refused": ("fi;q=0, sv;q=0.1", "sv"),
    "bad weight": ("fi;q=٣, sv;q=0.2", "sv"),
    "nonsense weight": ("fi;q=1e9", "en"),
    "very long": ("de," * 5000 + "fi", "en"),
}


@pytest.mark.parametrize(("header", "language"), ACCEPT.values(), ids=ACCEPT)
def test_the_language_of_an_answer(header: str | None, language: str) -> None:
    assert accepted_language(header) == language


class Strange(Exception):  # noqa: N818  # what nobody foresaw
    """An exception with client data in its text."""


def raised(name: str) -> Exception:
    local = MARKER  # a local variable that must not reach the log
    return {
        "strange": Strange(local),
        "bad": BadRequest("consent-required", ("/consentId",)),
        "bad-unlisted": BadRequest(local),
        "ledger": Unavailable("ledger-unavailable"),
        "unavailable-unlisted": Unavailable(local),
        "unknown": OutcomeUnknown(),
        "seal": SealError(local),
        "sauma": SaumaError(local),
        "msgspec": msgspec.ValidationError(local),
        "http-400": HTTPException(local, status_code=400),
        "http-401": HTTPException(local, status_code=401),
        "http-418": HTTPException(local, status_code=418),
        "too-many": TooManyRequestsException(local),
        "service": ServiceUnavailableException(local),
        "recursion": RecursionError(local),
    }[name]


@get("/raise/{name:str}", opt={"open": True, "query": ("limit",)})
async def raiser(name: FromPath[str], limit: FromQuery[int] = 0) -> None:
    """Raise what the path names."""
    raise raised(name)


class Posted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body."""

    name: str


@post("/post", dto=StrictBody, return_dto=None, opt={"open": True})
async def posted(data: JSONBody[Posted]) -> None:
    """Take a body."""


@get("/refusal", opt={"open": True})
async def refusal(request: Request[object, object, object]) -> Response[bytes]:
    """A refusal that was a value."""
    return WRITER.response(request, "matter-missing", receipt=RECEIPT)


WRITER = ProblemWriter(TEXTS, public_url="https://sauma.example/", log=structlog.get_logger(), new_id=lambda: INSTANCE)
APP = Litestar(
    [raiser, posted, refusal],
    guards=[default_deny],
    exception_handlers=WRITER.exception_map(),
    logging_config=None,
)


@pytest.fixture
def log_lines() -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    configure(stream=stream)
    yield stream
    configure(stream=io.BytesIO())


def ask(method: str, path: str, **extra: object) -> httpx.Response:
    with TestClient(APP, raise_server_exceptions=False) as client:
        answer: httpx.Response = client.request(method, path, **extra)
    return answer


JSON = {"content-type": "application/json"}
ANSWERS: dict[str, tuple[str, str, dict[str, object], int, str, str]] = {
    "a bad request": ("GET", "/raise/bad", {}, 403, "consent-required", "problem-answered"),
    "a bad request of no known code": ("GET", "/raise/bad-unlisted", {}, 500, "internal", "internal-error"),
    "no ledger": ("GET", "/raise/ledger", {}, 503, "ledger-unavailable", "dependency-unavailable"),
    "unavailable of no known code": ("GET", "/raise/unavailable-unlisted", {}, 500, "internal", "internal-error"),
    "a commit without an answer": ("GET", "/raise/unknown", {}, 504, "outcome-unknown", "dependency-unavailable"),
    "a seal that does not open": ("GET", "/raise/seal", {}, 503, "crypto-unavailable", "seal-refused"),
    "an error of ours without a mapping": ("GET", "/raise/sauma", {}, 500, "internal", "internal-error"),
    "what nobody foresaw": ("GET", "/raise/strange", {}, 500, "internal", "internal-error"),
    "a decoder's error on our side": ("GET", "/raise/msgspec", {}, 500, "internal", "internal-error"),
    "too deep a recursion": ("GET", "/raise/recursion", {}, 500, "internal", "internal-error"),
    "the framework's 400": ("GET", "/raise/http-400", {}, 400, "malformed-json", "problem-answered"),
    "the framework's 401, which we never raise": ("GET", "/raise/http-401", {}, 500, "internal", "internal-error"),
    "the framework's teapot": ("GET", "/raise/http-418", {}, 500, "internal", "internal-error"),
    "too many requests": ("GET", "/raise/too-many", {}, 429, "rate-limited", "problem-answered"),
    "the framework's 503": ("GET", "/raise/service", {}, 503, "overloaded", "dependency-unavailable"),
    "no such path": ("GET", f"/{MARKER}", {}, 404, "not-found", "problem-answered"),
    "no such method": ("PUT", "/raise/bad", {}, 405, "method-not-allowed", "problem-answered"),
    "an empty body": ("POST", "/post", {"content": b"", "headers": JSON}, 400, "malformed-json", "problem-answered"),
    "a parameter of the wrong type": (
        "GET",
        "/raise/bad?limit=Marker7",
        {},
        400,
        "invalid-value",
        "problem-answered",
    ),
    "an unknown member": (
        "POST",
        "/post",
        {"json": {"name": "x", MARKER: 1}},
        400,
        "unknown-property",
        "problem-answered",
    ),
}


@pytest.mark.parametrize(
    ("call", "status", "code", "event"), [(row[:3], *row[3:]) for row in ANSWERS.values()], ids=ANSWERS
)
def test_every_error_becomes_a_problem_and_a_line(
    log_lines: io.BytesIO, call: tuple[str, str, dict[str, object]], status: int, code: str, event: str
) -> None:
    method, path, extra = call
    answer = ask(method, path, **extra)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"https://sauma.example/v1/problems/{code}"
    assert (problem["status"], problem["instance"]) == (status, INSTANCE.urn)
    assert problem["title"] == TEXTS.codes[code].title.en
    assert set(problem) <= {"type", "title", "status", "detail", "instance", "code", "remedy", "errors"}
    [line] = log_lines.getvalue().splitlines()
    written = json.loads(line)
    assert verify_line(line)
    assert (written["event"], written["status"], written["instance"]) == (event, status, str(INSTANCE))
    assert "Marker7" not in answer.text + str(answer.headers) + line.decode()
    assert "9032" not in line.decode()


def test_an_internal_error_is_told_by_class_and_place_only(log_lines: io.BytesIO) -> None:
    assert set(ask("GET", "/raise/strange").json()) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "remedy",
    }
    written = json.loads(log_lines.getvalue())
    assert written["errorClass"].endswith("test_problems.Strange")
    assert written["module"].endswith("test_problems")
    assert written["line"] > 0
    assert written["route"] == "/raise/{name}"


def test_pointers_are_told() -> None:
    assert ask("GET", "/raise/bad").json()["errors"] == [{"pointer": "/consentId", "code": "consent-required"}]


def test_a_refusal_that_was_a_value_names_its_decision_and_carries_its_receipt() -> None:
    problem = ask("GET", "/refusal").json()
    assert (problem["status"], problem["code"], problem["decisionId"]) == (403, "matter-missing", RECEIPT["entryId"])
    assert problem["receipt"] == RECEIPT


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_is_in_the_callers_language(language: str) -> None:
    answer = ask("GET", "/raise/ledger", headers={"accept-language": language})
    text = TEXTS.codes["ledger-unavailable"]
    assert answer.headers["content-language"] == language
    assert [answer.json()[member] for member in ("title", "detail", "remedy")] == [
        in_language(kind, language) for kind in (text.title, text.detail, text.remedy)
    ]


def test_headers_that_say_what_next() -> None:
    assert set(ask("PUT", "/raise/bad").headers["allow"].split(", ")) == {"GET", "OPTIONS"}
    assert ask("GET", "/raise/ledger").headers["retry-after"] == "1"
    assert ask("GET", "/raise/too-many").headers["retry-after"] == "1"
    assert "retry-after" not in ask("GET", "/raise/strange").headers


async def test_an_error_that_escapes_everything_still_ends_in_a_fixed_answer(log_lines: io.BytesIO) -> None:
    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise Strange(MARKER)

    transport = httpx.ASGITransport(LastResort(broken, log=get_log()), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://sauma.example") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert json.loads(log_lines.getvalue())["event"] == "last-resort"
    assert "Marker7" not in answer.text + log_lines.getvalue().decode()


async def test_an_error_after_the_answer_began_sends_nothing_more(log_lines: io.BytesIO) -> None:
    async def broken(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Strange(MARKER)

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await LastResort(broken, log=get_log())({"type": "http"}, None, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert json.loads(log_lines.getvalue())["event"] == "last-resort"


async def test_a_failed_start_stays_a_failed_start() -> None:
    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise Strange

    with pytest.raises(Strange):
        await LastResort(broken, log=get_log())({"type": "lifespan"}, None, None)
