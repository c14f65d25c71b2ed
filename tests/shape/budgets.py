"""How big a thing may be and what it may be called; functions of a source tree, so that faults can be planted."""

import ast
import itertools
import pathlib
import re
from collections.abc import Iterator

FUNCTION_LINES, FUNCTION_P95 = 60, 40
FILE_LINES, FILE_P95 = 400, 300
PARAMETERS = 5
FILES_PER_PACKAGE = 15

# package below src/sauma: (limit, why it may hold more)
LARGER_PACKAGES: dict[str, tuple[int, str]] = {
    "core/resources": (
        20,
        "one module per thing exchanged: the contract names 14 resources and three parts of notices",
    ),
}

EMPTY_WORDS = frozenset({"data", "info", "util", "helper", "manager", "handler", "process", "item", "service", "user"})

# (file below src/sauma, name): why the word is someone else's and may stand
ALLOWED_NAMES: dict[tuple[str, str], str] = {
    ("core/parties.py", "PROCESS"): "the contract's officer kind for unattended runs, {kind: 'process'}",
    ("core/resources/county_decisions.py", "item"): "the field's name in the matrix: what was granted",
    ("settings.py", "INFO"): "a log level",
    ("vault/aead.py", "data"): "the parameter's name in the library's AEAD classes, which the protocol describes",
    ("vault/hygiene.py", "harden_process"): "the operating system's process (prctl)",
    **dict.fromkeys(
        ((f"web/routes/{name}.py", "data") for name in ("cases", "inspection", "matters", "records")),
        "the framework's reserved keyword for the request body",
    ),
    **dict.fromkeys(
        (("web/protocol.py", name) for name in ("data", "data_received")), "asyncio's callback and its argument"
    ),
    ("web/published.py", "info"): "a member of every OpenAPI document",
    ("web/openapi/events.py", "data"): "the member of an event that says where to look, as CloudEvents names it",
    ("web/protocol.py", "timeout_keep_alive_handler"): "uvicorn's method, replaced here",
    ("web/logs.py", "info"): "a log level, as structlog's method is called",
}

# terms of a standard that contain such a word
ALLOWED_TERMS = {
    ("data", "key"): "the key that seals content, apart from the key that wraps it (NIST SP 800-57)",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def trees(source: pathlib.Path) -> Iterator[tuple[str, ast.Module]]:
    """Each Python file below `source` with its path relative to it."""
    for path in sorted(source.rglob("*.py")):
        yield path.relative_to(source).as_posix(), ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines(node: Function) -> int:
    """Lines from `def` to the last line of the body; decorators are not counted."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def parameters(node: Function) -> int:
    """Parameters a caller can pass; `self` and `cls` are not."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [a for a in (arguments.vararg, arguments.kwarg) if a]
    return len([a for a in named if a.arg not in {"self", "cls"}]) + len(starred)


def p95(sizes: list[int]) -> int:
    """The size that 95 of 100 do not exceed (nearest rank)."""
    return sorted(sizes)[-(-len(sizes) * 95 // 100) - 1] if sizes else 0


def too_big(source: pathlib.Path) -> list[str]:
    """Everything over a size budget, as `path:line name size`, and the 95th percentiles over theirs."""
    found: list[str] = []
    function_sizes: list[int] = []
    file_sizes: list[int] = []
    packages: dict[str, int] = {}
    for path, tree in trees(source):
        size = len((source / path).read_text(encoding="utf-8").splitlines())
        file_sizes.append(size)
        package = path.rpartition("/")[0] or "."
        packages[package] = packages.get(package, 0) + 1
        if size > FILE_LINES:
            found.append(f"{path}: {size} lines > {FILE_LINES}")
        for node in functions(tree):
            function_sizes.append(lines(node))
            if lines(node) > FUNCTION_LINES:
                found.append(f"{path}:{node.lineno} {node.name}: {lines(node)} lines > {FUNCTION_LINES}")
            if parameters(node) > PARAMETERS:
                found.append(f"{path}:{node.lineno} {node.name}: {parameters(node)} parameters > {PARAMETERS}")
    for package, count in packages.items():
        limit, _ = LARGER_PACKAGES.get(package, (FILES_PER_PACKAGE, ""))
        if count > limit:
            found.append(f"{package}/: {count} Python files > {limit}")
    if p95(function_sizes) > FUNCTION_P95:
        found.append(f"95th percentile of functions: {p95(function_sizes)} lines > {FUNCTION_P95}")
    if p95(file_sizes) > FILE_P95:
        found.append(f"95th percentile of files: {p95(file_sizes)} lines > {FILE_P95}")
    return found


def words(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name in lower case; the plural of an empty word counts as the word."""
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    return [part.removesuffix("s") if part.removesuffix("s") in EMPTY_WORDS else part for part in parts]


def bound_names(path: str, tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Each name this file gives to something, as (line, name, whether every word of it counts).

    In the name of a module, class or function every word counts; a variable, parameter or member is empty only when
    the empty word is all of it.
    """
    yield 1, pathlib.PurePosixPath(path).stem, True
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.lineno, node.name, True
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg, False
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id, False
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.lineno, node.attr, False
        elif isinstance(node, ast.alias) and node.asname:
            yield 1, node.asname, False


def empty_names(source: pathlib.Path) -> list[str]:
    """Names that say nothing about the law or the standard they serve."""
    found: list[str] = []
    for path, tree in trees(source):
        for line, name, every_word in bound_names(path, tree):
            said = words(name)
            empty = EMPTY_WORDS.intersection(said if every_word or len(said) == 1 else ())
            empty -= {term[0] for term in ALLOWED_TERMS if term in itertools.pairwise(said)}
            if empty and (path, name) not in ALLOWED_NAMES:
                found.append(f"{path}:{line} {name}: «{min(empty)}» is not a name here")
    return found


def unused_allowances(source: pathlib.Path) -> list[str]:
    """Allowed names that no longer occur: an exemption outlives its reason only by mistake."""
    seen = {(path, name) for path, tree in trees(source) for _, name, _ in bound_names(path, tree)}
    return [f"{path} {name}" for path, name in ALLOWED_NAMES if (path, name) not in seen]
