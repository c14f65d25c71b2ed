"""The naive pipeline: the same question answered the usual way, honestly and without being slow on purpose.

What it does on each request: Litestar's authentication middleware verifies token and DPoP proof with the product's own
functions, so the checks are the same, in full each time (it remembers no token and no key); a guard looks at the scope;
three sibling dependencies give the caller, the policy of the purpose and a connection inside a transaction; seven round
trips (BEGIN, set_config, agreement and matter, records, audit row, claim of the proof's id, COMMIT); every field that
leaves is opened with AES-256-GCM, as many as the product opens; the answer is a msgspec-encoded dictionary of the
product's length; a JSON access log line, a Prometheus-like counter and histogram, problem details for what is refused.

What it does not do, in its favour: no decision by a catalogue, no commitment to what left, no blind index (it finds
people by case), one key for all fields instead of a key each person, no signed receipt, and its reader can read without
an audit row by leaving out a line. Same pool, garbage collector and server options as the product and the floor.
"""

import asyncio
import gc
import json
import logging
import os
import socket
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import uvicorn
import uvloop
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Litestar, Request, Response, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from sauma.oauth.jose import VerifyingKey, import_public
from sauma.oauth.resource import Challenge, ProtectedRequest, Trust, VerifiedToken, authenticate

TABLES = """
drop schema if exists naive cascade;
create schema naive;
create table naive.agreement (organisation text, purpose text, active boolean not null, primary key (organisation, purpose));
create table naive.matter (organisation text, reference text, person uuid not null, state text not null,
                           primary key (organisation, reference));
create table naive.record (id uuid primary key, person uuid not null, resource text not null,
                           at timestamptz not null default clock_timestamp(), names text[] not null, sealed bytea[] not null);
create index on naive.record (person);
create table naive.audit (id uuid primary key, at timestamptz not null default clock_timestamp(), organisation text not null,
                          client text not null, officer text not null, purpose text not null, reference text not null,
                          person uuid not null, fields text[] not null);
create index on naive.audit (person, at);
create table naive.claim (digest bytea primary key, expires_at timestamptz not null);
"""
_STANDS = """
select m.person from naive.agreement a join naive.matter m on m.organisation = a.organisation
 where a.organisation = $1 and a.purpose = $2 and a.active and m.reference = $3 and m.state = 'open'
"""
_RECORDS = "select id, resource, at, names, sealed from naive.record where person = $1 order by id"
_AUDIT = """
insert into naive.audit (id, organisation, client, officer, purpose, reference, person, fields)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_CLAIM = "insert into naive.claim (digest, expires_at) values ($1, to_timestamp($2))"
SCOPE = "case:read"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_LOG = logging.getLogger("naive.access")


class Officer(msgspec.Struct):
    id: str
    name: str
    role: str
    unit: str


class Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    purpose: str
    case_reference: str
    subject: dict[str, str]
    officer: Officer


class Refused(Exception):  # noqa: N818  # a refusal, not an error
    def __init__(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers or {}


class Authentication(AbstractAuthenticationMiddleware):
    """Token and proof, verified on every request."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        headers = connection.scope["headers"]
        request = ProtectedRequest(
            method=str(connection.scope["method"]),
            raw_path=connection.scope["raw_path"].decode("ascii"),
            query=connection.scope["query_string"].decode("ascii"),
            authorizations=tuple(v.decode("latin-1") for k, v in headers if k == b"authorization"),
            proofs=tuple(v.decode("latin-1") for k, v in headers if k == b"dpop"),
        )
        verified = authenticate(request, connection.app.state.trust, now=int(time.time()))
        if isinstance(verified, Challenge):
            raise Refused(verified.status, "invalid_token", dict(verified.headers))
        return AuthenticationResult(user=verified, auth=None)


def scope_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if SCOPE not in connection.user.scopes:
        raise Refused(403, "insufficient_scope")


async def provide_caller(request: Request[Any, Any, Any]) -> VerifiedToken:
    verified: VerifiedToken = request.user
    return verified


async def provide_policy(state: State) -> dict[str, Any]:
    return state.policy


async def provide_session(state: State) -> AsyncIterator[Any]:
    async with state.pool.acquire() as connection, connection.transaction():
        yield connection


