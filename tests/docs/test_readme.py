"""The README says what is: its commands, its walk-through, its limits; docs/settings.md every setting."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from docs import pages
from sauma import cli, settings
from sauma.core.decision import PULLS_BUILT

ROOT = pages.ROOT
TEXT = pages.README.read_text(encoding="utf-8")
THROUGH_THE_SCRIPT_ONLY = {"", "test"}


def contract_check(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "sauma", "contract", "check"]
    return subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, check=False)


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(TEXT.splitlines()) <= 200


def test_every_command_it_shows_is_one() -> None:
    commands = set(re.findall(r"^ {4}([a-z]+) ", cli.parser().format_help(), re.MULTILINE)) | THROUGH_THE_SCRIPT_ONLY
    shown = [line for block in pages.fenced(TEXT, "sh") for line in block.splitlines() if line]
    assert {"./sauma", "./sauma demo", "./sauma test"} <= set(shown)
    assert [line for line in shown if line.removeprefix("./sauma").strip().partition(" ")[0] not in commands] == []


def test_the_command_help_is_the_commands_own(tmp_path: pathlib.Path) -> None:
    for folder in ("openapi", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "README.md").write_text(TEXT, encoding="utf-8")
    assert "README.md" not in contract_check(tmp_path).stderr
    (tmp_path / "README.md").write_text(TEXT.replace("play the main job as", "sing the main job as"), encoding="utf-8")
    stale = contract_check(tmp_path)
    assert (stale.returncode, "README.md" in stale.stderr) == (1, True)


def test_the_settings_are_those_there_are_with_their_defaults() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`"): row[1] for row in pages.table(text, "key")}
    assert list(rows) == list(settings.FIXES)
    found = settings.from_environment({})
    defaults = {
        "SAUMA_ENV": found.environment.value,
        "SAUMA_HOME": found.home.name,
        "SAUMA_PUBLIC_URL": found.public_url,
        "SAUMA_HOST": found.host,
        "SAUMA_PORT": str(found.port),
        "SAUMA_WORKERS": str(found.workers),
        "SAUMA_POOL_SIZE": str(found.pool_size),
        "SAUMA_RATE_LIMIT": str(found.rate_limit),
        "SAUMA_MAX_IN_FLIGHT": str(found.max_in_flight),
        "SAUMA_METRICS_HOST": found.metrics_host,
        "SAUMA_LOG_LEVEL": found.log_level.value,
    }
    assert {key: rows[key].strip("`") for key in defaults} == defaults


def test_it_claims_the_purposes_that_are_built_and_no_other() -> None:
    claimed = next(line for line in TEXT.splitlines() if line.startswith("- Built: "))
    assert set(pages.codes(claimed.partition(". ")[0])) == PULLS_BUILT | {"supervision-audit"}


@pytest.fixture
def walk_through(live: Any, tmp_path: pathlib.Path) -> tuple[str, pathlib.Path]:
    """The script as written, but for another person; and a folder with the key it reads."""
    (script,) = pages.fenced(TEXT, "python")
    place = re.search(r'Path\("([^"]+)"\)', script)
    assert place is not None
    key = tmp_path / place[1]
    key.parent.mkdir(parents=True)
    key.write_text(json.dumps({"clientId": "pirha", "jwk": live.keys["pirha"]}), encoding="utf-8")
    assert script.count("010594Y9032") == 1
    return script.replace("010594Y9032", live.client_of_both()), tmp_path


def test_the_walk_through_works_as_written(live: Any, walk_through: tuple[str, pathlib.Path]) -> None:
    script, folder = walk_through
    live.told.texts.add("Päivi Esimerkki")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "SAUMA_PUBLIC_URL": live.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *records, basis, withheld, refused = done.stdout.splitlines()
    assert {line.partition(" ")[0] for line in records} == {"decisions", "calculations", "housing-costs"}
    assert "{'amount': '412.30'}" in done.stdout
    assert "1412/1997 18 g §" in basis
    entry = withheld.rpartition(" ")[2]
    assert [str(row["id"]) for row in live.entries("pirha", kind="disclosure")][-1] == entry
    assert refused.startswith("refused: field-not-permitted - ")


def test_the_demos_key_file_is_where_and_what_the_walk_through_reads(tmp_path: pathlib.Path) -> None:
    from sauma.demo import keys, organisations  # noqa: PLC0415  # the one test that needs the demo

    (script,) = pages.fenced(TEXT, "python")
    client = organisations.Client(id=organisations.PIRKANMAA_CLIENT, organisation=organisations.PIRKANMAA, scopes=())
    keys.client_keys(tmp_path / ".sauma", [client])
    written = next((tmp_path / ".sauma").rglob("*.json"))
    assert f'"{written.relative_to(tmp_path)}"' in script
    assert {"clientId", "jwk"} <= json.loads(written.read_text()).keys()
