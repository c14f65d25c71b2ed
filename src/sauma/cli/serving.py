"""`sauma run`, `sauma serve` and `sauma demo`: the call sites of the composition root and of the played main job."""

from sauma import settings as told
from sauma.cli import schema
from sauma.cli.database import resolved, say
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, Environment


def run() -> int:
    """Everything on one machine: PostgreSQL, migrations, demo data, the API."""
    from sauma import app  # noqa: PLC0415  # loaded by the command that needs it
    from sauma.demo import seed  # noqa: PLC0415  # loaded by the command that needs it

    settings = told.read()
    if settings.environment is Environment.PRODUCTION:
        line = "SAUMA_ENV: run seeds demo data and is refused in production; fix: sauma migrate, then sauma serve"
        raise StartRefused(line, exit_code=EX_CONFIG)
    with resolved(settings) as (found, _):
        schema.bring_up_to_date(found)
        say("demo data")
        with seed.ensure(found):
            say(f"serving on {found.public_url}; try ./sauma demo in another terminal, or the README's walk-through")
            return app.serve(found)


def serve() -> int:
    """The API on a database that others have migrated."""
    from sauma import app  # noqa: PLC0415  # loaded by the command that needs it

    with resolved(told.read()) as (settings, _):
        schema.refuse_when_behind(settings)
        return app.serve(settings)


def demo(*, json: bool) -> int:
    """The main job, played and told."""
    from sauma.demo import play  # noqa: PLC0415  # loaded by the command that needs it

    return play.main(told.read(), json=json)
