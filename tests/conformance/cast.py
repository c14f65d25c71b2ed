"""Who plays: Kela, two counties and a supervisor, and honest callers driving the use cases over any World.

A `Register` is what a use case may not touch and a test must: enrolment, suspension, prohibitions, the age of an entry.
Every cast has organisations of its own, so casts on one database never meet.
"""

import datetime as dt
import itertools
import json
import uuid
from typing import Protocol

import msgspec

from sauma.core.canonical import digest
from sauma.core.disclosure import Disclosed, Receipt
from sauma.core.evidence import Claim, ClaimKind
from sauma.core.matters import Form, Months, ProhibitionKind
from sauma.core.parties import Caller, Client, Officer, OfficerKind, OrganisationKind
from sauma.core.people import Environment, PersonIdentifier, check_ytunnus, parse_hetu
from sauma.exchange.append import Refused
from sauma.exchange.deposit import Annulment, Deposit, annul, put_record, resource_named
from sauma.exchange.disclose import CaseQuery, disclose
from sauma.exchange.matters import MatterStatement, Telling, inform, put_matter
from sauma.exchange.ports import World
from sauma.exchange.subjects import IdentifierChange, change_identifier
from sauma.exchange.times import day_of
from sauma.exchange.write import Call, Done

P01, P09 = "county-benefit-case", "kela-case-request"
ROLE = {P01: "social-care-professional", P09: "kela-benefit-officer"}
TAMPERE, TURKU = "837", "853"
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_NUMBERS = itertools.count(1)


class Register(Protocol):
    """The test's own hand on the tables; `organisation_moves` and the like change a version as an amendment would."""

    async def enrol(
        self, organisations: dict[str, OrganisationKind], agreements: tuple[tuple[str, str, str], ...]
    ) -> None: ...
    async def agreement_ends(self, discloser: str, receiver: str, purpose: str) -> None: ...
    async def agreement_allows(self, receiver: str, *, per_person_day: int) -> None: ...
    async def client_suspended(self, client: str) -> None: ...
    async def client_resumed(self, client: str) -> None: ...
    async def client_moves(self, client: str) -> None: ...
    async def key_removed(self, client: str) -> None: ...
    async def grant_narrowed(self, organisation: str) -> None: ...
    async def delegated(self, organisation: str, supplier: str) -> None: ...
    async def delegation_ended(self, organisation: str, supplier: str) -> None: ...
    async def delegation_ran_out(self, organisation: str, supplier: str) -> None: ...
    async def mandates(self, client: str) -> dict[str, int]: ...
    async def organisation_suspended(self, organisation: str) -> None: ...
    async def organisation_moves(self, organisation: str) -> None: ...
    async def prohibited(
        self, controller: str, index: bytes, kind: ProhibitionKind, record: uuid.UUID | None = None
    ) -> None: ...
    async def key_lost(self, controller: str, index: bytes) -> None: ...
    async def entry_aged(self, receipt: Receipt, by: dt.timedelta) -> Receipt: ...
    async def session_over(self, session: uuid.UUID) -> None: ...
    async def audit_granted(
        self, client: str, organisations: tuple[str, ...], dossier: str, hours: int = 24
    ) -> None: ...
    async def audit_ended(self, client: str, dossier: str) -> None: ...
    async def leaves(self, organisation: str) -> list[dict[str, object]]: ...
    async def unit_of(self, controller: str, index: bytes) -> tuple[bool, str]: ...


def business_id(number: int) -> str:
    """The number-th business id whose check digit is right."""
    found = (f"{n:07d}-{check}" for n in itertools.count(2_000_000 + number * 20) for check in range(10))
    return next(text for text in found if check_ytunnus(text))


def person(number: int, sign: str = "-") -> PersonIdentifier:
    """The number-th test person."""
    birth, individual = f"{number % 28 + 1:02d}{number // 28 % 12 + 1:02d}75", "931"
    code = f"{birth}{sign}{individual}{_CHECK[int(birth + individual) % 31]}"
    return parse_hetu(code, environment=Environment.TEST).identifier


AINO, EINO, SIIRI = person(1), person(2), person(3)
WORKER = Officer(kind=OfficerKind.PERSON, id="w-1", name="Päivi Virkailija", role=ROLE[P01], unit="Hervanta")
TOLD_OF_AINO = {"name": "Aino Mallinen", "homeMunicipality": TAMPERE, "serviceLanguage": "fi", "turvakielto": False}


