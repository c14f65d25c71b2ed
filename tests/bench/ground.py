"""What the bench stands on: one embedded PostgreSQL, one migrated database, a register and people with a benefit case.

Everything is deposited by the product's own use cases, so every sealed group, tag and entry is a real one. A home named
by `BENCH_HOME` is kept and joined again by the next run; otherwise it is made for the run and removed.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec
from joserfc.jwk import ECKey

from asks import (
    CLERK,
    KELA,
    P01,
    PIRHA,
    TAMPERE,
    WORKER,
    hetu_of,
    today,
)
from bench.say import say
from sauma.app import open_running
from sauma.core.canonical import digest
from sauma.core.parties import Caller, Client, Officer, OfficerKind, OrganisationKind
from sauma.core.people import Hetu
from sauma.core.purposes import Text
from sauma.core.resources import REGISTRY
from sauma.exchange.deposit import Deposit, put_records
from sauma.exchange.matters import MatterStatement, put_matter
from sauma.exchange.ports import World
from sauma.exchange.write import Call
from sauma.settings import Settings, from_environment
from sauma.store import embedded, migrate
from sauma.store.bootstrap import bootstrap
from sauma.store.enrol import (
    Decoy,
    EnrolledAgreement,
    EnrolledClient,
    EnrolledKey,
    EnrolledOrganisation,
    Enrolment,
    enrol,
    granted,
)

DATABASE = "bench"
ASKER, HOLDER = "bench-county", "bench-kela"
BOUNDLESS = 1_000_000_000  # no ceiling is what is measured
BATCH = 25  # persons a deposit: 100 records
REFERENCE = "BENCH-{:07d}"


@dataclass(frozen=True)
class Ground:
    """A seeded database: its roles' addresses, the asking system's key, and how many people have a case."""

    home: Path
    cluster: embedded.Cluster
    key: dict[str, str]
    people: int
    database: str = DATABASE

    def dsn(self, role: str) -> str:
        return self.cluster.dsn(role, self.database)

    @property
    def postmaster(self) -> int:
        """The process id of the server that all arms share."""
        return int((self.cluster.database_directory / "postmaster.pid").read_text().split()[0])

    def settings(self, *, port: int, **more: str) -> dict[str, str]:
        """The product's environment on this ground."""
        return {
            "SAUMA_DATABASE_URL": self.dsn("sauma_server"),
            "SAUMA_HOME": str(self.home / "sauma"),
            "SAUMA_PORT": str(port),
            "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{port}",
        } | more


@contextlib.contextmanager
def stand(people: int) -> Iterator[Ground]:
    """A ground with at least that many people, for as long as the block lasts."""
    kept = os.environ.get("BENCH_HOME")
    home = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="sauma-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        with embedded.start(home / "pg") as cluster:
            yield asyncio.run(_prepare(home, cluster, people))
    finally:
        if not kept:
            embedded.remove(home / "pg")
            shutil.rmtree(home)


async def _prepare(home: Path, cluster: embedded.Cluster, people: int) -> Ground:
    await bootstrap(cluster, database=DATABASE)
    migrator = cluster.dsn("sauma_migrator", DATABASE)
    await migrate.migrate(migrator, migrations=migrate.read(migrate.default_folder()))
    note = home / "seeded.json"
    seeded = json.loads(note.read_text()) if note.exists() else {"key": _new_key(), "people": 0}
    ground = Ground(home=home, cluster=cluster, key=seeded["key"], people=max(people, seeded["people"]))
    note.write_text(json.dumps(seeded))
    await enrol(migrator, _enrolment(ground.key))
    if seeded["people"] < people:
        settings = from_environment(ground.settings(port=1))
        await _seed(settings, range(seeded["people"], people))
        note.write_text(json.dumps({"key": ground.key, "people": people}))
        await execute(ground, "vacuum analyze")  # what autovacuum would have done by the time a county asks
    return ground


