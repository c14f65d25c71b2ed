"""The main job step by step: what is recorded before it is said, what a retry costs, what a page belongs to."""

import datetime as dt
import json
import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.between import between
from conformance.cast import AINO, EINO, P01, SIIRI, TAMPERE, TOLD_OF_AINO, WORKER, Cast, body_of, months, outcomes
from exchange.played import JUSTIFY, RELEASED, Played
from sauma.core.canonical import digest
from sauma.core.disclosure import Receipt
from sauma.core.errors import BadRequest, OutcomeUnknown, Unavailable
from sauma.core.evidence import Claim, base64url, unbase64url
from sauma.core.matters import BasisVersions, Form
from sauma.core.resources import REGISTRY
from sauma.exchange.append import Refused
from sauma.exchange.disclose import disclose
from sauma.exchange.inspect import DisclosureSearch, list_disclosures
from sauma.exchange.ports import Build
from sauma.exchange.rows import Missed
from worlds import Memory

# -- refusals


async def test_a_refusal_stands_in_the_ledger_before_it_is_said(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    with pytest.raises(Refused) as refused:
        await cast.ask(fields=("contact.address",))
    assert refused.value.code == "field-not-permitted"
    row = memory.tables.state.ledger[refused.value.receipt.entry]
    assert (row.leaf["kind"], row.leaf["reason"]) == ("refusal", "field-not-permitted")
    assert row.leaf_hash == refused.value.receipt.leaf_hash
    assert row.manifest == ()


class Deaf:
    """A ledger that cannot be had."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def append(self, _build: Build, _claims: tuple[Claim, ...], _basis: BasisVersions) -> Receipt | Missed:
        raise self._error


DEAF = {"cannot be reached": Unavailable("ledger-unavailable"), "does not say whether it wrote": OutcomeUnknown()}
QUESTIONS: dict[str, dict[str, object]] = {
    "a question in order": {},
    "one that is refused": {"fields": ("contact.address",)},
    "one with nothing to disclose": {"person": SIIRI, "case_reference": "S"},
}


@pytest.mark.parametrize("error", DEAF)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_without_an_entry_nothing_is_said_and_nothing_read(cast: Cast, error: str, question: str) -> None:
    await cast.open_case()
    await cast.matter(of=SIIRI, case="S")
    cast.world = msgspec.structs.replace(cast.world, ledger=Deaf(DEAF[error]))
    way = between(cast)
    with pytest.raises(type(DEAF[error])):
        await cast.ask(**QUESTIONS[question])
    assert way.receipts == []


# -- retries


async def replaced(cast: Cast, record: uuid.UUID, seen: int) -> None:
    await cast.deposit("decisions", {"amount": "9.00", "date": cast.day}, record=record, expected=seen)


async def test_a_record_that_changes_twice_under_the_reader_ends_the_attempt(cast: Cast) -> None:
    record = await cast.open_case()
    before = len(await cast.recorded())
    between(cast, reading=tuple((lambda n=n: replaced(cast, record, n)) for n in (1, 2)))
    with pytest.raises(Unavailable, match="overloaded"):
        await cast.ask(fields=("decision.amount",))
    permit, undelivered = ("disclosure", "permit", None), ("outcome", "undelivered", "superseded")
    leaves = (await cast.recorded())[before:]
    assert outcomes(leaves) == [permit, undelivered, permit, undelivered]
    assert [leaf.get("refers") for leaf in leaves[1::2]] == [leaf["id"] for leaf in leaves[::2]]


async def test_the_retry_after_a_lost_read_takes_no_second_proof(cast: Cast, memory: Memory) -> None:
    record = await cast.open_case()
    claims = len(memory.tables.state.claims)
    between(cast, reading=(lambda: replaced(cast, record, 1),))
    assert await cast.reason(fields=("decision.amount",)) == "disclosed"
    assert len(memory.tables.state.claims) == claims + 2  # the query's and the deposit's


async def test_a_moved_basis_and_a_lost_read_share_the_three_tries(cast: Cast) -> None:
    record = await cast.open_case()

    async def moves() -> None:
        await cast.register.organisation_moves(cast.kela)
        await cast.new_tokens()

    between(cast, gathered=(moves, moves), reading=(lambda: replaced(cast, record, 1),))
    with pytest.raises(Unavailable, match="overloaded"):
        await cast.ask(fields=("decision.amount",))


# -- the day is Finland's


async def test_the_window_ends_with_finlands_month(cast: Cast, memory: Memory) -> None:
    """22:30 UTC on the last of November is December in Helsinki."""
    memory.clock.moment = dt.datetime(2026, 11, 30, 22, 30, tzinfo=dt.UTC)
    await cast.deposit("persons", TOLD_OF_AINO)
    await cast.matter()
    assert await cast.reason(period=months("2026-12", "2027-01")) == "disclosed"
    assert await cast.reason(period=months("2025-12", "2026-12")) == "window-exceeded"


async def test_a_case_is_found_in_a_month_that_has_just_begun(cast: Cast, memory: Memory) -> None:
    memory.clock.moment = dt.datetime(2026, 12, 1, 0, 30, tzinfo=dt.UTC)
    await cast.open_case()
    made = str((await cast.ask())["disclosureId"])
    helsinki = dt.timezone(dt.timedelta(hours=2))
    for since in (dt.datetime(2026, 11, 5, 12, 0, tzinfo=dt.UTC), dt.datetime(2026, 12, 1, 2, 0, tzinfo=helsinki)):
        search = DisclosureSearch(
            as_receiver=True,
            since=since,
            until=memory.clock.moment + dt.timedelta(minutes=1),
            case_reference=cast.case,
            cursor=None,
            limit=50,
        )
        found = await list_disclosures(cast.world, cast.caller(cast.county), search)
        assert [row["id"] for row in found["disclosures"]] == [made]


# -- pages


async def pages(cast: Cast, **asked: object) -> list[dict[str, object]]:
    found = [await cast.ask(**asked)]
    while found[-1]["nextCursor"] is not None:
        found.append(await cast.ask(**asked, cursor=found[-1]["nextCursor"]))
    return found


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
async def test_pages_never_overlap_and_each_is_a_disclosure_of_its_own(cast: Cast, limit: int) -> None:
    await cast.open_case()
    made = {str(await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})) for _ in range(6)}
    found = await pages(cast, fields=("decision.amount",), limit=limit)
    ids = [r["id"] for page in found for r in page["records"]]
    assert len(ids) == len(set(ids)) == 7
    assert made < set(ids)
    assert [len(page["records"]) for page in found][:-1] == [limit] * (len(found) - 1)
    entries = [page["disclosureId"] for page in found]
    assert len(set(entries)) == len(entries)
    assert [leaf["id"] for leaf in await cast.recorded() if leaf["kind"] == "disclosure"] == entries


OTHER_QUESTIONS: dict[str, dict[str, object]] = {
    "another case": {"case_reference": "B"},
    "another person": {"person": EINO},
    "another purpose": {"purpose": "urgent-handling"},
    "another controller": {"controller": None},
    "another window": {"period": months("2026-11", "2026-11")},
    "other fields": {"fields": ("decision.amount", "decision.id")},
    "every released field": {"fields": None},
    "existence": {"form": Form.EXISTENCE},
    "another organisation": {"by": "neighbour"},
}


@pytest.mark.parametrize("sentence", OTHER_QUESTIONS)
async def test_a_cursor_belongs_to_its_question(cast: Cast, sentence: str) -> None:
    await cast.open_case()
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})
    asked = {"fields": ("decision.amount",), "limit": 1}
    cursor = (await cast.ask(**asked))["nextCursor"]
    before = len(await cast.recorded())
    other = dict(OTHER_QUESTIONS[sentence])
    if "by" in other:
        other["by"] = cast.neighbour
    with pytest.raises(BadRequest, match="cursor-expired"):
        await cast.ask(**(asked | other), cursor=cursor)
    with pytest.raises(BadRequest, match="cursor-expired"):
        await cast.ask(**asked, cursor=cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB"))
    assert len(await cast.recorded()) == before
    assert (await cast.ask(**(asked | {"limit": 50}), cursor=cursor))["nextCursor"] is None


async def test_a_page_is_decided_anew(cast: Cast) -> None:
    await cast.open_case()
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})
    cursor = (await cast.ask(fields=("decision.amount",), limit=1))["nextCursor"]
    await cast.matter(state="closed")
    assert await cast.reason(fields=("decision.amount",), limit=1, cursor=cursor) == "matter-closed"


# -- recorded == opened == disclosed, for random questions


@pytest.fixture(scope="module")
def played() -> Played:
    return Played()


@given(
    fields=st.none() | st.lists(st.sampled_from(RELEASED), min_size=1, max_size=20, unique=True).map(tuple),
    limit=st.integers(1, 20),
    form=st.sampled_from(Form),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_recorded_is_opened_is_disclosed(
    played: Played, fields: tuple[str, ...] | None, limit: int, form: Form
) -> None:
    necessity = {path: JUSTIFY[path] for path in fields or () if path in JUSTIFY}
    body, recorded, opened = played.ask(fields=fields, necessity=necessity, limit=limit, form=form)
    members = {(name, s.member): s.id for name, resource in REGISTRY.items() for s in resource.specs}
    disclosed = {(r["id"], members[r["resource"], member]) for r in body["records"] for member in r["fields"]}
    assert recorded == opened == disclosed
    assert bool(disclosed) == (form is Form.VALUES and body["outcome"] == "disclosed")
    if fields is not None:
        asked = {s.id for resource in REGISTRY.values() for s in resource.specs if s.path in fields}
        assert {field for _, field in disclosed} <= asked


def test_what_was_deposited_is_what_is_disclosed(played: Played) -> None:
    fields = ("person.name", "decision.reasons", "housing.actual")
    body, _, _ = played.ask(fields=fields, necessity={path: JUSTIFY[path] for path in fields if path in JUSTIFY})
    given_ = sorted(json.dumps(r["fields"]) for r in body["records"])
    expected = [{"name": "Aino Mallinen"}, {"reasons": "Perustelu"}, {"actual": "700.00"}] * 2
    assert given_ == sorted(json.dumps(row) for row in expected)


def test_a_field_never_set_is_disclosed_as_null(played: Played) -> None:
    """Presence must not leak: what was not set is sealed as null and leaves as null."""
    body, _, _ = played.ask(fields=("payment.nextDate",))
    assert [r["fields"] for r in body["records"]] == [{"nextDate": None}] * 2


# -- what the entry says, and what it does not


async def test_the_entry_can_be_explained_from_its_payload(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    query = cast.query(fields=("decision.amount",), necessity={})
    answer = body_of(await disclose(cast.world, query))
    row = memory.tables.state.ledger[uuid.UUID(str(answer["disclosureId"]))]
    entry = row.entry
    assert entry.payload is not None
    assert entry.payload_key is not None
    commitment = unbase64url(str(row.leaf["payload"]))
    payload = json.loads(cast.world.vault.open_payload(entry.id, entry.payload, entry.payload_key, commitment))
    assert payload["officer"] == {
        "kind": "person",
        "id": WORKER.id,
        "name": WORKER.name,
        "role": WORKER.role,
        "unit": WORKER.unit,
    }
    assert (payload["caseReference"], payload["fields"]) == (cast.case, ["decision.amount"])
    assert payload["agreementId"]
    assert row.leaf["request"] == base64url(digest(bytes.fromhex(payload["requestSalt"]) + query.body))
    assert row.leaf["request"] != base64url(digest(query.body))


SECRETS = (AINO.value, EINO.value, "Mallinen", "Virkailija", "w-1", "412.30", "Hervanta", TAMPERE)
DOING: dict[str, Callable[[Cast], Awaitable[object]]] = {
    "disclosures": lambda c: c.ask(),
    "public refusals": lambda c: c.reason(fields=("contact.address",)),
    "silent refusals": lambda c: c.reason(person=SIIRI, case_reference="S"),
    "matters": lambda c: c.matter(state="closed"),
    "identifier changes": lambda c: c.changed(AINO, EINO, "corrected"),
    "prior information": lambda c: c.told(by=c.county),
}


@pytest.mark.parametrize("sentence", DOING)
async def test_leaves_and_manifests_name_nobody(cast: Cast, memory: Memory, sentence: str) -> None:
    await cast.open_case()
    await cast.matter(of=SIIRI, case="S")
    await DOING[sentence](cast)
    rows = memory.tables.state.ledger.values()
    assert len(rows) > 4
    for row in rows:
        for secret in (*SECRETS, cast.case):
            for part in (row.entry.leaf, row.entry.manifest, row.entry.side, row.entry.payload or b""):
                assert secret.encode() not in part, secret


async def test_every_entry_links_to_the_one_before(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    await cast.ask()
    rows = list(memory.tables.state.ledger.values())
    assert [row.leaf["counter"] for row in rows] == list(range(len(rows)))
    assert rows[0].leaf["previous"] == base64url(bytes(32))
    assert [row.leaf["previous"] for row in rows[1:]] == [base64url(row.leaf_hash) for row in rows[:-1]]


async def test_the_answer_names_its_purpose_its_law_and_its_receipt(cast: Cast, memory: Memory) -> None:
    await cast.open_case()
    answer = await cast.ask()
    assert answer["purpose"]["id"] == P01
    assert answer["basis"]["kind"] == "statutePull"
    assert {f"{p['act']} {p['section']}" for p in answer["basis"]["provisions"]} == {
        "1412/1997 18 g",
        "703/2023 64.1",
        "703/2023 9",
    }
    row = memory.tables.state.ledger[uuid.UUID(str(answer["disclosureId"]))]
    assert row.leaf["provisions"] == ["1412/1997 18 g", "703/2023 64.1", "703/2023 9"]
    kid, signature = cast.world.vault.sign_receipt(row.entry.id, row.leaf_hash)
    assert (answer["receipt"]["kid"], answer["receipt"]["signature"]) == (kid, signature)


# -- what fails once the entry stands


async def test_a_read_that_cannot_be_had_is_said_in_the_ledger(cast: Cast) -> None:
    """The entry is committed, the gate's answer never comes: the ledger says that nothing was delivered."""
    await cast.open_case()

    async def lost() -> None:
        raise Unavailable("ledger-unavailable")

    between(cast, reading=(lost,))
    with pytest.raises(Unavailable, match="ledger-unavailable"):
        await cast.ask()
    assert outcomes(await cast.recorded(cast.county))[-2:] == [
        ("disclosure", "permit", None),
        ("outcome", "undelivered", "ledger-unavailable"),
    ]