class Cast:
    """The organisations of one test and what their systems do."""

    def __init__(self, world: World, register: Register, first: int | None = None) -> None:
        self.world = world
        self.register = register
        number = next(_NUMBERS) if first is None else first
        ids = [business_id(number * 10 + place) for place in range(5)]
        self.kela, self.county, self.neighbour, self.ombudsman, self.vendor = ids
        self.case = f"CASE-{number}"
        kinds = (
            OrganisationKind.KELA,
            OrganisationKind.COUNTY,
            OrganisationKind.COUNTY,
            OrganisationKind.SUPERVISOR,
            OrganisationKind.VENDOR,
        )
        self.versions: dict[tuple[str, str], int] = {}
        self.day = day_of(world.clock()).isoformat()
        self.organisations = dict(zip(ids, kinds, strict=True))
        counties = {TAMPERE: self.county, TURKU: self.neighbour}
        self.world = msgspec.structs.replace(world, county_of=lambda municipality, _day: counties.get(municipality))

    async def enrol(self) -> None:
        agreements = ((self.kela, self.county, P01), (self.county, self.kela, P09), (self.kela, self.neighbour, P01))
        await self.register.enrol(self.organisations, agreements)
        await self.register.delegated(self.county, self.vendor)

    # -- callers

    async def new_tokens(self) -> None:
        """What every system holds from now on: a token of its mandate as it stands."""
        for organisation in self.organisations:
            client = system(organisation)
            self.versions |= {(client, o): v for o, v in (await self.register.mandates(client)).items()}

    def caller(
        self, organisation: str, *, claim: Claim | None = None, version: int | None = None, supplier: str | None = None
    ) -> Caller:
        """A system of the organisation's own, or of the supplier that acts for it; its token is the last it got."""
        proof, token = claim or self.proof(), "t" * 20
        client = system(supplier or organisation)
        version = self.versions.get((client, organisation), 1) if version is None else version
        return Caller(
            client=Client(id=client, organisation=organisation, version=version),
            scopes=frozenset(),
            token_id=token,
            assertion_digest=bytes(32),
            claims=(proof, self.token_claim(client, organisation)),
            officer=None,
            supplier=supplier,
        )

    def token_claim(self, client: str, organisation: str, kind: ClaimKind = ClaimKind.TOKEN) -> Claim:
        """The token of a caller as each of its calls names it, or (REVOKED) as its revocation does."""
        expires = int(self.world.clock().timestamp()) + 300
        return Claim(kind=kind, digest=digest(f"{client}|{organisation}".encode())[:16], expires_at=expires)

    def proof(self) -> Claim:
        expires = int(self.world.clock().timestamp()) + 70
        return Claim(kind=ClaimKind.PROOF, digest=self.world.entropy(16), expires_at=expires)

    def call(self, organisation: str, *, key: str | None = None, route: str = "PUT /v1/x", body: bytes = b"b") -> Call:
        return Call(caller=self.caller(organisation), route=route, key=key or self.world.entropy(8).hex(), body=body)

    # -- what they do

    async def open_case(self) -> uuid.UUID:
        """Aino at Kela with one decision, and the county's open matter; the decision's record id."""
        await self.deposit("persons", TOLD_OF_AINO)
        await self.matter()
        return await self.deposit("decisions", {"amount": "412.30", "date": self.day})

    async def deposit(  # noqa: PLR0913  # each argument is one fact of a test's sentence
        self,
        resource: str,
        fields: dict[str, object],
        *,
        by: str | None = None,
        of: PersonIdentifier = AINO,
        others: tuple[PersonIdentifier, ...] = (),
        record: uuid.UUID | None = None,
        expected: int | None = None,
    ) -> uuid.UUID:
        controller = by or self.kela
        deposit = self.record(resource, fields, of=of, others=others, record=record, expected=expected)
        await put_record(self.world, self.call(controller), deposit, WORKER)
        return deposit.id

    def record(  # noqa: PLR0913  # a record has this many parts, each with a default
        self,
        resource: str,
        fields: dict[str, object],
        *,
        of: PersonIdentifier = AINO,
        others: tuple[PersonIdentifier, ...] = (),
        record: uuid.UUID | None = None,
        expected: int | None = None,
    ) -> Deposit:
        kind = resource_named(resource)
        return Deposit(
            resource=kind,
            id=record or uuid.UUID(bytes=self.world.entropy(16)),
            person=of,
            others=tuple((other, "spouse") for other in others),
            case_reference="KELA-77",
            retain_until=dt.date(2035, 1, 1),
            source_reference=None,
            fields=kind.decode(json.dumps(fields).encode()),
            expected=expected,
        )

    async def annul(self, resource: str, record: uuid.UUID, *, by: str | None = None, expected: int | None = 1) -> Done:
        annulment = Annulment(
            resource=resource_named(resource), id=record, reason="wrong-content", officer=WORKER, expected=expected
        )
        return await annul(self.world, self.call(by or self.kela), annulment)

    async def matter(
        self,
        *,
        by: str | None = None,
        of: PersonIdentifier = AINO,
        state: str = "open",
        expected: int | None = None,
        case: str | None = None,
    ) -> Done:
        said = MatterStatement(
            case_reference=case or self.case,
            person=of,
            kind="supplementary",
            opened_at="2026-11-01",
            state=state,
            unit="Hervanta",
            officer=WORKER,
            expected=expected,
        )
        return await put_matter(self.world, self.call(by or self.county), said)

    async def told(self, *, by: str, of: PersonIdentifier = AINO) -> Done:
        telling = Telling(
            person=of,
            received_by="client",
            text_version="2026-1",
            language="fi",
            told_at=self.world.clock() - dt.timedelta(hours=1),
            officer=WORKER,
        )
        return await inform(self.world, self.call(by), telling)

    async def changed(
        self, old: PersonIdentifier, new: PersonIdentifier, reason: str, *, by: str | None = None
    ) -> Done:
        change = IdentifierChange(old=old, new=new, reason=reason, effective_at=self.world.clock(), officer=WORKER)
        return await change_identifier(self.world, self.call(by or self.kela), change)

    def query(self, **asked: object) -> CaseQuery:
        """The county's question about Aino under P01; any member may be another."""
        by = asked.pop("by", self.county)
        members: dict[str, object] = {
            "caller": self.caller(str(by)),
            "purpose": P01,
            "case_reference": self.case,
            "controller": self.kela,
            "person": AINO,
            "officer": msgspec.structs.replace(WORKER, role=ROLE.get(str(asked.get("purpose", P01)), "")),
            "period": None,
            "form": Form.VALUES,
            "fields": None,
            "necessity": {},
            "limit": 50,
            "cursor": None,
            "body": b'{"purpose":"county-benefit-case"}',
        }
        return CaseQuery(**(members | asked))

    async def ask(self, **asked: object) -> dict[str, object]:
        return body_of(await disclose(self.world, self.query(**asked)))

    async def reason(self, **asked: object) -> str:
        """The public code of a refusal, or the outcome of an answer."""
        try:
            return str((await self.ask(**asked))["outcome"])
        except Refused as refused:
            return refused.code

    async def recorded(self, organisation: str | None = None) -> list[dict[str, object]]:
        """The leaves this cast's organisation has made, in order."""
        return await self.register.leaves(organisation or self.county)

    def index(self, of: PersonIdentifier = AINO, *, at: str | None = None) -> bytes:
        return self.world.vault.blind_index(of, at or self.kela)


def system(organisation: str) -> str:
    """The one client of an organisation."""
    return f"system-{organisation}"


def body_of(disclosed: Disclosed) -> dict[str, object]:
    return json.loads(disclosed.body)


def months(first: str, last: str) -> Months:
    return Months(first=dt.date.fromisoformat(f"{first}-01"), last=dt.date.fromisoformat(f"{last}-01"))


def outcomes(leaves: list[dict[str, object]]) -> list[tuple[object, object, object]]:
    """Kind, decision and reason of each leaf."""
    return [(leaf["kind"], leaf.get("decision"), leaf.get("reason")) for leaf in leaves]


async def since(cast: Cast, before: int) -> list[tuple[object, object, object]]:
    """Kind, decision and reason of what the county has recorded from there on."""
    return outcomes((await cast.recorded())[before:])
