"""`sauma ledger …`: the sequencer alone or as the server's child, a check of the whole, and the log's public key.

The child is told where the database is on its standard input and ends when that closes, so it never outlives the
server. It is two processes: one that only waits, and begins the other anew when that was killed.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from urllib.parse import urlsplit

import msgspec

from sauma import settings as told
from sauma.cli.database import resolved, say
from sauma.cli.schema import refuse_sequencer_behind
from sauma.core.errors import StartRefused, Unavailable
from sauma.exchange.tree.check import Checked
from sauma.exchange.tree.check import check as check_tree
from sauma.settings import EX_CONFIG, TO_SEQUENCE, Environment, Settings
from sauma.store.session import durability
from sauma.store.tree.leading import keep
from sauma.store.tree.sequencer import SEQUENCER, open_tree
from sauma.vault.hygiene import harden_process
from sauma.vault.logkey import LogHead, LogKey, load_log_key, make_log_key

_AGAIN_SECONDS = 1.0
_BEGIN_AGAIN = frozenset({os.EX_UNAVAILABLE, os.EX_SOFTWARE})


def sequence(*, child: bool) -> int:
    """Sequence until told to stop.

    Raises:
        StartRefused: exit 1, the tree is not what was signed; else the settings, the key or the database.
    """
    harden_process()
    if child:
        dsn = sys.stdin.readline().strip()
        return _watched(lambda: _sequence(told.read(needed=()), dsn, until_input_ends=True))
    with _database() as (settings, dsn):
        return _sequence(settings, dsn)


def vkey(*, make: bool) -> int:
    """Print the verifier key; `make` the log key first, where there is none.

    Raises:
        StartRefused: exit 78, no key, or one that cannot be used.
    """
    settings = told.read(needed=("SAUMA_PUBLIC_URL",) if make else ())
    sys.stdout.write(f"{_log_key(settings, make=make).vkey}\n")
    return 0


def check(*, json: bool) -> int:
    """Read everything and say what is not as it must be; 1 when anything is not.

    Raises:
        StartRefused: exit 78 or 69, the settings, the key or the database.
    """
    with _database() as (settings, dsn):
        key = _log_key(settings, make=False)
        _refuse_unfit(dsn)
        checked = asyncio.run(_check(dsn, LogHead(settings.home / "log-head.json"), key))
    if json:
        sys.stdout.write(msgspec.json.encode({"sound": not checked.faults, **msgspec.to_builtins(checked)}).decode())
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{fault.what} at {fault.where}\n" for fault in checked.faults)
        verdict = "sound" if not checked.faults else "not sound"
        counted = f"{checked.size} leaves, {checked.heads} signed heads, {checked.waiting} entries wait for a place"
        sys.stdout.write(f"{verdict}: {counted}\n")
    return 1 if checked.faults else 0


async def _check(dsn: str, memory: LogHead, key: LogKey) -> Checked:
    async with open_tree(dsn) as tree:
        return await check_tree(tree, memory, key)


@contextlib.contextmanager
def _database() -> Iterator[tuple[Settings, str]]:
    """The settings and the sequencer's own address: named, or the embedded server's."""
    settings = told.read(needed=TO_SEQUENCE)
    if settings.sequencer_database_url is not None:
        yield settings, settings.sequencer_database_url
        return
    if settings.database_url is not None:
        line = f"{SEQUENCER}: missing, and the database is a server's; fix: set it to the login of sauma_sequencer"
        raise StartRefused(line, exit_code=EX_CONFIG)
    with resolved(settings) as (found, cluster):
        if cluster is None:
            line = f"{SEQUENCER}: missing; fix: set it to the login of sauma_sequencer"
            raise StartRefused(line, exit_code=EX_CONFIG)
        yield found, cluster.dsn("sauma_sequencer")


def _sequence(settings: Settings, dsn: str, *, until_input_ends: bool = False) -> int:
    key = _log_key(settings, make=settings.environment is not Environment.PRODUCTION)
    memory = LogHead(settings.home / "log-head.json")
    _refuse_unfit(dsn)

    async def work() -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        if until_input_ends:
            loop.add_reader(sys.stdin.fileno(), stopping.set)  # nothing more is ever sent: readable is ended
        await keep(dsn, (memory, key), stopping=stopping, say=say)

    asyncio.run(work())
    return 0


def _refuse_unfit(dsn: str) -> None:
    """A database of this version's schema that lets the sequencer in and forgets nothing.

    Raises:
        StartRefused: exit 3 or 4, the schema; 69 or 78, the database or the address.
    """
    refuse_sequencer_behind(dsn, key=SEQUENCER)
    asyncio.run(durability(dsn, key=SEQUENCER))


def _log_key(settings: Settings, *, make: bool) -> LogKey:
    """The log key of this home; made at first start where nothing but a trial can be lost.

    Raises:
        StartRefused: exit 78, there is none, or it cannot be used.
    """
    path = settings.home / "log-key.json"
    if make and not path.exists():
        try:
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                make_log_key(path, origin=f"{urlsplit(settings.public_url).netloc}/v1/ledger")
        except OSError:
            line = "SAUMA_HOME: log-key.json cannot be written; fix: a directory of this user's, on a disk with room"
            raise StartRefused(line, exit_code=EX_CONFIG) from None
    if not path.exists():
        line = "SAUMA_HOME: there is no log-key.json; fix: sauma ledger vkey --make, once, then back it up"
        raise StartRefused(line, exit_code=EX_CONFIG)
    return load_log_key(path)


def _watched(work: Callable[[], int]) -> int:
    """Do the work in a process of its own, again when that was killed; returns what it ends with."""
    ended: list[int] = []
    worker = 0

    def forward(number: int, _: FrameType | None) -> None:
        ended.append(number)
        if worker:
            os.kill(worker, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while True:
        worker = _forked(work)
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        worker = 0
        if ended or (code >= 0 and code not in _BEGIN_AGAIN):
            return max(code, 0)
        say("ledger: the sequencer ended without being told to; it begins again")
        time.sleep(_AGAIN_SECONDS)


def _forked(work: Callable[[], int]) -> int:
    """The id of a new process that does the work and ends there, whatever happens."""
    worker = os.fork()
    if worker:
        return worker
    code = os.EX_SOFTWARE
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = work()
    except StartRefused as refused:
        say(refused.line)
        code = refused.exit_code
    except Unavailable:
        say("ledger: PostgreSQL does not answer the sequencer")
        code = os.EX_UNAVAILABLE
    finally:
        fault = sys.exc_info()[1]
        if fault is not None:
            say(f"ledger: the sequencer failed ({type(fault).__name__})")
        sys.stderr.flush()
        os._exit(code)
