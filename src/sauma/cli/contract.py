"""`sauma contract`: write the generated description of the API, or say which file is not as the code would write it."""

import argparse
import functools
import inspect
import re
import sys
from pathlib import Path

import msgspec

from sauma.catalogue.loader import load
from sauma.catalogue.problems import load_problem_texts
from sauma.cli import parser
from sauma.oauth import resource, server
from sauma.web.edge import API_VERSION, ROUTES
from sauma.web.openapi import JsonObject, Sources, openapi_document, schema_files

_HELP = re.compile(r"(?<=-->\n```text\n).*?(?=```\n<!-- end -->)", re.DOTALL)
_HELP_WIDTH = 120


def described() -> JsonObject:
    """The OpenAPI document of this version's routes, law and texts."""
    sources = Sources(
        catalogue=load(),
        problems=load_problem_texts(),
        token_errors=server.ERROR_TEXTS,
        credential_errors=resource.ERROR_TEXTS,
    )
    return openapi_document(ROUTES, version=API_VERSION, sources=sources)


def write() -> int:
    """Write every generated file below `openapi/` and `schemas/` of the working directory, and its README's help."""
    for path, content in _generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return 0


def check() -> int:
    """Exit code 1, and the names on stderr, when a generated file is missing, different or no longer generated."""
    generated = _generated()
    present = {*Path("openapi").glob("*.json"), *Path("schemas").glob("*.json")}
    wrong = {p for p, content in generated.items() if not p.exists() or p.read_bytes() != content}
    for path in sorted(wrong | (present - generated.keys())):
        sys.stderr.write(f"sauma: {path} is not as the code would write it; fix: make contract\n")
    return 1 if wrong or present - generated.keys() else 0


def _generated() -> dict[Path, bytes]:
    files = {Path("openapi", "sauma.json"): described()}
    files |= {Path("schemas", name): schema for name, schema in schema_files().items()}
    made = {
        path: msgspec.json.format(msgspec.json.encode(_dedented(content), order="sorted"), indent=2) + b"\n"
        for path, content in files.items()
    }
    readme = Path("README.md")
    if readme.exists():
        made[readme] = _HELP.sub(lambda _: _help(), readme.read_text(encoding="utf-8")).encode()
    return made


def _dedented(value: object) -> object:
    """Descriptions alike on every Python: before 3.13 a docstring keeps the indentation of its source."""
    if isinstance(value, dict):
        lines = {name: text for name, text in value.items() if name == "description" and isinstance(text, str)}
        return {name: inspect.cleandoc(lines[name]) if name in lines else _dedented(value[name]) for name in value}
    return [_dedented(part) for part in value] if isinstance(value, list) else value


def _help() -> str:
    """What `sauma --help` prints, whatever the terminal's width."""
    top = parser()
    top.formatter_class = functools.partial(argparse.RawDescriptionHelpFormatter, width=_HELP_WIDTH)
    return top.format_help()
