"""The decision: may this caller have these fields of these records, now, and on which provision?

`decide` is pure and total: it returns a Permit or a Refusal, never a bool and never nothing. The order is the law's:

 1. an officer stands behind the call                                         AsTL 9 §
 2. the purpose exists, is switched on and is built                           deny by default
 3. the parties may exchange under it, in this direction, in the officer's role  ToTuL 18 a-18 h §, AsTL 9 §
    and the officer has logged in, where the purpose wants that               Sauma policy (RFC 9470)
 4. discloser and receiver have agreed, and the agreement stands today        TiHL 22 §
 5. a provision of the purpose is in force today                              AsTL 10.3 §
 6. the caller's own matter is open and concerns this person                  ToTuL 18 a.1 §, TiHL 22.2 §
 7. the client was told beforehand, where the law demands it                  ToTuL 18 a.1 §
 8. every asked field is in the matrix; every optional one is justified       TiHL 22.2 §
 9. the window and the frequency stay under the ceilings                      TiHL 23 §
    -- up to here the caller's own side: the reason is public
10. the receiver is competent for this person                                 ToTuL 14 §, 661/2009
11. nothing stands against it at the discloser                                GDPR 18, AsTL 58-59 §
12. something is left to disclose once protection has masked what it must     661/2009 36-37 §
    -- the discloser's side: the reason stands in the ledger only

The acts' short names stand in the README. What the caller must still do: append the decision to the ledger, and read
only with the receipt of that append.
"""

import datetime as dt
import uuid
from collections.abc import Callable

import msgspec

from sauma.core.fields import FieldSpec
from sauma.core.matters import (
    BLOCKED_BY,
    BasisVersions,
    Facts,
    Form,
    MatterState,
    Months,
    ProhibitionKind,
    RecordHeader,
    RecordKey,
    SubjectFacts,
)
from sauma.core.parties import Assurance, Caller, Officer, OfficerKind, OrganisationKind
from sauma.core.people import Confidential
from sauma.core.problems import DISCLOSER_SIDE, Reason
from sauma.core.purposes import (
    ALREADY_HELD,
    SHARED,
    Catalogue,
    Cell,
    Flow,
    Mode,
    Precondition,
    Provision,
    Purpose,
    Withheld,
    cells_of,
    column_of,
    not_asked,
    resources_of,
)
from sauma.core.resources import REGISTRY

PROTECTED_PATHS = frozenset({"person.homeMunicipality", "contact.phone", "contact.address"})
PULLS_BUILT = frozenset({"county-benefit-case", "kela-case-request"})
SERVER_SET = ("legal.", "case.")
_CLASSED = {
    name: tuple((s, s.sensitivity.value, s.path, s.path.startswith(SHARED)) for s in r.specs)
    for name, r in REGISTRY.items()
}
HEADERS = 51  # gathered whatever the page's size: one more than the largest page, those that stay hidden counted


class Ask(Confidential, frozen=True, kw_only=True):
    """What the caller asks for: a purpose and a case, never a law.

    `vouched`: the officer has just logged in strongly, as `core.parties` says it.
    """

    caller: Caller
    purpose: str
    case_reference: str
    controller: str
    officer: Officer | None
    period: Months | None
    form: Form
    fields: tuple[str, ...] | None
    necessity: dict[str, str]
    limit: int
    after: RecordKey | None
    vouched: bool = False


class PermittedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record revision with exactly the fields that may leave, by storage class."""

    header: RecordHeader
    fields: dict[str, tuple[FieldSpec, ...]]


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """The permission, minted only here: which fields of which record revisions may leave, and on what."""

    ask: Ask
    purpose: Purpose
    flow: Flow
    provisions: tuple[Provision, ...]
    prior_information: uuid.UUID | None
    subject: SubjectFacts
    records: tuple[PermittedRecord, ...]
    withheld: tuple[Withheld, ...]
    basis: BasisVersions
    more_after: RecordKey | None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The refusal, minted only here: the exact reason, and whose side it lies on."""

    ask: Ask
    reason: Reason
    purpose: Purpose | None
    provisions: tuple[Provision, ...]

    @property
    def public(self) -> bool:
        """Whether the caller may learn the reason."""
        return self.reason not in DISCLOSER_SIDE


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    ask: Ask
    facts: Facts
    purpose: Purpose
    flow: Flow
    catalogue: Catalogue
    day: dt.date


