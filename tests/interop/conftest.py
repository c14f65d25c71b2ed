"""Node with the pinned npm packages, and foreign systems in the register of the running server."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from asks import CASEWORK, P01, PIRHA, WORKER, matter_body, query_body, without_nones
from live import Live
from sauma.store.enrol import EnrolledClient, EnrolledKey, EnrolledProvider

JS = Path(__file__).parent / "js"
ALGORITHMS = ("ES256", "PS256", "Ed25519")
NONCE = "-with-nonces"
STRONG = "http://eidas.europa.eu/LoA/substantial"


def missing(reason: str) -> None:
    """Absent tools fail in CI and skip aloud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _installed() -> bool:
    """Whether the packages lie there at the versions package.json pins."""
    pinned = json.loads((JS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    found = {name: JS / "node_modules" / name / "package.json" for name in pinned}
    return all(
        path.exists() and json.loads(path.read_text(encoding="utf-8"))["version"] == pinned[name]
        for name, path in found.items()
    )


@pytest.fixture(scope="session")
def node() -> str:
    """The node binary, with the locked packages of tests/interop/js installed."""
    binary, npm = shutil.which("node"), shutil.which("npm")
    if binary is None or npm is None:
        missing("interop needs node and npm on the PATH")
    if not _installed():
        done = subprocess.run(
            [str(npm), "ci", "--ignore-scripts"], cwd=JS, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            missing(f"npm ci failed in tests/interop/js: {done.stderr[-300:]}")
    return str(binary)


@dataclass
class Steps:
    """What a script printed: one object per case, by its name."""

    returncode: int
    lines: list[dict[str, Any]]

    def __getitem__(self, step: str) -> dict[str, Any]:
        return next(line for line in self.lines if line["step"] == step)


@pytest.fixture(scope="session")
def play(node: str) -> Callable[..., Steps]:
    """Run a script of tests/interop/js; nothing of ours is in its process."""

    def run(script: str, **asked: Any) -> Steps:
        command = [node, str(JS / script), json.dumps(asked)]
        done = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout, done.stderr
        return Steps(done.returncode, [json.loads(line) for line in done.stdout.splitlines()])

    return run


def private_key(algorithm: str) -> dict[str, Any]:
    """A new private JWK with `alg` and, as `kid`, its thumbprint."""
    key: ECKey | OKPKey | RSAKey
    if algorithm == "ES256":
        key = ECKey.generate_key("P-256")
    elif algorithm == "PS256":
        key = RSAKey.generate_key(2048)
    else:
        key = OKPKey.generate_key("Ed25519")
    return {**key.as_dict(private=True), "alg": algorithm, "kid": key.thumbprint()}


def public_key(private: dict[str, Any]) -> dict[str, Any]:
    return {name: private[name] for name in sorted(private) if name in {"kty", "crv", "x", "y", "n", "e"}}


def enrolled(name: str, private: dict[str, Any]) -> EnrolledKey:
    jwk = json.dumps(public_key(private), separators=(",", ":")).encode()
    return EnrolledKey(client=name, kid=private["kid"], algorithm=private["alg"], jwk=jwk)


@dataclass
class Foreign:
    """Systems of Pirkanmaa that others wrote: by algorithm, and whether their policy demands nonces."""

    live: Live
    run: Callable[..., Steps]

    def play(self, script: str, system: str, **asked: Any) -> Steps:
        """The script as one of the systems, against the running server."""
        told = {"issuer": self.live.url, "clientId": system, "key": self.live.keys[system]}
        return self.run(script, **told | asked)


@pytest.fixture(scope="session")
def foreign(live: Live, play: Callable[..., Steps]) -> Foreign:
    """One system per algorithm without and one with nonces, in the register of the running server."""
    keys = {f"foreign-{algorithm}{nonce}": private_key(algorithm) for algorithm in ALGORITHMS for nonce in ("", NONCE)}
    live._enrol(
        clients=tuple(EnrolledClient(id=name, organisation=PIRHA, scopes=CASEWORK) for name in keys),
        keys=tuple(enrolled(name, key) for name, key in keys.items()),
    )
    live.keys |= keys
    strict = [name for name in keys if name.endswith(NONCE)]
    live.sql("update registry.client set nonce_required = true where id = any($1::text[])", strict)
    return Foreign(live, play)


class Login:
    """The identity provider of Pirkanmaa, as far as we know it: who signs that an officer has logged in."""

    issuer = "https://login.pirha.example"

    def __init__(self) -> None:
        self.key = private_key("ES256")

    def said(self, audience: str, officer: Mapping[str, str], **members: Any) -> str:
        """What it says of an officer who logged in a minute ago."""
        now = int(time.time())
        times = {"auth_time": now - 60, "iat": now, "exp": now + 60}
        named = {"sub": officer["id"], **{name: officer[name] for name in ("name", "role", "unit")}}
        told = {
            "iss": self.issuer,
            "aud": audience,
            "organisation": PIRHA,
            "acr": STRONG,
            "jti": uuid.uuid4().hex,
            **times,
            **named,
            **members,
        }
        return jwt.encode({"alg": "ES256", "kid": self.key["kid"]}, told, ECKey.import_key(self.key))


@pytest.fixture(scope="session")
def login(live: Live) -> Login:
    """The provider, registered with Pirkanmaa."""
    provider = Login()
    key = {"kid": provider.key["kid"], "algorithm": "ES256", "jwk": json.dumps(public_key(provider.key)).encode()}
    live._enrol(providers=(EnrolledProvider(organisation=PIRHA, issuer=provider.issuer, **key),))
    return provider


@dataclass
class Case:
    """One client of both, and what a system of Pirkanmaa asks about her."""

    reference: str
    matter: dict[str, Any]
    query: dict[str, Any]

    def asked(self) -> dict[str, Any]:
        return {"caseReference": self.reference, "matter": self.matter, "query": self.query}

    def details(self, **members: Any) -> list[dict[str, Any]]:
        """The detail a client signs for this case alone."""
        confined = {"organisation": PIRHA, "purpose": P01, "caseReference": self.reference, "officer": WORKER}
        return [{"type": "sauma_case_access", **without_nones(confined | members)}]


@pytest.fixture
def new_case(live: Live) -> Callable[[], Case]:
    """A seeded case, its matter not yet opened."""
    return lambda: case_of(live)


def case_of(live: Live) -> Case:
    hetu, reference = live.client_of_both(), f"PIRHA-{os.urandom(4).hex()}"
    query = query_body(hetu, reference, officer=WORKER, fields=["decision.amount", "calculation.result"])
    return Case(reference, matter_body(hetu, officer=WORKER), query)
