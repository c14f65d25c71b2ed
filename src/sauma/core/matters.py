"""The requester's own pending case, and the other facts a decision rests on."""

import datetime as dt
import enum
import uuid

import msgspec

from sauma.core.parties import Organisation
from sauma.core.purposes import BasisKind


class MatterState(enum.Enum):
    """Whether the requester's case is pending (ToTuL 18 a.1 §: data only for a pending matter)."""

    OPEN = "open"
    CLOSED = "closed"


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own matter: whether it is open and whether it concerns the person asked about."""

    state: MatterState
    concerns_subject: bool
    version: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What discloser and receiver have agreed for one purpose, with its ceilings.

    `max_months` narrows the purpose's window; `per_person_day` is the most disclosures on one person in 24 hours.
    """

    id: uuid.UUID
    purpose: str
    valid_from: dt.date
    valid_until: dt.date | None
    active: bool
    max_months: int
    per_person_day: int
    version: int

    def in_force(self, day: dt.date) -> bool:
        """Whether the agreement holds on the given Helsinki day."""
        return self.active and self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class ProhibitionKind(enum.Enum):
    """The kinds of restriction a person or a law may put on their data (AsTL 51, 58-59 §; GDPR 18)."""

    CONTROLLER = "kielto-controller"
    SERVICE_TASK = "kielto-service-task"
    DOCUMENT = "kielto-document"
    CONSENT_WITHDRAWAL = "consent-withdrawal"
    RESTRICTION = "gdpr18-restriction"
    MINOR_VS_GUARDIAN = "minor-vs-guardian"
    NON_DISCLOSURE = "turvakielto"
    SECRET_CONTACT = "secret-contact"  # noqa: S105  # a kind of restriction, no password


class Prohibition(msgspec.Struct, frozen=True, kw_only=True):
    """One standing restriction on a subject's records at one controller; `record` narrows it to one document."""

    id: uuid.UUID
    kind: ProhibitionKind
    record: uuid.UUID | None


class RecordKey(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where a page ends: records are paged by id, then resource, for a controller may use an id in two resources."""

    record: uuid.UUID
    resource: str


class RecordHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision may know of a record: nothing of its content.

    `groups` are the sealed storage classes with the SHA-256 of each sealed group. `protected` says that the subject or
    someone named in the record has a non-disclosure order. `month` is the calendar month (YYYY-MM) the record concerns.
    """

    resource: str
    id: uuid.UUID
    revision: int
    month: str | None
    recorded_at: dt.datetime
    groups: dict[str, bytes]
    protected: bool
    others: tuple[bytes, ...]

    @property
    def key(self) -> RecordKey:
        """Where the record stands among the person's."""
        return RecordKey(record=self.id, resource=self.resource)


class SubjectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What gather returns of the person at the discloser: never who they are."""

    id: uuid.UUID
    protected: bool
    handling_unit: str
    version: int


class BasisVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions decided on; the append and the gate compare them again and refuse when one moved."""

    client: str
    client_version: int
    organisation: str
    organisation_version: int | None = None
    discloser: str | None = None
    discloser_version: int | None = None
    agreement: uuid.UUID | None = None
    agreement_version: int | None = None
    subject: uuid.UUID | None = None
    subject_version: int | None = None
    case_mac: bytes | None = None
    matter_version: int | None = None


BLOCKED_BY: dict[ProhibitionKind, frozenset[BasisKind]] = {
    ProhibitionKind.CONTROLLER: frozenset({BasisKind.PERMISSION}),
    ProhibitionKind.SERVICE_TASK: frozenset({BasisKind.PERMISSION}),
    ProhibitionKind.DOCUMENT: frozenset({BasisKind.PERMISSION}),
    ProhibitionKind.CONSENT_WITHDRAWAL: frozenset({BasisKind.CONSENT, BasisKind.CONSENT_CONDITION}),
    ProhibitionKind.RESTRICTION: frozenset(BasisKind) - {BasisKind.VITAL_INTEREST, BasisKind.SUPERVISION},
    ProhibitionKind.MINOR_VS_GUARDIAN: frozenset({BasisKind.SUBJECT_RIGHT}),
    ProhibitionKind.NON_DISCLOSURE: frozenset(),
    ProhibitionKind.SECRET_CONTACT: frozenset(),
}


class Form(enum.Enum):
    """Whether the caller wants values, or only yes or no per resource and month."""

    VALUES = "values"
    EXISTENCE = "existence"


class Months(msgspec.Struct, frozen=True, kw_only=True):
    """A window of whole calendar months, both ends included, each the first day of its month."""

    first: dt.date
    last: dt.date

    def text(self) -> tuple[str, str]:
        """The ends as YYYY-MM."""
        return self.first.isoformat()[:7], self.last.isoformat()[:7]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What gather found: the rows the decision rests on, with their versions, and headers without content.

    `competent`: whether the receiver's county is the subject's handling unit. `recent`: disclosures on the person to
    this organisation under this purpose in the last 24 hours. `prior_information`: the record that the client was told.
    """

    organisation: Organisation | None
    discloser: Organisation | None
    agreement: Agreement | None
    matter: Matter | None
    matter_elsewhere: bool
    prior_information: uuid.UUID | None
    subject: SubjectFacts | None
    competent: bool
    prohibitions: tuple[Prohibition, ...]
    headers: tuple[RecordHeader, ...]
    recent: int
    basis: BasisVersions
