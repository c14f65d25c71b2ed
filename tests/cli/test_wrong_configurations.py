"""What an operator gets wrong: every start that is refused says in one line what and how to mend it, and no value.

Each row makes one thing wrong on ground that is right, and really runs the command. The port is taken throughout: a row
that were not refused would end in that refusal, which is not its own, instead of serving.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.ground import Ground, call
from cli.spoiled import (
    MARKER,
    Spoil,
    a_directory,
    address,
    embedded,
    env,
    far_in_production,
    from_before,
    half_passwords,
    issuer,
    linked,
    loose_passfile,
    migrating,
    never_migrated,
    no_passwords,
    of_another_database,
    of_version_9,
    on_another_port,
    on_database,
    other_password,
    production,
    programs_that_fail,
    public_half,
    rewritten,
    ring,
    role,
    shadowed,
    told,
    trusted,
    without_a_purpose,
)
from sauma.settings import FIXES
from sauma.vault.logkey import make_log_key
from test_settings import BAD


@dataclass(frozen=True)
class Row:
    """What makes it wrong, the command, how it ends, what the line names first, and a part of the fix."""

    spoil: Spoil
    command: str
    code: int
    subject: str
    fix: str


SERVE, MIGRATE, CHECK, RUN, CLIENTS = "serve", "migrate", "migrate --check", "run", "clients list"
SEQUENCE = "ledger check"
FAR = "postgresql://sauma_server:" + MARKER + "@db.example/sauma"


def log_key(ground: Ground) -> None:
    make_log_key(ground.home / "log-key.json", origin="sauma.test/v1/ledger")


ROWS = {
    # key ring
    "a key ring open to its group": Row(ring(lambda p: p.chmod(0o640)), SERVE, 78, "SAUMA_KEYRING", "chmod 600"),
    "a key ring that is a link": Row(ring(linked), SERVE, 78, "SAUMA_KEYRING", "restore it"),
    "a key ring that is no JSON": Row(ring(lambda p: p.write_text(MARKER)), SERVE, 78, "SAUMA_KEYRING", "its own backup"),
    "a key ring of another format": Row(ring(rewritten(format="sauma-keyring/0")), SERVE, 78, "SAUMA_KEYRING", "its own backup"),
    "a key ring without a purpose": Row(ring(without_a_purpose), SERVE, 78, "SAUMA_KEYRING", "its backup"),
    "a key ring of another database": Row(ring(of_another_database), SERVE, 78, "SAUMA_KEYRING", "belongs to this database"),
    "a key ring lost, and a new one made": Row(ring(lambda p: p.unlink()), SERVE, 78, "SAUMA_KEYRING", "belongs to this database"),
    "a key ring that is a directory": Row(env(SAUMA_KEYRING="/"), SERVE, 78, "SAUMA_KEYRING", "keyring file"),
    # issuer keys
    "an issuer key of an earlier version that is none": Row(issuer(from_before), SERVE, 78, "SAUMA_HOME", "correct it"),
    "two active issuer keys": Row(issuer(lambda p: rewritten(keys=2 * json.loads(p.read_text())["keys"])(p)), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    "issuer keys of another format": Row(issuer(rewritten(format="sauma-issuer-keys/0")), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    "issuer keys that are a link": Row(issuer(linked), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    "an act on issuer keys that cannot be used": Row(issuer(public_half), "keys issuer prepare", 78, "SAUMA_HOME", "a new one is made"),
    "an issuer key that is no JSON": Row(issuer(lambda p: p.write_text(MARKER)), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    "an issuer key without its secret half": Row(issuer(public_half), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    "an issuer key open to others": Row(issuer(lambda p: p.chmod(0o644)), SERVE, 78, "SAUMA_HOME", "correct it"),
    "an issuer key that is a directory": Row(issuer(a_directory), SERVE, 78, "SAUMA_HOME", "a new one is made"),
    # trusted issuers
    "a trusted issuer over plain HTTP": Row(trusted(issuer="http://" + MARKER), SERVE, 78, "SAUMA_TRUSTED_ISSUERS", "docs/settings.md"),
    "a trusted issuer without keys": Row(trusted(jwksUri=None), SERVE, 78, "SAUMA_TRUSTED_ISSUERS", "docs/settings.md"),
    "a trusted issuer with a scope there is not": Row(trusted(scopes=[MARKER]), SERVE, 78, "SAUMA_TRUSTED_ISSUERS", "docs/settings.md"),
    "a trusted issuer with a member nobody knows": Row(trusted(**{MARKER: 1}), SERVE, 78, "SAUMA_TRUSTED_ISSUERS", "docs/settings.md"),
    "a file of trusted issuers that is a directory": Row(env(SAUMA_TRUSTED_ISSUERS="/"), SERVE, 78, "SAUMA_TRUSTED_ISSUERS", "JSON file"),
    "nobody to issue tokens": Row(env(SAUMA_OWN_TOKENS="off"), SERVE, 78, "SAUMA_OWN_TOKENS", "SAUMA_TRUSTED_ISSUERS"),
    # home and embedded database
    "a home below a file": Row(lambda g: (g.database(), env(SAUMA_HOME="/dev/null/home")(g)), SERVE, 78, "SAUMA_HOME", "a disk with room"),
    "a home with a name too long": Row(env(SAUMA_HOME="/" + 300 * "x"), SERVE, 78, "SAUMA_HOME", "a directory"),
    "passwords that are not whole": Row(embedded(half_passwords), MIGRATE, 78, "SAUMA_HOME", "./sauma clean"),
    "an embedded database without its passwords": Row(embedded(no_passwords), MIGRATE, 78, "SAUMA_HOME", "./sauma clean"),
    "an embedded database of another version": Row(embedded(of_version_9), MIGRATE, 78, "SAUMA_PG_BIN", "./sauma clean"),
    "a bin directory without initdb": Row(env(SAUMA_PG_BIN="/usr"), MIGRATE, 78, "SAUMA_PG_BIN", "bin directory"),
    "programs that are not PostgreSQL's": Row(programs_that_fail, MIGRATE, 69, "PostgreSQL", "postgres.log"),
    # address
    "a port that is taken": Row(address(lambda dsn: dsn), SERVE, 78, "SAUMA_PORT", "SAUMA_PUBLIC_URL"),
    "a port that is taken, everything in one go": Row(env(), RUN, 78, "SAUMA_PORT", "SAUMA_PUBLIC_URL"),
    "an address of another machine": Row(on_another_port, SERVE, 78, "SAUMA_HOST", "127.0.0.1"),
    # connection
    "a database where nothing listens": Row(env(SAUMA_DATABASE_URL="postgresql://s:" + MARKER + "@127.0.0.1:1/sauma"), SERVE, 69, "SAUMA_DATABASE_URL", "start PostgreSQL"),
    "a socket that is not there": Row(env(SAUMA_DATABASE_URL="postgresql://s:" + MARKER + "@/sauma?host=/nowhere"), SERVE, 69, "SAUMA_DATABASE_URL", "host="),
    "a wrong password": Row(address(other_password), SERVE, 78, "SAUMA_DATABASE_URL", "correct it"),
    "a passfile open to others": Row(loose_passfile, SERVE, 78, "SAUMA_DATABASE_URL", "0600"),
    "a database that does not exist": Row(address(lambda dsn: dsn.replace("/test_", "/nowhere_")), SERVE, 78, "SAUMA_DATABASE_URL", "--print-bootstrap"),
    "an sslmode nobody knows": Row(address(lambda dsn: dsn + "&sslmode=" + MARKER), SERVE, 78, "SAUMA_DATABASE_URL", "question mark"),
    "a port beyond all ports in the address": Row(env(SAUMA_DATABASE_URL="postgresql://s:" + MARKER + "@127.0.0.1:99999/sauma"), SERVE, 78, "SAUMA_DATABASE_URL", "correct the port"),
    "a port of words in the address": Row(env(SAUMA_DATABASE_URL="postgresql://s:x@h:" + MARKER + "/sauma"), SERVE, 78, "SAUMA_DATABASE_URL", "correct the port"),
    "a role that may not connect": Row(on_database("revoke connect on database THIS from sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "--print-bootstrap"),
    "a database with no connection free": Row(on_database("alter database THIS connection limit 0"), SERVE, 69, "SAUMA_DATABASE_URL", "max_connections"),
    # durability and kind of server
    "fsync off": Row(told("fsync", "off"), SERVE, 78, "PostgreSQL", "turn fsync on"),
    "full_page_writes off": Row(told("full_page_writes", "off"), SERVE, 78, "PostgreSQL", "turn full_page_writes on"),
    "synchronous_commit off for the role": Row(on_database("alter role sauma_server in database THIS set synchronous_commit = off"), SERVE, 78, "PostgreSQL", "turn synchronous_commit on"),
    "synchronous_commit off in the address": Row(address(lambda dsn: dsn + "&synchronous_commit=off"), SERVE, 78, "PostgreSQL", "turn synchronous_commit on"),
    "a PostgreSQL that is too old": Row(told("server_version_num", "140009"), SERVE, 78, "PostgreSQL", "upgrade"),
    "a replica": Row(shadowed("pg_is_in_recovery() returns boolean", "select true"), SERVE, 78, "SAUMA_DATABASE_URL", "primary"),
    "a read-only default": Row(on_database("alter database THIS set default_transaction_read_only = on"), SERVE, 78, "PostgreSQL", "default_transaction_read_only"),
    "another isolation by default": Row(on_database("alter role sauma_server in database THIS set default_transaction_isolation = 'repeatable read'"), SERVE, 78, "PostgreSQL", "default_transaction_isolation"),
    "a database not in UTF-8": Row(told("server_encoding", "LATIN1"), SERVE, 78, "PostgreSQL", "UTF8"),
    "clocks that tell two stories": Row(shadowed("clock_timestamp() returns timestamptz", "select pg_catalog.clock_timestamp() + interval '1 minute'"), SERVE, 78, "clock", "NTP"),
    "more workers and pools than connections": Row(lambda g: (g.database(), env(SAUMA_WORKERS="64", SAUMA_POOL_SIZE="100")(g)), SERVE, 78, "PostgreSQL", "SAUMA_POOL_SIZE"),
    # role and guards
    "a superuser as the server's role": Row(role("postgres"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "the migrator as the server's role": Row(role("sauma_migrator"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "the auditor as the server's role": Row(role("sauma_auditor"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "a table opened to the server": Row(on_database("grant select on exchange.subject to sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "a column opened to the server": Row(on_database("grant update (protected) on exchange.subject to sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "an inner function opened to the server": Row(on_database("grant execute on function exchange.bump(uuid) to sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "a schema opened to everybody": Row(on_database("grant create on schema public to public"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "a function taken from the server": Row(on_database("revoke execute on function api.counties() from sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "sauma_server"),
    "the ledger's trigger disabled": Row(on_database("alter table ledger.entry disable trigger immutable_row"), SERVE, 78, "PostgreSQL", "restore the schema"),
    "the ledger's trigger for replicas only": Row(on_database("alter table ledger.entry enable replica trigger immutable_table"), SERVE, 78, "PostgreSQL", "restore the schema"),
    "a write's trigger disabled": Row(on_database("alter table exchange.prohibition disable trigger with_entry"), SERVE, 78, "PostgreSQL", "restore the schema"),
    "a table of somebody else's": Row(on_database("alter table exchange.link owner to sauma_migrator"), SERVE, 78, "PostgreSQL", "sauma_owner"),
    # schema
    "a database never migrated": Row(never_migrated, SERVE, 4, "schema", "sauma migrate"),
    "a schema behind": Row(on_database("delete from sauma_meta.migration where version > 5"), SERVE, 4, "schema", "sauma migrate"),
    "a migration edited after it was applied": Row(on_database("update sauma_meta.migration set sha256 = sha256('') where version = 2"), SERVE, 3, "0002_ledger.sql", "restore the file"),
    "a schema newer than this version": Row(on_database("insert into sauma_meta.migration values (9001, '9001_later.sql', sha256(''))"), SERVE, 3, "9001_later.sql", "version that knows it"),
    "a role that may not ask for the schema": Row(on_database("revoke usage on schema sauma_meta from sauma_server"), SERVE, 78, "SAUMA_DATABASE_URL", "a role of Sauma's"),
    "drift, asked for": Row(lambda g: (d := g.database(), g.sql(d, "update sauma_meta.migration set sha256 = sha256('') where version = 2"), env(SAUMA_MIGRATE_DATABASE_URL=d.dsn("sauma_migrator"))(g)), CHECK, 3, "0002_ledger.sql", "restore the file"),
    # migrate
    "a migrator who may not become the owner": Row(migrating(role="sauma_server"), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "--print-bootstrap"),
    "a database the migrator may not write": Row(migrating("alter database THIS set default_transaction_read_only = on"), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "writable primary"),
    "a database without its preparation": Row(migrating("alter database THIS owner to postgres"), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "--print-bootstrap"),
    "a database with something else in it": Row(migrating("create schema registry"), MIGRATE, 1, "0001_registry.sql", "migrate again"),
    "a server's address and no migrator's": Row(lambda g: g.database(), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "set it"),
    "a migrator's address and no server's": Row(migrating(), SERVE, 78, "SAUMA_DATABASE_URL", "set it"),
    # registrars
    "a registrar's address that is none": Row(env(SAUMA_REGISTRAR_DATABASE_URL="http://" + MARKER), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "your own login"),
    "a registrar's wrong password": Row(lambda g: env(SAUMA_REGISTRAR_DATABASE_URL=other_password(g.database().dsn("sauma_registrar_1")))(g), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "correct it"),
    "the server's login for a registrar's": Row(lambda g: env(SAUMA_REGISTRAR_DATABASE_URL=g.database().dsn("sauma_server"))(g), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "GRANT sauma_registrar"),
    "a registrar on a server's database without an address": Row(lambda g: g.database(), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "your own login"),
    "a registrar in production without an address": Row(env(SAUMA_ENV="production"), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "set it"),
    "a plaintext registrar in production": Row(lambda g: production(g, SAUMA_REGISTRAR_DATABASE_URL=FAR), CLIENTS, 78, "SAUMA_REGISTRAR_DATABASE_URL", "sslmode=verify-full"),
    # the sequencer
    "a sequencer's address that is none": Row(env(SAUMA_SEQUENCER_DATABASE_URL="http://" + MARKER), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "sauma_sequencer"),
    "a sequencer's wrong password": Row(lambda g: (log_key(g), env(SAUMA_SEQUENCER_DATABASE_URL=other_password(g.database().dsn("sauma_sequencer")))(g)), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "correct it"),
    "a sequencer on a server's database without an address": Row(lambda g: g.database(), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "login of sauma_sequencer"),
    "a sequencer in production without an address": Row(env(SAUMA_ENV="production"), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "set it"),
    "a plaintext sequencer in production": Row(lambda g: production(g, SAUMA_SEQUENCER_DATABASE_URL=FAR), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "sslmode=verify-full"),
    "the server's login for the sequencer's": Row(lambda g: (log_key(g), env(SAUMA_SEQUENCER_DATABASE_URL=g.database().dsn("sauma_server"))(g)), SEQUENCE, 78, "SAUMA_SEQUENCER_DATABASE_URL", "login of sauma_sequencer"),
    "a sequencer on a schema behind": Row(lambda g: (log_key(g), d := g.database(), g.sql(d, "delete from sauma_meta.migration where version > 5"), env(SAUMA_SEQUENCER_DATABASE_URL=d.dsn("sauma_sequencer"))(g)), SEQUENCE, 4, "schema", "sauma migrate"),
    "a log key that is none": Row(lambda g: (env(SAUMA_SEQUENCER_DATABASE_URL=g.database().dsn("sauma_sequencer"))(g), (g.home / "log-key.json").write_text(MARKER), (g.home / "log-key.json").chmod(0o600)), SEQUENCE, 78, "SAUMA_HOME", "its own backup"),
    # production
    "demo data in production": Row(production, RUN, 78, "SAUMA_ENV", "sauma serve"),
    "a migrator in production without an address": Row(env(SAUMA_ENV="production"), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "set it"),
    "a check in production without an address": Row(env(SAUMA_ENV="production"), CHECK, 78, "SAUMA_MIGRATE_DATABASE_URL", "set it"),
    "a plaintext address in production": Row(lambda g: production(g, SAUMA_DATABASE_URL=FAR), SERVE, 78, "SAUMA_DATABASE_URL", "sslmode=verify-full"),
    "encryption without proof in production": Row(lambda g: production(g, SAUMA_DATABASE_URL=FAR + "?sslmode=require"), SERVE, 78, "SAUMA_DATABASE_URL", "sslmode=verify-full"),
    "one of two hosts in plaintext": Row(lambda g: production(g, SAUMA_DATABASE_URL="postgresql://s:x@127.0.0.1:1,db.example:2/sauma"), SERVE, 78, "SAUMA_DATABASE_URL", "sslmode=verify-full"),
    "a plaintext migrator in production": Row(lambda g: production(g, SAUMA_MIGRATE_DATABASE_URL=FAR), MIGRATE, 78, "SAUMA_MIGRATE_DATABASE_URL", "sslmode=verify-full"),
    "a plaintext hop behind a socket": Row(far_in_production, SERVE, 78, "SAUMA_DATABASE_URL", "sslmode=verify-full"),
}  # fmt: skip


@pytest.fixture
def taken(ground: Ground) -> Iterator[None]:
    """Nobody serves by mistake."""
    with socket.create_server(("127.0.0.1", int(ground.environment["SAUMA_PORT"]))):
        yield


def refused(ground: Ground, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    said = call(*row.command.split())
    *progress, line = said.err.splitlines()
    assert (said.code, said.out) == (row.code, ""), said.err
    assert line.startswith(f"sauma: {row.subject}: "), line
    assert row.fix in line.partition("; fix: ")[2], line
    assert all(said.startswith("sauma: ") and "; fix: " not in said for said in progress), said.err
    assert MARKER not in said.err


@pytest.mark.parametrize("name", ROWS)
def test_the_start_is_refused(name: str, ground: Ground, taken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[name]
    row.spoil(ground)
    refused(ground, row, monkeypatch)


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_setting_is_refused_by_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told, key, fix = BAD[name]
    for left in [name for name in os.environ if name.startswith("SAUMA_")]:
        monkeypatch.delenv(left)
    for name_, value in told.items():
        monkeypatch.setenv(name_, value)
    said = call("serve")
    assert (said.code, said.out, said.err.count("\n")) == (78, "", 1)
    assert said.err.startswith(f"sauma: {key}: ")
    assert fix in said.err.partition("; fix: ")[2]
    assert "marker" not in said.err


def test_every_setting_has_a_wrong_value_in_the_table() -> None:
    assert {key for _, key, _ in BAD.values()} >= FIXES.keys()


@contextlib.contextmanager
def plaintext_postgresql() -> Iterator[int]:
    """What answers like a PostgreSQL without TLS: `N` to the question, then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.recv(8)
                    connection.sendall(b"N")
                    connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(5)


