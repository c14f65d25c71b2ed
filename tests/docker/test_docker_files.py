"""The container files, as far as they can be tried without an engine: read, judged by rule, and their commands run.

Not run here: the image build, and the services as containers. The steps that need no engine are run as they stand: the
bootstrap script, the migrator's and the server's settings, the health check, the layout the image copies together.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.ground import cleared, free_port
from sauma import settings
from sauma.cli import VERSION
from sauma.store import embedded
from sauma.store.bootstrap import script
from sauma.store.places import find_binaries

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if str(service["image"]).startswith("sauma:")}


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions: word and rest, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


DOCKERFILE = instructions((DOCKER / "Dockerfile").read_text(encoding="utf-8"))


def of(word: str) -> list[str]:
    return [rest for found, rest in DOCKERFILE if found == word]


# --------------------------------------------------------------------------- Dockerfile


def test_every_image_is_pinned_by_a_full_version() -> None:
    images = [rest.split()[0] for rest in of("FROM")] + [service["image"] for service in SERVICES.values()]
    assert [
        image for image in images if not re.fullmatch(r"(python|postgres|sauma):[0-9]+(\.[0-9]+)+(-[a-z-]+)?", image)
    ] == []
    assert {service["image"] for name, service in SERVICES.items() if name in OURS} == {f"sauma:{VERSION}"}


def test_what_is_installed_is_named_by_hash_and_nothing_else_is_fetched() -> None:
    runs = " && ".join(of("RUN"))
    installs = re.findall(r"pip [^&]*?\binstall\b[^&]*", runs)
    assert len(installs) == 1
    for flag in ("--require-hashes", "--no-deps", "--only-binary :all:", "--requirement /build/requirements.lock"):
        assert flag in installs[0]
    assert re.findall(r"\b(curl|wget|apt-get|apk|git|npm)\b", runs) == []
    assert of("ADD") == []
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert lock.count("\n    --hash=sha256:") > len(re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)) > 10


def test_the_account_is_a_number_and_not_root_and_the_commands_are_lists() -> None:
    assert [re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user) is not None for user in of("USER")] == [True]
    words = [word for word, _ in DOCKERFILE]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word in {"RUN", "COPY"})
    assert json.loads(of("ENTRYPOINT")[0])[-2:] == ["-m", "sauma"]
    assert json.loads(of("CMD")[0]) == ["serve"]


def test_the_image_gets_what_is_copied_and_the_context_holds_nothing_else() -> None:
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    ]
    sources = [rest.split()[0] for rest in of("COPY") if not rest.startswith("--from")]
    assert sorted(sources) == sorted(allowed)
    assert all((ROOT / source).exists() for source in sources)


def test_every_setting_named_is_one() -> None:
    environment = [name for rest in of("ENV") for name in re.findall(r"(SAUMA_[A-Z_]+)=", rest)]
    named = set(environment) | {
        key for s in SERVICES.values() for key in s.get("environment", {}) if key.startswith("SAUMA_")
    }
    named |= set(re.findall(r"SAUMA_[A-Z_]+", (DOCKER / "README.md").read_text(encoding="utf-8")))
    assert named
    assert named <= settings.FIXES.keys()


def test_what_the_image_copies_together_runs(tmp_path: Path) -> None:
    for rest in of("COPY"):
        *_, source, target = rest.split()
        if target.startswith("/app/"):
            shutil.copytree(
                ROOT / source, tmp_path / target.removeprefix("/"), ignore=shutil.ignore_patterns("__pycache__")
            )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "app"),
        "SAUMA_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, *json.loads(of("ENTRYPOINT")[0])[1:]]

    def run(*words: str) -> str:
        done = subprocess.run(
            [*command, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert run("version") == f"sauma {VERSION}\n"
    assert run("migrate", "--print-bootstrap") == script()
    where = "from sauma.store import migrate; print(migrate.default_folder())"
    found = subprocess.run(
        [sys.executable, "-P", "-c", where], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(tmp_path / "app" / "sauma" / "migrations")


class Live(BaseHTTPRequestHandler):
    """Answers one path, with the status its class says."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Ill(Live):
    status = 503


@pytest.mark.parametrize(("answer", "code"), [(Live, 0), (Ill, 1), (None, 1)], ids=["live", "ill", "gone"])
def test_the_health_check_says_what_the_server_says(answer: type[Live] | None, code: int) -> None:
    command = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    with HTTPServer(("127.0.0.1", 0), answer or Live) as server:
        port = server.server_address[1] if answer else free_port()
        threading.Thread(target=server.handle_request, daemon=True).start() if answer else None
        done = subprocess.run(
            [sys.executable, *command[1:]], env={"SAUMA_PORT": str(port)}, capture_output=True, check=False
        )
    assert done.returncode == code


# --------------------------------------------------------------------------- compose.yaml


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_as_little_as_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert not service.keys() & {"privileged", "pid", "ipc", "devices", "volumes_from"}
    if name == "database":  # its entry point gives the directory to postgres, and becomes it
        assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    else:
        assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", service["user"])
        assert "cap_add" not in service
    assert [volume for volume in service.get("volumes", []) if "docker.sock" in volume] == []


def test_only_the_api_has_a_network_and_it_is_published_on_loopback_alone() -> None:
    assert {name for name, service in SERVICES.items() if service.get("network_mode") != "none"} == {"sauma"}
    assert SERVICES["sauma"]["ports"] == ["127.0.0.1:8000:8000"]
    assert SERVICES["sauma"]["environment"]["SAUMA_METRICS_PORT"] not in "".join(SERVICES["sauma"]["ports"])


