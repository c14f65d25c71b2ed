"""A county, a vendor and their systems in a database, and calls as the server role makes them."""

import itertools
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from databases import Database
from sauma.core.canonical import digest
from sauma.core.evidence import ClaimKind
from sauma.store.statements import load

PATH, WRITES = load("path"), load("writes")
APPEND = "select status, recorded_at, leaf_hash from api.append($1, $2, $3, $4, $5, $6, $7, $8, $9)"
NEVER = 4_000_000_000
OWN, THEIRS = "own", "supplier"
_NUMBERS = itertools.count(1_000_000)


@dataclass(frozen=True)
class Parties:
    """A county with a system of its own, and a vendor whose system acts for it; each is named by its part."""

    server: asyncpg.Connection
    elsewhere: asyncpg.Connection
    county: str
    vendor: str
    own: str
    supplier: str

    async def change(self, statement: str) -> None:
        """Run a statement of a table below; `{county}` and the like are filled in."""
        names = {name: getattr(self, name) for name in ("county", "vendor", "own", "supplier")}
        await self.elsewhere.execute(statement.format_map(names))

    async def version(self, system: str) -> int:
        return int(
            await self.elsewhere.fetchval(
                "select version from registry.mandate where client = $1 and organisation = $2", system, self.county
            )
        )

    async def append(self, system: str, version: int, *claims: tuple[ClaimKind, bytes], kind: str = "read") -> str:
        supplier = self.vendor if system == self.supplier else None
        row = await appended(self.server, self.county, system, version, *claims, kind=kind, supplier=supplier)
        return str(row["status"])

    async def claim(self, system: str, version: int, *claims: tuple[ClaimKind, bytes]) -> str:
        return str(
            await self.server.fetchval(
                WRITES["claim"],
                system,
                self.county,
                version,
                [kind.value for kind, _ in claims],
                [named for _, named in claims],
                [NEVER for _ in claims],
            )
        )

    async def stands(self, system: str, version: int, token: bytes = bytes(16)) -> bool:
        return bool(await self.server.fetchval(PATH["mandate_stands"], system, self.county, version, token))

    async def known(self, system: str) -> dict[str, object] | None:
        """The mandate for the county as the token endpoint finds it."""
        row = await self.server.fetchrow(PATH["known_client"], system)
        return next((m for m in json.loads(row["mandates"]) if m["organisation"] == self.county), None)


async def appended(  # noqa: PLR0913  # each is one fact of a test's sentence
    connection: asyncpg.Connection,
    organisation: str,
    system: str,
    version: int,
    *claims: tuple[ClaimKind, bytes],
    kind: str = "read",
    supplier: str | None = None,
) -> asyncpg.Record:
    """One entry without a case, as a server appends it."""
    leaf = {
        "v": 1, "id": str(uuid.uuid4()), "kind": kind, "writer": str(uuid.uuid4()), "counter": 1,
        "organisation": organisation, "client": system, "decision": "a-look",
    }  # fmt: skip
    if supplier is not None:
        leaf["supplier"] = supplier
    if kind == "outcome":
        leaf["refers"] = str(uuid.uuid4())
    basis = (system, version, organisation, *(None,) * 9)
    row = await connection.fetchrow(
        APPEND,
        json.dumps(leaf).encode(),
        b"[]",
        b"",
        None,
        None,
        basis,
        [named.value for named, _ in claims],
        [each for _, each in claims],
        [NEVER for _ in claims],
    )
    assert row is not None
    return row


def once() -> bytes:
    """A digest nobody has used."""
    return digest(uuid.uuid4().bytes)[:16]


SET_UP = """
insert into registry.organisation (id, kind, name_fi, name_sv, name_en)
values ('{county}', 'county', 'F', 'S', 'E'), ('{vendor}', 'vendor', 'F', 'S', 'E');
insert into registry.organisation_grant (organisation, scopes) values ('{county}', '{{case:read,matter:write}}');
insert into registry.delegation (organisation, supplier, scopes) values ('{county}', '{vendor}', '{{case:read}}');
insert into registry.client (id, organisation, scopes)
values ('{own}', '{county}', '{{case:read,matter:write,record:write}}'), ('{supplier}', '{vendor}', '{{case:read}}');
insert into registry.client_key (client, kid, algorithm, jwk)
values ('{own}', 'k-1', 'ES256', '{{"kty":"EC"}}'), ('{supplier}', 'k-1', 'ES256', '{{"kty":"EC"}}');
insert into registry.identity_provider (organisation, issuer, kid, algorithm, jwk)
values ('{county}', 'https://idp.example', 'i-1', 'ES256', '{{"kty":"EC"}}');
"""


async def revoke(parties: Parties, token: bytes) -> None:
    """A token's revocation as it stands once its entry is committed."""
    await parties.elsewhere.execute(
        "insert into ledger.claim (kind, digest, expires_at) values ('revoked', $1, to_timestamp($2))", token, NEVER
    )


@asynccontextmanager
async def open_parties(database: Database) -> AsyncIterator[Parties]:
    """Parties nobody else has."""
    server = await asyncpg.connect(database.dsn("sauma_server"))
    elsewhere = await asyncpg.connect(database.dsn("postgres"))
    await server.execute(PATH["add_partitions"])
    number = next(_NUMBERS)
    made = Parties(
        server, elsewhere, county=f"{number}-1", vendor=f"{number}-2", own=f"own-{number}", supplier=f"sup-{number}"
    )
    try:
        await made.change(SET_UP)
        yield made
    finally:
        await server.close()
        await elsewhere.close()
