"""Who may change the register: two registrars with an entry each time, and nobody else; and a registrar nothing else.

The statements run as the real logins. Each row is one attempt that PostgreSQL itself refuses.
"""

import contextlib
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from asks import KELA, PIRHA
from attacks.scene import Scene, append
from attacks.test_roles import DENIED, EVERY_WAY, INSIDE, SERVER
from sauma.app import new_id
from sauma.core.canonical import JsonValue
from sauma.core.evidence import Entry, Position, base64url, leaf_hash
from sauma.exchange.record import Act, Desk, compose_act, writer_start
from sauma.store.statements import load

pytestmark = pytest.mark.asyncio(loop_scope="module")

SQL = load("registrar")
ONE, OTHER = "sauma_registrar_1", "sauma_registrar_2"
START = bytes(32)


class Session:
    """One registrar's connection, that makes its entries as it likes."""

    def __init__(self, scene: Scene, connection: asyncpg.Connection, login: str) -> None:
        self.scene = scene
        self.connection = connection
        self.login = login
        self.position = Position(writer=uuid.uuid4(), counter=0, previous=START)

    def entry(self, decision: str, arguments: dict[str, JsonValue], refers: uuid.UUID | None = None) -> Entry:
        """The entry an honest command would make, at the position where this session stands."""
        world = self.scene.world
        desk = Desk(vault=world.vault, catalogue=world.catalogue.digest, clock=world.clock, entropy=world.entropy)
        client = arguments.get("client")
        act = Act(
            decision=decision,
            organisation=str(arguments["organisation"]),
            client=None if client is None else str(client),
            counterparty=None,
            refers=refers,
            arguments=arguments,
        )
        _, build = compose_act(desk, act, operator=self.login)
        return build(self.position)

    def moved(self, leaf: bytes) -> None:
        self.position = Position(
            writer=self.position.writer, counter=self.position.counter + 1, previous=leaf_hash(leaf)
        )

    async def start(self) -> None:
        first = writer_start(dt.datetime.now(dt.UTC), new_id(), self.position, None)
        await self.connection.execute(SQL["registrar_start_writer"], first.leaf)
        self.moved(first.leaf)

    async def do(self, statement: str, *values: object, entry: Entry, **parts: object) -> uuid.UUID:
        if self.position.counter == 0:
            await self.start()
            entry = msgspec.structs.replace(entry, leaf=_at(entry.leaf, self.position))
        leaf = parts.get("leaf", entry.leaf)
        payload = parts.get("payload", entry.payload)
        await self.connection.fetchrow(SQL[statement], *values, leaf, payload, entry.payload_key)
        self.moved(entry.leaf)
        return entry.id

    async def propose(self, client: str) -> uuid.UUID:
        arguments = proposed(client)
        entry = self.entry("client-proposed", arguments)
        return await self.do("propose", "client", json.dumps(arguments), entry=entry)


def _at(leaf: bytes, position: Position) -> bytes:
    members = json.loads(leaf) | {"counter": position.counter, "previous": base64url(position.previous)}
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode()


def proposed(client: str) -> dict[str, JsonValue]:
    return {
        "organisation": PIRHA,
        "client": client,
        "scopes": ["case:read"],
        "jwksUri": "https://keys.example/jwks.json",
        "nonceRequired": False,
        "certificateBound": False,
    }


def fresh() -> str:
    return f"mine-{uuid.uuid4().hex[:8]}"


@contextlib.asynccontextmanager
async def session(scene: Scene, login: str) -> AsyncIterator[Session]:
    connection = await asyncpg.connect(scene.database.dsn(login))
    try:
        yield Session(scene, connection, login)
    finally:
        await connection.close()


async def state(scene: Scene, client: str) -> str | None:
    rows = await scene.sql("select state from registry.client where id = $1", client)
    return rows[0]["state"] if rows else None


async def sqlstate(attempt: object) -> str:
    with pytest.raises(asyncpg.PostgresError) as refused:
        await attempt  # type: ignore[misc]  # a coroutine, whatever its result
    return str(refused.value.sqlstate)


