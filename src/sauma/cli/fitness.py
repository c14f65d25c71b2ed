"""Whether a database is fit to serve from: looked at before every start, and by `sauma doctor`."""

import asyncio

from sauma import app
from sauma.cli.database import say
from sauma.settings import Environment, Settings
from sauma.store.examination import Demand, Finding, State, examine, note_ring, ring_differs
from sauma.vault.keyring import Keyring, key_checks

_MENDED_BY_SERVING = {"partitions"}


def demand(settings: Settings) -> Demand:
    """What these settings ask of the database."""
    return Demand(
        connections=settings.workers * settings.pool_size,
        production=settings.environment is Environment.PRODUCTION,
    )


def ring_checks(ring: Keyring) -> tuple[tuple[str, int, bytes], ...]:
    """By what the database knows the ring's keys: purpose, version, check."""
    return tuple((check.purpose, check.version, check.value) for check in key_checks(ring))


def any_wrong(found: tuple[Finding, ...]) -> bool:
    """Whether anything in them must be mended first."""
    return any(finding.state is State.WRONG for finding in found)


def refuse_unfit(settings: Settings) -> None:
    """Look at database and key ring before the first request; note the ring's new keys in the database.

    Raises:
        StartRefused: the first thing that is wrong.
    """
    dsn, checks = settings.database_url or "", ring_checks(app.open_keyring(settings))
    app.trusted_issuers(settings)
    app.issuer_keys(settings)  # made here, by one process, where there is none

    async def look() -> tuple[Finding, ...]:
        found = await examine(dsn, demand=demand(settings), clock=app.now)
        if any_wrong(found):
            return found
        ring = await ring_differs(dsn, checks=checks)
        if not any_wrong((ring,)):
            await note_ring(dsn, checks=checks)
        return (*found, ring)

    for finding in asyncio.run(look()):
        if finding.state is State.WRONG:
            raise finding.refusal
        if finding.state is State.WARN and finding.check not in _MENDED_BY_SERVING:
            say(f"{finding.subject}: {finding.what}; fix: {finding.fix}")
