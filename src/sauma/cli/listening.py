"""The address Sauma listens on: taken before anything is started, so that a second `./sauma` is refused at once.

It listens from then on, and not only when it can answer: a socket that is bound but does not listen stops nobody, as
`SO_REUSEADDR` (which a restart needs) lets others bind beside it. Whoever connects early waits and is answered.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from sauma import settings as told
from sauma.core.errors import StartRefused
from sauma.settings import EX_CONFIG, Settings

_BACKLOG = 2048
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TAKEN = (
    "SAUMA_PORT: taken, maybe by a Sauma that runs already; fix: stop what listens there, or set SAUMA_PORT and"
    " SAUMA_PUBLIC_URL, both, to another port"
)
_REFUSALS = {
    errno.EADDRNOTAVAIL: "SAUMA_HOST: not an address of this machine; fix: 127.0.0.1, or an address it has",
    errno.EACCES: "SAUMA_PORT: this user may not listen there; fix: set SAUMA_PORT and SAUMA_PUBLIC_URL above 1023",
    errno.EADDRINUSE: _TAKEN,
    errno.EAFNOSUPPORT: "SAUMA_HOST: this machine has no IPv6; fix: an IPv4 address",
}


_METRICS_REFUSALS = {
    errno.EADDRNOTAVAIL: "SAUMA_METRICS_HOST: not an address of this machine; fix: 127.0.0.1, or an address it has",
    errno.EACCES: "SAUMA_METRICS_PORT: this user may not listen there; fix: a port above 1023",
    errno.EADDRINUSE: "SAUMA_METRICS_PORT: taken; fix: stop what listens there, or set it to another port",
    errno.EAFNOSUPPORT: "SAUMA_METRICS_HOST: this machine has no IPv6; fix: an IPv4 address",
}


def listen(settings: Settings) -> socket.socket:
    """The socket of `SAUMA_HOST` and `SAUMA_PORT`, listening; the caller closes it.

    Raises:
        StartRefused: somebody listens there, or this machine or user cannot.
    """
    return _taken(settings.host, settings.port, _REFUSALS)


@contextlib.contextmanager
def listen_for_metrics(settings: Settings) -> Iterator[socket.socket | None]:
    """The socket of `SAUMA_METRICS_HOST` and `SAUMA_METRICS_PORT`, listening; None where no port is named.

    Raises:
        StartRefused: as `listen`.
    """
    if settings.metrics_port is None:
        yield None
        return
    with _taken(settings.metrics_host, settings.metrics_port, _METRICS_REFUSALS) as listening:
        yield listening


def _taken(host: str, port: int, refusals: Mapping[int, str]) -> socket.socket:
    try:
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError:
        raise StartRefused(refusals[errno.EAFNOSUPPORT], exit_code=EX_CONFIG) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as fault:
        listening.close()
        line = refusals.get(fault.errno or 0, refusals[errno.EADDRINUSE])
        raise StartRefused(line, exit_code=EX_CONFIG) from None
    return listening


def address(settings: Settings) -> str:
    """Where it listens, as a URL."""
    return f"http://{_bracketed(settings.host)}:{settings.port}"


def reachable(settings: Settings) -> str:
    """Where one connects to it from this machine, as a URL."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not bound: replaced
    return f"http://{_bracketed(everywhere.get(settings.host, settings.host))}:{settings.port}"


def astray(settings: Settings) -> str | None:
    """What to say when the public URL leads to another port of this machine; no token would fit what answers there.

    Another host or https is somebody's reverse proxy, whose port is its own.
    """
    url = urlsplit(settings.public_url)
    host = url.hostname or ""
    if url.scheme != "http" or host not in _LOOPBACK or (url.port or 80) == settings.port:
        return None
    still = "still the default, " if settings.public_url == told.from_environment({}).public_url else ""
    fix = f"set SAUMA_PUBLIC_URL=http://{_bracketed(host)}:{settings.port} for every command"
    return f"SAUMA_PUBLIC_URL: {still}{settings.public_url}, but SAUMA_PORT is {settings.port}; fix: {fix}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
