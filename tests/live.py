"""The whole server as a child process on a database of its own, and the systems that call it over real HTTP.

`live` is the running server with its register; `live_server` is one seeded case in it for a foreign client.
Every answer that any test gets passes `judged`: the headers of the contract, problem+json, and never a 500.
When the session ends the server's whole log is searched for every name, identity code and marker that was ever sent.
"""

import asyncio
import base64
import datetime as dt
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.jwk import ECKey

import canary
from asks import (
    AUDIT,
    AUDITOR,
    CASEWORK,
    CLERK,
    CLOSED,
    DELEGATED,
    DOSSIERS,
    HELSINKI,
    KELA,
    ORGANISATIONS,
    P01,
    P09,
    PIRHA,
    RUN,
    SYSTEMS,
    TAMPERE,
    VARHA,
    VENDOR,
    WORKER,
    hetu_of,
    matter_body,
    query_body,
    today,
    without_nones,
)
from databases import Database
from sauma.core.parties import OrganisationKind
from sauma.core.people import looks_like_hetu
from sauma.core.purposes import Text
from sauma.store.enrol import (
    Decoy,
    EnrolledAgreement,
    EnrolledAuditorGrant,
    EnrolledClient,
    EnrolledDelegation,
    EnrolledGrant,
    EnrolledKey,
    EnrolledOrganisation,
    Enrolment,
    enrol,
)
from sauma.web.logs import verify_line
from systems import System

_RANDOM = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"sum":"[0-9a-f]{16}"')  # may look like anything


@dataclass
class Told:
    """Everything that must never stand in the server's log: it grows with what the tests send."""

    texts: set[str] = field(default_factory=set)

    def found_in(self, log: bytes) -> list[str]:
        """What of it stands in a log, as text or JSON-escaped, in any case; HETU-shaped texts too."""
        lowered = log.decode("utf-8", "replace").lower()
        spellings = {s for text in self.texts for s in (text.lower(), json.dumps(text)[1:-1].lower())}
        shaped = [line for line in lowered.splitlines() if looks_like_hetu(_RANDOM.sub("", line))]
        return [text for text in spellings if text in lowered] + shaped