def test_no_secret_stands_in_clear_and_each_is_mounted_only_where_it_is_read() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"postgresql://[^@/]*:[^@]*@", text) == []
    assert re.findall(r"(?i)\b(password|secret|token)\w*[ \t]*[:=][ \t]*[^\s/\[{]", text) == []
    assert all(
        list(secret) == ["file"] and secret["file"].startswith("secrets/") for secret in COMPOSE["secrets"].values()
    )
    mounted = {name: set(service.get("secrets", [])) for name, service in SERVICES.items()}
    assert mounted["sauma"] == {"server_pgpass", "keyring"}
    assert mounted["migrate"] == {"migrator_pgpass"}
    assert {name for name, secrets in mounted.items() if "keyring" in secrets} == {"sauma"}
    assert set().union(*mounted.values()) == COMPOSE["secrets"].keys()
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_they_start_in_an_order_that_ends() -> None:
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    assert waits["sauma"]["migrate"]["condition"] == "service_completed_successfully"
    assert waits["migrate"]["bootstrap"]["condition"] == "service_completed_successfully"
    assert waits["bootstrap"]["database"]["condition"] == "service_healthy"
    done: set[str] = set()
    while waits:
        ready = {name for name, needs in waits.items() if needs.keys() <= done}
        assert ready, waits
        done |= ready
        waits = {name: needs for name, needs in waits.items() if name not in ready}


def test_the_database_log_repeats_nothing() -> None:
    said = dict(option.removeprefix("-c").split("=", 1) for option in SERVICES["database"]["command"][1:])
    ours = embedded._OPTIONS
    assert {name: value for name, value in said.items() if name != "listen_addresses"}.items() <= ours.items()
    assert {name for name in ours if name.startswith("log_")} - said.keys() == {
        "log_min_duration_statement"
    }  # off by default
    assert (
        "--auth-local=scram-sha-256 --auth-host=scram-sha-256"
        in SERVICES["database"]["environment"]["POSTGRES_INITDB_ARGS"]
    )


# --------------------------------------------------------------------------- what compose.yaml starts, in its order


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """A PostgreSQL that nobody prepared, as the image makes it."""
    home = tmp_path_factory.mktemp("compose") / "pg"
    with embedded.start(home) as cluster:
        yield cluster
    embedded.remove(home)


def environment_of(name: str, secrets: Path, cluster: embedded.Cluster) -> dict[str, str]:
    """A service's settings with its mounts where they are here."""
    found = {}
    for key, value in SERVICES[name].get("environment", {}).items():
        text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))
        text = re.sub(r"\$\{SAUMA_PUBLIC_URL:\?[^}]*\}", "https://sauma.example", text)
        text = text.replace("/run/secrets", str(secrets)).replace("/var/run/postgresql", str(cluster.socket_directory))
        found[key] = text
    return found


def test_from_an_empty_postgresql_to_a_server_that_may_start(bare: embedded.Cluster, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    account = f"{os.geteuid()}:{os.getegid()}"
    subprocess.run([DOCKER / "secrets.sh", secrets, account], check=True)
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
    assert {*COMPOSE["secrets"]} - {path.name for path in secrets.iterdir()} == {"keyring"}
    (secrets / "postgres_password").write_text(bare.passwords["postgres"])
    base = {name: value for name, value in os.environ.items() if name not in cleared()}
    base |= {"PYTHONPATH": str(ROOT / "src"), "SAUMA_HOME": str(tmp_path / "home")}

    def sauma(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "sauma", *words]
        return subprocess.run(command, env=base | environment, capture_output=True, text=True, check=False)

    printed = tmp_path / "bootstrap.sql"
    printed.write_text(sauma("migrate", "--print-bootstrap").stdout)
    psql = {"PATH": f"{find_binaries()}:{base['PATH']}", "SECRETS": str(secrets), "SCRIPT": str(printed)}
    psql["PGHOST"] = str(bare.socket_directory)
    for _ in range(2):  # again is harmless
        done = subprocess.run(
            [DOCKER / "bootstrap.sh"], env=psql, capture_output=True, text=True, check=False, start_new_session=True
        )
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr
    migrated = sauma("migrate", **environment_of("migrate", secrets, bare))
    assert migrated.returncode == 0, migrated.stderr
    made = sauma("keyring", str(secrets / "keyring"))
    assert made.returncode == 0, made.stderr
    again = sauma("keyring", str(secrets / "keyring"))
    assert (again.returncode, again.stderr.count("\n")) == (78, 1)
    looked = sauma("doctor", "--json", **environment_of("sauma", secrets, bare), SAUMA_PORT=str(free_port()))
    states = {check["check"]: check["state"] for check in json.loads(looked.stdout)["checks"]}
    others = {"account": "warn"} if os.geteuid() == 0 else {}
    later = {"partitions": "warn", "registrars": "warn"}  # the first start, and two persons, are still to come
    assert {check: state for check, state in states.items() if state != "ok"} == later | others, looked.stdout
    assert looked.returncode == 0
    words = [path.read_text().strip().rpartition(":")[2] for path in secrets.iterdir() if path.name != "keyring"]
    assert [word for word in words if word in migrated.stderr + looked.stdout + looked.stderr] == []


def test_the_scripts_are_posix_and_stop_at_the_first_fault() -> None:
    for name in ("bootstrap.sh", "secrets.sh"):
        text = (DOCKER / name).read_text(encoding="utf-8")
        assert text.startswith("#!/bin/sh\n")
        assert re.search(r"^set -eu$", text, re.MULTILINE)
        assert os.access(DOCKER / name, os.X_OK)
        subprocess.run(["/bin/sh", "-n", DOCKER / name], check=True)
