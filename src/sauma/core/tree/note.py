"""Signed notes and checkpoints as C2SP spells them: the only form in which a head of the tree leaves the house.

A checkpoint is three lines, origin, size and root, with no extension: what no monitor could audit stands in entries.
A note is a text, an empty line and signature lines; which keys are known is the reader's, who checks theirs.
"""

import base64
import binascii
import hashlib
import re

import msgspec

ED25519 = b"\x01"
"""The signature type of an Ed25519 key (C2SP signed-note)."""
COSIGNATURE = b"\x04"
"""The signature type of a witness's timestamped Ed25519 key (C2SP tlog-cosignature)."""

LARGEST_SIZE = 2**63 - 1
SIGNATURES = 64
"""More signature lines than this no note of ours has, nor a witness's."""

_ROOT_LENGTH = 32
_KEY_LENGTH = 32
_ID_LENGTH = 4
_LIMIT = 65_536
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_LINE = re.compile(r"\u2014 ([^ \n]+) ([A-Za-z0-9+/]+={0,2})")
_VKEY = re.compile(r"([^ +\n]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One head of the tree (C2SP tlog-checkpoint): whose, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature line: the key's name, the first four bytes of its id, and what it signed with."""

    name: str
    key_id: bytes
    signature: bytes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A signed text; `text` ends with its line feed and is what was signed."""

    text: str
    signatures: tuple[Signature, ...]


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key as a policy names it: `kind` is its signature type, one byte."""

    name: str
    kind: bytes
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes a signature line names it by."""
        return key_id(self.name, self.kind, self.key)


def key_id(name: str, kind: bytes, key: bytes) -> bytes:
    """The first four bytes of SHA-256 over name, line feed, type and key (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + key).digest()[:_ID_LENGTH]


def vkey_text(key: VerifierKey) -> str:
    """`<name>+<id in hexadecimal>+<base64 of type and key>`."""
    return f"{key.name}+{key.key_id.hex()}+{base64.b64encode(key.kind + key.key).decode()}"


def read_vkey(text: str) -> VerifierKey:
    """A verifier key from its text.

    Raises:
        ValueError: not one, or its id is not that of its key.
    """
    found = _VKEY.fullmatch(text)
    packed = _unbase64(found[3]) if found else b""
    if found is None or len(packed) != 1 + _KEY_LENGTH or _NAME.fullmatch(found[1]) is None:
        raise _malformed()
    key = VerifierKey(name=found[1], kind=packed[:1], key=packed[1:])
    if key.key_id.hex() != found[2]:
        raise _malformed()
    return key


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The three lines that are signed.

    Raises:
        ValueError: an origin, size or root that no checkpoint has.
    """
    sound = 0 <= checkpoint.size <= LARGEST_SIZE and len(checkpoint.root) == _ROOT_LENGTH
    if not sound or _NAME.fullmatch(checkpoint.origin) is None:
        raise _malformed()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from the text of a note.

    Raises:
        ValueError: another number of lines than three, or one that is not spelled the one way.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or _NAME.fullmatch(lines[0]) is None or _SIZE.fullmatch(lines[1]) is None:  # noqa: PLR2004  # three lines and what follows the last
        raise _malformed()
    checkpoint = Checkpoint(origin=lines[0], size=int(lines[1]), root=_unbase64(lines[2]))
    if checkpoint_text(checkpoint) != text:
        raise _malformed()
    return checkpoint


def note_text(note: Note) -> str:
    """Text, empty line, signature lines.

    Raises:
        ValueError: a text that cannot be signed.
    """
    if not note.text.endswith("\n") or not note.signatures:
        raise _malformed()
    return f"{note.text}\n" + "".join(
        f"\u2014 {s.name} {base64.b64encode(s.key_id + s.signature).decode()}\n" for s in note.signatures
    )


def read_note(text: str) -> Note:
    """A note from its bytes as text; who signed is not checked here.

    Raises:
        ValueError: control characters, no empty line before the signatures, or a line that is none.
    """
    body, between, tail = text.rpartition("\n\n")
    lines = tail.split("\n")
    if len(text) > _LIMIT or not between or not body or lines.pop() or not 0 < len(lines) <= SIGNATURES:
        raise _malformed()
    if any(character < " " and character != "\n" for character in text):
        raise _malformed()
    return Note(text=body + "\n", signatures=tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    found = _LINE.fullmatch(line)
    packed = _unbase64(found[2]) if found else b""
    if found is None or len(packed) <= _ID_LENGTH or _NAME.fullmatch(found[1]) is None:
        raise _malformed()
    return Signature(name=found[1], key_id=packed[:_ID_LENGTH], signature=packed[_ID_LENGTH:])


def _unbase64(text: str) -> bytes:
    """The bytes of standard base64 with padding, spelled the one way.

    Raises:
        ValueError: spelled in any other.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None
    if base64.b64encode(found).decode() != text:
        raise _malformed()
    return found


def _malformed() -> ValueError:
    message = "not spelled as C2SP spells it"
    return ValueError(message)
