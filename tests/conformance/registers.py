"""The test's hand on the tables: over the dictionaries of the memory World, and over PostgreSQL as its superuser."""

import datetime as dt
import json
import uuid

import asyncpg
import msgspec

from conformance.cast import system
from sauma.core.disclosure import Receipt
from sauma.core.fields import Sensitivity
from sauma.core.matters import Agreement, Prohibition, ProhibitionKind
from sauma.core.parties import Organisation, OrganisationKind
from worlds import Memory, aged
from worlds_rows import AuditorGrantRow, MandateRow, State, SubjectRow

SINCE = dt.date(2024, 1, 1)


class MemoryRegister:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def state(self) -> State:
        return self._memory.tables.state

    async def enrol(
        self, organisations: dict[str, OrganisationKind], agreements: tuple[tuple[str, str, str], ...]
    ) -> None:
        for name, kind in organisations.items():
            self.state.organisations[name] = Organisation(id=name, kind=kind, active=True, version=1)
            self.state.mandates[system(name), name] = MandateRow(stands=kind is not OrganisationKind.VENDOR)
            decoy = uuid.uuid4()
            self.state.subjects[decoy] = SubjectRow(id=decoy, controller=name, canonical=decoy, seed=bytes(32))
            self.state.basis[decoy] = 1
            self.state.decoys[name] = decoy
        for discloser, receiver, purpose in agreements:
            self.state.agreements[discloser, receiver, purpose] = Agreement(
                id=uuid.uuid4(),
                purpose=purpose,
                valid_from=SINCE,
                valid_until=None,
                active=True,
                max_months=12,
                per_person_day=1000,
                version=1,
            )

    async def agreement_ends(self, discloser: str, receiver: str, purpose: str) -> None:
        at = (discloser, receiver, purpose)
        agreement = self.state.agreements[at]
        self.state.agreements[at] = msgspec.structs.replace(agreement, active=False, version=agreement.version + 1)

    async def agreement_allows(self, receiver: str, *, per_person_day: int) -> None:
        for at, agreement in self.state.agreements.items():
            if at[1] == receiver:
                self.state.agreements[at] = msgspec.structs.replace(agreement, per_person_day=per_person_day)

    async def client_suspended(self, client: str) -> None:
        self.state.renew(client=client, stands=False)

    async def client_resumed(self, client: str) -> None:
        self.state.renew(client=client, stands=True)

    async def client_moves(self, client: str) -> None:
        self.state.renew(client=client)

    async def key_removed(self, client: str) -> None:
        self.state.renew(client=client)

    async def grant_narrowed(self, organisation: str) -> None:
        self.state.renew(organisation=organisation)

    async def delegated(self, organisation: str, supplier: str) -> None:
        self.state.mandates[system(supplier), organisation] = MandateRow(supplier=supplier)

    async def delegation_ended(self, organisation: str, supplier: str) -> None:
        self.state.renew(organisation=organisation, client=system(supplier), stands=False)

    async def delegation_ran_out(self, organisation: str, supplier: str) -> None:
        """The day came: no row was written."""
        row = self.state.mandates[system(supplier), organisation]
        self.state.mandates[system(supplier), organisation] = msgspec.structs.replace(row, until=self._memory.clock())

    async def mandates(self, client: str) -> dict[str, int]:
        return {o: row.version for (c, o), row in self.state.mandates.items() if c == client}

    async def organisation_suspended(self, organisation: str) -> None:
        known = self.state.organisations[organisation]
        self.state.organisations[organisation] = msgspec.structs.replace(known, active=False)
        self.state.renew(organisation=organisation)
        self.state.renew(supplier=organisation, stands=False)

    async def organisation_moves(self, organisation: str) -> None:
        known = self.state.organisations[organisation]
        self.state.organisations[organisation] = msgspec.structs.replace(known, version=known.version + 1)
        self.state.renew(organisation=organisation)

    async def prohibited(
        self, controller: str, index: bytes, kind: ProhibitionKind, record: uuid.UUID | None = None
    ) -> None:
        subject = self.state.identifiers[controller, index]
        made = Prohibition(id=uuid.uuid4(), kind=kind, record=record)
        self.state.prohibitions[made.id] = (made, subject)
        self.state.bump(subject)

    async def key_lost(self, controller: str, index: bytes) -> None:
        """The wrapped key is there and does not unwrap."""
        subject = self.state.identifiers[controller, index]
        key, wrapped = self.state.keys[subject][Sensitivity.ORDINARY]
        self.state.keys[subject] = self.state.keys[subject] | {
            Sensitivity.ORDINARY: (key, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
        }

    async def entry_aged(self, receipt: Receipt, by: dt.timedelta) -> Receipt:
        row = self.state.ledger[receipt.entry]
        self.state.ledger[receipt.entry] = msgspec.structs.replace(row, recorded_at=row.recorded_at - by)
        return aged(receipt, by)

    async def session_over(self, session: uuid.UUID) -> None:
        row = self.state.sessions[session]
        self.state.sessions[session] = msgspec.structs.replace(row, until=self._memory.clock())

    async def audit_granted(self, client: str, organisations: tuple[str, ...], dossier: str, hours: int = 24) -> None:
        until = self._memory.clock() + dt.timedelta(hours=hours)
        self.state.audits[client, dossier] = AuditorGrantRow(organisations=frozenset(organisations), until=until)

    async def audit_ended(self, client: str, dossier: str) -> None:
        del self.state.audits[client, dossier]

    async def leaves(self, organisation: str) -> list[dict[str, object]]:
        return [row.leaf for row in self.state.ledger.values() if row.leaf["organisation"] == organisation]

    async def unit_of(self, controller: str, index: bytes) -> tuple[bool, str]:
        row = self.state.subjects[self.state.canonical(controller, index) or uuid.UUID(int=0)]
        return row.protected, row.handling_unit


class PostgresRegister:
    def __init__(self, superuser: asyncpg.Connection) -> None:
        self._superuser = superuser

    async def _do(self, statement: str, *values: object) -> None:
        await self._superuser.execute(statement, *values)

    async def enrol(
        self, organisations: dict[str, OrganisationKind], agreements: tuple[tuple[str, str, str], ...]
    ) -> None:
        for name, kind in organisations.items():
            await self._do(
                "insert into registry.organisation (id, kind, name_fi, name_sv, name_en) values ($1, $2, 'F', 'S', 'E')",
                name,
                kind.value,
            )
            if kind is not OrganisationKind.VENDOR:
                await self._do("insert into registry.organisation_grant values ($1, '{case:read,matter:write}')", name)
            await self._do(
                "insert into registry.client (id, organisation, scopes) values ($1, $2, '{case:read,matter:write}')",
                system(name),
                name,
            )
            await self._do(
                "insert into registry.client_key values ($1, 'k-1', 'ES256', $2)", system(name), b'{"kty":"EC"}'
            )
            decoy = uuid.uuid4()
            await self._do(
                "insert into exchange.subject (id, controller, canonical, seed) values ($1, $2, $1, '\\x00')",
                decoy,
                name,
            )
            await self._do("insert into exchange.subject_basis (subject) values ($1)", decoy)
            await self._do("insert into exchange.decoy (controller, subject) values ($1, $2)", name, decoy)
        for discloser, receiver, purpose in agreements:
            await self._do(
                "insert into registry.agreement (id, discloser, receiver, purpose, valid_from, max_months, per_person_day)"
                " values (gen_random_uuid(), $1, $2, $3, $4, 12, 1000)",
                discloser,
                receiver,
                purpose,
                SINCE,
            )

    async def agreement_ends(self, discloser: str, receiver: str, purpose: str) -> None:
        await self._do(
            "update registry.agreement set active = false, version = version + 1"
            " where discloser = $1 and receiver = $2 and purpose = $3",
            discloser,
            receiver,
            purpose,
        )

    async def agreement_allows(self, receiver: str, *, per_person_day: int) -> None:
        await self._do(
            "update registry.agreement set per_person_day = $2 where receiver = $1", receiver, per_person_day
        )

    async def client_suspended(self, client: str) -> None:
        await self._do("update registry.client set state = 'suspended' where id = $1", client)

    async def client_resumed(self, client: str) -> None:
        await self._do("update registry.client set state = 'active' where id = $1", client)

    async def key_removed(self, client: str) -> None:
        await self._do("update registry.client_key set active = false where client = $1", client)

    async def grant_narrowed(self, organisation: str) -> None:
        await self._do(
            "update registry.organisation_grant set scopes = '{case:read}' where organisation = $1", organisation
        )

    async def delegated(self, organisation: str, supplier: str) -> None:
        await self._do(
            "insert into registry.delegation (organisation, supplier, scopes) values ($1, $2, '{case:read}')",
            organisation,
            supplier,
        )

    async def delegation_ended(self, organisation: str, supplier: str) -> None:
        await self._do(
            "update registry.delegation set active = false where organisation = $1 and supplier = $2",
            organisation,
            supplier,
        )

    async def delegation_ran_out(self, organisation: str, supplier: str) -> None:
        """The day came: no row of the register was written, only the clock is beyond what the mandate says."""
        await self._do(
            "update registry.mandate set valid_until = clock_timestamp() where client = $1 and organisation = $2",
            system(supplier),
            organisation,
        )

    async def mandates(self, client: str) -> dict[str, int]:
        rows = await self._superuser.fetch(
            "select organisation, version from registry.mandate where client = $1", client
        )
        return {row["organisation"]: row["version"] for row in rows}

    async def client_moves(self, client: str) -> None:
        await self._do("update registry.client set version = version + 1 where id = $1", client)

    async def organisation_suspended(self, organisation: str) -> None:
        await self._do("update registry.organisation set active = false where id = $1", organisation)

    async def organisation_moves(self, organisation: str) -> None:
        await self._do("update registry.organisation set version = version + 1 where id = $1", organisation)

    async def prohibited(
        self, controller: str, index: bytes, kind: ProhibitionKind, record: uuid.UUID | None = None
    ) -> None:
        await self._do(
            "select api.add_prohibition(gen_random_uuid(), $1, $2, $3, $4)", controller, index, kind.value, record
        )

    async def key_lost(self, controller: str, index: bytes) -> None:
        """The wrapped key is there and does not unwrap."""
        await self._do(
            "update keys.data_key k set wrapped = set_byte(wrapped, length(wrapped) - 1,"
            " get_byte(wrapped, length(wrapped) - 1) # 1) from exchange.identifier i"
            " where i.controller = $1 and i.blind_index = $2 and k.subject = i.subject and k.class = 'ordinary'",
            controller,
            index,
        )

    async def entry_aged(self, receipt: Receipt, by: dt.timedelta) -> Receipt:
        """Only a superuser can switch off what keeps the ledger as it is."""
        partition = await self._superuser.fetchval(
            "select tableoid::regclass::text from ledger.entry where id = $1 and recorded_at = $2",
            receipt.entry,
            receipt.recorded_at,
        )
        async with self._superuser.transaction():
            await self._do(f"alter table {partition} disable trigger immutable_row")
            await self._do(
                f"update {partition} set recorded_at = recorded_at - $2::interval where id = $1",  # noqa: S608  # its own name
                receipt.entry,
                by,
            )
            await self._do(f"alter table {partition} enable always trigger immutable_row")
        return aged(receipt, by)

    async def session_over(self, session: uuid.UUID) -> None:
        await self._do("update ledger.audit_session set until = clock_timestamp() where id = $1", session)

    async def audit_granted(self, client: str, organisations: tuple[str, ...], dossier: str, hours: int = 24) -> None:
        await self.audit_ended(client, dossier)
        await self._do(
            "insert into registry.auditor_grant (client, organisations, dossier, until)"
            " values ($1, $2, $3, clock_timestamp() + make_interval(hours => $4))",
            client,
            list(organisations),
            dossier,
            hours,
        )

    async def audit_ended(self, client: str, dossier: str) -> None:
        await self._do(
            "update registry.auditor_grant set active = false where client = $1 and dossier = $2 and active",
            client,
            dossier,
        )

    async def leaves(self, organisation: str) -> list[dict[str, object]]:
        rows = await self._superuser.fetch(
            "select leaf from ledger.entry where organisation = $1 order by recorded_at", organisation
        )
        return [json.loads(row["leaf"]) for row in rows]

    async def unit_of(self, controller: str, index: bytes) -> tuple[bool, str]:
        row = await self._superuser.fetchrow(
            "select c.protected, c.handling_unit from exchange.identifier i"
            " join exchange.subject s on s.id = i.subject join exchange.subject c on c.id = s.canonical"
            " where i.controller = $1 and i.blind_index = $2",
            controller,
            index,
        )
        return row["protected"], row["handling_unit"]
