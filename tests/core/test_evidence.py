"""The bytes of an entry: pinned, canonical, within their limits whatever the catalogue holds."""

import base64
import datetime as dt
import hashlib
import itertools
import json
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.questions import CATALOGUE
from sauma.core.canonical import canonical_bytes
from sauma.core.evidence import (
    LEAF_LIMIT,
    MANIFEST_LIMIT,
    TAGS_IN_LEAF,
    EventKind,
    LedgerEvent,
    ManifestRow,
    Position,
    base64url,
    leaf_bytes,
    leaf_hash,
    manifest_bytes,
    side_bytes,
    unbase64url,
)
from sauma.core.parties import Assurance
from sauma.core.problems import Reason
from sauma.core.resources import REGISTRY

ENTRY, WRITER, RECORD = (uuid.UUID(f"019a0000-0000-7000-8000-00000000000{n}") for n in (1, 2, 3))
AT = dt.datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=dt.UTC)
POSITION = Position(writer=WRITER, counter=7, previous=bytes(32))
ROW = ManifestRow("decisions", RECORD, 3, "ordinary", (401, 405), bytes(32))
EVENT = LedgerEvent(
    id=ENTRY,
    at=AT,
    kind=EventKind.DISCLOSURE,
    organisation="3221308-6",
    client="pirha-casework",
    counterparty="0246246-0",
    purpose="county-benefit-case",
    provisions=("1412/1997 18 g", "703/2023 64.1"),
    decision="permit",
    subjects=(b"\xff" * 16,),
    officer=b"o" * 16,
    case=b"c" * 16,
    manifest=(ROW,),
    payload=b"p" * 32,
    request=b"r" * 32,
    assertion=b"a" * 32,
    catalogue=b"k" * 32,
)
PINNED = (
    b'{"assertion":"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE","at":"2026-11-22T12:00:00.000001Z"'
    b',"case":"Y2NjY2NjY2NjY2NjY2NjYw","catalogue":"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"'
    b',"client":"pirha-casework","counter":7,"counterparty":"0246246-0","decision":"permit"'
    b',"id":"019a0000-0000-7000-8000-000000000001","kind":"disclosure"'
    b',"manifest":"%s","officer":"b29vb29vb29vb29vb29vbw","organisation":"3221308-6"'
    b',"payload":"cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA"'
    b',"previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"'
    b',"provisions":["1412/1997 18 g","703/2023 64.1"],"purpose":"county-benefit-case"'
    b',"request":"cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI","subjects":["_____________________w"],"v":1'
    b',"writer":"019a0000-0000-7000-8000-000000000002"}'
)
PINNED_MANIFEST = (
    b'[["decisions","019a0000-0000-7000-8000-000000000003",3,"ordinary",[401,405],'
    b'"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]]'
)


def leaf_of(event: LedgerEvent, position: Position = POSITION) -> bytes:
    return leaf_bytes(event, position, manifest_bytes(event.manifest), side_bytes(event))


def test_the_bytes_are_pinned() -> None:
    assert manifest_bytes((ROW,)) == PINNED_MANIFEST
    digest = base64.urlsafe_b64encode(hashlib.sha256(PINNED_MANIFEST).digest()).rstrip(b"=")
    assert leaf_of(EVENT) == PINNED % digest
    assert leaf_hash(b"leaf") == hashlib.sha256(b"\x00leaf").digest()


def test_a_leaf_is_canonical_and_leaves_out_what_does_not_apply() -> None:
    bare = LedgerEvent(id=ENTRY, at=AT, kind=EventKind.WRITER, organisation=None, client=None)
    assert json.loads(leaf_of(bare)).keys() == {"v", "id", "at", "kind", "writer", "counter", "previous"}
    for event in (EVENT, bare):
        leaf = leaf_of(event)
        assert leaf == canonical_bytes(json.loads(leaf))
    assert "manifest" not in json.loads(leaf_of(msgspec.structs.replace(EVENT, manifest=())))


MEMBERS = {
    "organisation": "0000000-0",
    "client": "x",
    "supplier": "0000000-0",
    "counterparty": "0000000-0",
    "purpose": "x",
    "provisions": ("x",),
    "consent": WRITER,
    "decision": "x",
    "reason": "x",
    "subjects": (b"x" * 16,),
    "officer": b"x" * 16,
    "assurance": "x",
    "case": b"x" * 16,
    "manifest": (msgspec.structs.replace(ROW, fields=(401,)),),
    "payload": b"x" * 32,
    "request": b"x" * 32,
    "assertion": b"x" * 32,
    "catalogue": b"x" * 32,
    "refers": WRITER,
    "id": WRITER,
    "at": AT + dt.timedelta(microseconds=1),
    "kind": EventKind.READ,
}


