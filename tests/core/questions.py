"""One question in order under each purpose that is built, and the knife that changes a single fact of it."""

import csv
import datetime as dt
import pathlib
import uuid

import msgspec

from sauma.catalogue.loader import load
from sauma.core.decision import Ask, Permit, Refusal, decide
from sauma.core.matters import (
    Agreement,
    BasisVersions,
    Facts,
    Form,
    Matter,
    MatterState,
    Prohibition,
    ProhibitionKind,
    RecordHeader,
    SubjectFacts,
)
from sauma.core.parties import Caller, Client, Officer, OfficerKind, Organisation, OrganisationKind
from sauma.core.problems import Reason
from sauma.core.purposes import Catalogue
from sauma.core.resources import REGISTRY

KELA, PIRHA = "0246246-0", "3221308-6"
DAY = dt.date(2026, 11, 22)
CATALOGUE = load()
PERSON = uuid.UUID(int=0xA)

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
MATRIX = list(csv.DictReader((VECTORS / "field-matrix.csv").read_text(encoding="utf-8").splitlines()))
PATHS = tuple(line["path"] for line in MATRIX)
SERVER_SET = ("legal.", "case.")
NEVER = "·"
RESOURCES = tuple(name for name, resource in REGISTRY.items() if resource.deposited)


def column(number: str) -> dict[str, str]:
    """Path → R, o, C or · of one purpose's column, as the law page prints it."""
    return {line["path"]: line[number][0] for line in MATRIX}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `decide` is given."""

    ask: Ask
    facts: Facts
    catalogue: Catalogue
    day: dt.date

    def decide(self) -> Permit | Refusal:
        return decide(self.ask, self.facts, self.catalogue, day=self.day)

    @property
    def answer(self) -> Reason | str:
        """The reason of a refusal, or "permit"."""
        decided = self.decide()
        return decided.reason if isinstance(decided, Refusal) else "permit"


def but(question: Question, *changes: tuple[str, object]) -> Question:
    """The same question with these facts changed; a path walks members, `purposes` and `cells` by key."""
    for path, value in changes:
        question = _set(question, path.split("/"), value)
    return question


def _set(node: object, path: list[str], value: object) -> object:
    head, rest = path[0], path[1:]
    if isinstance(node, dict):
        return node | {head: _set(node[head], rest, value) if rest else value}
    if isinstance(node, tuple):
        place = int(head)
        return (*node[:place], _set(node[place], rest, value) if rest else value, *node[place + 1 :])
    return msgspec.structs.replace(node, **{head: _set(getattr(node, head), rest, value) if rest else value})


def header(resource: str, number: int, *, protected: bool = False) -> RecordHeader:
    """A record as it stands: one sealed group for every storage class the resource has."""
    classes = {spec.sensitivity.value for spec in REGISTRY[resource].specs}
    return RecordHeader(
        resource=resource,
        id=uuid.UUID(int=number),
        revision=1,
        month="2026-11",
        recorded_at=dt.datetime(2026, 11, 2, tzinfo=dt.UTC),
        groups={name: bytes([number]) * 32 for name in classes},
        protected=protected,
        others=(),
    )


def prohibition(kind: ProhibitionKind, record: int | None = None) -> Prohibition:
    return Prohibition(id=uuid.UUID(int=0xF0), kind=kind, record=None if record is None else uuid.UUID(int=record))


def _question(purpose: str, caller: Organisation, discloser: Organisation, role: str) -> Question:
    officer = Officer(kind=OfficerKind.PERSON, id="o-1", name="Olli Virkailija", role=role, unit="Aikuissosiaalityö")
    client = Client(id="system", organisation=caller.id, version=1)
    known = Caller(
        client=client,
        scopes=frozenset({"case:read"}),
        token_id="t",
        assertion_digest=bytes(32),
        claims=(),
        officer=None,
    )
    return Question(
        ask=Ask(
            caller=known,
            purpose=purpose,
            case_reference="CASE-1",
            controller=discloser.id,
            officer=officer,
            period=None,
            form=Form.VALUES,
            fields=None,
            necessity={},
            limit=50,
            after=None,
        ),
        facts=Facts(
            organisation=caller,
            discloser=discloser,
            agreement=Agreement(
                id=uuid.UUID(int=0xB),
                purpose=purpose,
                valid_from=dt.date(2020, 1, 1),
                valid_until=None,
                active=True,
                max_months=12,
                per_person_day=5,
                version=1,
            ),
            matter=Matter(state=MatterState.OPEN, concerns_subject=True, version=1),
            matter_elsewhere=False,
            prior_information=uuid.UUID(int=0xC),
            subject=SubjectFacts(id=PERSON, protected=False, handling_unit=PIRHA, version=1),
            competent=True,
            prohibitions=(),
            headers=tuple(header(name, number) for number, name in enumerate(RESOURCES, 1)),
            recent=0,
            basis=BasisVersions(client="system", client_version=1, organisation=caller.id, subject=PERSON),
        ),
        catalogue=CATALOGUE,
        day=DAY,
    )


_KELA = Organisation(id=KELA, kind=OrganisationKind.KELA, active=True, version=1)
_COUNTY = Organisation(id=PIRHA, kind=OrganisationKind.COUNTY, active=True, version=1)
P01 = _question("county-benefit-case", _COUNTY, _KELA, "social-care-professional")
P09 = _question("kela-case-request", _KELA, _COUNTY, "kela-benefit-officer")
BUILT = {"P01": P01, "P09": P09}


def leaving(decided: Permit | Refusal) -> set[str]:
    """The paths of every field a decision lets go."""
    if isinstance(decided, Refusal):
        return set()
    return {spec.path for record in decided.records for specs in record.fields.values() for spec in specs}


def necessity_for(path: str) -> str:
    """Some code of the catalogue that justifies the field."""
    return next(code.code for code in CATALOGUE.codes["necessity"].values() if path in code.fields)
