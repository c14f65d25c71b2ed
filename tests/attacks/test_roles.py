"""What each role may not do, statement by statement; and that nothing a request sets stays on its connection.

The rows run against a database the product has lived in, so that a privilege given by accident would show data.
"""

# every part of a statement here is this file's own

import asyncio
import contextlib
import importlib.resources
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from asks import PIRHA
from attacks.scene import DECIDED, WORKER, Scene, append, read
from sauma.exchange.append import ProofReplayed, Refused
from sauma.exchange.deposit import put_record
from sauma.store import migrate
from sauma.store.statements import aggregates, load

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = "42501"
INSIDE = (
    "select ledger.standing(null, false)",
    "select ledger.take_claims(null, null, null)",
    "select ledger.revoked(null, null)",
    "select registry.renew_mandates(null, null, null)",
    "select ledger.add_partition('2030-01-01')",
    "select ledger.base64url('')",
    "select exchange.bump(gen_random_uuid())",
)
SERVER = (
    "set role sauma_owner",
    "set role sauma_migrator",
    "set role postgres",
    "set session authorization postgres",
    "create temp table entry (id uuid)",
    "create table public.entry (id uuid)",
    "create table api.entry (id uuid)",
    "create schema mine",
    "create function public.sha256(bytea) returns bytea language sql as 'select $1'",
    "create function api.sha256(bytea) returns bytea language sql as 'select $1'",
    "create or replace function api.read(uuid, timestamptz) returns api.handed_out language sql as 'select null::api.handed_out'",
    "create view public.peek as select * from ledger.entry",
    "create extension file_fdw schema api",
    "create publication leak for all tables",
    "create role mine",
    "alter role sauma_server superuser",
    "alter table ledger.entry disable trigger immutable_row",
    "alter table ledger.entry add column mine text",
    "alter table ledger.entry owner to sauma_server",
    "drop function ledger.forbid() cascade",
    "drop table ledger.entry",
    "grant select on ledger.entry to sauma_server",
    "alter system set fsync = off",
    "alter database postgres set synchronous_commit = off",
    "set session_replication_role = replica",
    "set log_statement = 'all'",
    "select pg_read_file('postgresql.conf')",
    "select pg_read_binary_file('base/1/1259')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/passwd')",
    "select lo_create(0)",
    "select lo_from_bytea(0, 'x')",
    "select pg_reload_conf()",
    "select pg_switch_wal()",
    "select rolpassword from pg_authid",
    "select pg_create_physical_replication_slot('leak')",
    "copy ledger.entry to stdout",
    "copy exchange.record_group to '/tmp/stolen'",
    "copy (select 1) to program 'true'",
    "do $$ begin end $$",
    "lock table ledger.entry in exclusive mode",
    "checkpoint",
)
READ = "select * from {}"
EVERY_WAY = (READ, "insert into {} default values", "delete from {}", "truncate {} cascade", "copy {} to stdout")
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "sauma_server": (
        *EVERY_WAY,
        "update ledger.entry set leaf = leaf",
        "update exchange.subject set protected = false",
        "update exchange.record_group set sealed = sealed",
        "select leaf from ledger.entry for update",
        *INSIDE,
        *SERVER,
    ),
    "sauma_auditor": (
        *EVERY_WAY,
        "select api.read(gen_random_uuid(), now())",
        "select api.find_subject('', '')",
        "select api.list_disclosures('', true, now(), now(), null, null, 1)",
        *INSIDE,
        *SERVER,
    ),
    "sauma_migrator": (
        *EVERY_WAY,
        "select api.read(gen_random_uuid(), now())",
        "set role postgres",
        "set role sauma_server",
        "alter system set fsync = off",
        "create role mine",
        "select pg_read_file('postgresql.conf')",
    ),
    "sauma_sequencer": (READ, "select api.read(gen_random_uuid(), now())", *INSIDE),
}
"""A statement with `{}` is one for every table there is, today's and tomorrow's."""


@contextlib.asynccontextmanager
async def connected(scene: Scene, role: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(scene.database.dsn(role))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("role", FORBIDDEN)
async def test_a_role_may_not(role: str, scene: Scene) -> None:
    rows = await scene.sql(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'sauma_meta') and c.relkind in ('r', 'p')"
    )
    statements = [s.format(row["name"]) for s in FORBIDDEN[role] for row in (rows if "{}" in s else rows[:1])]
    assert len(rows) > 20
    assert len(statements) >= 25
    done = []
    async with connected(scene, role) as connection:
        for statement in statements:
            alone = statement.startswith("alter system")  # is not let into a transaction
            await connection.execute("select 1" if alone else "begin")
            try:
                await connection.execute(statement)
                done.append((statement, "done"))
            except asyncpg.PostgresError as refused:
                if refused.sqlstate != DENIED:
                    done.append((statement, refused.sqlstate))
            await connection.execute("select 1" if alone else "rollback")
    assert done == []


