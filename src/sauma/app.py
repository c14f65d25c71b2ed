"""The composition root: settings become a World, a World becomes an application. The only file that knows all parts."""

import asyncio
import contextlib
import datetime as dt
import errno
import gc
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from litestar.types import ASGIApp

from sauma.catalogue.loader import load, load_areas
from sauma.catalogue.problems import load_problem_texts
from sauma.core.canonical import uuid7
from sauma.core.errors import StartRefused, Unavailable
from sauma.core.people import Environment
from sauma.exchange.ports import World
from sauma.exchange.tokens import Register, TokenEndpoints
from sauma.oauth.keys.certificate import certificate_thumbprint
from sauma.oauth.keys.fetch import KeyFault, KeySetFetch
from sauma.oauth.keys.issuer import IssuerKeys
from sauma.oauth.keys.remote import RemoteKeys
from sauma.oauth.metadata import documents
from sauma.oauth.nonce import Nonces
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, ProtectedRequest
from sauma.oauth.resource.admission import Admission, House, Keyed
from sauma.oauth.resource.challenge import challenge
from sauma.oauth.resource.trust import NamedIssuer, read_issuers
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
from sauma.web.certificate import ForwardedCertificates, NoCertificates
from sauma.web.context import Admitted, Challenged, Credentials, Edge
from sauma.web.edge import application
from sauma.web.logs import configure, error_origin, get_log
from sauma.web.protocol import BoundedProtocol
from sauma.web.running import FINISH_SECONDS, Server, allow_connections, in_workers
from sauma.web.telemetry.watch import Wanted, Watch
from sauma.web.traffic import Shared, Traffic

VERSION = "0.1.0"
HOUSEKEEPING_SECONDS = 6 * 3600
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
SCOPES = (
    "case:read",
    "matter:write",
    "record:write",
    "consent:write",
    "ledger:read",
)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A World with what the edge needs beside it."""

    world: World
    register: PostgresRegister
    receipt_key: dict[str, str]
    nonces: Nonces
    remote_keys: RemoteKeys
    connections: Callable[[], tuple[int, int]]


def now() -> dt.datetime:
    """The moment, in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> uuid.UUID:
    """A fresh UUIDv7."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def new_token_id() -> str:
    """A fresh unguessable `jti`: 128 bits spelled in letters, so that no run of digits is ever taken for a person's."""
    return os.urandom(16).hex().translate(_LETTERS)


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
    vault = LocalVault(open_keyring(settings), random=os.urandom, aead=aead)
    areas, catalogue = load_areas(), load()
    pool = await open_pool(settings.database_url, size=settings.pool_size)
    database = Database(pool, dsn=settings.database_url, clock=now, new_id=new_id)
    try:
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
        yield Running(
            world=world,
            register=register,
            receipt_key=vault.receipts.public_jwk(),
            nonces=Nonces(vault.nonce_key()),
            remote_keys=RemoteKeys(KeySetFetch(), clock=time.monotonic, on_fault=_tell_of_keys),
            connections=database.connections,
        )
    finally:
        await database.close()


