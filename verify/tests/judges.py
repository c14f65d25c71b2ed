"""Where the foreign verifiers are installed, and how each is asked; absent ones are skipped aloud and fail in CI."""

import base64
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from verifying import missing

HERE = pathlib.Path(__file__).parent / "foreign"
ROOT = pathlib.Path(__file__).parents[2]
LOCK = HERE / "requirements.lock"
PAGE = ROOT / "docs" / "verify-without-us.md"
INDEX = "300"
"""The entry the tests flip a byte of."""
TOOLS = ROOT / ".tools" / "verifiers"
"""Ignored by git, removed by `./sauma clean`."""

PYTHON_JUDGES = ("aics-tlog", "metamorphic-log", "sigstore")
JUDGES = (*PYTHON_JUDGES, "@sigstore/verify", "openssl and sha256sum")


def accepts(judge: str, folder: pathlib.Path, vkey: str) -> bool:
    """Whether the judge accepts the export; a judge that breaks down for another reason than a refusal fails the test."""
    if judge in PYTHON_JUDGES:
        command = [*_python_with_judges(judge), str(HERE / "judge.py"), judge, str(folder), vkey]
        environment = {"PYTHONPATH": str(TOOLS)}
    elif judge == "@sigstore/verify":
        command, environment = [_node_with_judge(), str(HERE / "js" / "judge.js"), str(folder), vkey], {}
    else:
        return all(by_hand(block, folder, VKEY=vkey, INDEX=INDEX) for block in by_hand_blocks())
    told = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=120, check=False)
    broken = ("ModuleNotFoundError", "ImportError", "AttributeError", "TypeError", "ERR_MODULE_NOT_FOUND")
    assert not any(word in done.stderr for word in broken), done.stderr
    return done.returncode == 0


def sizes(judge: str, notes: list[bytes], vkey: str, folder: pathlib.Path) -> list[int | None]:
    """What a Python judge reads out of each note, None where it refuses."""
    batch = folder / "notes.json"
    batch.write_text(json.dumps([base64.b64encode(note).decode() for note in notes]), encoding="utf-8")
    command = [*_python_with_judges(judge), str(HERE / "judge.py"), judge, str(batch), vkey]
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TOOLS)}
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=120, check=True)
    found: list[int | None] = json.loads(done.stdout)
    return found


def by_hand_blocks() -> list[str]:
    """The commands the page tells a reader to type: for the checkpoint, and for one leaf."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def by_hand(block: str, folder: pathlib.Path, **variables: str) -> bool:
    """Whether the commands end well, typed inside the export."""
    for tool in ("openssl", "sha256sum", "od", "base64"):
        if shutil.which(tool) is None:
            missing(f"the commands of {PAGE.name} need {tool}")
    told = {"PATH": os.environ["PATH"], "TMPDIR": str(folder.parent), **variables}
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", block], cwd=folder, env=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert "not found" not in done.stderr, done.stderr
    return done.returncode == 0


@functools.cache
def _interpreter() -> str:
    """A Python of 3.12 or later, which aics-tlog needs; the one below the tests where there is none."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    beside = [str(path) for minor in (13, 12) for path in sorted(pyenv.glob(f"3.{minor}.*/bin/python3.{minor}"))]
    for candidate in ("python3.13", "python3.12", *beside, getattr(sys, "_base_executable", sys.executable)):
        found = shutil.which(candidate)
        asked = [str(found), "-c", "import sys, pip; print(sys.version_info >= (3, 11))"]
        if found and subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "True":
            return found
    return sys.executable


@functools.cache
def _python_with_judges(judge: str) -> tuple[str, ...]:
    """The interpreter, with the locked judges in a folder of their own."""
    python = _interpreter()
    stamp, wanted = TOOLS / "installed", f"{python}\n{LOCK.read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(TOOLS, ignore_errors=True)
        exact = ["--target", str(TOOLS), "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)]
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *exact]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            missing(f"the foreign verifiers could not be installed: {done.stderr[-300:]}")
        stamp.write_text(wanted, encoding="utf-8")
    module = judge.replace("-", "_")
    if not (TOOLS / module).exists():
        missing(f"{judge} needs Python 3.12 or later, and there is none on this machine")
    return (python,)


@functools.cache
def _node_with_judge() -> str:
    """Node, with the locked packages of foreign/js installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("@sigstore/verify needs node and npm on the PATH")
    if not (HERE / "js" / "node_modules" / "@sigstore" / "verify").exists():
        command = [str(npm), "ci", "--ignore-scripts"]
        done = subprocess.run(command, cwd=HERE / "js", capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            missing(f"npm ci failed in verify/tests/foreign/js: {done.stderr[-300:]}")
    return str(node)
