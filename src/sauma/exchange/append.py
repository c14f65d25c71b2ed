"""Append: the short entries. A refusal is recorded before it is said, a look at metadata before it is had."""

import uuid
from typing import NoReturn

from sauma.core.canonical import JsonValue
from sauma.core.disclosure import Receipt
from sauma.core.errors import SaumaError
from sauma.core.evidence import EventKind
from sauma.core.parties import Caller, Officer
from sauma.core.problems import Reason
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


class StepUp(SaumaError):  # noqa: N818  # an answer, raised so that no later step can run
    """A recorded refusal that an officer who logs in can undo (RFC 9470, 401 insufficient_user_authentication)."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__()
        self.receipt = receipt


class CallerChanged(SaumaError):  # noqa: N818  # the state, as the 401 names it
    """What the token follows from has moved since, or the token was revoked: it no longer holds (401 invalid_token)."""


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
    raise await recorded(world, draft)


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
    raise await recorded(world, draft, (f"/headers/{header}",))


async def refuse_access(
    world: World, caller: Caller, pointers: tuple[str, ...], *, officer: Officer | None, body: bytes
) -> NoReturn:
    """Record that a call lies outside what its token is for (RFC 9396), and raise that, pointing at what does.

    Raises:
        Refused: always, once the entry is committed.
    """
    draft = Draft(
        kind=EventKind.REFUSAL,
        caller=caller,
        decision="refuse",
        reason=Reason.SCOPE_MISSING.value,
        officer=officer,
        particulars={"outside": list(pointers)},
        body=body,
    )
    raise await recorded(world, draft, pointers)


async def recorded(world: World, draft: Draft, pointers: tuple[str, ...] = (), *, code: str | None = None) -> Refused:
    """The refusal a draft says, committed and so fit to be raised; `code` is what the caller learns in its stead.

    Raises:
        ProofReplayed, CallerChanged: the proof or token no longer holds; nothing was recorded.
    """
    _, build = compose(world, draft)
    receipt = committed(await world.ledger.append(build, draft.caller.claims, caller_basis(draft.caller)))
    return Refused(code or draft.reason or "", receipt, pointers)


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
    """The receipt of an append that had no basis to lose; the other once-only ids are spent on tokens, not on calls.

    Raises:
        ProofReplayed: the proof was used before.
        CallerChanged: the caller's mandate no longer stands as its token says, or the token was revoked.
    """
    if isinstance(appended, Receipt):
        return appended
    if appended is Missed.REPLAYED:
        raise ProofReplayed
    raise CallerChanged
