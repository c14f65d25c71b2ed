"""The servers that are compared: each one worker in a process of its own, on a free port, on the same database server."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

import sauma
from bench.ground import Ground
from bench.say import stop
from sauma.store.embedded import SUPERUSER

TESTS = Path(__file__).parents[1]
SOURCE = Path(sauma.__file__).parents[1]
POOL = int(os.environ.get("BENCH_POOL", "10"))
PRODUCTS = ("sauma", "untuned", "staged")
PATH = "/v1/case-queries"


@dataclass(frozen=True)
class Arm:
    """A running server of one kind; `counted` says in SQL how many answers the database knows of."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    counted: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


COUNTED = {
    "floor": "select count(*) from floor.audit",
    "naive": "select count(*) from naive.audit",
    "sauma": "select count(*) from ledger.entry where kind = 'disclosure'",
}


@contextlib.contextmanager
def running(name: str, ground: Ground, told: dict[str, object]) -> Iterator[Arm]:
    """Start one arm. `sauma@PATH` is the product of another source tree, `untuned` the product without the GC's tuning,
    `staged` the product with a stopwatch around each stage.

    `told`: what an arm that is not the product is told on its first line of input, beside database, port and pool size.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kind, _, source = name.partition("@")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join((source or str(SOURCE), str(TESTS))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    line = b""
    if kind in PRODUCTS:
        command = ["-m", "sauma", "serve"] if kind == "sauma" else ["-m", f"bench.{kind}"]
        environment |= ground.settings(port=port, SAUMA_POOL_SIZE=str(POOL)) | _unreachable_limit(source or str(SOURCE))
        kind = "sauma"
    else:
        command = ["-m", f"bench.{kind}"]
        line = json.dumps({"dsn": ground.dsn(SUPERUSER), "port": str(port), "pool": str(POOL)} | told).encode() + b"\n"
    log = ground.home / f"{name.replace('/', '_')}.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdin=subprocess.PIPE, stdout=written, stderr=written
        )
    try:
        process.stdin.write(line)
        process.stdin.flush()
        _wait(process, port, log)
        yield Arm(name=name, port=port, process=process, counted=COUNTED[kind])
    finally:
        process.terminate()
        process.wait(30)


def is_product(name: str) -> bool:
    return name.partition("@")[0] in PRODUCTS


def _unreachable_limit(source: str) -> dict[str, str]:
    """A rate limit nobody reaches, where that source knows of one: its counting is paid for, its refusals are not met."""
    known = (Path(source) / "sauma/settings.py").read_text(encoding="utf-8")
    return {"SAUMA_RATE_LIMIT": "999999"} if "SAUMA_RATE_LIMIT" in known else {}


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5)
            return
        if process.poll() is not None or time.monotonic() > deadline:
            stop(f"{log.name} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
