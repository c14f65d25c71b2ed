"""The embedded PostgreSQL: closed, durable, shared, and gone without a trace; whoever starts it and wherever it lies."""

import asyncio
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator

import asyncpg
import pytest

from sauma.core.errors import StartRefused
from sauma.store import embedded, places, session

ROOT = pathlib.Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0
NAMED = os.environ.get("SAUMA_TEST_PG_BIN")
BINARIES = pathlib.Path(NAMED) if NAMED else None

STARTER = (
    "import pathlib, sys; from sauma.store import embedded;"
    "binaries = pathlib.Path(sys.argv[2]) if sys.argv[2:] else None;"
    "cluster = embedded.start(pathlib.Path(sys.argv[1]), binaries=binaries);"
    "print(cluster.socket_directory, flush=True); sys.stdin.read(); cluster.stop()"
)


def ask(dsn: str, statement: str, *arguments: object) -> object:
    async def once() -> object:
        async with session.connected(dsn) as connection:
            return await connection.fetchval(statement, *arguments)

    return asyncio.run(once())


def maintenance(cluster: embedded.Cluster) -> str:
    return cluster.dsn("postgres", "postgres")


def postmaster(cluster: embedded.Cluster) -> int:
    return int((cluster.database_directory / "postmaster.pid").read_text().splitlines()[0])


def modes(path: pathlib.Path) -> dict[str, tuple[int, int, int]]:
    found = {str(parent): parent.stat() for parent in path.parents}
    return {name: (stat.S_IMODE(of.st_mode), of.st_uid, of.st_gid) for name, of in found.items()}


@contextlib.contextmanager
def starter(home: pathlib.Path, **kwargs: object) -> Iterator[subprocess.Popen]:
    """Another process that holds the server of this home until its stdin closes; it is always waited for."""
    binaries = kwargs.pop("binaries", BINARIES)
    command = [kwargs.pop("python", sys.executable), "-c", STARTER, str(home), *([str(binaries)] if binaries else [])]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")} | kwargs.pop("extra", {})
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, **kwargs
    ) as process:
        yield process


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    place = tmp_path / ".sauma"
    yield place
    embedded.remove(place)


def test_only_a_password_over_a_private_socket_lets_in(cluster: embedded.Cluster) -> None:
    dsn = maintenance(cluster)
    methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
    assert ask(dsn, methods) == ["scram-sha-256"]
    assert ask(dsn, "SELECT current_setting('listen_addresses')") == ""
    assert ask(dsn, "SELECT current_setting('data_checksums')") == "on"
    socket = cluster.socket_directory / ".s.PGSQL.5432"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cluster.socket_directory, socket)] == [0o700, 0o700]
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(host=str(cluster.socket_directory), user="postgres", password="wrong"))


def test_what_was_acknowledged_is_on_disk(cluster: embedded.Cluster) -> None:
    found = asyncio.run(session.durability(maintenance(cluster)))
    assert (found.fsync, found.full_page_writes, found.synchronous_commit) == ("on", "on", "on")


LEAKS = {
    "a failed statement": "SELECT 1/0 /* marker */",
    "a rejected value": "SELECT 'marker'::integer",
    "a key that exists": "CREATE TEMP TABLE t (a text PRIMARY KEY); INSERT INTO t VALUES ('marker'), ('marker')",
    "a statement that is not one": "marker marker",
    "a raised error": "DO $$ BEGIN RAISE EXCEPTION 'marker'; END $$",
    "a raised warning, silenced": "SET client_min_messages = error; SELECT 'marker'",
}


@pytest.mark.parametrize("name", LEAKS)
def test_the_log_repeats_nothing_a_statement_said(name: str, cluster: embedded.Cluster) -> None:
    async def attempt() -> None:
        async with session.connected(maintenance(cluster)) as connection:
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute(LEAKS[name])
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.fetchval("SELECT ('x' || $1)::integer", "marker")

    asyncio.run(attempt())
    log = (cluster.home / "postgres.log").read_text()
    assert "database system is ready" in log
    assert "marker" not in log


