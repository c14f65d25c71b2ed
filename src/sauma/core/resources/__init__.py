"""The registry: every resource that may be deposited, disclosed or sent, with its fields and their stable ids.

Ids are only appended (`schemas/field-ids.lock`): `table * 100 + n`, worker fields `table * 100 + 91…93`.
Importing this module is the start-up check: a field without a class, a reused id or a foreign prefix raises TypeError.
"""

from types import MappingProxyType

import msgspec

from sauma.core.errors import BadRequest
from sauma.core.fields import FieldSpec, field_specs
from sauma.core.intake import bad_request
from sauma.core.people import Environment, parse_hetu
from sauma.core.resources.activations import Activation
from sauma.core.resources.applications import Application
from sauma.core.resources.calculations import Calculation
from sauma.core.resources.commitments import Commitment
from sauma.core.resources.county_decisions import CountyDecision
from sauma.core.resources.decisions import Decision
from sauma.core.resources.households import Household
from sauma.core.resources.housing_costs import HousingCost
from sauma.core.resources.integrations import Integration
from sauma.core.resources.payments import Payment
from sauma.core.resources.persons import Person
from sauma.core.resources.plans import Plan
from sauma.core.resources.record import Record
from sauma.core.resources.recoveries import Recovery
from sauma.core.resources.reductions import Reduction
from sauma.core.resources.referrals import Referral
from sauma.core.resources.statements import Statement

_TABLE_WIDTH = 100


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of record: its URL name, 2-byte table id, matrix prefixes, Struct and sealed fields.

    `deposited` is False for what travels only in notices.
    """

    name: str
    table: int
    prefixes: tuple[str, ...]
    struct: type[Record]
    specs: tuple[FieldSpec, ...]
    deposited: bool

    def month_of(self, fields: Record) -> str | None:
        """The month `YYYY-MM` the record concerns; None where it has no reference date and belongs to every month."""
        day = fields.reference_day
        return None if day is None else day.isoformat()[:7]

    def person_identifiers(self, fields: Record) -> tuple[str, ...]:
        """Every personal identity code inside the values: whoever is named here is tagged in the ledger."""
        return tuple(code for _, code in fields.identity_codes)

    def decode(self, raw: bytes | msgspec.Raw, *, pointer: str = "/fields") -> Record:
        """The `fields` member of a request that has passed the input gate, as this resource's Struct.

        Raises:
            BadRequest: `unknown-property` or `invalid-value`, with a pointer below `pointer`.
        """
        try:
            return msgspec.json.decode(raw, type=self.struct)
        except msgspec.ValidationError as error:
            raise bad_request(error, self.struct, prefix=pointer) from None

    def fragments(self, fields: Record) -> dict[int, bytes]:
        """Field id → JSON fragment as it is sealed, of every field; unset ones are `null` so presence does not leak."""
        members = msgspec.json.decode(msgspec.json.encode(fields), type=dict[str, msgspec.Raw])
        return {spec.id: bytes(members[spec.member]) for spec in self.specs}


def check_identifiers(fields: Record, *, environment: Environment, pointer: str = "/fields") -> None:
    """Refuse identity codes that are not ones, or not of this environment, wherever they stand in the values.

    Raises:
        BadRequest: `invalid-value` with the pointers of all of them.
    """
    wrong = tuple(pointer + place for place, code in fields.identity_codes if not _stands(code, environment))
    if wrong:
        code = "invalid-value"
        raise BadRequest(code, wrong)


def _stands(code: str, environment: Environment) -> bool:
    try:
        parse_hetu(code, environment=environment)
    except ValueError:
        return False
    return True


def register(*entries: tuple[str, int, tuple[str, ...], type[Record], bool]) -> MappingProxyType[str, Resource]:
    """The registry of `(name, table, prefixes, struct, deposited)` rows, by name.

    Raises:
        TypeError: an unclassified field, a prefix that is not the resource's, an id outside its table or used twice.
    """
    found: dict[str, Resource] = {}
    ids: set[int] = set()
    for name, table, prefixes, struct, deposited in entries:
        specs = field_specs(struct)
        for spec in specs:
            if spec.path.partition(".")[0] not in {*prefixes, "worker"}:
                message = f"{name}: {spec.path} is not a field of this resource"
                raise TypeError(message)
            if spec.id // _TABLE_WIDTH != table or spec.id in ids:
                message = f"{name}: field id {spec.id} is used twice or is of another table"
                raise TypeError(message)
            ids.add(spec.id)
        if name in found or any(table == other.table for other in found.values()):
            message = f"{name}: name or table {table} is used twice"
            raise TypeError(message)
        found[name] = Resource(
            name=name, table=table, prefixes=prefixes, struct=struct, specs=specs, deposited=deposited
        )
    return MappingProxyType(found)


REGISTRY = register(
    ("persons", 1, ("person", "contact", "representative"), Person, True),
    ("households", 2, ("household",), Household, True),
    ("applications", 3, ("application",), Application, True),
    ("decisions", 4, ("decision",), Decision, True),
    ("calculations", 5, ("calculation",), Calculation, True),
    ("housing-costs", 6, ("housing",), HousingCost, True),
    ("payments", 7, ("payment",), Payment, True),
    ("commitments", 8, ("commitment",), Commitment, True),
    ("recoveries", 9, ("recovery",), Recovery, True),
    ("reductions", 10, ("reduction",), Reduction, True),
    ("statements", 11, ("statement",), Statement, True),
    ("county-decisions", 12, ("countyDecision",), CountyDecision, True),
    ("plans", 13, ("plan",), Plan, True),
    ("referrals", 14, ("referral",), Referral, False),
    ("activations", 15, ("activation",), Activation, False),
    ("integrations", 16, ("integration",), Integration, False),
)
"""Every resource by its URL name."""

BY_FIELD_ID: MappingProxyType[int, tuple[Resource, FieldSpec]] = MappingProxyType(
    {spec.id: (resource, spec) for resource in REGISTRY.values() for spec in resource.specs}
)
"""The resource and field an id stands for."""

RECORD_MEMBERS: frozenset[str] = frozenset(spec.member for _, spec in BY_FIELD_ID.values())
"""Every member name a resource has."""


def fields_at(path: str) -> tuple[tuple[Resource, FieldSpec], ...]:
    """The fields a matrix path names: one, or for `worker.*` one in every resource; none for an unknown path."""
    return tuple((resource, spec) for resource, spec in BY_FIELD_ID.values() if spec.path == path)


def lock_lines() -> tuple[str, ...]:
    """The lines of `schemas/field-ids.lock` for the fields as they stand in code."""
    return tuple(
        f"{spec.id} {resource.name} {spec.path} {spec.sensitivity.value} {spec.padding.value}"
        for resource, spec in sorted(BY_FIELD_ID.values(), key=_by_id)
    )


def _by_id(row: tuple[Resource, FieldSpec]) -> int:
    return row[1].id
