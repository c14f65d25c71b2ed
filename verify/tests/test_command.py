"""The command: languages, exit codes, and that nothing of the server is needed."""

import ast
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from sauma_verify import cli
from sauma_verify.texts import CHECKS, FINDINGS, LANGUAGES, STATES, VERDICTS
from sauma_verify.verdict import Check, Code, State
from tiny_log import Signer, filled

SOURCE = pathlib.Path(__file__).parents[1] / "src"
OWN = {"sauma_verify", "cryptography"}


def test_nothing_but_the_library_and_cryptography_is_imported() -> None:
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, file
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] in sys.stdlib_module_names | OWN, (file.name, name)


def test_the_server_is_not_loaded_where_it_could_be(tmp_path: pathlib.Path) -> None:
    log = filled(300)
    log.export(tmp_path)
    script = (
        "import sys; from sauma_verify.cli import run; code = run(sys.argv[1:]);"
        "loaded = [n for n in sys.modules if n.partition('.')[0] in {'sauma', 'msgspec', 'litestar', 'asyncpg'}];"
        "sys.exit(repr(loaded) if loaded else code)"
    )
    repository = SOURCE.parents[1]
    path = os.pathsep.join(map(str, (SOURCE, repository / "src")))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "--vkey", log.signer.vkey],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_runs_on_its_own_in_a_folder_without_the_repository(tmp_path: pathlib.Path) -> None:
    shutil.copytree(SOURCE / "sauma_verify", tmp_path / "alone" / "sauma_verify")
    log = filled(3)
    log.export(tmp_path / "export")
    (tmp_path / "log.vkey").write_text(log.signer.vkey + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sauma_verify", str(tmp_path / "export"), "--vkey", str(tmp_path / "log.vkey")],
        cwd=tmp_path / "alone", env={"LANG": "sv_FI.UTF-8", "PYTHONUTF8": "1"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, VERDICTS[State.OK][1])


def test_every_word_is_there_in_three_languages() -> None:
    assert set(FINDINGS) == set(Code)
    assert set(STATES) == set(State)
    for texts in (*FINDINGS.values(), *STATES.values(), *CHECKS.values(), *VERDICTS.values()):
        assert len(texts) == len(LANGUAGES)
        assert all(texts)


@pytest.mark.parametrize(("language", "said"), list(zip(LANGUAGES, VERDICTS[State.WRONG], strict=True)))
def test_the_verdict_is_told(
    language: str, said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = filled(3)
    log.leaves[1] = b"{"
    log.export(tmp_path)
    assert cli.run([str(tmp_path), "--vkey", log.signer.vkey, "--language", language]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == said
    assert f"  - {FINDINGS[Code.LEAF_SHAPE][LANGUAGES.index(language)]}: 1" in lines


UNREADABLE: dict[str, Callable[[pathlib.Path], str]] = {
    "a folder that is not there": lambda tmp: "absent",
    "a file that is no zip": lambda tmp: "f",
    "a server that does not answer": lambda tmp: "http://127.0.0.1:1",
}


@pytest.mark.parametrize("said", UNREADABLE)
def test_what_cannot_be_read_is_no_verdict(
    said: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_bytes(b"PK")
    assert cli.run([UNREADABLE[said](tmp_path), "--vkey", Signer().vkey, "--json"]) == 69
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_a_check_only_gets_worse() -> None:
    check = Check("tree", looked_at=1)
    check.found(Code.ROOT)
    check.found(Code.SURPLUS)
    assert check.said is State.WRONG
