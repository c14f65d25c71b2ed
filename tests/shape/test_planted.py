"""Each machine is shown a fault and must go red: a copy of the tree gets the faults, each machine runs once.

A machine that found nothing would leave its sentence without the expected words; a machine without a planted fault
fails the tests at the end.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from shape import misuses

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(sys.executable).parent

BANNED = {
    "__future__": "from __future__ import annotations",
    "datetime.date.today": "import datetime as dt\nx = dt.date.today()",
    "datetime.datetime.now": "import datetime as dt\nx = dt.datetime.now(dt.UTC)",
    "datetime.datetime.today": "import datetime as dt\nx = dt.datetime.today()",
    "datetime.datetime.utcnow": "from datetime import datetime\nx = datetime.utcnow()",
    "time.time": "import time\nx = time.time()",
    "time.time_ns": "from time import time_ns",
    "uuid.uuid1": "import uuid\nx = uuid.uuid1()",
    "uuid.uuid4": "from uuid import uuid4",
    "random": "import random",
    "secrets": "from secrets import token_bytes",
    "os.urandom": "import os\nx = os.urandom(8)",
    "os.environ": "import os\nx = os.environ['A']",
    "os.getenv": "import os\nx = os.getenv('A')",
}

# contract: (planted module, what it imports)
IMPORTS = {
    "layers": [
        ("core/planted_up", "sauma.exchange"),
        ("core/planted_law", "sauma.catalogue"),
        ("exchange/planted_driver", "sauma.store"),
        ("web/planted_sql", "sauma.store"),
        ("store/planted_settings", "sauma.settings"),
        ("vault/planted_tokens", "sauma.oauth"),
        ("app_planted_undeclared", "sauma.core"),
    ],
    "client-alone": [("client/planted_core", "sauma.core.parties")],
    "core-pure": [("core/planted_os", "os"), ("core/planted_loop", "asyncio"), ("core/planted_log", "structlog")],
    "exchange-pure": [("exchange/planted_clock", "time"), ("exchange/planted_web", "litestar")],
    "asyncpg-in-store": [("web/planted_asyncpg", "asyncpg")],
    "cryptography-at-home": [("store/planted_cipher", "cryptography.hazmat")],
    "joserfc-at-home": [("web/planted_jose", "joserfc.jwt")],
    "authlib-in-one-file": [("oauth/planted_authlib", "authlib.oauth2")],
    "litestar-at-edge": [("store/planted_litestar", "litestar.datastructures")],
    "prometheus-in-one-file": [("web/planted_metric", "prometheus_client")],
    "opentelemetry-in-one-file": [("web/planted_span", "opentelemetry.trace")],
}

# rule: (planted file below src/sauma, text)
SHAPES = {
    "mint-permit": ("exchange/planted_permit.py", "p = decision.Permit(ask=ask)\n"),
    "mint-refusal": ("web/planted_refusal.py", "p = Refusal(ask=ask)\n"),
    "mint-receipt": ("exchange/planted_receipt.py", "p = msgspec.convert(row, Receipt)\n"),
    "mint-sealed": ("store/planted_sealed.py", "p = Sealed(receipt=r)\n"),
    "mint-opened": ("exchange/planted_opened.py", "p = cast('Opened', sealed)\n"),
    "mint-disclosed": ("web/planted_disclosed.py", "p = Disclosed(body=b'', receipt=r)\n"),
    "no-replace": ("exchange/planted_replace.py", "p = msgspec.structs.replace(permit, records=more)\n"),
    "one-broad-except": ("web/planted_except.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
    "no-built-sql": ("store/planted_sql.py", "rows = connection.fetch(f'select {column}')\n"),
    "aesgcm-in-vault": ("oauth/planted_aead.py", "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n"),
}

# test that must fail in the copy: (planted file, text)
TESTS = {
    "test_budgets.py::test_nothing_is_too_big_to_be_read_at_once": (
        "src/sauma/core/planted_long.py",
        "def long() -> None:\n" + "    print()\n" * 60,
    ),
    "test_budgets.py::test_nothing_bears_an_empty_name": ("src/sauma/core/utils.py", ""),
    "test_prose.py::test_no_text_names_a_registry_host_or_the_workplace": ("docs/planted.md", "see /" + "work/main\n"),
    "test_prose.py::test_core_and_exchange_hold_no_type_ignore_and_the_rest_at_most_five": (
        "src/sauma/core/planted_ignore.py",
        "x = 1  # type: ignore[misc]  # a reason does not help here\n",
    ),
    "test_prose.py::test_every_exemption_in_the_code_names_its_rule_and_its_reason": (
        "src/sauma/core/planted_noqa.py",
        "x = 1  # noqa: E501\n",
    ),
    "test_prose.py::test_patterns_match_ascii_digits_only": ("src/sauma/core/planted_digits.py", 'X = r"\\d"\n'),
    "test_leaks.py::test_no_type_shows_what_it_holds": (
        "src/sauma/core/planted_leak.py",
        'import msgspec\n\n\nclass Planted(msgspec.Struct):\n    """A new type that prints."""\n\n    name: str\n',
    ),
}


class Red:
    """The copy with every fault in it, and what each machine said of it."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(
            ROOT / "tests" / "shape", root / "tests" / "shape", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(ROOT / "tests" / "typing" / "snippets", root / "tests" / "typing" / "snippets")
        shutil.copytree(ROOT / "docs", root / "docs")
        for name in ("pyproject.toml", "sgconfig.yml"):
            shutil.copy(ROOT / name, root / name)
        self.run("git", "init", "--quiet", str(root))

    def plant(self, path: str, text: str) -> None:
        """Put a file into the copy; the original never has one of that name."""
        assert not (self.root / path).exists()
        (self.root / path).write_text(text, encoding="utf-8")

    def run(self, tool: str, *arguments: str) -> str:
        """Everything a tool printed about the copy."""
        program = BIN / tool if (BIN / tool).exists() else pathlib.Path(shutil.which(tool) or tool)
        run = subprocess.run(
            [program, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": "src", "PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(self.root), "COLUMNS": "1000"},
        )
        return run.stdout + run.stderr


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Red:
    return Red(tmp_path_factory.mktemp("planted"))


