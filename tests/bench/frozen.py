"""The floor does not move: its digest stands here, and a bench against another floor refuses to run."""

import hashlib
from pathlib import Path

from bench.say import stop

FLOOR = "ba9a6d8bf1877d112e104e9c7c1564ecbe35b1a323b0adc2f97aaaacf8fbb699"


def digest_of_floor() -> str:
    return hashlib.sha256(Path(__file__).with_name("floor.py").read_bytes()).hexdigest()


def refuse_changed_floor() -> None:
    if digest_of_floor() != FLOOR:
        stop("tests/bench/floor.py was changed: figures against it compare with no earlier ones")
