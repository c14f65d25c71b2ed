"""A token confined to purpose, case and fields: judged before anything is gathered, and never widened by a request."""

import asyncio
import uuid
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.between import between
from conformance.cast import P01, P09, Cast, outcomes
from exchange.played import JUSTIFY, LETTERS, RELEASED, Played
from sauma.core.evidence import ClaimKind
from sauma.core.matters import Form
from sauma.core.parties import CONTEXTS, FRESH_SECONDS, Action, Assurance, Authentication, Caller, CaseAccess
from sauma.core.resources import REGISTRY
from sauma.exchange.append import ProofReplayed, Refused, StepUp
from sauma.exchange.disclose import CaseQuery, disclose
from worlds import Memory

MEMBERS = {(name, s.member): s.path for name, resource in REGISTRY.items() for s in resource.specs}


@pytest.fixture(scope="module")
def played() -> Played:
    return Played()


def within(cast: Cast, access: CaseAccess, **asked: object) -> CaseQuery:
    """The county's question, by a caller whose token is confined so."""
    query = cast.query(**asked)
    return msgspec.structs.replace(query, caller=msgspec.structs.replace(query.caller, access=access))


def justified(fields: Iterable[str] | None) -> dict[str, str]:
    return {path: JUSTIFY[path] for path in fields or () if path in JUSTIFY}


def left(played: Played, access: CaseAccess, fields: tuple[str, ...] | None, form: Form = Form.VALUES) -> set[str]:
    """The fields that left the server; nothing is recorded or opened but them."""
    asked = {"fields": fields, "necessity": justified(fields), "form": form}
    caller = msgspec.structs.replace(played.cast.caller(played.cast.county), access=access)
    body, recorded, opened = played.ask(**asked, caller=caller)
    rows = body["records"]
    assert isinstance(rows, list)
    disclosed = {(r["id"], MEMBERS[r["resource"], member]) for r in rows for member in r["fields"]}
    ids = {s.id: s.path for resource in REGISTRY.values() for s in resource.specs}
    assert {(record, ids[field]) for record, field in recorded} == disclosed
    assert recorded == opened
    return {path for _, path in disclosed}


SOME = st.lists(st.sampled_from(RELEASED), min_size=1, max_size=12, unique=True).map(tuple)
SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(held=SOME, asked=SOME, more=SOME)
@SETTINGS
def test_a_field_more_in_the_request_never_discloses_one_that_the_token_is_not_for(
    played: Played, held: tuple[str, ...], asked: tuple[str, ...], more: tuple[str, ...]
) -> None:
    access = CaseAccess(fields=frozenset(held))
    inside = tuple(path for path in asked if path in held) or held
    before = left(played, access, inside)
    assert before <= set(held)
    wider = tuple(dict.fromkeys(inside + more))
    stray = [f"/fields/{n}" for n, path in enumerate(wider) if path not in held]
    if not stray:
        assert before <= left(played, access, wider) <= set(held)
        return
    entries = len(played.memory.tables.state.ledger)
    played.watch.opened.clear()
    with pytest.raises(Refused) as refused:
        left(played, access, wider)
    assert (refused.value.code, list(refused.value.pointers)) == ("scope-missing", stray)
    assert played.watch.opened == []
    last = list(played.memory.tables.state.ledger.values())[-1]
    assert len(played.memory.tables.state.ledger) == entries + 1
    assert (last.leaf["kind"], last.leaf["reason"], last.manifest) == ("refusal", "scope-missing", ())


@given(held=SOME, form=st.sampled_from(Form))
@SETTINGS
def test_no_fields_in_the_request_are_those_released_that_the_token_is_for(
    played: Played, held: tuple[str, ...], form: Form
) -> None:
    access = CaseAccess(fields=frozenset(held))
    released = tuple(path for path in held if LETTERS[path] == "R" and path != "person.hetu")
    if all(path.startswith("worker.") for path in released):
        with pytest.raises(Refused) as refused:
            left(played, access, None, form)
        assert (refused.value.code, refused.value.pointers) == ("scope-missing", ("/fields",))
        return
    assert left(played, access, None, form) == left(played, access, released, form) <= set(released)


def test_a_token_confined_to_nothing_changes_nothing(played: Played) -> None:
    whole = left(played, CaseAccess(), None)
    every = frozenset(path for path, letter in LETTERS.items() if letter == "R")
    assert left(played, CaseAccess(fields=every, purpose=P01, case_reference=played.cast.case), None) == whole


# fmt: off
OUTSIDE: dict[str, tuple[CaseAccess, dict[str, object], tuple[str, ...]]] = {
    "another purpose": (CaseAccess(purpose=P09), {}, ("/purpose",)),
    "another case": (CaseAccess(case_reference="another"), {}, ("/caseReference",)),
    "a case that begins alike": (CaseAccess(case_reference="CASE-"), {}, ("/caseReference",)),
    "one field": (CaseAccess(fields=frozenset({"person.name"})), {"fields": ("person.name", "decision.amount")}, ("/fields/1",)),
    "all of it": (CaseAccess(purpose=P09, case_reference="x", fields=frozenset({"x.y"})), {"fields": ("person.name",)}, ("/purpose", "/caseReference", "/fields/0")),
    "fields of the purpose, none released": (CaseAccess(fields=frozenset({"housing.accepted"})), {}, ("/fields",)),
    "fields the purpose does not have": (CaseAccess(fields=frozenset({"contact.address"})), {}, ("/fields",)),
    "a purpose nobody knows": (CaseAccess(purpose=P01), {"purpose": "curiosity"}, ("/purpose",)),
}
# fmt: on


