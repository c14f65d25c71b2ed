"""The one answer: whatever stands against it at the discloser, and where nobody is known, the bytes are the same."""

import re
import uuid
from collections.abc import Awaitable, Callable

import pytest

from conformance.cast import AINO, EINO, TAMPERE, TOLD_OF_AINO, TURKU, Cast
from conformance.registers import MemoryRegister
from sauma.core.matters import Form, ProhibitionKind
from sauma.exchange.disclose import disclose
from worlds import Memory

UNKNOWN = "nobody of that code is known"
LONG_AGO = "2025-01-15"


async def nobody(_: Cast) -> None:
    return


async def known_only_here(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO, by=cast.neighbour)


async def without_records(cast: Cast) -> None:
    await cast.annul("persons", await cast.deposit("persons", TOLD_OF_AINO))


async def before_the_window(cast: Cast) -> None:
    await without_records(cast)
    await cast.deposit("decisions", {"amount": "1.00", "date": LONG_AGO})


async def elsewhere(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"homeMunicipality": TURKU})


async def nowhere(cast: Cast) -> None:
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})


async def two_records(cast: Cast) -> list[uuid.UUID]:
    await cast.deposit("persons", TOLD_OF_AINO)
    await cast.deposit("persons", TOLD_OF_AINO)
    return [await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}) for _ in range(2)]


async def restricted(cast: Cast) -> None:
    await two_records(cast)
    await cast.register.prohibited(cast.kela, cast.index(), ProhibitionKind.RESTRICTION)


async def each_restricted(cast: Cast) -> None:
    for record in await two_records(cast):
        await cast.register.prohibited(cast.kela, cast.index(), ProhibitionKind.RESTRICTION, record)


async def masked(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": True})


async def masked_by_another(cast: Cast) -> None:
    await cast.deposit("persons", {"turvakielto": True}, of=EINO)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, others=(EINO,))


SITUATIONS: dict[str, tuple[Callable[[Cast], Awaitable[None]], str]] = {
    UNKNOWN: (nobody, "subject-unknown"),
    "known to another controller only": (known_only_here, "subject-unknown"),
    "every record was annulled": (without_records, "subject-unknown"),
    "the records are older than the window": (before_the_window, "subject-unknown"),
    "another county is competent": (elsewhere, "county-not-competent"),
    "no county is known to be competent": (nowhere, "county-not-competent"),
    "processing is restricted": (restricted, "restricted-processing"),
    "every record is restricted": (each_restricted, "restricted-processing"),
    "what is asked is masked": (masked, "protected-person"),
    "what is asked is masked for another's sake": (masked_by_another, "protected-person"),
}
ASKED = ("person.homeMunicipality",)
VARYING = re.compile(
    rb'"(disclosureId|decidedAt|entryId|leafHash|signature)":"([^"]+)"|"subjectId":"([^"]+)"',
)


async def answer_in(situation: str, form: Form) -> tuple[bytes, list[dict[str, object]]]:
    memory = Memory()
    cast = Cast(memory.world, MemoryRegister(memory), first=1)
    await cast.enrol()
    await SITUATIONS[situation][0](cast)
    await cast.matter()
    fields = ("decision.amount",) if situation in WITH_DECISIONS else ASKED
    answered = await disclose(cast.world, cast.query(form=form, fields=fields))
    return answered.body, await cast.recorded()


WITH_DECISIONS = {
    "the records are older than the window",
    "no county is known to be competent",
    "processing is restricted",
    "every record is restricted",
}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_the_answer_does_not_say_which(situation: str, form: Form) -> None:
    body, recorded = await answer_in(situation, form)
    unknown, _ = await answer_in(UNKNOWN, form)
    assert VARYING.sub(b"", body) == VARYING.sub(b"", unknown)
    lengths = [[len(x) for x in found if x] for found in VARYING.findall(body)]
    assert lengths == [[len(x) for x in found if x] for found in VARYING.findall(unknown)]
    assert b'"outcome":"nothing-disclosable"' in body
    leaf = recorded[-1]
    assert (leaf["kind"], leaf["decision"], leaf["reason"]) == ("refusal", "refuse", SITUATIONS[situation][1])


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_the_ledger_says_it_in_an_entry_that_looks_the_same_from_outside(situation: str) -> None:
    _, recorded = await answer_in(situation, Form.VALUES)
    _, of_unknown = await answer_in(UNKNOWN, Form.VALUES)
    leaf, unknown = recorded[-1], of_unknown[-1]
    assert leaf.keys() == unknown.keys()
    same = {
        "organisation",
        "client",
        "counterparty",
        "purpose",
        "provisions",
        "catalogue",
        "subjects",
        "officer",
        "case",
    }
    assert {name: leaf[name] for name in same} == {name: unknown[name] for name in same}


async def test_the_same_person_is_the_same_to_one_organisation_and_another_to_the_next() -> None:
    memory = Memory()
    cast = Cast(memory.world, MemoryRegister(memory), first=1)
    await cast.enrol()
    await cast.matter()
    await cast.matter(by=cast.neighbour)
    mine, again, theirs = [(await cast.ask(by=by))["subject"] for by in (cast.county, cast.county, cast.neighbour)]
    assert mine == again
    assert mine != theirs
    assert AINO.value not in str(mine)
