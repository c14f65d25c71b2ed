"""The decision has no day of its own: time is an argument."""

from sauma.core.decision import Ask, Permit, Refusal, decide
from sauma.core.matters import Facts
from sauma.core.purposes import Catalogue


def decide_today(ask: Ask, facts: Facts, catalogue: Catalogue) -> Permit | Refusal:
    return decide(ask, facts, catalogue)  # E: call-arg
