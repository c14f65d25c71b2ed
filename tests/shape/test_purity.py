"""What the law needs to be decided: importing core and exchange loads no driver, no framework, no socket, no clock loop."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FOREIGN = {"asyncio", "asyncpg", "authlib", "cryptography", "httpx", "joserfc", "litestar", "logging", "random",
           "secrets", "socket", "ssl", "structlog", "uvicorn"}  # fmt: skip
LOAD = """
import importlib, pkgutil, sys
for name in {packages!r}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def loaded(*packages: str) -> set[str]:
    """Top-level modules a fresh interpreter holds after importing every module of the packages."""
    run = subprocess.run(
        [sys.executable, "-c", LOAD.format(packages=packages)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    return set(run.stdout.split())


def test_core_and_exchange_load_nothing_that_acts() -> None:
    assert loaded("sauma.core", "sauma.exchange") & FOREIGN == set()


@pytest.mark.parametrize(("package", "library"), [("sauma.store", "asyncpg"), ("sauma.oauth", "joserfc")])
def test_the_look_into_the_interpreter_does_see_a_driver(package: str, library: str) -> None:
    assert library in loaded(package)
