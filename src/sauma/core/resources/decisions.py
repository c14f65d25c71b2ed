"""A decision on social assistance (matrix rows 18-21)."""

import datetime as dt
import enum
from typing import Annotated

import msgspec

from sauma.core.fields import Padding, sealed
from sauma.core.people import Confidential
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import LongText, Money, Period, ShortText, SourceId


class DecisionType(enum.Enum):
    """What was decided."""

    GRANTED = "granted"
    PARTLY_GRANTED = "partly-granted"
    REFUSED = "refused"
    NOT_EXAMINED = "not-examined"
    LAPSED = "lapsed"


class AppliedProvision(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provision the decision names, as act number and section."""

    act: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,4}/[0-9]{4}$", max_length=9)]
    section: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


AppliedProvisions = Annotated[tuple[AppliedProvision, ...], msgspec.Meta(max_length=20)]


class Decision(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One decision with its reasons and the provisions applied (Act 434/2003, 44-45 sections)."""

    id: Annotated[SourceId | None, sealed(401, "decision.id", padding=Padding.TEXT)] = None
    date: Annotated[dt.date | None, sealed(402, "decision.date")] = None
    type: Annotated[DecisionType | None, sealed(403, "decision.type")] = None
    period: Annotated[Period | None, sealed(404, "decision.period", padding=Padding.TEXT)] = None
    amount: Annotated[Money | None, sealed(405, "decision.amount")] = None
    reasons: Annotated[LongText | None, sealed(406, "decision.reasons", padding=Padding.TEXT)] = None
    provisions: Annotated[AppliedProvisions | None, sealed(407, "decision.provisions", padding=Padding.TEXT)] = None
    appeal: Annotated[bool | None, sealed(408, "decision.appeal")] = None
    worker_unit: Annotated[ShortText | None, sealed(491, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(492, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(493, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day of the decision."""
        return self.date
