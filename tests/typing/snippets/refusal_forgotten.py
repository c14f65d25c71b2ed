"""The branch of the refusal cannot be forgotten."""

from sauma.core.decision import Permit, Refusal


def answer(decision: Permit | Refusal) -> int:  # E: return
    match decision:  # E: exhaustive-match
        case Permit():
            return 200
