"""The search for canaries finds one in every spelling a leak could take, and nothing where there is none."""

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from asks import WORKER, hetu_of
from canary import CHUNK, SURNAME, hits, hits_in_file
from live import Live

HETU = hetu_of(4711, "Y")
SPELLED = {
    "as it is": HETU.encode(),
    "in lower case": HETU.lower().encode(),
    "in UTF-16, low byte first": HETU.encode("utf-16-le"),
    "in UTF-16, high byte first": HETU.encode("utf-16-be"),
    "hexadecimal": HETU.encode().hex().encode(),
    "hexadecimal, capital, one digit before it": b"a" + HETU.encode().hex().upper().encode(),
    "base64": base64.b64encode(HETU.encode()),
    "base64, one byte in": base64.b64encode(b"x" + HETU.encode()),
    "base64, two bytes in": base64.b64encode(b"xy" + HETU.encode()),
    "base64url without padding": base64.urlsafe_b64encode(b"\xff\xfe\xfd" + HETU.encode()).rstrip(b"="),
    "base64 after a word of text": b"key" + base64.b64encode(HETU.encode()),
    "percent-encoded": "".join(f"%{byte:02X}" for byte in HETU.encode()).encode(),
    "in a query": quote(f"/v1/x?hetu={HETU}", safe="").encode(),
    "JSON-escaped": "".join(f"\\u{ord(c):04x}" for c in HETU).encode(),
    "backwards": HETU[::-1].encode(),
    "in a JSON text in a JSON text": json.dumps(json.dumps({"hetu": HETU})).encode(),
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_a_canary_is_found(spelling: str) -> None:
    canaries = frozenset({HETU.lower().encode()})
    assert hits(os.urandom(64) + b" " + SPELLED[spelling] + b" " + os.urandom(64), canaries) == canaries
    assert hits(SPELLED[spelling], frozenset({hetu_of(4712, "Y").lower().encode()})) == set()


def test_a_name_is_found_in_hexadecimal_and_across_the_pieces_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "relation"
    name = WORKER["name"].encode().hex().encode()
    file.write_bytes(b"." * (CHUNK - len(name) // 2) + name + b"." * 100)
    assert hits_in_file(file, frozenset()) == {SURNAME}
    file.write_bytes(b"\0" * 100 + os.urandom(1 << 16))
    assert hits_in_file(file, frozenset()) == set()


def test_every_person_the_tests_make_is_searched_for(live: Live) -> None:
    hetu = live.client_of_both()
    assert hetu in live.told.texts
    assert hits(f"{hetu}".encode(), frozenset({hetu.lower().encode()})) == {hetu.lower().encode()}
