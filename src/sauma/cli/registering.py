"""`sauma clients`: an act of a registrar, from what was typed to the entry that says it was done."""

import argparse
import asyncio
import contextlib
import sys
import uuid
from collections.abc import Iterator, Mapping
from secrets import token_bytes  # noqa: TID251  # this command is a composition root: ids and salts of its entries

import msgspec

from sauma import app
from sauma import settings as told
from sauma.catalogue.loader import load
from sauma.cli import checked, fitness
from sauma.cli.acts import Planned, Register, plan, rows_of
from sauma.cli.database import resolved
from sauma.core.canonical import JsonValue
from sauma.core.errors import StartRefused
from sauma.exchange.record import Desk, compose_act
from sauma.settings import EX_CONFIG, TO_REGISTER, Environment, Settings
from sauma.store import migrate
from sauma.store.embedded import OPERATORS
from sauma.store.registrar import Noted, Registrar, Step, registrar_at
from sauma.store.registrar.refusals import REGISTRAR
from sauma.vault.gateway import VaultGateway
from sauma.vault.local import LocalVault


def clients(chosen: argparse.Namespace) -> int:
    """Do what was asked, and say what stands now.

    Raises:
        StartRefused: exit 1, a rule refuses it; exit 4, 69 or 78, the database or the settings.
    """
    with _database(chosen) as (settings, dsn):
        _refuse_when_behind(dsn)
        if chosen.act == "list":
            register = asyncio.run(_look(dsn))
            return _list({"proposals": register["proposals"]} if chosen.waiting else register, json=chosen.json)
        desk, checks = _desk(settings)
        done = asyncio.run(_do(dsn, chosen, desk, checks))
    return _say(done, json=chosen.json)


@contextlib.contextmanager
def _database(chosen: argparse.Namespace) -> Iterator[tuple[Settings, str]]:
    """The settings and the registrar's own address: named, or one of the embedded server's two."""
    settings = told.read(needed=TO_REGISTER)
    if settings.registrar_database_url is not None:
        if chosen.person is not None:
            raise checked.refused("--as", f"for the embedded database, and {REGISTRAR} is set", "leave it out")
        yield settings, settings.registrar_database_url
        return
    if settings.database_url is not None or settings.environment is Environment.PRODUCTION:
        raise _unnamed()
    person = "1" if chosen.person is None and chosen.act == "list" else chosen.person
    if person not in {"1", "2"}:
        raise checked.refused("--as", "which of the two registrars acts is not said", "--as 1 or --as 2")
    with resolved(settings, quiet=True) as (found, cluster):
        if cluster is None:
            raise _unnamed()
        yield found, cluster.dsn(OPERATORS[int(person) - 1])


def _unnamed() -> StartRefused:
    line = f"{REGISTRAR}: missing, and the database is not the embedded one; fix: set it to your own login's"
    return StartRefused(line, exit_code=EX_CONFIG)


def _refuse_when_behind(dsn: str) -> None:
    left = asyncio.run(migrate.pending(dsn, migrations=migrate.read(migrate.default_folder()), key=REGISTRAR))
    if left:
        line = f"schema: {len(left)} migrations are pending; fix: sauma migrate, or start ./sauma once"
        raise StartRefused(line, exit_code=migrate.EX_BEHIND)


def _desk(settings: Settings) -> tuple[Desk, tuple[tuple[str, int, bytes], ...]]:
    ring = app.open_keyring(settings)
    vault = VaultGateway(LocalVault(ring, random=token_bytes))
    return Desk(vault=vault, catalogue=load().digest, clock=app.now, entropy=token_bytes), fitness.ring_checks(ring)


async def _look(dsn: str) -> Register:
    async with registrar_at(dsn, new_id=app.new_id) as registrar:
        return await registrar.register()


