"""Prose as tests read it: tables, fenced blocks, links and the names between backticks."""

import importlib
import pathlib
import re
import types

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", ROOT / "docker" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_FILE = re.compile(r"[A-Za-z0-9_./*-]*\.(?:py|md|sql|toml|json|csv|lock|sh)|[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]*")


def fenced(page: str, language: str) -> list[str]:
    """The blocks of a language."""
    return [body for name, body in _FENCE.findall(page) if name == language]


def prose(page: str) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", page)


def links(page: str) -> list[str]:
    """Targets inside the repository."""
    return [target for target in _LINK.findall(prose(page)) if "://" not in target]


def codes(page: str) -> list[str]:
    """What stands between backticks."""
    return _CODE.findall(prose(page))


def dotted(page: str) -> list[str]:
    """Names with dots between backticks that are not files: of Python or of SQL."""
    return [code for code in codes(page) if _DOTTED.fullmatch(code) and not _FILE.fullmatch(code)]


def table(page: str, first_cell: str) -> list[list[str]]:
    """The rows of the table whose head begins with the cell."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith(f"| {first_cell} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def resolve(name: str) -> object | None:
    """What a name relative to `sauma` stands for, None when nothing does."""
    words = name.split(".")
    for cut in range(len(words), 0, -1):
        try:
            found: object = importlib.import_module(".".join(("sauma", *words[:cut])))
        except ModuleNotFoundError:
            continue
        for word in words[cut:]:
            if not hasattr(found, word):
                return None
            found = getattr(found, word)
        return found
    return None


def code_of(thing: object) -> types.CodeType:
    """The code that runs when the thing is called: a function, a route's function, or a class's `__call__`."""
    if isinstance(thing, type):
        return thing.__call__.__code__
    return getattr(thing, "fn", thing).__code__
