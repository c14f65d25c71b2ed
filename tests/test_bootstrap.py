"""A bare machine: only python3 and pip, an empty folder, empty caches; and afterwards nothing."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from sauma import cli
from sauma.store import places

ROOT = pathlib.Path(__file__).parents[1]
NEEDED = [ROOT / "src/sauma/app.py", ROOT / "src/sauma/demo/seed.py"]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-generator.lock", "requirements-uv.lock")


def bare_environment(home: pathlib.Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SAUMA_", "UV_", "XDG_", "PYTHON"))}
    return kept | {"HOME": str(home), "PIP_CACHE_DIR": str(home / "pip")}


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """The files of a clean checkout and nothing else, below a folder only we may enter."""
    place = tmp_path / "bare" / "checkout"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def private_places(checkout: pathlib.Path) -> list[pathlib.Path]:
    return [base / places._private_name((checkout / ".sauma").resolve()) for base in places._BASES]


def traces(checkout: pathlib.Path) -> set[str]:
    inside = {str(path.relative_to(checkout)) for path in checkout.rglob("*")}
    return inside | {str(path) for path in private_places(checkout) if path.exists()}


def running_in(checkout: pathlib.Path) -> list[str]:
    """Command lines of processes that have to do with this checkout or its private directory."""
    named = [str(path) for path in (checkout, *private_places(checkout))]
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if any(name in words for name in named):
                found.append(words)
    return found


def sauma(checkout: pathlib.Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    told = bare_environment(checkout.parent / "home") | environment
    return subprocess.run([checkout / "sauma", *words], env=told, capture_output=True, text=True, check=False, cwd="/")


def test_help_and_version_need_nothing_installed(checkout: pathlib.Path) -> None:
    shown = sauma(checkout, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for word in ("run", "serve", "migrate", "demo", "clean", "version", "test", "exit codes"):
        assert word in shown.stdout, word
    assert re.fullmatch(r"sauma [0-9.]+\n", sauma(checkout, "version").stdout)
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".tools").exists()


def test_the_version_is_said_once() -> None:
    assert f'\nversion = "{cli.VERSION}"\n' in (ROOT / "pyproject.toml").read_text()


def test_a_machine_without_a_python_is_told_so(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "dirname").symlink_to(shutil.which("dirname") or "")
    done = sauma(checkout, "migrate", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith("sauma: needs python3 >= 3.11 and found none; fix: ")


_UV_WITHOUT_A_NETWORK = """#!/bin/sh
if [ "$1" = venv ]; then
    for last; do :; done
    mkdir -p "$last/bin"
    ln -s "$(command -v python3)" "$last/bin/python"
    exit 0
fi
echo "error: Failed to fetch, system certificates: $UV_SYSTEM_CERTS" >&2
exit 2
"""


def test_what_uv_could_not_is_shown_only_when_pip_cannot_either(checkout: pathlib.Path) -> None:
    tools = checkout / ".tools" / "uv"
    (tools / "bin").mkdir(parents=True)
    shutil.copy2(checkout / "requirements-uv.lock", tools / "requirements-uv.lock")
    (tools / "bin" / "uv").write_text(_UV_WITHOUT_A_NETWORK)
    (tools / "bin" / "uv").chmod(0o755)
    done = sauma(checkout, "migrate", PIP_NO_INDEX="1")
    assert done.returncode == 1
    before, between, after = re.split("sauma: (?:uv could not; .*|pip could not either; .*)\n", done.stderr)
    assert "Failed to fetch" not in before + between
    assert after == "error: Failed to fetch, system certificates: 1\n"


def pins(lock: str) -> dict[str, int]:
    """Requirement line to its number of hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + (ROOT / lock).read_text())[1:]
    return {entry.partition(" \\")[0]: entry.count("--hash=sha256:") for entry in entries}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_hashes_and_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links|\bfile:", text)
    assert pins(lock)
    for requirement, hashes in pins(lock).items():
        assert re.match(r"[a-z0-9-]+==[0-9a-z.]+( ;|$)", requirement), requirement
        assert hashes >= 1, requirement


def test_the_tests_run_on_what_is_shipped() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


class Running:
    """`./sauma` in a session of its own, as a terminal would start it."""

    def __init__(self, checkout: pathlib.Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}"
        self.where = {"SAUMA_PORT": port, "SAUMA_PUBLIC_URL": self.address}
        told = bare_environment(checkout.parent / "home") | self.where
        self.log = checkout.parent / "log"
        self.began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [checkout / "sauma"], env=told, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def seconds_to_ready(self, limit: float) -> float:
        while time.monotonic() - self.began < limit and self.process.poll() is None:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"{self.address}/health/ready", timeout=5) as answer:  # noqa: S310  # the address is this machine's own
                    assert answer.status == 200
                return time.monotonic() - self.began
            time.sleep(0.05)
        pytest.fail(f"not ready after {limit} s: {self.log.read_text()[-2000:]}")

    def end(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
        self.process.wait(timeout=30)


@contextlib.contextmanager
def started(checkout: pathlib.Path) -> Iterator[Running]:
    running = Running(checkout)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path in NEEDED), reason="app.py or demo/seed.py is not there yet: nothing can answer"
)
@pytest.mark.skipif(not pathlib.Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
def test_from_an_empty_folder_to_an_answer_and_back_to_nothing(checkout: pathlib.Path) -> None:
    before = traces(checkout)
    try:
        with started(checkout) as first:
            assert first.seconds_to_ready(limit=60) <= 30
            assert "installing" in first.log.read_text()
            second_on_its_port = sauma(checkout, **first.where)
            assert (second_on_its_port.returncode, second_on_its_port.stdout) == (78, "")
            assert second_on_its_port.stderr.startswith("sauma: SAUMA_PORT: taken")
            assert f"sauma: serving on {first.address}; " in first.log.read_text()
            first.end(signal.SIGINT)
            assert (first.process.returncode, first.log.read_text().splitlines()[-1]) == (130, "sauma: stopped")
        assert running_in(checkout) == []
        with started(checkout) as second:
            second.seconds_to_ready(limit=30)
            second.end(signal.SIGKILL)
        assert [words for words in running_in(checkout) if "bin/postgres" in words]
        with started(checkout) as third:
            assert third.seconds_to_ready(limit=30) <= 3
            third.end(signal.SIGTERM)
        assert running_in(checkout) == []
    finally:
        done = sauma(checkout, "clean")
    assert (done.returncode, running_in(checkout)) == (0, [])
    assert traces(checkout) == before