def decide(ask: Ask, facts: Facts, catalogue: Catalogue, *, day: dt.date) -> Permit | Refusal:
    """Decide one pull on the given Helsinki day; conditions numbered as in the module text."""
    purpose = catalogue.purposes.get(ask.purpose)
    if ask.officer is None:  # 1
        return Refusal(ask=ask, reason=Reason.OFFICER_MISSING, purpose=purpose, provisions=())
    if purpose is None:  # 2
        return Refusal(ask=ask, reason=Reason.PURPOSE_UNKNOWN, purpose=None, provisions=())
    flow = _flow(purpose, facts)  # 2 and 3
    if isinstance(flow, Reason):
        return Refusal(ask=ask, reason=flow, purpose=purpose, provisions=())
    case = _Case(ask=ask, facts=facts, purpose=purpose, flow=flow, catalogue=catalogue, day=day)
    provisions = purpose.provisions_in_force(day)
    for condition in CONDITIONS:  # 3 to 11
        reason = condition(case)
        if reason is not None:
            return Refusal(ask=ask, reason=reason, purpose=purpose, provisions=provisions)
    return _permit(case, provisions)  # 12


def window_of(ask: Ask, catalogue: Catalogue, *, day: dt.date) -> Months:
    """The months asked for, or the purpose's default window ending this month."""
    if ask.period is not None:
        return ask.period
    this = day.replace(day=1)
    purpose = catalogue.purposes.get(ask.purpose)
    back = purpose.window.default_months if purpose and purpose.window else 1
    return Months(first=_months_back(this, back - 1), last=this)


def wanted_resources(ask: Ask, catalogue: Catalogue) -> tuple[str, ...]:
    """The resources whose record headers the decision may need: those with an asked field, else with a released one."""
    purpose = catalogue.purposes.get(ask.purpose)
    if purpose is None:
        return ()
    asked, column = _asked(ask, purpose), column_of(purpose)
    return column.resources if asked is column.released else resources_of(p for p in asked if p in purpose.cells)


def wanted_fields(ask: Ask, purpose: Purpose, flow: Flow) -> dict[str, Cell]:
    """The cells of this direction that the caller asks for and a record can hold."""
    asked, column = _asked(ask, purpose), column_of(purpose)
    if asked is column.released and not flow.only:
        return column.wanted
    cells = cells_of(purpose, flow)
    return {path: cells[path] for path in asked if path in cells}


def _asked(ask: Ask, purpose: Purpose) -> tuple[str, ...]:
    """The fields asked for, every R where none are named; what the token is not for is never among them (RFC 9396)."""
    asked = column_of(purpose).released if ask.fields is None else ask.fields
    confined = ask.caller.access.fields
    return asked if confined is None else tuple(path for path in asked if path in confined)


def _flow(purpose: Purpose, facts: Facts) -> Flow | Reason:
    """Conditions 2, on and built, and 3, parties and direction: the one pull whose parties these are."""
    caller, discloser = facts.organisation, facts.discloser
    if not purpose.enabled or purpose.id not in PULLS_BUILT:
        return Reason.PURPOSE_NOT_AGREED
    if caller is None or not caller.active:
        return Reason.PARTY_NOT_ENTITLED
    pulls = [f for f in purpose.flows if f.mode is Mode.PULL]
    for flow in pulls:
        if caller.kind in flow.receiver and discloser is not None and discloser.kind in flow.discloser:
            return flow if discloser.active else Reason.PARTY_NOT_ENTITLED
    if any(caller.kind in f.receiver for f in pulls):
        return Reason.PARTY_NOT_ENTITLED
    party = any(caller.kind in (*f.receiver, *f.discloser) for f in purpose.flows)
    return Reason.DIRECTION_NOT_ALLOWED if party else Reason.PARTY_NOT_ENTITLED


