"""The pages for people, in a real browser: they load nothing from anywhere else, break no rule, and can be read by all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from browser.conftest import HOST
from sauma.core.problems import STATUS

pytestmark = pytest.mark.slow
DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi" / "sauma.json").read_text(encoding="utf-8"))
OPERATIONS = {said["operationId"] for methods in DOCUMENT["paths"].values() for said in methods.values()}
DESCRIBED = {"path": "/docs", "wait": ".opblock-tag-section .opblock"}
OPENED = [
    {"on": f"#operations .opblock-{method} .opblock-summary-control", "shows": f".opblock-{method} .opblock-body"}
    for method in ("post", "put", "get")
] + [
    {"on": ".opblock-put .tablinks[data-name=model]", "shows": ".opblock-put .json-schema-2020-12"},
    {"on": ".models-control", "shows": ".models .json-schema-2020-12"},
]
PAGES = {
    "the description": DESCRIBED,
    "the description in the dark": {**DESCRIBED, "scheme": "dark"},
    "operations and schemas open": {**DESCRIBED, "click": OPENED},
    "operations and schemas open in the dark": {**DESCRIBED, "scheme": "dark", "click": OPENED},
    "a problem": {"path": "/v1/problems/consent-required"},
    "a problem in the dark": {"path": "/v1/problems/outcome-unknown", "scheme": "dark"},
}


@pytest.fixture(scope="module")
def seen(look: Callable[..., list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shots = tmp_path_factory.mktemp("screenshots")
    named = [{**page, "name": name, "screenshot": str(shots / f"{name}.png")} for name, page in PAGES.items()]
    told = {page["name"]: page for page in look(*named)}
    assert all((shots / f"{name}.png").stat().st_size > 5000 for name in PAGES)
    return told


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_asked_of_anybody_else(seen: dict[str, Any], name: str) -> None:
    asked = [urlsplit(url) for url in seen[name]["requests"]]
    assert {url.hostname for url in asked if url.scheme != "data"} == {HOST}
    assert "/docs/sauma.css" in {url.path for url in asked}
    assert seen[name]["failed"] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_refuses_nothing_and_the_console_is_silent(seen: dict[str, Any], name: str) -> None:
    assert "default-src 'none'" in seen[name]["policy"]
    assert "unsafe" not in seen[name]["policy"]
    assert seen[name]["refused"] == []
    assert seen[name]["console"] == []


def test_every_operation_of_the_description_stands_on_the_page(seen: dict[str, Any]) -> None:
    shown = set(seen["the description"]["text"].split())
    assert len(OPERATIONS) > 20
    assert sorted(OPERATIONS - shown) == []


def test_no_button_promises_a_call_that_cannot_be_made(seen: dict[str, Any]) -> None:
    buttons = " ".join(button for page in seen.values() for button in page["buttons"])
    assert "Try it out" not in buttons
    assert "Authorize" not in buttons


def test_the_pages_follow_light_and_dark(seen: dict[str, Any]) -> None:
    light, dark = seen["the description"]["background"], seen["the description in the dark"]["background"]
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(28, 32, 34)")


def test_a_problem_is_told_in_three_languages(seen: dict[str, Any]) -> None:
    said = seen["a problem"]
    assert said["title"].startswith("consent-required: ")
    assert str(STATUS["consent-required"]) in said["text"]
    assert all(word in said["text"] for word in ("Suostumus tarvitaan", "Samtycke krävs", "Consent required"))
    assert said["language"] == "en"


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(seen: dict[str, Any], name: str) -> None:
    grave = [finding for finding in seen[name]["axe"] if finding["impact"] in {"serious", "critical"}]
    assert grave == []
