"""What the doors cost by themselves, each in one process with nothing else under way.

1. A no-op behind the product's guard against the same no-op on bare Litestar: warm, an ES256 proof of its own each call.
2. The append of a disclosure with the once-only ids of its caller against the same append without any.
3. A refusal at the token endpoint of an unknown client, a wrong key and an unknown key id: what a stopwatch could tell.

Told a ground's settings on the first line of input; blocks are interleaved, medians are told, and nothing fails by being
slow.
"""

import gc
import itertools
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import uvloop
from joserfc.jwk import ECKey
from litestar import Litestar
from litestar import post as bare_post
from litestar.datastructures import State
from litestar.types import ASGIApp, Message, Scope

from asks import KELA, P01, PIRHA, WORKER, hetu_of
from bench import cost
from bench.ground import ASKER, REFERENCE, Ground
from bench.load import Job, proofs
from bench.say import show, stop
from sauma.app import Running, application_over, edge_over, new_id, open_running
from sauma.client.auth import Access, SaumaAuth
from sauma.core.canonical import digest
from sauma.core.evidence import Claim, ClaimKind
from sauma.core.matters import BasisVersions, Form
from sauma.core.parties import Action, Caller, Client, Officer, OfficerKind
from sauma.core.people import Hetu
from sauma.exchange.disclose import CaseQuery, disclose
from sauma.exchange.ports import Build
from sauma.settings import Settings, from_environment
from sauma.web import logs
from sauma.web.context import guard
from sauma.web.edge import Envelope, vocabulary
from sauma.web.gate import BoundedRequest, post
from sauma.web.telemetry.tracing import Endings
from sauma.web.traffic import Visit

PORT = 1
NOOP = "/v1/noop"
BLOCKS = int(os.environ.get("BENCH_BLOCKS", "9"))
CALLS = int(os.environ.get("BENCH_CALLS", "300"))
APPENDS = int(os.environ.get("BENCH_APPENDS", "60"))
REFUSALS = int(os.environ.get("BENCH_REFUSALS", "25"))
Blocks = dict[str, list[float]]


class Told(msgspec.Struct):
    """What the measuring process is told: the product's environment, the asker's key, whom it may ask about."""

    environment: dict[str, str]
    key: dict[str, str]
    people: int
    postmaster: int


class Doors(msgspec.Struct):
    """µs by block: processor time of a no-op, wall and PostgreSQL's processor time of an append, wall of a refusal."""

    noop: Blocks
    append: Blocks
    append_inside: Blocks
    refused: Blocks


