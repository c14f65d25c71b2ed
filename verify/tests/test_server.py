"""A running server: the same tiles over HTTP."""

import functools
import http.server
import pathlib
import threading
from collections.abc import Iterator

import pytest

from tiny_log import TinyLog, filled, tile_path, write
from verifying import Verify


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the library
        pass


@pytest.fixture(scope="module")
def log() -> TinyLog:
    return filled(600)


@pytest.fixture
def served(log: TinyLog, tmp_path: pathlib.Path) -> Iterator[tuple[pathlib.Path, str]]:
    """The export, and the address it is served at as Sauma serves its ledger."""
    root = tmp_path / "root"
    log.export(root / "v1" / "ledger")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield root / "v1" / "ledger", f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("below", ["", "/", "/v1/ledger", "/v1/ledger/"])
def test_a_server_is_verified_like_an_export(
    below: str, log: TinyLog, served: tuple[pathlib.Path, str], verify: Verify
) -> None:
    told = verify(served[1] + below, "--vkey", log.signer.vkey)
    assert (told.code, told["tree"]["lookedAt"], told["tiles"]["lookedAt"]) == (0, 600, 4)


def test_a_server_with_another_entry_is_found(log: TinyLog, served: tuple[pathlib.Path, str], verify: Verify) -> None:
    bundle = served[0] / tile_path("entries", 2, 88)
    write(bundle, bundle.read_bytes()[:-1] + b"!")
    told = verify(served[1], "--vkey", log.signer.vkey)
    assert ("tree", "entry-tampered", "599") in told.findings


def test_older_checkpoints_of_the_reader_are_held_against_it(
    log: TinyLog, served: tuple[pathlib.Path, str], tmp_path: pathlib.Path, verify: Verify
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(log.checkpoint(401), encoding="utf-8")
    told = verify(served[1], "--vkey", log.signer.vkey, "--older", str(kept))
    assert (told.code, told["history"]["lookedAt"]) == (0, 1)


def test_nothing_there_is_no_log(served: tuple[pathlib.Path, str], log: TinyLog, verify: Verify) -> None:
    assert verify(f"{served[1]}/elsewhere", "--vkey", log.signer.vkey).codes == {("checkpoint", "checkpoint-missing")}
