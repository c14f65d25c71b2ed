"""One household's case as its controllers would deposit it: Kela the benefit, the county its own decisions and plans.

Dates follow `today`, so that a query's default window finds something whenever the data are made; who the persons are
and every id follow from the case's key alone.
"""

import datetime as dt
import enum
import uuid

import msgspec

from sauma.core.parties import KELA
from sauma.core.people import Confidential, Hetu, PersonIdentifier
from sauma.core.resources import REGISTRY
from sauma.core.resources.households import Household, HouseholdMember, Relation
from sauma.core.resources.persons import Mandate, Person
from sauma.core.resources.record import Record
from sauma.core.resources.reductions import Percent
from sauma.demo.lots import Lots
from sauma.demo.organisations import named_uuid
from sauma.demo.people import Family, Home, Human
from sauma.exchange.deposit import Deposit

KELA_UNIT = "Kela, perustoimeentulotuki"
_RETAINED_YEARS = 5
_PERCENTS: tuple[Percent, ...] = (20, 40, 50)
_NOWHERE = "+358000"  # no subscriber's number begins with the international prefix


class Need(enum.Enum):
    """Why Kela would tell the county: the notice mix of law section 8.4."""

    SUPPLEMENTARY = "supplementary-application"
    REDUCTION = "reduced-basic-amount"
    LONG_UNEMPLOYED = "long-unemployed"
    SOCIAL_WORK = "social-work-need"
    URGENT = "urgent"


NEED_MIX = (
    (Need.SUPPLEMENTARY, 51),
    (Need.REDUCTION, 20),
    (Need.LONG_UNEMPLOYED, 10),
    (Need.SOCIAL_WORK, 9),
    (Need.URGENT, 10),
)


class Case(Confidential, frozen=True, kw_only=True):
    """One household's case: `months` decided months up to this one; `guardian` acts for the applicant."""

    key: str
    family: Family
    home: Home
    months: int = 1
    need: Need | None = None
    protected: bool = False
    guardian: str | None = None
    at_kela: bool = True
    at_county: bool = False

    def lots(self, topic: str) -> Lots:
        """The case's own lots for one topic: adding a topic later changes no other."""
        return Lots(f"sauma-demo/1|{self.key}|{topic}")


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where one controller's records of one case are written."""

    case: Case
    controller: str
    today: dt.date

    def record(self, resource: str, fields: Record, *, person: Human | None = None, number: int = 0) -> Deposit:
        """A record of the applicant (or of `person`), the `number`th of its kind in the case."""
        subject = person or self.case.family.applicant
        others = tuple(pair for pair in self._relations(resource) if pair[0] != _identifier(subject))
        return Deposit(
            resource=REGISTRY[resource],
            id=record_id(self.controller, resource, case=self.case.key, place=self._place(person), number=number),
            person=_identifier(subject),
            others=others,
            case_reference=f"{'KELA' if self.controller == KELA else 'HVA'}-{self.case.key}",
            retain_until=dt.date(self.today.year + _RETAINED_YEARS, 12, 31),
            source_reference=f"demo:{self.case.key}",
            fields=fields,
            expected=None,
        )

    def _place(self, person: Human | None) -> int:
        family = self.case.family
        return [*family.adults, *family.children].index(person) if person else 0

    def month(self, back: int) -> dt.date:
        """The first day of the month that lies `back` months before this one; negative is ahead."""
        index = self.today.year * 12 + self.today.month - 1 - back
        return dt.date(index // 12, index % 12 + 1, 1)

    def _relations(self, resource: str) -> tuple[tuple[PersonIdentifier, str], ...]:
        """The others whose data stand in the record: the family where it is about the family."""
        if resource not in {"households", "calculations"}:
            return ()
        return tuple((_identifier(human), relation.value) for human, relation in relatives(self.case.family))


def record_id(controller: str, resource: str, *, case: str, place: int = 0, number: int = 0) -> uuid.UUID:
    """A record's id, the same whenever it is made; `place` of its person in the family."""
    return named_uuid(f"record|{controller}|{resource}|{case}|{place}|{number}")


def relatives(family: Family) -> tuple[tuple[Human, Relation], ...]:
    """Everyone but the applicant, and what they are to them."""
    return (
        *((adult, Relation.SPOUSE) for adult in family.adults[1:]),
        *((child, Relation.CHILD) for child in family.children),
    )


def person_fields(case: Case, human: Human, *, unit: str) -> Person:
    """The person as their controller knows them; a guardian acts for the applicant only."""
    lots = case.lots(f"person|{human.hetu}")
    acting = case.guardian if human is case.family.applicant else None
    return Person(
        hetu=human.hetu,
        name=human.name,
        service_language=human.language,
        interpreter_needed=human.language.value == "en" and lots.percent(60),
        home_municipality=case.home.municipality,
        turvakielto=case.protected,
        contact_phone=f"{_NOWHERE}{lots.between(100000, 999999)}" if lots.percent(80) else None,
        contact_address=case.home.address,
        representative_name=acting,
        representative_mandate=Mandate.GUARDIAN if acting else None,
        worker_unit=unit,
    )


def household_fields(case: Case, *, unit: str) -> Household:
    """The family as the assistance counts it."""
    family = case.family
    members = tuple(HouseholdMember(hetu=human.hetu, relation=relation) for human, relation in relatives(family))
    return Household(type=family.kind, size=family.size, members=members, worker_unit=unit)


def reduced(case: Case) -> Percent | None:
    """The percentage taken off one adult's basic amount; None where nothing is."""
    return case.lots("reduction").one_of(_PERCENTS) if case.need is Need.REDUCTION else None


def _identifier(human: Human) -> PersonIdentifier:
    return Hetu(human.hetu).identifier
