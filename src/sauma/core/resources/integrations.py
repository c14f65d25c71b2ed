"""Trigger of an integration notice (matrix row 43; Act 681/2023); travels only in notices."""

import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Months, ShortText


class IntegrationTrigger(enum.Enum):
    """Why the municipality is told (Act 681/2023, 84 and 86 sections)."""

    IMMIGRANT_NOT_TEMPORARY = "immigrant-not-temporary"


class Integration(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long an immigrant has had assistance other than temporarily."""

    trigger: Annotated[IntegrationTrigger | None, sealed(1601, "integration.trigger")] = None
    months: Annotated[Months | None, sealed(1602, "integration.months")] = None
    worker_unit: Annotated[ShortText | None, sealed(1691, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(1692, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(1693, "worker.contact", padding=Padding.TEXT)] = None
