"""Append and gate: what the ledger refuses to hold, and what it refuses to hand out."""

import datetime as dt
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from conformance.between import between
from conformance.cast import AINO, EINO, P01, P09, SIIRI, TOLD_OF_AINO, TURKU, WORKER, Cast, outcomes, since
from sauma.core.errors import Unavailable
from sauma.core.matters import Form, ProhibitionKind
from sauma.exchange.append import ProofReplayed, note_read
from sauma.exchange.disclose import disclose
from sauma.exchange.rows import Missed
from worlds import aged

DISCLOSED = [("disclosure", "permit", None)]


async def test_the_county_gets_what_it_asks_and_both_ends_are_on_record(cast: Cast) -> None:
    record = await cast.open_case()
    answer = await cast.ask(fields=("decision.amount", "person.name"))
    assert answer["outcome"] == "disclosed"
    given = {r["resource"]: r["fields"] for r in answer["records"]}
    assert given == {"decisions": {"amount": "412.30"}, "persons": {"name": "Aino Mallinen"}}
    assert {r["id"] for r in answer["records"] if r["resource"] == "decisions"} == {str(record)}
    leaf = (await cast.recorded())[-1]
    assert (leaf["kind"], leaf["organisation"], leaf["counterparty"], leaf["purpose"]) == (
        "disclosure",
        cast.county,
        cast.kela,
        P01,
    )
    assert answer["disclosureId"] == leaf["id"]


async def test_kela_gets_what_it_asks_of_a_county(cast: Cast) -> None:
    await cast.deposit("plans", {"exists": True, "reviewedAt": cast.day}, by=cast.county)
    await cast.matter(by=cast.kela)
    asked = {
        "by": cast.kela,
        "purpose": P09,
        "controller": cast.county,
        "fields": ("plan.exists",),
        "necessity": {"plan.exists": "plan-coordination"},
    }
    assert await cast.reason(**asked) == "prior-information-missing"
    await cast.told(by=cast.kela)
    answer = await cast.ask(**asked)
    assert [r["fields"] for r in answer["records"]] == [{"exists": True}]


# -- between what was gathered and what is appended; between the entry and the read


async def restricts(cast: Cast) -> None:
    await cast.register.prohibited(cast.kela, cast.index(), ProhibitionKind.RESTRICTION)


async def protects(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": True})


async def closes(cast: Cast) -> None:
    await cast.matter(state="closed")


async def ends(cast: Cast) -> None:
    await cast.register.agreement_ends(cast.kela, cast.county, P01)


async def moves(cast: Cast) -> None:
    await cast.register.organisation_moves(cast.kela)


async def moves_to_turku(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"homeMunicipality": TURKU})


CHANGES: dict[str, tuple[Callable[[Cast], Awaitable[None]], list[tuple[str, str, str | None]], str]] = {
    "processing is restricted": (restricts, [("refusal", "refuse", "restricted-processing")], "nothing-disclosable"),
    "the person gets a non-disclosure order": (protects, [("disclosure", "permit", None)], "disclosed"),
    "the matter is closed": (
        closes,
        [("write", "matter-closed", None), ("refusal", "refuse", "matter-closed")],
        "matter-closed",
    ),
    "the agreement ends": (ends, [("refusal", "refuse", "purpose-not-agreed")], "purpose-not-agreed"),
    "the discloser's registration changes": (moves, [("disclosure", "permit", None)], "disclosed"),
    "the person moves to another county": (
        moves_to_turku,
        [("refusal", "refuse", "county-not-competent")],
        "nothing-disclosable",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_after_the_facts_were_gathered_is_decided_on(cast: Cast, change: str) -> None:
    act, expected, outcome = CHANGES[change]
    await cast.open_case()
    before = len(await cast.recorded())
    between(cast, gathered=(lambda: act(cast),))
    assert await cast.reason(fields=("decision.amount", "person.homeMunicipality"), necessity={}) == outcome
    assert await since(cast, before) == expected


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_after_the_entry_wins_over_the_read(cast: Cast, change: str) -> None:
    act, expected, outcome = CHANGES[change]
    await cast.open_case()
    before = len(await cast.recorded())
    between(cast, reading=(lambda: act(cast),))
    assert await cast.reason(fields=("decision.amount", "person.homeMunicipality")) == outcome
    undelivered = ("outcome", "undelivered", "basis-changed")
    writes, rest = [e for e in expected if e[0] == "write"], [e for e in expected if e[0] != "write"]
    assert await since(cast, before) == [*DISCLOSED, *writes, undelivered, *rest]


async def test_protection_between_entry_and_read_masks_the_answer(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO)
    await cast.matter()
    between(cast, reading=(lambda: protects(cast),))
    answer = await cast.ask(fields=("person.name", "person.homeMunicipality"))
    assert all("homeMunicipality" not in r["fields"] for r in answer["records"])
    assert {"field": "person.homeMunicipality", "reason": "protected"} in answer["withheld"]


async def test_protection_of_somebody_named_in_the_record_wins_too(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO, others=(EINO,))
    await cast.matter()
    before = len(await cast.recorded())

    async def eino_is_protected() -> None:
        await cast.deposit("persons", {"name": "Eino", "turvakielto": True}, of=EINO)

    between(cast, reading=(eino_is_protected,))
    answer = await cast.ask(fields=("person.name", "person.homeMunicipality"))
    assert [r["fields"] for r in answer["records"]] == [{"name": "Aino Mallinen"}]
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "basis-changed"), *DISCLOSED]


SUPERSEDED = {
    "the record is replaced": ("replace", "disclosed", [{"amount": "99.00"}]),
    "the record is annulled": ("annul", "nothing-disclosable", []),
}


