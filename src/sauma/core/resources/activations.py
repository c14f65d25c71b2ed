"""Trigger of an activation notice (matrix row 42; Act 189/2001); travels only in notices."""

import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Months, ShortText


class ActivationTrigger(enum.Enum):
    """Age group and months of assistance (Act 189/2001, 27 section)."""

    UNDER_25_FOUR_MONTHS = "under-25-four-months"
    FROM_25_TWELVE_MONTHS = "from-25-twelve-months"


class Activation(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long the person has lived on assistance because of unemployment."""

    trigger: Annotated[ActivationTrigger | None, sealed(1501, "activation.trigger")] = None
    months: Annotated[Months | None, sealed(1502, "activation.months")] = None
    worker_unit: Annotated[ShortText | None, sealed(1591, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1592, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1593, "worker.contact", padding=Padding.TEXT)] = None
