"""The register: organisations, their systems and keys, read for tokens and at start."""

import asyncpg
import msgspec

from sauma.core.errors import Unavailable
from sauma.exchange.tokens import ClientState, IdentityProvider, KnownClient, Mandate
from sauma.store.pool import UNABLE, Database
from sauma.store.statements import load

_SQL = load("path")


class _ProviderKey(msgspec.Struct, frozen=True):
    """One key of an identity provider as the register's JSON spells it; `jwk` is JSON once more."""

    organisation: str
    issuer: str
    kid: str
    alg: str
    jwk: str


class PostgresRegister:
    """Registered systems and areas in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_client(self, client_id: str) -> KnownClient | None:
        """The registered system of that id, if any, whatever its state, with the mandates that stand now.

        For an unknown id another system's row comes back and is read as well, so that both cost the same time.
        """
        rows = await self._fetch("known_client", client_id)
        if not rows:
            return None
        row = rows[0]
        rows_of_keys = zip(row["jwks"], row["kids"], row["algorithms"], strict=True)
        keys = tuple(key for jwk, kid, algorithm in rows_of_keys for key in _key(jwk, kid=kid, algorithm=algorithm))
        known = KnownClient(
            id=row["client"],
            organisation=row["organisation"],
            keys=keys,
            state=ClientState(row["state"]),
            mandates=msgspec.json.decode(row["mandates"], type=tuple[Mandate, ...]),
            providers=_providers(row["providers"]),
            jwks_uri=row["jwks_uri"],
            nonce_required=row["nonce_required"],
            certificate_bound=row["certificate_bound"],
        )
        return known if known.id == client_id else None

    async def mandate_stands(self, client_id: str, organisation: str, version: int, token_digest: bytes) -> bool:
        """Whether a token given under that version still holds and was not revoked; asked anew, nothing is written."""
        rows = await self._fetch("mandate_stands", client_id, organisation, version, token_digest)
        return bool(rows[0]["mandate_stands"])

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


def _key(jwk: bytes | str, *, kid: str, algorithm: str) -> tuple[dict[str, str], ...]:
    """The key of a row; none where it is no JWK: such a row verifies nothing, and keeps nobody from the others."""
    try:
        members = msgspec.json.decode(jwk, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    return ({**members, "kid": kid, "alg": algorithm},)


def _providers(rows: str) -> tuple[IdentityProvider, ...]:
    """Each organisation's identity providers with all their keys."""
    keys: dict[tuple[str, str], tuple[dict[str, str], ...]] = {}
    for row in msgspec.json.decode(rows, type=tuple[_ProviderKey, ...]):
        known = keys.get((row.organisation, row.issuer), ())
        keys[row.organisation, row.issuer] = (*known, *_key(row.jwk, kid=row.kid, algorithm=row.alg))
    return tuple(IdentityProvider(organisation=o, issuer=i, keys=held) for (o, i), held in keys.items())
