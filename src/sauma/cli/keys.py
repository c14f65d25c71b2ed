"""`sauma keys issuer`: the keys that sign tokens follow each other, and a stolen one goes at once.

Every act replaces the file of keys as a whole; each worker of a running server follows it within about a second.
"""

import contextlib
import datetime as dt
import errno
import sys
from collections.abc import Callable, Iterator

import msgspec

from sauma import app
from sauma import settings as told
from sauma.cli.database import say
from sauma.core.errors import StartRefused
from sauma.oauth.keys import create_key
from sauma.oauth.keys import ring as issuing
from sauma.oauth.keys.issuer import change_ring, load_ring, open_ring
from sauma.oauth.keys.ring import KEPT, MAX_AGE, MOST, PREPARED, IssuerKey, IssuerKeyState, IssuerRing, Unmoved
from sauma.settings import EX_CONFIG, Settings

_WHY = {
    Unmoved.NEXT_STANDS: "a next key is there already; fix: rotate to it, or remove it first",
    Unmoved.NO_NEXT: "no next key; fix: sauma keys issuer prepare",
    Unmoved.TOO_YOUNG: f"the next key is published for less than {PREPARED} seconds, and a reader may keep the set for"
    f" {MAX_AGE}; fix: wait, or --now where no other server verifies tokens",
    Unmoved.TOO_MANY: f"there are {MOST} keys; fix: wait until a retired one is {KEPT} seconds old, or remove one",
    Unmoved.UNKNOWN_KID: "no key of that kid; fix: sauma keys issuer list",
}


def list_keys(*, json: bool) -> int:
    """Every key there is, with its state.

    Raises:
        StartRefused: exit 78, the file cannot be used.
    """
    place = app.issuer_keys_place(_settings())
    return _shown(load_ring(place) if place.exists() else IssuerRing(keys=()), json=json)


def prepare(*, json: bool) -> int:
    """A new key, published from now on.

    Raises:
        StartRefused: exit 78, the file cannot be used or written; so with `rotate` and `remove`.
    """
    return _changed(lambda ring, now: issuing.prepare(ring, create_key(), now=now), json=json)


def rotate(*, at_once: bool, json: bool) -> int:
    """The next key signs from now on, and the one before is believed until its tokens have ended."""
    return _changed(lambda ring, now: issuing.rotate(ring, now=now, at_once=at_once), json=json)


def remove(kid: str, *, json: bool) -> int:
    """A key is gone, and with it every token it signed."""
    return _changed(lambda ring, now: issuing.remove(ring, kid, instead=create_key(), now=now), json=json)


def _changed(step: Callable[[IssuerRing, int], IssuerRing | Unmoved], *, json: bool) -> int:
    place, now = app.issuer_keys_place(_settings()), int(app.now().timestamp())
    with _refusing():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        open_ring(place, now=now)
        outcome = change_ring(place, lambda ring: step(ring, now))
    if isinstance(outcome, Unmoved):
        say(_WHY[outcome])
        return 1
    return _shown(outcome, json=json)


def _settings() -> Settings:
    """What names the home; a key is changed without database, origin or key ring, in production too."""
    return told.read(needed=())


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        name = errno.errorcode.get(fault.errno or 0, "OSError")
        line = f"SAUMA_HOME: cannot be written to ({name}); fix: run this as the account that runs sauma"
        raise StartRefused(line, exit_code=EX_CONFIG) from None


def _shown(ring: IssuerRing, *, json: bool) -> int:
    rows = [_row(key) for key in ring.keys]
    if json:
        sys.stdout.write(msgspec.json.encode({"keys": rows}).decode() + "\n")
        return 0
    for row in rows:
        then = "".join(f", {name} {row[name]}" for name in ("mayRotate", "until") if name in row)
        sys.stdout.write(f"{row['state']:7}  {row['kid']}  {row['algorithm']}  since {row['since']}{then}\n")
    if not rows:
        say("no keys yet; the first start makes one")
    return 0


def _row(key: IssuerKey) -> dict[str, str]:
    row = {
        "kid": key.public.kid,
        "state": key.state.value,
        "algorithm": key.public.algorithm,
        "since": _moment(key.since),
    }
    if key.state is IssuerKeyState.NEXT:
        row["mayRotate"] = _moment(key.since + PREPARED)
    if key.state is IssuerKeyState.RETIRED:
        row["until"] = _moment(key.since + KEPT)
    return row


def _moment(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
