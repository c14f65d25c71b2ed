"""The description under foreign eyes: Spectral, Redocly, the Dutch and the Italian national rules, and breaking changes.

The Dutch rules are a file named by `NL_RULES`. The Italian ones are not ours to keep; what they ask, as an error
or a warning, is written out here as sentences.
"""

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import gate, node

DOCUMENT = Path(__file__).parents[2] / "openapi" / "sauma.json"
SAID: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
SEVERITIES = ("error", "warning", "info", "hint")
JSON, PROBLEM = "application/json", "application/problem+json"


@pytest.fixture(scope="session")
def tools() -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    why = node.absent()
    if why is not None:
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


@pytest.fixture(scope="session")
def dutch() -> Path:
    """The Dutch rule set, where one is named and there."""
    named = os.environ.get("NL_RULES")
    if not named:
        pytest.skip("NL_RULES names no Dutch rule set")
    if not Path(named).is_file():
        pytest.skip("the Dutch rule set is not where NL_RULES says")
    return Path(named).resolve()


def counted(tool: str, found: list[tuple[str, str]]) -> None:
    """Print how much of each severity was found, and want none."""
    counts = {severity: sum(1 for said, _ in found if said == severity) for severity in SEVERITIES}
    print(f"{tool}: " + ", ".join(f"{count} {severity}s" for severity, count in counts.items()))  # noqa: T201  # what docs quote
    assert [text for _, text in found] == []


def spectral(rules: Path, document: Path) -> list[tuple[str, str]]:
    """Severity and text of everything Spectral finds under a rule set."""
    done = node.run("spectral", "lint", "--ruleset", rules, "--format", "json", "--quiet", document)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return [(SEVERITIES[f["severity"]], f"{f['code']} {f['message']} {'/'.join(map(str, f['path']))}") for f in found]


def redocly(document: Path) -> list[tuple[str, str]]:
    """Severity and text of everything Redocly finds."""
    done = node.run("redocly", "lint", "--config", "redocly.yaml", "--format", "json", document)
    assert done.stdout, done.stderr
    severities = {"warn": "warning"}
    return [(severities.get(p["severity"], p["severity"]), p["message"]) for p in json.loads(done.stdout)["problems"]]


@pytest.mark.slow
def test_spectral_finds_nothing(tools: None) -> None:
    counted("spectral:oas", spectral(node.JS / "spectral.yaml", DOCUMENT))


@pytest.mark.slow
def test_redocly_finds_nothing(tools: None) -> None:
    counted("redocly recommended-strict", redocly(DOCUMENT))


@pytest.mark.slow
def test_the_dutch_rules_find_nothing(tools: None, dutch: Path) -> None:
    counted("NL API Design Rules", spectral(dutch, DOCUMENT))


@pytest.mark.slow
def test_each_linter_sees_a_planted_fault(tools: None, tmp_path: Path) -> None:
    faulty = copy.deepcopy(SAID)
    faulty["paths"]["/v1/status"]["get"]["responses"]["200"]["content"][JSON]["example"] = {"environment": 1}
    planted = tmp_path / "faulty.json"
    planted.write_text(json.dumps(faulty), encoding="utf-8")
    assert any("oas3-valid-media-example" in text for _, text in spectral(node.JS / "spectral.yaml", planted))
    assert any("conform" in text for _, text in redocly(planted))


# -- breaking changes


def without_version(said: dict[str, Any]) -> None:
    status = said["components"]["schemas"]["Status"]
    status["required"].remove("version")
    del status["properties"]["version"]


def needing_period(said: dict[str, Any]) -> None:
    said["components"]["schemas"]["CaseQueryBody"]["required"].append("period")


def with_region(said: dict[str, Any]) -> None:
    said["components"]["schemas"]["Status"]["properties"]["region"] = {"type": "string"}


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], int]] = {
    "a member of an answer is gone": (without_version, 1),
    "a member of a request is newly required": (needing_period, 1),
    "an answer has a member more": (with_region, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("change", "code"), CHANGES.values(), ids=CHANGES)
def test_what_breaks_a_client_is_red(
    tools: None, tmp_path: Path, change: Callable[[dict[str, Any]], None], code: int
) -> None:
    after = copy.deepcopy(SAID)
    change(after)
    for name, said in (("before.json", SAID), ("after.json", after)):
        (tmp_path / name).write_text(json.dumps(said), encoding="utf-8")
    found, text = gate.differs(tmp_path / "before.json", tmp_path / "after.json")
    assert found == code, text


def test_without_a_tag_the_gate_says_that_it_did_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gate, "ROOT", Path(os.sep))
    assert gate.main() == 0
    assert capsys.readouterr().out == "diff-api: SKIPPED, no tag yet\n"


