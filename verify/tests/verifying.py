"""What the command said, and foreign tools that may be absent."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Told:
    """What the command said: its exit code and its JSON."""

    code: int
    document: dict[str, Any]

    def __getitem__(self, check: str) -> dict[str, Any]:
        found: dict[str, Any] = next(c for c in self.document["checks"] if c["check"] == check)
        return found

    @property
    def findings(self) -> set[tuple[str, str, str]]:
        """(check, code, where) of every finding."""
        return {(c["check"], f["code"], f["where"]) for c in self.document["checks"] for f in c["findings"]}

    @property
    def codes(self) -> set[tuple[str, str]]:
        return {(check, code) for check, code, _ in self.findings}


Verify = Callable[..., Told]


def missing(reason: str) -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
