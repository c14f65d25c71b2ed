"""Writes: what creates, what changes, what is refused and why; and that a key has one effect."""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from conformance.cast import AINO, EINO, SIIRI, WORKER, Cast, outcomes
from sauma.core.errors import BadRequest
from sauma.core.evidence import EventKind
from sauma.exchange.append import CallerChanged, ProofReplayed
from sauma.exchange.deposit import put_record, put_records, resource_named, state_of
from sauma.exchange.ports import WriteUnit
from sauma.exchange.publish import PublicationStatement, put_publication_state
from sauma.exchange.record import Draft
from sauma.exchange.write import Call, Effect, perform

AMOUNT = {"amount": "412.30"}


async def code_of(doing: Awaitable[object]) -> str:
    """The code a write was refused with, or what became of it."""
    try:
        done = await doing
    except BadRequest as refused:
        return refused.code
    return f"{done.status} {done.etag}" if hasattr(done, "etag") else "done"


async def put(cast: Cast, record: uuid.UUID, *, expected: int | None, by: str | None = None, of: object = AINO) -> str:
    deposit = cast.record("decisions", AMOUNT, of=of, record=record, expected=expected)
    return await code_of(put_record(cast.world, cast.call(by or cast.kela), deposit, WORKER))


async def annul(cast: Cast, record: uuid.UUID, *, expected: int | None, by: str | None = None) -> str:
    return await code_of(cast.annul("decisions", record, expected=expected, by=by))


RECORDS: dict[str, tuple[tuple[Callable[[Cast, uuid.UUID], Awaitable[str]], str], ...]] = {
    "a new record": ((lambda c, r: put(c, r, expected=None), '201 "1"'),),
    "a change that knows the revision": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=1), '200 "2"'),
        (lambda c, r: put(c, r, expected=2), '200 "3"'),
    ),
    "a change of what is not there": ((lambda c, r: put(c, r, expected=1), "precondition-failed"),),
    "a second creation": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=None), "precondition-required"),
    ),
    "a change that knows an older revision": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=1), '200 "2"'),
        (lambda c, r: put(c, r, expected=1), "precondition-failed"),
    ),
    "a change that knows a revision to come": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=7), "precondition-failed"),
    ),
    "a change to another person's": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=1, of=EINO), "state-conflict"),
    ),
    "the same id at another controller": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=None, by=c.county), '201 "1"'),
        (lambda c, r: put(c, r, expected=1), '200 "2"'),
    ),
    "an annulment": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: annul(c, r, expected=1), '200 "1"'),
        (lambda c, r: put(c, r, expected=1), "state-conflict"),
        (lambda c, r: annul(c, r, expected=1), "state-conflict"),
    ),
    "an annulment without a precondition": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: annul(c, r, expected=None), '200 "1"'),
    ),
    "an annulment that knows an older revision": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: put(c, r, expected=1), '200 "2"'),
        (lambda c, r: annul(c, r, expected=1), "precondition-failed"),
        (lambda c, r: annul(c, r, expected=2), '200 "2"'),
    ),
    "an annulment of what is not there": ((lambda c, r: annul(c, r, expected=1), "not-found"),),
    "an annulment of another controller's": (
        (lambda c, r: put(c, r, expected=None), '201 "1"'),
        (lambda c, r: annul(c, r, expected=1, by=c.county), "not-found"),
    ),
}


@pytest.mark.parametrize("sentence", RECORDS)
async def test_records(cast: Cast, sentence: str) -> None:
    record = uuid.UUID(bytes=cast.world.entropy(16))
    for number, (doing, expected) in enumerate(RECORDS[sentence]):
        assert await doing(cast, record) == expected, number


MATTERS: dict[str, tuple[tuple[dict[str, object], str], ...]] = {
    "opened": (({}, '201 "1"'),),
    "changed by who knows it": (({}, '201 "1"'), ({"expected": 1}, '200 "2"')),
    "opened twice": (({}, '201 "1"'), ({}, "precondition-required")),
    "changed before it is there": (({"expected": 1}, "precondition-failed"),),
    "changed by who knows an older one": (
        ({}, '201 "1"'),
        ({"expected": 1}, '200 "2"'),
        ({"expected": 1}, "precondition-failed"),
    ),
    "closed without a precondition": (({}, '201 "1"'), ({"state": "closed"}, '200 "2"')),
    "closed by who knows an older one": (({}, '201 "1"'), ({"state": "closed", "expected": 4}, "precondition-failed")),
    "opened anew": (({}, '201 "1"'), ({"state": "closed"}, '200 "2"'), ({"expected": 2}, '200 "3"')),
    "given to another person": (({}, '201 "1"'), ({"expected": 1, "of": EINO}, "state-conflict")),
}


