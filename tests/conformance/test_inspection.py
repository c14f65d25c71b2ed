"""What the parties may see of their disclosures, and auditors of the ledger; every look is an entry first."""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from conformance.cast import P01, P09, SIIRI, WORKER, Cast, outcomes, system
from sauma.core.disclosure import Receipt
from sauma.core.errors import BadRequest
from sauma.core.parties import Caller, CaseAccess, Officer
from sauma.exchange.append import Refused, note_read
from sauma.exchange.inspect import (
    AuditSession,
    DisclosureSearch,
    find_disclosure,
    list_disclosures,
    open_audit_session,
    read_entry,
)
from sauma.exchange.matters import Erasure, attest_erasure
from sauma.exchange.record import month_of
from sauma.exchange.rows import InspectKeys, LedgerRow, ListKeys
from worlds import aged

HOUR = dt.timedelta(hours=1)
AUDITOR: Officer = msgspec.structs.replace(WORKER, id="a-1", role="ombudsman")


def search(cast: Cast, **asked: object) -> DisclosureSearch:
    now = cast.world.clock()
    members = {"as_receiver": True, "since": now - HOUR, "until": now + HOUR, "case_reference": None}
    return DisclosureSearch(**(members | {"cursor": None, "limit": 50} | asked))


async def listed(cast: Cast, by: str, **asked: object) -> list[str]:
    found = await list_disclosures(cast.world, cast.caller(by), search(cast, **asked))
    return [row["id"] for row in found["disclosures"]]


async def asked_thrice(cast: Cast) -> list[str]:
    await cast.open_case()
    await cast.matter(case=cast.case + "-B")
    cases = (cast.case, cast.case + "-B", cast.case)
    return [str((await cast.ask(case_reference=case))["disclosureId"]) for case in cases]


async def test_each_party_sees_its_own_side(cast: Cast) -> None:
    ids = await asked_thrice(cast)
    assert await listed(cast, cast.county) == ids
    assert await listed(cast, cast.kela, as_receiver=False) == ids
    assert await listed(cast, cast.county, as_receiver=False) == []
    assert await listed(cast, cast.kela) == []
    assert await listed(cast, cast.neighbour) == []


async def test_a_list_is_narrowed_by_case_and_time(cast: Cast) -> None:
    ids = await asked_thrice(cast)
    now = cast.world.clock()
    assert await listed(cast, cast.county, case_reference=cast.case) == [ids[0], ids[2]]
    assert await listed(cast, cast.county, case_reference="OTHER") == []
    assert await listed(cast, cast.kela, as_receiver=False, case_reference=cast.case) == []
    assert await listed(cast, cast.county, since=now, until=now + HOUR) == []
    assert await listed(cast, cast.county, since=now - HOUR, until=now - HOUR / 2) == []


async def test_pages_of_a_list_follow_one_another(cast: Cast) -> None:
    ids = await asked_thrice(cast)
    window = search(cast, limit=2)
    first = await list_disclosures(cast.world, cast.caller(cast.county), window)
    rest = msgspec.structs.replace(window, cursor=first["nextCursor"])
    second = await list_disclosures(cast.world, cast.caller(cast.county), rest)
    assert [r["id"] for r in first["disclosures"]] + [r["id"] for r in second["disclosures"]] == ids
    assert second["nextCursor"] is None
    for other, by in ((msgspec.structs.replace(rest, as_receiver=False), cast.county), (rest, cast.neighbour)):
        with pytest.raises(BadRequest, match="cursor-expired"):
            await list_disclosures(cast.world, cast.caller(by), other)


async def test_a_list_says_what_left_and_not_what_it_said(cast: Cast) -> None:
    await cast.open_case()
    answer = await cast.ask(fields=("decision.amount",))
    found = await list_disclosures(cast.world, cast.caller(cast.county), search(cast))
    (row,) = found["disclosures"]
    assert (row["role"], row["receiver"], row["discloser"]) == ("receiver", cast.county, cast.kela)
    assert (row["purpose"], row["fields"], row["caseReference"]) == (P01, ["decision.amount"], cast.case)
    assert row["receipt"] == answer["receipt"]
    assert "412.30" not in str(found)
    given = await list_disclosures(cast.world, cast.caller(cast.kela), search(cast, as_receiver=False))
    assert given["disclosures"][0]["caseReference"] is None, "the receiver's own case is not the discloser's to read"
    assert outcomes(await cast.recorded(cast.kela))[-1] == ("read", "disclosures-listed", None)


