"""A used database, backed up and restored as the page says: it serves, it guards, and what came later is forgotten.

Both ways on PostgreSQL's own programs: `pg_basebackup` of the whole server, `pg_dump` of one database into a server that
was only prepared. What a restored backup has forgotten is asserted too: it is why the page says to stay closed.
"""

import asyncio
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from attacks.scene import Case, Scene, open_scene, read
from cli.ground import call, cleared, free_port, rows_of
from databases import Database
from docs import pages
from sauma import settings as told
from sauma.cli import fitness
from sauma.core.disclosure import Receipt
from sauma.exchange.append import ProofReplayed
from sauma.exchange.disclose import CaseQuery, disclose
from sauma.store import embedded, migrate
from sauma.store.bootstrap import bootstrap
from sauma.store.places import settle

NAMED = os.environ.get("SAUMA_TEST_PG_BIN")
BINARIES = Path(NAMED) if NAMED else None
PAGE = (pages.ROOT / "docs" / "backup-and-restore.md").read_text(encoding="utf-8")


@dataclass
class Lived:
    """A server that was used, its two backups, and what happened after them."""

    root: Path
    database: Database
    rows: dict[str, list[str]]
    shape: list[str]
    case: Case
    receipt: Receipt
    later: CaseQuery

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def dump(self) -> Path:
        return self.root / "sauma.dump"

    @property
    def base(self) -> Path:
        return self.root / "base"


