"""Enrol: organisations, what they hold and delegate, their systems and keys, agreements and decoys, as the migrator.

This is how the register is filled where nobody registers by hand: the demo and the tests. Enrolling again, or from
several processes at once, adds what is missing and changes nothing that stands. A crash leaves everything or nothing:
one transaction.
"""

import datetime as dt
import uuid
from collections.abc import Iterable

import asyncpg
import msgspec

from sauma.core.parties import OrganisationKind
from sauma.core.purposes import Text
from sauma.store.session import connected
from sauma.store.statements import load

_SQL = load("enrol")
_OWNER = "SET ROLE sauma_owner"


class EnrolledOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation of the register; `area_code` of the area it answers for, `municipality_code` if it is one."""

    id: str
    kind: OrganisationKind
    name: Text
    area_code: str | None = None
    municipality_code: str | None = None
    active: bool = True


class EnrolledClient(msgspec.Struct, frozen=True, kw_only=True):
    """A system of an organisation and what it may ask a token for."""

    id: str
    organisation: str
    scopes: tuple[str, ...]


class EnrolledGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation's systems may have at most; `purposes` None narrows nothing.

    With `details_required` no token is given without purpose and case in the signed assertion.
    """

    organisation: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...] | None = None
    details_required: bool = False


class EnrolledDelegation(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation lets a supplier's systems act for it, from now on unless dates say otherwise."""

    organisation: str
    supplier: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...] | None = None
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None


class EnrolledProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the identity provider whose word on its officers an organisation answers for (RFC 8693)."""

    organisation: str
    issuer: str
    kid: str
    algorithm: str
    jwk: bytes


class EnrolledAuditorGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A system may read the ledger of these organisations for a dossier, for so many days (366 at most)."""

    client: str
    organisations: tuple[str, ...]
    dossier: str
    days: int = 365


class EnrolledKey(msgspec.Struct, frozen=True, kw_only=True):
    """A system's public key: canonical JWK members as JSON; `kid` is its RFC 7638 thumbprint."""

    client: str
    kid: str
    algorithm: str
    jwk: bytes


class EnrolledAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """What two parties have agreed for one purpose, with its ceilings (see `core.matters.Agreement`)."""

    id: uuid.UUID
    discloser: str
    receiver: str
    purpose: str
    valid_from: dt.date
    max_months: int
    per_person_day: int


class Decoy(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in at a controller where nobody is found: one record of random bytes per named resource."""

    controller: str
    resources: tuple[str, ...]


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is to stand in the register; an organisation without a grant has no system that gets a token."""

    organisations: tuple[EnrolledOrganisation, ...]
    clients: tuple[EnrolledClient, ...]
    keys: tuple[EnrolledKey, ...]
    agreements: tuple[EnrolledAgreement, ...]
    decoys: tuple[Decoy, ...]
    grants: tuple[EnrolledGrant, ...] = ()
    delegations: tuple[EnrolledDelegation, ...] = ()
    providers: tuple[EnrolledProvider, ...] = ()
    audits: tuple[EnrolledAuditorGrant, ...] = ()


def granted(clients: Iterable[EnrolledClient]) -> tuple[EnrolledGrant, ...]:
    """Each organisation granted what its own systems ask for; suppliers' systems are left out by whoever calls."""
    scopes: dict[str, dict[str, None]] = {}
    for client in clients:
        scopes.setdefault(client.organisation, {}).update(dict.fromkeys(client.scopes))
    return tuple(EnrolledGrant(organisation=o, scopes=tuple(held)) for o, held in scopes.items())


async def enrol(dsn: str, enrolment: Enrolment) -> None:
    """Add what is missing; `dsn` is the migrator's.

    Raises:
        StartRefused: the database cannot be reached.
    """
    async with connected(dsn) as connection:
        await connection.execute(_OWNER)
        async with connection.transaction():
            await connection.execute(_SQL["enrol_lock"])
            await _organisations(connection, enrolment.organisations)
            await _grants(connection, enrolment)
            await connection.executemany(
                _SQL["enrol_client"], [(c.id, c.organisation, list(c.scopes)) for c in enrolment.clients]
            )
            await connection.executemany(
                _SQL["enrol_key"], [(k.client, k.kid, k.algorithm, k.jwk) for k in enrolment.keys]
            )
            await connection.executemany(
                _SQL["enrol_audit"], [(a.client, list(a.organisations), a.dossier, a.days) for a in enrolment.audits]
            )
            await _agreements(connection, enrolment.agreements)
            await connection.executemany(
                _SQL["enrol_decoy"], [(d.controller, list(d.resources)) for d in enrolment.decoys]
            )


async def stands(dsn: str, *, keys: tuple[EnrolledKey, ...], record: tuple[str, str, uuid.UUID]) -> bool:
    """Whether these keys are enrolled and a record (controller, resource, id) stands; `dsn` is the migrator's."""
    async with connected(dsn) as connection:
        await connection.execute(_OWNER)
        if await connection.fetchval(_SQL["enrolled_keys"], [key.kid for key in keys]) != len(keys):
            return False
        return bool(await connection.fetchval(_SQL["enrolled_record"], *record))


async def _organisations(connection: asyncpg.Connection, organisations: tuple[EnrolledOrganisation, ...]) -> None:
    await connection.executemany(
        _SQL["enrol_organisation"],
        [
            (o.id, o.kind.value, o.name.fi, o.name.sv, o.name.en, o.area_code, o.municipality_code, o.active)
            for o in organisations
        ],
    )


async def _grants(connection: asyncpg.Connection, enrolment: Enrolment) -> None:
    """Before the systems, so that each mandate is derived once."""
    await connection.executemany(
        _SQL["enrol_grant"],
        [(g.organisation, list(g.scopes), _list(g.purposes), g.details_required) for g in enrolment.grants],
    )
    await connection.executemany(
        _SQL["enrol_delegation"],
        [
            (d.organisation, d.supplier, list(d.scopes), _list(d.purposes), d.valid_from, d.valid_until)
            for d in enrolment.delegations
        ],
    )
    await connection.executemany(
        _SQL["enrol_provider"],
        [(p.organisation, p.issuer, p.kid, p.algorithm, p.jwk) for p in enrolment.providers],
    )


def _list(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


async def _agreements(connection: asyncpg.Connection, agreements: tuple[EnrolledAgreement, ...]) -> None:
    await connection.executemany(
        _SQL["enrol_agreement"],
        [(a.id, a.discloser, a.receiver, a.purpose, a.valid_from, a.max_months, a.per_person_day) for a in agreements],
    )
