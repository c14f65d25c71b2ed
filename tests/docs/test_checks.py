"""docs/checks.md tells counts: the commands it names exist, and what it counts is counted again."""

import csv
import json
import re

from docs import pages

TEXT = (pages.ROOT / "docs" / "checks.md").read_text(encoding="utf-8")


def test_the_commands_it_names_are_targets() -> None:
    makefile = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)`", TEXT))
    assert {"lint-api", "diff-api", "fuzz-api", "canary", "bench"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_the_operations_it_counts_are_those_of_the_description_and_of_the_matrix() -> None:
    document = json.loads((pages.ROOT / "openapi" / "sauma.json").read_bytes())
    described = {
        said["operationId"]
        for methods in document["paths"].values()
        for said in methods.values()
        if "operationId" in said
    }
    matrix = csv.DictReader((pages.ROOT / "tests" / "authz" / "matrix.csv").read_text(encoding="utf-8").splitlines())
    assert described == {row["operation"] for row in matrix}
    assert f"{len(described)} of {len(described)} operations" in TEXT
