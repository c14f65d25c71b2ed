"""Who a record is about: linked and split identifiers, and what moves the basis a decision stood on."""

from collections.abc import Awaitable, Callable

import pytest

from conformance.between import between
from conformance.cast import AINO, EINO, P09, SIIRI, TAMPERE, TOLD_OF_AINO, TURKU, Cast, outcomes, person
from sauma.core.errors import BadRequest
from sauma.core.matters import ProhibitionKind
from sauma.core.people import PersonIdentifier
from sauma.exchange.append import Refused

OLD, NEW = AINO, person(1, "Y")
"""One birthday and number, another century sign: two people until somebody says otherwise."""


async def amounts(cast: Cast, of: object, case: str | None = None) -> list[str]:
    answer = await cast.ask(person=of, case_reference=case or cast.case, fields=("decision.amount",))
    return sorted(r["fields"]["amount"] for r in answer["records"])


async def both_known(cast: Cast) -> None:
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}, of=OLD)
    await cast.deposit("decisions", {"amount": "2.00", "date": cast.day}, of=NEW)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=OLD)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=NEW)
    await cast.matter(of=OLD, case=cast.case)
    await cast.matter(of=NEW, case=cast.case + "-Y")


async def test_a_century_sign_makes_another_person(cast: Cast) -> None:
    await both_known(cast)
    assert await amounts(cast, OLD) == ["1.00"]
    assert await amounts(cast, NEW, cast.case + "-Y") == ["2.00"]


async def test_linked_identifiers_are_one_person(cast: Cast) -> None:
    await both_known(cast)
    done = await cast.changed(OLD, NEW, "corrected")
    assert (done.status, done.members) == (201, {"status": "linked", "reason": "corrected"})
    assert await amounts(cast, OLD) == ["1.00", "2.00"]
    assert await amounts(cast, NEW, cast.case + "-Y") == ["1.00", "2.00"]
    leaf = (await cast.recorded(cast.kela))[-1]
    assert (leaf["kind"], leaf["decision"], leaf["reason"]) == ("write", "identifier-linked", "corrected")
    assert len(leaf["subjects"]) == 2


async def test_a_new_identifier_of_a_known_person_finds_what_the_old_one_did(cast: Cast) -> None:
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}, of=OLD)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=OLD)
    await cast.matter(of=NEW)
    assert await cast.reason(person=NEW) == "nothing-disclosable"
    await cast.changed(OLD, NEW, "changed")
    assert await amounts(cast, NEW) == ["1.00"]


async def test_what_was_written_under_the_old_identifier_is_changed_under_the_new(cast: Cast) -> None:
    await both_known(cast)
    record = await cast.deposit("decisions", {"amount": "3.00", "date": cast.day}, of=OLD)
    with pytest.raises(BadRequest, match="state-conflict"):
        await cast.deposit("decisions", {"amount": "4.00"}, of=NEW, record=record, expected=1)
    await cast.changed(OLD, NEW, "corrected")
    await cast.deposit("decisions", {"amount": "4.00", "date": cast.day}, of=NEW, record=record, expected=1)
    assert await amounts(cast, OLD) == ["1.00", "2.00", "4.00"]
    await cast.changed(OLD, NEW, "corrected", by=cast.county)
    assert (await cast.matter(of=NEW, expected=1)).etag == '"2"'


async def test_a_wrong_link_is_split_again(cast: Cast) -> None:
    await both_known(cast)
    await cast.changed(OLD, NEW, "corrected")
    done = await cast.changed(OLD, NEW, "wrong-link")
    assert done.members == {"status": "split", "reason": "wrong-link"}
    for of, case in ((OLD, cast.case), (NEW, cast.case + "-Y")):  # whose home it was is not known any more
        assert await cast.reason(person=of, case_reference=case) == "nothing-disclosable"
        await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=of)
    assert await amounts(cast, OLD) == ["1.00"]
    assert await amounts(cast, NEW, cast.case + "-Y") == ["2.00"]


