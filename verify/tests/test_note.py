"""Notes, keys and checkpoints: what is one, and what an attacker would rather have taken for one (attack 41)."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma_verify.formats.note import Malformed, parse_checkpoint, parse_key, parse_note, signed_checkpoint, signers
from tiny_log import ORIGIN, Signer, b64, note

LOG, WITNESS = Signer(), Signer(name="witness.example/w1", kind=4)
KEY, WITNESS_KEY = parse_key(LOG.vkey), parse_key(WITNESS.vkey)
ROOT = b64(bytes(range(32)))
TEXT = f"{ORIGIN}\n7\n{ROOT}\n"
GOOD = note(TEXT, LOG)
LINE = LOG.line(TEXT)


def test_a_checkpoint_signed_by_the_log() -> None:
    head = signed_checkpoint(GOOD.encode(), KEY)
    assert (head.origin, head.size, head.root) == (ORIGIN, 7, bytes(range(32)))


def test_a_witness_signs_with_its_time() -> None:
    both = parse_note(note(TEXT, LOG, WITNESS).encode())
    assert signers(both, (KEY, WITNESS_KEY)) == {KEY, WITNESS_KEY}


def with_text(text: str) -> Callable[[], str]:
    return lambda: note(text, LOG)


MALFORMED: dict[str, Callable[[], str | bytes]] = {
    "empty": lambda: "",
    "two blank lines before the signature": lambda: GOOD.replace("\n\n", "\n\n\n"),
    "two blank lines, signed so": with_text(TEXT + "\n"),
    "no blank line": lambda: GOOD.replace("\n\n", "\n"),
    "no signature": lambda: TEXT + "\n",
    "carriage returns": lambda: GOOD.replace("\n", "\r\n"),
    "a tab": lambda: GOOD.replace("— ", "—\t"),
    "a NUL": with_text(TEXT.replace("7", "7\x00")),
    "no final newline": lambda: GOOD[:-1],
    "a blank line at the end": lambda: GOOD + "\n",
    "not UTF-8": lambda: GOOD.encode().replace("—".encode(), b"\xff"),
    "a hyphen for the dash": lambda: GOOD.replace("—", "-"),
    "two spaces": lambda: GOOD.replace("— ", "—  "),
    "the signature twice": lambda: GOOD + LINE,
    "101 signatures": lambda: GOOD + "".join(Signer(name=f"w{n}.example").line(TEXT) for n in range(100)),
    "a signature of 4 bytes": lambda: GOOD + f"— other.example {b64(b'1234')}\n",
    "a signature cut short": lambda: TEXT + f"\n— {ORIGIN} {b64(LOG.key_id + b'1')}\n",
    "base64 with bits nobody reads": with_text(TEXT.replace("Hh8=", "Hh9=")),
    "base64 without padding": lambda: GOOD.rstrip("=\n") + "\n",
    "url-safe base64": with_text(TEXT.replace(ROOT, base64.urlsafe_b64encode(b"\xfb" * 32).decode())),
    "a leading zero": with_text(TEXT.replace("\n7\n", "\n07\n")),
    "a plus sign": with_text(TEXT.replace("\n7\n", "\n+7\n")),
    "a minus sign": with_text(TEXT.replace("\n7\n", "\n-7\n")),
    "a space in the number": with_text(TEXT.replace("\n7\n", "\n 7\n")),
    "digits of another script": with_text(TEXT.replace("\n7\n", "\n٧\n")),
    "an underscore in the number": with_text(TEXT.replace("\n7\n", "\n1_0\n")),
    "a size of 2^63": with_text(TEXT.replace("\n7\n", f"\n{1 << 63}\n")),
    "a huge size": with_text(TEXT.replace("\n7\n", "\n" + "9" * 5000 + "\n")),
    "a root of 31 bytes": with_text(TEXT.replace(ROOT, b64(bytes(31)))),
    "no root": with_text(f"{ORIGIN}\n7\n"),
    "an extension line": with_text(TEXT + "a line nobody audits\n"),
    "another origin": with_text(TEXT.replace(ORIGIN, "other.example/v1/ledger")),
    "another size": lambda: GOOD.replace("\n7\n", "\n8\n"),
    "signed by another key of the name": lambda: note(TEXT, Signer()),
    "signed under another name": lambda: note(TEXT, Signer(name="other.example", private=LOG.private)),
    "larger than any note": lambda: GOOD + "— o.example " + "A" * (1 << 20) + "\n",
}


@pytest.mark.parametrize("said", MALFORMED)
def test_is_refused(said: str) -> None:
    raw = MALFORMED[said]()
    assert raw != GOOD, "the row changes nothing"
    with pytest.raises(Malformed):
        signed_checkpoint(raw if isinstance(raw, bytes) else raw.encode(), KEY)


def test_seventeen_signatures_are_no_reason_to_refuse() -> None:
    others = "".join(Signer(name=f"w{number}.example").line(TEXT) for number in range(16))
    assert signed_checkpoint((GOOD + others).encode(), KEY).size == 7


def test_unknown_keys_are_passed_over_even_under_the_known_name() -> None:
    stranger = Signer()
    assert signed_checkpoint((GOOD + stranger.line(TEXT)).encode(), KEY).size == 7


def test_a_false_signature_of_a_known_key_spoils_the_whole_note() -> None:
    spoiled = note(TEXT, LOG) + WITNESS.line("another text\n")
    with pytest.raises(Malformed, match="signature-false"):
        signers(parse_note(spoiled.encode()), (KEY, WITNESS_KEY))


@pytest.mark.parametrize("control", ["\x00", "\t", "\r", "\x1f"])
def test_no_note_holds_a_control_character(control: str) -> None:
    with pytest.raises(Malformed, match="note-control"):
        parse_note(note(f"any{control}text\n", LOG).encode())


def test_a_witness_key_is_no_log_key() -> None:
    own = Signer(kind=4)
    with pytest.raises(Malformed, match="signature-missing"):
        signed_checkpoint(note(TEXT, own).encode(), parse_key(own.vkey))


VKEYS = {
    "empty": "",
    "another id": LOG.vkey.replace(LOG.key_id.hex(), "00000000"),
    "another name": "x" + LOG.vkey,
    "ML-DSA, which this verifier does not know": Signer(kind=6).vkey,
    "31 bytes": f"a+00000000+{b64(bytes(32))}",
    "no key": f"a+00000000+{b64(b'1')}",
    "a space": LOG.vkey.replace("+", " +", 1),
}


@pytest.mark.parametrize("said", VKEYS)
def test_is_no_verifier_key(said: str) -> None:
    with pytest.raises(Malformed):
        parse_key(VKEYS[said])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_checkpoint_or_malformed(raw: bytes) -> None:
    try:
        head = parse_checkpoint(raw)
    except Malformed:
        return
    assert head.note.text + b"\n" == raw[: len(head.note.text) + 1]


@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(1, 255))
def test_no_byte_of_a_signed_checkpoint_can_be_another(at: int, flip: int) -> None:
    raw = bytearray(GOOD.encode())
    raw[at] ^= flip
    with pytest.raises(Malformed):
        signed_checkpoint(bytes(raw), KEY)


@given(st.lists(st.sampled_from([TEXT, LINE, "\n", "\n\n", "— ", ORIGIN, "7\n", "\r", ROOT, "é"]), max_size=12))
def test_pieces_of_a_note_in_any_order_say_nothing_the_log_did_not_sign(pieces: list[str]) -> None:
    try:
        head = signed_checkpoint("".join(pieces).encode(), KEY)
    except Malformed:
        return
    assert head.note.text == TEXT.encode()
