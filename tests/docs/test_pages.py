"""The pages hold together: links lead somewhere, the index is whole, version and licence are said alike."""

import pathlib
import re
import tomllib

import pytest

from docs import pages
from sauma import cli

ROOT = pages.ROOT
DOCS = ROOT / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    targets = pages.links(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_it_names_is_there(page: pathlib.Path) -> None:
    named = re.findall(
        r"(?:verify/)?(?:src|tests|docs|migrations|schemas|openapi)/[a-z0-9_][A-Za-z0-9_./-]*[A-Za-z0-9_]",
        page.read_text(encoding="utf-8"),
    )
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / "src" / "sauma" / name).exists()] == []


def test_the_index_lists_every_page_and_decision_by_its_title() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    assert {(DOCS / target).resolve() for target in pages.links(text)} >= set(DOCS.rglob("*.md")) - {DOCS / "README.md"}
    for record in sorted((DOCS / "adr").glob("*.md")):
        title = record.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert f"- [{title}](adr/{record.name})" in text.splitlines()


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (newest, *_) = re.findall(r"^## (?:Unreleased: )?([0-9.]+)", text, re.MULTILINE)
    assert newest == cli.VERSION == PROJECT["version"]


def test_the_licence_is_whole_and_is_the_one_declared() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.split()[:6] == ["EUROPEAN", "UNION", "PUBLIC", "LICENCE", "v.", "1.2"]
    assert [int(n) for n in re.findall(r"^ {4}([0-9]+)\. [A-Z]", text, re.MULTILINE)] == list(range(1, 16))
    assert text.rstrip().endswith("production of a new\nEUPL version.")
    assert PROJECT["license"] == "EUPL-1.2"
    assert "Licensed under the EUPL" in pages.README.read_text(encoding="utf-8")


def test_nothing_is_promised_with_a_placeholder() -> None:
    for page in pages.PAGES:
        assert not re.search(r"\b(TODO|TBD|FIXME|XXX|lorem)\b", page.read_text(encoding="utf-8")), page.name