def _officer(case: _Case) -> Reason | None:
    officer = case.ask.officer
    if officer is None:
        return Reason.OFFICER_MISSING
    if officer.kind is OfficerKind.PROCESS:
        return None if case.purpose.unattended else Reason.OFFICER_ROLE
    return None if officer.role in case.purpose.receiver_roles else Reason.OFFICER_ROLE


def _assurance(case: _Case) -> Reason | None:
    wanted = case.purpose.officer_assurance is Assurance.AUTHENTICATED
    return Reason.OFFICER_ASSURANCE if wanted and not case.ask.vouched else None


def _agreement(case: _Case) -> Reason | None:
    agreement = case.facts.agreement
    return None if agreement and agreement.in_force(case.day) else Reason.PURPOSE_NOT_AGREED


def _provision(case: _Case) -> Reason | None:
    return None if case.purpose.provisions_in_force(case.day) else Reason.BASIS_NOT_IN_FORCE


def _matter(case: _Case) -> Reason | None:
    if Precondition.OPEN_MATTER not in case.purpose.preconditions:
        return None
    matter = case.facts.matter
    if matter is None:
        return Reason.MATTER_FOREIGN if case.facts.matter_elsewhere else Reason.MATTER_MISSING
    if matter.state is not MatterState.OPEN:
        return Reason.MATTER_CLOSED
    return None if matter.concerns_subject else Reason.SUBJECT_MISMATCH


def _prior_information(case: _Case) -> Reason | None:
    needed = Precondition.PRIOR_INFORMATION in case.purpose.preconditions
    return Reason.PRIOR_INFORMATION_MISSING if needed and case.facts.prior_information is None else None


def _fields(case: _Case) -> Reason | None:
    cells = cells_of(case.purpose, case.flow)
    asked = case.ask.fields or ()
    if any(path not in cells and not path.startswith(SERVER_SET) for path in asked):
        return Reason.FIELD_NOT_PERMITTED
    if any(path.startswith(SERVER_SET) and path not in case.purpose.cells for path in asked):
        return Reason.FIELD_NOT_PERMITTED
    if any(cells.get(path) is Cell.CONSENT for path in asked):
        return Reason.CONSENT_REQUIRED
    return None


def _necessity(case: _Case) -> Reason | None:
    codes = case.catalogue.codes["necessity"]
    for path, cell in wanted_fields(case.ask, case.purpose, case.flow).items():
        if cell is not Cell.OPTIONAL:
            continue
        code = codes.get(case.ask.necessity.get(path, ""))
        if code is None or path not in code.fields:
            return Reason.NECESSITY_MISSING
    return None


def _ceilings(case: _Case) -> Reason | None:
    agreement, period = case.facts.agreement, case.ask.period
    if agreement is None or case.purpose.window is None:
        return Reason.PURPOSE_NOT_AGREED
    if period and (period.first < _oldest(case) or period.last > _months_back(case.day.replace(day=1), -1)):
        return Reason.WINDOW_EXCEEDED
    return Reason.FREQUENCY_EXCEEDED if case.facts.recent >= agreement.per_person_day else None


def _oldest(case: _Case) -> dt.date:
    """The first month that purpose and agreement let a pull look back to; the default window ends there too."""
    bounds, agreement = case.purpose.window, case.facts.agreement
    months = min(bounds.max_months if bounds else 1, agreement.max_months if agreement else 1)
    return _months_back(case.day.replace(day=1), months - 1)


def _competence(case: _Case) -> Reason | None:
    if case.facts.subject is None:
        return Reason.SUBJECT_UNKNOWN
    receiver = case.facts.organisation
    county = receiver is not None and receiver.kind is OrganisationKind.COUNTY
    return Reason.COUNTY_NOT_COMPETENT if county and not case.facts.competent else None


