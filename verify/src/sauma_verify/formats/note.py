"""Signed notes, verifier keys and checkpoints, parsed strictly (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

One text has one meaning: base64 in its only spelling, decimal numbers without leading zeros, no control characters.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sauma_verify.tree import HASH

ED25519, COSIGNATURE = 0x01, 0x04
KEY_LENGTH = 32
SIGNATURE_LENGTH = 64
ID_LENGTH = 4
TIME_LENGTH = 8
LARGEST_NOTE = 1 << 20
MOST_SIGNATURES = 100
LINES_OF_A_CHECKPOINT = 3

_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class Malformed(ValueError):  # noqa: N818  # a state of what was read, no programming error
    """Not what its format says; the argument is the reason's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A verifier key: `key_id` (4 bytes) is derived from name, algorithm and public key, never taken on trust."""

    name: str
    key_id: bytes
    algorithm: int
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: whose it says it is, and the bytes after the key id."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note's text with its final newline, and its signature lines."""

    text: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: origin, number of leaves, root (32 bytes), and the note it was read from."""

    origin: str
    size: int
    root: bytes
    note: Note


def strict_base64(text: str) -> bytes:
    """The bytes of base64 in the one spelling they have.

    Raises:
        Malformed: not base64, or spelled another way.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("base64") from None
    if base64.b64encode(value).decode() != text:
        raise Malformed("base64")
    return value


def strict_number(text: str) -> int:
    """A decimal number without sign and leading zeros, below 2^63.

    Raises:
        Malformed: anything else.
    """
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
        raise Malformed("number")
    return int(text)


def parse_key(text: str) -> Key:
    """A verifier key `name+id+base64(algorithm ‖ public key)`, Ed25519 of a log or of a witness.

    Raises:
        Malformed: not such a key, or its id is not its own.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise Malformed("vkey")
    name, key_id, encoded = match[1], bytes.fromhex(match[2]), strict_base64(match[3])
    algorithm, public = encoded[0], encoded[1:]
    if algorithm not in {ED25519, COSIGNATURE} or len(public) != KEY_LENGTH:
        raise Malformed("vkey-algorithm")
    if hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:ID_LENGTH] != key_id:
        raise Malformed("vkey-id")
    return Key(name=name, key_id=key_id, algorithm=algorithm, public=public)


def parse_note(raw: bytes) -> Note:
    """A signed note; the text ends at the last empty line.

    Raises:
        Malformed: control characters, no UTF-8, no or too many signatures, a line that is no signature.
    """
    if len(raw) > LARGEST_NOTE:
        raise Malformed("note-size")
    if _CONTROL.search(raw):
        raise Malformed("note-control")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise Malformed("note-utf8") from None
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n"):
        raise Malformed("note-shape")
    signed = lines[:-1].split("\n")
    if len(signed) > MOST_SIGNATURES:
        raise Malformed("note-signatures")
    return Note(text=(text + "\n").encode(), signatures=tuple(_signature(line) for line in signed))


def parse_checkpoint(raw: bytes) -> Checkpoint:
    """A checkpoint of exactly origin, size and root: lines beyond these nobody audits, and Sauma writes none.

    Raises:
        Malformed: not such a note.
    """
    note = parse_note(raw)
    lines = note.text.decode()[:-1].split("\n")
    if len(lines) != LINES_OF_A_CHECKPOINT or not lines[0]:
        raise Malformed("checkpoint-lines")
    root = strict_base64(lines[2])
    if len(root) != HASH:
        raise Malformed("checkpoint-root")
    return Checkpoint(origin=lines[0], size=strict_number(lines[1]), root=root, note=note)


def signers(note: Note, keys: tuple[Key, ...]) -> frozenset[Key]:
    """Which of the keys signed the note; lines of unknown keys are passed over.

    Raises:
        Malformed: a known key's signature is false or stands twice.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: set[Key] = set()
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if key in found:
            raise Malformed("signature-twice")
        if not _holds(key, line.value, note.text):
            raise Malformed("signature-false")
        found.add(key)
    return frozenset(found)


def signed_checkpoint(raw: bytes, key: Key) -> Checkpoint:
    """A checkpoint this log key signed, of the origin the key is named for.

    Raises:
        Malformed: not one, or not signed by the key.
    """
    head = parse_checkpoint(raw)
    if key.algorithm != ED25519 or key not in signers(head.note, (key,)):
        raise Malformed("signature-missing")
    if head.origin != key.name:
        raise Malformed("origin")
    return head


def _signature(line: str) -> Signature:
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("note-signature-line")
    value = strict_base64(match[2])
    if len(value) <= ID_LENGTH:
        raise Malformed("note-signature-line")
    return Signature(name=match[1], key_id=value[:ID_LENGTH], value=value[ID_LENGTH:])


def _holds(key: Key, value: bytes, text: bytes) -> bool:
    if key.algorithm == COSIGNATURE:
        time, value = int.from_bytes(value[:TIME_LENGTH]), value[TIME_LENGTH:]
        text = f"cosignature/v1\ntime {time}\n".encode() + text
    if len(value) != SIGNATURE_LENGTH:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(value, text)
    except InvalidSignature:
        return False
    return True
