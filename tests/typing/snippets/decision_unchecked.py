"""A decision is looked at before it is used, and never as a truth value."""

import datetime as dt

from sauma.core.decision import Ask, PermittedRecord, decide
from sauma.core.matters import Facts
from sauma.core.purposes import Catalogue


def use(ask: Ask, facts: Facts, catalogue: Catalogue) -> tuple[PermittedRecord, ...]:
    decision = decide(ask, facts, catalogue, day=dt.date(2026, 1, 1))
    if decision:  # E: truthy-bool
        return decision.records  # E: union-attr
    return ()