def measured(ground: Ground) -> Doors:
    """The three, measured on the ground by a process of their own."""
    limit = {"SAUMA_RATE_LIMIT": "999999", "SAUMA_POOL_SIZE": "1"}
    told = Told(
        environment=ground.settings(port=PORT, **limit),
        key=ground.key,
        people=ground.people,
        postmaster=ground.postmaster,
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)} | {
        name: value for name, value in os.environ.items() if name.startswith("BENCH_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.doors"],
        input=msgspec.json.encode(told) + b"\n",
        env=environment,
        capture_output=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    if done.returncode:
        stop(f"the doors could not be measured:\n{done.stderr.decode()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Doors)


def interleaved(arms: tuple[str, ...]) -> Iterator[str]:
    """Each arm once a block, the other way round every other time; what comes first of all is thrown away."""
    for number in range(BLOCKS + 1):
        yield from arms if number % 2 else reversed(arms)


async def call(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """One POST straight into an application; the status of its answer."""
    left, statuses = [body], []

    async def receive() -> Any:  # an ASGI message
        return {"type": "http.request", "body": left.pop(), "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"%d" % len(body)), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", PORT),
        "extensions": {},
    }
    await app(scope, receive, send)
    return int(statuses[0])


# -- 1. a no-op


async def noops(settings: Settings, running: Running, told: Told) -> Blocks:
    """Processor time of a no-op: bare, behind the guard, and in all that stands around the product's routes."""
    token, key = await _access(application_over(settings, running), told)
    url = settings.public_url + NOOP
    proof = proofs(Job(port=PORT, path=NOOP, bodies=[""], token=token, key=key, count=0, seconds=0, url=url))
    guarded, whole = _applications(settings, running)
    apps: dict[str, ASGIApp] = {
        "bare": Litestar([bare_post(NOOP, status_code=200)(_nothing)], openapi_config=None, logging_config=None),
        "authenticated": guarded,
        "in the envelope": whole,
    }
    found: Blocks = {name: [] for name in apps}
    for name in interleaved(tuple(apps)):
        lines = [_lines(token, next(proof)) for _ in range(CALLS)]
        began = time.process_time()
        for line in lines:
            status = await call(apps[name], NOOP, line, b"")
            if status != 200:
                stop(f"the {name} no-op answered {status}")
        found[name].append((time.process_time() - began) / CALLS * 1e6)
    return _warm(found)


async def _nothing() -> None:
    """The no-op."""


def _applications(settings: Settings, running: Running) -> tuple[ASGIApp, ASGIApp]:
    """The no-op behind the guard, with no more around it than the guard asks for; and within the product's envelope."""
    edge = edge_over(settings, running)
    route = post(NOOP, opt={"scope": "case:read", "action": Action.DISCLOSE}, status_code=200)(_nothing)
    app = Litestar(
        [route],
        guards=[guard],
        state=State({"edge": edge}),
        request_class=BoundedRequest,
        openapi_config=None,
        logging_config=None,
    )

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:  # ASGI callables
        visit = Visit(edge.traffic, receive)
        scope["state"] = {"request_id": "", "visit": visit, "traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-00"}
        await app(scope, visit.receive, send)
        visit.leave()

    endings = Endings(logs.get_log(), vocabulary(app, edge), ())
    whole = Envelope(app, traffic=edge.traffic, endings=endings, new_id=new_id, clock=time.perf_counter)
    return guarded, whole


async def _access(app: ASGIApp, told: Told) -> tuple[str, dict[str, str]]:
    """A token, and the private key its proofs are signed with."""
    url = told.environment["SAUMA_PUBLIC_URL"]
    auth = SaumaAuth(Access(issuer=url, client_id=ASKER, key=told.key, scopes=("case:read",)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), auth=auth, base_url=url) as http:
        (await http.get("/v1/disclosures", params={"role": "receiver"})).raise_for_status()
    key = auth._proof_key.as_dict(private=True)
    return str(auth._token), {name: str(key[name]) for name in ("crv", "kty", "x", "y", "d")}


def _lines(token: str, proof: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]


# -- 2. the append


class _Caught(Exception):  # noqa: N818  # no fault: the append that is to be timed
    def __init__(self, build: Build, basis: BasisVersions) -> None:
        super().__init__()
        self.build = build
        self.basis = basis


class _Catching:
    """A ledger that hands over what it was to append."""

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Any:  # noqa: ARG002  # the port's
        raise _Caught(build, basis)


async def appends(running: Running, told: Told) -> tuple[Blocks, Blocks]:
    """Wall time of the append of a real disclosure, and what of it PostgreSQL worked, with and without claims."""
    wall: Blocks = {"alone": [], "with claims": []}
    inside: Blocks = {name: [] for name in wall}
    versions = {"version": await _version(running)}
    numbers = itertools.cycle(range(told.people))
    for name in interleaved(tuple(wall)):
        ready = [await _disclosure(running, next(numbers), **versions) for _ in range(APPENDS)]
        took = []
        worked = cost.worked_by_tree(told.postmaster)
        for caught in ready:
            claims = _claims() if name == "with claims" else ()
            began = time.perf_counter()
            appended = await running.world.ledger.append(caught.build, claims, caught.basis)
            took.append(time.perf_counter() - began)
            if not hasattr(appended, "leaf_hash"):
                stop(f"an append was refused: {appended}")
        inside[name].append((cost.worked_by_tree(told.postmaster) - worked) / APPENDS * 1e6)
        wall[name].append(statistics.median(took) * 1e6)
    return _warm(wall), _warm(inside)


async def _version(running: Running) -> int:
    """The version of the asker's mandate, as its token would carry it."""
    known = await running.register.find_client(ASKER)
    mandate = None if known is None else known.mandate_for(PIRHA)
    if mandate is None:
        stop(f"{ASKER} has no mandate")
    return mandate.version


async def _disclosure(running: Running, number: int, *, version: int) -> _Caught:
    """The append of a question about the number-th person, up to the moment it would be made."""
    caller = Caller(
        client=Client(id=ASKER, organisation=PIRHA, version=version),
        scopes=frozenset({"case:read"}),
        token_id="bench-doors",
        assertion_digest=digest(b"bench-doors"),
        claims=(),
    )
    query = CaseQuery(
        caller=caller,
        purpose=P01,
        case_reference=REFERENCE.format(number),
        controller=KELA,
        person=Hetu(hetu_of(number)).identifier,
        officer=Officer(
            kind=OfficerKind.PERSON, id=WORKER["id"], name=WORKER["name"], role=WORKER["role"], unit=WORKER["unit"]
        ),
        period=None,
        form=Form.VALUES,
        fields=None,
        necessity={},
        limit=50,
        cursor=None,
        body=b"{}",
    )
    try:
        await disclose(msgspec.structs.replace(running.world, ledger=_Catching()), query)
    except _Caught as caught:
        return caught
    return stop("nothing was appended")


def _claims() -> tuple[Claim, ...]:
    """What the caller of a protected operation claims: its proof, and its token as one that may be revoked."""
    ends = int(time.time()) + 70
    return tuple(
        Claim(kind=kind, digest=os.urandom(16), expires_at=ends) for kind in (ClaimKind.PROOF, ClaimKind.TOKEN)
    )


# -- 3. refusals at the token endpoint


async def refusals(settings: Settings, running: Running, told: Told) -> Blocks:
    """Wall time of each refusal that must not tell who is registered."""
    app = application_over(settings, running)
    stranger = _key()
    cases = {
        "wrong key": (ASKER, stranger | {"kid": told.key["kid"]}),
        "unknown client": ("bench-nobody", told.key),
        "unknown kid": (ASKER, stranger),
    }
    found: Blocks = {name: [] for name in cases}
    for name in interleaved(tuple(cases)):
        client, key = cases[name]
        requests = [_token_request(settings.public_url, client, key) for _ in range(REFUSALS)]
        took = []
        for lines, body in requests:
            began = time.perf_counter()
            status = await call(app, "/oauth/token", lines, body)
            took.append(time.perf_counter() - began)
            if status not in {400, 401}:
                stop(f"{name}: the token endpoint answered {status}")
        found[name].append(statistics.median(took) * 1e6)
    return _warm(found)


def _token_request(url: str, client: str, key: dict[str, str]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    auth = SaumaAuth(Access(issuer=url, client_id=client, key=key, scopes=("case:read",)))
    members = {"grant_type": "client_credentials", "scope": "case:read"} | auth._authentication()
    proof = auth._proof("POST", f"{url}/oauth/token").encode()
    return [(b"content-type", b"application/x-www-form-urlencoded"), (b"dpop", proof)], urlencode(members).encode()


def _key() -> dict[str, str]:
    key = ECKey.generate_key("P-256")
    return {n: v for n, v in key.as_dict(private=True).items() if isinstance(v, str)} | {"kid": key.thumbprint()}


def _warm(found: Blocks) -> Blocks:
    return {name: blocks[1:] for name, blocks in found.items()}


async def _measure(told: Told) -> Doors:
    settings = from_environment(told.environment)
    async with open_running(settings) as running:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        noop = await noops(settings, running, told)
        append, inside = await appends(running, told)
        refused = await refusals(settings, running, told)
    return Doors(noop=noop, append=append, append_inside=inside, refused=refused)


if __name__ == "__main__":
    what = msgspec.json.decode(sys.stdin.buffer.readline(), type=Told)
    with Path(os.devnull).open("wb") as nowhere:
        logs.configure(logging.INFO, stream=nowhere)
        found = uvloop.run(_measure(what))
    show(msgspec.json.encode(found).decode())
