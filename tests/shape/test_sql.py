"""Every SQL statement is real: PREPAREd against the freshly migrated schema, named, and free of the forbidden forms."""

import pathlib
import re
from typing import Any

import asyncpg
import pytest

from sauma.store import statements
from shape import prose

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "src" / "sauma" / "store" / "sql"
AGGREGATES = sorted(path.stem for path in FOLDER.glob("*.sql"))
SQL_FILES = [*FOLDER.parent.rglob("*.sql"), *(ROOT / "migrations").glob("*.sql")]
OF_THE_MIGRATOR = {"enrol"}  # fills the register until organisations register themselves
LOGINS = {"enrol": "sauma_migrator", "registrar": "sauma_registrar_1", "sequencer": "sauma_sequencer"}
"""Whose statements they are, where not the server's."""
NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


async def refused(connection: Any, sql: dict[str, str]) -> list[str]:
    """Names of the statements PostgreSQL cannot plan, with its reason."""
    found = []
    for name, statement in sql.items():
        try:
            await connection.prepare(statement)
        except asyncpg.PostgresError as error:
            found.append(f"{name}: {error.sqlstate} {error}")
    return found


def test_there_is_sql_to_look_at() -> None:
    assert AGGREGATES != []


@pytest.mark.parametrize("aggregate", AGGREGATES)
async def test_every_statement_can_be_planned_on_the_migrated_schema(aggregate: str, database: Any) -> None:
    connection = await asyncpg.connect(database.dsn(LOGINS.get(aggregate, "sauma_server")))
    try:
        if aggregate in OF_THE_MIGRATOR:
            await connection.execute("set role sauma_owner")
        assert await refused(connection, statements.load(aggregate)) == []
    finally:
        await connection.close()


async def test_a_planted_mistake_is_refused(database: Any) -> None:
    planted = {
        "a table that is not there": "select id from nowhere",
        "a column that is not there": "select nothing from pg_catalog.pg_class",
        "a wrong type": "select 1 + 'x'::bytea",
        "a typing error": "selct 1",
        "a right one": "select 1",
    }
    connection = await asyncpg.connect(database.dsn("sauma_server"))
    try:
        found = await refused(connection, planted)
    finally:
        await connection.close()
    assert [line.partition(":")[0] for line in found] == list(planted)[:-1]


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_the_loader_hands_out_exactly_the_named_statements(aggregate: str) -> None:
    text = (FOLDER / f"{aggregate}.sql").read_text(encoding="utf-8")
    names = NAME.findall(text)
    loaded = statements.load(aggregate)
    assert names == list(loaded)
    assert len(names) == len(set(names))
    assert all(statement.strip() for statement in loaded.values())


def test_every_named_statement_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = [name for aggregate in AGGREGATES for name in statements.load(aggregate)]
    assert [name for name in named if f'"{name}"' not in source] == []


@pytest.mark.parametrize("path", SQL_FILES, ids=lambda p: p.stem)
def test_no_star_no_notify_no_session_state(path: pathlib.Path) -> None:
    assert prose.unlawful_sql(path.read_text(encoding="utf-8")) == []


FORBIDDEN = {
    "a star": ("select * from ledger.entry", "select *"),
    "a star of an alias": ("select e.* from ledger.entry e", "select *"),
    "a returning star": ("insert into a values (1) returning *", "returning *"),
    "a notification": ("notify ledger, 'x'", "notify"),
    "a notification by function": ("select pg_notify('ledger', 'x')", "notify"),
    "a commit that does not wait": ("set local synchronous_commit = off", "synchronous_commit"),
    "a setting that outlives its transaction": ("-- name: x\nset search_path = ledger", "session-level set"),
    "a setting inside a function": ("begin\n  set search_path to ledger;\nend", "session-level set"),
    "a commit that does not wait, by function": (
        "select set_config('synchronous_commit', 'off', true)",
        "synchronous_commit",
    ),
    "a setting by function that outlives it": ("select set_config('a.b', $1, false)", "session-level set_config"),
    "a lock that outlives its transaction": ("select pg_advisory_lock(1)", "session-level advisory lock"),
}


@pytest.mark.parametrize("form", FORBIDDEN)
def test_the_check_goes_red_on(form: str) -> None:
    sql, name = FORBIDDEN[form]
    assert prose.unlawful_sql(sql) == [name]


ALLOWED = {
    "counting": "select count(*) from ledger.entry",
    "multiplying": "select 2 * 3",
    "an update": "update a\n  set b = 1 where c = 2",
    "a row variable": "begin select * into r from ledger.entry where id = p_id; end",
    "insisting on a commit that waits": "perform set_config('synchronous_commit', 'on', true)",
    "a local setting": "select set_config('sauma.entry', $1, true)",
    "a lock of the transaction": "select pg_try_advisory_xact_lock(1)",
    "a word in a comment": "-- never select *, never notify x\nselect 1",
}


@pytest.mark.parametrize("form", ALLOWED)
def test_the_check_leaves_alone(form: str) -> None:
    assert prose.unlawful_sql(ALLOWED[form]) == []
