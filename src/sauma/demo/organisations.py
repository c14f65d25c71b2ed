"""Who takes part in the demo: Kela, all areas, some municipalities and suppliers, the supervisor and statistics.

Only the business ids of Kela and Pirkanmaa are real; the others begin with 9, which no company's does, and have right
check digits. Each organisation has one system, the inspected ones a second for their data protection officer; one
supplier's system acts for two counties that delegated to it, and for itself it may do nothing.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable, Mapping

import msgspec

from sauma.core.areas import Areas
from sauma.core.parties import KELA, OrganisationKind
from sauma.core.people import check_ytunnus
from sauma.core.purposes import Text
from sauma.store.enrol import (
    Decoy,
    EnrolledAgreement,
    EnrolledAuditorGrant,
    EnrolledClient,
    EnrolledDelegation,
    EnrolledKey,
    EnrolledOrganisation,
    EnrolledProvider,
    Enrolment,
    granted,
)

PIRKANMAA_AREA, SATAKUNTA_AREA = "08", "06"
PIRKANMAA = "3221308-6"
KELA_CLIENT, PIRKANMAA_CLIENT = "kela-core", "pirha-casework"
SUPPLIER_CLIENT = "sammal-casework"
LOGIN_ISSUER = "https://login.pirha.example"
PIRKANMAA_AUDITOR, KELA_AUDITOR, OMBUDSMAN_CLIENT = "pirha-dpo", "kela-dpo", "ombudsman"

CASEWORK = ("case:read", "consent:write", "matter:write", "record:write")
AUDIT = ("ledger:read",)
DOSSIER = "TSV-DEMO:1"
"""The one dossier under which the demo's auditors may read the ledger."""

_AGREED_FROM = dt.date(2023, 1, 1)
_MAX_MONTHS, _PER_PERSON_DAY = 12, 50
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2)
_NO_DIGIT = 1
_MUNICIPALITIES = ("837", "853", "564", "297", "478")
_KELA_DECOY = ("persons", "households", "applications", "decisions", "calculations", "payments", "housing-costs")
_COUNTY_DECOY = ("persons", "applications", "county-decisions", "plans", "statements", "persons")
_OTHERS = (
    ("ombudsman", OrganisationKind.SUPERVISOR, "Tietosuojavaltuutetun toimisto", "Dataombudsmannens byrå",
     "Office of the Data Protection Ombudsman"),
    ("thl", OrganisationKind.STATISTICS, "Terveyden ja hyvinvoinnin laitos", "Institutet för hälsa och välfärd",
     "Finnish Institute for Health and Welfare"),
    ("sammal", OrganisationKind.VENDOR, "Sammal Järjestelmät Oy", "Sammal Järjestelmät Oy", "Sammal Systems Ltd"),
    ("jakala", OrganisationKind.VENDOR, "Jäkälä Tietotekniikka Oy", "Jäkälä Tietotekniikka Oy", "Jakala IT Ltd"),
)  # fmt: skip


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A demo system, before it has a key."""

    id: str
    organisation: str
    scopes: tuple[str, ...]


LOGIN = Client(id="pirha-login", organisation=PIRKANMAA, scopes=())
"""Pirkanmaa's identity provider, no system: only its key is made and kept as theirs are."""


def business_id(number: int) -> str | None:
    """The business id of seven digits with its check digit; None where the law of the check digit allows none."""
    digits = f"{number:07d}"
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11
    if remainder == _NO_DIGIT:
        return None
    made = f"{digits}-{11 - remainder if remainder else 0}"
    return made if check_ytunnus(made) else None


def invented_id(place: str) -> str:
    """A business id that no company has, always the same for one name."""
    number = 9_000_000 + int.from_bytes(hashlib.sha256(f"sauma-demo/{place}".encode()).digest()[:4]) % 900_000
    while (made := business_id(number)) is None:
        number += 1
    return made


SUPPLIER = invented_id("sammal")
"""The vendor whose system acts for counties."""


def county_id(area: str) -> str:
    """The business id of the organisation that answers for an area."""
    return PIRKANMAA if area == PIRKANMAA_AREA else invented_id(f"area/{area}")


def organisations(areas: Areas) -> tuple[EnrolledOrganisation, ...]:
    """Every organisation; Åland is there but switched off, because its law is another (contract: not connected)."""
    found = [
        EnrolledOrganisation(
            id=KELA,
            kind=OrganisationKind.KELA,
            name=Text(fi="Kansaneläkelaitos", sv="Folkpensionsanstalten", en="Social Insurance Institution of Finland"),
        )
    ]
    found += [
        EnrolledOrganisation(
            id=county_id(area.code),
            kind=OrganisationKind.COUNTY,
            name=area.name,
            area_code=area.code,
            active=area.kind.value != "aland",
        )
        for area in areas.areas.values()
    ]
    for code in _MUNICIPALITIES:
        place = areas.municipalities[code][-1]
        found.append(
            EnrolledOrganisation(
                id=invented_id(f"municipality/{code}"),
                kind=OrganisationKind.MUNICIPALITY,
                name=Text(fi=place.name_fi, sv=place.name_sv, en=place.name_fi),
                municipality_code=code,
                active=areas.areas[place.area].kind.value != "aland",
            )
        )
    found += [
        EnrolledOrganisation(id=invented_id(key), kind=kind, name=Text(fi=fi, sv=sv, en=en))
        for key, kind, fi, sv, en in _OTHERS
    ]
    return tuple(found)


