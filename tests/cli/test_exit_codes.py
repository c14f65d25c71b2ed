"""The exit codes are a closed list: what the code can end with, what `--help` says and what the page says are one."""

import ast
import re
from pathlib import Path

from cli.test_wrong_configurations import ROWS
from docs import pages
from sauma import cli
from sauma.cli.doctor import _OF_DATABASE

SOURCE = Path(cli.__file__).parents[1]
PAGE = (pages.ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
SAID = {int(row[0]) for row in pages.table(PAGE, "code")}
OF_PYTHON = {2, 129, 130, 143}
"""argparse's, and 128 and the number of a signal."""


def named() -> set[int]:
    """The values of every name that is an exit code, and what `main` returns."""
    found = {0, 1}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and (names := _exit_names(node.targets[0])):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                found |= {
                    value.value
                    for name, value in zip(names, values, strict=True)
                    if name and isinstance(value, ast.Constant)
                }
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and path.parent.name == "cli":
                found |= {node.value.value} if type(node.value.value) is int else set()
    return found


def _exit_names(target: ast.expr) -> list[str]:
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    names = [node.id if isinstance(node, ast.Name) else "" for node in targets]
    return names if any(re.match(r"_?(EX_|CRASHED)", name) for name in names) else []


def test_the_page_lists_every_code_and_no_other() -> None:
    assert named() | OF_PYTHON == SAID
    assert {3, 4, 69, 70, 75, 78} <= named()


def test_help_lists_the_same() -> None:
    said = cli.parser().format_help().partition("exit codes:")[2].partition("Settings are")[0]
    assert {int(number) for number in re.findall(r"\b[0-9]+\b", said)} == SAID


def test_every_refusal_in_the_table_ends_with_one_of_them() -> None:
    codes = {row.code for row in ROWS.values()}
    assert codes <= SAID
    assert codes >= {1, 3, 4, 69, 78}
    assert len(ROWS) >= 40


def test_the_page_names_every_check_of_the_doctor() -> None:
    said = {name.strip() for row in pages.table(PAGE, "check") for name in row[0].split(",")}
    assert set(_OF_DATABASE) <= said
