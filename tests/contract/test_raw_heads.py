"""What comes before any request is understood: a head without end is cut, and one that comes in pieces is not."""

import socket
from urllib.parse import urlsplit

import pytest

from live import Live

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
