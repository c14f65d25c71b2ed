"""What a newcomer meets at the start: a port that is taken, a URL that leads elsewhere, a reader that leaves."""

import contextlib
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import msgspec
import pytest

from sauma.cli import listening
from sauma.core.errors import StartRefused
from sauma.demo import stage
from sauma.settings import Settings, from_environment

SRC = pathlib.Path(__file__).parents[2] / "src"
DEFAULT = "http://127.0.0.1:8000"


class Answer(http.server.BaseHTTPRequestHandler):
    """Ready at every path, or nothing known at any."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Unknown(Answer):
    status = 404


@contextlib.contextmanager
def listens(kind: type[Answer]) -> Iterator[tuple[int, threading.Thread]]:
    """The port of a server that listens at once, and the thread to start for it to answer."""
    with http.server.HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        yield server.server_port, thread
        server.shutdown()
        thread.join()


def at(port: int, *, home: pathlib.Path) -> Settings:
    return from_environment(
        {"SAUMA_PORT": str(port), "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{port}", "SAUMA_HOME": str(home)}
    )


def test_who_comes_second_is_refused_before_anything_is_started(tmp_path: pathlib.Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings = at(probe.getsockname()[1], home=tmp_path)
    with listening.listen(settings), pytest.raises(StartRefused, match="SAUMA_PORT: taken") as second:
        listening.listen(settings)
    assert second.value.exit_code == 78
    listening.listen(settings).close()


def test_an_address_of_another_machine_is_not_a_taken_port() -> None:
    with pytest.raises(StartRefused, match="SAUMA_HOST: not an address of this machine"):
        listening.listen(from_environment({"SAUMA_HOST": "192.0.2.1"}))


ASTRAY = {
    "the defaults": ({}, None),
    "a port and no public URL": ({"SAUMA_PORT": "8100"}, (f"still the default, {DEFAULT}", "http://127.0.0.1:8100")),
    "both, and alike": ({"SAUMA_PORT": "8100", "SAUMA_PUBLIC_URL": "http://localhost:8100"}, None),
    "both, and not alike": (
        {"SAUMA_PORT": "8100", "SAUMA_PUBLIC_URL": "http://[::1]:8101"},
        ("http://[::1]:8101", "http://[::1]:8100"),
    ),
    "a reverse proxy": ({"SAUMA_PORT": "8100", "SAUMA_PUBLIC_URL": "https://sauma.example"}, None),
}


@pytest.mark.parametrize("name", ASTRAY)
def test_a_public_url_that_leads_elsewhere_is_said_with_its_fix(name: str) -> None:
    mapping, words = ASTRAY[name]
    line = "SAUMA_PUBLIC_URL: {}, but SAUMA_PORT is 8100; fix: set SAUMA_PUBLIC_URL={} for every command"
    assert listening.astray(from_environment(mapping)) == (line.format(*words) if words else None)


REFUSALS = {
    "a refusal after progress": ("sauma: starting PostgreSQL\nsauma: X: wrong; fix: right\n", "X: wrong; fix: right"),
    "progress only": ("sauma: starting PostgreSQL\n", None),
    "a crash": ("sauma: X: wrong; fix: right\nValueError: x\n", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_demo_tells_why_its_server_ended(name: str) -> None:
    log, line = REFUSALS[name]
    assert stage.refusal(log) == (line or "the server ended without saying why; fix: run ./sauma and read what it says")


def test_the_demo_passes_on_that_the_port_is_taken(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listens(Unknown) as (port, other):
        other.start()
        settings = at(port, home=tmp_path)
        monkeypatch.setenv("SAUMA_PORT", str(settings.port))
        monkeypatch.setenv("SAUMA_HOME", str(tmp_path))
        with pytest.raises(StartRefused, match="SAUMA_PORT: taken") as refused, stage.server(settings, [].append):
            pytest.fail("no server of ours can be there")
    assert refused.value.exit_code == 78


def test_the_demo_waits_for_a_server_that_listens_and_does_not_answer_yet(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_ANSWER_WITHIN", 0.2)
    said: list[str] = []
    with listens(Answer) as (port, starting):

        def hear(line: str) -> None:
            said.append(line)
            starting.start()

        with stage.server(at(port, home=tmp_path), hear):
            assert said == ["a server is starting: waiting for it\n"]


def test_the_demo_starts_nothing_that_it_would_not_find(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = msgspec.structs.replace(settings, public_url=f"http://127.0.0.1:{probe.getsockname()[1]}")
        with pytest.raises(StartRefused, match="elsewhere"), stage.server(nobody, [].append, astray="elsewhere"):
            pytest.fail("nothing answers there")


def test_a_reader_that_leaves_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-P", "-m", "sauma", "migrate", "--print-bootstrap"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
