"""The household the assistance is counted for (matrix rows 10-11)."""

import enum
from typing import Annotated

import msgspec

from sauma.core.fields import Padding, sealed
from sauma.core.people import Confidential
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import HetuText, Persons, ShortText


class HouseholdType(enum.Enum):
    """What kind of household the basic amount is counted for (ToTuL 9 section)."""

    ALONE = "alone"
    SINGLE_PARENT = "single-parent"
    COUPLE = "couple"
    COUPLE_WITH_CHILDREN = "couple-with-children"
    ADULT_WITH_PARENTS = "adult-with-parents"
    SHARED_HOUSING = "shared-housing"


class Relation(enum.Enum):
    """What a household member or co-subject is to the subject."""

    SPOUSE = "spouse"
    COHABITING_PARTNER = "cohabiting-partner"
    CHILD = "child"
    PARENT = "parent"
    GUARDIAN = "guardian"
    OTHER = "other"


class HouseholdMember(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another person of the household; their own protection and prohibitions are looked up by this code."""

    hetu: HetuText
    relation: Relation


HouseholdMembers = Annotated[tuple[HouseholdMember, ...], msgspec.Meta(max_length=30)]


class Household(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The family as ToTuL 3 section counts it."""

    type: Annotated[HouseholdType | None, sealed(201, "household.type")] = None
    size: Annotated[Persons | None, sealed(202, "household.size")] = None
    members: Annotated[HouseholdMembers | None, sealed(203, "household.members", padding=Padding.TEXT)] = None
    worker_unit: Annotated[ShortText | None, sealed(291, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(292, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(293, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def identity_codes(self) -> tuple[tuple[str, str], ...]:
        """The codes of the members."""
        return tuple((f"/members/{place}/hetu", member.hetu) for place, member in enumerate(self.members or ()))
