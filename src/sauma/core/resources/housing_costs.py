"""Housing costs and the risk of losing the home (matrix rows 28-29; ToTuL 7 a section)."""

import datetime as dt
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Money, ShortText


class HousingCost(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Monthly costs, what was accepted of them, and until when cheaper housing is to be found."""

    actual: Annotated[Money | None, sealed(601, "housing.actual")] = None
    accepted: Annotated[Money | None, sealed(602, "housing.accepted")] = None
    limit: Annotated[Money | None, sealed(603, "housing.limit")] = None
    directive_due: Annotated[dt.date | None, sealed(604, "housing.directiveDue")] = None
    eviction_risk: Annotated[bool | None, sealed(605, "housing.evictionRisk")] = None
    worker_unit: Annotated[ShortText | None, sealed(691, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(692, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(693, "worker.contact", padding=Padding.TEXT)] = None
