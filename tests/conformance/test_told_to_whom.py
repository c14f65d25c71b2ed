"""What state a write found is told to a caller that still holds, once for a proof; of persons it is recorded too."""

import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from conformance.cast import AINO, EINO, SIIRI, WORKER, Cast, system
from sauma.core.errors import BadRequest
from sauma.core.evidence import ClaimKind, EventKind
from sauma.core.parties import Officer
from sauma.exchange.append import CallerChanged, ProofReplayed, Refused
from sauma.exchange.deposit import Annulment, annul, put_record, put_records, resource_named
from sauma.exchange.matters import Erasure, MatterStatement, attest_erasure, put_matter
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.subjects import IdentifierChange, change_identifier
from sauma.exchange.write import Call, Done

AMOUNT = {"amount": "412.30"}
Unmet = Callable[[Cast, Call, uuid.UUID], Awaitable[Done]]


def deposit(cast: Cast, call: Call, record: uuid.UUID, expected: int | None) -> Awaitable[Done]:
    return put_record(cast.world, call, cast.record("decisions", AMOUNT, record=record, expected=expected), WORKER)


def deposits(cast: Cast, call: Call, record: uuid.UUID) -> Awaitable[Done]:
    stale = cast.record("decisions", AMOUNT, record=record, expected=9)
    return put_records(cast.world, call, (stale,), WORKER)


def matter(cast: Cast, call: Call, expected: int | None, state: str = "open") -> Awaitable[Done]:
    said = MatterStatement(
        case_reference=cast.case,
        person=AINO,
        kind="supplementary",
        opened_at="2026-11-01",
        state=state,
        unit="Hervanta",
        officer=WORKER,
        expected=expected,
    )
    return put_matter(cast.world, call, said)


def annulment(cast: Cast, call: Call, record: uuid.UUID, expected: int | None = None) -> Awaitable[Done]:
    said = Annulment(
        resource=resource_named("decisions"), id=record, reason="no-right", officer=WORKER, expected=expected
    )
    return annul(cast.world, call, said)


def change(cast: Cast, call: Call, *, known: bool) -> Awaitable[Done]:
    old = AINO if known else SIIRI
    said = IdentifierChange(
        old=old, new=EINO if not known else old, reason="corrected", effective_at=cast.world.clock(), officer=WORKER
    )
    return change_identifier(cast.world, call, said)


def erasure(cast: Cast, call: Call) -> Awaitable[Done]:
    said = Erasure(
        disclosure=uuid.UUID(int=7 << 76 | 2 << 62),
        extent="erased",
        purpose=None,
        officer=WORKER,
        at=cast.world.clock(),
    )
    return attest_erasure(cast.world, call, said)


# what is asked of what stands, and what a caller that holds is told
UNMET: dict[str, tuple[Unmet, str]] = {
    "a record that stands, without a revision": (lambda c, call, r: deposit(c, call, r, None), "precondition-required"),
    "a record that stands, with another": (lambda c, call, r: deposit(c, call, r, 8), "precondition-failed"),
    "records of which one is another": (deposits, "precondition-failed"),
    "a matter that stands, without a revision": (lambda c, call, _: matter(c, call, None), "precondition-required"),
    "a matter that stands, with another": (lambda c, call, _: matter(c, call, 8), "precondition-failed"),
    "an annulment with another revision": (lambda c, call, r: annulment(c, call, r, 8), "precondition-failed"),
    "an annulment of what is not there": (lambda c, call, _: annulment(c, call, uuid.uuid4()), "not-found"),
    "a change from somebody known to the same": (lambda c, call, _: change(c, call, known=True), "invalid-value"),
    "a change from somebody unknown": (lambda c, call, _: change(c, call, known=False), "not-found"),
    "an erasure of what is not there": (lambda c, call, _: erasure(c, call), "not-found"),
    "a key used for another request": (
        lambda c, call, r: deposit(c, msgspec.structs.replace(call, key="used-key"), r, 1),
        "idempotency-key-reused",
    ),
}


async def ready(cast: Cast) -> uuid.UUID:
    """One record and one matter of Kela's own, and a key of its own used."""
    record = await cast.deposit("decisions", AMOUNT)
    await cast.matter(by=cast.kela)
    await put_record(cast.world, cast.call(cast.kela, key="used-key", body=b"1"), cast.record("payments", {}), WORKER)
    return record


@pytest.mark.parametrize("sentence", UNMET)
async def test_a_caller_that_holds_is_told(cast: Cast, sentence: str) -> None:
    doing, code = UNMET[sentence]
    record = await ready(cast)
    with pytest.raises((BadRequest, Refused), match=code):
        await doing(cast, cast.call(cast.kela), record)


@pytest.mark.parametrize("sentence", [s for s in UNMET if s != "a key used for another request"])
async def test_it_is_told_once_for_a_proof(cast: Cast, sentence: str) -> None:
    doing, code = UNMET[sentence]
    record, proof = await ready(cast), cast.proof()
    with pytest.raises((BadRequest, Refused), match=code):
        await doing(
            cast, msgspec.structs.replace(cast.call(cast.kela), caller=cast.caller(cast.kela, claim=proof)), record
        )
    with pytest.raises(ProofReplayed):
        await doing(
            cast, msgspec.structs.replace(cast.call(cast.kela), caller=cast.caller(cast.kela, claim=proof)), record
        )


async def suspended(cast: Cast) -> None:
    await cast.register.client_suspended(system(cast.kela))


async def revoked(cast: Cast) -> None:
    caller = cast.caller(cast.kela)
    draft = Draft(kind=EventKind.ADMIN, caller=caller, decision="token-revoked")
    claims = (cast.proof(), cast.token_claim(system(cast.kela), cast.kela, ClaimKind.REVOKED))
    await cast.world.ledger.append(compose(cast.world, draft)[1], claims, caller_basis(caller))


@pytest.mark.parametrize("end", [suspended, revoked], ids=lambda end: end.__name__)
@pytest.mark.parametrize("sentence", UNMET)
async def test_a_caller_that_no_longer_holds_is_told_nothing(
    cast: Cast, sentence: str, end: Callable[[Cast], Awaitable[None]]
) -> None:
    record = await ready(cast)
    await end(cast)
    before = await cast.recorded(cast.kela)
    with pytest.raises(CallerChanged):
        await UNMET[sentence][0](cast, cast.call(cast.kela), record)
    assert await cast.recorded(cast.kela) == before


OFFICERS: dict[str, tuple[Officer | None, Officer | None, bool]] = {
    "nobody, twice": (None, None, True),
    "the same, twice": (WORKER, WORKER, True),
    "another": (WORKER, msgspec.structs.replace(WORKER, id="w-2"), False),
    "another by name": (WORKER, msgspec.structs.replace(WORKER, name="Other"), False),
    "nobody, then somebody": (None, WORKER, False),
    "somebody, then nobody": (WORKER, None, False),
}


@pytest.mark.parametrize("sentence", OFFICERS)
async def test_a_repeat_is_of_the_officer_in_the_token_too(cast: Cast, sentence: str) -> None:
    first, second, same = OFFICERS[sentence]
    record = cast.record("decisions", AMOUNT)

    def call(officer: Officer | None) -> Call:
        called = cast.call(cast.kela, key="k" * 8)
        return msgspec.structs.replace(called, caller=msgspec.structs.replace(called.caller, officer=officer))

    await put_record(cast.world, call(first), record, WORKER)
    if same:
        assert (await put_record(cast.world, call(second), record, WORKER)).replayed
        return
    with pytest.raises(BadRequest, match="idempotency-key-reused"):
        await put_record(cast.world, call(second), record, WORKER)