@pytest.mark.parametrize("sentence", MATTERS)
async def test_matters(cast: Cast, sentence: str) -> None:
    for asked, expected in MATTERS[sentence]:
        assert await code_of(cast.matter(**asked)) == expected


async def test_a_matter_is_its_organisations_own(cast: Cast) -> None:
    await cast.open_case()
    await cast.matter(by=cast.neighbour, of=EINO)
    assert await cast.reason() == "disclosed"
    assert await cast.reason(person=EINO) == "subject-mismatch"
    other = cast.case + "-N"
    await cast.matter(by=cast.neighbour, case=other)
    assert await cast.reason(case_reference=other) == "matter-foreign"
    assert await cast.reason(case_reference=cast.case + "-X") == "matter-missing"


async def test_publication_states_are_told_with_every_answer(cast: Cast) -> None:
    await cast.open_case()
    moment = cast.world.clock().replace(microsecond=0)
    said = PublicationStatement(
        resource=resource_named("decisions"), status="delayed", current_as_of=moment, officer=WORKER
    )
    assert await code_of(put_publication_state(cast.world, cast.call(cast.kela), said)) == '201 "1"'
    later = msgspec.structs.replace(said, status="current", current_as_of=moment + dt.timedelta(seconds=1))
    assert await code_of(put_publication_state(cast.world, cast.call(cast.kela), later)) == '200 "2"'
    persons = msgspec.structs.replace(said, resource=resource_named("persons"))
    await put_publication_state(cast.world, cast.call(cast.kela), persons)
    sources = (await cast.ask())["sources"]
    assert [(s["resource"], s["status"]) for s in sources] == [("decisions", "current"), ("persons", "delayed")]
    assert sources == (await cast.ask(person=SIIRI, case_reference=await other_case(cast)))["sources"]


async def other_case(cast: Cast) -> str:
    await cast.matter(of=SIIRI, case=cast.case + "-S")
    return cast.case + "-S"


async def test_the_state_of_a_record_is_told_to_its_controller_and_recorded(cast: Cast) -> None:
    record = await cast.open_case()
    decisions = resource_named("decisions")
    head, receipt = await state_of(cast.world, cast.caller(cast.kela), decisions, record)
    assert (head.revision, head.state, set(head.digests)) == (1, "current", {"ordinary"})
    leaf = (await cast.recorded(cast.kela))[-1]
    assert (leaf["kind"], leaf["decision"], leaf["id"]) == ("read", "record-state-read", receipt["entryId"])
    await cast.deposit("decisions", {"amount": "1.00"}, record=record, expected=1)
    await cast.annul("decisions", record, expected=2)
    changed, _ = await state_of(cast.world, cast.caller(cast.kela), decisions, record)
    assert (changed.revision, changed.state) == (2, "annulled")
    assert changed.digests != head.digests
    for caller, resource in ((cast.county, "decisions"), (cast.kela, "payments")):
        with pytest.raises(BadRequest, match="not-found"):
            await state_of(cast.world, cast.caller(caller), resource_named(resource), record)


async def test_many_records_are_all_stored_or_none(cast: Cast) -> None:
    first, second = (uuid.UUID(bytes=cast.world.entropy(16)) for _ in range(2))
    good = cast.record("decisions", AMOUNT, record=first)
    stale = cast.record("decisions", AMOUNT, record=second, expected=3)
    before = len(await cast.recorded(cast.kela))
    assert await code_of(put_records(cast.world, cast.call(cast.kela), (good, stale), WORKER)) == "precondition-failed"
    assert await put(cast, first, expected=1) == "precondition-failed"  # not there
    assert len(await cast.recorded(cast.kela)) == before
    done = await put_records(cast.world, cast.call(cast.kela), (good, cast.record("payments", {})), WORKER)
    assert [r["revision"] for r in done.members["records"]] == [1, 1]
    assert await put(cast, first, expected=1) == '200 "2"'


# -- one key, one effect


