"""The migrator: each file once, whole, in order, whoever else migrates; and a past that stays as it was."""

import asyncio
import base64
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import asyncpg
import pytest

from databases import Database
from sauma.core.errors import StartRefused
from sauma.store import bootstrap, embedded, migrate, session

ROOT = pathlib.Path(__file__).parents[2]

TABLE = "CREATE SCHEMA tried;\nCREATE TABLE tried.thing (id integer PRIMARY KEY, word text);\n"
QUOTED = """\
-- a body with semicolons, comments and quotes; nothing here parses it
CREATE FUNCTION tried.odd(n integer) RETURNS integer LANGUAGE plpgsql AS $outer$
BEGIN
  -- it's; only $inner$ a comment
  EXECUTE $inner$ SELECT ';' /* -- */ $inner$;
  RETURN n % 2;
END $outer$;
INSERT INTO tried.thing VALUES (1, $$;--$$);
"""
CONCURRENT = "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS thing_word ON tried.thing (word);\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for number, text in enumerate((TABLE, QUOTED, CONCURRENT), 1):
        (tmp_path / f"{number:04}_file.sql").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def empty(new_database: Callable[..., Database]) -> Database:
    return new_database()


def apply(database: Database, folder: pathlib.Path) -> list[str]:
    done = migrate.migrate(database.dsn("sauma_migrator"), migrations=migrate.read(folder))
    return [migration.name for migration in asyncio.run(done)]


def ask(dsn: str, *statement: object) -> object:
    async def once() -> object:
        async with session.connected(dsn) as connection:
            return await connection.fetchval(*statement)

    return asyncio.run(once())


def test_files_are_applied_once_and_in_order(empty: Database, folder: pathlib.Path) -> None:
    assert apply(empty, folder) == ["0001_file.sql", "0002_file.sql", "0003_file.sql"]
    assert apply(empty, folder) == []
    assert ask(empty.dsn("postgres"), "SELECT word FROM tried.thing") == ";--"
    assert ask(empty.dsn("postgres"), "SELECT tried.odd(3)") == 1
    assert ask(empty.dsn("postgres"), "SELECT indisvalid FROM pg_index WHERE indexrelid = 'tried.thing_word'::regclass")


def test_everything_belongs_to_the_owner_nobody_logs_in_as(empty: Database, folder: pathlib.Path) -> None:
    apply(empty, folder)
    owners = (
        "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)::text) FROM pg_class"
        " WHERE relnamespace IN ('tried'::regnamespace, 'sauma_meta'::regnamespace)"
    )
    assert ask(empty.dsn("postgres"), owners) == ["sauma_owner"]
    assert ask(empty.dsn("postgres"), "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'sauma_owner'") is False


@pytest.mark.parametrize("count", [4, 16])
def test_many_processes_at_once_apply_each_file_once(count: int, empty: Database, folder: pathlib.Path) -> None:
    program = (
        "import asyncio, json, pathlib, sys; from sauma.store import migrate;"
        "files = migrate.read(pathlib.Path(sys.argv[1]));"
        "done = asyncio.run(migrate.migrate(sys.stdin.read(), migrations=files));"
        "print(json.dumps([m.version for m in done]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", program, str(folder)]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(count)
    ]
    for process in started:
        process.stdin.write(empty.dsn("sauma_migrator"))
        process.stdin.close()
    told = []
    for process in started:
        with process:
            told.append((process.stdout.read(), process.stderr.read()))
    assert [error for _, error in told if error] == []
    assert sorted(json.loads(out) for out, _ in told) == [[]] * (count - 1) + [[1, 2, 3]]
    assert ask(empty.dsn("postgres"), "SELECT count(*) FROM sauma_meta.migration") == 3


def edit(folder: pathlib.Path) -> None:
    (folder / "0002_file.sql").write_text(QUOTED + "-- one more comment\n", encoding="utf-8")


def forget_last(folder: pathlib.Path) -> None:
    (folder / "0003_file.sql").unlink()


