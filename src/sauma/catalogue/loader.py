"""Files → Catalogue, or a refusal to start that names the file and the key."""

import re
import tomllib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from sauma.catalogue.files import AREAS, CODES, MUNICIPALITIES, PURPOSES, digest_of, fault, read_files, text_of
from sauma.catalogue.places import parse_areas
from sauma.catalogue.rules import code_faults, purpose_faults
from sauma.core.areas import Areas
from sauma.core.purposes import Catalogue, Cell, Code, Purpose, Text

T = TypeVar("T")

_PURPOSE_FILE = re.compile(re.escape(PURPOSES) + r"[A-Za-z0-9-]+\.toml")

CODE_LISTS = frozenset(
    {
        "annulmentReasons",
        "auditPurposes",
        "eraseBy",
        "erasureExtents",
        "grounds",
        "identifierChangeReasons",
        "languages",
        "matterKinds",
        "necessity",
        "needCategories",
        "officerRoles",
        "publicationStates",
        "reductionGrounds",
        "relations",
        "statementTopics",
        "timers",
        "triggers",
        "urgencyReasons",
    }
)
"""The closed lists of `codes.toml`; a list more or less refuses to start."""


def load() -> Catalogue:
    """The catalogue of this package, checked as a whole.

    Raises:
        CatalogueError: some file is not lawful data; the text names the file and the key.
    """
    return parse_catalogue(read_files())


def load_areas() -> Areas:
    """The areas and municipalities of this package, checked as a whole.

    Raises:
        CatalogueError: some row is not a fact the table can hold.
    """
    return parse_areas(read_files())


def parse_catalogue(files: Mapping[str, bytes]) -> Catalogue:
    """The catalogue in the given files (names as in `read_files`), and the digest over all of them.

    Raises:
        CatalogueError: some file is not lawful data; the text names the file and the key.
    """
    for name in sorted(files):
        if name not in {CODES, AREAS, MUNICIPALITIES} and not _PURPOSE_FILE.fullmatch(name):
            raise fault(name, "file", "not a file of the catalogue")
    codes, days = _parse_codes(files)
    purposes: dict[str, Purpose] = {}
    numbers: set[str] = set()
    for name in sorted(n for n in files if n.startswith(PURPOSES)):
        purpose = _parse_purpose(files, name)
        for key, problem in purpose_faults(purpose, codes):
            raise fault(name, key, problem)
        if purpose.id in purposes:
            raise fault(name, "id", "stands in another file too")
        if purpose.number in numbers:
            raise fault(name, "number", "stands in another file too")
        if name != f"{PURPOSES}{purpose.number}-{purpose.id}.toml":
            raise fault(name, "file", "is not named by its number and id")
        purposes[purpose.id] = purpose
        numbers.add(purpose.number)
    if not purposes:
        raise fault(PURPOSES, "file", "no purpose at all")
    return Catalogue(purposes=purposes, codes=codes, digest=digest_of(files), erase_by_days=days)


def _toml(files: Mapping[str, bytes], name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text_of(files, name))
    except tomllib.TOMLDecodeError as error:
        raise fault(name, "file", f"not TOML: {error}") from None


def _decode(value: object, shape: type[T], *, file: str, key: str) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise fault(file, key, str(error)) from None


def _parse_purpose(files: Mapping[str, bytes], name: str) -> Purpose:
    raw = _toml(files, name)
    tables = {"cells": Cell, "qualifiers": Text}
    for table, shape in tables.items():  # one by one, because a decoder names only the table
        for key, value in _table(raw, table, file=name).items():
            _decode(value, shape, file=name, key=f"{table}.{key}")
    return _decode(raw, Purpose, file=name, key="purpose")


def _table(raw: dict[str, object], key: str, *, file: str) -> dict[str, object]:
    return _decode(raw.get(key), dict[str, object], file=file, key=key)


def _parse_codes(files: Mapping[str, bytes]) -> tuple[dict[str, dict[str, Code]], dict[str, int]]:
    raw = _toml(files, CODES)
    days = _decode(raw.pop("eraseByDays", None), dict[str, int], file=CODES, key="eraseByDays")
    for name in sorted(CODE_LISTS ^ raw.keys()):
        raise fault(CODES, name, "missing list" if name in CODE_LISTS else "unknown list")
    codes: dict[str, dict[str, Code]] = {}
    for name, rows in raw.items():
        codes[name] = {}
        for code in _decode(rows, tuple[Code, ...], file=CODES, key=name):
            for key, problem in code_faults(name, code):
                raise fault(CODES, key, problem)
            if code.code in codes[name]:
                raise fault(CODES, f"{name}.{code.code}", "stands twice")
            codes[name][code.code] = code
        if not codes[name]:
            raise fault(CODES, name, "empty list")
    for rule, count in days.items():
        if rule not in codes["eraseBy"] or count < 1:
            raise fault(CODES, f"eraseByDays.{rule}", "not an eraseBy code with at least one day")
    return codes, days
