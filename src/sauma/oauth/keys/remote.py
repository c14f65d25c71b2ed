"""Keys that a client or a trusted issuer publishes at an address of its own: fetched, kept for a while, never pushed.

Kept ten minutes, renewed in the background before that, and used for a day at most while the address does not answer.
Whoever sends tokens with unknown kids causes one fetch in thirty seconds, however many they are. A set that holds a
private key ends what was kept of it at once: that key is everybody's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from sauma.oauth.jose import VerifyingKey, import_public, strict_object
from sauma.oauth.keys.fetch import KeyFault
from sauma.oauth.reasons import Reason

FRESH = 600
RENEWED = 480
STALE = 24 * 3600
PAUSE = 30
MOST_KEYS = 20
Jwks = tuple[Mapping[str, str], ...]


def read_key_set(raw: bytes) -> Jwks | KeyFault:
    """The signing keys of a published set that are of a kind we take, as canonical JWKs with `kid` and `alg`.

    A private member anywhere, or two keys of one kid, refuses the whole set; a key of another kind or use is left out.
    """
    members = strict_object(raw)
    published = None if isinstance(members, Reason) else members.get("keys")
    if not isinstance(published, list) or not all(isinstance(jwk, dict) for jwk in published):
        return KeyFault.MALFORMED
    if len(published) > MOST_KEYS:
        return KeyFault.TOO_MANY
    keys = [import_public(jwk) for jwk in published]
    if Reason.KEY_PRIVATE in keys:
        return KeyFault.PRIVATE
    stated = [str(jwk["kid"]) for jwk in published if "kid" in jwk]
    if len(set(stated)) != len(stated):
        return KeyFault.DUPLICATE_KID
    usable = [k for k, jwk in zip(keys, published, strict=True) if isinstance(k, VerifyingKey) and _for_signatures(jwk)]
    if len({key.kid for key in usable}) != len(usable):
        return KeyFault.DUPLICATE_KID
    return tuple({**key.jwk, "kid": key.kid, "alg": key.algorithm} for key in usable)


class RemoteKeys:
    """The published keys of each address, kept in this process; `fetch` gives the bytes, `clock` counts seconds.

    Addresses come from the register and the settings, never from a token. `on_fault` is told what was wrong and the
    origin it was wrong at.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes | KeyFault]],
        *,
        clock: Callable[[], float],
        on_fault: Callable[[KeyFault, str], object],
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._on_fault = on_fault
        self._held: dict[str, _Held] = {}

    async def keys_of(self, uri: str, kid: str | None) -> Jwks:
        """The keys published there; the same tuple for as long as they are the same. None are known: empty.

        It waits for a fetch where nothing fresh is held, or nothing of that kid; several callers wait for one fetch.
        """
        held = self._held.setdefault(uri, _Held())
        age = self._clock() - held.since
        wanting = age >= FRESH or (kid is not None and all(jwk["kid"] != kid for jwk in held.keys))
        if wanting or age >= RENEWED:
            self._begin(uri, held)
        if wanting and held.fetching is not None:
            await asyncio.shield(held.fetching)
        return held.keys if self._clock() - held.since < STALE else ()

    def _begin(self, uri: str, held: "_Held") -> None:
        """Fetch, unless that is being done or was tried a moment ago."""
        now = self._clock()
        if held.fetching is None and now - held.tried >= PAUSE:
            held.tried = now
            held.fetching = asyncio.get_running_loop().create_task(self._renew(uri, held))

    async def _renew(self, uri: str, held: "_Held") -> None:
        try:
            raw = await self._fetch(uri)
            found = raw if isinstance(raw, KeyFault) else read_key_set(raw)
        finally:
            held.fetching = None
        if isinstance(found, KeyFault):
            held.keys = () if found is KeyFault.PRIVATE else held.keys
            parts = urlsplit(uri)
            self._on_fault(found, f"{parts.scheme}://{parts.netloc}")
            return
        held.keys = held.keys if found == held.keys else found
        held.since = self._clock()


class _Held:
    """What is known of one address: since when, when it was last tried, and the fetch that is under way."""

    __slots__ = ("fetching", "keys", "since", "tried")

    def __init__(self) -> None:
        self.keys: Jwks = ()
        self.since = self.tried = float("-inf")
        self.fetching: asyncio.Task[None] | None = None


def _for_signatures(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