async def test_a_repeat_is_answered_from_what_was_stored(cast: Cast) -> None:
    record = cast.record("decisions", AMOUNT)
    first = await put_record(cast.world, cast.call(cast.kela, key="k" * 8), record, WORKER)
    before = await cast.recorded(cast.kela)
    again = await put_record(cast.world, cast.call(cast.kela, key="k" * 8), record, WORKER)
    assert again.replayed
    assert not first.replayed
    assert msgspec.structs.replace(again, replayed=False) == first
    assert await cast.recorded(cast.kela) == before
    assert str(first.entry) == before[-1]["id"]


OTHERS = {
    "another body": {"body": b"c"},
    "another route": {"route": "PUT /v1/y"},
}


@pytest.mark.parametrize("sentence", OTHERS)
async def test_a_key_used_for_another_request(cast: Cast, sentence: str) -> None:
    record = cast.record("decisions", AMOUNT)
    await put_record(cast.world, cast.call(cast.kela, key="k" * 8), record, WORKER)
    before = await cast.recorded(cast.kela)
    again = put_record(cast.world, cast.call(cast.kela, key="k" * 8, **OTHERS[sentence]), record, WORKER)
    assert await code_of(again) == "idempotency-key-reused"
    assert await cast.recorded(cast.kela) == before


async def test_a_key_is_its_organisations_own(cast: Cast) -> None:
    for by in (cast.kela, cast.county):
        done = await put_record(cast.world, cast.call(by, key="k" * 8), cast.record("decisions", AMOUNT), WORKER)
        assert not done.replayed


async def test_a_key_still_at_work_is_said_to_be(cast: Cast) -> None:
    inside: list[str] = []

    async def effect(_: WriteUnit) -> Effect:
        inside.append(await code_of(perform(cast.world, cast.call(cast.kela, key="k" * 8), nothing)))
        return await nothing(_)

    async def nothing(_: WriteUnit) -> Effect:
        draft = Draft(kind=EventKind.WRITE, caller=cast.caller(cast.kela), decision="nothing")
        return Effect(draft=draft, status=200, members={})

    done = await perform(cast.world, cast.call(cast.kela, key="k" * 8), effect)
    assert inside == ["idempotency-key-in-progress"]
    assert not done.replayed
    assert (await perform(cast.world, cast.call(cast.kela, key="k" * 8), nothing)).replayed


class AccidentError(Exception):
    """Something no use case expects."""


async def test_an_effect_that_fails_leaves_nothing_and_frees_its_key_and_proof(cast: Cast) -> None:
    call = cast.call(cast.kela, key="k" * 8)
    deposit = cast.record("decisions", AMOUNT)
    before = await cast.recorded(cast.kela)

    async def half(unit: WriteUnit) -> Effect:
        await unit.put_publication_state(cast.kela, "decisions", "current", cast.world.clock())
        raise AccidentError

    with pytest.raises(AccidentError):
        await perform(cast.world, call, half)
    assert await cast.recorded(cast.kela) == before
    done = await put_record(cast.world, call, deposit, WORKER)
    assert not done.replayed
    await cast.matter()
    assert (await cast.ask())["sources"] == []


async def test_a_replayed_proof_writes_nothing(cast: Cast) -> None:
    proof = cast.proof()
    calls = [
        Call(caller=cast.caller(cast.kela, claim=proof), route="PUT", key=key, body=b"b") for key in ("a" * 8, "b" * 8)
    ]
    deposit = cast.record("decisions", AMOUNT)
    await put_record(cast.world, calls[0], deposit, WORKER)
    with pytest.raises(ProofReplayed):
        await put_record(cast.world, calls[0], deposit, WORKER)  # a repeat needs a fresh proof
    with pytest.raises(ProofReplayed):
        await put_record(cast.world, calls[1], cast.record("decisions", AMOUNT), WORKER)
    assert outcomes(await cast.recorded(cast.kela)) == [("write", "deposited", None)]
    assert not (
        await put_record(cast.world, cast.call(cast.kela, key="b" * 8), cast.record("payments", {}), WORKER)
    ).replayed


async def test_a_repeat_of_a_caller_that_changed_is_not_answered(cast: Cast) -> None:
    deposit = cast.record("decisions", AMOUNT)
    await put_record(cast.world, cast.call(cast.kela, key="k" * 8), deposit, WORKER)
    old = Call(caller=cast.caller(cast.kela, version=7), route="PUT /v1/x", key="k" * 8, body=b"b")
    with pytest.raises(CallerChanged):
        await put_record(cast.world, old, deposit, WORKER)
