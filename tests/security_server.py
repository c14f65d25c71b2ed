"""A stand-in for X-Road: the caller's security server and Sauma's in one, with nothing of X-Road's own cryptography.

It does what PR-REST sections 4.1-4.4 make visible to both ends: one service is mapped to the provider's root, so path
prefix and host are rewritten; Host, User-Agent, Server and hop-by-hop headers are not passed on; X-Road-Client is
demanded, X-Road-Id made where none came; answers get X-Road's headers and redirects are not followed.
It calls Sauma from 127.0.0.2, so that a test from 127.0.0.1 is somebody else.
"""

import base64
import hashlib
import http.client
import http.server
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

ADDRESS = "127.0.0.2"
SERVICE = "FI/GOV/0246246-0/sauma/api"
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"}
_NOT_PASSED = _HOP_BY_HOP | {"transfer-encoding", "host", "user-agent", "server", "content-length"}


class SecurityServer:
    """Where the caller's system calls, and what Sauma answered it before X-Road added anything."""

    def __init__(self, port: int, provider: str) -> None:
        self.url = f"http://127.0.0.1:{port}/r1/{SERVICE}"
        self.provider = urlsplit(provider).netloc
        self.answered: list[tuple[int, dict[str, str]]] = []


@contextmanager
def security_server(provider: str) -> Iterator[SecurityServer]:
    """Carries calls to the provider for as long as the block lasts."""
    server = _Server(("127.0.0.1", 0), _Carrying)
    server.carrying = SecurityServer(server.server_address[1], provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.carrying
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    carrying: SecurityServer


class _Carrying(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        prefix = f"/r1/{SERVICE}"
        if not self.path.startswith(f"{prefix}/") or "X-Road-Client" not in self.headers:
            self._answer(400, {"X-Road-Error": "Client.BadRequest", "Content-Type": "application/json"}, b"{}")
            return
        status, headers, content = self._ask_provider(self.path.removeprefix(prefix), body)
        self.server.carrying.answered.append((status, headers))
        said = hashlib.sha512(body).digest()
        added = {
            "x-road-client": self.headers["X-Road-Client"],
            "x-road-service": SERVICE,
            "x-road-id": self.message,
            "x-road-request-id": str(uuid.uuid4()),
            "x-road-request-hash": base64.b64encode(said).decode(),
        }
        kept = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED}
        self._answer(status, {**kept, **added}, content)

    do_GET = do_POST = do_PUT = _carry  # noqa: N815  # as the base class spells them

    def _ask_provider(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.message = self.headers.get("X-Road-Id", str(uuid.uuid4()))
        netloc = self.server.carrying.provider
        connection = http.client.HTTPConnection(netloc, timeout=30, source_address=(ADDRESS, 0))
        try:
            connection.putrequest(self.command, path, skip_accept_encoding=True)
            if "X-Road-Id" not in self.headers:
                connection.putheader("X-Road-Id", self.message)
            for name, value in self.headers.items():
                if name.lower() not in _NOT_PASSED:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            got = connection.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
