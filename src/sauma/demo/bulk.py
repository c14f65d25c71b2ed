"""The child process of `seed.ensure`: deposits the rest of the country while the server already answers.

It reads where the database is from its standard input and stops after the batch it is at when that closes, so it never
outlives its parent by more than a moment. Exit codes: 0 done or told to stop, 75 the database went away or a system
that deposits was suspended: the next start goes on.
"""

import asyncio
import os
import select
import sys

import msgspec

from sauma import settings as told
from sauma.app import open_running
from sauma.catalogue.loader import load_areas
from sauma.core.errors import StartRefused, Unavailable
from sauma.demo.finland import households
from sauma.demo.seed import Databases, publish, seed_bulk
from sauma.vault.hygiene import harden_process

_NICER = 5


def main() -> int:
    """Deposit what is missing."""
    harden_process()
    os.nice(_NICER)
    heard = msgspec.json.decode(sys.stdin.buffer.readline(), type=Databases)
    settings = told.with_database(told.read(), server=heard.server, migrator=heard.migrator)
    code = os.EX_OK
    try:
        asyncio.run(_deposit(settings))
    except* (Unavailable, StartRefused) as group:
        for line in {error.line for error in group.exceptions if isinstance(error, StartRefused)}:
            _say(line)
        code = os.EX_TEMPFAIL
    return code


async def _deposit(settings: told.Settings) -> None:
    areas = load_areas()
    async with open_running(settings) as running:
        await publish(running, areas)
        await seed_bulk(running, list(households(areas)), progress=_say, go_on=_parent_lives)


def _parent_lives() -> bool:
    """Nothing more is ever sent, so a readable standard input has ended."""
    return not select.select([sys.stdin], [], [], 0)[0]


def _say(line: str) -> None:
    sys.stderr.write(f"sauma: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
