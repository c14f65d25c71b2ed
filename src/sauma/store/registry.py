"""The register: organisations, their systems and keys, read for tokens and at start."""

import json

import asyncpg

from sauma.core.errors import Unavailable
from sauma.exchange.tokens import ClientState, KnownClient
from sauma.store.pool import UNABLE, Database
from sauma.store.statements import load

_SQL = load("path")


class PostgresRegister:
    """Registered systems and areas in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state."""
        rows = await self._fetch("find_client", client_id)
        if not rows:
            return None
        row = rows[0]
        keys = tuple(
            {**json.loads(jwk), "kid": kid, "alg": algorithm}
            for kid, algorithm, jwk in zip(row["kids"], row["algorithms"], row["jwks"], strict=True)
        )
        return KnownClient(
            id=client_id,
            organisations=(row["organisation"],),
            keys=keys,
            scopes=frozenset(row["scopes"]),
            state=ClientState.ACTIVE if row["active"] else ClientState.SUSPENDED,
            version=row["client_version"],
        )

    async def counties(self) -> dict[str, str]:
        """The business id of the organisation that answers for each area code."""
        return {row["area_code"]: row["organisation"] for row in await self._fetch("counties")}

    async def keep_house(self) -> None:
        """Make sure that the coming months' partitions exist, and forget expired claims and keys."""
        await self._fetch("add_partitions")
        await self._fetch("forget_expired")

    async def ready(self) -> bool:
        """Whether the database answers, asked on a connection of its own: a busy pool is no reason to be taken out."""
        return await self._database.answers()

    async def _fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        async with self._database.hold() as held:
            try:
                found: list[asyncpg.Record] = await held.connection.fetch(_SQL[name], *values)
            except UNABLE:
                raise Unavailable("ledger-unavailable") from None
        return found