@post("/v1/case-queries", status_code=200, guards=[scope_guard])
async def query(
    data: Query, caller: VerifiedToken, policy: dict[str, Any], session: Any, state: State
) -> dict[str, Any]:
    await session.execute("select set_config('app.organisation', $1, true)", caller.organisation)
    person = await session.fetchval(_STANDS, caller.organisation, data.purpose, data.case_reference)
    if person is None:
        raise Refused(403, "not-permitted")
    rows = await session.fetch(_RECORDS, person)
    records = [
        {
            "resource": row["resource"],
            "id": row["id"],
            "revision": 1,
            "recordedAt": row["at"],
            "controller": policy["controller"],
            "fields": {
                name: msgspec.json.decode(
                    state.cipher.decrypt(sealed[:12], sealed[12:], row["id"].bytes + name.encode())
                )
                for name, sealed in zip(row["names"], row["sealed"], strict=True)
            },
        }
        for row in rows
    ]
    entry = uuid.uuid4()
    named = [f"{row['resource']}.{name}" for row in rows for name in row["names"]]
    await session.execute(
        _AUDIT,
        entry,
        caller.organisation,
        caller.client_id,
        data.officer.id,
        data.purpose,
        data.case_reference,
        person,
        named,
    )
    try:
        await session.execute(_CLAIM, caller.claims[0].digest, caller.claims[0].expires_at)
    except asyncpg.UniqueViolationError:
        raise Refused(401, "invalid_dpop_proof") from None
    return {**policy["frame"], "outcome": "disclosed", "disclosureId": entry, "records": records}


class Observation:
    """One JSON line and one count and duration for each request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = Counter[tuple[str, str, int]]()
        self.durations = Counter[tuple[str, str, float]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            took = time.perf_counter() - began
            method, path = str(scope.get("method")), str(scope.get("path_template"))
            self.requests[method, path, status] += 1
            self.durations[method, path, next((b for b in _BUCKETS if took <= b), float("inf"))] += 1
            line = {
                "at": time.time(),
                "id": str(uuid.uuid4()),
                "method": method,
                "path": path,
                "status": status,
                "took": took,
            }
            _LOG.info("%s", msgspec.json.encode(line).decode())


def problem(_: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    members = {"type": f"/problems/{refused.code}", "title": refused.code, "status": refused.status}
    return Response(
        msgspec.json.encode(members),
        status_code=refused.status,
        headers=refused.headers,
        media_type="application/problem+json",
    )


def sealed_records(
    cipher: AESGCM, records: list[dict[str, Any]]
) -> list[tuple[uuid.UUID, str, list[str], list[bytes]]]:
    """The rows of one person: the product's answer's fields, each sealed to its place."""
    rows = []
    for record in records:
        number = uuid.uuid4()
        sealed = []
        for name, fragment in record["fields"].items():
            nonce = os.urandom(12)
            sealed.append(nonce + cipher.encrypt(nonce, json.dumps(fragment).encode(), number.bytes + name.encode()))
        rows.append((number, record["resource"], list(record["fields"]), sealed))
    return rows


async def _no_reset(_: object) -> None:
    """As the product's pool: nothing is left on a connection."""


async def main(told: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    public: list[VerifyingKey] = []
    for jwk in json.loads(told["keys"])["keys"]:
        key = import_public(jwk)
        if isinstance(key, VerifyingKey) and key.algorithm == "ES256":
            public.append(key)
    url = told["url"]
    pool = await asyncpg.create_pool(
        told["dsn"], min_size=1, max_size=int(told["pool"]), reset=_no_reset, command_timeout=10
    )
    state = {
        "pool": pool,
        "trust": Trust(issuers={url: tuple(public)}, resource=url, metadata_url=url),
        "cipher": AESGCM(bytes.fromhex(told["cipher"])),
        "policy": {"controller": told["controller"], "frame": told["frame"]},
    }
    app = Litestar(
        route_handlers=[query],
        middleware=[Observation, DefineMiddleware(Authentication)],
        dependencies={
            "caller": Provide(provide_caller),
            "policy": Provide(provide_policy),
            "session": Provide(provide_session),
        },
        exception_handlers={Refused: problem},
        openapi_config=None,
        logging_config=None,
        state=State(state),
    )
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with socket.create_server(("127.0.0.1", int(told["port"])), backlog=2048) as listening:
        await uvicorn.Server(config).serve(sockets=[listening])
    await pool.close()


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.readline())))