def module_name(path: str) -> str:
    """`sauma.core.planted_up` of `core/planted_up`."""
    return "sauma." + path.replace("/", ".")


@pytest.fixture(scope="module")
def ruff_says(red: Red) -> str:
    for number, text in enumerate(BANNED.values()):
        red.plant(f"src/sauma/core/planted_ban{number}.py", f"{text}\n")
    return red.run("ruff", "check", "--no-cache", "--output-format", "concise", "src/sauma/core")


@pytest.mark.parametrize("name", BANNED)
def test_ruff_goes_red_on_a_banned(name: str, ruff_says: str) -> None:
    number = list(BANNED).index(name)
    assert re.search(rf"core/planted_ban{number}\.py:[0-9:]+ TID251 `{re.escape(name)}", ruff_says), ruff_says


@pytest.fixture(scope="module")
def linter_says(red: Red) -> str:
    for planted in IMPORTS.values():
        for path, imported in planted:
            red.plant(f"src/sauma/{path}.py", f"import {imported}\n")
    return red.run("lint-imports", "--no-cache")


@pytest.mark.parametrize("contract", IMPORTS)
def test_the_import_contract_goes_red(contract: str, linter_says: str) -> None:
    assert re.search(rf"^{contract}: .* BROKEN", linter_says, re.MULTILINE), linter_says
    for path, imported in IMPORTS[contract]:
        top = imported if imported.startswith("sauma") else imported.partition(".")[0]
        said = f"{module_name(path)} -> {top}" if "/" in path else f"- {module_name(path)}"
        assert said in linter_says, linter_says


@pytest.fixture(scope="module")
def shapes_found(red: Red) -> set[tuple[str, str]]:
    for path, text in SHAPES.values():
        red.plant(f"src/sauma/{path}", text)
    found, _ = json.JSONDecoder().raw_decode(red.run("ast-grep", "scan", "--json=compact"))
    return {(match["ruleId"], match["file"]) for match in found}


@pytest.mark.parametrize("rule", SHAPES)
def test_the_shape_rule_goes_red(rule: str, shapes_found: set[tuple[str, str]]) -> None:
    assert (rule, f"src/sauma/{SHAPES[rule][0]}") in shapes_found


@pytest.fixture(scope="module")
def failed_tests(tmp_path_factory: pytest.TempPathFactory) -> str:
    red = Red(tmp_path_factory.mktemp("importable"))  # of its own: the leak test imports every module
    for path, text in TESTS.values():
        red.plant(path, text)
    files = sorted({f"tests/shape/{name.partition('::')[0]}" for name in TESTS})
    return red.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *files)


@pytest.mark.parametrize("name", TESTS)
def test_the_test_goes_red(name: str, failed_tests: str) -> None:
    assert re.search(rf"^FAILED tests/shape/{re.escape(name)}", failed_tests, re.MULTILINE), failed_tests


def test_a_loosened_port_and_an_any_in_core_go_red(red: Red) -> None:
    ports = red.root / "src" / "sauma" / "exchange" / "ports.py"
    text = ports.read_text(encoding="utf-8")
    loosened = text.replace("async def read(self, receipt: Receipt,", "async def read(self, receipt: object,")
    assert loosened != text
    ports.write_text(loosened, encoding="utf-8")
    snippets = red.root / "tests" / "typing" / "snippets"
    (snippets / "any_in_core.py").write_text("import sauma.core.planted_any\n", encoding="utf-8")
    red.plant("src/sauma/core/planted_any.py", "from typing import Any\n\n\ndef f(x: Any) -> None: ...\n")
    found, output = misuses.reported(snippets, root=red.root)
    missed = {place: codes for place, codes in misuses.expected(snippets).items() if found.get(place) != codes}
    assert {name for name, _ in missed} == {"read_without_receipt.py", "append_unchecked.py", "append_not_awaited.py"}
    assert found.get(("planted_any.py", 4)) == {"explicit-any"}, output


def test_every_machine_has_its_planted_fault() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert set(settings["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]) == set(BANNED)
    assert {contract["id"] for contract in settings["importlinter"]["contracts"]} == set(IMPORTS)
    assert {path.stem for path in (ROOT / "tests" / "shape" / "rules").glob("*.yml")} == set(SHAPES)