async def test_a_wrongly_added_identifier_becomes_a_person_of_its_own(cast: Cast) -> None:
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}, of=OLD)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=OLD)
    await cast.changed(OLD, NEW, "assigned")
    await cast.changed(OLD, NEW, "wrong-link")
    await cast.matter(of=NEW)
    assert await cast.reason(person=NEW) == "nothing-disclosable"
    await cast.deposit("decisions", {"amount": "2.00", "date": cast.day}, of=NEW)
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=NEW)
    assert await amounts(cast, NEW) == ["2.00"]
    await cast.matter(of=OLD, case=cast.case + "-O")
    assert await cast.reason(person=OLD, case_reference=cast.case + "-O") == "nothing-disclosable"
    await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=OLD)
    assert await amounts(cast, OLD, cast.case + "-O") == ["1.00"]


async def test_a_split_takes_back_the_one_link_it_names(cast: Cast) -> None:
    """Old code of the one, the one, and the other they were wrongly taken for: the old code stays with the one."""
    for of, amount in ((SIIRI, "0.50"), (OLD, "1.00"), (NEW, "2.00")):
        await cast.deposit("decisions", {"amount": amount, "date": cast.day}, of=of)
    await cast.matter(of=OLD)
    await cast.matter(of=NEW, case=cast.case + "-Y")
    await cast.changed(SIIRI, OLD, "corrected")
    await cast.changed(OLD, NEW, "corrected")
    with pytest.raises(Refused, match="not-found"):
        await cast.changed(SIIRI, NEW, "wrong-link")  # one person by way of the third, but never said to be
    await cast.changed(OLD, NEW, "wrong-link")
    for of in (OLD, NEW):
        await cast.deposit("persons", {"homeMunicipality": TAMPERE}, of=of)
    assert await amounts(cast, OLD) == ["0.50", "1.00"]
    assert await amounts(cast, NEW, cast.case + "-Y") == ["2.00"]


