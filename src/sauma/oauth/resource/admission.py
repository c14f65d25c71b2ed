"""Who is let in: tokens of ours by our own keys, without a look at the database; those of a trusted issuer beside us.

A token of another issuer says which of its clients it is for. What that registered system may do for its organisation,
the register says at every call: a foreign token never holds more than one of ours would.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from sauma.exchange.tokens import ClientState, KeySource, KnownClient
from sauma.oauth.jose import VerifyingKey, import_public, parse
from sauma.oauth.nonce import Nonces
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import (
    Memory,
    ProtectedRequest,
    Trust,
    authenticate,
    credential_of,
    nonce_flaw,
    refused,
)
from sauma.oauth.resource.challenge import Challenge
from sauma.oauth.resource.token import VerifiedToken
from sauma.oauth.resource.trust import NamedIssuer


class Systems(Protocol):
    """Where registered systems are found."""

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        ...


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """Our own issuer's keys as they are now; whenever they change, `generation` does."""

    keys: tuple[VerifyingKey, ...]
    generation: int


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What stands for the whole life of a server: its identity and whom it trusts.

    `issuer` is our own issuer identifier, None where only others issue. `nonces` makes and knows DPoP nonces.
    """

    resource: str
    metadata_url: str
    issuer: str | None
    beside: tuple[NamedIssuer, ...]
    nonces: Nonces

    @property
    def issuers(self) -> tuple[str, ...]:
        """Whose tokens are taken, ours first."""
        beside = tuple(one.issuer for one in self.beside)
        return beside if self.issuer is None else (self.issuer, *beside)


class Admission:
    """The resource server's door of one process.

    `own_keys` gives our issuer's keys as they stand at a moment (Unix seconds); `published` fetches those of issuers
    that publish theirs; `systems` is the register.
    """

    def __init__(
        self, house: House, *, own_keys: Callable[[int], Keyed], published: KeySource, systems: Systems
    ) -> None:
        self._house = house
        self._own_keys = own_keys
        self._published = published
        self._systems = systems
        self._beside = {one.issuer: one for one in house.beside}
        self._memory = Memory()
        self._last: tuple[tuple[VerifyingKey, ...], Trust] | None = None

    async def admit(self, request: ProtectedRequest, *, now: int) -> VerifiedToken | Challenge:
        """Who calls, or the challenge; what the register still says of a caller of ours is said at the append.

        Raises:
            Unavailable: the register cannot be asked about a system whose token another issuer gave.
        """
        keyed = self._own_keys(now)
        self._memory.follow(keyed.generation)
        verdict = authenticate(request, self._own_trust(keyed.keys), now=now, memory=self._memory)
        if isinstance(verdict, Challenge) and verdict.reason is Reason.ISSUER_UNKNOWN and self._beside:
            return await self._foreign(request, verdict, now=now)
        return verdict

    def fresh_nonce(self, *, now: int) -> str:
        """The nonce a good answer carries to a caller that needs one."""
        return self._house.nonces.make(self._house.resource, now=now)

    def _own_trust(self, keys: tuple[VerifyingKey, ...]) -> Trust:
        """Trust in our own issuer; the last one made, while its keys are these."""
        if self._last is None or self._last[0] is not keys:
            own = {} if self._house.issuer is None else {self._house.issuer: keys}
            self._last = keys, self._trust(own)
        return self._last[1]

    def _trust(self, keys: Mapping[str, tuple[VerifyingKey, ...]]) -> Trust:
        house = self._house
        return Trust(
            issuers=keys,
            resource=house.resource,
            metadata_url=house.metadata_url,
            foreign={name: self._beside[name].trusted for name in keys if name in self._beside},
            nonces=house.nonces,
        )

    async def _foreign(self, request: ProtectedRequest, unknown: Challenge, *, now: int) -> VerifiedToken | Challenge:
        """The verdict on a token that is not ours: by its issuer's keys, if it is trusted, and then by the register."""
        token = credential_of(request)
        compact = token if isinstance(token, Reason) else parse(token)
        named = None if isinstance(compact, Reason) else self._beside.get(str(compact.members.get("iss")))
        if named is None or isinstance(compact, Reason):
            return unknown
        kid = compact.header.get("kid")
        trust = self._trust({named.issuer: await self._keys_of(named, kid if isinstance(kid, str) else None)})
        verdict = authenticate(request, trust, now=now)
        if isinstance(verdict, Challenge):
            return verdict
        known = await self._systems.find_client(verdict.client_id)
        granted = stands_under(verdict, known)
        if isinstance(granted, Reason):
            return refused("invalid_token", granted, trust)
        stale = nonce_flaw(granted, trust, now=now) if granted.nonce_required else None
        return stale or granted

    async def _keys_of(self, named: NamedIssuer, kid: str | None) -> tuple[VerifyingKey, ...]:
        """An issuer's keys; of a published set those that we could use at all."""
        if named.jwks_uri is None:
            return named.keys
        found = [import_public(jwk) for jwk in await self._published.keys_of(named.jwks_uri, kid)]
        return tuple(key for key in found if isinstance(key, VerifyingKey))


def stands_under(token: VerifiedToken, known: KnownClient | None) -> VerifiedToken | Reason:
    """Another issuer's token as the register lets it stand: narrowed to the system's mandate, and of its version.

    1 the system is active · 2 it may act for the organisation · 3 where a purpose must be signed for, the details name
    one, and a case, within the mandate · 4 bound to a certificate, where the system's tokens must be.
    """
    if known is None or known.state is not ClientState.ACTIVE:
        return Reason.CLIENT_INACTIVE
    mandate = known.mandate_for(token.organisation)
    if mandate is None:
        return Reason.MANDATE_NONE
    access = token.access
    demanded = mandate.demands_details(token.scopes)
    if demanded and not (access.purpose and access.case_reference):
        return Reason.DETAILS_REQUIRED
    if mandate.purposes is not None and access.purpose not in mandate.purposes:
        return Reason.DETAILS_PURPOSE_UNGRANTED
    if known.certificate_bound and token.certificate is None:
        return Reason.NOT_BOUND
    return token.under(mandate, nonce_required=known.nonce_required)
