"""A referral's content and its two kinds of answer (matrix rows 37-41); travels only in notices."""

import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Instant, ReferralText, ShortText


class NeedCategory(enum.Enum):
    """Main need of support (THL 26/2019)."""

    LIFE_MANAGEMENT = "life-management"
    LIVELIHOOD = "livelihood"
    HOUSING = "housing"
    HEALTH = "health"
    OTHER = "other"


class NotificationGround(enum.Enum):
    """Ground of a notification without consent (SHL 35.2 section)."""

    INCAPABLE = "incapable"
    CHILD_INTEREST = "child-interest"


class ReceiptState(enum.Enum):
    """Technical answer to a referral."""

    RECEIVED = "received"
    TRANSFERRED = "transferred"
    ACCEPTED = "accepted"
    RETURNED = "returned"


class ReferralOutcome(enum.Enum):
    """What became of the referral."""

    ASSESSMENT_STARTED = "assessment-started"
    PLAN_MADE = "plan-made"
    NO_NEED = "no-need"
    TOOK_PART = "took-part"
    DID_NOT_TAKE_PART = "did-not-take-part"


class Referral(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why support is needed; the receipt always returns, the outcome only with consent or under ToTuL 18 b section."""

    need_category: Annotated[NeedCategory | None, sealed(1401, "referral.needCategory")] = None
    text: Annotated[ReferralText | None, sealed(1402, "referral.text", padding=Padding.TEXT)] = None
    ground: Annotated[NotificationGround | None, sealed(1403, "referral.ground")] = None
    receipt_state: Annotated[ReceiptState | None, sealed(1404, "referral.receiptState")] = None
    receipt_unit: Annotated[ShortText | None, sealed(1405, "referral.receiptUnit", padding=Padding.TEXT)] = None
    receipt_at: Annotated[Instant | None, sealed(1406, "referral.receiptAt")] = None
    outcome: Annotated[ReferralOutcome | None, sealed(1407, "referral.outcome")] = None
    worker_unit: Annotated[ShortText | None, sealed(1491, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1492, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1493, "worker.contact", padding=Padding.TEXT)] = None