def test_every_member_of_an_event_is_in_its_leaf() -> None:
    assert set(MEMBERS) == set(LedgerEvent.__struct_fields__)
    leaves = {leaf_of(msgspec.structs.replace(EVENT, **{name: value})) for name, value in MEMBERS.items()}
    assert len(leaves | {leaf_of(EVENT)}) == len(MEMBERS) + 1


@pytest.mark.parametrize(
    "position",
    [
        Position(writer=ENTRY, counter=7, previous=bytes(32)),
        Position(writer=WRITER, counter=8, previous=bytes(32)),
        Position(writer=WRITER, counter=7, previous=b"x" * 32),
    ],
)
def test_a_leaf_says_where_its_writer_stands(position: Position) -> None:
    assert leaf_of(EVENT, position) != leaf_of(EVENT)


@pytest.mark.parametrize("persons", [0, 1, 3, 4, 40])
def test_more_than_three_persons_stand_beside_the_leaf_that_commits_to_them(persons: int) -> None:
    tags = tuple(bytes([n]) * 16 for n in range(persons))
    event = msgspec.structs.replace(EVENT, subjects=tags)
    leaf = json.loads(leaf_of(event))
    assert TAGS_IN_LEAF == 3
    if persons > 3:
        assert side_bytes(event) == b"".join(tags)
        assert leaf["side"] == base64url(hashlib.sha256(b"".join(tags)).digest())
        assert "subjects" not in leaf
        return
    assert side_bytes(event) == b""
    assert leaf.get("subjects", []) == [base64url(t) for t in tags]
    assert "side" not in leaf


# -- limits

LONGEST_CLIENT = "c" * 32  # registry.client, migrations/0010_access.sql
LONGEST_ASSURANCE = max((a.value for a in Assurance), key=len)
LAST = uuid.UUID(int=2**128 - 1)
FAR = Position(writer=LAST, counter=2**53 - 1, previous=b"\xff" * 32)
DAYS = [
    day for p in CATALOGUE.purposes.values() for q in p.provisions for day in (q.in_force_from, q.in_force_until) if day
]


def longest(number: str, **members: object) -> int:
    """The longest leaf any day's provisions of a purpose and any number of persons can make."""
    purpose = next(p for p in CATALOGUE.purposes.values() if p.number == number)
    lengths = []
    for day, persons in itertools.product({*DAYS}, range(TAGS_IN_LEAF + 2)):
        cited = tuple(f"{p.act} {p.section}" for p in purpose.provisions_in_force(day))
        event = msgspec.structs.replace(
            EVENT,
            client=LONGEST_CLIENT,
            supplier="0246246-0",
            assurance=LONGEST_ASSURANCE,
            purpose=purpose.id,
            provisions=cited,
            subjects=tuple(bytes([n]) * 16 for n in range(persons)),
            **members,
        )
        lengths.append(len(leaf_of(event, FAR)))
    return max(lengths)


NUMBERS = [p.number for p in CATALOGUE.purposes.values()]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_disclosure_under_any_purpose_fits_into_its_leaf(number: str) -> None:
    assert longest(number) <= LEAF_LIMIT


@pytest.mark.parametrize("number", NUMBERS)
def test_a_disclosure_that_rests_on_a_consent_fits_too(number: str) -> None:
    assert longest(number, consent=uuid.UUID(int=2**128 - 1)) <= LEAF_LIMIT


@pytest.mark.parametrize("number", NUMBERS)
def test_a_refusal_under_any_purpose_fits_into_its_leaf(number: str) -> None:
    reason = max((r.value for r in Reason), key=len)
    assert longest(number, kind=EventKind.REFUSAL, decision="refuse", reason=reason, manifest=()) <= LEAF_LIMIT


def test_a_leaf_beyond_its_limit_is_not_made() -> None:
    with pytest.raises(ValueError, match="larger than its limit"):
        leaf_of(msgspec.structs.replace(EVENT, provisions=("1412/1997 18 g",) * 60))


def test_a_hundred_records_with_every_field_fit_into_a_manifest() -> None:
    for name, resource in REGISTRY.items():
        classes = {s.sensitivity.value: () for s in resource.specs}
        for spec in resource.specs:
            classes[spec.sensitivity.value] += (spec.id,)
        rows = tuple(
            ManifestRow(name, LAST, 2**31 - 1, sensitivity, fields, b"\xff" * 32)
            for sensitivity, fields in classes.items()
        )
        assert len(manifest_bytes(rows * 100)) <= MANIFEST_LIMIT, name


def test_a_manifest_beyond_its_limit_is_not_made() -> None:
    with pytest.raises(ValueError, match="larger than its limit"):
        manifest_bytes((ROW,) * 700)


@given(st.binary(max_size=70))
def test_base64url_comes_back_without_padding(value: bytes) -> None:
    text = base64url(value)
    assert not text.endswith("=")
    assert unbase64url(text) == value
