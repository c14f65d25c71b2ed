"""Grants: the register as the token endpoint uses it: a token exists once its once-only ids and its entry are committed."""

from typing import Protocol

from sauma.core.evidence import Claim, EventKind
from sauma.core.parties import Caller, Client
from sauma.exchange.ports import World
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.rows import Missed
from sauma.exchange.tokens import KnownClient, TokenCommit, TokenGranted


class Clients(Protocol):
    """Where registered systems are found."""

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        ...


class Register:
    """Finds clients in the store and commits tokens to the ledger."""

    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        return await self._clients.find_client(client_id)

    async def commit_token(self, claims: tuple[Claim, ...], event: TokenGranted) -> TokenCommit:
        """Claim both once-only ids and record the grant in one statement."""
        caller = Caller(
            client=Client(id=event.client, organisation=event.organisation, version=event.client_version),
            scopes=frozenset(event.scopes),
            token_id=event.token_id,
            assertion_digest=event.assertion_digest,
            claims=claims,
        )
        draft = Draft(
            kind=EventKind.ADMIN,
            caller=caller,
            decision="token-issued",
            particulars={"scopes": list(event.scopes), "keyThumbprint": event.key_thumbprint},
        )
        _, build = compose(self._world, draft)
        appended = await self._world.ledger.append(build, claims, caller_basis(caller))
        return TokenCommit.ASSERTION_REPLAYED if isinstance(appended, Missed) else TokenCommit.FRESH
