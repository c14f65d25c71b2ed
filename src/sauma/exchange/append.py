"""Append: the short entries. A refusal is recorded before it is said, a look at metadata before it is had."""

import uuid
from typing import NoReturn

from sauma.core.canonical import JsonValue
from sauma.core.decision import Reason
from sauma.core.disclosure import Receipt
from sauma.core.errors import SaumaError
from sauma.core.evidence import EventKind
from sauma.core.parties import Caller, Officer
from sauma.exchange.ports import World
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.rows import Missed


class Refused(SaumaError):  # noqa: N818  # an answer, raised so that no later step can run
    """A recorded refusal whose reason the caller may learn."""

    def __init__(self, code: str, receipt: Receipt, pointers: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.receipt = receipt
        self.pointers = pointers


class CallerChanged(SaumaError):  # noqa: N818  # the state, as the 401 names it
    """Client or organisation is suspended or newer than the token: the token no longer holds (401 invalid_token)."""


class ProofReplayed(SaumaError):  # noqa: N818  # the state, as the 401 names it
    """The DPoP proof was used before (401 invalid_dpop_proof)."""


async def refuse(world: World, caller: Caller, reason: Reason, *, officer: Officer | None, body: bytes) -> NoReturn:
    """Record a refusal on the caller's own side and raise it.

    Raises:
        Refused: always, once the entry is committed.
    """
    draft = Draft(
        kind=EventKind.REFUSAL, caller=caller, decision="refuse", reason=reason.value, officer=officer, body=body
    )
    raise await _recorded(world, draft)


async def refuse_carrier(
    world: World, caller: Caller, header: str, *, officer: Officer | None, body: bytes
) -> NoReturn:
    """Record that a header of the carrier does not agree with the call, and raise that, pointing at the header.

    Raises:
        Refused: always, once the entry is committed.
    """
    draft = Draft(
        kind=EventKind.REFUSAL,
        caller=caller,
        decision="refuse",
        reason=Reason.CARRIER_MISMATCH.value,
        officer=officer,
        particulars={"mismatch": header},
        body=body,
    )
    raise await _recorded(world, draft, (f"/headers/{header}",))


async def _recorded(world: World, draft: Draft, pointers: tuple[str, ...] = ()) -> Refused:
    _, build = compose(world, draft)
    receipt = committed(await world.ledger.append(build, draft.caller.claims, caller_basis(draft.caller)))
    return Refused(draft.reason or "", receipt, pointers)


async def note_read(
    world: World,
    caller: Caller,
    *,
    decision: str,
    refers: uuid.UUID | None,
    particulars: dict[str, JsonValue] | None = None,
) -> Receipt:
    """Record that the caller looks at metadata or at an entry; the read comes after. `particulars` say at what."""
    draft = Draft(
        kind=EventKind.READ,
        caller=caller,
        decision=decision,
        officer=caller.officer,
        particulars=particulars or {},
        refers=refers,
    )
    _, build = compose(world, draft)
    return committed(await world.ledger.append(build, caller.claims, caller_basis(caller)))


def committed(appended: Receipt | Missed) -> Receipt:
    """The receipt of an append that had no basis to lose.

    Raises:
        ProofReplayed: a claimed id was used before.
        CallerChanged: the caller's client or organisation no longer stands as its token says.
    """
    if isinstance(appended, Receipt):
        return appended
    if appended is Missed.REPLAYED:
        raise ProofReplayed
    raise CallerChanged
