"""The running server's log as `sauma-verify` sees it, which knows the server by its formats alone.

The export is read through the functions the server itself serves tiles from; proofs and receipts are those of a client.
"""

import base64
import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import judges
import pytest
from sauma_verify import cli
from sauma_verify.formats.tiles import ENTRIES, levels, row
from tiny_log import audit_path

from live import Live

PATIENCE = 20


def covered(live: Live) -> dict[str, Any]:
    """The published head, once every entry that stands now is under it."""
    written = live.sql("select count(*) as n from ledger.entry")[0]["n"]
    deadline = time.monotonic() + PATIENCE
    while True:
        heads = live.sql("select * from api.checkpoint()")
        if heads and heads[0]["size"] >= written:
            return heads[0]
        assert time.monotonic() < deadline, "the sequencer covers no more"
        time.sleep(0.1)


def exported(live: Live, folder: Path) -> Path:
    """The log as a directory of tiles, with every older checkpoint."""
    head = covered(live)

    def put(path: str, content: bytes) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    for tile in row(head["size"], ENTRIES):
        put(tile.path, live.sql("select api.entry_bundle($1, $2) as b", tile.index, tile.width)[0]["b"])
    for level in range(levels(head["size"])):
        for tile in row(head["size"], level):
            hashes = live.sql("select api.tile($1::smallint, $2) as h", level, tile.index)[0]["h"]
            put(tile.path, hashes[: 32 * tile.width])
    for older in live.sql("select size, note from api.checkpoints(0, 10000) where size < $1", head["size"]):
        put(f"checkpoints/{older['size']}", older["note"].encode())
    put("checkpoint", head["note"].encode())
    return folder


def keep(live: Live, folder: Path, receipt: dict[str, str]) -> None:
    """What a client keeps: its receipt, and the proof of it over the newest head."""
    head = (folder / "checkpoint").read_text(encoding="utf-8")
    hashes = [
        bytes(r["leaf_hash"])
        for r in live.sql("select leaf_hash from ledger.tree_leaf order by seq limit $1", int(head.split("\n")[1]))
    ]
    leaf = base64.b64decode(receipt["leafHash"][len("sha-256=:") : -1])
    index = hashes.index(leaf)
    path = [base64.b64encode(value).decode() for value in audit_path(index, hashes)]
    proof = "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *path]) + "\n\n" + head
    for name, content in {"receipts/{}.json": json.dumps(receipt), "proofs/{}.tlog-proof": proof}.items():
        place = folder / name.format(receipt["entryId"])
        place.parent.mkdir(exist_ok=True)
        place.write_text(content, encoding="utf-8")


def vkey_of(live: Live) -> str:
    """The log's verifier key from the key file the server made, spelled here by C2SP signed-note."""
    from sauma.vault.logkey import load_log_key  # noqa: PLC0415  # the one part of the server this page needs

    return load_log_key(live.home / "sauma" / "log-key.json").vkey


def verified(live: Live, folder: Path) -> tuple[int, dict[str, Any]]:
    """What the verifier says of the export, with the log's key and the published receipt keys."""
    published = folder.parent / "jwks.json"
    published.write_bytes(httpx.get(f"{live.url}/.well-known/jwks.json").content)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = cli.run([str(folder), "--vkey", vkey_of(live), "--receipt-key", str(published), "--json"])
    return code, json.loads(told.getvalue())


@pytest.fixture
def export(live: Live, tmp_path: Path) -> Path:
    """The log after one disclosure, with what its receiver kept."""
    hetu, system = live.client_of_both(), live.system("pirha")
    reference = system.open_matter(hetu)
    receipt = system.query(hetu, reference).json()["receipt"]
    folder = exported(live, tmp_path / "export")
    keep(live, folder, receipt)
    return folder


def test_the_log_of_a_running_server_is_in_order(live: Live, export: Path) -> None:
    code, told = verified(live, export)
    found = {check["check"]: check["findings"] for check in told["checks"] if check["findings"]}
    assert (code, found) == (0, {})
    looked_at = {check["check"]: check["lookedAt"] for check in told["checks"]}
    assert looked_at["writers"] == told["size"] > 5
    assert (looked_at["proofs"], looked_at["receipts"]) == (1, 1)


@pytest.mark.parametrize("judge", judges.JUDGES)
def test_others_accept_it_too(judge: str, live: Live, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "INDEX", "0")
    assert judges.accepts(judge, export, vkey_of(live))


def first_leaf_changed(folder: Path) -> None:
    bundle = next(path for path in sorted((folder / "tile/entries").rglob("*")) if path.is_file())
    raw = bytearray(bundle.read_bytes())
    raw[40] ^= 1
    bundle.write_bytes(raw)


def receipt_of_an_entry_taken_away(folder: Path) -> None:
    """The client's receipt stays, and the tree is said to be an older one of the same log."""
    size = min(map(int, (path.name for path in (folder / "checkpoints").iterdir())))
    (folder / "checkpoint").write_bytes((folder / "checkpoints" / str(size)).read_bytes())


TAMPERED: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "an entry is another": (first_leaf_changed, {"entry-tampered"}),
    "the tree is an older one": (receipt_of_an_entry_taken_away, {"rollback"}),
}


@pytest.mark.parametrize("said", TAMPERED)
def test_what_is_tampered_with_is_found(said: str, live: Live, export: Path) -> None:
    tamper, expected = TAMPERED[said]
    tamper(export)
    code, told = verified(live, export)
    assert code == 1
    assert expected <= {finding["code"] for check in told["checks"] for finding in check["findings"]}


def test_no_leaf_names_who_it_is_about(live: Live, export: Path) -> None:
    """An export may be handed to an auditor: it holds no identity code and no name."""
    whole = b"".join(path.read_bytes() for path in export.rglob("*") if path.is_file())
    assert live.told.found_in(whole) == []