async def test_one_disclosure_is_shown_to_its_parties_only(cast: Cast) -> None:
    (first, _, _) = await asked_thrice(cast)
    for by in (cast.county, cast.kela):
        shown = await find_disclosure(cast.world, cast.caller(by), uuid.UUID(first))
        assert shown["id"] == first
        assert outcomes(await cast.recorded(by))[-1] == ("read", "disclosure-read", None)
    strangers = [(cast.neighbour, first), (cast.ombudsman, first), (cast.county, str(uuid.uuid4()))]
    for by, entry in strangers:
        with pytest.raises(BadRequest, match="not-found"):
            await find_disclosure(cast.world, cast.caller(by), uuid.UUID(entry))


async def test_a_refusal_is_no_disclosure(cast: Cast) -> None:
    await cast.open_case()
    await cast.matter(of=SIIRI, case=cast.case + "-S")
    nothing = await cast.ask(person=SIIRI, case_reference=cast.case + "-S")
    assert nothing["outcome"] == "nothing-disclosable"
    assert await listed(cast, cast.county) == []
    with pytest.raises(BadRequest, match="not-found"):
        await find_disclosure(cast.world, cast.caller(cast.county), uuid.UUID(str(nothing["disclosureId"])))


async def test_an_erasure_is_attested_by_the_receiver(cast: Cast) -> None:
    (first, _, _) = await asked_thrice(cast)
    erasure = Erasure(disclosure=uuid.UUID(first), extent="erased", purpose=None, officer=WORKER, at=cast.world.clock())
    done = await attest_erasure(cast.world, cast.call(cast.county), erasure)
    assert done.members == {"disclosureId": first, "extent": "erased"}
    leaf = (await cast.recorded())[-1]
    assert (leaf["kind"], leaf["decision"], leaf["refers"], leaf["counterparty"]) == (
        "erasure",
        "erased",
        first,
        cast.kela,
    )
    for by in (cast.kela, cast.neighbour):
        with pytest.raises(Refused, match="not-found"):
            await attest_erasure(cast.world, cast.call(by), erasure)
        refused = (await cast.recorded(by))[-1]
        assert outcomes([refused]) == [("refusal", "refuse", "party-not-entitled")]
        assert refused["refers"] == first


DOSSIER = "TSV-1"


async def session(
    cast: Cast, by: str, *, officer: Officer = AUDITOR, hours: float = 8, within: tuple[str, ...] = ()
) -> uuid.UUID:
    """A session opened under a grant of its own, which names everybody unless told otherwise."""
    await cast.register.audit_granted(system(by), within or tuple(cast.organisations), DOSSIER)
    return await opened_under(cast, by, DOSSIER, officer=officer, hours=hours)


async def opened_under(cast: Cast, by: str, dossier: str, *, officer: Officer = AUDITOR, hours: float = 8) -> uuid.UUID:
    until = cast.world.clock() + dt.timedelta(hours=hours) - dt.timedelta(seconds=1)
    asked = AuditSession(audit_purpose="supervision", dossier=dossier, officer=officer, until=until)
    done = await open_audit_session(cast.world, cast.call(by), asked)
    return uuid.UUID(str(done.members["id"]))


async def test_an_auditor_reads_an_entry_and_the_reading_is_one(cast: Cast) -> None:
    (first, _, _) = await asked_thrice(cast)
    opened = await session(cast, cast.ombudsman)
    shown = await read_entry(cast.world, cast.caller(cast.ombudsman), uuid.UUID(first), opened)
    assert shown["id"] == first
    assert shown["payload"]["officer"]["name"] == WORKER.name
    assert shown["payload"]["caseReference"] == cast.case
    assert "decision.amount" in shown["fields"]
    said = outcomes(await cast.recorded(cast.ombudsman))
    assert said == [("read", "audit-session-opened", None), ("read", "entry-read", None)]
    assert (await cast.recorded(cast.ombudsman))[-1]["refers"] == first


