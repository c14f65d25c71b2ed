"""Whether a client, activation or integration plan exists (matrix rows 46-47)."""

import datetime as dt
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import LongText, ShortText


class Plan(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The plan's existence and last review; its goals only with consent."""

    exists: Annotated[bool | None, sealed(1301, "plan.exists")] = None
    reviewed_at: Annotated[dt.date | None, sealed(1302, "plan.reviewedAt")] = None
    goals: Annotated[LongText | None, sealed(1303, "plan.goals", padding=Padding.TEXT)] = None
    worker_unit: Annotated[ShortText | None, sealed(1391, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1392, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1393, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day of the last review."""
        return self.reviewed_at
