"""Each misuse of the one path is refused by the type checker, with the expected complaint and no other."""

import pathlib

import pytest

from shape import misuses

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
SNIPPETS = sorted(path.name for path in (HERE / "snippets").glob("*.py"))


@pytest.fixture(scope="module")
def verdict() -> tuple[misuses.Places, str]:
    return misuses.reported(HERE / "snippets", root=ROOT)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_misuse_is_refused(snippet: str, verdict: tuple[misuses.Places, str]) -> None:
    found, output = verdict
    wanted = {place: codes for place, codes in misuses.expected(HERE / "snippets").items() if place[0] == snippet}
    assert {place: codes for place, codes in found.items() if place[0] == snippet} == wanted, output
    assert wanted or snippet.startswith("right_")


def test_nothing_else_is_wrong(verdict: tuple[misuses.Places, str]) -> None:
    found, output = verdict
    assert {name for name, _ in found} <= set(SNIPPETS), output
    assert "Cannot find" not in output, output