# --------------------------------------------------------------------------- two persons


async def test_nobody_approves_what_they_proposed(scene: Scene) -> None:
    client = fresh()
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        proposal = await one.propose(client)
        for setting in ("select 1", "set role sauma_registrar"):
            await one.connection.execute(setting)
            entry = one.entry("client-approved", proposed(client), proposal)
            assert await sqlstate(one.do("approve", proposal, entry=entry)) == "SA010"
        await one.connection.execute("reset role")
        for setting in (f"set role {OTHER}", f"set session authorization {OTHER}"):
            assert await sqlstate(one.connection.execute(setting)) == DENIED
        assert await state(scene, client) == "proposed"
        await other.do("approve", proposal, entry=other.entry("client-approved", proposed(client), proposal))
        assert await state(scene, client) == "active"


async def test_another_session_of_the_same_login_is_the_same_person(scene: Scene) -> None:
    client = fresh()
    async with session(scene, ONE) as one, session(scene, ONE) as again:
        proposal = await one.propose(client)
        entry = again.entry("client-approved", proposed(client), proposal)
        assert await sqlstate(again.do("approve", proposal, entry=entry)) == "SA010"


async def test_not_even_the_owner_writes_one_person_twice(scene: Scene) -> None:
    async with session(scene, ONE) as one:
        proposal = await one.propose(fresh())
    with pytest.raises(asyncpg.CheckViolationError):
        await scene.sql("update registry.proposal set approved_by = proposed_by where id = $1", proposal)


async def test_what_is_approved_is_what_was_proposed(scene: Scene) -> None:
    """The second person's own words do not count: the arguments stand with the proposal."""
    client = fresh()
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        proposal = await one.propose(client)
        for arguments in (proposed(client) | {"organisation": KELA}, proposed("pirha")):
            entry = other.entry("client-approved", arguments, proposal)
            assert await sqlstate(other.do("approve", proposal, entry=entry)) == "SA002"
    assert await state(scene, client) == "proposed"


# --------------------------------------------------------------------------- no act without its entry

LEAVES: dict[str, dict[str, object]] = {
    "another decision": {"decision": "client-suspended"},
    "another organisation": {"organisation": KELA},
    "another system": {"client": "kela"},
    "another kind": {"kind": "read"},
    "no kind of admin but a disclosure": {"kind": "disclosure"},
    "a person's tag": {"subjects": ["AAAAAAAAAAAAAAAAAAAAAA"]},
    "a manifest": {"manifest": "AAAA"},
    "a purpose": {"purpose": "county-benefit-case"},
    "something it refers to": {"refers": str(uuid.UUID(int=1))},
    "no payload": {"payload": None},
}


@pytest.mark.parametrize("sentence", LEAVES)
async def test_the_entry_says_what_is_done_or_nothing_is(sentence: str, scene: Scene) -> None:
    client = fresh()
    async with session(scene, ONE) as one:
        await one.start()
        arguments = proposed(client)
        entry = one.entry("client-proposed", arguments)
        members = {k: v for k, v in (json.loads(entry.leaf) | LEAVES[sentence]).items() if v is not None}
        forged = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
        attempt = one.do("propose", "client", json.dumps(arguments), entry=entry, leaf=forged)
        assert await sqlstate(attempt) == "SA002"
    assert await state(scene, client) is None


async def test_no_act_without_a_leaf_or_its_payload(scene: Scene) -> None:
    client = fresh()
    async with session(scene, ONE) as one:
        await one.start()
        arguments = proposed(client)
        entry = one.entry("client-proposed", arguments)
        for parts in ({"leaf": None}, {"leaf": b"{}"}, {"leaf": b"null"}, {"payload": None}):
            attempt = one.do("propose", "client", json.dumps(arguments), entry=entry, **parts)
            assert await sqlstate(attempt) in {"SA002", "22P02", "23502"}, parts
    assert await state(scene, client) is None


