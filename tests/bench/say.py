"""What the bench says: progress on standard error, so that standard output holds the table alone."""

import sys
from typing import NoReturn


def say(line: str) -> None:
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def show(text: str) -> None:
    """What a run is for: the table, or a line another process of the bench waits for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def stop(line: str) -> NoReturn:
    """End the run with a line that says why."""
    sys.exit(f"bench: {line}")
