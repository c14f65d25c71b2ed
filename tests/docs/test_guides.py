"""The guides do what they say: every block is run as it stands, and prints what the page says it prints."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs import pages
from docs.guides import promised, run
from interop.conftest import JS, node  # noqa: F401  # the fixture
from sauma.catalogue.loader import load, load_areas
from sauma.catalogue.problems import load_problem_texts
from sauma.core.problems import OAUTH_STATUS, STATUS, Retry
from sauma.oauth import resource
from sauma.oauth.issuing import answers
from sauma.web.edge import API_VERSION
from sauma.web.problems import TRY_AGAIN

DOCS = pages.ROOT / "docs"
FIRST = (DOCS / "first-disclosure.md").read_text(encoding="utf-8")
CHECKLIST = (DOCS / "integration-checklist.md").read_text(encoding="utf-8")
VERSIONING = (DOCS / "versioning.md").read_text(encoding="utf-8")
DOCUMENT = json.loads((pages.ROOT / "openapi" / "sauma.json").read_text(encoding="utf-8"))
TEXTS = load_problem_texts()
AINO, NOBODY = "010594Y9032", "020594X903P"


def blocks(language: str) -> list[str]:
    return pages.fenced(FIRST, language)


@pytest.fixture
def folder(live: Any, tmp_path: Path) -> Path:
    """A folder as a reader has it after `./sauma`: the demo system's key where the page says it lies."""
    live.told.texts.add("Päivi Esimerkki")
    place = re.search(r'Path\("([^"]+)"\)', FIRST)
    assert place is not None
    key = tmp_path / place[1]
    key.parent.mkdir(parents=True)
    key.write_text(json.dumps({"clientId": "pirha", "jwk": live.keys["pirha"]}), encoding="utf-8")
    return tmp_path


def with_people(live: Any, script: str) -> str:
    """The script as written, but about persons of the test's own."""
    assert AINO in script
    return script.replace(AINO, live.client_of_both()).replace(NOBODY, live.person())


def test_the_first_disclosure_works_as_written(live: Any, folder: Path) -> None:
    script = with_people(live, "\n".join(blocks("python")))
    (folder / "first.py").write_text(script, encoding="utf-8")
    assert run([sys.executable, "first.py"], folder, live) == promised(FIRST, "python")


def test_it_works_from_node_as_written(live: Any, folder: Path, node: str) -> None:  # noqa: F811  # the fixture
    (script,) = blocks("js")
    (folder / "first.mjs").write_text(with_people(live, script), encoding="utf-8")
    (folder / "node_modules").symlink_to(JS / "node_modules")
    assert run([node, "first.mjs"], folder, live) == promised(FIRST, "js")


def test_the_persons_it_names_are_those_of_the_demo() -> None:
    from sauma.demo.featured import AINO as KNOWN  # noqa: PLC0415  # the one test that needs the demo
    from sauma.demo.featured import UNKNOWN  # noqa: PLC0415  # the one test that needs the demo

    assert {KNOWN.hetu: "known", UNKNOWN.hetu: "not"} == {AINO: "known", NOBODY: "not"}


def test_the_demo_systems_it_names_are_those_of_the_demo() -> None:
    from sauma.demo import organisations  # noqa: PLC0415  # the one test that needs it

    found = organisations.organisations(load_areas())
    known = {client.id: client.organisation for client in organisations.clients(found)}
    purposes = load().purposes
    rows = pages.table(FIRST, "demo file")
    assert len(rows) == 5
    for file, organisation, role, purpose in rows:
        stated = known[file.strip("`").removesuffix(".json")]
        assert stated == (re.findall("`([0-9-]+)`", organisation) or [organisations.invented_id("ombudsman")])[0]
        assert role.strip("`") in purposes[purpose.split("`")[1]].receiver_roles


def test_the_persons_of_its_table_are_as_special_as_it_says() -> None:
    from sauma.demo import featured  # noqa: PLC0415  # the one test that needs it

    cases = {case.hetu: case.case for case in featured.featured(load_areas()).values()}
    rows = {row[0].strip("`"): row[1] for row in pages.table(FIRST, "person")}
    said = {hetu: (cases[hetu].at_kela, cases[hetu].at_county, cases[hetu].protected) for hetu in rows}
    assert list(said.values()) == [
        (True, True, False),
        (True, False, True),
        (False, True, False),
        (False, False, False),
    ]
    assert {cases[hetu].home.municipality for hetu in rows} == {featured.TAMPERE}


