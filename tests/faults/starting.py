"""One of many processes that start at once: migrate, enrol, open the product, serve one case. Started by its test."""

import asyncio
import itertools
import json
import sys
from pathlib import Path

from attacks.scene import Scene, open_scene
from databases import Database
from sauma.store import migrate


class Told(Database):
    """The database as its test told it: connection strings by role."""

    def __init__(self, dsns: dict[str, str]) -> None:
        self._dsns = dsns

    def dsn(self, role: str) -> str:
        return self._dsns[role]


async def start(number: int, home: Path, database: Database) -> dict[str, object]:
    """What was applied here, and the outcome of the first case served."""
    applied = await migrate.migrate(database.dsn("sauma_migrator"), migrations=migrate.read(migrate.default_folder()))
    async with open_scene(database, home) as scene:
        return {"applied": len(applied), "outcome": await served(scene, number)}


async def served(scene: Scene, number: int) -> str:
    scene._numbers = itertools.count(1000 * number)
    answer = await scene.disclose(await scene.case())
    return str(json.loads(answer.body)["outcome"])


if __name__ == "__main__":
    said = asyncio.run(start(int(sys.argv[1]), Path(sys.argv[2]), Told(json.loads(sys.stdin.read()))))
    sys.stdout.write(json.dumps(said))
