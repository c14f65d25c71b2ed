"""Others' programs over the same export: the honest one they accept, one flipped byte they refuse (attack 27)."""

import base64
import pathlib
import shutil
from collections.abc import Callable

import pytest

import judges
from sauma_verify.formats.note import Malformed, parse_key, signed_checkpoint
from tiny_log import Signer, TinyLog, filled, tile_path, write
from verifying import Verify

COUNT = 600
INDEX = int(judges.INDEX)


@pytest.fixture(scope="module")
def log() -> TinyLog:
    return filled(COUNT)


@pytest.fixture(scope="module")
def honest(log: TinyLog, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An export with proofs at the edges of tiles, over the newest tree and an older one."""
    folder = log.export(tmp_path_factory.mktemp("export") / "export")
    for index, size in {0: COUNT, 255: COUNT, 256: 257, INDEX: COUNT, COUNT - 1: COUNT}.items():
        write(folder / f"proofs/{index}.tlog-proof", log.proof(index, size).encode())
    return folder


@pytest.fixture
def tampered(log: TinyLog, honest: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The same with one bit of one entry another."""
    folder = shutil.copytree(honest, tmp_path / "export")
    bundle = folder / tile_path("entries", INDEX // 256, 256)
    raw = bytearray(bundle.read_bytes())
    raw[raw.index(log.leaves[INDEX]) + 9] ^= 1
    bundle.write_bytes(raw)
    return folder


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_an_honest_export_is_accepted_and_a_flipped_byte_is_not(
    judge: str, log: TinyLog, honest: pathlib.Path, tampered: pathlib.Path
) -> None:
    assert judges.accepts(judge, honest, log.signer.vkey)
    assert not judges.accepts(judge, tampered, log.signer.vkey)


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_a_checkpoint_with_another_size_is_refused(
    judge: str, log: TinyLog, honest: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = shutil.copytree(honest, tmp_path / "export")
    checkpoint = folder / "checkpoint"
    checkpoint.write_text(
        checkpoint.read_text(encoding="utf-8").replace(f"\n{COUNT}\n", f"\n{COUNT - 1}\n"), encoding="utf-8"
    )
    assert not judges.accepts(judge, folder, log.signer.vkey)


def test_ours_says_the_same(log: TinyLog, honest: pathlib.Path, tampered: pathlib.Path, verify: Verify) -> None:
    assert verify(honest, "--vkey", log.signer.vkey).code == 0
    assert ("tree", "entry-tampered", str(INDEX)) in verify(tampered, "--vkey", log.signer.vkey).findings


@pytest.mark.parametrize("index", [0, 1, 255, 256, 512, COUNT - 1])
def test_any_leaf_by_hand(index: int, log: TinyLog, honest: pathlib.Path) -> None:
    checkpoint, leaf = judges.by_hand_blocks()
    assert judges.by_hand(checkpoint, honest, VKEY=log.signer.vkey)
    assert judges.by_hand(leaf, honest, INDEX=str(index))


def test_the_checkpoint_by_hand_refuses_another_key(log: TinyLog, honest: pathlib.Path) -> None:
    other = base64.b64encode(b"\x01" + bytes(31) + b"\x01").decode()
    assert not judges.by_hand(judges.by_hand_blocks()[0], honest, VKEY=f"{log.signer.name}+00000000+{other}")


def notes(log: TinyLog) -> list[bytes]:
    """One checkpoint, every byte of it flipped in turn, and pieces of it left out, doubled and moved (attack 41)."""
    honest = log.checkpoint().encode()
    stranger = Signer().line(log.text()).encode()
    flipped = [
        honest[:at] + bytes([honest[at] ^ bit]) + honest[at + 1 :] for at in range(len(honest)) for bit in (1, 0x20)
    ]
    lines = honest.split(b"\n")
    dropped = [b"\n".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines))]
    doubled = [b"\n".join(lines[:at] + lines[at : at + 1] + lines[at:]) for at in range(len(lines))]
    others = [honest, honest + stranger, honest + stranger * 16, honest.replace(b"\n", b"\r\n"), b"", honest * 2]
    return [*others, *flipped, *dropped, *doubled]


def own_size(note: bytes, log: TinyLog) -> int | None:
    try:
        return signed_checkpoint(note, parse_key(log.signer.vkey)).size
    except Malformed:
        return None


STRICTER: dict[str, Callable[[bytes], bytes]] = {
    "aics-tlog": lambda honest: honest[:-1],  # takes a last line without its end
    "metamorphic-log": lambda honest: honest + honest.rpartition(b"\n\n")[2],  # takes the log's signature twice
}


@pytest.mark.parametrize("judge", STRICTER)
def test_notes_are_read_as_others_read_them(judge: str, log: TinyLog, tmp_path: pathlib.Path) -> None:
    """Nothing is accepted that the others refuse, nothing is read otherwise; where we are the stricter ones is known."""
    tried = notes(log)
    ours = [own_size(note, log) for note in tried]
    theirs = judges.sizes(judge, tried, log.signer.vkey, tmp_path)
    assert ours[:3] == [COUNT] * 3
    differing = {note: own for note, own, other in zip(tried, ours, theirs, strict=True) if own != other}
    assert differing == {STRICTER[judge](tried[0]): None}
