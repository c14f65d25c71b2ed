"""The page on issuer keys does what it says: its commands run as they stand, and its numbers are the code's."""

import json
import re
import shlex
from pathlib import Path

import pytest

from docs import pages
from sauma import cli
from sauma.oauth import claims
from sauma.oauth.keys import fetch, remote, ring
from sauma.web.routes.public import KEYS_CACHE

PAGE = (pages.ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
COMMANDS = [line for block in pages.fenced(PAGE, "text") for line in block.splitlines()]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAUMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def keys(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The kid in each state."""
    capsys.readouterr()
    assert cli.main(["keys", "issuer", "list", "--json"]) == 0
    return {key["state"]: key["kid"] for key in json.loads(capsys.readouterr().out)["keys"]}


def test_its_commands_run_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for line in COMMANDS:
        program, *words = shlex.split(line)
        arguments = [keys(capsys)["retired"] if word == "KID" else word for word in words]
        more = ["--now"] if words[-1] == "rotate" else []  # twenty minutes are not waited for here
        assert (program, cli.main([*arguments, *more])) == ("sauma", 0), line
        found.append(set(keys(capsys)))
    assert found == [{"active", "next"}, {"active", "next"}, {"retired", "active"}, {"active"}]


ENDS = {
    "rotate": "no next key",
    "remove nobody": "no key of that kid",
}


@pytest.mark.parametrize("act", ENDS)
def test_an_act_that_does_not_fit_says_why_in_one_line(act: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "issuer", *act.split()]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert re.fullmatch(rf"sauma: {ENDS[act]}.*; fix: .+\n", said.err)


def test_a_second_next_and_a_hasty_rotation_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert [cli.main(["keys", "issuer", act]) for act in ("prepare", "prepare", "rotate")] == [0, 1, 1]
    assert "there already" in capsys.readouterr().err
    assert set(keys(capsys)) == {"active", "next"}


def test_a_broken_file_ends_each_act_with_its_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "issuer", "prepare"]) == 0
    (home / "issuer-keys.json").chmod(0o644)
    for act in ("list", "prepare", "rotate", "remove x"):
        assert cli.main(["keys", "issuer", *act.split()]) == 78
        assert re.match(
            "sauma: SAUMA_HOME: issuer-keys.json must be .*; fix: ", capsys.readouterr().err.splitlines()[-1]
        )


def test_before_the_first_start_nothing_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys(capsys) == {}
    assert not home.exists()


def test_production_needs_no_more_than_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAUMA_ENV", "production")
    assert cli.main(["keys", "issuer", "prepare"]) == 0


def test_its_numbers_are_those_of_the_code() -> None:
    rows = {row[0]: row for row in pages.table(PAGE, "state")}
    assert rows.keys() == {state.value for state in ring.IssuerKeyState}
    assert f"after {ring.PREPARED} seconds" in rows["next"][-1]
    assert f"{ring.KEPT} seconds later" in rows["retired"][-1]
    assert f"{claims.SKEW} seconds of grace" in rows["retired"][-1]
    assert ring.PREPARED == 20 * 60
    assert f"`Cache-Control: {KEYS_CACHE}`" in PAGE
    assert KEYS_CACHE.endswith(f"max-age={ring.MAX_AGE}")
    assert f"{ring.MOST} keys" in PAGE
    assert f"at most {fetch.LARGEST // 1024} KiB, {remote.MOST_KEYS} keys" in PAGE
    assert (fetch.TIMEOUT, remote.FRESH, remote.STALE, remote.PAUSE) == (3.0, 600, 86400, 30)