@pytest.mark.parametrize("sentence", SUPERSEDED)
async def test_a_record_that_changes_after_the_entry_is_decided_anew(cast: Cast, sentence: str) -> None:
    how, outcome, given = SUPERSEDED[sentence]
    record = await cast.open_case()
    before = len(await cast.recorded())

    async def act() -> None:
        if how == "annul":
            await cast.annul("decisions", record)
        else:
            await cast.deposit("decisions", {"amount": "99.00", "date": cast.day}, record=record, expected=1)

    between(cast, reading=(act,))
    answer = await cast.ask(fields=("decision.amount",))
    assert answer["outcome"] == outcome
    assert [r["fields"] for r in answer["records"]] == given
    last = DISCLOSED[0] if given else ("refusal", "refuse", "subject-unknown")
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "superseded"), last]


async def test_existence_too_is_of_the_revision_decided_on(cast: Cast) -> None:
    record = await cast.open_case()
    before = len(await cast.recorded())

    async def act() -> None:
        await cast.deposit("decisions", {"amount": "99.00", "date": cast.day}, record=record, expected=1)

    between(cast, reading=(act,))
    assert await cast.reason(form=Form.EXISTENCE, fields=("decision.amount",)) == "disclosed"
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "superseded"), *DISCLOSED]


async def test_three_changes_in_a_row_are_too_many(cast: Cast) -> None:
    await cast.open_case()
    before = len(await cast.recorded())
    between(cast, gathered=(lambda: moves(cast),) * 3)
    with pytest.raises(Unavailable, match="overloaded"):
        await cast.ask()
    assert await since(cast, before) == []
    between(cast, gathered=(lambda: moves(cast),) * 2)
    assert await cast.reason() == "disclosed"


async def test_an_entry_opens_the_gate_for_thirty_seconds(cast: Cast) -> None:
    await cast.open_case()
    way = between(cast)
    way.swap = lambda receipt: cast.register.entry_aged(receipt, dt.timedelta(seconds=31))
    assert await cast.reason() == "disclosed"
    said = [entry for entry in outcomes(await cast.recorded()) if entry[0] != "write"]
    assert sorted(said, key=repr) == [*DISCLOSED, *DISCLOSED, ("outcome", "undelivered", "stale")]
    way.swap = lambda receipt: cast.register.entry_aged(receipt, dt.timedelta(seconds=20))
    assert await cast.reason() == "disclosed"
    assert len(way.receipts) == 3


async def test_the_gate_knows_only_permits_that_stand_in_the_ledger(cast: Cast) -> None:
    await cast.open_case()
    way = between(cast)
    await cast.ask()
    receipt, manifest = way.receipts[0], way.manifests[0]
    assert not isinstance(await way.read(receipt, manifest), Missed)
    assert await way.read(aged(receipt, dt.timedelta(seconds=1)), manifest) is Missed.NO_ENTRY
    looked = await note_read(cast.world, cast.caller(cast.county), decision="a-look", refers=None)
    assert await way.read(looked, manifest) is Missed.NO_ENTRY


async def test_existence_hands_out_no_ciphertext(cast: Cast) -> None:
    await cast.open_case()
    way = between(cast)
    answer = await cast.ask(form=Form.EXISTENCE)
    assert {(e["resource"], e["exists"]) for e in answer["existence"]} == {("decisions", True), ("persons", True)}
    sealed = await way.read(way.receipts[0], way.manifests[0])
    assert not isinstance(sealed, Missed)
    assert sealed.groups == ()


# -- claims and callers


async def test_a_proof_serves_once(cast: Cast) -> None:
    await cast.open_case()
    query = cast.query()
    await disclose(cast.world, query)
    before = len(await cast.recorded())
    with pytest.raises(ProofReplayed):
        await disclose(cast.world, query)
    with pytest.raises(ProofReplayed):  # a refusal claims it too
        await disclose(cast.world, msgspec.structs.replace(query, purpose="curiosity"))
    with pytest.raises(ProofReplayed):
        await note_read(cast.world, query.caller, decision="a-look", refers=None)
    assert await since(cast, before) == []


async def test_a_proof_serves_once_also_where_the_answer_was_no(cast: Cast) -> None:
    query = cast.query(purpose="curiosity")
    assert await cast.reason(caller=query.caller, purpose="curiosity") == "purpose-unknown"
    with pytest.raises(ProofReplayed):
        await disclose(cast.world, query)


async def test_a_key_that_does_not_unwrap_is_said_in_the_ledger(cast: Cast) -> None:
    await cast.open_case()
    before = len(await cast.recorded())
    await cast.register.key_lost(cast.kela, cast.index())
    with pytest.raises(Unavailable, match="crypto-unavailable"):
        await cast.ask()
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "crypto-unavailable")]
    leaves = (await cast.recorded())[before:]
    assert leaves[1]["refers"] == leaves[0]["id"]


async def test_a_person_may_be_asked_about_so_often_and_no_more(cast: Cast) -> None:
    await cast.open_case()
    await cast.register.agreement_allows(cast.county, per_person_day=2)
    assert [await cast.reason() for _ in range(3)] == ["disclosed", "disclosed", "frequency-exceeded"]
    await cast.matter(of=SIIRI, case=cast.case + "-S")
    assert await cast.reason(person=SIIRI, case_reference=cast.case + "-S") == "nothing-disclosable"


async def test_refusals_do_not_count_as_disclosures(cast: Cast) -> None:
    await cast.open_case()
    await cast.register.agreement_allows(cast.county, per_person_day=1)
    officer = msgspec.structs.replace(WORKER, role="finance")
    assert [await cast.reason(officer=officer) for _ in range(2)] == ["officer-role"] * 2
    assert [await cast.reason(person=AINO) for _ in range(2)] == ["disclosed", "frequency-exceeded"]
