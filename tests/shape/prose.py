"""Rules of the source as text: what may not be written anywhere, and exemptions that must give their reason."""

import ast
import pathlib
import re
import subprocess
import tokenize
from collections.abc import Iterator

# joined here so that this file does not contain what it looks for
REGISTRIES = tuple(
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("yarnpkg", ".com"),
        ("crates", ".io"),
    )
)
WORKPLACE = re.compile(r"(?<![A-Za-z0-9_.])/" + r"work/|\.\./" + "shared")

NOQA = re.compile(r"#\s*noqa(?P<codes>:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)?(?P<rest>.*)")
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(?P<codes>\[[a-z-]+(?:,\s*[a-z-]+)*\])?(?P<rest>.*)")
REASON = re.compile(r"\s*#\s*\w.{8,}")

# `select * into r` fills a row variable inside a function and lets nothing out; `synchronous_commit` may be insisted on
UNSTATED_SQL = {
    "select *": re.compile(r"\bselect\s+(?:[a-z_]+\.)?\*(?!\s+into\b)", re.IGNORECASE),
    "returning *": re.compile(r"\breturning\s+\*(?!\s+into\b)", re.IGNORECASE),
    "notify": re.compile(r"\b(?:notify\s+[a-z]|pg_notify\b)", re.IGNORECASE),
    "synchronous_commit": re.compile(r"\bsynchronous_commit\b(?!', 'on', true\))", re.IGNORECASE),
    "session-level set": re.compile(
        r"(?:\A|;|\b(?:begin|then|else|loop)\b)\s*set\s+(?!local\b|constraints\b)(?:session\s+)?[a-z_.]+\s*(?:=|to)\s",
        re.IGNORECASE,
    ),
    "session-level set_config": re.compile(r"\bset_config\s*\([^()]*,\s*false\s*\)", re.IGNORECASE),
    "session-level advisory lock": re.compile(r"\bpg_(?:try_)?advisory_lock", re.IGNORECASE),
}
STATEMENT_NAME = re.compile(r"^-- name:[^\n]*", re.MULTILINE)
SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def repository_texts(root: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Each text file git would commit, with its path; binary files are passed over."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607  # git from PATH
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in sorted(filter(None, set(listed.split("\0")))):
        path = root / name
        if not path.is_file() or path.is_symlink():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def foreign_words(root: pathlib.Path) -> list[str]:
    """Mentions of a package registry's host or of the place where this was written."""
    found = []
    for name, text in repository_texts(root):
        for number, line in enumerate(text.splitlines(), start=1):
            if any(host in line for host in REGISTRIES) or WORKPLACE.search(line):
                found.append(f"{name}:{number}")
    return found


def comments(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Each comment of a Python file with its line."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def unreasoned(root: pathlib.Path) -> list[str]:
    """`noqa` and `type: ignore` comments without a code or without a reason behind them."""
    found = []
    for path in sorted(root.rglob("*.py")):
        for number, comment in comments(path):
            for exemption in (NOQA, TYPE_IGNORE):
                match = exemption.search(comment)
                if match and not (match["codes"] and REASON.match(match["rest"])):
                    found.append(f"{path.relative_to(root)}:{number} {comment}")
    return found


def ignores(root: pathlib.Path) -> list[str]:
    """Every `type: ignore` below the folder."""
    return [
        f"{path.relative_to(root)}:{number}"
        for path in sorted(root.rglob("*.py"))
        for number, comment in comments(path)
        if TYPE_IGNORE.search(comment)
    ]


def unicode_digits(root: pathlib.Path) -> list[str]:
    r"""String literals that hold `\d`, which matches the digits of every script."""
    return [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and r"\d" in node.value
    ]


def unlawful_sql(text: str) -> list[str]:
    """Names of the forbidden forms in a piece of SQL; comments do not count."""
    bare = SQL_COMMENT.sub(" ", STATEMENT_NAME.sub(";", text))
    return [name for name, pattern in UNSTATED_SQL.items() if pattern.search(bare)]


def unreasoned_settings(pyproject: str) -> list[str]:
    """Lines of the ruff tables that exempt a rule without a comment."""
    table = ""
    found = []
    for number, line in enumerate(pyproject.splitlines(), start=1):
        if line.startswith("["):
            table = line.strip("[] ")
        exempts = re.match(r'\s*"[A-Z]+[0-9]*",|"[^"]+" = \["[A-Z]', line)
        if table.startswith("tool.ruff") and exempts and not re.search(r"#\s*\S.{6,}", line):
            found.append(f"pyproject.toml:{number} {line.strip()}")
    return found
