"""The ground the attacks are played on: the product over a real database, with a watch on every field opened.

`Scene` drives the use cases as honest callers do. `Attempt` is what an honest server was about to append: a compromised
one, with every right of `sauma_server` and nothing to lose, does with it as it likes over connections of its own.
"""

import datetime as dt
import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from asks import KELA, P01, PIRHA, TAMPERE, hetu_of, today
from databases import Database
from sauma import settings as told
from sauma.app import open_world
from sauma.core.canonical import canonical_bytes, digest
from sauma.core.decision import Form
from sauma.core.disclosure import Disclosed, Receipt, Sealed
from sauma.core.errors import SaumaError
from sauma.core.evidence import Claim, ClaimKind, Entry, ManifestRow, Position, base64url, unbase64url
from sauma.core.matters import BasisVersions, Months
from sauma.core.parties import Caller, Client, Officer, OfficerKind, OrganisationKind
from sauma.core.people import Environment, PersonIdentifier, parse_hetu
from sauma.core.purposes import Text
from sauma.exchange.deposit import Annulment, Deposit, annul, put_record, resource_named
from sauma.exchange.disclose import CaseQuery, disclose
from sauma.exchange.matters import MatterStatement, put_matter
from sauma.exchange.ports import Build, Records, World
from sauma.exchange.rows import Gathered, GatherKeys, Missed
from sauma.exchange.write import Call, Done
from sauma.store.enrol import (
    Decoy,
    EnrolledAgreement,
    EnrolledClient,
    EnrolledOrganisation,
    Enrolment,
    enrol,
    granted,
)
from sauma.store.ledger import _basis
from sauma.store.statements import load
from sauma.vault.aead import Aead, Place, aes_gcm

PATH = load("path")
APPEND = "select status, recorded_at, leaf_hash from api.append($1, $2, $3, $4, $5, $6, $7, $8, $9)"
CLIENTS = {"kela": KELA, "pirha": PIRHA, "pirha-other": PIRHA}
WORKER = Officer(
    kind=OfficerKind.PERSON,
    id="w-1",
    name="Päivi Virkailija",
    role="social-care-professional",
    unit="Hervannan aikuissosiaalityö",
)
TOLD = {
    "name": "Aino Salanimi",
    "homeMunicipality": TAMPERE,
    "serviceLanguage": "fi",
    "turvakielto": False,
    "contactPhone": "+358401234567",
}
DECIDED = {"id": "PTL-1", "type": "granted", "amount": "412.30", "reasons": "Salainen perustelu"}
SYSTEMS = tuple(EnrolledClient(id=name, organisation=o, scopes=("case:read",)) for name, o in CLIENTS.items())
ENROLMENT = Enrolment(
    organisations=(
        EnrolledOrganisation(id=KELA, kind=OrganisationKind.KELA, name=Text(fi="Kela", sv="FPA", en="Kela")),
        EnrolledOrganisation(id=PIRHA, kind=OrganisationKind.COUNTY, name=Text(fi="P", sv="B", en="P"), area_code="08"),
    ),
    clients=SYSTEMS,
    grants=granted(SYSTEMS),
    keys=(),
    agreements=(
        EnrolledAgreement(
            id=uuid.uuid4(),
            discloser=KELA,
            receiver=PIRHA,
            purpose=P01,
            valid_from=dt.date(2024, 1, 1),
            max_months=12,
            per_person_day=1_000_000,
        ),
    ),
    decoys=(Decoy(controller=KELA, resources=("persons", "decisions")),),
)


class Watch:
    """The AEAD seam: every field that came open, as (table, record, revision, field id)."""

    def __init__(self) -> None:
        self.opened: Counter[tuple[int, uuid.UUID, int, int]] = Counter()
        self.calls = 0

    def __call__(self, key: bytes, place: Place) -> Aead:
        return _Watched(self, aes_gcm(key, place), place)


class _Watched:
    def __init__(self, watch: Watch, cipher: Aead, place: Place) -> None:
        self._watch, self._cipher, self._place = watch, cipher, place

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        return self._cipher.encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        self._watch.calls += 1
        plaintext = self._cipher.decrypt(nonce, data, associated_data)
        place = self._place
        self._watch.opened[place.table, place.record, place.revision, int.from_bytes(nonce)] += 1
        return plaintext


@dataclass(frozen=True)
class Case:
    """A client of both sides: the person, the county's open matter, and Kela's records by resource."""

    person: PersonIdentifier
    reference: str
    records: dict[str, uuid.UUID]