SIGHT = {
    "a supervisor sees all": ("ombudsman", True),
    "the receiver sees its own": ("county", True),
    "the discloser sees its own": ("kela", True),
    "nobody else sees it": ("neighbour", False),
}


@pytest.mark.parametrize("sentence", SIGHT)
async def test_who_sees_an_entry(cast: Cast, sentence: str) -> None:
    name, seen = SIGHT[sentence]
    by = getattr(cast, name)
    (first, _, _) = await asked_thrice(cast)
    opened = await session(cast, by)
    if seen:
        assert (await read_entry(cast.world, cast.caller(by), uuid.UUID(first), opened))["id"] == first
        return
    with pytest.raises(BadRequest, match="not-found"):
        await read_entry(cast.world, cast.caller(by), uuid.UUID(first), opened)
    assert outcomes(await cast.recorded(by))[-1] == ("read", "entry-read", None)


def looking(cast: Cast, opened: uuid.UUID) -> Callable[[Receipt, str, uuid.UUID], Awaitable[LedgerRow | None]]:
    """Looks at entries in one session."""

    async def look(receipt: Receipt, organisation: str, entry: uuid.UUID) -> LedgerRow | None:
        keys = InspectKeys(organisation=organisation, session=opened, entry=entry)
        return await cast.world.inspection.inspect_entry(receipt, keys)

    return look


async def test_a_suspended_supervisor_sees_nothing(cast: Cast) -> None:
    (first, _, _) = await asked_thrice(cast)
    caller = cast.caller(cast.ombudsman)
    receipt = await note_read(cast.world, caller, decision="entry-read", refers=uuid.UUID(first))
    look = looking(cast, await session(cast, cast.ombudsman))
    assert await look(receipt, cast.ombudsman, uuid.UUID(first)) is not None
    await cast.register.organisation_suspended(cast.ombudsman)
    assert await look(receipt, cast.ombudsman, uuid.UUID(first)) is None


async def test_an_entry_is_shown_against_the_reading_that_names_it(cast: Cast) -> None:
    first, second, _ = [uuid.UUID(i) for i in await asked_thrice(cast)]
    caller = cast.caller(cast.county)
    receipt = await note_read(cast.world, caller, decision="entry-read", refers=first)
    opened = await session(cast, cast.county)
    look = looking(cast, opened)
    assert await look(receipt, cast.county, first) is not None
    assert await looking(cast, uuid.uuid4())(receipt, cast.county, first) is None, "no such session"
    assert await look(receipt, cast.county, second) is None, "it names another"
    assert await look(receipt, cast.kela, first) is None, "it is another's"
    assert await look(aged(receipt, HOUR), cast.county, first) is None, "there is none of that time"
    vague = await note_read(cast.world, cast.caller(cast.county), decision="entry-read", refers=None)
    assert await look(vague, cast.county, first) is None, "it names none"
    old = await cast.register.entry_aged(receipt, dt.timedelta(seconds=31))
    assert await look(old, cast.county, first) is None, "it is too old"
    assert await look(receipt, cast.county, uuid.uuid4()) is None
    again = await note_read(cast.world, cast.caller(cast.county), decision="entry-read", refers=first)
    await cast.register.session_over(opened)
    assert await look(again, cast.county, first) is None, "the session is over"


