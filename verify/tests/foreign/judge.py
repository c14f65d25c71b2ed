"""One foreign verifier over an export: `judge.py <tool> <folder> <vkey>`, exit code 0 if it accepts all it can look at.

Over a JSON array of base64 notes in place of a folder: the size each signed checkpoint says, or null where it is refused.

Run in an environment of the judges' own; nothing of Sauma's is imported, the parsing of proof files included.
"""

import base64
import json
import pathlib
import sys
from types import SimpleNamespace
from typing import Any


def proofs(folder: pathlib.Path) -> list[tuple[int, list[bytes], str, bytes]]:
    """(index, hashes, checkpoint, leaf out of the bundle) of each proof file."""
    found = []
    for path in sorted((folder / "proofs").glob("*.tlog-proof")):
        head, _, checkpoint = path.read_text(encoding="utf-8").partition("\n\n")
        lines = head.split("\n")
        index = int(lines[1].removeprefix("index "))
        found.append((index, [base64.b64decode(line) for line in lines[2:]], checkpoint, leaf(folder, index)))
    if not found:
        sys.exit("no proof to look at")
    return found


def leaf(folder: pathlib.Path, index: int) -> bytes:
    number = index // 256
    full = folder / f"tile/entries/{number:03}"
    path = (
        full if full.is_file() else max((folder / f"tile/entries/{number:03}.p").iterdir(), key=lambda p: int(p.name))
    )
    rest = path.read_bytes()
    for _ in range(index % 256):
        rest = rest[2 + int.from_bytes(rest[:2], "big") :]
    return rest[2 : 2 + int.from_bytes(rest[:2], "big")]


def aics_tlog(folder: pathlib.Path, vkey: str) -> None:
    import aics_tlog as judge  # noqa: PLC0415  # only this judge is in need of it

    note = judge.parse_note((folder / "checkpoint").read_text(encoding="utf-8"))
    if not judge.verify_note(note, [judge.parse_vkey(vkey)]):
        sys.exit("aics-tlog: signature")
    head = judge.parse_checkpoint(note.text)
    report = judge.audit_tiles(judge.FileSystemTileReader(folder), head.size, head.root, entries=True)
    sys.stdout.write(f"{report}\n")
    for index, hashes, checkpoint, body in proofs(folder):
        of = judge.parse_checkpoint(judge.parse_note(checkpoint).text)
        if not judge.verify_inclusion(judge.leaf_hash(body), index, of.size, hashes, of.root):
            sys.exit("aics-tlog: inclusion")


def metamorphic_log(folder: pathlib.Path, vkey: str) -> None:
    import hashlib  # noqa: PLC0415  # the judge takes leaf hashes

    import metamorphic_log as judge  # noqa: PLC0415  # only this judge is in need of it

    judge.checkpoint_verify((folder / "checkpoint").read_text(encoding="utf-8"), [vkey])
    for index, hashes, checkpoint, body in proofs(folder):
        hashed = hashlib.sha256(b"\x00" + body).digest()
        judge.checkpoint_verify_inclusion(checkpoint, [vkey], index, hashed, hashes)


def sigstore(folder: pathlib.Path, vkey: str) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # only this judge is in need of it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # only this judge is in need of it
    from sigstore._internal.merkle import verify_merkle_inclusion  # noqa: PLC0415  # only this judge is in need of it
    from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint  # noqa: PLC0415  # only this judge is in need of it
    from sigstore.errors import VerificationError  # noqa: PLC0415  # only this judge is in need of it

    _, key_id, encoded = vkey.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])

    def held(*, key_id: bytes, signature: bytes, data: bytes) -> None:
        try:
            public.verify(signature, data)
        except InvalidSignature:
            message = "signature"
            raise VerificationError(message) from None

    SignedCheckpoint.from_text((folder / "checkpoint").read_text(encoding="utf-8")).signed_note.verify(
        SimpleNamespace(verify=held), bytes.fromhex(key_id)
    )
    for index, hashes, checkpoint, body in proofs(folder):
        head = SignedCheckpoint.from_text(checkpoint).checkpoint
        proof = SimpleNamespace(
            log_index=index,
            tree_size=head.log_size,
            hashes=hashes,
            root_hash=bytes.fromhex(head.log_hash),
            checkpoint=SimpleNamespace(envelope=checkpoint),
        )
        log_id = SimpleNamespace(key_id=bytes.fromhex(key_id))
        inner: Any = SimpleNamespace(inclusion_proof=proof, canonicalized_body=body, log_id=log_id)
        verify_merkle_inclusion(SimpleNamespace(_inner=inner))
        verify_checkpoint(SimpleNamespace(verify=held), SimpleNamespace(_inner=inner))


def sizes(tool: str, notes: list[str], vkey: str) -> list[int | None]:
    return [size_of(tool, base64.b64decode(encoded), vkey) for encoded in notes]


def size_of(tool: str, raw: bytes, vkey: str) -> int | None:
    try:
        text = raw.decode()
        if tool == "aics-tlog":
            import aics_tlog  # noqa: PLC0415  # only this judge is in need of it

            note = aics_tlog.parse_note(text)
            accepted = aics_tlog.verify_note(note, [aics_tlog.parse_vkey(vkey)])
            return int(aics_tlog.parse_checkpoint(note.text).size) if accepted else None
        import metamorphic_log  # noqa: PLC0415  # only this judge is in need of it

        return int(metamorphic_log.checkpoint_verify(text, [vkey]).size)
    except (ImportError, AttributeError, TypeError):
        raise
    except Exception:  # noqa: BLE001  # a judge may refuse in any way it likes
        return None


if __name__ == "__main__":
    tool, named, key = sys.argv[1:]
    if pathlib.Path(named).is_dir():
        judge = {"aics-tlog": aics_tlog, "metamorphic-log": metamorphic_log, "sigstore": sigstore}[tool]
        judge(pathlib.Path(named), key)
    else:
        sys.stdout.write(json.dumps(sizes(tool, json.loads(pathlib.Path(named).read_bytes()), key)))
