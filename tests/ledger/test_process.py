"""The sequencer as a process: alone and beside the server, killed and stopped; nothing acknowledged is lost."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from databases import Database
from ledger.ground import Ground, superuser, write
from sauma.core.errors import Unavailable
from sauma.core.tree.note import read_checkpoint, read_note, read_vkey

SRC = Path(__file__).parents[2] / "src"
PATIENCE = 60


class Machine:
    """A home and a database, and commands of Sauma on them."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home = database, home
        self.log = home.with_suffix(".log")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SRC),
            "SAUMA_HOME": str(home),
            "SAUMA_PORT": str(self.port),
            "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "SAUMA_SEQUENCER_DATABASE_URL": database.dsn("sauma_sequencer"),
        }

    @contextmanager
    def started(self, *words: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-P", "-m", "sauma", *words]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env={**self.environment, **more}, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "sauma", *words]
        return subprocess.run(
            command, env={**self.environment, **more}, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    def head(self) -> int:
        """The size that was kept last."""
        try:
            return int(json.loads((self.home / "log-head.json").read_bytes())["size"])
        except FileNotFoundError:
            return 0

    def sql(self, statement: str) -> int:
        async def ask() -> int:
            async with superuser(self.database) as connection:
                return int(await connection.fetchval(statement))

        return asyncio.run(ask())

    def write(self, count: int = 1) -> list[uuid.UUID]:
        async def insert() -> list[uuid.UUID]:
            async with superuser(self.database) as connection:
                await connection.execute("select api.add_partitions()")
                return await write(connection, count)

        return asyncio.run(insert())

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def published(self) -> int:
        return self.sql("select coalesce(max(size), 0) from ledger.checkpoint")

    def is_sound(self, size: int) -> None:
        done = self.run("ledger", "check", "--json")
        found = json.loads(done.stdout)
        assert (done.returncode, found["sound"], found["size"], found["waiting"]) == (0, True, size, 0), done.stderr


@pytest.fixture
def machine(fresh: Database, tmp_path: Path) -> Machine:
    return Machine(fresh, tmp_path / "home")


def _stat(pid: int) -> tuple[str, int]:
    """State and parent of a process; a dead one is a zombie until somebody waits for it, which init may never do."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "Z", 0
    return state, int(parent)


def children(pid: int) -> list[int]:
    """The living processes a process has begun."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [one for one in pids if _stat(one)[1] == pid and not gone(one)]


def gone(*pids: int) -> bool:
    return all(_stat(pid)[0] == "Z" for pid in pids)


def sequencers(server: "subprocess.Popen[bytes]") -> list[int]:
    """The server's sequencer: the process that waits, and the one that works, when both are there."""
    waiting = [pid for pid in children(server.pid) if b"sequence" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return waiting + [worker for pid in waiting for worker in children(pid)]


def test_alone_it_publishes_and_ends_when_told_to(machine: Machine) -> None:
    machine.write(300)
    with machine.started("ledger", "sequence") as process:
        machine.wait(lambda: machine.published() == 300)
        machine.write(5)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert machine.published() == machine.head() == 305
    machine.is_sound(305)


def test_its_files_are_its_owners_only_and_its_key_signs(machine: Machine) -> None:
    machine.write()
    with machine.started("ledger", "sequence"):
        machine.wait(lambda: machine.published() == 1)
    vkey = read_vkey(machine.run("ledger", "vkey").stdout.strip())
    assert vkey.name == f"127.0.0.1:{machine.port}/v1/ledger"
    for name in ("log-key.json", "log-head.json"):
        assert (machine.home / name).stat().st_mode & 0o777 == 0o600

    async def note() -> str:
        async with superuser(machine.database) as connection:
            return str(await connection.fetchval("select note from ledger.checkpoint"))

    read = read_note(asyncio.run(note()))
    assert read_checkpoint(read.text).origin == vkey.name
    assert [(s.name, s.key_id) for s in read.signatures] == [(vkey.name, vkey.key_id)]


def test_killed_again_and_again_while_entries_come_it_loses_none(machine: Machine) -> None:
    """kill -9 at any moment: whatever it was at, the next start goes on from what is committed."""
    written = 0
    for turn in range(6):
        written += len(machine.write(40))
        with machine.started("ledger", "sequence") as process:
            before = machine.sql("select size from ledger.tree")
            if turn % 2:  # as soon as it has begun, or once it has published
                machine.wait(lambda before=before: machine.sql("select size from ledger.tree") > before)
            else:
                machine.wait(lambda before=before: machine.published() > before)
            written += len(machine.write(3))
            process.send_signal(signal.SIGKILL)
            process.wait()
    with machine.started("ledger", "sequence"):
        machine.wait(lambda: machine.published() == written)
    machine.is_sound(written)


def test_two_at_once_one_leads_and_the_other_takes_over(machine: Machine) -> None:
    machine.write(10)
    with machine.started("ledger", "sequence") as first:
        machine.wait(lambda: machine.published() == 10)
        with machine.started("ledger", "sequence"):
            machine.write(10)
            machine.wait(lambda: machine.published() == 20)
            first.kill()
            machine.write(10)
            machine.wait(lambda: machine.published() == 30)
    machine.is_sound(30)


def test_a_tree_taken_back_ends_it_with_one_line_and_publishes_nothing(machine: Machine) -> None:
    machine.write(10)
    with machine.started("ledger", "sequence"):
        machine.wait(lambda: machine.published() == 10)

    async def take_back() -> None:
        async with superuser(machine.database) as connection:
            for table in ("tree_leaf", "edge", "tree", "checkpoint"):
                await connection.execute(f"alter table ledger.{table} disable trigger user")
            await connection.execute("delete from ledger.tree_leaf where seq >= 4")
            await connection.execute("update ledger.edge set hashes = substring(hashes from 1 for 128)")
            await connection.execute("update ledger.tree set size = 4")
            await connection.execute("delete from ledger.checkpoint")

    asyncio.run(take_back())
    done = machine.run("ledger", "sequence")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if "the tree is smaller" in line]
    assert machine.published() == 0
    assert machine.head() == 10


def ready(machine: Machine) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{machine.port}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_beside_the_server_it_begins_again_when_killed_and_ends_with_it(machine: Machine) -> None:
    with machine.started("serve", SAUMA_DATABASE_URL=machine.database.dsn("sauma_server")) as server:
        machine.wait(lambda: ready(machine))
        machine.write(5)
        machine.wait(lambda: machine.published() >= 5)
        _, killed = sequencers(server)
        os.kill(killed, signal.SIGKILL)
        machine.write(5)
        machine.wait(lambda: machine.published() >= 10)
        both = sequencers(server)
        assert len(both) == 2
        assert killed not in both
        written = machine.sql("select count(*) from ledger.entry")
        server.terminate()
        assert server.wait(PATIENCE) == 0
    assert gone(*both)
    assert machine.published() == machine.head() >= written
    machine.is_sound(machine.sql("select count(*) from ledger.entry"))


def test_when_the_server_is_killed_it_ends_too(machine: Machine) -> None:
    with machine.started("serve", SAUMA_DATABASE_URL=machine.database.dsn("sauma_server")) as server:
        machine.wait(lambda: len(sequencers(server)) == 2)
        both = sequencers(server)
        server.kill()
        machine.wait(lambda: gone(*both))


def test_in_production_the_log_key_is_made_by_hand_once(machine: Machine) -> None:
    production = {"SAUMA_ENV": "production", "SAUMA_PUBLIC_URL": "https://sauma.example"}
    done = machine.run("ledger", "sequence", **production)
    assert (done.returncode, done.stderr.count("ledger vkey --make")) == (78, 1)
    made = machine.run("ledger", "vkey", "--make", **production)
    assert read_vkey(made.stdout.strip()).name == "sauma.example/v1/ledger"
    assert machine.run("ledger", "vkey", "--make", **production).stdout == made.stdout
    (machine.home / "log-key.json").chmod(0o644)
    assert machine.run("ledger", "vkey", **production).returncode == 78


async def test_a_database_that_goes_away_is_waited_for(ground: Ground) -> None:
    async with superuser(ground.database) as connection:
        await write(connection, 3)
        async with ground.sequencer() as sequencer:
            await sequencer.integrate()
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'sauma-sequencer' and datname = current_database()"
            )
            with pytest.raises(Unavailable, match="ledger-unavailable"):
                await sequencer.integrate()
    await ground.catch_up()
    assert len(await ground.placed()) == 3
