"""A token is necessary, never sufficient: what it follows from is compared at each append, claim and read."""

import json

import msgspec
import pytest

from conformance.between import between
from conformance.cast import WORKER, Cast, since, system
from sauma.core.disclosure import Receipt
from sauma.core.evidence import Claim, ClaimKind, Entry, EventKind, Position, unbase64url
from sauma.core.parties import Authentication, OfficerKind
from sauma.exchange.append import CallerChanged, note_read
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.rows import Missed

DISCLOSED = [("disclosure", "permit", None)]


async def suspended_and_let_in_again(cast: Cast) -> None:
    await cast.register.client_suspended(system(cast.county))
    await cast.register.client_resumed(system(cast.county))


CALLERS = {
    "the client is suspended": lambda cast: cast.register.client_suspended(system(cast.county)),
    "the client is suspended and let in again": suspended_and_let_in_again,
    "the client is newer than its token": lambda cast: cast.register.client_moves(system(cast.county)),
    "a key of the client is removed": lambda cast: cast.register.key_removed(system(cast.county)),
    "the organisation is suspended": lambda cast: cast.register.organisation_suspended(cast.county),
    "the organisation is newer than the token": lambda cast: cast.register.organisation_moves(cast.county),
    "the organisation is granted less": lambda cast: cast.register.grant_narrowed(cast.county),
}
SUPPLIERS = {
    "the delegation is ended": lambda cast: cast.register.delegation_ended(cast.county, cast.vendor),
    "the delegation runs out": lambda cast: cast.register.delegation_ran_out(cast.county, cast.vendor),
    "the supplier is suspended": lambda cast: cast.register.organisation_suspended(cast.vendor),
    "the supplier's system is suspended": lambda cast: cast.register.client_suspended(system(cast.vendor)),
    "the organisation it acts for is granted less": lambda cast: cast.register.grant_narrowed(cast.county),
}


async def revoke(cast: Cast, client: str) -> Receipt | Missed:
    """The county's token of a system is revoked, with an entry that says so (RFC 7009)."""
    caller = cast.caller(cast.county)
    draft = Draft(kind=EventKind.ADMIN, caller=caller, decision="token-revoked")
    claims = (cast.proof(), cast.token_claim(client, cast.county, ClaimKind.REVOKED))
    return await cast.world.ledger.append(compose(cast.world, draft)[1], claims, caller_basis(caller))


@pytest.mark.parametrize("sentence", CALLERS)
async def test_a_token_that_no_longer_holds_leaves_nothing_behind(cast: Cast, sentence: str) -> None:
    await cast.open_case()
    await CALLERS[sentence](cast)
    before = len(await cast.recorded())
    with pytest.raises(CallerChanged):
        await cast.ask()
    with pytest.raises(CallerChanged):
        await cast.matter(state="closed")
    assert await since(cast, before) == []


@pytest.mark.parametrize("sentence", SUPPLIERS)
async def test_a_suppliers_token_holds_as_long_as_what_it_follows_from(cast: Cast, sentence: str) -> None:
    await cast.open_case()
    assert await cast.reason(caller=cast.caller(cast.county, supplier=cast.vendor)) == "disclosed"
    leaf = (await cast.recorded())[-1]
    assert (leaf["organisation"], leaf["supplier"], leaf["client"]) == (cast.county, cast.vendor, system(cast.vendor))
    await SUPPLIERS[sentence](cast)
    before = len(await cast.recorded())
    with pytest.raises(CallerChanged):
        await cast.ask(caller=cast.caller(cast.county, supplier=cast.vendor))
    assert await since(cast, before) == []


async def test_a_supplier_has_no_token_for_whoever_has_not_delegated_to_it_nor_for_itself(cast: Cast) -> None:
    await cast.open_case()
    for organisation in (cast.neighbour, cast.vendor):
        with pytest.raises(CallerChanged):
            await note_read(cast.world, cast.caller(organisation, supplier=cast.vendor), decision="a-look", refers=None)


async def test_a_delegation_that_ends_leaves_the_organisations_own_token(cast: Cast) -> None:
    await cast.open_case()
    await cast.register.delegation_ended(cast.county, cast.vendor)
    assert await cast.reason() == "disclosed"


async def test_a_revoked_token_serves_no_more_and_every_other_does(cast: Cast) -> None:
    await cast.open_case()
    assert isinstance(await revoke(cast, system(cast.county)), Receipt)
    before = len(await cast.recorded())
    with pytest.raises(CallerChanged):
        await cast.ask()
    with pytest.raises(CallerChanged):
        await cast.matter(state="closed")
    assert await since(cast, before) == []
    supplier = cast.caller(cast.county, supplier=cast.vendor)
    assert await cast.reason(caller=supplier) == "disclosed"


