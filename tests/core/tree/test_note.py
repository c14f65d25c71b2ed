"""Notes and checkpoints: one spelling, and nothing else is one (C2SP signed-note, tlog-checkpoint)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.tree.note import (
    ED25519,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    checkpoint_text,
    key_id,
    note_text,
    read_checkpoint,
    read_note,
    read_vkey,
    vkey_text,
)

ROOT = bytes(range(32))
TEXT = checkpoint_text(Checkpoint(origin="example.com/log", size=42, root=ROOT))
ROOT64 = base64.b64encode(ROOT).decode()
SIGNED = note_text(Note(text=TEXT, signatures=(Signature(name="a", key_id=b"1234", signature=b"s" * 64),)))


def test_a_checkpoint_is_three_lines() -> None:
    assert f"example.com/log\n42\n{ROOT64}\n" == TEXT
    assert read_checkpoint(TEXT) == Checkpoint(origin="example.com/log", size=42, root=ROOT)


def test_the_specifications_own_key_is_read() -> None:
    """The verifier key of the signed-note specification's example."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = read_vkey(vkey)
    assert (key.name, key.kind, key.key_id.hex()) == ("PeterNeumann", ED25519, "c74f20a3")
    assert vkey_text(key) == vkey


NO_CHECKPOINT = {
    "an extension line": f"o\n1\n{ROOT64}\nmore\n",
    "no line feed at the end": f"o\n1\n{ROOT64}",
    "an empty origin": f"\n1\n{ROOT64}\n",
    "an origin with a space": f"o o\n1\n{ROOT64}\n",
    "an origin with a plus": f"o+o\n1\n{ROOT64}\n",
    "a size with a leading zero": f"o\n01\n{ROOT64}\n",
    "a size with a sign": f"o\n+1\n{ROOT64}\n",
    "a size in Arabic digits": f"o\n١\n{ROOT64}\n",
    "a size beyond sizes": f"o\n9223372036854775808\n{ROOT64}\n",
    "a size of many digits": f"o\n{'9' * 400}\n{ROOT64}\n",
    "a root too short": f"o\n1\n{base64.b64encode(ROOT[:31]).decode()}\n",
    "a root without padding": f"o\n1\n{ROOT64.rstrip('=')}\n",
    "a root with other last bits": f"o\n1\n{ROOT64[:-2]}9=\n",
    "a root in the other alphabet": f"o\n1\n{'_' * 42}8=\n",
    "carriage returns": f"o\r\n1\r\n{ROOT64}\r\n",
    "nothing": "",
}


@pytest.mark.parametrize("name", NO_CHECKPOINT)
def test_it_is_no_checkpoint(name: str) -> None:
    with pytest.raises(ValueError, match="not spelled"):
        read_checkpoint(NO_CHECKPOINT[name])


LINE = SIGNED.split("\n\n")[1]
NO_NOTE = {
    "no signature": TEXT + "\n",
    "no empty line": TEXT + LINE,
    "no line feed at the end": SIGNED[:-1],
    "a line after the signatures": SIGNED + "more\n",
    "a hyphen for a dash": SIGNED.replace("\u2014", "-"),
    "no name": f"{TEXT}\n\u2014  MTIzNHNzc3M=\n",
    "a signature shorter than a key id": f"{TEXT}\n\u2014 a MTI=\n",
    "a signature that is no base64": f"{TEXT}\n\u2014 a ???\n",
    "base64 with other last bits": f"{TEXT}\n\u2014 a MTIzNDV=\n",
    "a carriage return": SIGNED.replace("\n", "\r\n"),
    "a NUL": SIGNED.replace("42", "4\x002"),
    "more signatures than any has": f"{TEXT}\n{LINE * 65}",
    "a note of 100 kB": f"{'o' * 100_000}\n\n{LINE}",
    "nothing": "",
}


@pytest.mark.parametrize("name", NO_NOTE)
def test_it_is_no_note(name: str) -> None:
    with pytest.raises(ValueError, match="not spelled"):
        read_note(NO_NOTE[name])


def test_a_text_with_an_empty_line_in_it_ends_at_the_last_one() -> None:
    note = read_note(f"a\n\nb\n\n{LINE}")
    assert note.text == "a\n\nb\n"


@given(
    st.lists(
        st.builds(
            Signature,
            name=st.from_regex(r"[a-z./]{1,20}", fullmatch=True),
            key_id=st.binary(min_size=4, max_size=4),
            signature=st.binary(min_size=1, max_size=80),
        ),
        min_size=1,
        max_size=16,
    )
)
def test_what_is_written_is_read(signatures: list[Signature]) -> None:
    note = Note(text=TEXT, signatures=tuple(signatures))
    assert read_note(note_text(note)) == note


@given(st.text(alphabet="o1 \n\r\x00+=\u2014aA/", max_size=80))
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    for written_again in (lambda: note_text(read_note(text)), lambda: checkpoint_text(read_checkpoint(text))):
        try:
            found = written_again()
        except ValueError:
            continue
        assert found == text


NO_VKEY = {
    "another id": "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "an id in capitals": "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "another name": "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "no key": "PeterNeumann+c74f20a3+",
    "a key too short": "PeterNeumann+c74f20a3+ARpc",
    "a space": "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
}


@pytest.mark.parametrize("name", NO_VKEY)
def test_it_is_no_verifier_key(name: str) -> None:
    with pytest.raises(ValueError, match="not spelled"):
        read_vkey(NO_VKEY[name])


def test_a_key_id_is_of_name_type_and_key() -> None:
    ids = {key_id(name, kind, key) for name in "ab" for kind in (b"\x01", b"\x04") for key in (bytes(32), ROOT)}
    assert len(ids) == 8
    assert VerifierKey(name="a", kind=ED25519, key=ROOT).key_id in ids


def test_what_cannot_be_signed_is_not_written() -> None:
    for checkpoint in (
        Checkpoint(origin="o o", size=1, root=ROOT),
        Checkpoint(origin="o", size=-1, root=ROOT),
        Checkpoint(origin="o", size=1, root=b""),
    ):
        with pytest.raises(ValueError, match="not spelled"):
            checkpoint_text(checkpoint)
    for note in (Note(text="a", signatures=read_note(SIGNED).signatures), Note(text=TEXT, signatures=())):
        with pytest.raises(ValueError, match="not spelled"):
            note_text(note)
