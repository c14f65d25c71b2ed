"""The npm tools of tests/contract/js: installed as locked when they are absent, and run on files."""

import os
import shutil
import subprocess
from pathlib import Path

JS = Path(__file__).parent / "js"
BIN = JS / "node_modules" / ".bin"
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
"""The tools ask nobody for news of themselves."""


def absent() -> str | None:
    """Why the tools cannot be had here; None where they can."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "node and npm are not on the PATH"
    if not (BIN / "spectral").exists():
        command = [npm, "ci", "--ignore-scripts"]
        done = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            return f"npm ci failed in tests/contract/js: {done.stderr[-300:]}"
    return None


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What a tool says, run in the folder of its settings."""
    return subprocess.run(
        [str(BIN / tool), *map(str, arguments)],
        cwd=JS,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **_QUIET},
    )
