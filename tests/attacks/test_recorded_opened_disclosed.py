"""recorded == opened == disclosed, for random requests, each read off at a place of its own.

Recorded: the manifest of the ledger row, read as the database's superuser. Opened: the calls of the cipher, seen through
the AEAD seam. Disclosed: the members in the bytes of the answer. The encrypted payload's field list is a fourth witness.
"""

import datetime as dt
import json
import random
import uuid
from collections import Counter
from typing import Any

import pytest

from asks import KELA, P01, TAMPERE, today
from attacks.scene import Case, Scene
from sauma.core.decision import PROTECTED_PATHS, Form
from sauma.core.evidence import unbase64url
from sauma.core.matters import Months
from sauma.core.purposes import RESOURCE_OF, Cell
from sauma.core.resources import BY_FIELD_ID, REGISTRY

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = 90
Opened = Counter[tuple[int, uuid.UUID, int, int]]


def month_back(months: int) -> dt.date:
    index = today().year * 12 + today().month - 1 - months
    return dt.date(index // 12, index % 12 + 1, 1)


def deposits(draw: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """What Kela may know of one person, each member there or not."""
    day = month_back(draw.randrange(6)).isoformat()
    sums = f"{draw.randrange(1000)}.{draw.randrange(100):02d}"
    everything: list[tuple[str, dict[str, Any]]] = [
        ("households", {"type": "alone", "size": 1}),
        (
            "applications",
            {"id": "H-1", "receivedAt": day, "status": "received", "urgencyFlag": True, "meetingRequest": False},
        ),
        (
            "decisions",
            {
                "id": "P-1",
                "date": day,
                "type": "granted",
                "amount": sums,
                "reasons": 'Perustelu: ä"\\\n',
                "appeal": False,
            },
        ),
        ("decisions", {"date": day, "type": "refused"}),
        ("calculations", {"basicAmount": sums, "result": sums, "assets": [{"class": "deposit", "sum": sums}]}),
        ("calculations", {"basicAmount": sums, "healthCostDetail": [{"class": "medicine", "sum": sums}]}),
        ("housing-costs", {"actual": sums, "accepted": sums, "evictionRisk": True}),
        ("payments", {"date": day, "amount": sums, "nextDate": day, "payeeType": "client", "workerUnit": "Kela"}),
        ("reductions", {"percent": 20}),
        ("recoveries", {"order": True, "amount": sums}),
    ]
    return [
        (name, {m: v for m, v in fields.items() if draw.random() < 0.9})
        for name, fields in everything
        if draw.random() < 0.8
    ]


async def populated(scene: Scene, draw: random.Random) -> tuple[list[Case], dict[uuid.UUID, dict[str, Any]]]:
    """Eight persons, every third protected, some with a protected spouse in their records; and what was deposited."""
    cases, stated = list[Case](), dict[uuid.UUID, dict[str, Any]]()
    protected = scene.person()
    await scene.put(protected, "persons", {"turvakielto": True, "homeMunicipality": TAMPERE})
    for number in range(8):
        person = scene.person()
        own = {
            "hetu": person.value,
            "name": f"Nimi {number}",
            "homeMunicipality": TAMPERE,
            "turvakielto": number % 3 == 0,
            "contactPhone": "+35840123456",
        }
        for resource, fields in [("persons", own), *deposits(draw)]:
            others = (protected,) if draw.random() < 0.2 else ()
            record = await scene.put(person, resource, fields, others=others)
            stated[record] = fields
            if draw.random() < 0.2:
                await scene.put(person, resource, fields, others=others, record=record, expected=1)
        cases.append(Case(person, await scene.matter(person), {}))
    return cases, stated


def request(scene: Scene, draw: random.Random) -> dict[str, Any]:
    """A lawful question: every released field or some fields with their necessity; a window; a page size."""
    cells = {
        p: c
        for p, c in scene.world.catalogue.purposes[P01].cells.items()
        if p in RESOURCE_OF or p.startswith("worker.")
    }
    asked = None if draw.random() < 0.3 else tuple(draw.sample(sorted(cells), draw.randrange(1, 12)))
    necessity = {}
    for path in asked or ():
        if cells[path] is Cell.OPTIONAL:
            codes = scene.world.catalogue.codes["necessity"]
            necessity[path] = next(name for name, code in codes.items() if path in code.fields)
    first = draw.randrange(6)
    return {
        "fields": asked,
        "necessity": necessity,
        "form": draw.choice([Form.VALUES, Form.VALUES, Form.VALUES, Form.EXISTENCE]),
        "period": Months(first=month_back(first), last=month_back(draw.randrange(first + 1))),
        "limit": draw.choice([1, 3, 50]),
    }


def recorded(row: Any) -> Opened:
    """What the ledger row's manifest says may leave."""
    rows = json.loads(row["manifest"])
    return Counter(
        (REGISTRY[resource].table, uuid.UUID(record), revision, field)
        for resource, record, revision, _, fields, _ in rows
        for field in fields
    )


def disclosed(body: dict[str, Any]) -> Opened:
    """What the answer's bytes hold."""
    found: Opened = Counter()
    for record in body["records"]:
        resource = REGISTRY[record["resource"]]
        ids = {spec.member: spec.id for spec in resource.specs}
        found.update(
            (resource.table, uuid.UUID(record["id"]), record["revision"], ids[member]) for member in record["fields"]
        )
    return found


async def payload(scene: Scene, row: Any) -> dict[str, Any]:
    commitment = unbase64url(json.loads(row["leaf"])["payload"])
    return dict(json.loads(scene.world.vault.open_payload(row["id"], row["payload"], row["payload_key"], commitment)))


def paths(fields: Opened) -> set[str]:
    return {BY_FIELD_ID[field][1].path for _, _, _, field in fields}


async def test_recorded_is_opened_is_disclosed(scene: Scene) -> None:
    draw = random.Random("sauma")  # noqa: S311  # seeded, so that a failure repeats
    cases, stated = await populated(scene, draw)
    assert len(stated) >= 30
    [guarded] = await scene.sql(
        "select array_agg(r.id) as ids from exchange.record r join exchange.subject s on s.id = r.subject where s.protected"
    )
    outcomes, fields_seen, values = Counter[str](), set[str](), 0
    for _ in range(REQUESTS):
        asked, case, cursor = request(scene, draw), draw.choice(cases), ""
        while cursor is not None:
            scene.watch.opened.clear()
            answer = await scene.disclose(case, **asked, cursor=cursor or None)
            opened = scene.watch.opened.copy()
            body, row = json.loads(answer.body), await scene.entry(answer.receipt.entry)
            assert recorded(row) == opened == disclosed(body)
            assert all(times == 1 for times in opened.values())
            outcomes[f"{asked['form'].value} {body['outcome']}"] += 1
            fields_seen |= paths(opened)
            said = await payload(scene, row)
            assert set(said["fields"] or ()) == paths(opened)
            if asked["fields"] is not None:
                assert paths(opened) <= set(asked["fields"])
            assert not paths(Counter(place for place in opened if place[1] in guarded["ids"])) & PROTECTED_PATHS
            if body["outcome"] == "nothing-disclosable":
                assert (row["kind"], json.loads(row["manifest"]), opened) == ("refusal", [], Counter())
            if asked["form"] is Form.EXISTENCE and body["outcome"] == "disclosed":
                named = {(r, i) for r, i, *_ in json.loads(row["manifest"])}
                [months] = await scene.sql(
                    "select array_agg(distinct array[resource, month]) as at from exchange.record where id::text = any ($1)",
                    [i for _, i in named],
                )
                assert {(line["resource"], line["month"]) for line in body["existence"]} == {
                    tuple(at) for at in months["at"]
                }
                assert all(line["exists"] is True for line in body["existence"])
            for record in body["records"]:
                for member, value in record["fields"].items():
                    assert value == stated[uuid.UUID(record["id"])].get(member)
                    values += 1
            cursor = body["nextCursor"]
    assert outcomes["values disclosed"] > 30
    assert outcomes["existence disclosed"] > 5
    assert outcomes["values nothing-disclosable"] > 0
    assert len(fields_seen) > 25
    assert values > 500


async def test_the_watch_would_see_one_field_too_many(scene: Scene) -> None:
    """The control: a server that opens a field the entry does not name differs at exactly that place."""
    case = await scene.case()
    answer = await scene.disclose(case, fields=("decision.amount",))
    row = await scene.entry(answer.receipt.entry)
    scene.watch.opened.clear()
    async with scene.server() as connection:
        given = await connection.fetchrow("select * from api.read($1, $2)", row["id"], row["recorded_at"])
    [quoted] = json.loads(row["manifest"])
    assert (given["resource"], given["class"]) == (["decisions"], ["ordinary"])
    assert quoted[4] == [405]
    assert disclosed(json.loads(answer.body)) == recorded(row) == Counter([(4, case.records["decisions"], 1, 405)])


async def test_everyone_whose_data_leave_is_tagged(scene: Scene) -> None:
    """The subject first, then each other person named in the records that leave; four or more stand in the side tags."""
    for count in (0, 1, 2, 3, 7):
        others = tuple(scene.person() for _ in range(count))
        case = await scene.case(others=others)
        row = await scene.entry((await scene.disclose(case)).receipt.entry)
        month = row["recorded_at"].strftime("%Y-%m")
        vault = scene.world.vault
        expected = [vault.subject_tag(month, vault.person_seed(person)) for person in (case.person, *others)]
        assert row["subject_tag"] == expected[0]
        assert set(row["subject_tags"]) == set(expected)
        assert (len(row["side"]) > 0) == (count + 1 > 3)
    assert row["counterparty"] == KELA
