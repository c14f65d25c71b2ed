"""Sixteen processes start at once on one empty database and one empty home: one migrates, one makes the keys, all serve."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from databases import Database
from faults.accounts import chains_are_whole
from sauma.store import migrate

PROCESSES = 16
TESTS = Path(__file__).parents[1]


@pytest.fixture
def empty(new_database: Callable[..., Database]) -> Database:
    return new_database()


def test_one_migrates_and_all_serve(empty: Database, tmp_path: Path) -> None:
    told = json.dumps({role: empty.dsn(role) for role in ("postgres", "sauma_server", "sauma_migrator")})
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "faults.starting", str(number), str(tmp_path / "home")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in range(1, PROCESSES + 1)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=90) for process in started]
    assert [(process.returncode, errors) for process, (_, errors) in zip(started, said, strict=True)] == [
        (0, "")
    ] * PROCESSES
    answers = [json.loads(output) for output, _ in said]
    files = len(migrate.read(migrate.default_folder()))
    assert sorted(answer["applied"] for answer in answers) == [0] * (PROCESSES - 1) + [files]
    assert [answer["outcome"] for answer in answers] == ["disclosed"] * PROCESSES

    async def counted() -> None:
        connection = await asyncpg.connect(empty.dsn("postgres"))
        assert await connection.fetchval("select count(*) from sauma_meta.migration") == files
        assert await connection.fetchval("select count(*) from exchange.decoy") == 1
        assert await connection.fetchval("select count(*) from ledger.entry where kind = 'disclosure'") == PROCESSES
        await chains_are_whole(connection)
        await connection.close()

    asyncio.run(counted())
