"""`sauma run`, `sauma serve` and `sauma demo`: the call sites of the composition root and of the played main job."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from sauma import settings as told
from sauma.cli import listening, schema
from sauma.cli.database import resolved, say
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, Environment, LogLevel, Settings

_LAST_HEAD_SECONDS = 10
"""How long the sequencer may take for its last places and its last head before it is ended."""


def run() -> int:
    """Everything on one machine: PostgreSQL, migrations, demo data, the API.

    A terminal is for people: unless told otherwise it shows what went wrong, and no line for each request.
    """
    settings = told.read(log_level=LogLevel.WARNING)
    if settings.environment is Environment.PRODUCTION:
        line = "SAUMA_ENV: run seeds demo data and is refused in production; fix: sauma migrate, then sauma serve"
        raise StartRefused(line, exit_code=EX_CONFIG)
    with (  # before the imports: they take longer than to refuse
        listening.listen(settings) as taken,
        listening.listen_for_metrics(settings) as exposing,
    ):
        from sauma import app  # noqa: PLC0415  # loaded by the command that needs it
        from sauma.cli import fitness  # noqa: PLC0415  # loaded by the command that needs it, as the line above
        from sauma.demo import seed  # noqa: PLC0415  # loaded by the command that needs it

        with resolved(settings) as (found, cluster):
            schema.bring_up_to_date(found)
            fitness.refuse_unfit(found)
            say("demo data: register and featured cases")
            with (
                _sequencing(cluster.dsn("sauma_sequencer") if cluster else found.sequencer_database_url),
                seed.ensure(found) as left,
            ):
                if left:
                    say(f"demo data: {left:,} households are being added while it serves; nothing to wait for")
                _say_where(found, "; try ./sauma demo in another terminal, or the README's walk-through")
                return app.serve(found, listening=taken, exposing=exposing)


def serve() -> int:
    """The API on a database that others have migrated."""
    from sauma import app  # noqa: PLC0415  # loaded by the command that needs it
    from sauma.cli import fitness  # noqa: PLC0415  # loaded by the command that needs it, as the line above

    with resolved(told.read()) as (settings, cluster):
        schema.refuse_when_behind(settings)
        fitness.refuse_unfit(settings)
        with (
            listening.listen(settings) as taken,
            listening.listen_for_metrics(settings) as exposing,
            _sequencing(cluster.dsn("sauma_sequencer") if cluster else settings.sequencer_database_url),
        ):
            _say_where(settings)
            return app.serve(settings, listening=taken, exposing=exposing)


def demo(*, json: bool) -> int:
    """The main job, played and told."""
    from sauma.demo import play  # noqa: PLC0415  # loaded by the command that needs it

    settings = told.read()
    return play.main(settings, json=json, astray=listening.astray(settings))


@contextlib.contextmanager
def _sequencing(dsn: str | None) -> Iterator[None]:
    """The sequencer beside the server, in a process that alone opens the log key; none where it runs elsewhere.

    Its standard input closes with the block, or with this process: it gives its last places and ends.
    """
    if dsn is None:
        yield
        return
    command = [sys.executable, "-P", "-m", "sauma", "ledger", "sequence", "--child"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  # ourselves
    told_where = child.stdin
    try:
        if told_where is not None:
            with contextlib.suppress(BrokenPipeError):  # it refused to start and has said why
                told_where.write(dsn.encode() + b"\n")
                told_where.flush()
        yield
    finally:
        if told_where is not None:
            with contextlib.suppress(BrokenPipeError):
                told_where.close()
        try:
            child.wait(_LAST_HEAD_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _say_where(settings: Settings, then: str = "") -> None:
    warning = listening.astray(settings)
    if warning is not None:
        say(warning)
    if settings.log_level is LogLevel.WARNING:
        say("log: warnings and errors; SAUMA_LOG_LEVEL=info adds a line for each request")
    say(f"serving on {listening.address(settings)}{then}")