@dataclass(frozen=True)
class Attempt:
    """An entry, the basis decided on and the claims, as the server was about to append them."""

    entry: Entry
    basis: BasisVersions
    claims: tuple[Claim, ...]

    def on(self, **basis: object) -> "Attempt":
        """The same entry on another basis."""
        return Attempt(self.entry, msgspec.structs.replace(self.basis, **basis), self.claims)

    def forged(self, rows: list[ManifestRow] | None = None, **leaf: object) -> "Attempt":
        """The same with other manifest rows and leaf members (None removes one), digests made to fit."""
        members = json.loads(self.entry.leaf)
        manifest = self.entry.manifest
        if rows is not None:
            quoted = [
                [r.resource, str(r.record), r.revision, r.sensitivity, list(r.fields), base64url(r.digest)]
                for r in rows
            ]
            manifest = canonical_bytes(quoted)
            members["manifest"] = base64url(digest(manifest))
        members = {name: value for name, value in (members | leaf).items() if value is not None}
        entry = msgspec.structs.replace(self.entry, leaf=canonical_bytes(members), manifest=manifest)
        return Attempt(entry, self.basis, self.claims)

    @property
    def rows(self) -> list[ManifestRow]:
        """The manifest rows."""
        quoted = msgspec.json.decode(
            self.entry.manifest, type=list[tuple[str, uuid.UUID, int, str, tuple[int, ...], str]]
        )
        return [ManifestRow(r, i, n, c, f, unbase64url(d)) for r, i, n, c, f, d in quoted]