async def _do(
    dsn: str, chosen: argparse.Namespace, desk: Desk, checks: tuple[tuple[str, int, bytes], ...]
) -> list[tuple[Planned, Noted]]:
    async with registrar_at(dsn, new_id=app.new_id) as registrar:
        await _refuse_another_ring(registrar, checks)
        planned = plan(chosen, await registrar.register())
        steps = [_step(one, desk, registrar.operator) for one in planned]
        noted = await registrar.perform(steps, at=app.now(), start=app.new_id())
    return list(zip(planned, noted, strict=True))


async def _refuse_another_ring(registrar: Registrar, checks: tuple[tuple[str, int, bytes], ...]) -> None:
    if await registrar.of_another_ring(checks):
        line = "SAUMA_KEYRING: not the key ring of this database: nobody could open the entry; fix: name the server's"
        raise StartRefused(line, exit_code=EX_CONFIG)


def _step(planned: Planned, desk: Desk, operator: str) -> Step:
    _, build = compose_act(desk, planned.act, operator=operator)
    return Step(statement=planned.statement, values=planned.values, build=build)


# -- what is said


def _say(done: list[tuple[Planned, Noted]], *, json: bool) -> int:
    rows = [
        {
            "act": planned.act.decision,
            "organisation": planned.act.organisation,
            "client": planned.act.client,
            "proposal": str(noted.entry) if planned.statement == "propose" else _text(planned.act.refers),
            "entry": str(noted.entry),
            "leafHash": f"sha-256={noted.leaf_hash.hex()}",
            **planned.told,
        }
        for planned, noted in done
    ]
    if json:
        sys.stdout.write(msgspec.json.encode({"acts": rows}).decode() + "\n")
        return 0
    for row, (planned, _) in zip(rows, done, strict=True):
        then = f"; another registrar: sauma clients approve {row['proposal']}"
        waits = str(row["act"]).endswith("-proposed")
        told = "".join(f"; {_TOLD[name]} {', '.join(known) or 'nobody'}" for name, known in planned.told.items())
        who = row["client"] or row["organisation"]
        sys.stdout.write(f"{row['act']} {who}, entry {row['entry']}{told}{then * waits}\n")
    return 0


_TOLD = {
    "kids": "kid",
    "actsFor": "of a supplier; has delegations of",
    "systems": "for every system of the supplier, today",
}


def _text(named: uuid.UUID | None) -> str | None:
    return None if named is None else str(named)


def _list(register: Register, *, json: bool) -> int:
    if json:
        sys.stdout.write(msgspec.json.encode(register).decode() + "\n")
        return 0
    for name, word in _SECTIONS.items():
        for row in rows_of(register, name) if name in register else ():
            sys.stdout.write(f"{word:12} {_line(row)}\n")
    return 0


_SECTIONS = {
    "organisations": "organisation",
    "clients": "system",
    "delegations": "delegation",
    "providers": "provider",
    "auditGrants": "audit",
    "proposals": "proposal",
}


def _line(row: Mapping[str, JsonValue]) -> str:
    """A row in words: what identifies it first, the rest by name, nothing that is not there."""
    plain = [str(row[name]) for name in ("id", "act", "organisation", "supplier", "kind", "state") if name in row]
    others = {n: v for n, v in row.items() if n not in {"id", "act", "organisation", "supplier", "kind", "state"}}
    return "  ".join([*plain, *(f"{n}={_value(v)}" for n, v in others.items() if v not in (None, [], {}))])


def _value(value: JsonValue) -> str:
    """Lists as words, a key by its kid: `--json` says the rest."""
    match value:
        case str():
            return value
        case list():
            return ",".join(map(_value, value))
        case {"kid": str(kid), "active": False}:
            return f"{kid} (removed)"
        case {"kid": str(kid)}:
            return kid
        case dict():
            return " ".join(f"{n}:{_value(v)}" for n, v in value.items() if v not in (None, False, [], {}))
        case _:
            return msgspec.json.encode(value).decode()
