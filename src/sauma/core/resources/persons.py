"""The person, how to reach them, and who acts for them (matrix rows 1-9)."""

import enum
from typing import Annotated

import msgspec

from sauma.core.fields import Padding, Sensitivity, sealed
from sauma.core.people import Confidential, MunicipalityCode
from sauma.core.resources.record import Record
from sauma.core.resources.vocabulary import HetuText, Phone, ShortText


class Language(enum.Enum):
    """Asiointikieli: the language the person is served in, which need not be the mother tongue."""

    FINNISH = "fi"
    SWEDISH = "sv"
    NORTHERN_SAMI = "se"
    INARI_SAMI = "smn"
    SKOLT_SAMI = "sms"
    ENGLISH = "en"


class Mandate(enum.Enum):
    """On what ground somebody represents the person."""

    GUARDIAN = "guardian"
    CUSTODIAN = "custodian"
    CONTINUING_POWER_OF_ATTORNEY = "continuing-power-of-attorney"
    AUTHORISED = "authorised"


class Address(Confidential, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A postal address in Finland."""

    street: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    postal_code: Annotated[str, msgspec.Meta(pattern="^[0-9]{5}$", max_length=5)]
    post_office: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class Person(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One person as the controller knows them; phone and address are restricted, turvakielto stands apart."""

    hetu: Annotated[HetuText | None, sealed(101, "person.hetu")] = None
    name: Annotated[ShortText | None, sealed(102, "person.name", padding=Padding.TEXT)] = None
    service_language: Annotated[Language | None, sealed(103, "person.serviceLanguage")] = None
    interpreter_needed: Annotated[bool | None, sealed(104, "person.interpreterNeeded")] = None
    home_municipality: Annotated[MunicipalityCode | None, sealed(105, "person.homeMunicipality")] = None
    turvakielto: Annotated[bool | None, sealed(106, "person.turvakielto", sensitivity=Sensitivity.PROTECTION)] = None
    contact_phone: Annotated[Phone | None, sealed(107, "contact.phone", sensitivity=Sensitivity.RESTRICTED)] = None
    contact_address: Annotated[
        Address | None, sealed(108, "contact.address", sensitivity=Sensitivity.RESTRICTED, padding=Padding.TEXT)
    ] = None
    representative_name: Annotated[ShortText | None, sealed(109, "representative.name", padding=Padding.TEXT)] = None
    representative_mandate: Annotated[Mandate | None, sealed(110, "representative.mandate")] = None
    worker_unit: Annotated[ShortText | None, sealed(191, "worker.unit", padding=Padding.TEXT)] = None
    worker_role: Annotated[ShortText | None, sealed(192, "worker.role", padding=Padding.TEXT)] = None
    worker_contact: Annotated[ShortText | None, sealed(193, "worker.contact", padding=Padding.TEXT)] = None

    @property
    def identity_codes(self) -> tuple[tuple[str, str], ...]:
        """The person's own code."""
        return () if self.hetu is None else (("/hetu", self.hetu),)