def edge_over(settings: Settings, running: Running) -> Edge:
    """The edge's parts: who is believed, who issues, what is published."""
    url = settings.public_url
    keys = issuer_keys(settings)

    house = House(
        resource=url,
        metadata_url=f"{url}/.well-known/oauth-protected-resource",
        issuer=url if settings.own_tokens else None,
        beside=trusted_issuers(settings),
        nonces=running.nonces,
    )
    admission = Admission(
        house,
        own_keys=lambda at: Keyed(keys=keys.verifying(now=at), generation=keys.generation),
        published=running.remote_keys,
        systems=running.register,
    )

    return Edge(
        world=running.world,
        authenticate=lambda credentials: _admit(credentials, admission),
        token_challenge=lambda error, told: _challenged(
            challenge(error, Reason.TOKEN_CLAIMS, metadata_url=house.metadata_url, told=told)
        ),
        issues=settings.own_tokens,
        tokens=_token_endpoints(url, running, keys),
        documents=documents(url, scopes=SCOPES, issuers=house.issuers, certificates=bool(settings.certificate_peer)),
        key_set=lambda: keys.published(running.receipt_key, now=int(time.time())),
        public_url=url,
        security_servers=frozenset(settings.xroad_security_servers),
        certificates=NoCertificates()
        if settings.certificate_peer is None
        else ForwardedCertificates(settings.certificate_peer, thumbprint=certificate_thumbprint),
        problem_texts=load_problem_texts(),
        ready=Shared(running.register.ready, clock=time.monotonic),
        traffic=Traffic(
            limit=-(-settings.rate_limit // settings.workers),
            at_once=settings.max_in_flight,
            clock=time.monotonic,
            carriers=frozenset(settings.xroad_security_servers),
        ),
        version=VERSION,
    )


def _token_endpoints(url: str, running: Running, keys: IssuerKeys) -> TokenEndpoints:
    def authority() -> AuthorizationServer:
        ring = keys.ring()
        issuer = Issuer(
            url=url,
            token_endpoint=f"{url}/oauth/token",
            resource=url,
            key=ring.active,
            verifying=ring.verifying(now=int(time.time())),
            catalogue=running.world.catalogue,
            nonces=running.nonces,
        )
        return AuthorizationServer(issuer)

    return TokenEndpoints(
        Register(running.world, running.register),
        authority,
        keys=running.remote_keys,
        clock=lambda: int(time.time()),
        new_id=new_token_id,
    )


def application_over(settings: Settings, running: Running) -> ASGIApp:
    """The ASGI application over a running World."""
    return application(edge_over(settings, running), log=get_log(), new_id=new_id)


def serve(settings: Settings, *, listening: socket.socket, exposing: socket.socket | None = None) -> int:
    """Serve on a socket that listens until told to stop; several workers share it.

    Metrics are counted where there is a second socket to read them at, `exposing`. Returns the exit code.

    Raises:
        StartRefused: spans are asked for and cannot be made.
    """
    harden_process()
    allow_connections()
    configure(getattr(logging, settings.log_level.name))

    wanted = Wanted(
        version=VERSION,
        workers=settings.workers,
        exposing=exposing,
        folder=settings.home / f"metrics-{settings.metrics_port}",
        endpoint=settings.otel_endpoint,
    )
    watch = Watch(wanted, environment=os.environ)

    def work() -> bool:
        return uvloop.run(_serve(settings, listening, watch))

    if settings.workers > 1:
        return in_workers(settings.workers, work, listening=listening, beside=watch.beside)
    if work():
        raise KeyboardInterrupt
    return 0


async def _serve(settings: Settings, listening: socket.socket, watch: Watch) -> bool:
    """Serve until told to stop; whether it was Ctrl-C that told."""
    async with (
        open_running(settings) as running,
        watch.over(running.connections, epoch=time.time_ns) as watchers,
    ):
        edge = edge_over(settings, running)
        config = uvicorn.Config(
            application(edge, log=get_log(), new_id=new_id, watchers=watchers),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who the peer is, the connection says: X-Forwarded-For could name a security server
            timeout_keep_alive=15,
            timeout_graceful_shutdown=FINISH_SECONDS,
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
        server = Server(config, traffic=edge.traffic, linger=settings.drain_seconds)
        try:
            await server.serve(sockets=[listening])
        finally:
            house.cancel()
    get_log().info("server-stopped", version=VERSION, environment=settings.environment.value)
    return server.interrupted


async def _keep_house(register: PostgresRegister) -> None:
    """Keep the coming months' partitions ready and forget what has expired, for as long as the server runs."""
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        with contextlib.suppress(Unavailable):
            await register.keep_house()


async def _admit(credentials: Credentials, admission: Admission) -> Admitted:
    """Who calls, with the nonce its next proof must carry, if it must.

    Raises:
        Challenged: nobody who may be let in.
    """
    request, at = ProtectedRequest(**credentials.shown()), int(time.time())
    token = await admission.admit(request, now=at)
    if isinstance(token, Challenge):
        raise _challenged(token)
    nonce = admission.fresh_nonce(now=at) if token.nonce_required else None
    return Admitted(caller=token.as_caller(credentials.passage), nonce=nonce)


def _challenged(said: Challenge) -> Challenged:
    return Challenged(said.status, said.body, said.headers, reason=said.reason.value)


def _tell_of_keys(fault: KeyFault, origin: str) -> None:
    get_log().warning("remote-keys-unusable", code=fault.value, origin=origin)


def keyring_place(settings: Settings) -> Path:
    """Where the key ring lies, there or not."""
    return settings.keyring or settings.home / "keyring.json"


def issuer_keys_place(settings: Settings) -> Path:
    """Where the keys that sign tokens lie, there or not."""
    return settings.home / "issuer-keys.json"


def open_keyring(settings: Settings) -> Keyring:
    """The key ring; made at first start where nothing but a trial can be lost.

    Raises:
        StartRefused: it cannot be used, or cannot be made.
    """
    path = keyring_place(settings)
    if path.exists() or settings.environment.value == Environment.PRODUCTION.value:
        return load_keyring(path)
    with _writable_home(settings):
        try:
            return create_keyring(path, now(), os.urandom)
        except FileExistsError:
            return load_keyring(path)


def make_keyring(path: Path) -> None:
    """A new key ring where there is none.

    Raises:
        FileExistsError: there is a file; it is never overwritten.
        OSError: it cannot be written.
    """
    create_keyring(path, now(), os.urandom)


def issuer_keys(settings: Settings) -> IssuerKeys:
    """The keys that sign tokens, made at first start: their loss costs callers one token, not data.

    Raises:
        StartRefused: they cannot be used, or cannot be made.
    """
    with _writable_home(settings):
        return IssuerKeys(
            issuer_keys_place(settings),
            now=int(time.time()),
            on_fault=lambda fault: get_log().error("issuer-keys-unusable", **error_origin(fault)),
        )


def trusted_issuers(settings: Settings) -> tuple[NamedIssuer, ...]:
    """The other authorization servers whose tokens are taken.

    Raises:
        StartRefused: the file that names them is not sound.
    """
    named = settings.trusted_issuers
    return () if named is None else read_issuers(named, own=settings.public_url, scopes=SCOPES)


@contextlib.contextmanager
def _writable_home(settings: Settings) -> Iterator[None]:
    """A home that is there, and one line where this user cannot write to it or its disk is full."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as fault:
        name = errno.errorcode.get(fault.errno or 0, "OSError")
        line = f"SAUMA_HOME: cannot be written to ({name}); fix: a directory of this user's, on a disk with room"
        raise StartRefused(line, exit_code=EX_CONFIG) from None
