"""The composition root: settings become a World, a World becomes an application. The only file that knows all parts."""

import asyncio
import contextlib
import datetime as dt
import gc
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import msgspec
import uvicorn
import uvloop
from litestar.types import ASGIApp

from sauma.catalogue.loader import load, load_areas
from sauma.catalogue.problems import load_problem_texts
from sauma.core.canonical import uuid7
from sauma.core.errors import StartRefused, Unavailable
from sauma.core.parties import Caller, Client
from sauma.core.people import Environment
from sauma.exchange.ports import World
from sauma.exchange.tokens import Register, TokenDecision, TokenRequest, issue
from sauma.oauth.jose import SigningKey
from sauma.oauth.keys import key_set, load_or_create_key, resource_metadata, server_metadata
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, ProtectedRequest, Trust, authenticate, challenge
from sauma.oauth.server import AuthorizationServer, Issuer
from sauma.settings import EX_CONFIG, Settings
from sauma.store.inspection import PostgresInspection
from sauma.store.ledger import PostgresLedger
from sauma.store.pool import Database, open_pool
from sauma.store.records import PostgresRecords
from sauma.store.registry import PostgresRegister
from sauma.store.writes import PostgresWrites
from sauma.vault.aead import AeadFactory, aes_gcm
from sauma.vault.gateway import VaultGateway
from sauma.vault.hygiene import harden_process
from sauma.vault.keyring import Keyring, create_keyring, load_keyring
from sauma.vault.local import LocalVault
from sauma.web.context import Challenged, Credentials, Edge
from sauma.web.edge import application
from sauma.web.logs import configure, get_log
from sauma.web.protocol import BoundedProtocol

VERSION = "0.1.0"
HOUSEKEEPING_SECONDS = 6 * 3600
SCOPES = (
    "case:read",
    "matter:write",
    "record:write",
    "consent:read",
    "consent:write",
    "ledger:read",
)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A World with what the edge needs beside it."""

    world: World
    register: PostgresRegister
    receipt_key: dict[str, str]


def now() -> dt.datetime:
    """The moment, in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> uuid.UUID:
    """A fresh UUIDv7."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


@asynccontextmanager
async def open_world(settings: Settings, *, aead: AeadFactory = aes_gcm) -> AsyncIterator[World]:
    """The World of these settings; `aead` lets a test see every field that is opened."""
    async with open_running(settings, aead=aead) as running:
        yield running.world


@asynccontextmanager
async def open_running(settings: Settings, *, aead: AeadFactory = aes_gcm) -> AsyncIterator[Running]:
    """Pool, vault, catalogue and ports, for as long as the block lasts.

    Raises:
        StartRefused: no database named, or the key ring cannot be used.
    """
    if settings.database_url is None:
        line = "SAUMA_DATABASE_URL: no database; fix: name one, or use ./sauma"
        raise StartRefused(line, exit_code=EX_CONFIG)
    vault = LocalVault(_keyring(settings), random=os.urandom, aead=aead)
    areas, catalogue = load_areas(), load()
    pool = await open_pool(settings.database_url, size=settings.pool_size)
    try:
        database = Database(pool, dsn=settings.database_url, clock=now, new_id=new_id)
        register = PostgresRegister(database)
        await register.keep_house()
        counties = await register.counties()

        def county_of(municipality: str, day: dt.date) -> str | None:
            area = areas.county_of(municipality, day=day)
            return None if area is None else counties.get(area)

        world = World(
            environment=Environment(settings.environment.value),
            catalogue=catalogue,
            county_of=county_of,
            ledger=PostgresLedger(database),
            records=PostgresRecords(database),
            writes=PostgresWrites(database),
            inspection=PostgresInspection(database),
            vault=VaultGateway(vault),
            clock=now,
            entropy=os.urandom,
        )
        yield Running(world=world, register=register, receipt_key=vault.receipts.public_jwk())
    finally:
        await pool.close()


def edge_over(settings: Settings, running: Running) -> Edge:
    """The edge's parts: who is believed, who issues, what is published."""
    url = settings.public_url
    key = load_or_create_key(_home(settings) / "issuer.jwk")
    trust = Trust(
        issuers={url: (key.public,)},
        resource=url,
        metadata_url=f"{url}/.well-known/oauth-protected-resource",
    )
    authority = AuthorizationServer(Issuer(url=url, token_endpoint=f"{url}/oauth/token", resource=url, key=key))
    register = Register(running.world, running.register)

    def admit(credentials: Credentials) -> Caller:
        return _admit(credentials, trust)

    async def issue_token(request: TokenRequest) -> TokenDecision:
        token_id = new_id().hex + os.urandom(8).hex()
        return await issue(request, register=register, authority=authority, now=int(time.time()), token_id=token_id)

    return Edge(
        world=running.world,
        authenticate=admit,
        token_challenge=lambda error: _challenged(challenge(error, Reason.TOKEN_CLAIMS, trust=trust)),
        issue_token=issue_token,
        documents=_documents(url, key, running),
        public_url=url,
        problem_texts=load_problem_texts(),
        ready=running.register.ready,
        version=VERSION,
    )


