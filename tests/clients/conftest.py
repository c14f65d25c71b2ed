"""The two generators, each at its locked version, and folders in which a reader of the page would work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contract import node
from docs import pages

HERE = Path(__file__).parent
PAGE = (pages.ROOT / "docs" / "generated-clients.md").read_text(encoding="utf-8")
LOCK = pages.ROOT / "requirements-generator.lock"
GENERATOR = pages.ROOT / ".tools" / "generator"
"""Beside uv, which fetches it: ignored by git, removed by `./sauma clean`."""


def missing(reason: str) -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def in_folder(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program that ended, run where a reader would run it."""
    told = {**os.environ, "NO_COLOR": "1", **environment}
    return subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, timeout=300, check=False)


def desk(folder: Path) -> Path:
    """The folder with the committed description in it, where the page's commands look for it."""
    (folder / "openapi").symlink_to(pages.ROOT / "openapi")
    return folder


def promised(language: str) -> str:
    """What the page says the program of a language prints."""
    _, program, after = PAGE.partition(f"\n```{language}\n")
    return pages.fenced(program + after, "text")[0]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The locked packages of tests/contract/js."""
    reason = node.absent()
    if reason is not None:
        missing(f"the TypeScript client: {reason}")
    return node.JS / "node_modules"


@pytest.fixture(scope="session")
def generator() -> Path:
    """openapi-python-client with all it needs, in a folder of its own: its pydantic would change the server's Litestar."""
    stamp = GENERATOR / "installed"
    wanted = f"{sys.version_info[:2]}\n{LOCK.read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(GENERATOR, ignore_errors=True)
        exact = ["--target", str(GENERATOR), "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)]
        tries = (in_folder([*installer, *exact], pages.ROOT) for installer in installers())
        done = next((done for done in tries if done.returncode == 0), None)
        if done is None:
            missing("openapi-python-client could not be installed, neither by uv nor by pip")
        stamp.write_text(wanted, encoding="utf-8")
    return GENERATOR


def installers() -> list[list[str]]:
    """The uv that `./sauma` has fetched, or one of this environment; then pip, which may know another index."""
    beside = f"{pages.ROOT / '.tools' / 'uv' / 'bin'}{os.pathsep}{Path(sys.executable).parent}"
    uv = shutil.which("uv", path=beside) or shutil.which("uv")
    pip = [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "install", "--quiet"]
    return [pip] if uv is None else [[uv, "pip", "install", "--python", sys.executable], pip]