class _CapturedError(Exception):
    """Carries an append that was not made."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__("captured")
        self.attempt = attempt


class _Capturing:
    """A ledger that keeps what it is given and writes nothing."""

    async def append(self, build: Build, claims: tuple[Claim, ...], basis: BasisVersions) -> Receipt | Missed:
        position = Position(writer=uuid.uuid4(), counter=0, previous=bytes(32))
        raise _CapturedError(Attempt(build(position), basis, claims))


class Between:
    """Records that let something happen between the committed entry and the read; `reads` are the receipts used."""

    def __init__(self, records: Records, act: Callable[[], Awaitable[object]]) -> None:
        self._records, self._act = records, act
        self.reads: list[tuple[Receipt, Sealed | Missed]] = []

    async def gather(self, keys: GatherKeys) -> Gathered:
        return await self._records.gather(keys)

    async def read(self, receipt: Receipt, manifest: tuple[ManifestRow, ...]) -> Sealed | Missed:
        if not self.reads:
            await self._act()
        found = await self._records.read(receipt, manifest)
        self.reads.append((receipt, found))
        return found


class Scene:
    """A seeded database, the World over it, and the superuser's view of it."""

    def __init__(self, database: Database, world: World, watch: Watch) -> None:
        self.database = database
        self.world = world
        self.watch = watch
        self.superuser: asyncpg.Connection
        self.pool: asyncpg.Pool
        self.versions = dict.fromkeys(CLIENTS, 1)
        self._numbers = itertools.count(1)
        self._settled: Case | None = None

    # -- honest callers

    def caller(self, client: str) -> Caller:
        claim = Claim(kind=ClaimKind.PROOF, digest=uuid.uuid4().bytes, expires_at=int(time.time()) + 70)
        return Caller(
            client=Client(id=client, organisation=CLIENTS[client], version=self.versions[client]),
            scopes=frozenset(),
            token_id="t" * 20,
            assertion_digest=bytes(32),
            claims=(claim,),
        )

    async def new_tokens(self) -> None:
        """What the systems hold from now on: tokens of their mandates as they stand."""
        self.versions = {
            r["client"]: r["version"] for r in await self.sql("select client, version from registry.mandate")
        }

    def call(self, client: str, key: str | None = None, route: str = "PUT") -> Call:
        return Call(caller=self.caller(client), route=route, key=key or uuid.uuid4().hex, body=b"body")

    def person(self, sign: str = "-") -> PersonIdentifier:
        return parse_hetu(hetu_of(next(self._numbers), sign), environment=Environment.DEVELOPMENT).identifier

    def deposit(self, person: PersonIdentifier, resource: str, fields: dict[str, Any], **members: Any) -> Deposit:
        named = resource_named(resource)
        return Deposit(
            resource=named,
            id=members.get("record") or uuid.uuid4(),
            person=person,
            others=tuple((other, "spouse") for other in members.get("others", ())),
            case_reference=members.get("reference", "KELA-1"),
            retain_until=today() + dt.timedelta(days=900),
            source_reference=None,
            fields=named.decode(json.dumps(fields).encode()),
            expected=members.get("expected"),
        )

    async def put(self, person: PersonIdentifier, resource: str, fields: dict[str, Any], **members: Any) -> uuid.UUID:
        """A record stored or replaced (`record`, `expected`); its id."""
        deposit = self.deposit(person, resource, fields, **members)
        client = members.get("client", "kela")
        done = await put_record(self.world, self.call(client, route=f"PUT {deposit.id}"), deposit, WORKER)
        assert done.status in {200, 201}
        return deposit.id

    async def annul(self, resource: str, record: uuid.UUID) -> Done:
        said = Annulment(
            resource=resource_named(resource), id=record, reason="wrong-content", officer=WORKER, expected=None
        )
        return await annul(self.world, self.call("kela"), said)

    async def matter(self, person: PersonIdentifier, *, state: str = "open", reference: str | None = None) -> str:
        """The county's own matter, opened or (with its reference) closed."""
        reference = reference or f"PIRHA-{uuid.uuid4().hex[:12]}"
        said = MatterStatement(
            case_reference=reference,
            person=person,
            kind="supplementary-assistance",
            opened_at=today().isoformat(),
            state=state,
            unit="Hervanta",
            officer=WORKER,
            expected=None,
        )
        done = await put_matter(self.world, self.call("pirha", route=f"PUT {reference} {state}"), said)
        assert done.status in {200, 201}
        return reference

    async def case(self, *, others: tuple[PersonIdentifier, ...] = (), sign: str = "-") -> Case:
        """Someone known to Kela with a person record and a decision, and an open matter at the county."""
        person = self.person(sign)
        records = {
            "persons": await self.put(person, "persons", TOLD | {"hetu": person.value}, others=others),
            "decisions": await self.put(person, "decisions", DECIDED | {"date": today().isoformat()}, others=others),
        }
        return Case(person, await self.matter(person), records)

    async def settled_case(self) -> Case:
        """The one case of this scene for whatever changes nothing."""
        self._settled = self._settled or await self.case()
        return self._settled

    def query(self, case: Case, **members: Any) -> CaseQuery:
        this = today().replace(day=1)
        stated = {
            "caller": self.caller("pirha"),
            "purpose": P01,
            "case_reference": case.reference,
            "controller": KELA,
            "person": case.person,
            "officer": WORKER,
            "period": Months(first=this, last=this),
            "form": Form.VALUES,
            "fields": None,
            "necessity": {},
            "limit": 50,
            "cursor": None,
            "body": b"query",
        }
        return CaseQuery(**(stated | members))

    async def disclose(self, case: Case, **members: Any) -> Disclosed:
        return await disclose(self.world, self.query(case, **members))

    async def disclose_with(
        self, case: Case, act: Callable[[], Awaitable[object]], **members: Any
    ) -> tuple[Between, Disclosed | SaumaError]:
        """The main job with something happening between the entry and the read."""
        between = Between(self.world.records, act)
        world = msgspec.structs.replace(self.world, records=between)
        try:
            return between, await disclose(world, self.query(case, **members))
        except SaumaError as error:
            return between, error

    # -- behind the server

    @asynccontextmanager
    async def server(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection with every right the server has."""
        connection = await asyncpg.connect(self.database.dsn("sauma_server"))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for changes whose own ledger entry is not what is tested: the server may make none without."""
        connection = await asyncpg.connect(self.database.dsn("postgres"))
        try:
            yield connection
        finally:
            await connection.close()

    async def attempt(self, query: CaseQuery) -> Attempt:
        """What the server would append for a query; nothing is written."""
        world = msgspec.structs.replace(self.world, ledger=_Capturing())
        try:
            await disclose(world, query)
        except _CapturedError as captured:
            return captured.attempt
        raise AssertionError(query)

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Rows as the superuser sees them."""
        return await self.superuser.fetch(statement, *values)

    async def entry(self, entry: uuid.UUID) -> asyncpg.Record:
        [row] = await self.sql("select * from ledger.entry where id = $1", entry)
        return row

    async def outcomes(self, entry: uuid.UUID) -> list[str]:
        """The reasons of the outcome entries that refer to an entry."""
        rows = await self.sql(
            "select reason from ledger.entry where kind = 'outcome' and refers = $1 order by id", entry
        )
        return [row["reason"] for row in rows]


async def append(connection: asyncpg.Connection, attempt: Attempt, **parts: object) -> asyncpg.Record:
    """The append function as the server role calls it."""
    entry, claims = attempt.entry, attempt.claims
    row = await connection.fetchrow(
        APPEND,
        entry.leaf,
        entry.manifest,
        parts.get("side", entry.side),
        entry.payload,
        entry.payload_key,
        _basis(attempt.basis),
        [c.kind.value for c in claims],
        [c.digest for c in claims],
        [c.expires_at for c in claims],
    )
    assert row is not None
    return row


async def read(connection: asyncpg.Connection, entry: uuid.UUID, recorded_at: dt.datetime) -> asyncpg.Record:
    """The gate as the server role calls it; what it gives must fit what it says."""
    row = await connection.fetchrow(PATH["read"], entry, recorded_at)
    assert row is not None
    if row["status"] != "handed-out":
        assert not any(
            row[column] for column in ("controller", "resource", "record", "class", "sealed", "data_key", "wrapped")
        )
    return row


@asynccontextmanager
async def open_scene(database: Database, home: Path) -> AsyncIterator[Scene]:
    """Enrol the parties in a migrated database and open the product over it."""
    await enrol(database.dsn("sauma_migrator"), ENROLMENT)
    settings = told.from_environment(
        {"SAUMA_HOME": str(home), "SAUMA_DATABASE_URL": database.dsn("sauma_server"), "SAUMA_POOL_SIZE": "12"}
    )
    watch = Watch()
    async with open_world(settings, aead=watch) as world:
        scene = Scene(database, world, watch)
        scene.superuser = await asyncpg.connect(database.dsn("postgres"))
        scene.pool = await asyncpg.create_pool(database.dsn("postgres"), min_size=1, max_size=4)
        try:
            yield scene
        finally:
            await scene.pool.close()
            await scene.superuser.close()