async def execute(ground: Ground, statement: str, *, role: str = embedded.SUPERUSER) -> None:
    connection = await asyncpg.connect(ground.dsn(role))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def rows(ground: Ground, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(ground.dsn(embedded.SUPERUSER))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def value(ground: Ground, statement: str) -> int:
    connection = await asyncpg.connect(ground.dsn(embedded.SUPERUSER))
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()


def _new_key() -> dict[str, str]:
    key = ECKey.generate_key("P-256")
    private = {n: v for n, v in key.as_dict(private=True).items() if isinstance(v, str)}
    return private | {"kid": key.thumbprint(), "alg": "ES256"}


def _enrolment(key: dict[str, str]) -> Enrolment:
    jwk = json.dumps({n: key[n] for n in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()
    kinds = {KELA: (OrganisationKind.KELA, None), PIRHA: (OrganisationKind.COUNTY, "08")}
    agreed = EnrolledAgreement(
        id=uuid.UUID(int=0xBE9C),
        discloser=KELA,
        receiver=PIRHA,
        purpose=P01,
        valid_from=today().replace(year=2024, month=1, day=1),
        max_months=12,
        per_person_day=BOUNDLESS,
    )
    systems = (
        EnrolledClient(id=ASKER, organisation=PIRHA, scopes=("case:read", "matter:write")),
        EnrolledClient(id=HOLDER, organisation=KELA, scopes=("record:write",)),
    )
    return Enrolment(
        organisations=tuple(
            EnrolledOrganisation(id=o, kind=kind, name=Text(fi=o, sv=o, en=o), area_code=area)
            for o, (kind, area) in kinds.items()
        ),
        clients=systems,
        grants=granted(systems),
        keys=(EnrolledKey(client=ASKER, kid=key["kid"], algorithm="ES256", jwk=jwk),),
        agreements=(agreed,),
        decoys=tuple(Decoy(controller=o, resources=("persons", "decisions")) for o in kinds),
    )


async def _seed(settings: Settings, numbers: range) -> None:
    began = numbers.start
    async with open_running(settings) as running:
        while began < numbers.stop:
            some = range(began, min(began + BATCH, numbers.stop))
            await _deposit(running.world, some)
            for number in some:
                await _open_matter(running.world, number)
            began = some.stop
            if began % (BATCH * 20) == 0 or began == numbers.stop:
                say(f"seeding: {began:,} of {numbers.stop:,} people")


async def _deposit(world: World, numbers: range) -> None:
    deposits = tuple(
        Deposit(
            resource=REGISTRY[resource],
            id=uuid.uuid5(uuid.UUID(int=0xBE9C), f"{resource}/{number}"),
            person=Hetu(hetu_of(number)).identifier,
            others=(),
            case_reference=f"KELA-{number}",
            retain_until=today().replace(year=today().year + 5, month=12, day=31),
            source_reference=None,
            fields=REGISTRY[resource].decode(msgspec.json.encode(fields)),
            expected=None,
        )
        for number in numbers
        for resource, fields in known_of(number).items()
    )
    name = f"deposit-{numbers.start}-{numbers.stop}"
    call = Call(caller=_caller(HOLDER, KELA, "record:write"), route="BENCH", key=name, body=name.encode())
    await put_records(world, call, deposits, _officer(CLERK))


async def _open_matter(world: World, number: int) -> None:
    name = f"matter-{number}"
    call = Call(caller=_caller(ASKER, PIRHA, "matter:write"), route="BENCH", key=name, body=name.encode())
    said = MatterStatement(
        case_reference=REFERENCE.format(number),
        person=Hetu(hetu_of(number)).identifier,
        kind="supplementary-assistance",
        opened_at=today().isoformat(),
        state="open",
        unit="Hervanta",
        officer=_officer(WORKER),
        expected=None,
    )
    await put_matter(world, call, said)


def known_of(number: int) -> dict[str, dict[str, object]]:
    """What Kela knows of the number-th person: four records, as a caseworker typically finds them."""
    return {
        "persons": {
            "name": f"Aino Salanimi {number}",
            "hetu": hetu_of(number),
            "homeMunicipality": TAMPERE,
            "serviceLanguage": "fi",
            "turvakielto": False,
            "contactPhone": "+358401234567",
        },
        "decisions": {
            "id": f"PTL-{number}",
            "date": today().isoformat(),
            "type": "granted",
            "amount": "412.30",
            "reasons": "Perustoimeentulotuki myönnetään laskelman mukaisesti; tulot ja menot on otettu huomioon.",
        },
        "calculations": {
            "basicAmount": "593.55",
            "result": "-412.30",
            "assets": [{"class": "deposit", "sum": "10.00"}],
        },
        "housing-costs": {"actual": "700.00", "accepted": "650.00"},
    }


def _officer(said: dict[str, str]) -> Officer:
    return Officer(kind=OfficerKind.PERSON, id=said["id"], name=said["name"], role=said["role"], unit=said["unit"])


def _caller(client: str, organisation: str, scope: str) -> Caller:
    """The seeder inside the server's trust, without a token."""
    return Caller(
        client=Client(id=client, organisation=organisation, version=1),
        scopes=frozenset({scope}),
        token_id="bench-seed",
        assertion_digest=digest(b"bench-seed"),
        claims=(),
    )