def rename(folder: pathlib.Path) -> None:
    (folder / "0003_file.sql").rename(folder / "0004_file.sql")


PASTS = {
    "an edited file": (edit, 3, "0002_file.sql: edited after it was applied"),
    "a version this code does not know": (forget_last, 3, "0003_file.sql: applied here but unknown"),
    "a number left out": (rename, 78, "0004_file.sql: migrations are NNNN_name.sql"),
}


@pytest.mark.parametrize("name", PASTS)
def test_a_changed_past_is_refused(name: str, empty: Database, folder: pathlib.Path) -> None:
    change, code, line = PASTS[name]
    apply(empty, folder)
    change(folder)
    with pytest.raises(StartRefused, match=line) as refused:
        apply(empty, folder)
    assert refused.value.exit_code == code
    with pytest.raises(StartRefused, match=line):
        asyncio.run(migrate.pending(empty.dsn("sauma_server"), migrations=migrate.read(folder)))


NAMES = {
    "three digits": "001_a.sql",
    "capitals": "0001_A.sql",
    "no name": "0001.sql",
    "digits of another script": "٠٠٠١_a.sql",
    "not from one": "0002_a.sql",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_is_refused(name: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / NAMES[name]).write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(StartRefused, match="NNNN_name"):
        migrate.read(tmp_path)


def test_a_failing_file_leaves_nothing_and_names_its_line(empty: Database, folder: pathlib.Path) -> None:
    (folder / "0002_file.sql").write_text(
        "INSERT INTO tried.thing VALUES (2, 'x');\nSELECT nothing_such();\n", encoding="utf-8"
    )
    with pytest.raises(StartRefused, match=r"0002_file\.sql line 2: 42883") as refused:
        apply(empty, folder)
    assert refused.value.exit_code == 1
    assert ask(empty.dsn("postgres"), "SELECT count(*) FROM tried.thing") == 0
    assert ask(empty.dsn("postgres"), "SELECT max(version) FROM sauma_meta.migration") == 1


def test_what_is_pending_can_be_asked_by_the_server_and_changes_nothing(empty: Database, folder: pathlib.Path) -> None:
    files = migrate.read(folder)
    assert asyncio.run(migrate.pending(empty.dsn("sauma_server"), migrations=files)) == files
    assert ask(empty.dsn("postgres"), "SELECT to_regnamespace('sauma_meta')") is None
    asyncio.run(migrate.migrate(empty.dsn("sauma_migrator"), migrations=files[:2]))
    assert asyncio.run(migrate.pending(empty.dsn("sauma_server"), migrations=files)) == files[2:]


async def test_a_migrator_that_never_ends_is_not_waited_for_forever(empty: Database, folder: pathlib.Path) -> None:
    async with session.connected(empty.dsn("sauma_migrator")) as other:
        await other.execute("SELECT pg_advisory_lock($1)", 0x5341554D41)
        with pytest.raises(StartRefused, match="another migrator") as refused:
            await migrate.migrate(empty.dsn("sauma_migrator"), migrations=migrate.read(folder), patience=0.2)
    assert refused.value.exit_code == 75


def test_a_role_that_may_not_migrate_is_told_what_to_do(empty: Database, folder: pathlib.Path) -> None:
    with pytest.raises(StartRefused, match="print-bootstrap"):
        asyncio.run(migrate.migrate(empty.dsn("sauma_server"), migrations=migrate.read(folder)))


FORBIDDEN = {
    "the server reads a table": ("sauma_server", "SELECT * FROM tried.thing"),
    "the server reads the migrations": ("sauma_server", "SELECT * FROM sauma_meta.migration"),
    "the server runs a function nobody gave it": ("sauma_server", "SELECT tried.odd(3)"),
    "the server becomes the owner": ("sauma_server", "SET ROLE sauma_owner"),
    "the server becomes the migrator": ("sauma_server", "SET ROLE sauma_migrator"),
    "the server makes a schema": ("sauma_server", "CREATE SCHEMA mine"),
    "the server makes a table in public": ("sauma_server", "CREATE TABLE public.mine (a integer)"),
    "the server makes a temporary table": ("sauma_server", "CREATE TEMP TABLE mine (a integer)"),
    "the server runs a code block": ("sauma_server", "DO $$ BEGIN END $$"),
    "the server keeps a large object": ("sauma_server", "SELECT lo_from_bytea(0, 'x')"),
    "the server makes a role": ("sauma_server", "CREATE ROLE mine"),
    "the server reads a file": ("sauma_server", "SELECT pg_read_file('postgresql.conf')"),
    "the server runs a program": ("sauma_server", "COPY (SELECT 1) TO PROGRAM 'true'"),
    "the server reads password verifiers": ("sauma_server", "SELECT rolpassword FROM pg_authid"),
    "the auditor reads a table nobody gave it": ("sauma_auditor", "SELECT * FROM tried.thing"),
    "the auditor makes a schema": ("sauma_auditor", "CREATE SCHEMA mine"),
    "the sequencer reads a table nobody gave it": ("sauma_sequencer", "SELECT * FROM tried.thing"),
    "the migrator reads a table before it becomes the owner": ("sauma_migrator", "SELECT * FROM tried.thing"),
    "the migrator makes a role": ("sauma_migrator", "CREATE ROLE mine"),
    "the migrator becomes the server": ("sauma_migrator", "SET ROLE sauma_server"),
}


@pytest.fixture(scope="module")
def tried(new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    database, folder = new_database(), tmp_path_factory.mktemp("tried")
    (folder / "0001_a.sql").write_text(TABLE, encoding="utf-8")
    (folder / "0002_b.sql").write_text(QUOTED + "GRANT USAGE ON SCHEMA tried TO PUBLIC;\n", encoding="utf-8")
    apply(database, folder)
    return database


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_role_may_not(name: str, tried: Database) -> None:
    role, statement = FORBIDDEN[name]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(tried.dsn(role), statement)


def test_a_role_nobody_let_in_does_not_connect(empty: Database) -> None:
    ask(empty.dsn("postgres"), f"REVOKE CONNECT ON DATABASE {empty.name} FROM sauma_auditor")
    with pytest.raises(StartRefused, match="42501"):
        ask(empty.dsn("sauma_auditor"), "SELECT 1")


def test_a_password_verifier_is_postgresqls_own(cluster: embedded.Cluster) -> None:
    stored = ask(cluster.dsn("postgres", "postgres"), "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
    salt = base64.b64decode(stored.split("$")[1].split(":")[1])
    assert bootstrap.scram_verifier(cluster.passwords["postgres"], salt=salt) == stored


def test_the_script_for_a_dba_prepares_a_database_the_same(cluster: embedded.Cluster) -> None:
    script = bootstrap.script("by_hand")
    assert script.count("\\password sauma_") == 4
    assert "PASSWORD '" not in script
    psql = cluster._site.binaries / "psql"
    if not psql.exists():
        pytest.skip(f"no psql beside the server's binaries in {psql.parent}")
    typed = "\n".join(line for line in script.splitlines() if not line.startswith("\\password"))
    command = [
        psql,
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        f"host={cluster.socket_directory} user=postgres dbname=postgres",
    ]
    environment = {"PGPASSWORD": cluster.passwords["postgres"]}
    done = subprocess.run(command, input=typed, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False)
    assert ask(cluster.dsn("sauma_server", "by_hand"), "SELECT current_user::text") == "sauma_server"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(cluster.dsn("sauma_server", "by_hand"), "CREATE TEMP TABLE mine (a integer)")


def test_a_server_that_forgets_acknowledged_commits_is_refused(empty: Database) -> None:
    found = asyncio.run(session.durability(empty.dsn("sauma_server")))
    assert (found.fsync, found.full_page_writes, found.synchronous_commit) == ("on", "on", "on")
    ask(empty.dsn("postgres"), f"ALTER DATABASE {empty.name} SET synchronous_commit = off")
    with pytest.raises(StartRefused, match="synchronous_commit is off"):
        asyncio.run(session.durability(empty.dsn("sauma_server")))