@pytest.mark.parametrize("sentence", OUTSIDE)
async def test_outside_the_token_is_refused_and_recorded_before_anything_is_gathered(
    cast: Cast, memory: Memory, sentence: str
) -> None:
    access, asked, pointers = OUTSIDE[sentence]
    await cast.open_case()
    before = len(await cast.recorded())

    async def looked() -> None:
        pytest.fail("nothing may be gathered")

    between(cast, gathered=(looked,))
    query = within(cast, access, **asked)
    with pytest.raises(Refused) as refused:
        await disclose(cast.world, query)
    assert (refused.value.code, refused.value.pointers) == ("scope-missing", pointers)
    leaves = (await cast.recorded())[before:]
    assert outcomes(leaves) == [("refusal", "refuse", "scope-missing")]
    assert memory.tables.state.ledger[uuid.UUID(str(leaves[0]["id"]))].manifest == ()
    with pytest.raises(ProofReplayed):  # what was recorded has burnt its proof
        await disclose(cast.world, query)


INSIDE: dict[str, tuple[CaseAccess, dict[str, object]]] = {
    "the purpose": (CaseAccess(purpose=P01), {}),
    "the fields": (CaseAccess(fields=frozenset({"person.name", "decision.amount"})), {"fields": ("decision.amount",)}),
    "actions, which are the guard's to judge": (CaseAccess(actions=frozenset({Action.AUDIT})), {}),
}


@pytest.mark.parametrize("sentence", INSIDE)
async def test_inside_the_token_is_answered(cast: Cast, sentence: str) -> None:
    access, asked = INSIDE[sentence]
    await cast.open_case()
    answer = await disclose(cast.world, within(cast, access, **asked))
    assert answer.fields


# -- an officer who has logged in, where a purpose wants that


def wanting_a_login(memory: Memory) -> Memory:
    purposes = dict(memory.world.catalogue.purposes)
    purposes[P01] = msgspec.structs.replace(purposes[P01], officer_assurance=Assurance.AUTHENTICATED)
    catalogue = msgspec.structs.replace(memory.world.catalogue, purposes=purposes)
    memory.world = msgspec.structs.replace(memory.world, catalogue=catalogue)
    return memory


def logged_in(cast: Cast, *, ago: int = 60, context: str | None = CONTEXTS[0]) -> Caller:
    at = int(cast.world.clock().timestamp()) - ago
    said = Authentication(provider="https://idp.example", context_class=context, at=at)
    query = cast.query()
    return msgspec.structs.replace(query.caller, officer=query.officer, authentication=said)


LOGINS: dict[str, tuple[dict[str, object], bool]] = {
    "a minute ago, at level high": ({}, True),
    "a minute ago, at level substantial": ({"context": CONTEXTS[1]}, True),
    "an hour ago, nearly": ({"ago": FRESH_SECONDS - 1}, True),
    "by a clock a little ahead": ({"ago": -30}, True),
    "an hour and a second ago": ({"ago": FRESH_SECONDS + 1}, False),
    "tomorrow": ({"ago": -86400}, False),
    "at level low": ({"context": "http://eidas.europa.eu/LoA/low"}, False),
    "at no stated level": ({"context": None}, False),
}


@pytest.mark.parametrize("sentence", LOGINS)
async def test_a_purpose_that_wants_a_login_takes_a_fresh_and_strong_one(
    cast: Cast, memory: Memory, sentence: str
) -> None:
    login, good = LOGINS[sentence]
    await cast.open_case()
    cast.world = msgspec.structs.replace(cast.world, catalogue=wanting_a_login(memory).world.catalogue)
    query = msgspec.structs.replace(cast.query(), caller=logged_in(cast, **login))
    if good:
        assert (await disclose(cast.world, query)).fields
        return
    before = len(await cast.recorded())
    with pytest.raises(StepUp) as wanted:
        await disclose(cast.world, query)
    leaves = (await cast.recorded())[before:]
    assert outcomes(leaves) == [("refusal", "refuse", "officer-assurance")]
    assert str(wanted.value.receipt.entry) == leaves[0]["id"]


async def test_a_login_of_one_officer_is_not_anothers(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    cast.world = msgspec.structs.replace(cast.world, catalogue=wanting_a_login(memory).world.catalogue)
    caller = logged_in(cast)
    assert caller.officer is not None
    other = msgspec.structs.replace(caller, officer=msgspec.structs.replace(caller.officer, id="another"))
    with pytest.raises(StepUp):
        await disclose(cast.world, msgspec.structs.replace(cast.query(), caller=other))


async def test_without_a_login_it_is_refused_and_without_the_demand_it_is_answered(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    assert (await disclose(cast.world, cast.query())).fields
    cast.world = msgspec.structs.replace(cast.world, catalogue=wanting_a_login(memory).world.catalogue)
    with pytest.raises(StepUp):
        await disclose(cast.world, cast.query())


def test_every_claim_of_a_caller_is_one_of_this_call_or_of_its_token(played: Played) -> None:
    """The proof is claimed; the token is only asked for, so that its revocation holds at the very next call."""
    kinds = [claim.kind for claim in played.cast.caller(played.cast.county).claims]
    assert kinds == [ClaimKind.PROOF, ClaimKind.TOKEN]
    claimed = len(played.memory.tables.state.claims)
    asyncio.run(disclose(played.cast.world, played.cast.query()))
    assert len(played.memory.tables.state.claims) == claimed + 1
