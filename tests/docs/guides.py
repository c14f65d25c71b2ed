"""A guide's programs, run where and as its reader would run them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from docs import pages

_SHOWN = re.compile(r"^```(python|js|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def promised(page: str, language: str) -> str:
    """What the page says its blocks of a language print: each `text` block belongs to the code before it."""
    said, last = "", ""
    for kind, body in _SHOWN.findall(page):
        said += body if kind == "text" and last == language else ""
        last = kind if kind != "text" else last
    return said


def run(command: list[str], folder: Path, live: Any) -> str:
    """What a program printed, run where the reader would run it."""
    told = {**os.environ, "PYTHONPATH": str(pages.ROOT / "src"), "SAUMA_PUBLIC_URL": live.url}
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
