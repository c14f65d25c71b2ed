"""The rows of `tests/vectors/oauth-attacks.json`."""

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PLACE = pathlib.Path(__file__).parents[2] / "vectors" / "oauth-attacks.json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request and the answer it gets; `error` None is an answer without an OAuth error code.

    `http` is what is otherwise where the whole server answers: something in front of the decision was asked first.
    """

    number: str = "accepted"
    door: str
    sentence: str
    change: Mapping[str, Any]
    status: int
    error: str | None = None
    reason: str | None = None
    http: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number} {self.sentence}"


TABLE = json.loads(PLACE.read_text(encoding="utf-8"))
BASELINE: Mapping[str, Any] = TABLE["baseline"]
ATTACKS = tuple(Row(**row) for row in TABLE["attacks"])
ACCEPTED = tuple(Row(**row) for row in TABLE["accepted"])
PURE = tuple(row for row in ATTACKS if row.door != "live")
LIVE = tuple(row for row in ATTACKS if row.door == "live")
