"""A payment commitment or rent deposit (matrix row 31; ToTuL 16 section)."""

import datetime as dt
import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Money, Period, ShortText


class CommitmentKind(enum.Enum):
    """What the commitment is for."""

    MEDICINE = "medicine"
    RENT_DEPOSIT = "rent-deposit"
    ELECTRICITY = "electricity"
    EYEGLASSES = "eyeglasses"
    DENTAL_CARE = "dental-care"
    MOVING = "moving"
    OTHER = "other"


class CommitmentState(enum.Enum):
    """Where the commitment stands."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Commitment(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One commitment to pay a third party."""

    kind: Annotated[CommitmentKind | None, sealed(801, "commitment.kind")] = None
    valid: Annotated[Period | None, sealed(802, "commitment.valid", padding=Padding.TEXT)] = None
    limit: Annotated[Money | None, sealed(803, "commitment.limit")] = None
    state: Annotated[CommitmentState | None, sealed(804, "commitment.state")] = None
    worker_unit: Annotated[ShortText | None, sealed(891, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(892, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(893, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The first day of validity."""
        return self.valid.from_ if self.valid else None
