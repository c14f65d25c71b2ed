"""A key in the register is a public JWK; and where one is not, it verifies nothing and keeps nobody from the others."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from databases import Database
from sauma.app import new_id, now
from sauma.store.pool import Database as Pooled
from sauma.store.pool import open_pool
from sauma.store.registry import PostgresRegister

GOOD = b'{"crv":"P-256","kty":"EC","x":"A","y":"B"}'
NO_KEYS = {
    "no JSON": b"not json",
    "nothing": b"",
    "a list": b"[1]",
    "a text": b'"EC"',
    "null": b"null",
    "an object of no kind": b"{}",
    "a number in it": b'{"kty":"EC","x":1}',
    "an object in it": b'{"kty":"EC","x":{}}',
    "a null in it": b'{"kty":"EC","x":null}',
    "no text": b'{"kty":"EC","x":"\xff"}',
    "half a character": b'{"kty":"EC","x":"\\ud800"}',
    "a zero": b'{"kty":"EC","x":"\\u0000"}',
    "very deep": b"[" * 100_000,
    "a private key": b'{"kty":"EC","d":"A"}',
    "a shared secret": b'{"kty":"oct","k":"A"}',
}
READABLE = {"a zero", "an object of no kind", "a private key", "a shared secret"}
UNREADABLE = [NO_KEYS[sentence] for sentence in NO_KEYS if sentence not in READABLE]
TEXTS = [jwk for jwk in UNREADABLE if b"\xff" not in jwk]
"""A provider's key is read as text by the database itself."""
INTO = (
    "insert into registry.client_key (client, kid, algorithm, jwk) values ('one', $1, 'ES256', $2)",
    "insert into registry.identity_provider values ('1000000-1', 'https://idp.example', $1, 'ES256', $2)",
)


SET_UP = """
insert into registry.organisation (id, kind, name_fi, name_sv, name_en) values ('1000000-1', 'county', 'F', 'S', 'E');
insert into registry.organisation_grant (organisation, scopes) values ('1000000-1', '{case:read}');
insert into registry.client (id, organisation, scopes) values ('one', '1000000-1', '{case:read}');
"""
UNCHECKED = """
alter table registry.client_key drop constraint client_key_jwk_check;
alter table registry.identity_provider drop constraint identity_provider_jwk_check;
"""


def with_a_system(database: Database) -> Database:
    async def run() -> None:
        connection = await asyncpg.connect(database.dsn("postgres"))
        await connection.execute(SET_UP)
        await connection.close()

    asyncio.run(run())
    return database


@pytest.fixture(scope="module")
def seeded(new_database: Callable[..., Database], _template: str) -> Database:
    return with_a_system(new_database(_template))


@pytest.fixture
def unchecked(new_database: Callable[..., Database], _template: str) -> Database:
    return with_a_system(new_database(_template))


@pytest.mark.parametrize("sentence", NO_KEYS)
async def test_the_register_takes_no_key_that_is_none(seeded: Database, sentence: str) -> None:
    connection = await asyncpg.connect(seeded.dsn("postgres"))
    try:
        for statement in INTO:
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(statement, sentence, NO_KEYS[sentence])
    finally:
        await connection.close()


async def test_the_register_takes_a_key(seeded: Database) -> None:
    """The control."""
    connection = await asyncpg.connect(seeded.dsn("postgres"))
    try:
        assert [await connection.execute(statement, "good", GOOD) for statement in INTO] == ["INSERT 0 1"] * 2
    finally:
        await connection.close()


async def test_a_row_that_is_no_key_is_left_out_and_the_others_are_found(unchecked: Database) -> None:
    """Rows of a database whose owner has taken the checks away."""
    connection = await asyncpg.connect(unchecked.dsn("postgres"))
    await connection.execute(UNCHECKED)
    for statement, unreadable in zip(INTO, (UNREADABLE, TEXTS), strict=True):
        for number, jwk in enumerate((*unreadable, GOOD)):
            await connection.execute(statement, f"k-{number:02}", jwk)
    await connection.close()
    dsn = unchecked.dsn("sauma_server")
    database = Pooled(await open_pool(dsn, size=1), dsn=dsn, clock=now, new_id=new_id)
    try:
        found = await PostgresRegister(database).find_client("one")
    finally:
        await database.close()
    assert found is not None
    assert [key["kid"] for key in found.keys] == [f"k-{len(UNREADABLE):02}"]
    assert [[key["kid"] for key in one.keys] for one in found.providers] == [[f"k-{len(TEXTS):02}"]]
