"""Requests as bytes: what no well-behaved client would send."""

import http.client
import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from live import Live
from systems import judged

MARKER = "Kätketty7Merkki"
ASCII_MARKER = "Katketty7Merkki"


@dataclass(frozen=True)
class Sent:
    """One request, spelled out: `body` as bytes, or anything else as JSON; a header None is left out."""

    method: str = "POST"
    target: str = "/v1/case-queries"
    body: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    system: str | None = "pirha"


class Wire:
    """Sends exactly the bytes it is given, with a token and a fresh proof of the system named."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def send(self, sent: Sent) -> httpx.Response:
        body = (
            sent.body if isinstance(sent.body, bytes) else b"" if sent.body is None else json.dumps(sent.body).encode()
        )
        headers: dict[str, str | None] = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        if sent.system is not None:
            headers |= self._credentials(sent)
        headers = {**headers, **sent.headers}
        connection = http.client.HTTPConnection(urlsplit(self._live.url).netloc, timeout=30)
        try:
            connection.putrequest(sent.method, sent.target, skip_accept_encoding=True)
            for name, value in headers.items():
                for line in (value or "").split("\n") if value is not None else ():
                    connection.putheader(name, line.encode())
            if "Transfer-Encoding" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            got = connection.getresponse()
            answer = httpx.Response(
                got.status,
                headers=got.getheaders(),
                content=got.read(),
                request=httpx.Request(
                    sent.method,
                    self._live.url + urlsplit(sent.target).path,
                    extensions={"target": sent.target.encode()},
                ),
            )
        finally:
            connection.close()
        judged(answer)
        return answer

    def _credentials(self, sent: Sent) -> dict[str, str]:
        system = self._live.system(str(sent.system))
        token = system.token()
        url = self._live.url + sent.target.partition("?")[0]
        return {"Authorization": f"DPoP {token}", "DPoP": system.auth._proof(sent.method, url, token=token)}
