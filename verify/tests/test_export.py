"""An exported directory: honest it passes, and whatever is changed in it is found and named."""

import pathlib
import shutil
import zipfile
from collections.abc import Callable

import pytest

from sauma_verify.formats.tiles import ENTRIES, Tile, parse_path
from tiny_log import ORIGIN, Signer, TinyLog, filled, mth, note, sha, tile_path, write
from verifying import Verify

SIZES = (1, 256, 300, 513)
COUNT = 700


@pytest.fixture(scope="module")
def log() -> TinyLog:
    return filled(COUNT)


@pytest.fixture(scope="module")
def honest(log: TinyLog, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return log.export(tmp_path_factory.mktemp("honest"), sizes=SIZES)


@pytest.fixture
def export(honest: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return shutil.copytree(honest, tmp_path / "export")


def test_an_honest_export_is_verified(log: TinyLog, honest: pathlib.Path, verify: Verify) -> None:
    told = verify(honest, "--vkey", log.signer.vkey)
    assert (told.code, told.findings) == (0, set())
    assert (told.document["size"], told.document["origin"]) == (COUNT, ORIGIN)
    assert told["tree"]["lookedAt"] == COUNT
    assert told["history"]["lookedAt"] == len(SIZES)


def test_the_key_of_the_export_itself_is_not_trusted(honest: pathlib.Path, verify: Verify) -> None:
    told = verify(honest)
    assert (told.code, told.codes) == (3, {("key", "key-untrusted")})


@pytest.mark.parametrize("around", ["", "export/"])
def test_a_zip_is_as_good_as_its_directory(
    log: TinyLog, honest: pathlib.Path, tmp_path: pathlib.Path, verify: Verify, around: str
) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in filter(pathlib.Path.is_file, honest.rglob("*")):
            archive.write(path, around + path.relative_to(honest).as_posix())
    assert verify(tmp_path / "export.zip", "--vkey", log.signer.vkey).code == 0


def files(folder: pathlib.Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def named_by(path: str, at: int, raw: bytes) -> set[str]:
    """Where a finding may say the flipped byte is: the file, or the index of the entry it lies in."""
    tile = parse_path(path)
    named = {path}
    if tile and tile.level == ENTRIES:
        start, index = 0, tile.index * 256
        while start <= at:
            start += 2 + int.from_bytes(raw[start : start + 2])
            index += 1
        named.add(str(index - 1))
    return named


def test_one_flipped_byte_anywhere_is_found_and_named(log: TinyLog, honest: pathlib.Path, verify: Verify) -> None:
    for path in files(honest):
        if path == "log.vkey":
            continue
        file = honest / path
        raw = file.read_bytes()
        for at in {0, 1, 2, len(raw) // 3, len(raw) // 2, len(raw) - 1}:
            flipped = bytearray(raw)
            flipped[at] ^= 0x04
            file.write_bytes(flipped)
            told = verify(honest, "--vkey", log.signer.vkey)
            file.write_bytes(raw)
            said = {
                word
                for _, _, where in told.findings
                for word in (where, where.partition(" ")[0], where.partition(":")[0])
            }
            assert told.code == 1, (path, at)
            assert said & named_by(path, at, raw), (path, at, told.findings)


def test_a_changed_entry_is_named_by_its_index(log: TinyLog, export: pathlib.Path, verify: Verify) -> None:
    bundle = export / tile_path("entries", 1, 256)
    bundle.write_bytes(
        bundle.read_bytes().replace(b'"refusal"', b'"refusel"', 3).replace(b'"refusel"', b'"refusal"', 2)
    )
    told = verify(export, "--vkey", log.signer.vkey)
    assert ("tree", "entry-tampered", "258") in told.findings


def rewrite_tile(export: pathlib.Path, index: int) -> None:
    """The level-0 tile made anew from a bundle, as somebody who changed the entry would."""
    raw, hashes = (export / tile_path("entries", index, 256)).read_bytes(), b""
    while raw:
        end = 2 + int.from_bytes(raw[:2])
        hashes, raw = hashes + sha(b"\x00" + raw[2:end]), raw[end:]
    write(export / tile_path("0", index, 256), hashes)


def changed_with_its_tile(export: pathlib.Path) -> None:
    bundle = export / tile_path("entries", 0, 256)
    bundle.write_bytes(bundle.read_bytes().replace(b'"refusal"', b'"refusel"', 1))
    rewrite_tile(export, 0)


CHANGED: dict[str, tuple[Callable[[pathlib.Path], object], set[tuple[str, str, str]]]] = {
    "an entry and its tile are changed together": (
        changed_with_its_tile,
        {("tree", "range-tampered", "0–255"), ("tiles", "tile-tampered", "tile/0/000")},
    ),
    "a bundle is missing": (
        lambda e: (e / tile_path("entries", 1, 256)).unlink(),
        {("tree", "file-missing", "tile/entries/001")},
    ),
    "a tile is missing": (lambda e: (e / tile_path("0", 1, 256)).unlink(), {("tiles", "file-missing", "tile/0/001")}),
    "a tile is longer": (
        lambda e: write(e / tile_path("0", 1, 256), bytes(8224)),
        {("tiles", "tile-tampered", "tile/0/001")},
    ),
    "a bundle is empty": (
        lambda e: write(e / tile_path("entries", 0, 256), b""),
        {("tree", "bundle-shape", "tile/entries/000")},
    ),
    "a tile of a tree nobody signed": (
        lambda e: write(e / tile_path("0", 9, 256), bytes(8192)),
        {("tiles", "surplus", "tile/0/009")},
    ),
    "there is no checkpoint": (lambda e: (e / "checkpoint").unlink(), {("checkpoint", "checkpoint-missing", "")}),
}


@pytest.mark.parametrize("said", CHANGED)
def test_is_found(said: str, log: TinyLog, export: pathlib.Path, verify: Verify) -> None:
    change, expected = CHANGED[said]
    change(export)
    told = verify(export, "--vkey", log.signer.vkey)
    assert expected <= told.findings
    assert told.code == (3 if said in {"a tile of a tree nobody signed", "there is no checkpoint"} else 1)


def test_a_partial_tile_may_have_given_way_to_the_full_one(tmp_path: pathlib.Path, verify: Verify) -> None:
    log, size = filled(300), 200
    log.export(tmp_path)
    write(tmp_path / "checkpoint", log.checkpoint(size).encode())
    for path in ("tile/entries/001.p", "tile/0/001.p", "tile/1"):
        shutil.rmtree(tmp_path / path)
    told = verify(tmp_path, "--vkey", log.signer.vkey)
    assert (told.code, told["tree"]["lookedAt"]) == (0, size)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512])
def test_trees_at_the_edges_of_tiles(size: int, tmp_path: pathlib.Path, verify: Verify) -> None:
    log = filled(size)
    log.export(tmp_path)
    assert verify(tmp_path, "--vkey", log.signer.vkey).code == 0


def test_an_older_checkpoint_of_another_tree_is_a_fork(
    log: TinyLog, honest: pathlib.Path, tmp_path: pathlib.Path, verify: Verify
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(note(f"{ORIGIN}\n300\n{log.text(299).splitlines()[2]}\n", log.signer), encoding="utf-8")
    told = verify(honest, "--vkey", log.signer.vkey, "--older", str(kept))
    assert (told.code, told.codes) == (1, {("history", "fork")})


def test_an_older_checkpoint_of_a_larger_tree_is_a_rollback(
    log: TinyLog, tmp_path: pathlib.Path, verify: Verify
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(log.checkpoint(), encoding="utf-8")
    shorter = filled(600)
    shorter.signer = log.signer
    told = verify(shorter.export(tmp_path / "export"), "--vkey", log.signer.vkey, "--older", str(kept))
    assert (told.code, told.codes) == (1, {("history", "rollback")})


def test_two_checkpoints_of_one_size_and_two_roots_are_a_fork(
    log: TinyLog, honest: pathlib.Path, tmp_path: pathlib.Path, verify: Verify
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(note(f"{ORIGIN}\n{COUNT}\n{log.text(299).splitlines()[2]}\n", log.signer), encoding="utf-8")
    told = verify(honest, "--vkey", log.signer.vkey, "--older", str(kept))
    assert (told.code, told.codes) == (1, {("history", "fork")})


def test_a_signed_root_that_neither_entries_nor_tiles_make(log: TinyLog, export: pathlib.Path, verify: Verify) -> None:
    other = f"{ORIGIN}\n{COUNT}\n{log.text(299).splitlines()[2]}\n"
    (export / "checkpoint").write_text(note(other, log.signer), encoding="utf-8")
    told = verify(export, "--vkey", log.signer.vkey)
    assert (told.code, told["tree"]["findings"]) == (1, [{"code": "root", "where": ""}])


def test_a_log_rebuilt_and_signed_anew_passes_alone_and_fails_beside_what_was_kept(
    log: TinyLog, tmp_path: pathlib.Path, verify: Verify
) -> None:
    """Attack 3 of the list: with the log's key in hand only memory outside helps, here a kept checkpoint."""
    kept = tmp_path / "kept"
    kept.write_text(log.checkpoint(300), encoding="utf-8")
    forged = filled(COUNT)
    forged.signer = log.signer
    forged.leaves[-1] = forged.leaves[-1].replace(b'"refusal"', b'"outcome"')
    assert verify(forged.export(tmp_path / "later"), "--vkey", log.signer.vkey, "--older", str(kept)).code == 0
    forged.leaves[299] = forged.leaves[299].replace(b'"refusal"', b'"outcome"')
    told = verify(forged.export(tmp_path / "earlier"), "--vkey", log.signer.vkey, "--older", str(kept))
    assert ("history", "fork") in told.codes


def test_a_foreign_key_is_no_key_of_the_log(honest: pathlib.Path, verify: Verify) -> None:
    told = verify(honest, "--vkey", Signer().vkey)
    assert (told.code, told.codes) == (1, {("checkpoint", "signature"), ("history", "signature")})


def test_pruned_lawfully_or_not(log: TinyLog, export: pathlib.Path, verify: Verify) -> None:
    """Below the minimum index bundles may be gone; the tiles still prove the rest."""
    (export / tile_path("entries", 0, 256)).unlink()
    for path in ("tile/entries/000.p", "checkpoints"):
        shutil.rmtree(export / path)
    lawful = verify(export, "--vkey", log.signer.vkey, "--minimum-index", "256")
    assert (lawful.code, lawful.codes) == (0, {("tree", "pruned")})
    early = verify(export, "--vkey", log.signer.vkey)
    assert early.code == 1
    assert ("tree", "file-missing", "tile/entries/000") in early.findings


def test_paths_as_the_format_spells_them() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 273, 112).path == "tile/entries/273.p/112"
    assert parse_path("tile/0/x001/x234/067") == Tile(0, 1234067)
    for other in ("tile/0/x000/001", "tile/00/001", "tile/0/1", "tile/0/001.p/256", "tile/0/001.p/0", "tile/0/٠٠١"):
        assert parse_path(other) is None


def test_seventy_thousand_leaves_have_the_tiles_of_the_specification(tmp_path: pathlib.Path, verify: Verify) -> None:
    """273 full and one of 112 on level 0, one full and one of 17 on level 1, one of 1 on level 2."""
    log = filled(70_000)
    log.export(tmp_path)
    told = verify(tmp_path, "--vkey", log.signer.vkey, "--speed")
    assert (told.code, told["tiles"]["lookedAt"], told["tree"]["lookedAt"]) == (0, 273 + 1 + 1 + 1 + 1, 70_000)
    assert mth(log.hashes[:256]) == (tmp_path / "tile/1/000").read_bytes()[:32]