async def test_an_entry_of_another_day_is_no_entry_of_now(scene: Scene) -> None:
    client = fresh()
    async with session(scene, ONE) as one:
        await one.start()
        arguments = proposed(client)
        entry = one.entry("client-proposed", arguments)
        old = json.dumps(json.loads(entry.leaf) | {"at": "2026-01-01T00:00:00.000000Z"}).encode()
        attempt = one.do("propose", "client", json.dumps(arguments), entry=entry, leaf=old)
        assert await sqlstate(attempt) == "SA014"


async def test_a_function_that_forgot_its_entry_would_not_commit(scene: Scene) -> None:
    """A migration to come that forgets: the trigger is the second line."""
    await scene.sql(
        "create function registrar.forgetful() returns void language sql volatile security definer"
        " set search_path = pg_catalog, pg_temp"
        " begin atomic update registry.client set nonce_required = true where id = 'pirha-other'; end"
    )
    await scene.sql("alter function registrar.forgetful() owner to sauma_owner")
    await scene.sql("grant execute on function registrar.forgetful() to sauma_registrar")
    try:
        async with session(scene, ONE) as one:
            assert await sqlstate(one.connection.execute("select registrar.forgetful()")) == "SA004"
            async with one.connection.transaction():
                await one.propose(fresh())
                await one.connection.execute("select registrar.forgetful()")
        [row] = await scene.sql("select nonce_required from registry.client where id = 'pirha-other'")
        assert row["nonce_required"], "the control: beside an entry it commits"
    finally:
        await scene.sql("drop function registrar.forgetful()")
        await scene.sql("update registry.client set nonce_required = false where id = 'pirha-other'")


# --------------------------------------------------------------------------- nobody else

FUNCTIONS = (
    "select p.oid::regprocedure::text as name, p.prosecdef as definer from pg_proc p"
    " join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'registrar'"
)


async def test_registrars_run_the_functions_of_their_schema_and_nobody_else_does(scene: Scene) -> None:
    rows = await scene.sql(FUNCTIONS)
    assert len(rows) >= 11
    assert all(row["definer"] for row in rows)
    held = await scene.sql(
        "select r.rolname || ' ' || n.nspname as held from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " cross join pg_roles r where n.nspname in ('registrar', 'registry', 'exchange', 'keys', 'ledger', 'api', 'sequencer')"
        " and r.rolname like 'sauma_%' and r.rolname <> 'sauma_owner' and has_function_privilege(r.oid, p.oid, 'execute')"
        " group by 1 order by 1"
    )
    assert [row["held"] for row in held] == [
        "sauma_registrar registrar",
        "sauma_registrar_1 registrar",
        "sauma_registrar_2 registrar",
        "sauma_sequencer sequencer",
        "sauma_server api",
    ]


OTHERS = ("sauma_server", "sauma_auditor", "sauma_sequencer", "sauma_migrator")


@pytest.mark.parametrize("role", OTHERS)
async def test_no_other_role_calls_a_registrars_function(role: str, scene: Scene) -> None:
    calls = (
        "select registrar.register()",
        "select registrar.ring_keys()",
        "select registrar.start_writer('x')",
        "select registrar.suspend('pirha', 'x', 'x', 'x')",
        "select registrar.propose('client', '{}', 'x', 'x', 'x')",
        "select registrar.approve(gen_random_uuid(), 'x', 'x', 'x')",
        "select ledger.append_act('x', 'x', 'x', 'x', 'x', 'x', 'x', null)",
        "select registry.enact(gen_random_uuid(), 'resumption', '{}')",
        "set role sauma_registrar",
        f"set role {ONE}",
    )
    connection = await asyncpg.connect(scene.database.dsn(role))
    try:
        for statement in calls:
            assert await sqlstate(connection.execute(statement)) == DENIED, statement
    finally:
        await connection.close()


