"""T17: the frozen groups are what we write, what we read, and what a reader written from the page alone reads."""

import json
import uuid
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from sauma.core.errors import SealError
from sauma.core.fields import Sensitivity
from sauma.vault.datakeys import DataKey
from sauma.vault.keys import Secret
from sauma.vault.seal import Place, open_group, seal_group
from vault.sg1_reader import read

VECTORS = Path(__file__).parents[1] / "vectors" / "sg1"
VALID = json.loads((VECTORS / "valid.json").read_text(encoding="utf-8"))
REFUSED = json.loads((VECTORS / "refused.json").read_text(encoding="utf-8"))
READER = Path(__file__).with_name("sg1_reader.py").read_text(encoding="utf-8")


def place_of(case: dict) -> Place:
    place = case["place"]
    return Place(
        controller=place["controller"],
        subject=uuid.UUID(place["subject"]),
        record=uuid.UUID(place["record"]),
        table=place["table"],
        sensitivity=Sensitivity(place["class"]),
        schema_version=place["schemaVersion"],
        revision=place["revision"],
    )


def key_of(case: dict) -> DataKey:
    return DataKey(id=bytes.fromhex(case["place"]["dataKeyId"]), secret=Secret(bytes.fromhex(case["dataKey"])))


def values_of(case: dict) -> dict[int, bytes]:
    return {int(field): text.encode() for field, text in case["values"].items()}


@pytest.mark.parametrize("sentence", VALID)
def test_a_frozen_group_is_written_and_read_bit_for_bit(sentence: str) -> None:
    case = VALID[sentence]
    sealed, values = bytes.fromhex(case["sealed"]), values_of(case)
    assert seal_group(place_of(case), key_of(case), values, salt=bytes.fromhex(case["salt"])) == sealed
    assert open_group(sealed, place_of(case), key_of(case), frozenset(values)) == values


@pytest.mark.parametrize("sentence", VALID)
def test_the_second_reader_reads_a_frozen_group(sentence: str) -> None:
    case = VALID[sentence]
    assert read(bytes.fromhex(case["sealed"]), case["place"], bytes.fromhex(case["dataKey"])) == values_of(case)


@pytest.mark.parametrize("sentence", REFUSED["refused"])
def test_both_readers_refuse(sentence: str) -> None:
    case, sealed = VALID[REFUSED["of"]], bytes.fromhex(REFUSED["refused"][sentence])
    with pytest.raises(SealError):
        open_group(sealed, place_of(case), key_of(case), frozenset(values_of(case)))
    with pytest.raises((AssertionError, InvalidTag, LookupError)):
        read(sealed, case["place"], bytes.fromhex(case["dataKey"]))


def test_the_second_reader_stays_independent_and_short() -> None:
    assert "import sauma" not in READER
    assert "from sauma" not in READER
    assert len(READER.splitlines()) <= 60
