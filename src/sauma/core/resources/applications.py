"""An application for social assistance and how far it has come (matrix rows 12-17)."""

import datetime as dt
import enum
from typing import Annotated

import msgspec

from sauma.core.fields import Padding, sealed
from sauma.core.people import Confidential
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import OtherCostSum, Period, ShortText, SourceId


class ApplicationStatus(enum.Enum):
    """Where the application stands."""

    RECEIVED = "received"
    SUPPLEMENT_REQUESTED = "supplement-requested"
    BASIC_DECIDED = "basic-decided"
    TRANSFER_REQUESTED = "transfer-requested"
    TRANSFERRED = "transferred"
    COUNTY_RECEIVED = "county-received"
    COUNTY_DECIDED = "county-decided"


class UrgencyReason(enum.Enum):
    """Why the application is urgent (ToTuL 14 b section)."""

    FOOD_OR_MEDICINE = "food-or-medicine"
    EVICTION = "eviction"
    ELECTRICITY = "electricity"
    CHILD = "child"
    OTHER = "other"


class Attachment(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """That a document was attached; its content never travels here."""

    title: ShortText
    received_at: dt.date


Attachments = Annotated[tuple[Attachment, ...], msgspec.Meta(max_length=50)]
OtherCosts = Annotated[tuple[OtherCostSum, ...], msgspec.Meta(max_length=50)]


class Application(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One application; other costs are those outside ToTuL 7-7 b sections."""

    id: Annotated[SourceId | None, sealed(301, "application.id", padding=Padding.TEXT)] = None
    received_at: Annotated[dt.date | None, sealed(302, "application.receivedAt")] = None
    status: Annotated[ApplicationStatus | None, sealed(303, "application.status")] = None
    period: Annotated[Period | None, sealed(304, "application.period", padding=Padding.TEXT)] = None
    other_costs: Annotated[OtherCosts | None, sealed(305, "application.otherCosts", padding=Padding.TEXT)] = None
    urgency_flag: Annotated[bool | None, sealed(306, "application.urgencyFlag")] = None
    urgency_reason: Annotated[UrgencyReason | None, sealed(307, "application.urgencyReason")] = None
    attachments: Annotated[Attachments | None, sealed(308, "application.attachments", padding=Padding.TEXT)] = None
    supplement_due: Annotated[dt.date | None, sealed(309, "application.supplementDue")] = None
    meeting_request: Annotated[bool | None, sealed(310, "application.meetingRequest")] = None
    worker_unit: Annotated[ShortText | None, sealed(391, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(392, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(393, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day the application arrived."""
        return self.received_at