async def test_a_token_is_revoked_once(cast: Cast) -> None:
    assert isinstance(await revoke(cast, system(cast.vendor)), Receipt)
    assert await revoke(cast, system(cast.vendor)) is Missed.REVOKED_BEFORE


STOOD = {
    ClaimKind.PROOF: Missed.REPLAYED,
    ClaimKind.ASSERTION: Missed.ASSERTION_REPLAYED,
    ClaimKind.SUBJECT_TOKEN: Missed.SUBJECT_TOKEN_REPLAYED,
}


@pytest.mark.parametrize("kind", STOOD, ids=lambda kind: kind.value)
async def test_which_once_only_id_stood_is_told_and_the_others_are_not_burnt(cast: Cast, kind: ClaimKind) -> None:
    caller = cast.caller(cast.county)
    first = {k: msgspec.structs.replace(cast.proof(), kind=k) for k in STOOD}
    fresh = {k: msgspec.structs.replace(cast.proof(), kind=k) for k in STOOD}

    async def issue(claims: dict[ClaimKind, Claim]) -> Receipt | Missed:
        draft = Draft(kind=EventKind.ADMIN, caller=caller, decision="token-issued")
        build = compose(cast.world, draft)[1]
        return await cast.world.ledger.append(build, tuple(claims.values()), caller_basis(caller))

    assert isinstance(await issue(first), Receipt)
    assert await issue(fresh | {kind: first[kind]}) is STOOD[kind]
    assert isinstance(await issue(fresh), Receipt)


@pytest.mark.parametrize("sentence", CALLERS)
async def test_a_caller_suspended_between_entry_and_read_gets_nothing(cast: Cast, sentence: str) -> None:
    await cast.open_case()
    before = len(await cast.recorded())
    between(cast, reading=(lambda: CALLERS[sentence](cast),))
    with pytest.raises(CallerChanged):
        await cast.ask()
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "caller-changed")]


async def test_a_caller_whose_organisation_moved_while_deciding_is_asked_to_come_again(cast: Cast) -> None:
    await cast.open_case()
    between(cast, gathered=(lambda: cast.register.organisation_moves(cast.county),))
    with pytest.raises(CallerChanged):
        await cast.ask()
    await cast.new_tokens()
    assert await cast.reason() == "disclosed"


@pytest.mark.parametrize("sentence", SUPPLIERS)
async def test_a_supplier_ended_between_entry_and_read_gets_nothing(cast: Cast, sentence: str) -> None:
    await cast.open_case()
    before = len(await cast.recorded())
    between(cast, reading=(lambda: SUPPLIERS[sentence](cast),))
    with pytest.raises(CallerChanged):
        await cast.ask(caller=cast.caller(cast.county, supplier=cast.vendor))
    assert await since(cast, before) == [*DISCLOSED, ("outcome", "undelivered", "caller-changed")]
    assert {leaf["supplier"] for leaf in (await cast.recorded())[before:]} == {cast.vendor}


OFFICERS = {
    "a name the client said": (WORKER, None, "asserted"),
    "a registered automation": (msgspec.structs.replace(WORKER, kind=OfficerKind.PROCESS), None, "process"),
    "an officer that logged in": (WORKER, WORKER, "authenticated"),
    "another than the one that logged in": (WORKER, msgspec.structs.replace(WORKER, id="w-2"), "asserted"),
}


@pytest.mark.parametrize("sentence", OFFICERS)
async def test_an_entry_says_how_sure_it_is_of_the_officer(cast: Cast, sentence: str) -> None:
    behind, logged_in, assurance = OFFICERS[sentence]
    how = None if logged_in is None else Authentication(provider="https://idp.example", context_class="high", at=1)
    caller = msgspec.structs.replace(cast.caller(cast.county), officer=logged_in, authentication=how)
    draft = Draft(kind=EventKind.READ, caller=caller, decision="a-look", officer=behind)
    entry, build = compose(cast.world, draft)
    kept: list[Entry] = []

    def keep(position: Position) -> Entry:
        kept.append(build(position))
        return kept[-1]

    assert isinstance(await cast.world.ledger.append(keep, caller.claims, caller_basis(caller)), Receipt)
    leaf = (await cast.recorded())[-1]
    assert (leaf["id"], leaf["assurance"]) == (str(entry), assurance)
    row = kept[-1]
    assert row.payload is not None
    assert row.payload_key is not None
    commitment = unbase64url(str(leaf["payload"]))
    told = json.loads(cast.world.vault.open_payload(entry, row.payload, row.payload_key, commitment))
    said = {"provider": "https://idp.example", "acr": "high", "at": 1}
    assert told["authentication"] == (said if assurance == "authenticated" else None)
