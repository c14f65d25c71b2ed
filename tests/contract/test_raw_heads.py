"""What comes before any request is understood: a head without end is cut, and one that comes in pieces is not."""

import socket
from urllib.parse import urlsplit

import pytest

from live import Live
from sauma.web.protocol import HEAD_LINES, PIPELINED

OPENING = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def connection(live: Live) -> socket.socket:
    parts = urlsplit(live.url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20)


def sent_until_cut(connection: socket.socket, piece: bytes, most: int) -> int:
    """How many bytes of endless headers were taken before the server ended the connection."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize(
    "piece", [b"X-A: " + b"a" * 32_000 + b"\r\n", b"a" * 32_000], ids=["many headers", "one long header"]
)
def test_a_head_without_end_is_cut(connection: socket.socket, piece: bytes) -> None:
    with connection:
        connection.sendall(OPENING + b"X-B: b")
        assert sent_until_cut(connection, piece, 64_000_000) < 32_000_000


def test_a_head_in_pieces_is_answered(connection: socket.socket) -> None:
    with connection:
        for piece in (OPENING[:9], OPENING[9:], b"X-A: " + b"a" * 5_000, b"\r\n\r\n"):
            connection.sendall(piece)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(("lines", "status"), [(HEAD_LINES - 1, b"200"), (HEAD_LINES, b"400")])
def test_a_head_has_so_many_lines_at_most(connection: socket.socket, lines: int, status: bytes) -> None:
    with connection:
        connection.sendall(OPENING + b"a: b\r\n" * lines + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 " + status


CHUNKED = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "many lines after the body": (b"0\r\n", b"X-A: " + b"a" * 32_000 + b"\r\n"),
    "one long line after the body": (b"0\r\nX-A: ", b"a" * 32_000),
    "a long extension of a chunk": (b"1;", b"a" * 32_000),
}


@pytest.mark.parametrize("sentence", ENDLESS)
def test_what_frames_a_body_and_has_no_end_is_cut(connection: socket.socket, sentence: str) -> None:
    opening, piece = ENDLESS[sentence]
    with connection:
        connection.sendall(CHUNKED + opening)
        assert sent_until_cut(connection, piece, 64_000_000) < 32_000_000


@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "after a while"])
def test_a_line_after_the_body_is_no_header(connection: socket.socket, *, whole: bool) -> None:
    head = b"GET /v1/problems/internal HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    after = b"0\r\nAccept-Language: fi\r\nAccept: text/html\r\n\r\n"
    with connection:
        for piece in (head + after,) if whole else (head, after):
            connection.sendall(piece)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"content-language: en" in answer
    assert b"content-type: application/json" in answer


def test_requests_may_wait_for_each_other_but_not_without_end(connection: socket.socket) -> None:
    asked = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connection:
        connection.sendall(asked * PIPELINED + last)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (answers.count(b"HTTP/1.1 404"), answers.count(b"HTTP/1.1 200")) == (PIPELINED, 1)


def test_a_flood_of_waiting_requests_is_cut(connection: socket.socket) -> None:
    with connection:
        assert sent_until_cut(connection, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 1000, 64_000_000) < 32_000_000


def test_who_is_not_known_yet_sends_no_large_body(connection: socket.socket) -> None:
    """Bodies are waited for: thousands of them together must fit into memory."""
    with connection:
        connection.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 413"


HOSTS = {"none": b"", "two": b"Host: x\r\nHost: y\r\n", "one twice": b"Host: x\r\nhost: x\r\n"}


@pytest.mark.parametrize("hosts", HOSTS)
def test_a_request_names_one_host(connection: socket.socket, hosts: str) -> None:
    """RFC 9112 section 3.2: a proxy and we could take two different ones."""
    with connection:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\n" + HOSTS[hosts] + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
