"""Amounts of basic social assistance and the calculation of one month, in cents (law in force from 1.3.2026)."""

import msgspec

from sauma.core.resources.calculations import Calculation
from sauma.core.resources.households import HouseholdType
from sauma.core.resources.vocabulary import (
    AssetClass,
    AssetSum,
    HealthCostClass,
    HealthCostSum,
    IncomeClass,
    IncomeSum,
    OtherBasicClass,
    OtherBasicSum,
)
from sauma.demo.lots import Lots

ADULT = {
    HouseholdType.ALONE: 578_43,
    HouseholdType.SHARED_HOUSING: 578_43,
    HouseholdType.COUPLE: 497_45,
    HouseholdType.COUPLE_WITH_CHILDREN: 497_45,
    HouseholdType.SINGLE_PARENT: 665_19,
    HouseholdType.ADULT_WITH_PARENTS: 422_25,
}
"""Basic amount of one adult (Act 1412/1997, 9 §), a month."""

CHILD_FROM_TEN = (417_63, 388_70, 359_78)
CHILD_BELOW_TEN = (375_98, 347_06, 318_14)
"""Basic amount of the first, second and every further child."""

TEN = 10


class Rent(msgspec.Struct, frozen=True, kw_only=True):
    """Housing costs of a month: what they are, the municipality's limit, and what was accepted."""

    actual: int
    limit: int

    @property
    def accepted(self) -> int:
        """Costs up to the limit (7 a §)."""
        return min(self.actual, self.limit)


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One month's expenses and income, by class."""

    basic: int
    rent: Rent
    other: tuple[tuple[OtherBasicClass, int], ...]
    health: tuple[tuple[HealthCostClass, int], ...]
    income: tuple[tuple[IncomeClass, int], ...]
    assets: tuple[tuple[AssetClass, int], ...]

    @property
    def expenses(self) -> int:
        """Basic amount, other basic expenses and accepted housing costs."""
        return self.basic + sum(cents for _, cents in self.other) + self.rent.accepted

    @property
    def means(self) -> int:
        """Income and assets at hand."""
        return sum(cents for _, cents in self.income) + sum(cents for _, cents in self.assets)

    @property
    def granted(self) -> int:
        """The deficit, which is what is granted; nothing where there is none."""
        return max(0, self.expenses - self.means)


def euro(cents: int) -> str:
    """Cents as euro with two decimals."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def basic_amount(kind: HouseholdType, *, adults: int, ages: tuple[int, ...], reduction: int = 0) -> int:
    """The household's basic amount; `ages` of its children, `reduction` the percentage off one adult's."""
    total = adults * ADULT[kind] - ADULT[kind] * reduction // 100
    for place, age in enumerate(sorted(ages, reverse=True)):
        steps = CHILD_FROM_TEN if age >= TEN else CHILD_BELOW_TEN
        total += steps[min(place, len(steps) - 1)]
    return total


def assess(lots: Lots, *, basic: int, size: int) -> Assessment:
    """A plausible month of a household of `size` persons with the given basic amount."""
    limit = 520_00 + 110_00 * (size - 1) + 10_00 * lots.below(18)
    rent = Rent(actual=limit + lots.between(-140, 90) * 1_00 + lots.below(100), limit=limit)
    health: list[tuple[HealthCostClass, int]] = []
    other: list[tuple[OtherBasicClass, int]] = []
    if lots.percent(45):
        kinds = (HealthCostClass.MEDICINE, HealthCostClass.PUBLIC_CARE, HealthCostClass.DENTAL_CARE)
        health = [(kind, lots.between(6_00, 79_00)) for kind in kinds[: lots.between(1, 2)]]
        other.append((OtherBasicClass.HEALTH_CARE, sum(cents for _, cents in health)))
    if size > 1 and lots.percent(20):
        other.append((OtherBasicClass.EARLY_EDUCATION, lots.between(28_00, 180_00)))
    if lots.percent(8):
        other.append((OtherBasicClass.MOVING, lots.between(60_00, 320_00)))
    return Assessment(
        basic=basic,
        rent=rent,
        other=tuple(other),
        health=tuple(health),
        income=_income(lots, needed=basic + rent.accepted),
        assets=((AssetClass.DEPOSIT, lots.between(20_00, 600_00)),) if lots.percent(9) else (),
    )


def _income(lots: Lots, *, needed: int) -> tuple[tuple[IncomeClass, int], ...]:
    """Benefits first, now and then wages; one household in eight has more than the law says it needs."""
    share = lots.between(101, 130) if lots.percent(12) else lots.between(35, 92)
    total = needed * share // 100
    if lots.percent(18):
        wages = total * lots.between(15, 60) // 100
        return ((IncomeClass.EARNED, wages), (IncomeClass.BENEFIT, total - wages))
    if lots.percent(10):
        support = lots.between(30_00, 120_00)
        return ((IncomeClass.BENEFIT, total - support), (IncomeClass.OTHER, support))
    return ((IncomeClass.BENEFIT, total),)


def calculation(month: Assessment, *, unit: str) -> Calculation:
    """The calculation record: `result` is means less expenses, negative where there is a deficit."""
    return Calculation(
        basic_amount=euro(month.basic),
        other_basic=tuple(OtherBasicSum(class_=kind, sum=euro(cents)) for kind, cents in month.other),
        health_cost_detail=tuple(HealthCostSum(class_=kind, sum=euro(cents)) for kind, cents in month.health),
        income=tuple(IncomeSum(class_=kind, sum=euro(cents)) for kind, cents in month.income),
        assets=tuple(AssetSum(class_=kind, sum=euro(cents)) for kind, cents in month.assets),
        result=euro(month.means - month.expenses),
        worker_unit=unit,
    )