async def partitions(scene: Scene) -> list[str]:
    rows = await scene.sql(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'ledger.entry'::regclass order by 1"
    )
    return [row["name"] for row in rows]


async def test_no_role_reads_a_partition_or_any_relation_of_ours(scene: Scene) -> None:
    """Asked of the catalogue, so that a table added tomorrow is meant too."""
    assert len(await partitions(scene)) >= 3
    rows = await scene.sql(
        "select c.oid::regclass::text || ' ' || r.rolname || ' ' || p.name as held"
        "  from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        "  cross join (values ('sauma_server'), ('sauma_auditor'), ('sauma_sequencer'), ('sauma_registrar'), ('sauma_migrator')) r(rolname)"
        "  cross join (values ('select'), ('insert'), ('update'), ('delete'), ('truncate'), ('references'), ('trigger')) p(name)"
        " where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'sauma_meta', 'public') and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        "   and has_table_privilege(r.rolname, c.oid, p.name)"
    )
    assert [row["held"] for row in rows if not row["held"].startswith("sauma_meta.")] == []
    columns = await scene.sql(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname in ('registry', 'exchange', 'keys', 'ledger') and c.relkind in ('r', 'p')"
        "   and has_any_column_privilege('sauma_server', c.oid, 'select, insert, update, references')"
    )
    assert columns == []


async def test_server_and_sequencer_execute_the_functions_of_their_schemas_and_no_other(scene: Scene) -> None:
    rows = await scene.sql(
        "select p.oid::regprocedure::text as name, n.nspname as schema, has_function_privilege('sauma_server', p.oid, 'execute') as may,"
        "       has_function_privilege('sauma_auditor', p.oid, 'execute') as auditor, has_function_privilege('sauma_sequencer', p.oid, 'execute') as sequencer"
        "  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'api', 'registrar', 'sequencer')"
    )
    assert len(rows) > 20
    assert [row["name"] for row in rows if row["may"] != (row["schema"] == "api")] == []
    assert [row["name"] for row in rows if row["sequencer"] != (row["schema"] == "sequencer")] == []
    assert [row["name"] for row in rows if row["auditor"]] == []


async def test_nobody_but_the_owner_may_create_anywhere(scene: Scene) -> None:
    rows = await scene.sql(
        "select n.nspname || ' ' || r.rolname as held from pg_namespace n"
        "  cross join (values ('sauma_server'), ('sauma_auditor'), ('sauma_sequencer'), ('sauma_registrar'), ('sauma_migrator')) r(rolname)"
        " where has_schema_privilege(r.rolname, n.oid, 'create')"
    )
    assert rows == []
    rows = await scene.sql(
        "select r.rolname from (values ('sauma_server'), ('sauma_auditor'), ('sauma_sequencer'), ('sauma_registrar'), ('sauma_migrator')) r(rolname)"
        " where has_database_privilege(r.rolname, current_database(), 'create') or has_database_privilege(r.rolname, current_database(), 'temp')"
    )
    assert rows == []


async def test_every_function_with_the_owners_rights_has_a_search_path_of_its_own(scene: Scene) -> None:
    rows = await scene.sql(
        "select p.oid::regprocedure::text as name, p.proconfig as settings from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')"
    )
    assert len(rows) > 20
    assert {
        row["name"]: row["settings"] for row in rows if row["settings"] != ["search_path=pg_catalog, pg_temp"]
    } == {}


@pytest.mark.parametrize("path", ["as the migrations left it", "taken away"])
async def test_a_type_of_the_sessions_own_does_not_run_with_the_owners_rights(path: str, scene: Scene) -> None:
    """PostgreSQL lets everybody make temporary objects until bootstrap forbids it; a restored database may have forgotten."""
    attempt = await scene.attempt(scene.query(await scene.case()))
    append_by_name = (await scene.sql("select 'api.append'::regproc::oid::regprocedure::text as name"))[0]["name"]
    database = f'"{scene.database.name}"'
    await scene.sql(f"grant temporary on database {database} to sauma_server")
    if path == "taken away":
        await scene.sql(f"alter function {append_by_name} reset search_path")
    try:
        async with connected(scene, "sauma_server") as connection:
            await connection.execute("create domain pg_temp.jsonb as pg_catalog.jsonb check (false)")
            if path == "taken away":  # so that the attack is known to be one
                with pytest.raises(asyncpg.CheckViolationError):
                    await append(connection, attempt)
                return
            assert (await append(connection, attempt))["status"] == "appended"
    finally:
        await scene.sql(f"revoke temporary on database {database} from sauma_server")
        await scene.sql(f"alter function {append_by_name} set search_path = pg_catalog, pg_temp")