# -- what the Italian rules ask


def resolved(said: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in said:
        found: Any = SAID
        for part in said["$ref"].split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        said = found
    return said


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in SAID["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def responses() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, method, operation in operations():
        for status, said in operation["responses"].items():
            yield f"{method} {path} {status}", status, resolved(said)


def parameters() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, method, operation in operations():
        for said in operation.get("parameters", ()):
            yield f"{method} {path}", resolved(said)


def objects(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield place, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from objects(part, f"{place}/{name}")


LEGACY = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
STATUS = SAID["paths"]["/status"]["get"]["responses"]
FORBIDDEN = {"accept", "content-type", "authorization"}
ITALIAN: dict[str, Callable[[], list[str]]] = {
    "paths are kebab-case": lambda: [
        p for p in SAID["paths"] if not re.fullmatch(r"(/[a-z0-9.-]+|/\{[A-Za-z0-9_]+\})+", p)
    ],
    "query keys are camelCase": lambda: [
        n for n, p in parameters() if p["in"] == "query" and not re.fullmatch("[a-z][A-Za-z0-9]*", p["name"])
    ],
    "no header is one that OpenAPI has another place for": lambda: [
        n for n, p in parameters() if p["in"] == "header" and p["name"].lower() in FORBIDDEN
    ],
    "no header begins with X-": lambda: [
        *(n for n, p in parameters() if p["in"] == "header" and p["name"].lower().startswith("x-")),
        *(n for n, _, r in responses() if any(h.lower().startswith("x-") for h in r["headers"])),
    ],
    "no credentials in a URL": lambda: [
        n for n, p in parameters() if p["in"] != "header" and re.search("(?i)password|secret|apikey", p["name"])
    ],
    "a GET has no body": lambda: [p for p, method, o in operations() if method == "get" and "requestBody" in o],
    "successes and client errors tell the quota": lambda: [
        n for n, status, r in responses() if status[0] in "24" and not r["headers"].keys() >= LEGACY
    ],
    "429 and 503 say when to come back": lambda: [
        n for n, status, r in responses() if status in {"429", "503"} and "Retry-After" not in r["headers"]
    ],
    "successes say how they may be cached": lambda: [
        n for n, status, r in responses() if status[0] == "2" and "Cache-Control" not in r["headers"]
    ],
    "every answer says the version": lambda: [n for n, _, r in responses() if "API-Version" not in r["headers"]],
    "errors are problems; what is posted under /oauth says where RFC 6749 forbids it": lambda: [
        n
        for n, status, r in responses()
        if status[0] in "45" and set(r["content"]) != {PROBLEM} and not r.get("x-noqa")
    ],
    "only what is posted under /oauth says so": lambda: [
        n for n, _, r in responses() if r.get("x-noqa") and not re.fullmatch("post /oauth/[a-z]+ 400", n)
    ],
    "a JSON answer is an object": lambda: [
        n
        for n, _, r in responses()
        for media, said in r.get("content", {}).items()
        if media.endswith("json") and resolved(said["schema"]).get("type") != "object"
    ],
    "integers and numbers have a format": lambda: [
        place for place, said in objects(SAID) if said.get("type") in ("integer", "number") and "format" not in said
    ],
    "servers speak https and are described": lambda: [
        s["url"] for s in SAID["servers"] if not s["url"].startswith("https://") or not s["description"]
    ],
    "tokens come by https, and by no flow but client credentials": lambda: [
        name
        for name, said in SAID["components"]["securitySchemes"].items()
        for flow, told in said.get("flows", {}).items()
        if flow != "clientCredentials" or not told["tokenUrl"].startswith("https://")
    ],
    "/status is JSON when up, and nothing but problems when down": lambda: [
        status
        for status, said in STATUS.items()
        if set(resolved(said)["content"]) != ({JSON} if status == "200" else {PROBLEM})
    ],
    "the interface says who answers for it": lambda: [
        name
        for name in ("x-summary", "x-api-id", "termsOfService", "contact", "version", "license")
        if not SAID["info"].get(name)
    ],
    "no null, over which their engine stumbles": lambda: [
        place for place, said in objects(SAID) if any(part is None for part in said.values())
    ],
}


@pytest.mark.parametrize("sentence", ITALIAN)
def test_the_italian_rules_find_nothing(sentence: str) -> None:
    assert ITALIAN[sentence]() == []


def test_there_is_something_to_find() -> None:
    assert len(list(responses())) > 400
    assert len(list(parameters())) > 100
    assert len(list(objects(SAID))) > 5_000
