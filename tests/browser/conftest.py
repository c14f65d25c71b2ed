"""A real browser, and what it says of the pages it opened."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from live import Live

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "contract" / "js"
HOST = "sauma.example"
"""A name that is not the machine's own: some programs behave better on localhost than elsewhere."""

Seen = dict[str, Any]


def missing(reason: str) -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser, with node and the locked packages that drive it."""
    binary, node, npm = shutil.which("chromium"), shutil.which("node"), shutil.which("npm")
    if binary is None or node is None or npm is None:
        missing("the browser tests need chromium, node and npm on the PATH (Debian: apt-get install chromium)")
    if not all((PACKAGES / "node_modules" / name).is_dir() for name in ("playwright-core", "axe-core")):
        command = [str(npm), "ci", "--ignore-scripts"]
        done = subprocess.run(command, cwd=PACKAGES, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            missing(f"npm ci failed in tests/contract/js: {done.stderr[-300:]}")
    return str(binary)


@pytest.fixture(scope="session")
def look(chromium: str, live: Live) -> Callable[..., list[Seen]]:
    """Opens paths of the running server under a foreign host name; every other name leads nowhere."""
    port = urlsplit(live.url).port

    def run(*pages: dict[str, Any]) -> list[Seen]:
        asked = {
            "modules": str(PACKAGES / "package.json"),
            "chromium": chromium,
            "resolve": f"MAP {HOST} 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "pages": [{"scheme": "light", **page, "url": f"http://{HOST}:{port}{page['path']}"} for page in pages],
        }
        command = [str(shutil.which("node")), str(HERE / "look.mjs"), json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
