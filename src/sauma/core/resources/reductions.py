"""Reduction of the basic amount (matrix rows 33-36; ToTuL 10 and 10 a sections)."""

import datetime as dt
import enum
from typing import Annotated, Literal

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import LongText, Period, ShortText


class ReductionGround(enum.Enum):
    """Ground of the reduction (ToTuL 10 section as in force from 1.2.2026)."""

    WORK_REFUSED = "work-refused"
    INTEGRATION_PLAN_REFUSED = "integration-plan-refused"
    ACTIVATION_PLAN_REFUSED = "activation-plan-refused"
    REHABILITATIVE_WORK_REFUSED = "rehabilitative-work-refused"
    FULL_TIME_WORK_NOT_SOUGHT = "full-time-work-not-sought"
    PRIMARY_BENEFIT_NOT_SOUGHT = "primary-benefit-not-sought"


class Hearing(enum.Enum):
    """How the client was heard before the decision."""

    HEARD = "heard"
    DID_NOT_ANSWER = "did-not-answer"
    NOT_REACHED = "not-reached"


Percent = Literal[20, 40, 50]
"""How much of the basic amount is taken off; 50 since 1.2.2026."""


class Reduction(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One reduction with its ground, exhortation, hearing and the assessment that it is not unreasonable."""

    percent: Annotated[Percent | None, sealed(1001, "reduction.percent")] = None
    period: Annotated[Period | None, sealed(1002, "reduction.period", padding=Padding.TEXT)] = None
    ground: Annotated[ReductionGround | None, sealed(1003, "reduction.ground")] = None
    exhortation_due: Annotated[dt.date | None, sealed(1004, "reduction.exhortationDue")] = None
    hearing: Annotated[Hearing | None, sealed(1005, "reduction.hearing")] = None
    proportionality: Annotated[LongText | None, sealed(1006, "reduction.proportionality", padding=Padding.TEXT)] = None
    worker_unit: Annotated[ShortText | None, sealed(1091, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1092, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1093, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The first day of the reduction."""
        return self.period.from_ if self.period else None
