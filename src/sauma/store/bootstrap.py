"""What a superuser does once before Sauma: roles, database, and what everybody is denied.

The embedded server is prepared here; on any other server a DBA runs the text of `script`, which is the same SQL.
"""

import base64
import hashlib
import hmac
from importlib.resources import files
from secrets import token_bytes  # noqa: TID251  # a salt, for a verifier kept by the embedded server only

import asyncpg

from sauma.store.embedded import LOGIN_ROLES, OPERATORS, SUPERUSER, Cluster
from sauma.store.session import connected

_LOCK = 0x5341554D41  # «SAUMA»
_ITERATIONS = 4096


def _text(name: str) -> str:
    return files("sauma.store").joinpath(name).read_text(encoding="utf-8")


ROLES = _text("roles.sql")
_REGISTRARS = _text("operators.sql")
PRIVILEGES = _text("privileges.sql")


async def bootstrap(cluster: Cluster, *, database: str = "sauma", template: str = "template1") -> None:
    """Roles, database and denials on an embedded server; any number of processes may do it at once, or again."""
    async with connected(cluster.dsn(SUPERUSER, "postgres")) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(ROLES)
        await connection.execute(_REGISTRARS)
        await _set_passwords(connection, passwords=cluster.passwords)
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", database):
            statement = await connection.fetchval(
                "SELECT format('CREATE DATABASE %I TEMPLATE %I OWNER sauma_owner', $1::text, $2::text)",
                database,
                template,
            )
            await connection.execute(statement)
        async with connected(cluster.dsn(SUPERUSER, database)) as inside:
            await inside.execute(PRIVILEGES)


def script(database: str = "sauma") -> str:
    """The same for a DBA, as a psql script; passwords are typed at psql's prompt and never written down.

    It makes no registrar: each is a person with a login of their own, made as `roles.sql` says.
    """
    prompts = "\n".join(f"\\password {role}" for role in LOGIN_ROLES)
    return (
        f"-- psql -X -v ON_ERROR_STOP=1 -d postgres -f <this file>, as a superuser\n\n{ROLES}\n{prompts}\n\n"
        f"SELECT 'CREATE DATABASE {database} OWNER sauma_owner'\n"
        f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec\n"
        f"\\connect {database}\n\n{PRIVILEGES}"
    )


async def _set_passwords(connection: asyncpg.Connection, *, passwords: dict[str, str]) -> None:
    """Give each role that logs in its password, once; the server is sent a verifier, never the password."""
    bare = await connection.fetch(
        "SELECT rolname FROM pg_authid WHERE rolpassword IS NULL AND rolname = ANY($1::text[])",
        [*LOGIN_ROLES, *OPERATORS],
    )
    for row in bare:
        verifier = scram_verifier(passwords[row["rolname"]], salt=token_bytes(16))
        statement = await connection.fetchval(
            "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", row["rolname"], verifier
        )
        await connection.execute(statement)


def scram_verifier(password: str, *, salt: bytes) -> str:
    """What PostgreSQL stores for an ASCII password (RFC 5802 §3, RFC 7677; pg_authid.rolpassword)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode("ascii") for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt64}${stored64}:{server64}"
