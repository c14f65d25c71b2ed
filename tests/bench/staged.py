"""The product served with a stopwatch around each stage of the path; its code is the product's, unchanged.

Each name of `STAGES` is wrapped where the product looks it up, so a name that has moved stops the run with a line that
says which. A line on standard input is a file name: the sums since the last such line are written there.
Clocks: wall time, and this thread's processor time. With one request at a time the processor time of a stage that waits
for the database is what it spends in this process; with many it would hold other requests' work and is not shown.
"""

import functools
import importlib
import inspect
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.say import stop

STAGES = {
    "auth": "sauma.app:_admit",
    "gather": "sauma.store.records:PostgresRecords.gather",
    "decide": "sauma.exchange.disclose:decide",
    "entry": "sauma.exchange.disclose:compose",
    "append": "sauma.store.ledger:PostgresLedger.append",
    "read": "sauma.store.records:PostgresRecords.read",
    "open": "sauma.vault.gateway:VaultGateway.open_sealed",
    "render": "sauma.exchange.disclose:_answer",
    "whole": "sauma.web.edge:Envelope.__call__",
}
"""Stage to what is timed: module and the name in it. `entry` makes the leaf's parts and seals the payload, `append` is
the statement with the leaf's bytes, `whole` is everything inside the outermost middleware."""


class Sum(msgspec.Struct):
    """Calls of a stage, and what they took in nanoseconds."""

    calls: int = 0
    wall: int = 0
    cpu: int = 0


sums = {stage: Sum() for stage in STAGES}


def wrap_all() -> None:
    """Put a stopwatch around every stage."""
    for stage, target in STAGES.items():
        owner, name = find(target)
        setattr(owner, name, _timed(getattr(owner, name), stage))


def find(target: str) -> tuple[Any, str]:
    """Where a stage's function is looked up, and under which name.

    Raises:
        SystemExit: there is no such name any more.
    """
    module, _, path = target.partition(":")
    *classes, name = path.split(".")
    owner = importlib.import_module(module)
    for one in classes:
        owner = getattr(owner, one, None)
    if not callable(getattr(owner, name, None)):
        stop(f"{target} is not there any more: name what took its place in tests/bench/staged.py")
    return owner, name


def _timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
    def add(wall: int, cpu: int) -> None:
        kept = sums[stage]
        kept.calls += 1
        kept.wall += time.perf_counter_ns() - wall
        kept.cpu += time.thread_time_ns() - cpu

    @functools.wraps(function)
    def at_once(*arguments: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        try:
            return function(*arguments, **named)
        finally:
            add(wall, cpu)

    @functools.wraps(function)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        try:
            return await function(*arguments, **named)
        finally:
            add(wall, cpu)

    return awaited if inspect.iscoroutinefunction(function) else at_once


def _tell() -> None:
    """Write the sums to each file that is named on standard input, and begin anew."""
    for line in sys.stdin:
        if not line.strip():
            continue
        told = {stage: msgspec.structs.replace(kept) for stage, kept in sums.items()}
        for stage in STAGES:
            sums[stage] = Sum()
        wanted = Path(line.strip())
        wanted.with_suffix(".new").write_bytes(msgspec.json.encode(told))
        wanted.with_suffix(".new").replace(wanted)


if __name__ == "__main__":
    from sauma.__main__ import main

    wrap_all()
    threading.Thread(target=_tell, daemon=True).start()
    sys.argv = ["sauma", "serve"]
    sys.exit(main())
