"""Node, the pinned npm packages, and a small server that mounts the real access decisions over real HTTP."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from joserfc.jwk import ECKey, OKPKey, RSAKey
from litestar import Litestar, Request, Response, get, post, put

from sauma.core.evidence import Claim, ClaimKind
from sauma.exchange.tokens import ClientState, KnownClient, TokenCommit, TokenGranted, TokenRequest, issue
from sauma.oauth.keys import create_key, key_set, resource_metadata, server_metadata
from sauma.oauth.resource import Challenge, ProtectedRequest, Trust, authenticate, authorise
from sauma.oauth.server import AuthorizationServer, Issuer

JS = Path(__file__).parent / "js"
SCOPES = ("case:read", "matter:write")


def missing(reason: str) -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node() -> str:
    """The node binary, with the locked packages of tests/interop/js installed."""
    binary, npm = shutil.which("node"), shutil.which("npm")
    if binary is None or npm is None:
        missing("interop needs node and npm on the PATH")
    if not (JS / "node_modules" / "oauth4webapi").is_dir():
        done = subprocess.run(
            [str(npm), "ci", "--ignore-scripts"], cwd=JS, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            missing(f"npm ci failed in tests/interop/js: {done.stderr[-300:]}")
    return str(binary)


@dataclass
class Steps:
    """What a foreign client printed: one object per step, by name."""

    returncode: int
    lines: list[dict[str, Any]]

    def __getitem__(self, step: str) -> dict[str, Any]:
        return next(line for line in self.lines if line["step"] == step)


@pytest.fixture
def play(node: str) -> Callable[..., Steps]:
    """Run a script of tests/interop/js against an issuer; nothing of ours is in its process."""

    def run(script: str, **asked: Any) -> Steps:
        command = [node, str(JS / script), json.dumps(asked)]
        done = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=60, check=False)
        return Steps(done.returncode, [json.loads(line) for line in done.stdout.splitlines()])

    return run


@dataclass
class AccessServer:
    """The running server: its URL, the clients it knows with their private keys, and the events it committed."""

    url: str
    keys: dict[str, dict[str, Any]]
    register: "Register"
    callers: list[Any] = field(default_factory=list)


class Register:
    """The store's port in memory."""

    def __init__(self, clients: list[KnownClient]) -> None:
        self.clients = {client.id: client for client in clients}
        self.claimed, self.events = set[bytes](), list[TokenGranted]()

    async def find_client(self, client_id: str) -> KnownClient | None:
        return self.clients.get(client_id)

    async def commit_token(self, claims: tuple[Claim, ...], event: TokenGranted) -> TokenCommit:
        for claim in claims:
            if claim.digest in self.claimed:
                return (
                    TokenCommit.ASSERTION_REPLAYED if claim.kind is ClaimKind.ASSERTION else TokenCommit.PROOF_REPLAYED
                )
        self.claimed.update(claim.digest for claim in claims)
        self.events.append(event)
        return TokenCommit.FRESH


def lines(request: Request[Any, Any, Any], name: bytes) -> tuple[str, ...]:
    return tuple(value.decode("latin-1") for header, value in request.scope["headers"] if header == name)


def application(server: AccessServer) -> Litestar:
    signing = create_key()
    authority = AuthorizationServer(
        Issuer(url=server.url, token_endpoint=f"{server.url}/oauth/token", resource=server.url, key=signing)
    )
    metadata_url = f"{server.url}/.well-known/oauth-protected-resource"
    trust = Trust(issuers={server.url: (signing.public,)}, resource=server.url, metadata_url=metadata_url)

    def judged(request: Request[Any, Any, Any], scope: str, body: dict[str, Any]) -> Response[Any]:
        protected = ProtectedRequest(
            method=request.method,
            raw_path=request.scope["raw_path"].decode("ascii"),
            query=request.scope["query_string"].decode("ascii"),
            authorizations=lines(request, b"authorization"),
            proofs=lines(request, b"dpop"),
        )
        verdict = authenticate(protected, trust, now=int(time.time()))
        if not isinstance(verdict, Challenge):
            server.callers.append(verdict)
            verdict = authorise(verdict, trust, scope=scope)
        if isinstance(verdict, Challenge):
            return Response(verdict.body, status_code=verdict.status, headers=dict(verdict.headers))
        return Response(body, status_code=200)

    @get("/.well-known/oauth-authorization-server", sync_to_thread=False)
    def server_document() -> dict[str, Any]:
        return msgspec.to_builtins(server_metadata(server.url, scopes=SCOPES))

    @get("/.well-known/oauth-protected-resource", sync_to_thread=False)
    def resource_document() -> dict[str, Any]:
        return msgspec.to_builtins(resource_metadata(server.url, scopes=SCOPES))

    @get("/.well-known/jwks.json", sync_to_thread=False)
    def keys_document() -> dict[str, Any]:
        return key_set(signing.public)

    @post("/oauth/token")
    async def token(request: Request[Any, Any, Any]) -> Response[Any]:
        asked = TokenRequest(
            content_type=request.headers.get("content-type", ""),
            body=await request.body(),
            proofs=lines(request, b"dpop"),
            authorizations=lines(request, b"authorization"),
        )
        token_id = os.urandom(16).hex()
        decision = await issue(
            asked, register=server.register, authority=authority, now=int(time.time()), token_id=token_id
        )
        return Response(decision.body, status_code=decision.status, headers=dict(decision.headers))

    @put("/v1/matters/{case_reference:str}", sync_to_thread=False)
    def matter(request: Request[Any, Any, Any]) -> Response[Any]:
        return judged(request, "matter:write", {"caseReference": request.path_params["case_reference"]})

    @post("/v1/case-queries", sync_to_thread=False)
    def query(request: Request[Any, Any, Any]) -> Response[Any]:
        return judged(request, "case:read", {"outcome": "disclosed"})

    return Litestar([server_document, resource_document, keys_document, token, matter, query], openapi_config=None)


@pytest.fixture(scope="session")
def access_server() -> Iterator[AccessServer]:
    """Token endpoint, discovery and two guarded operations on a free loopback port."""
    keys = {
        "es256": ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256"}),
        "ed25519": OKPKey.generate_key("Ed25519", {"kid": "k1", "alg": "EdDSA"}),
        "ps256": RSAKey.generate_key(2048, {"kid": "k1", "alg": "PS256"}),
    }
    clients = [
        KnownClient(
            id=name,
            organisations=("2816301-8",),
            keys=(dict(key.as_dict(private=False)),),
            scopes=frozenset(SCOPES),
            state=ClientState.ACTIVE,
            version=1,
        )
        for name, key in keys.items()
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    private = {name: dict(key.as_dict(private=True)) for name, key in keys.items()}
    server = AccessServer(f"http://127.0.0.1:{listener.getsockname()[1]}", private, Register(clients))
    running = uvicorn.Server(uvicorn.Config(application(server), log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
    thread.start()
    yield server
    running.should_exit = True
    thread.join()
