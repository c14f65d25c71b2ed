"""`sauma doctor`: on right ground everything is ok; with one thing wrong exactly its check is red; nothing is changed."""

import asyncio
import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.ground import Ground, Said, call, free_port, rows_of
from cli.spoiled import (
    issuer,
    of_another_database,
    on_database,
    other_password,
    public_half,
    ring,
    role,
    shadowed,
    told,
)
from databases import Database
from live import Live
from sauma.cli.doctor import _OF_DATABASE
from sauma.cli.machine import of_room
from sauma.store import embedded
from sauma.store.examination import State


def examined(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> tuple[Said, dict[str, str]]:
    """How doctor ended, and each check with its state."""
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    said = call("doctor", "--json")
    return said, {check["check"]: check["state"] for check in json.loads(said.out)["checks"]}


def states(found: dict[str, str], *others: str) -> dict[str, str]:
    return {check: state for check, state in found.items() if state not in {"ok", *others}}


def snapshot(database: Database, home: Path) -> tuple[object, object]:
    """Everything doctor could have changed."""

    files = [
        (path.relative_to(home), oct(path.stat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in sorted(home.rglob("*"))
    ]
    return asyncio.run(rows_of(database)), files


def test_right_ground_is_ok_in_every_check_and_stays_as_it_is(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    database = ground.database()
    ground.environment["SAUMA_MIGRATE_DATABASE_URL"] = database.dsn("sauma_migrator")
    before = snapshot(database, ground.home)
    said, found = examined(ground, monkeypatch)
    assert (said.code, json.loads(said.out)["ok"], states(found)) == (0, True, {}), said.err
    assert len(found) >= 28
    assert snapshot(database, ground.home) == before


def test_each_line_says_how_it_came_out(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.database()
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    said = call("doctor")
    assert (said.code, said.err) == (0, "")
    assert all(re.fullmatch(r"(ok   |warn |wrong|skip )  [a-z ]+: .+", line) for line in said.out.splitlines()), (
        said.out
    )


def without_home(ground: Ground) -> None:
    ground.database()
    shutil.rmtree(ground.home)


def given_away(ground: Ground) -> None:
    ground.database()
    os.chown(ground.home, 12345, 12345)


def home(mode: int) -> Callable[[Ground], object]:
    def spoil(ground: Ground) -> None:
        ground.database()
        ground.home.chmod(mode)

    return spoil


def demo_key(ground: Ground) -> None:
    ground.database()
    (ground.home / "demo-clients").mkdir()
    (ground.home / "demo-clients" / "pirha.json").write_text("{}")
    (ground.home / "demo-clients" / "pirha.json").chmod(0o644)


def elsewhere(ground: Ground) -> None:
    ground.database()
    ground.environment["SAUMA_PUBLIC_URL"] = f"http://127.0.0.1:{free_port()}"


def held(ground: Ground) -> None:
    ground.database()
    ground.environment["SAUMA_HOST"] = "192.0.2.7"


def address_of(change: Callable[[str], str]) -> Callable[[Ground], object]:
    def spoil(ground: Ground) -> None:
        ground.database()
        ground.environment["SAUMA_DATABASE_URL"] = change(ground.environment["SAUMA_DATABASE_URL"])

    return spoil


def migrator_of(role: str) -> Callable[[Ground], object]:
    def spoil(ground: Ground) -> None:
        ground.environment["SAUMA_MIGRATE_DATABASE_URL"] = ground.database().dsn(role)

    return spoil


def many(ground: Ground) -> None:
    ground.database()
    ground.environment |= {"SAUMA_WORKERS": "64", "SAUMA_POOL_SIZE": "64"}


def log_file(name: str, mode: int) -> Callable[[Ground], object]:
    def spoil(ground: Ground) -> None:
        ground.database()
        (ground.home / name).write_text("{}")
        (ground.home / name).chmod(mode)

    return spoil


PLANTED: dict[str, tuple[Callable[[Ground], object], dict[str, str]]] = {
    "a home open to others": (home(0o755), {"home": "wrong"}),
    "a home of another account": (given_away, {"home": "wrong"}),
    "a demo client's key open to others": (demo_key, {"private files": "wrong"}),
    "an issuer key open to others": (issuer(lambda p: p.chmod(0o644)), {"private files": "wrong", "issuer keys": "wrong"}),
    "an issuer key without its secret half": (issuer(public_half), {"issuer keys": "wrong"}),
    "a key ring that is no JSON": (ring(lambda p: p.write_text("x")), {"key ring": "wrong", "key ring fits": "skip"}),
    "a key ring of another database": (ring(of_another_database), {"key ring fits": "wrong"}),
    "a public URL that leads elsewhere": (elsewhere, {"public url": "wrong"}),
    "an address of another machine": (held, {"address": "wrong"}),
    "a wrong password": (address_of(other_password), {"database": "wrong"}),
    "fsync off": (told("fsync", "off"), {"database": "wrong"}),
    "synchronous_commit off": (address_of(lambda dsn: dsn + "&synchronous_commit=off"), {"database": "wrong"}),
    "a schema behind": (on_database("delete from sauma_meta.migration where version > 5"), {"schema": "wrong"}),
    "a schema that drifted": (on_database("update sauma_meta.migration set sha256 = sha256('') where version = 2"), {"schema": "wrong"}),
    "a PostgreSQL that is too old": (told("server_version_num", "140000"), {"version": "wrong"}),
    "a replica": (shadowed("pg_is_in_recovery() returns boolean", "select true"), {"primary": "wrong"}),
    "no checksums": (told("data_checksums", "off"), {"checksums": "warn"}),
    "plaintext to another machine": (shadowed("inet_server_addr() returns inet", "select '192.0.2.7'::inet"), {"encryption": "warn"}),
    "more workers and pools than connections": (many, {"connections": "wrong"}),
    "clocks a minute apart": (shadowed("clock_timestamp() returns timestamptz", "select pg_catalog.clock_timestamp() - interval '1 minute'"), {"clock": "wrong"}),
    "clocks five seconds apart": (shadowed("clock_timestamp() returns timestamptz", "select pg_catalog.clock_timestamp() - interval '5 seconds'"), {"clock": "warn"}),
    "the migrator as the server's role": (role("sauma_migrator"), {"server role": "wrong", "key ring fits": "skip"}),
    "a table opened to the server": (on_database("grant insert on exchange.subject to sauma_server"), {"server role": "wrong", "key ring fits": "skip"}),
    "temporary objects allowed to everybody": (on_database("do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$"), {"server role": "wrong", "key ring fits": "skip"}),
    "a function that looks types up where its caller says": (on_database("alter function api.counties() reset search_path"), {"server role": "wrong", "key ring fits": "skip"}),
    "the ledger's trigger disabled": (on_database("alter table ledger.entry disable trigger immutable_row"), {"triggers": "wrong"}),
    "a tile's trigger dropped": (on_database("drop trigger immutable_row on ledger.tile"), {"triggers": "wrong"}),
    "a published head's trigger not always on": (on_database("alter table ledger.checkpoint enable trigger immutable_table"), {"triggers": "wrong"}),
    "a sequencer's function opened to the server": (on_database("grant execute on function sequencer.publish(bigint, bytea, text) to sauma_server"), {"server role": "wrong", "key ring fits": "skip"}),
    "a log key open to others": (log_file("log-key.json", 0o644), {"private files": "wrong", "log key": "wrong"}),
    "a log key that is none": (log_file("log-key.json", 0o600), {"log key": "wrong"}),
    "a mandate's trigger dropped": (on_database("drop trigger mandate_follows on registry.client_key"), {"triggers": "wrong"}),
    "a mandate's trigger not always on": (on_database("alter table registry.delegation enable trigger mandate_follows"), {"triggers": "wrong"}),
    "a function of somebody else's": (on_database("alter function api.counties() owner to sauma_migrator", "grant execute on function api.counties() to sauma_server"), {"owner": "wrong"}),
    "no partition for the coming month": (shadowed("clock_timestamp() returns timestamptz", "select pg_catalog.clock_timestamp() + interval '4 months'"), {"clock": "wrong", "partitions": "warn"}),
    "a migrator who is none": (migrator_of("sauma_auditor"), {"migrator": "wrong"}),
    "a home that is not there": (without_home, {"key ring fits": "skip"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_exactly_its_check_is_red(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "a home of another account" and os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    spoil, expected = PLANTED[name]
    spoil(ground)
    said, found = examined(ground, monkeypatch)
    ended = min(
        (list(_OF_DATABASE).index(check) for check in ("database", "schema") if expected.get(check) == "wrong"),
        default=None,
    )
    after = (
        {} if ended is None else dict.fromkeys(check for check in _OF_DATABASE[ended + 1 :] if found[check] == "skip")
    )
    assert {check: state for check, state in states(found).items() if check not in after} == expected, said.err
    assert said.code == (1 if "wrong" in expected.values() else 0)
    red = [check for check in json.loads(said.out)["checks"] if check["state"] in {"warn", "wrong"}]
    assert all(check["what"] and check["fix"] for check in red)


def test_what_could_not_be_looked_at_is_said(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    address_of(other_password)(ground)
    said, found = examined(ground, monkeypatch)
    assert said.code == 1
    assert {found[check] for check in _OF_DATABASE[1:]} == {"skip"}


def test_settings_that_are_wrong_end_it_before_it_begins(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAUMA_PORT", "0")
    said = call("doctor")
    assert (said.code, said.out) == (78, "")


def test_before_the_first_start_nothing_is_made(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(ground.home)
    said, found = examined(ground, monkeypatch)
    assert (said.code, states(found, "skip")) == (0, {})
    assert {found[check] for check in _OF_DATABASE} == {"skip"}
    assert not ground.home.exists()


def test_an_embedded_database_is_looked_at_running_or_not(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(ground.home)
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    try:
        assert call("migrate").code == 0
        standing, found = examined(ground, monkeypatch)
        assert (standing.code, states(found)) == (0, {"partitions": "warn", "key ring fits": "skip"}), standing.err
        with embedded.start(ground.home) as cluster:
            running, again = examined(ground, monkeypatch)
            assert (running.code, again) == (0, found)
            assert (cluster.database_directory / "postmaster.pid").exists()
        (ground.home / "passwords.json").chmod(0o644)
        assert examined(ground, monkeypatch)[1]["private files"] == "wrong"
        assert stat.S_IMODE((ground.home / "passwords.json").stat().st_mode) == 0o644
    finally:
        embedded.remove(ground.home)


def test_a_running_sauma_is_no_fault(live: Live, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of all it knows, doctor shows no password, key or name."""
    port = live.url.rpartition(":")[2]
    ground.environment = {
        "SAUMA_HOME": str(live.home / "sauma"),
        "SAUMA_DATABASE_URL": live.database.dsn("sauma_server"),
        "SAUMA_PORT": port,
        "SAUMA_PUBLIC_URL": live.url,
    }
    said, found = examined(ground, monkeypatch)
    assert (said.code, states(found)) == (0, {}), said.err
    assert "a Sauma answers" in said.out
    keys = json.loads((live.home / "sauma" / "keyring.json").read_text())["keys"]
    secrets = [live.database.dsn("sauma_server").split(":")[2].split("@")[0], *(key["material"] for key in keys)]
    assert [secret for secret in secrets if secret in said.out + said.err] == []
    assert live.told.found_in((said.out + said.err).encode()) == []


@pytest.mark.parametrize(
    ("free", "state"), [(10 << 30, State.OK), (1 << 30, State.WARN), (100 << 20, State.WRONG), (0, State.WRONG)]
)
def test_the_room_on_the_disk(free: int, state: State) -> None:
    assert of_room(free).state is state


ASTRAY = {
    "a registrar who is the server too": ("grant sauma_registrar to sauma_server", "revoke sauma_registrar from sauma_server"),
    "a registrar who may become the owner": ("grant sauma_owner to sauma_registrar_1", "revoke sauma_owner from sauma_registrar_1"),
    "a registrar who may become another": ("grant sauma_registrar_2 to sauma_registrar_1", "revoke sauma_registrar_2 from sauma_registrar_1"),
    "registrars who log in as one": ("alter role sauma_registrar login", "alter role sauma_registrar nologin"),
    "registrars who may make roles": ("alter role sauma_registrar_1 createrole", "alter role sauma_registrar_1 nocreaterole"),
}  # fmt: skip


@pytest.mark.parametrize("name", ASTRAY)
def test_two_registrars_who_might_be_one_are_red(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles are the cluster's: what is done to them is undone at once."""
    done, undone = ASTRAY[name]
    database = ground.database()
    ground.sql(database, done)
    try:
        said, found = examined(ground, monkeypatch)
    finally:
        ground.sql(database, undone)
    assert (said.code, found["registrars"]) == (1, "wrong")


def test_a_table_opened_to_the_registrars_is_red_and_one_registrar_is_too_few(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = ground.database()
    ground.sql(database, "grant select on exchange.record to sauma_registrar")
    said, found = examined(ground, monkeypatch)
    assert states(found) == {"registrars": "wrong"}, said.err
    ground.sql(
        database, "revoke select on exchange.record from sauma_registrar", "alter role sauma_registrar_2 nologin"
    )
    try:
        said, found = examined(ground, monkeypatch)
    finally:
        ground.sql(database, "alter role sauma_registrar_2 login")
    assert (said.code, states(found)) == (0, {"registrars": "warn"})
