"""The law as data: purposes, their provisions with validity dates, and the field matrix.

Source of the rows: the purpose catalogue under `sauma/catalogue/*.toml`; this module only gives them types.
"""

import datetime as dt
import enum
from collections.abc import Iterable

import msgspec

from sauma.core.parties import Assurance, OrganisationKind
from sauma.core.resources import BY_FIELD_ID

ALREADY_HELD = "person.hetu"
SHARED = ("worker.",)
RESOURCE_OF = {s.path: r.name for r, s in BY_FIELD_ID.values() if r.deposited and not s.path.startswith(SHARED)}
"""The one depositable resource each matrix path stands in."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in the three languages a client or official may be served in."""

    fi: str
    sv: str
    en: str


class BasisKind(enum.Enum):
    """How the law lets data move: who starts, what is needed, whether it can be revoked."""

    STATUTE_PULL = "statutePull"
    STATUTE_PUSH_DUTY = "statutePushDuty"
    STATUTE_PUSH_MAY = "statutePushMay"
    CONSENT_CONDITION = "consentCondition"
    CONSENT = "consent"
    PERMISSION = "permission"
    INCAPABLE_OR_CHILD = "incapableOrChild"
    VITAL_INTEREST = "vitalInterest"
    SUPERVISION = "supervision"
    SUBJECT_RIGHT = "subjectRight"
    AGGREGATE = "aggregate"


class Mode(enum.Enum):
    """Who starts the exchange."""

    PULL = "pull"
    PUSH = "push"


class Cell(enum.Enum):
    """One cell of the field matrix; an absent field is never disclosed under the purpose."""

    RELEASED = "R"
    OPTIONAL = "o"
    CONSENT = "C"


class Precondition(enum.Enum):
    """What must stand before a purpose may be used; each is evidence the server finds itself."""

    OPEN_MATTER = "open-matter"
    PRIOR_INFORMATION = "prior-information"
    CLIENT_REQUEST = "client-request"
    BASIC_DECISION = "basic-decision"
    URGENCY_REASON = "urgency-reason"
    DECIDED_REDUCTION = "decided-reduction"
    CLIENT_HEARD = "client-heard"
    CLIENT_INFORMED = "client-informed"
    CONSENT = "consent"
    EVIDENT_NEED = "evident-need"
    GROUND = "ground"
    ASSESSMENT = "assessment"
    TRIGGER = "trigger"
    STATEMENT_TOPIC = "statement-topic"
    STRONG_IDENTIFICATION = "strong-identification"
    DOSSIER = "dossier"
    TIME_BOX = "time-box"
    NO_IDENTIFIERS = "no-identifiers"


class Provision(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One provision a disclosure may rest on; `in_force_until` is the last day it held, None while it holds."""

    act: str
    section: str
    title: Text
    in_force_from: dt.date
    in_force_until: dt.date | None = None

    def in_force(self, day: dt.date) -> bool:
        """Whether the provision held on the given Helsinki day."""
        return self.in_force_from <= day and (self.in_force_until is None or day <= self.in_force_until)


class Flow(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One lawful direction of a purpose: from whom, to whom, who starts.

    `only` narrows the matrix column for this direction (P03: county to Kela); empty means the whole column.
    """

    discloser: tuple[OrganisationKind, ...]
    receiver: tuple[OrganisationKind, ...]
    mode: Mode
    basis: BasisKind
    only: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How far back a pull may look, in whole months: default and ceiling (Sauma policy; an agreement may narrow it)."""

    default_months: int
    max_months: int


class Purpose(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One purpose of the catalogue: everything the decision needs to know, and the texts people read.

    `officer_assurance` is Sauma policy, not a provision: `authenticated` wants an officer who has logged in at the
    caller's own identity provider (RFC 9470), else one the caller names is enough.
    """

    id: str
    number: str
    version: int
    enabled: bool
    title: Text
    description: Text
    flows: tuple[Flow, ...]
    provisions: tuple[Provision, ...]
    preconditions: tuple[Precondition, ...]
    receiver_roles: tuple[str, ...]
    unattended: bool
    officer_assurance: Assurance = Assurance.ASSERTED
    window: Window | None = None
    erase_by: str
    timer: str | None = None
    cells: dict[str, Cell]
    qualifiers: dict[str, Text]

    def provisions_in_force(self, day: dt.date) -> tuple[Provision, ...]:
        """The provisions that held on the given Helsinki day."""
        return tuple(p for p in self.provisions if p.in_force(day))


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A field the purpose knows that does not leave this time, and why."""

    field: str
    reason: str


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a purpose alone: the cells a record can hold, and which of them are released unasked.

    Of a question that names no field: `resources` hold what it asks for, `wanted` are its cells, `sent` the same
    without the one that is held already, `withheld` the others.
    """

    purpose: Purpose
    cells: dict[str, Cell]
    released: tuple[str, ...]
    resources: tuple[str, ...]
    wanted: dict[str, Cell]
    sent: dict[str, Cell]
    withheld: tuple[Withheld, ...]


_COLUMNS: dict[int, Column] = {}
_MOST = 256  # a catalogue has far fewer; tests make many


def column_of(purpose: Purpose) -> Column:
    """The matrix column of this very object, worked out once; it is kept alive so that no other takes its identity."""
    known = _COLUMNS.get(id(purpose))
    if known is not None:
        return known
    if len(_COLUMNS) >= _MOST:
        _COLUMNS.clear()
    cells = {path: cell for path, cell in purpose.cells.items() if path in RESOURCE_OF or path.startswith(SHARED)}
    released = tuple(path for path, cell in cells.items() if cell is Cell.RELEASED)
    known = _COLUMNS[id(purpose)] = Column(
        purpose=purpose,
        cells=cells,
        released=released,
        resources=resources_of(released),
        wanted={path: cells[path] for path in released},
        sent={path: cells[path] for path in released if path != ALREADY_HELD},
        withheld=tuple(not_asked(path, cell) for path, cell in cells.items() if cell is not Cell.RELEASED),
    )
    return known


def resources_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The resources that hold these fields, but for the one the caller holds already."""
    return tuple(sorted({RESOURCE_OF[path] for path in paths if path != ALREADY_HELD and path in RESOURCE_OF}))


def not_asked(path: str, cell: Cell) -> Withheld:
    """Why a field that is not released unasked is not given to who did not ask for it."""
    return Withheld(field=path, reason="consent-required" if cell is Cell.CONSENT else "not-requested")


def cells_of(purpose: Purpose, flow: Flow) -> dict[str, Cell]:
    """The matrix column of one direction, without rows the server sets and rows only notices carry."""
    cells = column_of(purpose).cells
    return {path: cell for path, cell in cells.items() if path in flow.only} if flow.only else cells


class Code(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One code of a closed list; `source` is its section or "Sauma policy"; `fields` the field paths it can justify."""

    code: str
    text: Text
    source: str
    fields: tuple[str, ...] = ()


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The whole catalogue as it stood: purposes by id, code lists by name, and the digest an entry quotes.

    `erase_by_days` says for an `eraseBy` code how many days the receiver may keep the answer outside its own client
    document; a code without days sets no date.
    """

    purposes: dict[str, Purpose]
    codes: dict[str, dict[str, Code]]
    digest: bytes
    erase_by_days: dict[str, int] = msgspec.field(default_factory=dict)