def program(cluster: embedded.Cluster, name: str, *words: str) -> str:
    """One of PostgreSQL's programs as the superuser; the password is in its environment only."""
    environment = {
        "PGHOST": str(cluster.socket_directory),
        "PGUSER": "postgres",
        "PGPASSWORD": cluster.passwords["postgres"],
        "PATH": os.environ["PATH"],
    }
    command = [cluster._site.binaries / name, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape_of(database: Database) -> list[str]:
    """The schema as SQL, without what is not the same each time: pg_dump's token, and how often `and` is bracketed."""
    text = program(database.cluster, "pg_dump", "--schema-only", f"--dbname={database.name}")
    lines = (line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
    return [line.translate(dict.fromkeys(map(ord, "()"))) for line in lines]


def settings_of(database: Database, keys: Path) -> told.Settings:
    return told.from_environment({"SAUMA_HOME": str(keys), "SAUMA_DATABASE_URL": database.dsn("sauma_server")})


async def prohibit(scene: Scene, case: Case) -> None:
    """What the person said after the backup."""
    await scene.sql(
        "insert into exchange.prohibition (id, subject, kind)"
        " select gen_random_uuid(), subject, 'gdpr18-restriction' from exchange.record where id = $1",
        case.records["persons"],
    )


def outcome(body: bytes) -> str:
    return str(json.loads(body)["outcome"])


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    root = tmp_path_factory.mktemp("backup")
    with embedded.start(root / "first", binaries=BINARIES) as cluster:
        database = Database(cluster, "sauma")

        async def begin() -> None:
            await bootstrap(cluster)
            files = migrate.read(migrate.default_folder())
            await migrate.migrate(database.dsn("sauma_migrator"), migrations=files)

        async def use() -> tuple[Case, Receipt, dict[str, list[str]]]:
            async with open_scene(database, root / "keys") as scene:
                case = await scene.case()
                receipt = (await scene.disclose(case)).receipt
            return case, receipt, await rows_of(database)

        async def go_on(case: Case) -> CaseQuery:
            async with open_scene(database, root / "keys") as scene:
                later = scene.query(case)
                assert outcome((await disclose(scene.world, later)).body) == "disclosed"
                with pytest.raises(ProofReplayed):
                    await disclose(scene.world, later)
                await prohibit(scene, case)
                assert outcome((await scene.disclose(case)).body) == "nothing-disclosable"
            return later

        asyncio.run(begin())
        fitness.refuse_unfit(settings_of(database, root / "keys"))
        case, receipt, rows = asyncio.run(use())
        program(cluster, "pg_dump", "--format=custom", f"--file={root / 'sauma.dump'}", "--dbname=sauma")
        program(cluster, "pg_basebackup", "--checkpoint=fast", "--wal-method=stream", f"--pgdata={root / 'base'}")
        program(cluster, "pg_verifybackup", str(root / "base"))
        yield Lived(root, database, rows, shape_of(database), case, receipt, asyncio.run(go_on(case)))
    embedded.remove(root / "first")


def from_dump(lived: Lived, home: Path) -> embedded.Cluster:
    """A new server, prepared as for a first start; then the dump, as the page says."""
    cluster = embedded.start(home, binaries=BINARIES)
    asyncio.run(bootstrap(cluster))
    program(cluster, "pg_restore", "--exit-on-error", "--single-transaction", "--dbname=sauma", str(lived.dump))
    return cluster


def from_base(lived: Lived, home: Path) -> embedded.Cluster:
    """The whole server's files where the new server's would be; roles and passwords are among them."""
    home.mkdir(mode=0o700)
    site = settle(home, binaries=lived.database.cluster._site.binaries)
    shutil.copy(lived.root / "first" / "passwords.json", home / "passwords.json")
    shutil.copytree(lived.base, site.database, symlinks=True)
    for path in (site.database, *site.database.rglob("*")):
        os.chown(path, site.identity.uid, site.identity.gid, follow_symlinks=False)
    site.database.chmod(0o700)
    return embedded.start(home, binaries=BINARIES)


WAYS = {"a dump": from_dump, "a base backup": from_base}


@pytest.fixture(scope="module", params=WAYS)
def restored(
    request: pytest.FixtureRequest, lived: Lived, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    home = tmp_path_factory.mktemp("restored") / "home"
    with WAYS[request.param](lived, home) as cluster:
        yield Database(cluster, "sauma")
    embedded.remove(home)


def doctor(database: Database, keys: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, str]]:
    for name in cleared():
        monkeypatch.delenv(name)
    port = free_port()
    here = {"SAUMA_PORT": str(port), "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{port}", "SAUMA_HOME": str(keys)}
    for name, value in (here | {"SAUMA_DATABASE_URL": database.dsn("sauma_server")}).items():
        monkeypatch.setenv(name, value)
    said = call("doctor", "--json")
    checks = {check["check"]: check["state"] for check in json.loads(said.out)["checks"]}
    return said.code, {check: state for check, state in checks.items() if state != "ok"}


# in this order: the last tests add to the restored database


def test_every_row_and_every_object_is_as_it_was(restored: Database, lived: Lived) -> None:
    assert asyncio.run(rows_of(restored)) == lived.rows
    assert shape_of(restored) == lived.shape
    assert lived.rows["exchange.record"]
    assert any(rows for name, rows in lived.rows.items() if "entry_" in name)


def test_the_doctor_finds_nothing(restored: Database, lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor(restored, lived.keys, monkeypatch) == (0, {})


def test_the_doctor_finds_that_the_key_ring_is_another(
    restored: Database, lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("keyring", str(tmp_path / "keyring.json")).code == 0
    assert doctor(restored, tmp_path, monkeypatch)[1] == {"key ring fits": "wrong"}


def test_gate_and_triggers_are_in_force(restored: Database, lived: Lived) -> None:
    async def attempts() -> None:
        server = await asyncpg.connect(restored.dsn("sauma_server"))
        owner = await asyncpg.connect(restored.dsn("sauma_migrator"))
        superuser = await asyncpg.connect(restored.dsn("postgres"))
        try:
            receipt = lived.receipt
            [entry] = await superuser.fetch("select recorded_at from ledger.entry where id = $1", receipt.entry)
            subject = await superuser.fetchval("select subject from exchange.record limit 1")
            for statement in ("select * from ledger.entry", "select * from exchange.record_group"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await server.execute(statement)
            assert (await read(server, receipt.entry, entry["recorded_at"]))["status"] in {"stale", "handed-out"}
            assert (await read(server, uuid.uuid4(), entry["recorded_at"]))["status"] == "no-entry"
            with pytest.raises(asyncpg.PostgresError) as alone:
                await server.execute("select api.protect_subject($1, true, '', 'x')", subject)
            assert alone.value.sqlstate == "SA004"
            await owner.execute("set role sauma_owner")
            for connection in (owner, superuser):
                for statement in (
                    "update ledger.entry set kind = kind",
                    "delete from ledger.entry",
                    "truncate ledger.entry",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
                        await connection.execute(statement)
        finally:
            for connection in (server, owner, superuser):
                await connection.close()

    asyncio.run(attempts())


def test_it_serves_and_has_forgotten_what_came_after_the_backup(restored: Database, lived: Lived) -> None:
    """A proof used after the backup is fresh again, a prohibition made after it is unknown: hence the closed hour."""

    async def again() -> list[str]:
        async with open_scene(restored, lived.keys) as scene:
            answers = [await disclose(scene.world, lived.later), await scene.disclose(lived.case)]
            await prohibit(scene, lived.case)
            answers.append(await scene.disclose(lived.case))
            return [outcome(answer.body) for answer in answers]

    assert asyncio.run(again()) == ["disclosed", "disclosed", "nothing-disclosable"]


def test_the_page_names_the_programs_that_were_run_here() -> None:
    for words in (
        "pg_basebackup",
        "pg_verifybackup",
        "pg_dump --format=custom",
        "pg_restore --exit-on-error --single-transaction",
    ):
        assert words in PAGE