async def test_disclosures_are_shown_against_a_reading_of_ones_own(cast: Cast) -> None:
    first = uuid.UUID((await asked_thrice(cast))[0])
    inspection, county = cast.world.inspection, cast.county
    named = await note_read(cast.world, cast.caller(county), decision="disclosure-read", refers=first)
    listed = await note_read(cast.world, cast.caller(county), decision="disclosures-listed", refers=None)
    foreign = await note_read(cast.world, cast.caller(cast.kela), decision="disclosures-listed", refers=None)
    now = cast.world.clock()
    keys = ListKeys(
        organisation=county,
        as_receiver=True,
        since=now - HOUR,
        until=now + HOUR,
        purpose=None,
        cases=None,
        after=None,
        limit=9,
    )
    assert await inspection.find_disclosure(named, county, first) is not None
    assert await inspection.find_disclosure(listed, county, first) is None, "it names none"
    assert await inspection.list_disclosures(listed, keys)
    assert await inspection.list_disclosures(named, keys) == (), "it names one"
    assert await inspection.list_disclosures(foreign, keys) == (), "it is another's"
    async with cast.world.writes.transaction() as unit:
        named = await unit.disclosure_parties(first)
        assert await unit.disclosure_parties(uuid.uuid4()) is None
    assert named is not None
    assert (named.receiver, named.discloser, named.purpose) == (county, cast.kela, P01)
    assert named.case == cast.world.vault.case_tag(month_of(now), county, cast.case)


CONFINED: dict[str, tuple[dict[str, str], bool]] = {
    "to nothing": ({}, True),
    "to the purpose": ({"purpose": P01}, True),
    "to the case": ({"case_reference": "CASE"}, True),
    "to both": ({"purpose": P01, "case_reference": "CASE"}, True),
    "to another purpose": ({"purpose": P09, "case_reference": "CASE"}, False),
    "to another case": ({"purpose": P01, "case_reference": "another"}, False),
}


@pytest.mark.parametrize("sentence", CONFINED)
async def test_a_token_shows_and_erases_what_it_is_for(cast: Cast, sentence: str) -> None:
    first, other, last = await asked_thrice(cast)
    said, inside = CONFINED[sentence]
    access = CaseAccess(**{n: cast.case if v == "CASE" else v for n, v in said.items()})

    def caller() -> Caller:
        return msgspec.structs.replace(cast.caller(cast.county), access=access)

    seen = [first, last] if access.case_reference else [first, other, last]
    listed = await list_disclosures(cast.world, caller(), search(cast))
    assert [row["id"] for row in listed["disclosures"]] == (seen if inside else [])
    erasure = Erasure(disclosure=uuid.UUID(first), extent="erased", purpose=None, officer=WORKER, at=cast.world.clock())
    if inside:
        assert (await find_disclosure(cast.world, caller(), uuid.UUID(first)))["id"] == first
        done = await attest_erasure(
            cast.world, msgspec.structs.replace(cast.call(cast.county), caller=caller()), erasure
        )
        assert done.status == 201
        return
    with pytest.raises(BadRequest, match="not-found"):
        await find_disclosure(cast.world, caller(), uuid.UUID(first))
    with pytest.raises(Refused, match="not-found"):
        await attest_erasure(cast.world, msgspec.structs.replace(cast.call(cast.county), caller=caller()), erasure)
    assert outcomes(await cast.recorded())[-1] == ("refusal", "refuse", "scope-missing")


async def test_a_page_of_one_purpose_or_case_is_no_page_of_another(cast: Cast) -> None:
    await asked_thrice(cast)
    first = await list_disclosures(cast.world, cast.caller(cast.county), search(cast, limit=1))
    for access in (CaseAccess(purpose=P01), CaseAccess(case_reference=cast.case)):
        confined = msgspec.structs.replace(cast.caller(cast.county), access=access)
        with pytest.raises(BadRequest, match="cursor-expired"):
            await list_disclosures(cast.world, confined, search(cast, limit=1, cursor=first["nextCursor"]))


SESSIONS = {
    "none at all": lambda cast, opened: (cast.ombudsman, None),
    "one that was never opened": lambda cast, opened: (cast.ombudsman, uuid.uuid4()),
    "somebody else's": lambda cast, opened: (cast.county, opened),
}


@pytest.mark.parametrize("sentence", SESSIONS)
async def test_no_entry_is_read_without_a_session(cast: Cast, sentence: str) -> None:
    (first, _, _) = await asked_thrice(cast)
    by, used = SESSIONS[sentence](cast, await session(cast, cast.ombudsman))
    with pytest.raises(Refused, match="audit-session-missing"):
        await read_entry(cast.world, cast.caller(by), uuid.UUID(first), used)
    assert outcomes(await cast.recorded(by))[-1] == ("refusal", "refuse", "audit-session-missing")


