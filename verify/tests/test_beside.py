"""What a reader holds beside the tree: proofs, receipts, revealed payloads, witnesses."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from sauma_verify.formats.note import Malformed
from sauma_verify.formats.policy import parse_policy
from tiny_log import Signer, TinyLog, b64, b64url, consistency, filled, sha, write
from verifying import Told, Verify

SALT, PAYLOAD, BODY = bytes(range(32)), b'{"officer":null,"requestSalt":"00ff"}', b'{"purpose":"P01"}'
MANIFEST = b"[]"


@pytest.fixture(scope="module")
def log() -> TinyLog:
    log = filled(300)
    writer = json.loads(log.leaves[1])["writer"]
    commitments = {"payload": SALT + PAYLOAD, "request": b"\x00\xff" + BODY, "manifest": MANIFEST, "side": b"tags"}
    log.add(writer, kind="disclosure", **{name: b64url(sha(content)) for name, content in commitments.items()})
    for _ in range(20):
        log.add(writer)
    return log


@pytest.fixture
def kept(log: TinyLog, tmp_path: pathlib.Path, verify: Verify) -> Callable[..., Told]:
    """The export with what is kept beside it, verified with both keys."""

    def held(*options: str, export: bool = True, **files: bytes | str) -> Told:
        folder, key = tmp_path / "export", tmp_path / "receipt.jwk"
        if export:
            log.export(folder)
        key.write_text(json.dumps({"keys": [log.jwk]}), encoding="utf-8")
        for name, content in files.items():
            write(folder / name, content.encode() if isinstance(content, str) else content)
        return verify(folder, "--vkey", log.signer.vkey, "--receipt-key", str(key), *options)

    return held


def entry(log: TinyLog, index: int) -> str:
    return str(json.loads(log.leaves[index])["id"])


def beside(log: TinyLog, index: int = 300, **receipt: Any) -> dict[str, str]:
    """Receipt and proof of one entry, as a client stores them."""
    name = entry(log, index)
    said = log.receipt(index) | receipt
    return {f"receipts/{name}.json": json.dumps(said), f"proofs/{name}.tlog-proof": log.proof(index, 310)}


def test_proof_and_receipt_of_every_tenth_entry(log: TinyLog, kept: Callable[..., Told]) -> None:
    files = {name: text for index in range(0, 310, 10) for name, text in beside(log, index).items()}
    told = kept(**files)
    assert (told.code, told.findings) == (0, set())
    assert (told["proofs"]["lookedAt"], told["receipts"]["lookedAt"]) == (31, 31)


def test_proof_and_receipt_need_no_export(log: TinyLog, kept: Callable[..., Told]) -> None:
    told = kept(export=False, **beside(log))
    assert (told.code, told.findings) == (0, set())


def test_a_receipt_inside_an_answer(log: TinyLog, kept: Callable[..., Told]) -> None:
    assert kept(**{"receipts/answer.json": json.dumps({"records": [], "receipt": log.receipt(5)})}).code == 0


def test_the_receipt_key_of_the_export_is_not_trusted(log: TinyLog, tmp_path: pathlib.Path, verify: Verify) -> None:
    log.export(tmp_path)
    write(tmp_path / "receipts/one.json", json.dumps(log.receipt(5)).encode())
    write(tmp_path / "receipt.jwk", json.dumps(log.jwk).encode())
    told = verify(tmp_path, "--vkey", log.signer.vkey)
    assert (told.code, told.codes) == (3, {("receipts", "key-untrusted")})


def of_a_deleted_entry(log: TinyLog) -> dict[str, str]:
    """What a client keeps of an entry that was deleted before it was integrated."""
    other = filled(40)
    other.receipts = log.receipts
    other.leaves[39] = other.leaves[39].replace(b"-7000-8000-0", b"-7000-8000-f").replace(b"2026-03-02", b"2026-03-01")
    leaf = json.loads(other.leaves[39])
    shifted = f"{int(leaf['id'].replace('-', '')[:12], 16) - 86_400_000:012x}"
    other.leaves[39] = other.leaves[39].replace(leaf["id"][:13].encode(), f"{shifted[:8]}-{shifted[8:]}".encode())
    return {"receipts/gone.json": json.dumps(other.receipt(39))}


def of_a_rewritten_entry(log: TinyLog) -> dict[str, str]:
    other = filled(40)
    other.receipts = log.receipts
    other.leaves[39] += b" "
    return {"receipts/rewritten.json": json.dumps(other.receipt(39))}


def of_a_fresh_entry(log: TinyLog) -> dict[str, str]:
    other = filled(330)
    other.receipts = log.receipts
    return {"receipts/fresh.json": json.dumps(other.receipt(329))}


def proof(log: TinyLog, change: Callable[[str], str]) -> dict[str, str]:
    return {"proofs/p.tlog-proof": change(log.proof(300))}


def other_tree(log: TinyLog) -> dict[str, str]:
    """A proof from a tree the same key signed and nobody else was shown: a split view."""
    other = filled(310)
    other.signer = log.signer
    other.leaves[7] += b" "
    return {"proofs/split.tlog-proof": other.proof(9)}


WRONG: dict[str, tuple[Callable[[TinyLog], dict[str, str]], set[tuple[str, str]], int]] = {
    "a receipt for an entry that was deleted": (of_a_deleted_entry, {("receipts", "receipt-absent")}, 1),
    "a receipt for an entry that was rewritten": (of_a_rewritten_entry, {("receipts", "receipt-leaf")}, 1),
    "a receipt newer than the tree": (of_a_fresh_entry, {("receipts", "receipt-pending")}, 3),
    "a receipt with another signature": (
        lambda log: {"receipts/r.json": json.dumps(log.receipt(5) | {"signature": log.receipt(6)["signature"]})},
        {("receipts", "receipt-signature")},
        1,
    ),
    "a receipt of an unknown key": (
        lambda log: {"receipts/r.json": json.dumps(log.receipt(5) | {"kid": "another"})},
        {("receipts", "receipt-signature")},
        1,
    ),
    "a receipt that is none": (lambda log: {"receipts/r.json": "{}"}, {("receipts", "receipt-malformed")}, 1),
    "a receipt that is a number": (lambda log: {"receipts/r.json": "7"}, {("receipts", "receipt-malformed")}, 1),
    "a proof for another index": (
        lambda log: proof(log, lambda p: p.replace("index 300", "index 301")),
        {("proofs", "proof-false")},
        1,
    ),
    "a proof beyond the tree": (
        lambda log: proof(log, lambda p: p.replace("index 300", "index 99999")),
        {("proofs", "leaf-unknown")},
        3,
    ),
    "a proof with a leading zero": (
        lambda log: proof(log, lambda p: p.replace("index 300", "index 0300")),
        {("proofs", "proof-malformed")},
        1,
    ),
    "a proof one hash short": (
        lambda log: proof(log, lambda p: p.replace(p.split("\n")[2] + "\n", "", 1)),
        {("proofs", "proof-false")},
        1,
    ),
    "a proof one hash long": (
        lambda log: proof(log, lambda p: p.replace(p.split("\n")[2], p.split("\n")[2] + "\n" + p.split("\n")[2], 1)),
        {("proofs", "proof-false")},
        1,
    ),
    "a proof of another version": (
        lambda log: proof(log, lambda p: p.replace("@v1", "@v2")),
        {("proofs", "proof-malformed")},
        1,
    ),
    "a proof over a checkpoint nobody signed": (
        lambda log: proof(log, lambda p: p.replace(f"\n{len(log.leaves)}\n", f"\n{len(log.leaves) + 1}\n")),
        {("proofs", "proof-malformed")},
        1,
    ),
    "a proof from a split view": (other_tree, {("proofs", "fork")}, 1),
}


@pytest.mark.parametrize("said", WRONG)
def test_is_found(said: str, log: TinyLog, kept: Callable[..., Told]) -> None:
    files, expected, code = WRONG[said]
    told = kept(**files(log))
    assert expected <= told.codes
    assert told.code == code


def test_extra_bytes_of_a_proof_say_nothing(log: TinyLog, kept: Callable[..., Told]) -> None:
    assert kept(**proof(log, lambda p: p.replace("index", "extra AAAA\nindex"))).code == 0


def heads_only(log: TinyLog, old: int, path: list[bytes]) -> dict[str, str]:
    """Two signed heads and what the server says between them: all an auditor need fetch."""
    said = {"from": old, "to": len(log.leaves), "hashes": [b64(value) for value in path]}
    return {
        "checkpoint": log.checkpoint(),
        f"checkpoints/{old}": log.checkpoint(old),
        "consistency/one.json": json.dumps(said),
    }


@pytest.mark.parametrize("old", [1, 127, 128, 256, 300, 320])
def test_two_heads_and_a_consistency_proof_need_no_export(old: int, log: TinyLog, kept: Callable[..., Told]) -> None:
    told = kept(export=False, **heads_only(log, old, consistency(old, log.hashes)))
    assert (told.code, told.codes, told["history"]["state"]) == (3, {("tree", "not-rebuilt")}, "ok")


def test_without_the_proof_two_heads_say_nothing_of_each_other(log: TinyLog, kept: Callable[..., Told]) -> None:
    files = heads_only(log, 300, [])
    del files["consistency/one.json"]
    assert kept(export=False, **files).codes == {("tree", "not-rebuilt"), ("history", "not-rebuilt")}


FALSE: dict[str, Callable[[TinyLog], list[bytes]]] = {
    "of another size": lambda log: consistency(299, log.hashes),
    "of an older tree": lambda log: consistency(300, log.hashes[:-1]),
    "with a hash of 31 bytes": lambda log: [value[:31] for value in consistency(300, log.hashes)],
    "empty": lambda log: [],
    "longer than any": lambda log: [bytes(32)] * 200,
}


@pytest.mark.parametrize("said", FALSE)
def test_a_false_consistency_proof_is_found_even_beside_the_tree(
    said: str, log: TinyLog, kept: Callable[..., Told]
) -> None:
    told = kept(**heads_only(log, 300, FALSE[said](log)))
    assert (told.code, told.codes) == (1, {("history", "consistency-false")})


def reveals(log: TinyLog, **other: bytes) -> dict[str, bytes]:
    name = f"reveal/{entry(log, 300)}"
    files = {"bin": SALT + PAYLOAD, "request": BODY, "manifest": MANIFEST, "side": b"tags"} | other
    return {f"{name}.{suffix}": content for suffix, content in files.items()}


def test_revealed_contents_are_what_the_leaf_commits_to(log: TinyLog, kept: Callable[..., Told]) -> None:
    told = kept(**reveals(log))
    assert (told.code, told["payloads"]["lookedAt"]) == (0, 4)


@pytest.mark.parametrize(
    "other",
    [
        {"bin": SALT + PAYLOAD.replace(b"null", b'"Eve"')},
        {"bin": bytes(32) + PAYLOAD},
        {"bin": b""},
        {"request": BODY + b" "},
        {"manifest": b"[1]"},
        {"side": b"gats"},
    ],
    ids=str,
)
def test_another_content_is_not(other: dict[str, bytes], log: TinyLog, kept: Callable[..., Told]) -> None:
    told = kept(**reveals(log, **other))
    assert (told.code, told.codes) == (1, {("payloads", "reveal-false")})


def test_a_payload_of_another_entry_is_not_this_ones(log: TinyLog, kept: Callable[..., Told]) -> None:
    """Attacks 12, 13 and 19: the payloads of two entries are swapped."""
    told = kept(**{f"reveal/{entry(log, 301)}.bin": SALT + PAYLOAD})
    assert told.codes == {("payloads", "reveal-false")}


def test_a_payload_of_no_entry(log: TinyLog, kept: Callable[..., Told]) -> None:
    assert kept(**{"reveal/00000000-0000-7000-8000-000000000000.bin": SALT}).codes == {("payloads", "reveal-absent")}


# -- witnesses ---------------------------------------------------------------------------------------------------------

W1, W2, W3 = (Signer(name=f"w{number}.example", kind=4) for number in (1, 2, 3))
NAMED = "".join(f"witness {name} {signer.vkey}\n" for name, signer in {"A": W1, "B": W2, "C": W3}.items())

QUORUMS = {
    "nobody is asked for": ("quorum none\n", (), True),
    "one that signed": ("quorum A\n", (W1,), True),
    "one that did not": ("quorum B\n", (W1,), False),
    "two of three": ("group g 2 A B C\nquorum g\n", (W1, W3), True),
    "two of three, one signed": ("group g 2 A B C\nquorum g\n", (W1,), False),
    "all, and one did not": ("group g all A B C\nquorum g\n", (W1, W2), False),
    "any": ("group g any A B C\nquorum g\n", (W2,), True),
    "a group of groups": ("group g any A B\ngroup h all g C\nquorum h\n", (W2, W3), True),
    "a group of groups, half of it": ("group g any A B\ngroup h all g C\nquorum h\n", (W1, W2), False),
}


@pytest.mark.parametrize("said", QUORUMS)
def test_quorum(said: str, log: TinyLog, tmp_path: pathlib.Path, verify: Verify) -> None:
    rule, signed, met = QUORUMS[said]
    log.export(tmp_path / "export")
    write(tmp_path / "export/checkpoint", log.checkpoint(None, *signed).encode())
    write(tmp_path / "policy", f"# ours\nlog {log.signer.vkey}\n\n{NAMED}{rule}".encode())
    told = verify(tmp_path / "export", "--policy", str(tmp_path / "policy"))
    assert (told.code, told.codes) == ((0, set()) if met else (1, {("witnesses", "quorum")}))


def test_a_false_cosignature_is_said_so(log: TinyLog, tmp_path: pathlib.Path, verify: Verify) -> None:
    log.export(tmp_path / "export")
    write(tmp_path / "export/checkpoint", (log.checkpoint() + W1.line("another\n")).encode())
    write(tmp_path / "policy", f"log {log.signer.vkey}\n{NAMED}quorum A\n".encode())
    told = verify(tmp_path / "export", "--policy", str(tmp_path / "policy"))
    assert told.codes == {("witnesses", "signature")}


POLICIES = {
    "no quorum": NAMED,
    "two quorums": NAMED + "quorum A\nquorum B\n",
    "an unknown name": NAMED + "quorum D\n",
    "a group used before it is": NAMED + "quorum g\ngroup g any A\n",
    "a threshold of none": NAMED + "group g 0 A\nquorum g\n",
    "a threshold above the members": NAMED + "group g 2 A\nquorum g\n",
    "a threshold with a leading zero": NAMED + "group g 01 A\nquorum g\n",
    "a member of two groups": NAMED + "group g any A\ngroup h any A\nquorum g\n",
    "a member twice": NAMED + "group g 2 A A\nquorum g\n",
    "a group of nobody": NAMED + "group g any\nquorum g\n",
    "none as a member": NAMED + "group g any none\nquorum g\n",
    "a name twice": NAMED + f"witness A {Signer(name='x', kind=4).vkey}\nquorum A\n",
    "a key twice": NAMED + f"witness D {W1.vkey}\nquorum A\n",
    "a log as a witness": f"witness A {Signer().vkey}\nquorum A\n",
    "a witness as a log": f"log {W1.vkey}\nquorum none\n",
    "an unknown word": "quorum none\nallow all\n",
    "a carriage return": "quorum none\r\n",
}


@pytest.mark.parametrize("said", POLICIES)
def test_is_no_policy(said: str) -> None:
    with pytest.raises(Malformed):
        parse_policy(POLICIES[said].encode())