def test_secrets_are_readable_by_their_owner_only(cluster: embedded.Cluster) -> None:
    for name in ("passwords.json", "postgres.log", "start.lock"):
        assert stat.S_IMODE((cluster.home / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(cluster.home.stat().st_mode) & 0o027 == 0
    assert len(set(cluster.passwords.values())) == 7
    assert not any(password in repr(cluster) for password in cluster.passwords.values())


def test_a_path_of_150_characters_with_spaces_and_umlauts_works_and_nothing_above_it_changes(
    tmp_path: pathlib.Path,
) -> None:
    closed = tmp_path / "kansio, jossa on välilyöntejä"
    closed.mkdir(mode=0o700)
    home = closed / ("x" * 150) / ".sauma"
    home.parent.mkdir(mode=0o711)
    accounts, before = pathlib.Path("/etc/passwd").read_bytes(), modes(home)
    with embedded.start(home, binaries=BINARIES) as cluster:
        assert ask(maintenance(cluster), "SELECT 1") == 1
        assert modes(home) == before
        private = cluster.socket_directory
        assert (private.parent, stat.S_IMODE(private.stat().st_mode)) in {(base, 0o700) for base in places._BASES}
    embedded.remove(home)
    assert modes(home) == before
    assert pathlib.Path("/etc/passwd").read_bytes() == accounts
    assert [path.exists() for path in (home, private)] == [False, False]


@pytest.fixture
def wheel(tmp_path: pathlib.Path) -> pathlib.Path:
    """The wheel's PostgreSQL below a folder that only its owner may enter."""
    original = places.find_binaries(BINARIES).parent
    if not list(original.glob("share/**/postgres.bki")):
        pytest.skip(f"PostgreSQL in {original} keeps its parts outside that folder and cannot be copied")
    copy = tmp_path / "closed" / original.parent.name / original.name
    copy.parent.mkdir(parents=True)
    shutil.copytree(original, copy, copy_function=link_or_copy, symlinks=True)
    libraries = original.parent.with_name(f"{original.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy.parent.with_name(libraries.name))
    (tmp_path / "closed").chmod(0o700)
    return copy


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes another user")
def test_processes_starting_at_once_below_a_closed_folder_share_one_copy(wheel: pathlib.Path) -> None:
    home = wheel.parents[1] / ".sauma"
    try:
        with contextlib.ExitStack() as stack:
            started = [stack.enter_context(starter(home, binaries=wheel / "bin")) for _ in range(3)]
            told = [process.stdout.readline() or process.stderr.read() for process in started]
            (private,) = {pathlib.Path(line.strip()) for line in told}
            (copy,) = private.glob("bin*")
            assert places._sizes(copy / wheel.parent.name / wheel.name) == places._sizes(wheel)
            for process in started:
                process.stdin.close()
                assert process.stderr.read() == ""
        (copy / wheel.parent.name / wheel.name / "bin" / "initdb").unlink()
        with embedded.start(home, binaries=wheel / "bin") as cluster:
            assert ask(maintenance(cluster), "SELECT 1") == 1
            assert places._sizes(copy / wheel.parent.name / wheel.name) == places._sizes(wheel)
    finally:
        embedded.remove(home)


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes another user")
def test_root_does_not_run_it_and_reads_the_wheel_for_those_who_cannot(
    wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    home = tmp_path / ".sauma"
    with embedded.start(home, binaries=wheel / "bin") as cluster:
        owner = pathlib.Path(f"/proc/{postmaster(cluster)}").stat().st_uid
        assert owner == places._identity().uid != 0
        assert ask(maintenance(cluster), "SELECT 1") == 1
        assert list(cluster.socket_directory.glob("bin-*"))
        assert stat.S_IMODE((tmp_path / "closed").stat().st_mode) == 0o700
        inodes = {path.stat().st_ino for path in cluster.socket_directory.glob("bin-*")}
    with embedded.start(home, binaries=wheel / "bin") as cluster:
        assert {path.stat().st_ino for path in cluster.socket_directory.glob("bin-*")} == inodes
    embedded.remove(home)


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes another user")
def test_an_ordinary_user_starts_it_too() -> None:
    ordinary = pwd.getpwnam("nobody")
    drop = {"user": ordinary.pw_uid, "group": ordinary.pw_gid, "extra_groups": [], "cwd": "/"}
    packages = sysconfig.get_path("purelib")
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    probe = [
        "-c",
        f"import sys; sys.path.append({packages!r}); sys.path.append({str(ROOT / 'src')!r}); import sauma.store.embedded",
    ]
    usable = (
        python
        for python in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}")
        if runs([python, *probe], **drop)
    )
    python = next(usable, None)
    if python is None:
        pytest.skip(f"no {minor} and packages that the user nobody may read")
    place = pathlib.Path(tempfile.mkdtemp(dir=places._BASES[-1]))
    try:
        os.chown(place, ordinary.pw_uid, ordinary.pw_gid)
        extra = {"PYTHONPATH": f"{ROOT / 'src'}:{packages}"}
        with starter(place / ".sauma", python=python, extra=extra, **drop) as process:
            private = pathlib.Path(process.stdout.readline().strip() or process.stderr.read())
            assert (private.stat().st_uid, stat.S_IMODE(private.stat().st_mode)) == (ordinary.pw_uid, 0o700)
            process.stdin.close()
            assert process.stderr.read() == ""
        assert process.returncode == 0
        shutil.rmtree(private)
    finally:
        shutil.rmtree(place)


def runs(command: list[str], **kwargs: object) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, **kwargs).returncode == 0
    except OSError:
        return False


def test_the_last_to_leave_stops_it(home: pathlib.Path) -> None:
    with starter(home) as other:
        other.stdout.readline()
        with embedded.start(home, binaries=BINARIES) as mine:
            mine.stop()
            assert ask(maintenance(mine), "SELECT 1") == 1
            again = embedded.start(home, binaries=BINARIES)
            assert ask(maintenance(again), "SELECT 1") == 1
            other.stdin.close()
            other.wait(timeout=30)
            assert ask(maintenance(again), "SELECT 1") == 1
            again.stop()
    assert other.returncode == 0
    with pytest.raises(StartRefused, match="no connection"):
        ask(maintenance(again), "SELECT 1")


def test_a_forked_worker_that_leaves_does_not_stop_it(cluster: embedded.Cluster) -> None:
    worker = os.fork()
    if worker == 0:
        cluster.stop()
        os._exit(0)
    os.waitpid(worker, 0)
    assert ask(maintenance(cluster), "SELECT 1") == 1


def test_processes_starting_at_once_share_one_server(home: pathlib.Path) -> None:
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(starter(home)) for _ in range(4)]
        told = {process.stdout.readline() for process in started}
        with embedded.start(home, binaries=BINARIES) as cluster:
            assert told == {f"{cluster.socket_directory}\n"}
            assert ask(maintenance(cluster), "SELECT 1") == 1
        for process in started:
            process.stdin.close()
            assert process.stderr.read() == ""


def test_a_killed_sauma_leaves_a_server_that_the_next_one_uses_and_stops(home: pathlib.Path) -> None:
    with starter(home) as killed:
        private = pathlib.Path(killed.stdout.readline().strip())
        killed.kill()
    (note,) = (path for path in (home / "pg/postmaster.pid", private / "pg/postmaster.pid") if path.exists())
    left = note.read_text().splitlines()[0]
    with embedded.start(home, binaries=BINARIES) as cluster:
        assert postmaster(cluster) == int(left)
        assert ask(maintenance(cluster), "SELECT 1") == 1
    with pytest.raises(StartRefused, match="no connection"):
        ask(maintenance(cluster), "SELECT 1")


def test_a_killed_server_starts_again_with_what_it_acknowledged(home: pathlib.Path) -> None:
    cluster = embedded.start(home, binaries=BINARIES)
    ask(maintenance(cluster), "CREATE TABLE kept (word text)")
    ask(maintenance(cluster), "INSERT INTO kept VALUES ('acknowledged')")
    os.kill(postmaster(cluster), signal.SIGKILL)
    with embedded.start(home, binaries=BINARIES) as again:
        assert ask(maintenance(again), "SELECT word FROM kept") == "acknowledged"
    cluster.stop()


def test_a_dead_server_that_nobody_reaped_is_not_taken_for_a_running_one(home: pathlib.Path) -> None:
    with embedded.start(home, binaries=BINARIES) as cluster:
        note = cluster.database_directory / "postmaster.pid"
        lines = note.read_text().splitlines()
    runs_as = places._identity()
    drop = {"user": runs_as.uid, "group": runs_as.gid, "extra_groups": []} if runs_as.drop else {}
    with subprocess.Popen(["/bin/sh", "-c", ":"], **drop) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        note.write_text("\n".join([str(zombie.pid), *lines[1:]]) + "\n")
        with embedded.start(home, binaries=BINARIES) as again:
            assert ask(maintenance(again), "SELECT 1") == 1


def test_an_interrupted_making_of_the_database_is_made_again(home: pathlib.Path) -> None:
    with embedded.start(home, binaries=BINARIES) as cluster:
        made = cluster.database_directory
    half = made.rename(made.with_name("pg.new"))
    (half / "PG_VERSION").unlink()
    with embedded.start(home, binaries=BINARIES) as cluster:
        assert ask(maintenance(cluster), "SELECT 1") == 1
        assert not half.exists()


def test_removing_ends_those_who_use_it(home: pathlib.Path) -> None:
    with starter(home) as other:
        private = pathlib.Path(other.stdout.readline().strip())
        embedded.remove(home)
    assert other.returncode == -signal.SIGTERM
    assert [path.exists() for path in (home, private)] == [False, False]


def lose_passwords(home: pathlib.Path) -> None:
    (home / "passwords.json").unlink()


def claim_other_major(home: pathlib.Path) -> None:
    found = [*home.glob("pg/PG_VERSION"), *(p / "pg" / "PG_VERSION" for p in places.private_directories(home))]
    next(path for path in found if path.exists()).write_text("12\n")


REFUSED = {
    "a database without its passwords": (lose_passwords, "passwords.json is not; fix: ./sauma clean"),
    "binaries of another major version": (claim_other_major, "made by PostgreSQL 12"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_the_fix(name: str, home: pathlib.Path) -> None:
    change, line = REFUSED[name]
    embedded.start(home, binaries=BINARIES).stop()
    change(home)
    with pytest.raises(StartRefused, match=line):
        embedded.start(home, binaries=BINARIES)


def test_a_path_a_shell_would_read_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StartRefused, match="move the folder"):
        places._refuse_unquotable(tmp_path / "$(touch marker)")


def test_binaries_named_wrongly_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StartRefused, match="SAUMA_PG_BIN"):
        embedded.start(tmp_path / ".sauma", binaries=tmp_path)
    assert not (tmp_path / ".sauma").exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root can own a directory for somebody else")
def test_a_home_of_somebody_else_is_refused(tmp_path: pathlib.Path) -> None:
    home = tmp_path / ".sauma"
    home.mkdir()
    os.chown(home, 12345, 12345)
    with pytest.raises(StartRefused, match="another user"):
        embedded.start(home, binaries=BINARIES)
    assert home.stat().st_uid == 12345
