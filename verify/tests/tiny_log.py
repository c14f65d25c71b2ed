"""A small log of the tests' own: RFC 6962's recursive definitions, tiles, signed notes. Nothing of the verifier's."""

import base64
import datetime as dt
import hashlib
import json
import pathlib
import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "log.example/v1/ledger"
BEGAN = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, over leaf hashes."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return sha(b"\x01" + mth(hashes[:k]) + mth(hashes[k:]))


def audit_path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(hashes) <= 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*audit_path(m, hashes[:k]), mth(hashes[k:])]
    return [*audit_path(m - k, hashes[k:]), mth(hashes[:k])]


def consistency(m: int, hashes: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*consistency(m, hashes[:k], whole=whole), mth(hashes[k:])]
    return [*consistency(m - k, hashes[k:], whole=False), mth(hashes[:k])]


@dataclass
class Signer:
    """A note key; `kind` 1 is a log's, 4 a witness's."""

    name: str = ORIGIN
    kind: int = 1
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def encoded(self) -> bytes:
        return bytes([self.kind]) + self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return sha(self.name.encode() + b"\n" + self.encoded)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(self.encoded)}"

    def line(self, text: str, *, at: int = 1_700_000_000) -> str:
        if self.kind == 1:
            value = self.private.sign(text.encode())
        else:
            value = struct.pack(">Q", at) + self.private.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return f"— {self.name} {b64(self.key_id + value)}\n"


def note(text: str, *signers: Signer) -> str:
    return text + "\n" + "".join(signer.line(text) for signer in signers)


class TinyLog:
    """Leaves in order, and an export of them."""

    def __init__(self) -> None:
        self.signer = Signer()
        self.receipts = Ed25519PrivateKey.generate()
        self.leaves: list[bytes] = []
        self._writers: dict[str, tuple[int, bytes]] = {}

    def add(self, writer: str, **members: Any) -> str:
        """One leaf by a writer, its start before it where it is new; the entry's id."""
        if writer not in self._writers:
            self._writers[writer] = (0, bytes(32))
            if "refers" not in members:
                self.add(writer, kind="writer", decision="start")
        counter, previous = self._writers[writer]
        at = BEGAN + dt.timedelta(milliseconds=10 * len(self.leaves))
        leaf = {"at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "counter": counter, "id": new_id(at, len(self.leaves))}
        leaf |= {"kind": "refusal", "previous": b64url(previous), "v": 1, "writer": writer} | members
        self.put(leaf)
        self._writers[writer] = (counter + 1, sha(b"\x00" + self.leaves[-1]))
        return str(leaf["id"])

    def put(self, leaf: dict[str, Any]) -> None:
        self.leaves.append(json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode())

    def position(self, writer: str) -> tuple[int, bytes]:
        return self._writers[writer]

    @property
    def hashes(self) -> list[bytes]:
        return [sha(b"\x00" + leaf) for leaf in self.leaves]

    def text(self, size: int | None = None) -> str:
        hashes = self.hashes[:size]
        return f"{ORIGIN}\n{len(hashes)}\n{b64(mth(hashes))}\n"

    def checkpoint(self, size: int | None = None, *witnesses: Signer) -> str:
        return note(self.text(size), self.signer, *witnesses)

    def proof(self, index: int, size: int | None = None) -> str:
        hashes = self.hashes[:size]
        lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, audit_path(index, hashes))]
        return "\n".join(lines) + "\n\n" + self.checkpoint(size)

    def receipt(self, index: int) -> dict[str, str]:
        entry = json.loads(self.leaves[index])["id"]
        leaf = f"sha-256=:{b64(self.hashes[index])}:"
        signature = self.receipts.sign(f"sauma/receipt/v1\n{entry}\n{leaf}".encode())
        return {"entryId": entry, "leafHash": leaf, "kid": thumbprint(self.jwk), "signature": b64url(signature)}

    @property
    def jwk(self) -> dict[str, str]:
        x = b64url(self.receipts.public_key().public_bytes_raw())
        return {"kty": "OKP", "crv": "Ed25519", "x": x}

    def export(self, folder: pathlib.Path, *, sizes: Iterable[int] = ()) -> pathlib.Path:
        """Everything of the tree; of the older `sizes` the checkpoints and the partial files too."""
        for size in (*sizes, len(self.leaves)):
            self._tiles(folder, size)
            if size != len(self.leaves):
                write(folder / "checkpoints" / str(size), self.checkpoint(size).encode())
        write(folder / "checkpoint", self.checkpoint().encode())
        write(folder / "log.vkey", self.signer.vkey.encode() + b"\n")
        return folder

    def _tiles(self, folder: pathlib.Path, size: int) -> None:
        hashes, level = self.hashes[:size], 0
        while hashes:
            for start in range(0, len(hashes), 256):
                part = hashes[start : start + 256]
                write(folder / tile_path(str(level), start // 256, len(part)), b"".join(part))
                if level == 0:
                    leaves = self.leaves[start : start + len(part)]
                    framed = b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)
                    write(folder / tile_path("entries", start // 256, len(part)), framed)
            full = len(hashes) // 256 * 256
            hashes = [mth(hashes[start : start + 256]) for start in range(0, full, 256)]
            level += 1


def tile_path(level: str, index: int, width: int) -> str:
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < 256 else "")


def new_id(at: dt.datetime, number: int) -> str:
    ms = round(at.timestamp() * 1000)
    return str(uuid.UUID(int=ms << 80 | 0x7 << 76 | 0b10 << 62 | number))


def thumbprint(jwk: dict[str, str]) -> str:
    return b64url(sha(json.dumps({"crv": "Ed25519", "kty": "OKP", "x": jwk["x"]}, separators=(",", ":")).encode()))


def write(path: pathlib.Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def filled(count: int) -> TinyLog:
    """A log of `count` entries by three writers."""
    log = TinyLog()
    writers = [str(uuid.UUID(int=7 << 76 | 2 << 62 | number)) for number in range(1, 4)]
    while len(log.leaves) < count:
        log.add(writers[len(log.leaves) * 7 % 3])
    del log.leaves[count:]
    return log