def test_every_code_stands_in_the_table_with_its_rule_and_who_acts() -> None:
    rows = {row[0].strip("`"): row[1:] for row in pages.table(FIRST, "code")}
    assert rows == {
        code: [str(status), text.retry.value, text.actor.value, text.title.en]
        for code, status in STATUS.items()
        for text in [TEXTS.codes[code]]
    }


def test_the_codes_it_waits_for_are_those_to_wait_for() -> None:
    waits = {code for code, text in TEXTS.codes.items() if text.retry is Retry.WAIT}
    stated = re.search(r"^WAIT = \{(.*?)\}", FIRST, re.MULTILINE | re.DOTALL)
    assert stated is not None
    assert set(re.findall('"([a-z-]+)"', stated[1])) == waits
    assert waits == TRY_AGAIN | {"internal"}, "all but this one bring Retry-After"


def test_every_oauth_error_stands_in_the_table_with_where_it_is_said() -> None:
    rows = {row[0].strip("`"): row[1] for row in pages.table(FIRST, "error")}
    tokens, calls = answers.ERROR_TEXTS.keys(), resource.ERROR_TEXTS.keys()
    assert rows == {
        error: ", ".join(place for place, errors in (("token", tokens), ("calls", calls)) if error in errors)
        for error in {**answers.ERROR_TEXTS, **resource.ERROR_TEXTS}
    }


def test_its_rule_for_an_oauth_error_is_that_of_the_errors_page() -> None:
    rows = {row[0].strip("`"): row[2] for row in pages.table(FIRST, "error")}
    assert rows == {error: TEXTS.oauth[error].retry.value for error in rows}
    said = {error for error in OAUTH_STATUS if error not in rows}
    assert said == {"invalid_grant"}, "never answered by us, and explained"


def test_its_numbers_are_those_of_the_code() -> None:
    from sauma.oauth import claims, proof  # noqa: PLC0415  # only their numbers
    from sauma.oauth.issuing import clients  # noqa: PLC0415  # only its number

    assert f"counts for {clients.ASSERTION_LIFETIME} seconds at most" in FIRST
    assert f"may be {claims.SKEW} seconds ahead; a proof {proof.PROOF_LIFETIME} seconds either way" in FIRST
    assert f"| {claims.TOKEN_LIFETIME} seconds, no refresh token" in FIRST


# -- what may be promised of versions


def test_every_answer_says_the_version_the_page_names(live: Any) -> None:
    assert f"`API-Version: {API_VERSION}`" in VERSIONING
    for path in ("/v1/status", "/v1/nothing", "/docs", "/openapi.json", "/v1/disclosures"):
        answer = httpx.get(live.url + path)
        assert answer.headers["api-version"] == API_VERSION
        assert not {"deprecation", "sunset"} & answer.headers.keys()


def test_nothing_is_deprecated_today_as_the_page_says() -> None:
    assert "Nothing is deprecated today" in VERSIONING
    assert '"deprecated":true' not in json.dumps(DOCUMENT, separators=(",", ":"))


def test_requests_are_closed_and_answers_open_as_the_page_says(live: Any) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["CaseQueryBody"]["additionalProperties"] is False
    assert schemas["CaseAnswer"].get("additionalProperties", True) is not False


# -- the checklist


def test_every_row_of_the_checklist_can_be_checked() -> None:
    """By an operation that is described, a file that is there, or one of the codes."""
    rows = [row for head in ("before testing", "before production") for row in pages.table(CHECKLIST, head)]
    assert len(rows) >= 20
    paths = {path.replace("{wellKnown}", ".well-known"): methods for path, methods in DOCUMENT["paths"].items()}
    described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    for row in rows:
        said = row[-1]
        operations = re.findall(r"`((?:GET|PUT|POST) /[^` ]*)`", said)
        assert [one for one in operations if one not in described] == [], said
        codes = [one for one in re.findall("`([a-z]+(?:-[a-z]+)+)`", said) if one != "nothing-disclosable"]
        assert [one for one in codes if one not in STATUS] == [], said
        assert operations or codes or "](" in said or said.startswith(("by eye", "by hand")), said
