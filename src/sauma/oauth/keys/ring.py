"""The issuer's keys and how they follow each other: next → active → retired, and gone.

A key is published as `next` for twice the time a cache may keep the set, so that every reader knows it before the first
token is signed with it; a retired one verifies for as long as a token signed with it can live, and as long again as a
cache may lag. Of a retired key only the public half is kept. Pure: the moment and new keys are arguments.
"""

import enum

import msgspec

from sauma.oauth.claims import SKEW, TOKEN_LIFETIME
from sauma.oauth.jose import SigningKey, VerifyingKey

MAX_AGE = 600
"""Seconds a reader may keep the published set (`Cache-Control`)."""
PREPARED = 2 * MAX_AGE
"""Seconds a key is published before it signs."""
KEPT = TOKEN_LIFETIME + SKEW + MAX_AGE
"""Seconds a retired key still verifies."""
MOST = 16


class IssuerKeyState(enum.Enum):
    """Published and not yet used; signs; signs no more but is still believed."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


class Unmoved(enum.Enum):
    """Why the ring stays as it is."""

    NEXT_STANDS = "next-stands"
    NO_NEXT = "no-next"
    TOO_YOUNG = "too-young"
    TOO_MANY = "too-many"
    UNKNOWN_KID = "unknown-kid"


class IssuerKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the ring, since when (Unix seconds) it is in its state; a retired one has no secret any more."""

    state: IssuerKeyState
    since: int
    public: VerifyingKey
    signing: SigningKey | None


class IssuerRing(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of the issuer: one active, at most one next."""

    keys: tuple[IssuerKey, ...]

    @property
    def active(self) -> SigningKey:
        """The key that signs."""
        return next(key.signing for key in self.keys if key.state is IssuerKeyState.ACTIVE and key.signing is not None)

    def verifying(self, *, now: int) -> tuple[VerifyingKey, ...]:
        """The keys whose tokens are believed: the active one, and those retired not longer than `KEPT` ago."""
        return tuple(k.public for k in self.standing(now=now).keys if k.state is not IssuerKeyState.NEXT)

    def standing(self, *, now: int) -> "IssuerRing":
        """The ring without the retired keys whose time is over: what is published, and what is kept at a change."""
        kept = (k for k in self.keys if k.state is not IssuerKeyState.RETIRED or now < k.since + KEPT)
        return IssuerRing(keys=tuple(kept))

    def in_state(self, state: IssuerKeyState) -> IssuerKey | None:
        """The first key of that state."""
        return next((key for key in self.keys if key.state is state), None)


def new_ring(signing: SigningKey, *, now: int) -> IssuerRing:
    """A ring of one active key."""
    return IssuerRing(keys=(_key(signing, IssuerKeyState.ACTIVE, now),))


def prepare(ring: IssuerRing, signing: SigningKey, *, now: int) -> IssuerRing | Unmoved:
    """The ring with a new key that is published and waits."""
    if ring.in_state(IssuerKeyState.NEXT) is not None:
        return Unmoved.NEXT_STANDS
    standing = ring.standing(now=now).keys
    if len(standing) >= MOST:
        return Unmoved.TOO_MANY
    return IssuerRing(keys=(*standing, _key(signing, IssuerKeyState.NEXT, now)))


def rotate(ring: IssuerRing, *, now: int, at_once: bool = False) -> IssuerRing | Unmoved:
    """The ring in which the next key signs and the one before is retired; `at_once` does not wait for caches."""
    waiting = ring.in_state(IssuerKeyState.NEXT)
    if waiting is None or waiting.signing is None:
        return Unmoved.NO_NEXT
    if not at_once and now < waiting.since + PREPARED:
        return Unmoved.TOO_YOUNG
    later = {IssuerKeyState.NEXT: IssuerKeyState.ACTIVE, IssuerKeyState.ACTIVE: IssuerKeyState.RETIRED}
    moved = (_moved(key, later[key.state], now) if key.state in later else key for key in ring.standing(now=now).keys)
    return IssuerRing(keys=tuple(moved))


def remove(ring: IssuerRing, kid: str, *, instead: SigningKey, now: int) -> IssuerRing | Unmoved:
    """The ring without a key: what it signed is refused from now on.

    In the place of the active key the next one signs at once, or `instead`, a new one, where there is no next.
    """
    gone = next((key for key in ring.keys if key.public.kid == kid), None)
    if gone is None:
        return Unmoved.UNKNOWN_KID
    left = IssuerRing(keys=tuple(key for key in ring.standing(now=now).keys if key.public.kid != kid))
    if gone.state is not IssuerKeyState.ACTIVE:
        return left
    follower = left.in_state(IssuerKeyState.NEXT)
    if follower is None:
        return IssuerRing(keys=(*left.keys, _key(instead, IssuerKeyState.ACTIVE, now)))
    active = _moved(follower, IssuerKeyState.ACTIVE, now)
    return IssuerRing(keys=tuple(active if key is follower else key for key in left.keys))


def _key(signing: SigningKey, state: IssuerKeyState, now: int) -> IssuerKey:
    return IssuerKey(state=state, since=now, public=signing.public, signing=signing)


def _moved(key: IssuerKey, state: IssuerKeyState, now: int) -> IssuerKey:
    signing = None if state is IssuerKeyState.RETIRED else key.signing
    return IssuerKey(state=state, since=now, public=key.public, signing=signing)
