"""A row's request over real HTTP, byte for byte: no client library tidies path, header lines or body on the way."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from attacks.oauth.forge import Wire

VARIES = frozenset({"date", "sauma-request-id", "traceparent", "ratelimit", "ratelimit-remaining", "ratelimit-reset"})
"""Headers that differ from answer to answer, whatever was asked."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer as it came; `error` is the OAuth code of the body or of the challenge."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header."""
        values = [value for said, value in self.headers if said.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None

    @property
    def members(self) -> dict[str, Any]:
        """The body, which is a JSON object whatever it says."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> str | None:
        """The OAuth error code; body and challenge name the same."""
        said = self.members.get("error")
        challenge = self.header("www-authenticate") or ""
        if said is not None and challenge:
            assert f'error="{said}"' in challenge
        return said

    def plain(self) -> tuple[object, ...]:
        """What an outsider can compare: everything but the moment and the request's own id."""
        told = tuple((name, value) for name, value in self.headers if name.lower() not in VARIES)
        members = {name: value for name, value in self.members.items() if name != "instance"}
        return self.status, told, json.dumps(members), len(self.body)


def send(url: str, wire: Wire, *, source: str = "") -> Answer:
    """Send it, from the address `source` if that is said, and read the whole answer."""
    place = urlsplit(url)
    where = (source, 0) if source else None
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30, source_address=where)
    try:
        connection.putrequest(
            wire.method, wire.path + (f"?{wire.query}" if wire.query else ""), skip_accept_encoding=True
        )
        for name, value in wire.headers:
            connection.putheader(name, value.encode("latin-1"))
        if wire.body or wire.method == "POST":
            connection.putheader("Content-Length", str(len(wire.body)))
        connection.endheaders(wire.body or None)
        answer = connection.getresponse()
        return Answer(status=answer.status, headers=tuple(answer.getheaders()), body=answer.read())
    finally:
        connection.close()
