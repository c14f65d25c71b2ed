"""Generated files are what the code says: `make contract` rewrites openapi/ and schemas/, a difference is red."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ("openapi", "schemas")


def contract(verb: str, *, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """`sauma contract write|check` about the generated folders below `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "sauma", "contract", verb],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def files(root: pathlib.Path) -> dict[str, bytes]:
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_the_generated_files_are_what_the_code_says() -> None:
    run = contract("check", folder=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert any(name.startswith("openapi/") for name in files(ROOT))
    assert any(name.endswith(".json") for name in files(ROOT))


def test_writing_them_again_changes_nothing(copy: pathlib.Path) -> None:
    before = files(copy)
    run = contract("write", folder=copy)
    assert run.returncode == 0, run.stdout + run.stderr
    assert files(copy) == before


@pytest.mark.parametrize("fault", ["one byte more", "a file missing"])
def test_a_planted_difference_is_red(fault: str, copy: pathlib.Path) -> None:
    victim = min((copy / "openapi").iterdir())
    if fault == "a file missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes() + b"\n")
    run = contract("check", folder=copy)
    assert run.returncode == 1, run.stdout + run.stderr
    assert victim.name in run.stdout + run.stderr
