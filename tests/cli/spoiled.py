"""One thing made wrong on right ground: each function gives, or is, what spoils it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from cli.ground import Ground

MARKER = "geheimnis"
"""Stands in every value that must not be repeated."""


Spoil = Callable[[Ground], object]


def env(**values: str) -> Spoil:
    return lambda ground: ground.environment.update(values)


def on_database(*statements: str) -> Spoil:
    return lambda ground: ground.sql(ground.database(), *statements)


def told(setting: str, value: str) -> Spoil:
    return lambda ground: ground.told(ground.database(), setting, value)


def shadowed(signature: str, body: str) -> Spoil:
    return lambda ground: ground.shadow(ground.database(), signature, body)


def ring(change: Callable[[Path], object]) -> Spoil:
    def spoil(ground: Ground) -> None:
        ground.database()
        change(ground.home / "keyring.json")

    return spoil


def issuer(change: Callable[[Path], object]) -> Spoil:
    def spoil(ground: Ground) -> None:
        ground.database()
        change(ground.home / "issuer-keys.json")

    return spoil


def rewritten(**members: object) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | members))

    return change


def without_a_purpose(path: Path) -> None:
    keys = json.loads(path.read_text())["keys"]
    rewritten(keys=[key for key in keys if key["purpose"] != "tag"])(path)


def linked(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def of_another_database(path: Path) -> None:
    ring = json.loads(path.read_text())
    rewritten(keys=[key | {"material": key["material"][::-1].lstrip("=") + "="} for key in ring["keys"]])(path)


def public_half(path: Path) -> None:
    keys = json.loads(path.read_text())["keys"]
    rewritten(keys=[key | {"jwk": {n: v for n, v in key["jwk"].items() if n != "d"}} for key in keys])(path)


def from_before(path: Path) -> None:
    """An issuer key as an earlier version left it, and no ring yet."""
    path.unlink()
    path.with_name("issuer.jwk").write_text(MARKER)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def role(name: str, *statements: str) -> Spoil:
    def spoil(ground: Ground) -> None:
        database = ground.database()
        ground.sql(database, *statements)
        ground.environment["SAUMA_DATABASE_URL"] = database.dsn(name)

    return spoil


def address(change: Callable[[str], str]) -> Spoil:
    def spoil(ground: Ground) -> None:
        ground.database()
        ground.environment["SAUMA_DATABASE_URL"] = change(ground.environment["SAUMA_DATABASE_URL"])

    return spoil


def other_password(dsn: str) -> str:
    head, _, tail = dsn.rpartition("@")
    return f"{head.rpartition(':')[0]}:{MARKER}@{tail}"


def loose_passfile(ground: Ground) -> None:
    database = ground.database()
    path = ground.root / "pgpass"
    path.write_text(f"*:*:*:*:{MARKER}\n")
    path.chmod(0o644)
    host = quote(str(database.cluster.socket_directory))
    ground.environment["SAUMA_DATABASE_URL"] = (
        f"postgresql://sauma_server@/{database.name}?host={host}&passfile={quote(str(path))}"
    )


def never_migrated(ground: Ground) -> None:
    ground.template = "template1"
    ground.database()


def migrating(*statements: str, role: str = "sauma_migrator") -> Spoil:
    def spoil(ground: Ground) -> None:
        database = ground.empty()
        ground.sql(database, *statements)
        ground.environment["SAUMA_MIGRATE_DATABASE_URL"] = database.dsn(role)

    return spoil


def production(ground: Ground, **values: str) -> None:
    database = ground.database()
    ground.environment |= {
        "SAUMA_ENV": "production",
        "SAUMA_MIGRATE_DATABASE_URL": database.dsn("sauma_migrator"),
        "SAUMA_KEYRING": str(ground.home / "keyring.json"),
        "SAUMA_PUBLIC_URL": "https://sauma.example",
        **values,
    }


def far_in_production(ground: Ground) -> None:
    production(ground)
    database = ground.database()
    ground.shadow(database, "inet_server_addr() returns inet", "select '192.0.2.7'::inet")


def embedded(change: Callable[[Path], object]) -> Spoil:
    """A home of an embedded database, made anew and spoiled before PostgreSQL is started in it."""

    def spoil(ground: Ground) -> None:
        shutil.rmtree(ground.home)
        ground.home.mkdir(mode=0o700)
        change(ground.home)

    return spoil


def half_passwords(home: Path) -> None:
    (home / "passwords.json").write_text('{"postgres": "x"}')


def no_passwords(home: Path) -> None:
    (home / "pg").mkdir()
    (home / "pg" / "PG_VERSION").write_text("18\n")


def of_version_9(home: Path) -> None:
    roles = ("postgres", "sauma_migrator", "sauma_server", "sauma_auditor", "sauma_sequencer")
    (home / "passwords.json").write_text(json.dumps(dict.fromkeys(roles, MARKER)))
    no_passwords(home)
    (home / "pg" / "PG_VERSION").write_text("9\n")


def trusted(**changes: object) -> Spoil:
    """A file of trusted issuers with a sound row, changed."""

    def spoil(ground: Ground) -> None:
        ground.database()
        row = {
            "issuer": "https://login.example",
            "jwksUri": "https://login.example/keys",
            "clients": {MARKER: {"client": MARKER, "organisation": "0246246-0"}},
            "scopes": ["case:read"],
        }
        path = ground.root / "issuers.json"
        path.write_text(json.dumps([{name: said for name, said in (row | changes).items() if said is not None}]))
        ground.environment["SAUMA_TRUSTED_ISSUERS"] = str(path)

    return spoil


def programs_that_fail(ground: Ground) -> None:
    folder = ground.root / "bin"
    folder.mkdir()
    for name in ("initdb", "postgres", "pg_ctl"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    embedded(lambda _: None)(ground)
    ground.environment["SAUMA_PG_BIN"] = str(folder)


def on_another_port(ground: Ground) -> None:
    ground.database()
    ground.environment["SAUMA_HOST"] = "192.0.2.7"