async def test_a_registrar_reads_no_record_and_no_entry_and_does_nothing_else(scene: Scene) -> None:
    await scene.disclose(await scene.case())
    rows = await scene.sql(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'sauma_meta') and c.relkind in ('r', 'p')"
    )
    functions = await scene.sql(
        "select format('select %s(%s)', p.oid::regproc, (select string_agg('null::' || format_type(t, null), ', ')"
        " from unnest(p.proargtypes) t)) as call from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('api', 'registry', 'ledger', 'exchange') and p.prorettype <> 'trigger'::regtype"
    )
    assert len(functions) > 40
    statements = [s.format(row["name"]) for s in EVERY_WAY for row in rows]
    statements += [*INSIDE, *SERVER, *(row["call"] for row in functions)]
    done = []
    async with session(scene, ONE) as one:
        for statement in statements:
            alone = statement.startswith("alter system")  # is not let into a transaction
            await one.connection.execute("select 1" if alone else "begin")
            try:
                await one.connection.execute(statement)
                done.append((statement, "done"))
            except asyncpg.PostgresError as refused:
                if refused.sqlstate != DENIED:
                    done.append((statement, str(refused.sqlstate)))
            await one.connection.execute("select 1" if alone else "rollback")
    assert done == []


async def test_what_a_registrar_is_told_names_no_person_and_no_entry(scene: Scene) -> None:
    case = await scene.case()
    receipt = (await scene.disclose(case)).receipt
    async with session(scene, ONE) as one:
        told = await one.connection.fetchval("select registrar.register()::text")
    assert "pirha" in told
    hidden = [str(receipt.entry), case.person.value, case.reference, *map(str, case.records.values())]
    assert [text for text in hidden if text in told] == []


# --------------------------------------------------------------------------- auditors' grants

ASKED = {
    "as granted": (("pirha-other", "D-7", 5), True),
    "another dossier": (("pirha-other", "D-8", 5), False),
    "another system": (("pirha", "D-7", 5), False),
    "beyond the grant": (("pirha-other", "D-7", 25), False),
    "in the past": (("pirha-other", "D-7", -1), False),
}


@pytest.mark.parametrize("sentence", ASKED)
async def test_a_server_opens_no_audit_session_beyond_a_grant(sentence: str, scene: Scene) -> None:
    """The database compares, whatever the server asked before."""
    (client, dossier, hours), opened = ASKED[sentence]
    await scene.sql(
        "insert into registry.auditor_grant (client, organisations, dossier, until)"
        " values ('pirha-other', $1, 'D-7', clock_timestamp() + interval '20 hours') on conflict do nothing",
        [PIRHA],
    )
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    async with scene.server() as server:
        transaction = server.transaction()
        await transaction.start()
        asked = "select api.open_audit_session($1, $2, $3, 'x', $4, $5)"
        assert await server.fetchval(asked, new_id(), PIRHA, client, until, dossier) is opened
        await transaction.rollback()


# --------------------------------------------------------------------------- the server forges no act

FORGED = {
    "an approval": {"kind": "admin", "decision": "client-approved"},
    "a suspension": {"kind": "admin", "decision": "client-suspended"},
    "an auditor's grant": {"kind": "admin", "decision": "audit-grant-approved"},
    "a key's removal": {"kind": "admin", "decision": "client-key-removed"},
    "an act without a word": {"kind": "admin", "decision": None},
}


@pytest.mark.parametrize("sentence", FORGED)
async def test_a_server_writes_no_entry_of_a_registrars_act(sentence: str, scene: Scene) -> None:
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).forged(
        [], **(FORGED[sentence] | {"manifest": None, "id": str(new_id())})
    )
    async with scene.server() as server:
        assert await sqlstate(append(server, attempt)) == "23514"


async def test_a_servers_own_admin_entries_are_still_written(scene: Scene) -> None:
    """The control."""
    attempt = (await scene.attempt(scene.query(await scene.settled_case()))).forged(
        [], kind="admin", decision="token-issued", manifest=None, id=str(new_id())
    )
    async with scene.server() as server:
        assert (await append(server, attempt))["status"] == "appended"


async def test_an_entry_of_no_system_is_not_a_servers_to_write(scene: Scene) -> None:
    attempt = (
        (await scene.attempt(scene.query(await scene.settled_case())))
        .forged([], kind="admin", decision="token-issued", client=None, manifest=None, id=str(new_id()))
        .on(client=None)
    )
    async with scene.server() as server:
        assert (await append(server, attempt))["status"] == "caller-changed"