CHANGED = ("update {} set kind = kind", "update {} set leaf = '\\x00'", "delete from {}")
EMPTIED = ("truncate {}", "truncate {} cascade")


async def not_refused(connection: asyncpg.Connection, scene: Scene, setting: str = "select 1") -> list[str]:
    """The statements the triggers let through, on the ledger and on each of its partitions."""
    this = await scene.superuser.fetchval("select 'ledger.entry_' || to_char(now() at time zone 'UTC', 'YYYYMM')")
    with_rows = [statement.format(relation) for relation in ("ledger.entry", this) for statement in CHANGED]
    anyway = [
        statement.format(relation) for relation in ("ledger.entry", *await partitions(scene)) for statement in EMPTIED
    ]
    done = []
    for statement in (*with_rows, *anyway):
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(setting)
            await connection.execute(statement)
            done.append(statement)
        except asyncpg.InsufficientPrivilegeError as refused:
            if "never changed" not in str(refused):
                done.append(f"{statement}: {refused}")
        await transaction.rollback()
    return done


async def test_the_owner_cannot_change_an_entry(scene: Scene) -> None:
    await scene.disclose(await scene.case())
    async with connected(scene, "sauma_migrator") as connection:
        await connection.execute("set role sauma_owner")
        assert await not_refused(connection, scene) == []
        [row] = await connection.fetch("select count(*) as entries from ledger.entry")
        assert row["entries"] > 0


async def test_a_superuser_cannot_by_leaving_triggers_out(scene: Scene) -> None:
    """The triggers are ENABLE ALWAYS: replication's way of leaving them out does not reach them."""
    await scene.disclose(await scene.case())
    assert await not_refused(scene.superuser, scene, "set local session_replication_role = replica") == []


async def test_a_partition_made_later_is_protected_too(scene: Scene) -> None:
    await scene.sql("select ledger.add_partition('2031-05-01')")
    rows = await scene.sql(
        "select tgname, tgenabled from pg_trigger where tgrelid = 'ledger.entry_203105'::regclass order by tgname"
    )
    assert {(row["tgname"], row["tgenabled"]) for row in rows} == {
        ("immutable_row", b"A"),
        ("immutable_table", b"A"),
        ("whole_row", b"A"),
    }


async def test_the_hash_of_a_leaf_is_the_databases_own(scene: Scene) -> None:
    with pytest.raises(asyncpg.PostgresError, match="leaf_hash"):
        await scene.sql("insert into ledger.entry (id, leaf, leaf_hash) values (gen_random_uuid(), '', '')")


# --------------------------------------------------------------------------- connections


SETTINGS = "select name, setting from pg_settings where source in ('session', 'interactive') or name in ('synchronous_commit', 'search_path', 'transaction_isolation', 'transaction_read_only', 'role', 'timezone')"
LEFT = "select (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) + (select count(*) from pg_listening_channels())"


async def test_no_setting_or_lock_stays_on_a_pooled_connection(scene: Scene) -> None:
    """Every kind of answer once, then each connection of the product's own pool is looked at."""
    database = scene.world.ledger._database
    case, key = await scene.case(), uuid.uuid4().hex
    async with database.hold() as held:
        fresh = dict(await held.connection.fetch(SETTINGS))
    deposit = scene.deposit(case.person, "decisions", DECIDED)
    await asyncio.gather(*(scene.disclose(case) for _ in range(30)))
    await put_record(scene.world, scene.call("kela", key), deposit, WORKER)
    await put_record(scene.world, scene.call("kela", key), deposit, WORKER)
    await scene.annul("decisions", deposit.id)
    with pytest.raises(Refused):
        await scene.disclose(case, purpose="no-such-purpose")
    replayed = scene.query(case)
    await scene.disclose(case, caller=replayed.caller)
    with pytest.raises(ProofReplayed):
        await scene.disclose(case, caller=replayed.caller)
    everyone = [await database.take() for _ in range(database.connections()[1])]
    assert len(everyone) > 3
    try:
        for held in everyone:
            assert dict(await held.connection.fetch(SETTINGS)) == fresh
            assert await held.connection.fetchval(LEFT) == 0
            assert await held.connection.fetchval("show synchronous_commit") == "on"
    finally:
        for held in everyone:
            await database.give(held, clean=True)