def application_over(settings: Settings, running: Running) -> ASGIApp:
    """The ASGI application over a running World."""
    return application(edge_over(settings, running), log=get_log(), new_id=new_id)


def serve(settings: Settings, *, listening: socket.socket) -> int:
    """Serve on a socket that listens until told to stop; several workers share it.

    Returns the exit code.
    """
    harden_process()
    configure(getattr(logging, settings.log_level.name))
    if settings.workers == 1:
        uvloop.run(_serve(settings, listening))
        return 0
    return _serve_with_workers(settings, listening)


def _serve_with_workers(settings: Settings, listening: socket.socket) -> int:
    """Workers that accept on one socket; a signal to the parent ends them all, and it returns after the last."""
    workers: list[int] = []
    told: list[int] = []
    for _ in range(settings.workers):
        worker = os.fork()
        if worker == 0:
            with contextlib.suppress(KeyboardInterrupt, SystemExit):  # uvicorn's last word; the parent's is enough
                uvloop.run(_serve(settings, listening))
            os._exit(0)
        workers.append(worker)

    def forward(number: int, _: FrameType | None) -> None:
        told.append(number)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    for worker in workers:
        os.waitpid(worker, 0)
    if signal.SIGINT in told:
        raise KeyboardInterrupt
    return 0


async def _serve(settings: Settings, listening: socket.socket) -> None:
    async with open_running(settings) as running:
        config = uvicorn.Config(
            application_over(settings, running),
            http=BoundedProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=15,
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        get_log().info(
            "server-started",
            version=VERSION,
            environment=settings.environment.value,
            port=settings.port,
            workers=settings.workers,
        )
        house = asyncio.create_task(_keep_house(running.register))
        try:
            await uvicorn.Server(config).serve(sockets=[listening])
        finally:
            house.cancel()


async def _keep_house(register: PostgresRegister) -> None:
    """Keep the coming months' partitions ready and forget what has expired, for as long as the server runs."""
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        with contextlib.suppress(Unavailable):
            await register.keep_house()


def _admit(credentials: Credentials, trust: Trust) -> Caller:
    request = ProtectedRequest(
        method=credentials.method,
        raw_path=credentials.raw_path,
        query=credentials.query,
        authorizations=credentials.authorizations,
        proofs=credentials.proofs,
    )
    token = authenticate(request, trust, now=int(time.time()))
    if isinstance(token, Challenge):
        raise _challenged(token)
    return Caller(
        client=Client(id=token.client_id, organisation=token.organisation, version=token.client_version),
        scopes=token.scopes,
        token_id=token.token_id,
        assertion_digest=token.assertion_digest,
        claims=token.claims,
        officer=token.officer,
    )


def _challenged(said: Challenge) -> Challenged:
    return Challenged(said.status, said.body, said.headers)


def _documents(url: str, key: SigningKey, running: Running) -> dict[str, bytes]:
    keys = key_set(key.public)
    return {
        "authorization-server": msgspec.json.encode(server_metadata(url, scopes=SCOPES)),
        "protected-resource": msgspec.json.encode(resource_metadata(url, scopes=SCOPES)),
        "keys": msgspec.json.encode({"keys": [*keys["keys"], running.receipt_key]}),
    }


def _keyring(settings: Settings) -> Keyring:
    """The key ring; made at first start where nothing but a trial can be lost."""
    path = settings.keyring or _home(settings) / "keyring.json"
    if path.exists() or settings.environment.value == Environment.PRODUCTION.value:
        return load_keyring(path)
    try:
        return create_keyring(path, now(), os.urandom)
    except FileExistsError:
        return load_keyring(path)


def _home(settings: Settings) -> Path:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.home
