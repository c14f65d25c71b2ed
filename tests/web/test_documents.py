"""Pages for people and the served description: closed lists, strict policies, three languages, and nothing echoed."""

import hashlib
import html
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient

from sauma.catalogue.problems import load_problem_texts
from sauma.core.problems import LANGUAGES, OAUTH_STATUS, STATUS, Actor, Retry, in_language
from sauma.web.gate import default_deny
from sauma.web.logs import get_log
from sauma.web.pages import prefers_html, problem_page
from sauma.web.problems import ProblemWriter
from sauma.web.routes.documents import FILES, ROUTES
from sauma.web.routes.public import show_problem

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "sauma" / "web" / "static"
TEXTS = load_problem_texts()
EXPLAINED = TEXTS.codes | TEXTS.oauth
SUMS = dict(line.split("  ")[::-1] for line in (STATIC / "SHA256SUMS").read_text(encoding="ascii").splitlines())
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture(scope="module")
def http() -> Iterator[TestClient[Litestar]]:
    writer = ProblemWriter(TEXTS, public_url="https://sauma.example", log=get_log(), new_id=lambda: uuid.UUID(int=1))
    app = Litestar(
        [*ROUTES, show_problem],
        guards=[default_deny],
        exception_handlers=writer.exception_map(),
        state=State({"edge": SimpleNamespace(problem_texts=TEXTS)}),
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


# -- the description


def test_the_description_is_served_byte_for_byte(http: Any) -> None:
    answer = http.get("/openapi.json")
    assert answer.content == (ROOT / "openapi" / "sauma.json").read_bytes()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"


KNOWN = {
    "the same tag": ("{tag}", 304),
    "among others": ('"x", {tag}', 304),
    "as a weak one": ("W/{tag}", 304),
    "any": ("*", 304),
    "another": ('"0123"', 200),
    "half of it": ("{half}", 200),
}


@pytest.mark.parametrize(("stated", "status"), KNOWN.values(), ids=KNOWN)
def test_a_copy_that_is_still_good_is_not_sent_again(http: Any, stated: str, status: int) -> None:
    tag = http.get("/openapi.json").headers["etag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag)
    answer = http.get("/openapi.json", headers={"if-none-match": stated.format(tag=tag, half=tag[:9])})
    assert (answer.status_code, answer.content == b"") == (status, status == 304)
    assert answer.headers["etag"] == tag


# -- the page and its files


def test_the_vendored_files_are_what_their_makers_published() -> None:
    assert {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in SUMS} == SUMS
    foreign = {path.name for path in STATIC.iterdir()} - {"README.md", "SHA256SUMS", "docs.html"}
    assert {name for name in foreign if not name.startswith("sauma.")} == SUMS.keys()
    assert "Apache License" in (STATIC / "swagger-ui-LICENSE.txt").read_text(encoding="ascii")


def test_the_page_names_only_files_there_are(http: Any) -> None:
    page = http.get("/docs").text
    named = re.findall(r'(?:src|href)="([^"#]*)"', page)
    assert sorted(name.removeprefix("docs/") for name in set(named) - {"openapi.json"}) == sorted(FILES)
    assert set(FILES) <= {path.name for path in STATIC.iterdir()}


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_its_type_and_its_caching(http: Any, name: str) -> None:
    answer = http.get(f"/docs/{name}")
    assert answer.content == (STATIC / name).read_bytes()
    media_type, caching = FILES[name]
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (media_type + charset, caching)
    immutable = "immutable" in answer.headers["cache-control"]
    assert immutable is bool(re.search("[0-9]+[.][0-9]+", name)), "kept for good only where the name has a version"
    assert http.get(f"/docs/{name}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


ELSEWHERE = (
    "docs.html",
    "README.md",
    "SHA256SUMS",
    "..",
    "..%2fpages.py",
    "%2e%2e/pages.py",
    "sauma.css/",
    "SAUMA.CSS",
    "sauma.css%00",
    "swagger-ui-LICENSE.txt",
)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_other_file_can_be_reached(http: Any, name: str) -> None:
    answer = http.get(f"/docs/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_page_holds_no_script_or_style_of_its_own(http: Any) -> None:
    answer = http.get("/docs")
    assert not re.search(r"<script(?![^>]*src=)|<style|\bstyle=|\bon[a-z]+=", answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_page_tells_no_outside_service_of_the_description() -> None:
    script = (STATIC / "sauma.js").read_text(encoding="utf-8")
    assert "validatorUrl: null" in script
    assert "supportedSubmitMethods: []" in script
    assert "http" not in script


@pytest.mark.parametrize("path", ["/docs?x=1", "/openapi.json?v=2", "/docs/sauma.css?1"])
def test_a_query_that_nobody_asked_for_is_refused(http: Any, path: str) -> None:
    assert http.get(path).status_code == 400


# -- the texts of the codes

PUSHED = set(
    "consent-missing prohibited restricted-processing protected-person county-not-competent erased subject-unknown".split()  # noqa: SIM905  # as the contract has it
)
CALLERS_SIDE = [code for code, status in STATUS.items() if status == 403 and code not in PUSHED]
DISCLOSERS_FACTS = (
    "turvakiel|kieltä|kielt[oä]|spärr|förbud|förbju|prohibit|protected|non-disclosure|hävitet|raderat|erased"
)


@pytest.mark.parametrize("code", STATUS)
def test_every_text_is_said_in_three_different_ways(code: str) -> None:
    for text in TEXTS.codes[code].texts():
        said = [in_language(text, language).strip() for language in LANGUAGES]
        assert len(set(said)) == len(LANGUAGES)
        assert all(said)
        assert not re.search("[äöå]", text.en)
    cause = TEXTS.codes[code].cause
    assert all(in_language(cause, language).endswith(".") for language in LANGUAGES)


def test_no_two_codes_share_a_cause() -> None:
    for language in LANGUAGES:
        causes = [in_language(text.cause, language) for text in TEXTS.codes.values()]
        assert len(causes) == len(set(causes))


@pytest.mark.parametrize("code", CALLERS_SIDE)
def test_a_code_of_the_callers_side_tells_nothing_of_the_disclosers(code: str) -> None:
    said = " ".join(in_language(text, language) for text in TEXTS.codes[code].texts() for language in LANGUAGES)
    assert not re.search(DISCLOSERS_FACTS, said, re.IGNORECASE)


def test_the_search_for_the_disclosers_facts_does_find() -> None:
    for code in ("prohibited", "protected-person", "erased"):
        assert re.search(DISCLOSERS_FACTS, TEXTS.codes[code].detail.en + TEXTS.codes[code].title.en, re.IGNORECASE)


def test_every_actor_and_every_rule_is_used_and_named() -> None:
    assert {text.actor for text in TEXTS.codes.values()} == set(Actor) == TEXTS.actors.keys()
    assert {text.retry for text in TEXTS.codes.values()} == set(Retry) == TEXTS.retries.keys()


def test_what_comes_with_retry_after_may_be_sent_again() -> None:
    waiting = {code for code, text in TEXTS.codes.items() if text.retry is Retry.WAIT}
    assert waiting == {
        "idempotency-key-in-progress",
        "rate-limited",
        "internal",
        "overloaded",
        "ledger-unavailable",
        "crypto-unavailable",
        "outcome-unknown",
    }


# -- the page of a code

ACCEPT = {
    "a browser": (BROWSER, True),
    "nothing said": (None, False),
    "anything": ("*/*", False),
    "JSON": ("application/json", False),
    "a problem": ("application/problem+json, application/json;q=0.9", False),
    "both alike": ("text/html, application/json", False),
    "HTML less": ("text/html;q=0.5, application/json", False),
    "HTML refused": ("text/html;q=0, */*", False),
    "any text": ("text/*, */*;q=0.1", True),
    "HTML with a parameter": ("text/html;charset=utf-8;q=0.9, */*;q=0.8", True),
    "shouted": ("TEXT/HTML", True),
    "a bad weight": ("text/html;q=٣", False),
    "only something else": ("application/xml", False),
    "very long": ("a/b," * 5000 + "text/html", False),
}


@pytest.mark.parametrize(("header", "page"), ACCEPT.values(), ids=ACCEPT)
def test_a_page_is_shown_to_who_likes_one_better(header: str | None, page: bool) -> None:  # noqa: FBT001  # a row's fact
    assert prefers_html(header) is page


def shown(http: Any, code: str, language: str) -> httpx.Response:
    answer: httpx.Response = http.get(f"/v1/problems/{code}", headers={"accept": BROWSER, "accept-language": language})
    return answer


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", EXPLAINED)
def test_every_code_has_a_page_with_everything_in_three_languages(http: Any, code: str, language: str) -> None:
    answer = shown(http, code, language)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    said = html.unescape(answer.text)
    text = EXPLAINED[code]
    for kind in (*text.texts(), TEXTS.actors[text.actor], TEXTS.retries[text.retry]):
        assert all(in_language(kind, one) in said for one in LANGUAGES)
    assert f'<html lang="{language}">' in answer.text
    assert re.findall('<section id="([a-z]+)"', answer.text)[0] == language == answer.headers["content-language"]
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'self'; img-src 'self'; "
    )
    assert answer.headers["vary"] == "Accept, Accept-Language"


@pytest.mark.parametrize("code", EXPLAINED)
def test_a_program_gets_the_same_as_json(http: Any, code: str) -> None:
    answer = http.get(f"/v1/problems/{code}")
    assert answer.headers["content-type"] == "application/json"
    said, text = answer.json(), EXPLAINED[code]
    assert (said["code"], said["status"]) == (code, {**STATUS, **OAUTH_STATUS}[code])
    assert said["cause"] == {language: in_language(text.cause, language) for language in LANGUAGES}
    assert said["actor"] == {"id": text.actor.value, "text": json.loads(json.dumps(_texts(TEXTS.actors[text.actor])))}
    assert said["retry"]["id"] == text.retry.value
    assert answer.headers["vary"] == "Accept, Accept-Language"


def _texts(text: Any) -> dict[str, str]:
    return {language: in_language(text, language) for language in LANGUAGES}


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
@pytest.mark.parametrize("path", ["teapot-marker7", "%3Cscript%3Ealert(7)%3C%2Fscript%3E", "matter-missing%22"])
def test_an_unknown_code_is_not_found_and_not_echoed(http: Any, accept: str, path: str) -> None:
    answer = http.get(f"/v1/problems/{path}", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert not re.search("marker7|alert|script", answer.text)


def test_texts_are_escaped() -> None:
    text = TEXTS.codes["internal"]
    sharp = type(text.title)(fi="<b>&\"'", sv="<i>", en="{x}")
    changed = type(text)(title=sharp, detail=sharp, cause=sharp, remedy=sharp, actor=text.actor, retry=text.retry)
    page = problem_page(TEXTS, "internal", changed, status=500, language="fi").decode()
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;&amp;&quot;&#x27;" in page
    assert "{x}" in page
