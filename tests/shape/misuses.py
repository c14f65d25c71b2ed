"""Runs mypy once over every snippet and compares what it says with what each line expects (`# E: code`)."""

import os
import pathlib
import re
import subprocess
import sys

EXPECTED = re.compile(r"# E: (?P<codes>[a-z-]+(?:, [a-z-]+)*)")
REPORTED = re.compile(r"^(?P<file>[^:\n]+):(?P<line>[0-9]+): error: .*\[(?P<code>[a-z-]+)\]$", re.MULTILINE)

Places = dict[tuple[str, int], set[str]]


def expected(folder: pathlib.Path) -> Places:
    """The error codes each snippet asks for, by file name and line."""
    return {
        (path.name, number): set(match["codes"].split(", "))
        for path in sorted(folder.glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (match := EXPECTED.search(line))
    }


def reported(folder: pathlib.Path, *, root: pathlib.Path) -> tuple[Places, str]:
    """The error codes mypy gives with the project's own settings, by file name and line, and its whole output.

    `root` holds pyproject.toml and src; the snippets are checked as programs of their own against that src. PYTHONPATH
    is taken away: what mypy finds by it counts as somebody else's and its errors are not shown.
    """
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            "pyproject.toml",
            "--no-error-summary",
            "--no-pretty",
            "--cache-dir",
            str(root / ".mypy_cache"),
            *(str(path) for path in sorted(folder.glob("*.py"))),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MYPYPATH"}},
    )
    found: Places = {}
    for match in REPORTED.finditer(run.stdout):
        place = (pathlib.PurePath(match["file"]).name, int(match["line"]))
        found.setdefault(place, set()).add(match["code"])
    return found, run.stdout + run.stderr