class Live:
    """The running server, its register and the systems enrolled in it."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self.home = home
        self.url = ""
        self.keys: dict[str, dict[str, str]] = {}
        self.clients: dict[str, str] = {}
        self.told = Told()
        self.log = home / "server.log"
        self.opened: list[httpx.Client] = []
        self._numbers = itertools.count(int(time.time()) % 100_000)
        self._process: subprocess.Popen[bytes] | None = None
        self._systems: dict[str, System] = {}

    # -- the process

    def start(self, **settings: str) -> None:
        """Serve on a free port until `stop`, with these settings besides; returns when the server is ready."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[1] / "src"),
            "SAUMA_DATABASE_URL": self.database.dsn("sauma_server"),
            "SAUMA_SEQUENCER_DATABASE_URL": self.database.dsn("sauma_sequencer"),
            "SAUMA_HOME": str(self.home / "sauma"),
            "SAUMA_PORT": str(port),
            "SAUMA_PUBLIC_URL": self.url,
            "SAUMA_POOL_SIZE": "8",
            "SAUMA_RATE_LIMIT": "600000",
            **settings,
        }
        command = [sys.executable, "-m", "sauma", "serve"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.home)
        deadline = time.monotonic() + 60
        while not self._ready():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """Ask the server to stop, and insist."""
        for http in self.opened:
            http.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- the register

    def register(self) -> None:
        """Organisations, agreements, decoys and the systems of `SYSTEMS`."""
        for name, (organisation, _) in SYSTEMS.items():
            self._new_key(name, organisation)
        agreed = [(KELA, county, P01) for county in (PIRHA, VARHA)] + [(county, KELA, P09) for county in (PIRHA, VARHA)]
        agreements = [_agreement(*parties) for parties in agreed] + [
            _agreement(KELA, HELSINKI, P01, max_months=3, per_person_day=2)
        ]
        controllers = [
            o for o, (kind, _) in ORGANISATIONS.items() if kind in {OrganisationKind.KELA, OrganisationKind.COUNTY}
        ]
        self._enrol(
            organisations=tuple(
                EnrolledOrganisation(id=o, kind=kind, name=Text(fi=o, sv=o, en=o), area_code=area, active=o != CLOSED)
                for o, (kind, area) in ORGANISATIONS.items()
            ),
            clients=tuple(EnrolledClient(id=n, organisation=o, scopes=s) for n, (o, s) in SYSTEMS.items()),
            keys=tuple(self._public(name) for name in SYSTEMS),
            agreements=tuple(agreements),
            decoys=tuple(Decoy(controller=o, resources=("persons", "decisions")) for o in controllers),
            grants=tuple(EnrolledGrant(organisation=o, scopes=CASEWORK + AUDIT) for o in ORGANISATIONS if o != VENDOR),
            delegations=tuple(
                EnrolledDelegation(organisation=o, supplier=VENDOR, scopes=s) for o, s in DELEGATED.items()
            ),
        )

    def new_system(
        self, organisation: str, scopes: tuple[str, ...] = CASEWORK, *, officer: Mapping[str, str] | None = None
    ) -> System:
        """One more system of an organisation, for a test that changes what stands of it."""
        name = f"extra-{uuid.uuid4().hex[:8]}"
        self._new_key(name, organisation)
        self._enrol(
            clients=(EnrolledClient(id=name, organisation=organisation, scopes=scopes),), keys=(self._public(name),)
        )
        return System(self, name, scopes, officer)

    def system(self, name: str, *scopes: str, officer: Mapping[str, str] | None = None) -> System:
        """A system of `SYSTEMS`; narrower `scopes` or an `officer` in the token make a token of their own."""
        if scopes or officer:
            return System(self, name, scopes or SYSTEMS[name][1], officer)
        if name not in self._systems:
            self._systems[name] = System(self, name, SYSTEMS[name][1], None)
        return self._systems[name]

    def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Rows as the database's superuser sees them: how a test looks behind the server."""

        async def run() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.database.dsn("postgres"))
            try:
                return [dict(row) for row in await connection.fetch(statement, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(run())

    def entries(self, client_id: str, **columns: str) -> list[dict[str, Any]]:
        """The ledger rows a system left, oldest first; only those whose columns are as given."""
        rows = self.sql("select * from ledger.entry where client = $1 order by id", client_id)
        return [row for row in rows if all(row[name] == value for name, value in columns.items())]

    def _new_key(self, name: str, organisation: str) -> None:
        key = ECKey.generate_key("P-256")
        private = {n: v for n, v in key.as_dict(private=True).items() if isinstance(v, str)}
        self.keys[name] = private | {"kid": key.thumbprint(), "alg": "ES256"}
        self.clients[name] = organisation

    def _public(self, name: str) -> EnrolledKey:
        key = self.keys[name]
        jwk = json.dumps({n: key[n] for n in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()
        return EnrolledKey(client=name, kid=key["kid"], algorithm="ES256", jwk=jwk)

    def _enrol(self, **parts: Any) -> None:
        empty: dict[str, Any] = dict.fromkeys(("organisations", "clients", "keys", "agreements", "decoys"), ())
        empty["audits"] = tuple(
            EnrolledAuditorGrant(client=client.id, organisations=tuple(ORGANISATIONS), dossier=dossier)
            for client in parts.get("clients", ())
            if "ledger:read" in client.scopes
            for dossier in DOSSIERS
        )
        asyncio.run(enrol(self.database.dsn("sauma_migrator"), Enrolment(**(empty | parts))))

    # -- people and what is known of them

    def person(self, sign: str = "-") -> str:
        """A HETU nobody has used before in this session."""
        hetu = hetu_of(next(self._numbers), sign)
        self.told.texts.add(hetu)
        return hetu

    def client_of_both(self, *, municipality: str | None = TAMPERE, sign: str = "-", **person: Any) -> str:
        """Someone with a benefit case at Kela: person, decision, calculation and housing costs of this month."""
        hetu, kela = self.person(sign), self.system("kela")
        fields = {
            "name": f"Aino Salanimi {hetu[:6]}",
            "hetu": hetu,
            "homeMunicipality": municipality,
            "serviceLanguage": "fi",
            "turvakielto": False,
            "contactPhone": "+358401234567",
        }
        kela.deposit("persons", hetu, without_nones(fields | person))
        kela.deposit(
            "decisions",
            hetu,
            {
                "id": "PTL-1",
                "date": today().isoformat(),
                "type": "granted",
                "amount": "412.30",
                "reasons": "Salainen perustelu",
            },
        )
        kela.deposit(
            "calculations",
            hetu,
            {"basicAmount": "593.55", "result": "-412.30", "assets": [{"class": "deposit", "sum": "10.00"}]},
        )
        kela.deposit("housing-costs", hetu, {"actual": "700.00", "accepted": "650.00"})
        self.told.texts.add(str(fields["name"]))
        return hetu

    def known_at_county(self, county: System, hetu: str | None = None) -> str:
        """Someone with a case at a county: person, own decision and plan."""
        hetu = hetu or self.person()
        county.deposit("persons", hetu, {"name": "Veikko Salanimi", "serviceLanguage": "sv"})
        county.deposit(
            "county-decisions",
            hetu,
            {"kind": "supplementary", "item": "silmälasit", "amount": "80.00", "date": today().isoformat()},
        )
        county.deposit("plans", hetu, {"exists": True, "reviewedAt": today().isoformat()})
        return hetu


def verified(live: Live, receipt: Mapping[str, str]) -> None:
    """The receipt is signed by the published key over entry and leaf hash."""
    published = {key["kid"]: key for key in httpx.get(f"{live.url}/.well-known/jwks.json").json()["keys"]}
    key = published[receipt["kid"]]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    message = f"sauma/receipt/v1\n{receipt['entryId']}\n{receipt['leafHash']}".encode()
    Ed25519PublicKey.from_public_bytes(unpadded(key["x"])).verify(unpadded(receipt["signature"]), message)


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _agreement(
    discloser: str, receiver: str, purpose: str, *, max_months: int = 12, per_person_day: int = 50
) -> EnrolledAgreement:
    return EnrolledAgreement(
        id=uuid.uuid4(),
        discloser=discloser,
        receiver=receiver,
        purpose=purpose,
        valid_from=dt.date(2024, 1, 1),
        max_months=max_months,
        per_person_day=per_person_day,
    )


@pytest.fixture(scope="session")
def live(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """The server for the whole session; its log is searched when it has stopped."""
    running = Live(new_database(_template), tmp_path_factory.mktemp("live"))
    running.told.texts |= {WORKER["name"], CLERK["name"], AUDITOR["name"], WORKER["unit"], RUN["name"]}
    running.register()
    try:
        running.start()
        yield running
    finally:
        running.stop()
    log = running.log.read_bytes()
    lines = [line for line in log.splitlines() if line.startswith(b"{")]
    assert lines
    assert all(verify_line(line) for line in lines)
    assert running.told.found_in(log) == []
    assert running.told.found_in(log + WORKER["name"].encode()) == [WORKER["name"].lower()]  # the search does find
    nobody_anywhere(running)


def nobody_anywhere(running: Live) -> None:
    """Nobody the tests spoke of lies anywhere; a control canary, planted at the end, is found in every sink."""
    control = running.person()
    people = frozenset(text.lower().encode() for text in running.told.texts if looks_like_hetu(text))
    assert canary.hits(running.log.read_bytes() + b"\n".join(canary.SEEN.answers), people) == set()
    assert canary.hits(canary.dump(running.database), people) == set()
    canary.plant(running.database, control)
    planted = {control.lower().encode()}
    assert canary.hits_on_disk(running.database, people) == {
        "log": planted,
        "base": planted,
        "global": set(),
        "pg_wal": planted,
    }
    assert canary.hits(canary.dump(running.database), people) == planted


@dataclass(frozen=True)
class LiveServer:
    """What a foreign client needs to play the main job."""

    url: str
    client_id: str
    key: dict[str, str]
    case_reference: str
    matter: dict[str, Any]
    query: dict[str, Any]


@pytest.fixture
def live_server(live: Live) -> LiveServer:
    """A seeded case, its matter not yet opened, for one system of Pirkanmaa."""
    hetu, reference = live.client_of_both(), f"PIRHA-{uuid.uuid4().hex[:8]}"
    return LiveServer(
        url=live.url,
        client_id="pirha",
        key=live.keys["pirha"],
        case_reference=reference,
        matter=matter_body(hetu, officer=WORKER),
        query=query_body(hetu, reference, officer=WORKER),
    )