def _prohibitions(case: _Case) -> Reason | None:
    for prohibition in case.facts.prohibitions:
        if prohibition.record is None and case.flow.basis in BLOCKED_BY[prohibition.kind]:
            restricted = prohibition.kind is ProhibitionKind.RESTRICTION
            return Reason.RESTRICTED_PROCESSING if restricted else Reason.PROHIBITED
    return None


CONDITIONS: tuple[Callable[[_Case], Reason | None], ...] = (
    _officer,  # 3: the role
    _assurance,  # 3: logged in
    _agreement,  # 4
    _provision,  # 5
    _matter,  # 6
    _prior_information,  # 7
    _fields,  # 8: in the matrix
    _necessity,  # 8: justified
    _ceilings,  # 9
    _competence,  # 10
    _prohibitions,  # 11
)


def _permit(case: _Case, provisions: tuple[Provision, ...]) -> Permit | Refusal:
    """Condition 11 record by record, then 12: what is left once matrix, necessity and masking have spoken."""
    ask, facts = case.ask, case.facts
    blocked = {p.record for p in facts.prohibitions if p.record and case.flow.basis in BLOCKED_BY[p.kind]}
    oldest = _oldest(case).isoformat()[:7]
    held = [h for h in facts.headers if h.id not in blocked and (h.month is None or h.month >= oldest)]
    wanted, column = wanted_fields(ask, case.purpose, case.flow), column_of(case.purpose)
    wanted = column.sent if wanted is column.wanted else {p: c for p, c in wanted.items() if p != ALREADY_HELD}
    records = [r for r in (_record(h, wanted, ask.form) for h in held) if r is not None]
    if not records or facts.subject is None:
        reason = Reason.PROTECTED_PERSON if any(h.protected for h in held) else Reason.SUBJECT_UNKNOWN
        if blocked and not held:
            reason = Reason.RESTRICTED_PROCESSING
        return Refusal(ask=ask, reason=reason, purpose=case.purpose, provisions=provisions)
    page = tuple(records[: ask.limit])
    rest = facts.headers[-1].key if len(facts.headers) >= HEADERS else None
    return Permit(
        ask=ask,
        purpose=case.purpose,
        flow=case.flow,
        provisions=provisions,
        prior_information=facts.prior_information,
        subject=facts.subject,
        records=page,
        withheld=_withheld(case, wanted, held),
        basis=facts.basis,
        more_after=page[-1].header.key if len(records) > ask.limit else rest,
    )


def _record(header: RecordHeader, wanted: dict[str, Cell], form: Form) -> PermittedRecord | None:
    """The fields of one record that may leave, protection masked; None when there are none."""
    masked = PROTECTED_PATHS if header.protected else frozenset[str]()
    shown = [row for row in _CLASSED[header.resource] if row[2] in wanted and row[2] not in masked]
    if all(row[3] for row in shown):
        return None
    fields: dict[str, list[FieldSpec]] = {}
    if form is Form.VALUES:
        for spec, name, _, _ in shown:
            fields.setdefault(name, []).append(spec)
    return PermittedRecord(header=header, fields={name: tuple(specs) for name, specs in fields.items()})


def _withheld(case: _Case, wanted: dict[str, Cell], held: list[RecordHeader]) -> tuple[Withheld, ...]:
    column = column_of(case.purpose)
    rows = column.withheld
    if wanted is not column.sent:
        cells = cells_of(case.purpose, case.flow)
        rows = tuple(not_asked(p, c) for p, c in cells.items() if c is not Cell.RELEASED and p not in wanted)
    masked = {s.path for h in held if h.protected for s in REGISTRY[h.resource].specs} & PROTECTED_PATHS
    return (*rows, *(Withheld(field=path, reason="protected") for path in wanted if path in masked))


def _months_back(first: dt.date, months: int) -> dt.date:
    """The first day of the month that lies `months` before; negative goes forward."""
    index = first.year * 12 + first.month - 1 - months
    return dt.date(index // 12, index % 12 + 1, 1)