async def test_the_look_would_see_a_setting_that_stayed(scene: Scene) -> None:
    """The control."""
    async with scene.server() as connection:
        fresh = dict(await connection.fetch(SETTINGS))
        await connection.execute("set synchronous_commit = off")
        await connection.execute("select pg_advisory_lock(1)")
        assert dict(await connection.fetch(SETTINGS)) != fresh
        assert await connection.fetchval(LEFT) == 1


BANNED = re.compile(
    r"\b(notify|listen|unlisten|pg_notify|dblink|prepare\s+transaction|create\s+temp|pg_advisory_lock|set\s+(session|role|search_path(?! = pg_catalog, pg_temp(', f| as [$]|\s+begin atomic))|synchronous_commit)|set\s+local)\b"
    r"|set_config\s*\([^)]*,\s*false\s*\)",
    re.IGNORECASE,
)


def product_sql() -> dict[str, str]:
    """Every statement of the product by name, and every migration, without comments."""
    found = {f"{aggregate}: {name}": text for aggregate in aggregates() for name, text in load(aggregate).items()}
    found |= {path.name: path.read_text(encoding="utf-8") for path in sorted(migrate.default_folder().glob("*.sql"))}
    return {name: re.sub(r"--[^\n]*", "", text) for name, text in found.items()}


async def test_no_sql_notifies_or_sets_the_session() -> None:
    assert {name: found[0] for name, text in product_sql().items() if (found := BANNED.search(text))} == {}
    for planted in (
        "notify changed",
        "listen x",
        "set session authorization x",
        "select set_config('a', 'b', false)",
        "SET synchronous_commit = off",
        "set search_path = ledger",
        "set search_path = pg_catalog, pg_temp; select 1",
    ):
        assert BANNED.search(planted)


async def test_python_sends_no_sql_of_its_own_to_the_pool() -> None:
    """What the request path sends stands in `sql/`; the modules that hold the pool write none."""
    folder = Path(str(importlib.resources.files("sauma.store")))
    statement = re.compile(r"(?<!\")[\"'](select|insert|update|delete|set|notify|listen|begin|with)\s", re.IGNORECASE)
    for name in ("pool", "ledger", "records", "writes", "inspection", "registry"):
        assert statement.search((folder / f"{name}.py").read_text(encoding="utf-8")) is None


async def test_an_honest_append_still_works_for_the_role(scene: Scene) -> None:
    """The control of this file: the same connection that is denied all this does its work."""
    attempt = await scene.attempt(scene.query(await scene.case()))
    async with scene.server() as connection:
        appended = await append(connection, attempt)
        assert (await read(connection, attempt.entry.id, appended["recorded_at"]))["status"] == "handed-out"
        assert await connection.fetchval("select api.record_state($1, 'decisions', gen_random_uuid())", PIRHA) is None


NOT_WHOLE = {
    "a disclosure without its versions": {"basis_agreement_version": "null"},
    "a disclosure of nothing": {"row_record": "'{}'"},
    "a disclosure that was refused": {"decision": "'refuse'"},
    "a refusal without a reason": {"kind": "'refusal'", "decision": "'refuse'", "reason": "null"},
    "an outcome of nothing": {"kind": "'outcome'", "refers": "null"},
    "an entry of nobody": {"kind": "'read'", "client": "null"},
    "an entry of no known kind": {"kind": "'gossip'"},
    "a leaf beyond its length": {"kind": "'read'", "leaf": "convert_to(repeat('x', 1025), 'UTF8')"},
}


@pytest.mark.parametrize("name", NOT_WHOLE)
async def test_nobody_writes_an_entry_that_is_not_whole(name: str, scene: Scene) -> None:
    """As a superuser, and where triggers are left out: a copy of a good entry with one thing amiss."""
    receipt = (await scene.disclose(await scene.case())).receipt
    connection, another = scene.superuser, "update copied set id = gen_random_uuid(), writer = gen_random_uuid()"
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        columns = await connection.fetchval(
            "select string_agg(column_name, ', ') from information_schema.columns where table_schema = 'ledger'"
            " and table_name = 'entry' and column_name <> 'leaf_hash'"
        )
        copy = f"insert into ledger.entry ({columns}) select {columns} from copied"  # noqa: S608  # the columns' own names
        await connection.execute("create temp table copied (like ledger.entry) on commit drop")
        await connection.execute("insert into copied select * from ledger.entry where id = $1", receipt.entry)
        await connection.execute(another)
        await connection.execute(copy)
        await connection.execute(another)
        for column, value in NOT_WHOLE[name].items():
            await connection.execute(f"update copied set {column} = {value}")  # noqa: S608  # this file's own
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(copy)