def test_a_server_without_the_tls_that_is_asked_for(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with plaintext_postgresql() as port:
        dsn = f"postgresql://s:{MARKER}@127.0.0.1:{port}/sauma?sslmode=require"
        row = Row(env(SAUMA_DATABASE_URL=dsn), SERVE, 78, "SAUMA_DATABASE_URL", "turn ssl on")
        row.spoil(ground)
        refused(ground, row, monkeypatch)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(
    ("given", "subject"), [("keyring.json", "SAUMA_KEYRING"), (".", "SAUMA_HOME")], ids=["the key ring", "the home"]
)
def test_what_belongs_to_another_account(
    given: str, subject: str, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(ground.home / given, 12345, 12345)
    if given != ".":
        ground.database()
    command = MIGRATE if given == "." else SERVE
    refused(ground, Row(env(), command, 78, subject, "clean" if given == "." else "chown"), monkeypatch)


def test_metrics_on_the_port_of_the_api(ground: Ground) -> None:
    """In a process of its own: were it not refused, it would serve."""
    ground.database()
    ground.environment["SAUMA_METRICS_PORT"] = ground.environment["SAUMA_PORT"]
    base = {name: value for name, value in os.environ.items() if not name.startswith(("SAUMA_", "PG"))}
    environment = base | ground.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "sauma", "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (78, ""), done.stderr
    assert done.stderr.splitlines()[-1].startswith("sauma: SAUMA_METRICS_PORT: taken; fix: ")


def test_the_tables_are_as_long_as_the_page_says() -> None:
    assert len(ROWS) + len(BAD) > 100


def test_what_is_not_a_command() -> None:
    assert call("sevre").code == 2
    assert call("serve", "--marker").code == 2
