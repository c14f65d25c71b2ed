"""What PostgreSQL's refusal of an act means to the registrar who tried it: one line with the rule and the remedy."""

import contextlib
from collections.abc import Iterator

import asyncpg

from sauma.core.errors import StartRefused
from sauma.store.migrate import EX_BEHIND, EX_FAILED
from sauma.store.places import EX_CONFIG, EX_UNAVAILABLE
from sauma.store.pool import FAILED, LOST

REGISTRAR = "SAUMA_REGISTRAR_DATABASE_URL"

_SEE = "sauma clients list shows what stands"
_RULES = {
    "SA010": ("its proposer may not approve it", "another registrar approves"),
    "SA011": ("there is none, or it is not open any more", _SEE),
    "SA012": ("not in a state for that", _SEE),
    "SA013": ("older than 30 days", "withdraw it and propose it anew"),
    "SA014": ("this machine's clock and the database's are more than a minute apart", "let NTP set both"),
    "SA015": ("not one that can have it", "docs/registration.md says who may have what"),
    "SA016": ("a key of it is, or was, a system's or a provider's already", "make a new key: each signs for one alone"),
    "23505": ("there is one already", _SEE),
    "23503": ("there is none", _SEE),
    "55P03": ("another registrar's act holds it still", "try again in a moment"),
    "23514": ("not a value it can have", "docs/registration.md says which"),
    "SA002": ("act and entry disagree", "use the version of Sauma that migrated this database"),
    "SA004": ("act and entry disagree", "use the version of Sauma that migrated this database"),
}
"""What a refusal of the database means, and the remedy; its own text is not repeated."""

_TWICE = {
    "client": ("client", "that id is a system's, or was: ids are used once", "choose another id"),
    "client_key": ("keys", "the system has a key of that kid, or had: keys are used once", "make a new key"),
    "identity_provider": ("keys", "the provider has a key of that kid, or had: keys are used once", "make a new key"),
    "auditor_grant": ("grant", "one stands for this system and dossier", "sauma clients end-audit it first"),
}
"""Where something stands already, by the table it stands in."""


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Turn what the database says within the block into a refusal.

    Raises:
        StartRefused: exit 1, a rule; exit 4, behind; exit 69, no answer; exit 78, not a registrar.
    """
    try:
        yield
    except LOST:
        line = f"PostgreSQL: its answer was lost, the act may stand; fix: {_SEE}"
        raise StartRefused(line, exit_code=EX_UNAVAILABLE) from None
    except asyncpg.InsufficientPrivilegeError:
        line = f"{REGISTRAR}: its login is no registrar's; fix: GRANT sauma_registrar to it, docs/registration.md"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError):
        line = "schema: migrations are pending; fix: sauma migrate"
        raise StartRefused(line, exit_code=EX_BEHIND) from None
    except asyncpg.PostgresError as fault:
        raise _refused(fault) from None


def _refused(fault: asyncpg.PostgresError) -> StartRefused:
    what, fix = _RULES.get(fault.sqlstate or "", ("", ""))
    where = fault.hint or "register"
    if isinstance(fault, asyncpg.UniqueViolationError):
        where, what, fix = _TWICE.get(fault.table_name or "", (where, what, fix))
    if what:
        return StartRefused(f"{where}: {what}; fix: {fix}", exit_code=EX_FAILED)
    if isinstance(fault, FAILED):
        line = f"PostgreSQL: it could not write now ({fault.sqlstate}); fix: try again"
        return StartRefused(line, exit_code=EX_UNAVAILABLE)
    return StartRefused(f"PostgreSQL: it refused the act ({fault.sqlstate}); fix: report this", exit_code=EX_FAILED)
