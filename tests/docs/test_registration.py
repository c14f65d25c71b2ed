"""The page on registration does what it says: its five commands are run as they stand, and its scripts print what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.ground import Said, call, cleared
from docs import pages
from sauma.core.parties import OrganisationKind
from sauma.core.purposes import Text
from sauma.store.enrol import EnrolledOrganisation

PAGE = (pages.ROOT / "docs" / "registration.md").read_text(encoding="utf-8")
COUNTY, SUPPLIER = "3221308-6", "9321499-8"
AINO = "010594Y9032"
MAKE_KEYS, CALL = pages.fenced(PAGE, "python")


def script(text: str, folder: Path, url: str) -> str:
    told = {**os.environ, "PYTHONPATH": str(pages.ROOT / "src"), "SAUMA_PUBLIC_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, env=told, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Registrars:
    """The page's commands on the database of the running server: `--as` chooses the login, as it does on one's own."""

    def __init__(self, live: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = live
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        for name in cleared():
            monkeypatch.delenv(name)
        monkeypatch.setenv("SAUMA_HOME", str(live.home / "sauma"))

    def run(self, command: str) -> Said:
        words = command.removeprefix("./sauma ").split()
        person = "1"
        if "--as" in words:
            person = words.pop(words.index("--as") + 1)
            words.remove("--as")
        self.monkeypatch.setenv("SAUMA_REGISTRAR_DATABASE_URL", self.live.database.dsn(f"sauma_registrar_{person}"))
        return call(*words)


def test_the_five_commands_register_a_county_and_a_supplier_who_then_get_a_token(
    live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.told.texts.add("Päivi Esimerkki")
    live._enrol(  # the page's supplier, which has no system and no delegation before
        organisations=(
            EnrolledOrganisation(id=SUPPLIER, kind=OrganisationKind.VENDOR, name=Text(fi="J", sv="J", en="J")),
        )
    )
    script(MAKE_KEYS, tmp_path, live.url)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / ".sauma" / "registered").iterdir()}
    assert {modes[f"{name}.json"] for name in ("county", "supplier")} == {0o600}
    (block,) = pages.fenced(PAGE, "sh")
    *four, fifth = block.splitlines()
    assert len(four) == 4
    registrars = Registrars(live, tmp_path, monkeypatch)
    said = [registrars.run(command) for command in four]
    assert [one.code for one in said] == [0] * 4, [one.err for one in said]
    waiting = re.findall(r"^proposal +(\S+)", said[-1].out, re.MULTILINE)[-3:]
    assert fifth.count("PROPOSAL") == len(waiting) == 3
    approve = fifth
    for proposal in waiting:
        approve = approve.replace("PROPOSAL", proposal, 1)
    refused = registrars.run(approve.replace("--as 2", "--as 1"))
    assert refused.code == 1
    assert re.search("`(its proposer .*?)`", PAGE.replace("\n", " "))[1] in refused.err  # type: ignore[index]  # it is there or the test is red
    done = registrars.run(approve)
    assert done.code == 0, done.err
    assert re.search("^delegation-approved .*; for every system of the supplier, today cloud$", done.out, re.MULTILINE)
    assert AINO in CALL
    asked = CALL.replace(AINO, live.client_of_both())
    assert script(asked, tmp_path, live.url) == pages.fenced(PAGE, "text")[0]
    assert registrars.run(f"./sauma clients end-delegation {COUNTY} {SUPPLIER} --as 2").code == 0


def test_its_organisations_are_those_of_the_demo() -> None:
    from sauma.catalogue.loader import load_areas  # noqa: PLC0415  # the one test that needs it
    from sauma.demo import organisations  # noqa: PLC0415  # the one test that needs it

    found = {o.id: o.kind.value for o in organisations.organisations(load_areas())}
    assert {found[name] for name in (COUNTY, SUPPLIER)} == {"county", "vendor"}
    assert (
        {COUNTY, SUPPLIER}
        == set(re.findall("[0-9]{7}-[0-9]", PAGE))
        == {organisations.PIRKANMAA, organisations.invented_id("jakala")}
    )
    assert SUPPLIER not in {d.supplier for d in organisations.delegations()}