async def test_a_session_is_its_clients_and_runs_out(cast: Cast) -> None:
    opened = await session(cast, cast.ombudsman)
    stands = cast.world.inspection.audit_session_stands
    assert await stands(opened, cast.ombudsman, system(cast.ombudsman))
    assert not await stands(opened, cast.ombudsman, system(cast.county))
    assert not await stands(opened, cast.county, system(cast.ombudsman))
    await cast.register.session_over(opened)
    assert not await stands(opened, cast.ombudsman, system(cast.ombudsman))


UNGRANTED = {
    "nobody granted anything": (None, DOSSIER, 24),
    "the grant is for another dossier": ("kela", "TSV-2", 24),
    "the grant is another system's": ("county", DOSSIER, 24),
    "the grant ends before the session": ("kela", DOSSIER, 7),
}


@pytest.mark.parametrize("sentence", UNGRANTED)
async def test_no_session_opens_without_a_grant_of_its_dossier(cast: Cast, sentence: str) -> None:
    granted, dossier, hours = UNGRANTED[sentence]
    if granted is not None:
        await cast.register.audit_granted(system(getattr(cast, granted)), tuple(cast.organisations), DOSSIER, hours)
    with pytest.raises(Refused, match="party-not-entitled"):
        await opened_under(cast, cast.kela, dossier)
    assert outcomes(await cast.recorded(cast.kela))[-1] == ("refusal", "refuse", "party-not-entitled")


async def test_a_grant_that_ends_ends_its_sessions(cast: Cast) -> None:
    (first, _, _) = await asked_thrice(cast)
    opened = await session(cast, cast.ombudsman)
    caller = cast.caller(cast.ombudsman)
    receipt = await note_read(cast.world, caller, decision="entry-read", refers=uuid.UUID(first))
    look = looking(cast, opened)
    assert await look(receipt, cast.ombudsman, uuid.UUID(first)) is not None
    await cast.register.audit_ended(system(cast.ombudsman), DOSSIER)
    assert await look(receipt, cast.ombudsman, uuid.UUID(first)) is None
    with pytest.raises(Refused, match="audit-session-missing"):
        await read_entry(cast.world, cast.caller(cast.ombudsman), uuid.UUID(first), opened)
    with pytest.raises(Refused, match="party-not-entitled"):
        await opened_under(cast, cast.ombudsman, DOSSIER)


WITHIN = {
    "a supervisor sees the receiver its grant names": ("ombudsman", ("county",), True),
    "a supervisor sees the discloser its grant names": ("ombudsman", ("kela", "neighbour"), True),
    "a supervisor sees nobody else": ("ombudsman", ("neighbour",), False),
    "a grant that names another shows nothing of it": ("neighbour", ("county", "kela"), False),
    "a house sees its own within the grant": ("county", ("county",), True),
    "and nothing where the grant names another": ("county", ("neighbour",), False),
}


@pytest.mark.parametrize("sentence", WITHIN)
async def test_what_is_seen_lies_within_the_grant(cast: Cast, sentence: str) -> None:
    name, named, seen = WITHIN[sentence]
    by = getattr(cast, name)
    (first, _, _) = await asked_thrice(cast)
    opened = await session(cast, by, within=tuple(getattr(cast, each) for each in named))
    if seen:
        assert (await read_entry(cast.world, cast.caller(by), uuid.UUID(first), opened))["id"] == first
        return
    with pytest.raises(BadRequest, match="not-found"):
        await read_entry(cast.world, cast.caller(by), uuid.UUID(first), opened)


@pytest.mark.parametrize("hours", [-1, 0, 8.1])
async def test_a_session_lies_ahead_and_is_at_most_eight_hours_long(cast: Cast, hours: float) -> None:
    with pytest.raises(BadRequest, match="invalid-value"):
        await session(cast, cast.ombudsman, hours=hours)


async def test_a_session_takes_an_auditors_role_and_says_so(cast: Cast) -> None:
    with pytest.raises(Refused, match="officer-role"):
        await session(cast, cast.ombudsman, officer=WORKER)
    assert outcomes(await cast.recorded(cast.ombudsman)) == [("refusal", "refuse", "officer-role")]
