"""openapi-typescript: what it generates compiles strictly, says what is closed, and carries a client to its receipt."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.conftest import HERE, PAGE, desk, in_folder, promised
from docs import pages
from docs.test_guides import with_people

CLOSED = (HERE / "uses.ts").read_text(encoding="utf-8")
MISTAKE = "// @ts-expect-error"


@pytest.fixture(scope="module")
def folder(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Types generated as the page says, beside the page's program and the uses that are only compiled."""
    place = desk(tmp_path_factory.mktemp("typescript"))
    (place / "node_modules").symlink_to(node_modules)
    (place / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (place / "tsconfig.json").write_text(pages.fenced(PAGE, "json")[0], encoding="utf-8")
    (place / "disclosure.ts").write_text(pages.fenced(PAGE, "ts")[0], encoding="utf-8")
    (place / "uses.ts").write_text(CLOSED, encoding="utf-8")
    generate, compiled, _ = commands()
    for command in (generate, compiled):
        done = in_folder(["sh", "-c", command], place)
        assert done.returncode == 0, done.stdout + done.stderr
    return place


def commands() -> list[str]:
    """What the page runs after it has installed."""
    return pages.fenced(PAGE, "sh")[1].splitlines()


def test_every_operation_and_schema_has_a_type(folder: Path) -> None:
    document = json.loads((pages.ROOT / "openapi" / "sauma.json").read_text(encoding="utf-8"))
    types = (folder / "sauma.d.ts").read_text(encoding="utf-8")
    operations = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    assert [name for name in operations if f'\n    "{name}": {{' not in types] == []
    assert [name for name in document["components"]["schemas"] if f"\n        {name}: " not in types] == []


def test_each_mistake_is_one_to_the_compiler(folder: Path) -> None:
    """The control: without the marks that expect them, there are as many errors as marks, each below its own."""
    marked = [number for number, line in enumerate(CLOSED.splitlines(), 1) if MISTAKE in line]
    assert len(marked) >= 15
    place = folder / "control"
    place.mkdir()
    (place / "uses.ts").write_text(CLOSED.replace(MISTAKE, "//"), encoding="utf-8")
    for name in ("sauma.d.ts", "package.json", "tsconfig.json", "node_modules"):
        (place / name).symlink_to(folder / name)
    done = in_folder(["npx", "tsc", "--project", ".", "--noEmit", "--pretty", "false"], place)
    assert sorted(int(line.split("(")[1].split(",")[0]) for line in done.stdout.splitlines() if "): error" in line) == [
        number + 1 for number in marked
    ]


def test_the_client_of_the_page_plays_the_main_job(folder: Path, live: Any) -> None:
    live.told.texts.add("Päivi Esimerkki")
    key = folder / ".sauma" / "demo-clients" / "pirha-casework.json"
    key.parent.mkdir(parents=True)
    key.write_text(json.dumps({"clientId": "pirha", "jwk": live.keys["pirha"]}), encoding="utf-8")
    script = folder / "disclosure.js"
    script.write_text(with_people(live, script.read_text(encoding="utf-8")), encoding="utf-8")
    done = in_folder(["sh", "-c", commands()[-1]], folder, SAUMA_PUBLIC_URL=live.url)
    assert (done.returncode, done.stdout) == (0, promised("ts")), done.stderr
