"""A county's decision on supplementary or preventive assistance (matrix row 45)."""

import datetime as dt
import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Money, Period, ShortText


class CountyDecisionKind(enum.Enum):
    """Which assistance the county decided on."""

    SUPPLEMENTARY = "supplementary"
    PREVENTIVE = "preventive"


class CountyDecision(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One decision of a wellbeing services county (ToTuL 7 c and 13 sections)."""

    kind: Annotated[CountyDecisionKind | None, sealed(1201, "countyDecision.kind")] = None
    item: Annotated[ShortText | None, sealed(1202, "countyDecision.item", padding=Padding.TEXT)] = None
    amount: Annotated[Money | None, sealed(1203, "countyDecision.amount")] = None
    period: Annotated[Period | None, sealed(1204, "countyDecision.period", padding=Padding.TEXT)] = None
    date: Annotated[dt.date | None, sealed(1205, "countyDecision.date")] = None
    worker_unit: Annotated[ShortText | None, sealed(1291, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1292, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1293, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day of the decision."""
        return self.date
