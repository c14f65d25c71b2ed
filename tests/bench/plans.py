"""The plans of every statement inside the path's functions, as they really ran: auto_explain's JSON in the server's log.

A relation counts as big from `BIG` rows on; a sequential scan of one is what must not be found. Partitions count one by
one, so an empty month that is read through costs nothing and is not named.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.ground import Ground, execute, rows

BIG = 2_000
_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
}


async def explain(ground: Ground, role: str) -> None:
    """Have every new session of the role in this database log its plans."""
    for name, setting in _SETTINGS.items():
        await execute(ground, f"alter role {role} in database {ground.database} set {name} = '{setting}'")


async def explain_no_more(ground: Ground, role: str) -> None:
    for name in _SETTINGS:
        await execute(ground, f"alter role {role} in database {ground.database} reset {name}")


def logged(log: Path, since: int) -> list[dict[str, Any]]:
    """Every plan in the server's log from a byte on."""
    with log.open("rb") as opened:
        opened.seek(since)
        text = opened.read().decode("utf-8", "replace")
    plans = []
    for part in text.split("plan:\n")[1:]:
        plan, _ = json.JSONDecoder().raw_decode(part.lstrip())
        plans.append(plan)
    return plans


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """Relations that a plan reads from end to end."""
    for node in _nodes(plan["Plan"]):
        if node["Node Type"] == "Seq Scan":
            yield node["Relation Name"]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def big(ground: Ground) -> set[str]:
    """Tables and partitions with many rows."""
    found = asyncio.run(
        rows(ground, f"select relname from pg_class where relkind = 'r' and reltuples >= {BIG}")  # noqa: S608  # the number above
    )
    return {row["relname"] for row in found}