async def test_a_split_leaves_nobody_unprotected(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": True}, of=OLD)
    await cast.changed(OLD, NEW, "assigned")
    await cast.changed(OLD, NEW, "wrong-link")
    assert [await cast.register.unit_of(cast.kela, cast.index(of)) for of in (OLD, NEW)] == [(True, "")] * 2


@pytest.mark.parametrize("asked_about", [AINO, EINO], ids=["the one it is about", "another it names"])
async def test_one_protected_person_hides_the_whole_households_home(cast: Cast, asked_about: PersonIdentifier) -> None:
    """The home of one is the home of all (661/2009 36 §): a spouse's or child's own record must not tell it."""
    await cast.deposit("persons", {"turvakielto": True}, of=SIIRI)
    for of in (AINO, EINO):
        await cast.deposit("persons", TOLD_OF_AINO, of=of)
    await cast.matter(of=asked_about)
    assert await whereabouts(cast, asked_about) == TAMPERE
    members = [{"hetu": EINO.value, "relation": "child"}, {"hetu": SIIRI.value, "relation": "spouse"}]
    await cast.deposit("households", {"type": "couple-with-children", "members": members})
    assert await whereabouts(cast, asked_about) is None
    await cast.deposit("persons", {"turvakielto": False}, of=SIIRI)
    assert await whereabouts(cast, asked_about) == TAMPERE


async def test_a_restriction_of_somebody_named_holds_the_record_back(cast: Cast) -> None:
    """GDPR 18 is the named person's own right, in whoever's record their data stand."""
    await cast.open_case()
    await cast.deposit("households", {"type": "couple", "members": [{"hetu": EINO.value, "relation": "spouse"}]})
    held = await cast.ask(fields=("household.type", "decision.amount"))
    assert sorted(r["resource"] for r in held["records"]) == ["decisions", "households"]
    await cast.register.prohibited(cast.kela, cast.index(EINO), ProhibitionKind.RESTRICTION)
    left = await cast.ask(fields=("household.type", "decision.amount"))
    assert [r["resource"] for r in left["records"]] == ["decisions"]


async def whereabouts(cast: Cast, of: PersonIdentifier) -> str | None:
    answer = await cast.ask(person=of, fields=("person.name", "person.homeMunicipality"))
    return answer["records"][0]["fields"].get("homeMunicipality")


REFUSED_CHANGES = {
    "a split of two who were never linked": (OLD, NEW, "wrong-link", "not-found"),
    "from somebody unknown": (SIIRI, NEW, "corrected", "not-found"),
    "to the same": (OLD, OLD, "corrected", "invalid-value"),
    "a split of somebody unknown": (SIIRI, NEW, "wrong-link", "not-found"),
    "a split towards somebody unknown": (OLD, SIIRI, "wrong-link", "not-found"),
}


@pytest.mark.parametrize("sentence", REFUSED_CHANGES)
async def test_a_change_that_cannot_be_had_changes_nothing(cast: Cast, sentence: str) -> None:
    await both_known(cast)
    old, new, reason, code = REFUSED_CHANGES[sentence]
    before = len(await cast.recorded(cast.kela))
    with pytest.raises((BadRequest, Refused), match=code):
        await cast.changed(old, new, reason)
    leaves = (await cast.recorded(cast.kela))[before:]
    asked = [("refusal", "refuse", "subject-unknown")] if code == "not-found" else []
    assert outcomes(leaves) == asked, "asking who is known leaves a trace, of both"
    assert [len(leaf["subjects"]) for leaf in leaves] == [2] * len(asked)


async def test_that_both_are_the_same_is_said_before_anybody_is_looked_for(cast: Cast) -> None:
    await both_known(cast)
    for of in (OLD, SIIRI):
        with pytest.raises(BadRequest, match="invalid-value"):
            await cast.changed(of, of, "corrected")


async def test_a_link_is_one_controllers_own(cast: Cast) -> None:
    await both_known(cast)
    with pytest.raises(Refused, match="not-found"):
        await cast.changed(OLD, NEW, "corrected", by=cast.neighbour)
    await cast.changed(OLD, NEW, "corrected")
    await cast.deposit("decisions", {"amount": "8.00", "date": cast.day}, of=NEW, by=cast.neighbour)
    assert await cast.reason(person=NEW, case_reference=cast.case) == "subject-mismatch"  # two persons at the county


async def test_a_link_protects_both_and_tells_nobodys_county(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": True}, of=OLD)
    await cast.deposit("persons", {"homeMunicipality": TURKU, "turvakielto": False}, of=NEW)
    assert await cast.register.unit_of(cast.kela, cast.index(NEW)) == (False, cast.neighbour)
    await cast.changed(OLD, NEW, "corrected")
    assert await cast.register.unit_of(cast.kela, cast.index(NEW)) == (True, "")
    await cast.deposit("persons", {"homeMunicipality": TURKU}, of=NEW)
    protected, unit = await cast.register.unit_of(cast.kela, cast.index(OLD))
    assert protected
    assert unit not in {"", cast.neighbour}
    await cast.matter(by=cast.neighbour, of=NEW)
    assert await cast.reason(by=cast.neighbour, person=NEW) == "disclosed"


async def test_a_protected_persons_unit_is_opaque_and_its_county_still_competent(cast: Cast) -> None:
    await cast.open_case()
    assert await cast.register.unit_of(cast.kela, cast.index()) == (False, cast.county)
    record = await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": True})
    protected, unit = await cast.register.unit_of(cast.kela, cast.index())
    assert protected
    assert len(unit) == 26
    assert cast.county not in unit
    assert await cast.reason() == "disclosed"
    await cast.matter(by=cast.neighbour)
    assert await cast.reason(by=cast.neighbour) == "nothing-disclosable"
    assert outcomes(await cast.recorded(cast.neighbour))[-1] == ("refusal", "refuse", "county-not-competent")
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": None}, record=record, expected=1)
    assert (await cast.register.unit_of(cast.kela, cast.index()))[0], "silence ends no protection"
    await cast.deposit("persons", TOLD_OF_AINO | {"turvakielto": False}, record=record, expected=2)
    assert await cast.register.unit_of(cast.kela, cast.index()) == (False, cast.county)


# -- what moves the basis: the versions are compared when the entry is appended


async def linked_and_protected(cast: Cast) -> None:
    await cast.deposit("persons", {"turvakielto": False}, of=SIIRI)
    await cast.changed(EINO, SIIRI, "corrected")
    await cast.deposit("persons", {"turvakielto": True}, of=SIIRI)


async def housemate_protected(cast: Cast) -> None:
    members = [{"hetu": AINO.value, "relation": "child"}, {"hetu": EINO.value, "relation": "spouse"}]
    await cast.deposit("households", {"type": "couple-with-children", "members": members}, of=SIIRI)
    await cast.deposit("persons", {"turvakielto": True}, of=SIIRI)


async def stranger_prohibited(cast: Cast) -> None:
    await cast.deposit("persons", {}, of=SIIRI)
    await cast.register.prohibited(cast.kela, cast.index(SIIRI), ProhibitionKind.RESTRICTION)


MOVES: dict[str, Callable[[Cast], Awaitable[object]]] = {
    "protection of the person": lambda c: c.deposit("persons", TOLD_OF_AINO | {"turvakielto": True}),
    "protection of somebody named in a record": lambda c: c.deposit("persons", {"turvakielto": True}, of=EINO),
    "protection of somebody linked to one who is named": linked_and_protected,
    "protection of somebody of the household": housemate_protected,
    "another home municipality": lambda c: c.deposit("persons", TOLD_OF_AINO | {"homeMunicipality": TURKU}),
    "a prohibition": lambda c: c.register.prohibited(c.kela, c.index(), ProhibitionKind.CONTROLLER),
    "prior information": lambda c: c.told(by=c.kela),
    "a link": lambda c: c.changed(AINO, SIIRI, "corrected"),
    "the matter": lambda c: c.matter(expected=1),
}
STILL: dict[str, Callable[[Cast], Awaitable[object]]] = {
    "the same person record again": lambda c: c.deposit("persons", TOLD_OF_AINO),
    "another record of the person": lambda c: c.deposit("payments", {"amount": "5.00"}),
    "protection of a stranger": lambda c: c.deposit("persons", {"turvakielto": True}, of=SIIRI),
    "a prohibition of a stranger": stranger_prohibited,
    "protection at another controller": lambda c: c.deposit(
        "persons", TOLD_OF_AINO | {"turvakielto": True}, by=c.neighbour
    ),
    "another matter": lambda c: c.matter(case=c.case + "-2"),
}


async def gathers(cast: Cast, act: Callable[[Cast], Awaitable[object]]) -> int:
    """How often the facts were gathered until the answer came, an act after the first time."""
    await cast.deposit("persons", TOLD_OF_AINO, others=(EINO,))
    await cast.matter()
    seen: list[int] = []

    async def counted() -> None:
        seen.append(1)
        if len(seen) == 1:
            await act(cast)

    between(cast, gathered=(counted,) * 5)
    await cast.reason(fields=("person.name",))
    return len(seen)


@pytest.mark.parametrize("sentence", MOVES)
async def test_what_moves_the_basis(cast: Cast, sentence: str) -> None:
    assert await gathers(cast, MOVES[sentence]) == 2


@pytest.mark.parametrize("sentence", STILL)
async def test_what_leaves_the_basis_where_it_is(cast: Cast, sentence: str) -> None:
    assert await gathers(cast, STILL[sentence]) == 1


async def test_everyone_named_in_what_leaves_is_tagged(cast: Cast) -> None:
    members = [{"hetu": EINO.value, "relation": "spouse"}]
    await cast.deposit("persons", TOLD_OF_AINO)
    await cast.deposit("households", {"type": "couple", "members": members}, others=(person(9),))
    await cast.matter()
    await cast.ask(fields=("household.type",))
    assert len((await cast.recorded())[-1]["subjects"]) == 3
    await cast.ask(fields=("person.name",))
    assert len((await cast.recorded())[-1]["subjects"]) == 1


async def test_more_than_three_persons_stand_beside_the_leaf(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO, others=tuple(person(20 + n) for n in range(3)))
    await cast.matter()
    await cast.ask(fields=("person.name",))
    leaf = (await cast.recorded())[-1]
    assert "subjects" not in leaf
    assert leaf["side"]
    await cast.register.agreement_allows(cast.county, per_person_day=1)
    assert await cast.reason(fields=("person.name",)) == "frequency-exceeded"


async def test_prior_information_is_its_organisations_own_and_the_persons(cast: Cast) -> None:
    await cast.deposit("applications", {"status": "received", "receivedAt": cast.day}, by=cast.county)
    await cast.matter(by=cast.kela)
    asked = {"by": cast.kela, "purpose": P09, "controller": cast.county}
    await cast.told(by=cast.county)
    await cast.told(by=cast.kela, of=EINO)
    assert await cast.reason(**asked) == "prior-information-missing"
    done = await cast.told(by=cast.kela)
    assert done.location is None, "it cannot be fetched"
    assert await cast.reason(**asked) == "disclosed"
    await cast.changed(AINO, SIIRI, "corrected", by=cast.kela)
    assert await cast.reason(**asked) == "disclosed"
