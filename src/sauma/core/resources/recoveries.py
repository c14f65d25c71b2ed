"""Recovery of assistance paid (matrix row 32; ToTuL 20 and 23 sections)."""

import enum
from typing import Annotated

from sauma.core.fields import Padding, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import Money, ShortText


class RecoveryBasis(enum.Enum):
    """Ground of recovery (ToTuL 20 and 23 sections)."""

    MEANS_NOT_AVAILABLE = "means-not-available"
    MAINTENANCE_NEGLECTED = "maintenance-neglected"
    EXPECTED_INCOME = "expected-income"
    WRONG_FACTS = "wrong-facts"


class Recovery(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Whether recovery was ordered, on what ground and how much."""

    order: Annotated[bool | None, sealed(901, "recovery.order")] = None
    basis: Annotated[RecoveryBasis | None, sealed(902, "recovery.basis")] = None
    amount: Annotated[Money | None, sealed(903, "recovery.amount")] = None
    worker_unit: Annotated[ShortText | None, sealed(991, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(992, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(993, "worker.contact", padding=Padding.TEXT)] = None
