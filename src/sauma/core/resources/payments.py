"""A payment of social assistance (matrix row 30)."""

import datetime as dt
import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Money, ShortText


class PayeeType(enum.Enum):
    """Whom the payment went to."""

    CLIENT = "client"
    LANDLORD = "landlord"
    UTILITY = "utility"
    PHARMACY = "pharmacy"
    COUNTY = "county"
    OTHER = "other"


class Payment(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One payment; the payee is told by type, never by name or account."""

    date: Annotated[dt.date | None, sealed(701, "payment.date")] = None
    amount: Annotated[Money | None, sealed(702, "payment.amount")] = None
    next_date: Annotated[dt.date | None, sealed(703, "payment.nextDate")] = None
    payee_type: Annotated[PayeeType | None, sealed(704, "payment.payeeType")] = None
    worker_unit: Annotated[ShortText | None, sealed(791, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(792, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(793, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day of payment."""
        return self.date
