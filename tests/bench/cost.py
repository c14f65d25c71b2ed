"""Processor time from /proc: of a server's process, and of PostgreSQL with every backend."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def spent(pid: int) -> float:
    """Seconds of user and system time of a process and of those of its children that have ended."""
    return sum(_times(pid)) / _TICK


def spent_by_tree(pid: int) -> float:
    """The same for a process and its children that live: what a backend spent moves to its parent when it ends."""
    return spent(pid) + sum(sum(_times(child)) for child in _children(pid)) / _TICK


def worked_by_tree(pid: int) -> float:
    """As `spent_by_tree`, by the scheduler's own count: fine enough for milliseconds, but of what lives now only."""
    counted = (Path(f"/proc/{one}/schedstat") for one in (pid, *_children(pid)))
    return sum(int(place.read_text(encoding="ascii").split()[0]) for place in counted if place.exists()) / 1e9


def machine_busy() -> float:
    """Seconds in which the processors of this machine did anything, whoever for."""
    numbers = [int(n) for n in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupt, soft, stolen = numbers
    return (user + nice + system + interrupt + soft + stolen) / _TICK


def _times(pid: int) -> tuple[int, ...]:
    """utime, stime, cutime, cstime in clock ticks; nothing of a process that has just ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(int(number) for number in stat.rpartition(")")[2].split()[11:15])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
