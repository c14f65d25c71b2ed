"""The value types resources share: money, periods, sums by class, and texts of bounded length.

A `Code…` value fits the fixed 32 bytes its JSON is sealed in; a `…Text`, list or closed Struct is padded as text.
"""

import datetime as dt
import enum
from typing import Annotated

import msgspec

from sauma.core.people import HETU_PATTERN, Confidential

Money = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,9}\.[0-9]{2}$", max_length=13)]
"""Euro with two decimals, as a string."""

Instant = Annotated[
    str,
    msgspec.Meta(
        pattern="^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z$",
        max_length=20,
    ),
]
"""A moment in UTC to the second (RFC 3339)."""

HetuText = Annotated[str, msgspec.Meta(pattern=HETU_PATTERN, min_length=11, max_length=11)]
"""A personal identity code in upper case; `check_identifiers` checks date, check character and environment."""

Phone = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9]{5,15}$")]
SourceId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ReferralText = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
LongText = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Months = Annotated[int, msgspec.Meta(ge=0, le=600)]
Persons = Annotated[int, msgspec.Meta(ge=1, le=30)]


class Period(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Both days included."""

    from_: dt.date
    to: dt.date

    def __post_init__(self) -> None:
        if self.to < self.from_:
            message = "a period does not end before it begins"
            raise ValueError(message)


class IncomeClass(enum.Enum):
    """THL's main classes of income."""

    EARNED = "earned"
    CAPITAL = "capital"
    BENEFIT = "benefit"
    OTHER = "other"


class AssetClass(enum.Enum):
    """Classes of assets in the calculation (ToTuL 12 section)."""

    DEPOSIT = "deposit"
    SECURITY = "security"
    REAL_ESTATE = "real-estate"
    VEHICLE = "vehicle"
    OTHER = "other"


class OtherBasicClass(enum.Enum):
    """Other basic expenses (ToTuL 7 b section)."""

    HEALTH_CARE = "health-care"
    EARLY_EDUCATION = "early-education"
    CHILD_VISITS = "child-visits"
    IDENTITY_DOCUMENTS = "identity-documents"
    MOVING = "moving"
    OTHER = "other"


class HealthCostClass(enum.Enum):
    """What a health-care expense was for, without any diagnosis."""

    PUBLIC_CARE = "public-care"
    MEDICINE = "medicine"
    DENTAL_CARE = "dental-care"
    EYEGLASSES = "eyeglasses"
    TRANSPORT = "transport"
    OTHER = "other"


class OtherCostClass(enum.Enum):
    """Costs outside ToTuL 7-7 b sections, which are the county's to judge (7 c and 13 sections)."""

    SUPPLEMENTARY_HOUSING = "supplementary-housing"
    SPECIAL_NEEDS = "special-needs"
    FUNERAL = "funeral"
    DEBT = "debt"
    PREVENTIVE = "preventive"
    OTHER = "other"


class IncomeSum(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """Income of one class in the calculation month."""

    class_: IncomeClass
    sum: Money


class AssetSum(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """Assets of one class at the time of the calculation."""

    class_: AssetClass
    sum: Money


class OtherBasicSum(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """Other basic expenses of one class."""

    class_: OtherBasicClass
    sum: Money


class HealthCostSum(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """Health-care expenses of one class."""

    class_: HealthCostClass
    sum: Money


class OtherCostSum(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """A cost the client asked for outside basic social assistance."""

    class_: OtherCostClass
    sum: Money
