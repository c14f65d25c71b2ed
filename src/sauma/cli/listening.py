"""The address Sauma listens on: taken before anything is started, so that a second `./sauma` is refused at once.

It listens from then on, and not only when it can answer: a socket that is bound but does not listen stops nobody, as
`SO_REUSEADDR` (which a restart needs) lets others bind beside it. Whoever connects early waits and is answered.
"""

import errno
import socket
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
}


def listen(settings: Settings) -> socket.socket:
    """The socket of `SAUMA_HOST` and `SAUMA_PORT`, listening; the caller closes it.

    Raises:
        StartRefused: somebody listens there, or this machine or user cannot.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(_BACKLOG)
    except OSError as fault:
        listening.close()
        raise StartRefused(_REFUSALS.get(fault.errno or 0, _TAKEN), exit_code=EX_CONFIG) from None
    return listening


def address(settings: Settings) -> str:
    """Where it listens, as a URL."""
    return f"http://{_bracketed(settings.host)}:{settings.port}"


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
