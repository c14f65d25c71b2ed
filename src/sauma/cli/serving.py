"""`sauma run`, `sauma serve` and `sauma demo`: the call sites of the composition root and of the played main job."""

from sauma import settings as told
from sauma.cli import listening, schema
from sauma.cli.database import resolved, say
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, Environment, LogLevel, Settings


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

        with resolved(settings) as (found, _):
            schema.bring_up_to_date(found)
            fitness.refuse_unfit(found)
            say("demo data: register and featured cases")
            with seed.ensure(found) as left:
                if left:
                    say(f"demo data: {left:,} households are being added while it serves; nothing to wait for")
                _say_where(found, "; try ./sauma demo in another terminal, or the README's walk-through")
                return app.serve(found, listening=taken, exposing=exposing)


def serve() -> int:
    """The API on a database that others have migrated."""
    from sauma import app  # noqa: PLC0415  # loaded by the command that needs it
    from sauma.cli import fitness  # noqa: PLC0415  # loaded by the command that needs it, as the line above

    with resolved(told.read()) as (settings, _):
        schema.refuse_when_behind(settings)
        fitness.refuse_unfit(settings)
        with listening.listen(settings) as taken, listening.listen_for_metrics(settings) as exposing:
            _say_where(settings)
            return app.serve(settings, listening=taken, exposing=exposing)


def demo(*, json: bool) -> int:
    """The main job, played and told."""
    from sauma.demo import play  # noqa: PLC0415  # loaded by the command that needs it

    settings = told.read()
    return play.main(settings, json=json, astray=listening.astray(settings))


def _say_where(settings: Settings, then: str = "") -> None:
    warning = listening.astray(settings)
    if warning is not None:
        say(warning)
    if settings.log_level is LogLevel.WARNING:
        say("log: warnings and errors; SAUMA_LOG_LEVEL=info adds a line for each request")
    say(f"serving on {listening.address(settings)}{then}")
