"""The social-care statement a county gives Kela (matrix row 44; ToTuL 15 section)."""

import datetime as dt
import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import LongText, ShortText


class StatementTopic(enum.Enum):
    """The three topics ToTuL 15 section allows, and no other."""

    CIRCUMSTANCES = "circumstances"
    REDUCTION_FACTORS = "reduction-factors"
    URGENCY = "urgency"


class Statement(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One statement, given after the client was informed and heard."""

    topic: Annotated[StatementTopic | None, sealed(1101, "statement.topic")] = None
    text: Annotated[LongText | None, sealed(1102, "statement.text", padding=Padding.TEXT)] = None
    author: Annotated[ShortText | None, sealed(1103, "statement.author", padding=Padding.TEXT)] = None
    heard_at: Annotated[dt.date | None, sealed(1104, "statement.heardAt")] = None
    informed_at: Annotated[dt.date | None, sealed(1105, "statement.informedAt")] = None
    worker_unit: Annotated[ShortText | None, sealed(1191, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1192, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1193, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def reference_day(self) -> dt.date | None:
        """The day the client was informed."""
        return self.informed_at
