"""The calculation a decision rests on (matrix rows 22-27; ToTuL 13 section)."""

from typing import Annotated

import msgspec

from sauma.core.fields import Padding, Sensitivity, sealed
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import AssetSum, HealthCostSum, IncomeSum, Money, OtherBasicSum, ShortText

OtherBasic = Annotated[tuple[OtherBasicSum, ...], msgspec.Meta(max_length=50)]
HealthCosts = Annotated[tuple[HealthCostSum, ...], msgspec.Meta(max_length=50)]
Income = Annotated[tuple[IncomeSum, ...], msgspec.Meta(max_length=50)]
Assets = Annotated[tuple[AssetSum, ...], msgspec.Meta(max_length=50)]


class Calculation(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Expenses, income and assets of one month; `result` is negative when there is a deficit."""

    basic_amount: Annotated[Money | None, sealed(501, "calculation.basicAmount")] = None
    other_basic: Annotated[OtherBasic | None, sealed(502, "calculation.otherBasic", padding=Padding.TEXT)] = None
    health_cost_detail: Annotated[
        HealthCosts | None,
        sealed(503, "calculation.healthCostDetail", sensitivity=Sensitivity.RESTRICTED, padding=Padding.TEXT),
    ] = None
    income: Annotated[Income | None, sealed(504, "calculation.income", padding=Padding.TEXT)] = None
    assets: Annotated[Assets | None, sealed(505, "calculation.assets", padding=Padding.TEXT)] = None
    result: Annotated[Money | None, sealed(506, "calculation.result")] = None
    worker_unit: Annotated[ShortText | None, sealed(591, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(592, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(593, "worker.contact", padding=Padding.TEXT)] = None