def clients(found: Iterable[EnrolledOrganisation]) -> tuple[Client, ...]:
    """One system for Kela and each active county, the auditors' and a supplier's; no scope no operation asks for."""
    made = [Client(id=KELA_CLIENT, organisation=KELA, scopes=CASEWORK)]
    for organisation in found:
        if organisation.kind is OrganisationKind.COUNTY and organisation.active:
            own = organisation.id == PIRKANMAA
            name = PIRKANMAA_CLIENT if own else f"area-{organisation.area_code}-casework"
            made.append(Client(id=name, organisation=organisation.id, scopes=CASEWORK))
    made += [
        Client(id=KELA_AUDITOR, organisation=KELA, scopes=AUDIT),
        Client(id=PIRKANMAA_AUDITOR, organisation=PIRKANMAA, scopes=AUDIT),
        Client(id=OMBUDSMAN_CLIENT, organisation=invented_id("ombudsman"), scopes=AUDIT),
        Client(id=SUPPLIER_CLIENT, organisation=SUPPLIER, scopes=CASEWORK),
    ]
    return tuple(made)


def client_of(organisation: str) -> str:
    """The id of the system that deposits for Kela or a county."""
    if organisation == KELA:
        return KELA_CLIENT
    if organisation == PIRKANMAA:
        return PIRKANMAA_CLIENT
    return next(f"area-{n:02d}-casework" for n in range(100) if county_id(f"{n:02d}") == organisation)


def delegations() -> tuple[EnrolledDelegation, ...]:
    """Two counties let the supplier's one system act for them: it asks and says for which case; it deposits nothing."""
    scopes = ("case:read", "consent:write", "matter:write")
    return tuple(
        EnrolledDelegation(organisation=county_id(area), supplier=SUPPLIER, scopes=scopes)
        for area in (PIRKANMAA_AREA, SATAKUNTA_AREA)
    )


def provider(key: EnrolledKey) -> EnrolledProvider:
    """The identity provider with its key: by its word an officer is authenticated (RFC 8693)."""
    return EnrolledProvider(
        organisation=PIRKANMAA, issuer=LOGIN_ISSUER, kid=key.kid, algorithm=key.algorithm, jwk=key.jwk
    )


def audits(found: Iterable[EnrolledOrganisation], made: Iterable[Client]) -> tuple[EnrolledAuditorGrant, ...]:
    """Each auditor's grant for a year: a house's own sees its own, the Ombudsman Kela and every active county."""
    connected = tuple(o.id for o in found if o.kind in {OrganisationKind.KELA, OrganisationKind.COUNTY} and o.active)
    return tuple(
        EnrolledAuditorGrant(
            client=client.id,
            organisations=connected if client.id == OMBUDSMAN_CLIENT else (client.organisation,),
            dossier=DOSSIER,
        )
        for client in made
        if client.scopes == AUDIT
    )


def enrolment(areas: Areas, keys: Mapping[str, EnrolledKey]) -> Enrolment:
    """The whole register, with the public key of each system by client id."""
    found = organisations(areas)
    made = clients(found)
    counties = [o for o in found if o.kind is OrganisationKind.COUNTY and o.active]
    agreements = [_agreement(KELA, county.id, "county-benefit-case") for county in counties]
    agreements += [_agreement(county.id, KELA, "kela-case-request") for county in counties]
    decoys = [Decoy(controller=KELA, resources=_KELA_DECOY)]
    decoys += [Decoy(controller=county.id, resources=_COUNTY_DECOY) for county in counties]
    systems = tuple(EnrolledClient(id=c.id, organisation=c.organisation, scopes=c.scopes) for c in made)
    return Enrolment(
        organisations=found,
        clients=systems,
        keys=tuple(keys[c.id] for c in made),
        agreements=tuple(agreements),
        decoys=tuple(decoys),
        grants=granted(system for system in systems if system.organisation != SUPPLIER),
        delegations=delegations(),
        audits=audits(found, made),
    )


def named_uuid(name: str) -> uuid.UUID:
    """A UUID that follows from a name (RFC 9562 section 5.5 layout)."""
    return uuid.UUID(bytes=hashlib.sha256(f"sauma-demo/1|{name}".encode()).digest()[:16], version=5)


def _agreement(discloser: str, receiver: str, purpose: str) -> EnrolledAgreement:
    return EnrolledAgreement(
        id=named_uuid(f"agreement|{discloser}|{receiver}|{purpose}"),
        discloser=discloser,
        receiver=receiver,
        purpose=purpose,
        valid_from=_AGREED_FROM,
        max_months=_MAX_MONTHS,
        per_person_day=_PER_PERSON_DAY,
    )
