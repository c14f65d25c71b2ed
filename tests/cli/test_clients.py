"""`sauma clients`: two registrars with a login each; one line for every rule; nothing typed is ever repeated."""

import asyncio
import contextlib
import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from asks import ORGANISATIONS, PIRHA, VARHA, VENDOR
from cli.ground import Ground, Said, call
from databases import Database
from docs import pages
from sauma import cli
from sauma.core.evidence import base64url, unbase64url
from sauma.core.parties import OrganisationKind
from sauma.core.purposes import Text
from sauma.store import embedded
from sauma.store.enrol import EnrolledGrant, EnrolledOrganisation, Enrolment, enrol
from sauma.vault.gateway import VaultGateway
from sauma.vault.keyring import load_keyring
from sauma.vault.local import LocalVault

HETU = "010594Y9032"
TYPED = "geheimnis"
"""Stands in what is typed wrongly."""
KNOWN = "a key of it is, or was, a system's or a provider's already"
ISSUER = "https://idp.example"
SCOPES = ("case:read", "matter:write", "record:write", "ledger:read")


@dataclass
class Desk:
    """A migrated database with organisations in it, and the two registrars' logins to it."""

    ground: Ground
    database: Database
    monkeypatch: pytest.MonkeyPatch
    files: Iterator[str] = field(default_factory=lambda: (f"key-{n}.json" for n in range(1000)))

    def run(self, words: str, *more: str, by: int = 1) -> Said:
        """One command of one of the two, in this process."""
        self.monkeypatch.setenv("SAUMA_REGISTRAR_DATABASE_URL", self.database.dsn(f"sauma_registrar_{by}"))
        return call("clients", *words.split(), *more)

    def done(self, words: str, *more: str, by: int = 1) -> list[dict[str, Any]]:
        """What it did, as JSON."""
        said = self.run(words, *more, "--json", by=by)
        assert said.code == 0, said.err
        acts: list[dict[str, Any]] = json.loads(said.out)["acts"]
        return acts

    def both(self, words: str, *more: str) -> str:
        """Proposed by one and approved by the other; the proposal's id."""
        [act] = self.done(words, *more)
        self.done(f"approve {act['proposal']}", by=2)
        return str(act["proposal"])

    def line(self, words: str, *more: str, by: int = 1, code: int = 1) -> str:
        """The one line of a refusal; what was typed is not in it."""
        said = self.run(words, *more, by=by)
        assert (said.code, said.out) == (code, ""), said
        lines = said.err.splitlines()
        assert len(lines) == 1, said.err
        assert "; fix: " in lines[0]
        assert not {TYPED, HETU} & set(re.split("[^A-Za-z0-9]", lines[0]))
        return lines[0]

    def key(self, made: Any = None, **members: object) -> str:
        """A file with a public key, as a system's owner would send it."""
        made = made or ECKey.generate_key("P-256").as_dict(private=False)
        path = self.ground.root / next(self.files)
        path.write_text(json.dumps({k: v for k, v in (made | members).items() if k != "kid" or "kid" in members}))
        return str(path)

    def add(self, client: str, *more: str, organisation: str = PIRHA, scopes: tuple[str, ...] = SCOPES) -> str:
        """An active system; its id."""
        scoped = [word for scope in scopes for word in ("--scope", scope)]
        keys = () if "--jwks-uri" in more else ("--jwks", self.key())
        self.both(f"add {client} --organisation {organisation}", *scoped, *keys, *more)
        return client

    def stands(self) -> dict[str, Any]:
        said = self.run("list --json")
        assert said.code == 0, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    def system(self, client: str) -> dict[str, Any]:
        return next(row for row in self.stands()["clients"] if row["id"] == client)

    def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database.dsn("postgres"))
            try:
                return await connection.fetch(statement, *values)
            finally:
                await connection.close()

        return asyncio.run(run())

    def mandate(self, client: str, organisation: str = PIRHA) -> asyncpg.Record:
        [row] = self.sql("select * from registry.mandate where client = $1 and organisation = $2", client, organisation)
        return row


@pytest.fixture(scope="module")
def desks(new_database: Callable[..., Database], lived_in: Path) -> Iterator[Database]:
    """One database for the module: each test uses systems of its own."""
    database = new_database("template_lived_in")
    enrolment = Enrolment(
        organisations=tuple(
            EnrolledOrganisation(id=o, kind=kind, name=Text(fi=o, sv=o, en=o)) for o, (kind, _) in ORGANISATIONS.items()
        ),
        clients=(),
        keys=(),
        agreements=(),
        decoys=(),
        grants=(EnrolledGrant(organisation=PIRHA, scopes=SCOPES),),
    )
    asyncio.run(enrol(database.dsn("sauma_migrator"), enrolment))
    yield database
    with contextlib.suppress(asyncpg.PostgresError):
        Ground(root=Path(), make=new_database, made=[database]).drop()


@pytest.fixture
def desk(desks: Database, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    return Desk(ground, desks, monkeypatch)


def name() -> str:
    return f"system-{uuid.uuid4().hex[:8]}"


# -- two persons


def test_a_system_is_proposed_by_one_and_approved_by_another(desk: Desk) -> None:
    client = name()
    [act] = desk.done(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    assert (act["act"], act["proposal"]) == ("client-proposed", act["entry"])
    assert (desk.system(client)["state"], desk.mandate(client)["stands"]) == ("proposed", False)
    assert "its proposer may not approve it" in desk.line(f"approve {act['proposal']}", by=1)
    assert desk.system(client)["state"] == "proposed"
    [approved] = desk.done(f"approve {act['proposal']}", by=2)
    assert approved["act"] == "client-approved"
    mandate = desk.mandate(client)
    assert (desk.system(client)["state"], mandate["stands"], mandate["scopes"]) == ("active", True, ["case:read"])
    assert "no open one" in desk.line(f"approve {act['proposal']}", by=2)


WIDENING: dict[str, Callable[[Desk, str], list[str]]] = {
    "add": lambda desk, _: [f"add {name()} --organisation {PIRHA} --scope case:read --jwks", desk.key()],
    "resume": lambda desk, client: [f"resume {client}"] if desk.done(f"suspend {client}") else [],
    "keys add": lambda desk, client: [f"keys add {client} --jwks", desk.key()],
    "grant": lambda _, __: [f"grant {PIRHA}", *(w for s in SCOPES for w in ("--scope", s))],
    "delegate": lambda _, __: [f"delegate {PIRHA} {VENDOR} --scope case:read"],
    "providers add": lambda desk, _: [
        f"providers add {PIRHA} --issuer https://idp.example/{name()} --jwks",
        desk.key(),
    ],
    "grant-audit": lambda _, c: [f"grant-audit {c} --dossier D-{name()} --organisation {PIRHA} --until 2026-12-01"],
}


@pytest.mark.parametrize("act", WIDENING)
def test_whatever_gives_access_takes_two(desk: Desk, act: str) -> None:
    words, *more = WIDENING[act](desk, desk.add(name()))
    words = words.replace("2026-12-01", _next_month(desk))
    [proposed] = desk.done(words, *more)
    assert proposed["act"].endswith("-proposed")
    assert "its proposer may not approve it" in desk.line(f"approve {proposed['proposal']}", by=1)
    [approved] = desk.done(f"approve {proposed['proposal']}", by=2)
    assert approved["act"].endswith("-approved")


def _next_month(desk: Desk) -> str:
    [row] = desk.sql("select to_char(clock_timestamp() + interval '30 days', 'YYYY-MM-DD') as day")
    return str(row["day"])


def test_several_are_approved_together_or_not_at_all(desk: Desk) -> None:
    mine, other, key = name(), name(), desk.key()
    [first] = desk.done(f"add {mine} --organisation {PIRHA} --scope case:read --jwks", key)
    [second] = desk.done(f"add {other} --organisation {PIRHA} --scope case:read --jwks", desk.key(), by=2)
    both = f"approve {first['proposal']} {second['proposal']}"
    assert "its proposer may not approve it" in desk.line(both, by=2)
    assert {desk.system(c)["state"] for c in (mine, other)} == {"proposed"}
    [third] = desk.done(f"keys add {desk.add(name())} --jwks", desk.key())
    acts = desk.done(f"approve {first['proposal']} {third['proposal']}", by=2)
    assert [act["act"] for act in acts] == ["client-approved", "client-key-approved"]


def test_a_proposal_is_withdrawn_by_one_and_its_id_is_gone(desk: Desk) -> None:
    client = name()
    [act] = desk.done(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    [withdrawn] = desk.done(f"withdraw {act['proposal']}", by=1)
    assert (withdrawn["act"], desk.system(client)["state"]) == ("client-withdrawn", "retired")
    assert "no open one" in desk.line(f"approve {act['proposal']}", by=2)
    assert "ids are used once" in desk.line(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key())


def test_a_proposal_older_than_thirty_days_is_not_approved(desk: Desk) -> None:
    [act] = desk.done(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    older = "update registry.proposal set proposed_at = clock_timestamp() - interval '31 days' where id = $1"
    desk.sql(older, uuid.UUID(act["proposal"]))
    assert "30 days" in desk.line(f"approve {act['proposal']}", by=2)


# -- one person


def test_suspending_takes_one_and_resuming_two(desk: Desk) -> None:
    client = desk.add(name())
    before = desk.mandate(client)["version"]
    desk.done(f"suspend {client}", by=2)
    mandate = desk.mandate(client)
    assert (desk.system(client)["state"], mandate["stands"]) == ("suspended", False)
    assert mandate["version"] > before
    assert "it is suspended, not active" in desk.line(f"suspend {client}")
    desk.both(f"resume {client}")
    assert desk.mandate(client)["stands"]
    assert "it is active, not suspended" in desk.line(f"resume {client}")


def test_a_removed_key_ends_what_was_given_and_never_comes_back(desk: Desk) -> None:
    client, key = desk.add(name()), desk.key()
    desk.both(f"keys add {client} --jwks", key)
    kids = {row["kid"] for row in desk.system(client)["keys"] if row["active"]}
    added = next(iter(kids - {desk.system(client)["keys"][0]["kid"]}))
    before = desk.mandate(client)["version"]
    desk.done(f"keys remove {client} --kid={added}")
    assert desk.mandate(client)["version"] > before
    assert added not in {row["kid"] for row in desk.system(client)["keys"] if row["active"]}
    assert "none, or it is not open" in desk.line(f"keys remove {client} --kid={added}")
    assert KNOWN in desk.line(f"keys add {client} --jwks", key)


def _kept(desk: Desk) -> dict[str, str]:
    """Files with a key that is known, by what it is known as."""
    system, provider, removed, waiting = (desk.key() for _ in range(4))
    desk.both(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", system)
    desk.both(f"providers add {PIRHA} --issuer {ISSUER} --jwks", provider)
    desk.both(f"providers add {PIRHA} --issuer {ISSUER} --jwks", removed)
    kid = ECKey.import_key(json.loads(Path(removed).read_text())).thumbprint()
    desk.done(f"providers remove {PIRHA} --issuer {ISSUER} --kid={kid}")
    desk.done(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", waiting)
    return {"a system's": system, "a provider's": provider, "one taken away": removed, "a proposed system's": waiting}


def test_a_key_that_is_known_is_nobody_elses(desk: Desk) -> None:
    """Else a system could sign the login of its own officers; a kid of its own does not hide a key."""
    client = desk.add(name())
    for known, file in _kept(desk).items():
        again = desk.key(json.loads(Path(file).read_text()), kid=f"new-{uuid.uuid4().hex}")
        for words in (
            f"add {name()} --organisation {PIRHA} --scope case:read",
            f"keys add {client}",
            f"providers add {PIRHA} --issuer https://idp.example/{name()}",
        ):
            assert KNOWN in desk.line(f"{words} --jwks", again), (known, words)


def test_a_key_proposed_twice_is_approved_once(desk: Desk) -> None:
    client, key = desk.add(name()), desk.key()
    [first] = desk.done(f"keys add {client} --jwks", key)
    [second] = desk.done(f"providers add {PIRHA} --issuer {ISSUER} --jwks", key)
    desk.done(f"approve {first['proposal']}", by=2)
    assert KNOWN in desk.line(f"approve {second['proposal']}", by=2)


def test_the_key_of_a_withdrawn_proposal_may_be_proposed_again(desk: Desk) -> None:
    key = desk.key()
    [act] = desk.done(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", key)
    desk.done(f"withdraw {act['proposal']}")
    desk.both(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", key)


def test_two_organisations_may_have_one_provider(desk: Desk) -> None:
    issuer, key = f"https://idp.example/{name()}", desk.key()
    for organisation in (PIRHA, VARHA):
        desk.both(f"providers add {organisation} --issuer {issuer} --jwks", key)
    assert KNOWN in desk.line(f"providers add {PIRHA} --issuer {issuer} --jwks", key)


def test_a_delegation_gives_a_suppliers_system_what_all_three_hold_until_it_ends(desk: Desk) -> None:
    supplier = desk.add(name(), organisation=VENDOR, scopes=("case:read", "matter:write"))
    desk.both(f"delegate {PIRHA} {VENDOR} --scope case:read --scope ledger:read --purpose county-benefit-case")
    mandate = desk.mandate(supplier)
    assert (mandate["supplier"], mandate["scopes"], mandate["purposes"], mandate["stands"]) == (
        VENDOR,
        ["case:read"],
        ["county-benefit-case"],
        True,
    )
    desk.done(f"end-delegation {PIRHA} {VENDOR}")
    assert not desk.mandate(supplier)["stands"]
    desk.both(f"delegate {PIRHA} {VENDOR} --scope matter:write")
    assert (desk.mandate(supplier)["scopes"], desk.mandate(supplier)["stands"]) == (["matter:write"], True)


def test_a_providers_key_and_its_end(desk: Desk) -> None:
    issuer = f"https://idp.example/{name()}"
    desk.both(f"providers add {PIRHA} --issuer {issuer} --jwks", desk.key(kid="idp-1"))
    [row] = [row for row in desk.stands()["providers"] if row["issuer"] == issuer]
    assert (row["kid"], row["active"]) == ("idp-1", True)
    desk.done(f"providers remove {PIRHA} --issuer {issuer} --kid=idp-1")
    assert "none, or it is not open" in desk.line(f"providers remove {PIRHA} --issuer {issuer} --kid=idp-1")


def test_what_an_organisation_holds_narrows_its_systems(desk: Desk) -> None:
    client = desk.add(name())
    scoped = [word for scope in SCOPES for word in ("--scope", scope)]
    desk.both(f"grant {PIRHA} --scope case:read --purpose county-benefit-case --require-details")
    try:
        mandate = desk.mandate(client)
        assert (mandate["scopes"], mandate["details_required"]) == (["case:read"], True)
    finally:
        desk.both(f"grant {PIRHA}", *scoped)
    assert set(desk.mandate(client)["scopes"]) == set(SCOPES)


def test_an_audit_grant_stands_once_and_ends(desk: Desk) -> None:
    client, until = desk.add(name()), _next_month(desk)
    words = f"grant-audit {client} --dossier TSV:1 --organisation {PIRHA} --until {until}"
    grant = desk.both(words)
    [row] = [row for row in desk.stands()["auditGrants"] if row["client"] == client]
    assert (row["id"], row["organisations"], row["dossier"]) == (grant, [PIRHA], "TSV:1")
    assert row["until"] > until
    [again] = desk.done(words)
    assert "one stands for this system and dossier" in desk.line(f"approve {again['proposal']}", by=2)
    desk.done(f"end-audit {grant}")
    assert "no open one" in desk.line(f"approve {again['proposal']}", by=2), "ended with the grant it would renew"
    assert desk.both(words) != grant


# -- the ledger


def test_each_act_is_an_entry_that_names_who_did_it(desk: Desk) -> None:
    client, before = name(), desk.sql("select count(*) as n from ledger.entry")[0]["n"]
    [act] = desk.done(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    desk.done(f"approve {act['proposal']}", by=2)
    desk.done(f"suspend {client}", by=2)
    desk.line(f"suspend {client}", by=2)
    rows = desk.sql(
        "select id, kind, session, decision, organisation, client, refers, leaf, payload, payload_key from ledger.entry"
        " where client = $1 order by id",
        client,
    )
    assert [(r["kind"], r["decision"], r["session"], str(r["refers"] or "")) for r in rows] == [
        ("admin", "client-proposed", "sauma_registrar_1", ""),
        ("admin", "client-approved", "sauma_registrar_2", act["proposal"]),
        ("admin", "client-suspended", "sauma_registrar_2", ""),
    ]
    assert {r["organisation"] for r in rows} == {PIRHA}
    assert desk.sql("select count(*) as n from ledger.entry")[0]["n"] == before + 6, "each with its writer's start"
    vault = VaultGateway(LocalVault(load_keyring(desk.ground.home / "keyring.json"), random=bytes))
    payloads = [_opened(vault, row) for row in rows]
    assert [p["operator"] for p in payloads] == ["sauma_registrar_1", "sauma_registrar_2", "sauma_registrar_2"]
    assert payloads[0]["arguments"]["scopes"] == ["case:read"]
    assert payloads[1]["arguments"] == payloads[0]["arguments"]


def _opened(vault: VaultGateway, row: asyncpg.Record) -> dict[str, Any]:
    commitment = json.loads(row["leaf"])["payload"]
    opened: dict[str, Any] = json.loads(
        vault.open_payload(row["id"], row["payload"], row["payload_key"], unbase64url(commitment))
    )
    return opened


def test_the_writers_of_registrars_are_chains_too(desk: Desk) -> None:
    desk.add(name())
    rows = desk.sql(
        "select writer, counter, kind, leaf, leaf_hash from ledger.entry where session like 'sauma_registrar_%'"
        " order by writer, counter"
    )
    by_writer: dict[uuid.UUID, list[asyncpg.Record]] = {}
    for row in rows:
        by_writer.setdefault(row["writer"], []).append(row)
    for chain in by_writer.values():
        assert [row["counter"] for row in chain] == list(range(len(chain)))
        assert chain[0]["kind"] == "writer"
        for one, next_one in itertools.pairwise(chain):
            assert json.loads(next_one["leaf"])["previous"] == base64url(one["leaf_hash"])
    assert by_writer


# -- what is refused

RSA = RSAKey.generate_key(2048).as_dict(private=False)
SHORT = {"kty": "RSA", "e": "AQAB", "n": base64url((1 << 1023 | 1).to_bytes(128))}
GOOD = {
    "ES256": lambda: ECKey.generate_key("P-256").as_dict(private=False),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519").as_dict(private=False),
    "PS256": lambda: RSA,
}
BAD_KEYS = {
    "a private key": (lambda: ECKey.generate_key("P-256").as_dict(private=True), "private"),
    "a shared secret": (lambda: OctKey.generate_key(256).as_dict(private=True), "private"),
    "an RSA key of 1024 bits": (lambda: SHORT, "weak"),
    "a curve that is not taken": (lambda: ECKey.generate_key("P-384").as_dict(private=False), "kind"),
    "an algorithm that is not the key's": (lambda: GOOD["ES256"]() | {"alg": "RS256"}, "algorithm"),
    "no key": (lambda: {"keys": []}, "1 to 20"),
    "a list of something": (lambda: {"keys": [TYPED]}, "sound"),
    "two of one kid": (lambda: {"keys": [GOOD["ES256"]() | {"kid": "a"}, GOOD["ES256"]() | {"kid": "a"}]}, "one kid"),
    "a kid that is an identity code": (lambda: GOOD["ES256"]() | {"kid": HETU}, "kid"),
    "a kid of prose": (lambda: GOOD["ES256"]() | {"kid": "my key"}, "kid"),
}


@pytest.mark.parametrize("algorithm", GOOD)
def test_each_kind_of_key_is_taken(desk: Desk, algorithm: str) -> None:
    client = name()
    desk.both(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key(GOOD[algorithm]()))
    [key] = desk.system(client)["keys"]
    assert (key["algorithm"], key["active"]) == (algorithm, True)


@pytest.mark.parametrize("sentence", BAD_KEYS)
def test_no_other_key_is_taken(desk: Desk, sentence: str) -> None:
    made, rule = BAD_KEYS[sentence]
    path = desk.ground.root / "bad.json"
    path.write_text(json.dumps(made()))
    line = desk.line(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", str(path))
    assert line.startswith("sauma: --jwks: ")
    assert rule in line


def test_a_file_that_is_none_is_said_to_be_none(desk: Desk) -> None:
    for written in (b"\xff", b"[" * 100, b"{", b'{"kty": "EC", "kty": "EC"}', b"{}" + b" " * 70_000):
        path = desk.ground.root / "bad.json"
        path.write_bytes(written)
        assert "--jwks: " in desk.line(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", str(path))
    assert "cannot be read" in desk.line(f"add {name()} --organisation {PIRHA} --scope case:read --jwks /{TYPED}")


ADD = "add {client} --organisation {organisation} --scope {scope} --jwks-uri {uri}"
RIGHT = {"client": "extra", "organisation": PIRHA, "scope": "case:read", "uri": "https://keys.example/jwks.json"}
AUDIT = "grant-audit {client} --dossier {dossier} --organisation {organisation} --until {until}"
TYPED_WRONG = {
    "an identity code as a system": (ADD, {"client": HETU}, "client"),
    "a system with more than 32 characters": (ADD, {"client": "a" * 33}, "client"),
    "a system with a blank": (ADD, {"client": f"%{TYPED}"}, "client"),
    "a business id with a wrong check digit": (ADD, {"organisation": "0246246-1"}, "--organisation"),
    "an organisation nobody registered": (ADD, {"organisation": "2000001-6"}, "organisation"),
    "a scope there is not": (ADD, {"scope": TYPED}, "--scope"),
    "keys over plain http": (ADD, {"uri": f"http://{TYPED}.example/jwks"}, "--jwks-uri"),
    "keys behind a password": (ADD, {"uri": f"https://{TYPED}@keys.example/jwks"}, "--jwks-uri"),
    "keys at an address of numbers": (ADD, {"uri": "https://[::1]/jwks"}, "--jwks-uri"),
    "an identity code in an address": (ADD, {"uri": f"https://keys.example/{HETU}"}, "--jwks-uri"),
    "an identity code as a dossier": (AUDIT, {"dossier": HETU}, "--dossier"),
    "a dossier of prose": (AUDIT, {"dossier": f"{TYPED}/1"}, "--dossier"),
    "a day that is none": (AUDIT, {"until": "2026-02-30"}, "--until"),
    "a day that has passed": (AUDIT, {"until": "2020-01-01"}, "--until"),
    "a grant for longer than a year": (AUDIT, {"until": "2099-01-01"}, "--until"),
    "a system nobody registered": ("suspend {client}", {"client": TYPED}, "client"),
    "a proposal that is no id": (f"approve {TYPED}", {}, "proposal"),
    "a proposal that is not there": ("approve 01990000-0000-7000-8000-000000000000", {}, "proposal"),
    "a grant that is not there": ("end-audit 01990000-0000-7000-8000-000000000000", {}, "grant"),
    "a delegation that is not there": (f"end-delegation 0246246-0 {VENDOR}", {}, "delegation"),
    "a delegation to who is no supplier": (f"delegate {PIRHA} 0246246-0 --scope case:read", {}, "supplier"),
    "a supplier that grants itself": (f"grant {VENDOR} --scope case:read", {}, "organisation"),
    "a purpose there is not": (f"grant {PIRHA} --scope case:read --purpose {TYPED}", {}, "--purpose"),
    "a provider over plain http": (f"providers remove {PIRHA} --issuer http://{TYPED} --kid=a", {}, "--issuer"),
    "a kid of prose": ("keys remove extra --kid=%", {}, "--kid"),
    "somebody to act as": ("list --as 1", {}, "--as"),
}


@pytest.mark.parametrize("sentence", TYPED_WRONG)
def test_one_line_names_the_rule_and_the_remedy(desk: Desk, sentence: str) -> None:
    words, wrong, subject = TYPED_WRONG[sentence]
    if "extra" not in {row["id"] for row in desk.stands()["clients"]}:
        desk.add("extra")
    right = {**RIGHT, "dossier": "D:1", "until": _next_month(desk)}
    client = {"client": name()} if words is ADD else {}
    before = desk.sql("select count(*) as n from ledger.entry")
    line = desk.line(words.format(**(right | client | wrong)))
    assert line.startswith(f"sauma: {subject}: "), line
    assert desk.sql("select count(*) as n from ledger.entry") == before


def test_an_auditor_must_hold_the_scope(desk: Desk) -> None:
    client = desk.add(name(), scopes=("case:read",))
    words = f"grant-audit {client} --dossier D:1 --organisation {PIRHA} --until {_next_month(desk)}"
    assert "not one that can have it" in desk.line(words)


def test_what_is_no_command_is_not_repeated(desk: Desk) -> None:
    for words in (f"suspend extra {HETU}", f"add {HETU}", f"{HETU}", f"list --{TYPED}", "keys", ""):
        said = desk.run(words)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert HETU not in said.err
        assert TYPED not in said.err


# -- settings and database


def test_the_registrars_address_is_asked_for_where_the_database_is_not_the_embedded_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAUMA_DATABASE_URL", desk.database.dsn("sauma_server"))
    monkeypatch.delenv("SAUMA_REGISTRAR_DATABASE_URL", raising=False)
    said = call("clients", "list")
    assert (said.code, said.err.split(": ")[1]) == (78, "SAUMA_REGISTRAR_DATABASE_URL")


OTHERS = {
    "the server": ("sauma_server", "GRANT sauma_registrar"),
    "the migrator": ("sauma_migrator", "GRANT sauma_registrar"),
    "the auditor": ("sauma_auditor", "GRANT sauma_registrar"),
}


@pytest.mark.parametrize("who", OTHERS)
def test_nobody_elses_login_will_do(desk: Desk, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    role, fix = OTHERS[who]
    monkeypatch.setenv("SAUMA_REGISTRAR_DATABASE_URL", desk.database.dsn(role))
    said = call("clients", "list")
    assert (said.code, said.out) == (78, "")
    assert fix in said.err


def test_a_database_that_is_behind_is_not_written_to(
    desk: Desk, new_database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = desk.ground.database()
    desk.ground.sql(behind, "delete from sauma_meta.migration where version > 5")
    monkeypatch.setenv("SAUMA_REGISTRAR_DATABASE_URL", behind.dsn("sauma_registrar_1"))
    assert call("clients", "list").code == 4


def test_another_key_ring_is_refused(desk: Desk) -> None:
    ring = json.loads((desk.ground.home / "keyring.json").read_text())
    turned = [key | {"material": key["material"][::-1].lstrip("=") + "="} for key in ring["keys"]]
    (desk.ground.home / "keyring.json").write_text(json.dumps(ring | {"keys": turned}))
    assert "SAUMA_KEYRING" in desk.line(
        f"add {name()} --organisation {PIRHA} --scope case:read --jwks", desk.key(), code=78
    )


def test_on_the_embedded_database_as_says_which_of_the_two_acts(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way on a home of its own: nothing is set but where it is."""
    home = ground.root / "embedded"
    monkeypatch.setenv("SAUMA_HOME", str(home))
    key = ground.root / "key.json"
    key.write_text(json.dumps(GOOD["ES256"]()))
    try:
        assert (behind := call("clients", "list")).code == 4, behind.err
        assert call("migrate").code == 0
        words = ("clients", "add", "mine", "--organisation", PIRHA, "--scope", "case:read", "--jwks", str(key))
        assert "--as: which" in call(*words).err
        assert "--as: which" in call(*words, "--as", "3").err
        with embedded.start(home) as cluster:
            organisations = (
                EnrolledOrganisation(id=PIRHA, kind=OrganisationKind.COUNTY, name=Text(fi="P", sv="B", en="P")),
            )
            parts: dict[str, Any] = dict.fromkeys(("clients", "keys", "agreements", "decoys"), ())
            asyncio.run(enrol(cluster.dsn("sauma_migrator"), Enrolment(organisations=organisations, **parts)))
            added = call(*words, "--as", "1", "--json")
            assert added.code == 0, added.err
            proposal = json.loads(added.out)["acts"][0]["proposal"]
            refused = call("clients", "approve", proposal, "--as", "1")
            assert (refused.code, "its proposer may not" in refused.err) == (1, True)
            assert call("clients", "approve", proposal, "--as", "2").code == 0
            said = call("clients", "list")
            assert (behind.err.count("starting PostgreSQL"), said.err) == (1, ""), "nothing to say of one that runs"
        (system,) = (line for line in said.out.splitlines() if line.startswith("system "))
        assert system.split()[1:4] == ["mine", PIRHA, "active"]
        assert not any(line.startswith("proposal") for line in said.out.splitlines())
    finally:
        embedded.remove(home)


def test_list_says_it_in_words_too(desk: Desk) -> None:
    client = desk.add(name())
    said = desk.run("list")
    assert said.code == 0
    assert any(line.startswith(f"system       {client}  {PIRHA}  active") for line in said.out.splitlines())


def test_what_waits_is_listed_alone(desk: Desk) -> None:
    client = name()
    [act] = desk.done(f"add {client} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    lines = desk.run("list --waiting").out.splitlines()
    assert {line.split()[0] for line in lines} == {"proposal"}
    [mine] = [line for line in lines if act["proposal"] in line]
    assert act["kids"][0] in mine
    assert "kty" not in mine.replace(act["kids"][0], "")  # a thumbprint may hold any letters
    assert list(json.loads(desk.run("list --waiting --json").out)) == ["proposals"]
    desk.done(f"approve {act['proposal']}", by=2)
    assert act["proposal"] not in desk.run("list --waiting").out


def test_who_adds_a_system_is_told_its_kid_and_whom_a_suppliers_will_act_for(desk: Desk) -> None:
    desk.both(f"delegate {PIRHA} {VENDOR} --scope case:read")
    words = f"add {{}} --organisation {VENDOR} --scope case:read --jwks"
    [act] = desk.done(words.format(name()), desk.key(), by=2)
    assert act["actsFor"] == [PIRHA]
    said = desk.run(f"approve {act['proposal']}").out
    assert f"; kid {act['kids'][0]}; of a supplier; has delegations of {PIRHA}\n" in said
    desk.done(f"end-delegation {PIRHA} {VENDOR}")
    assert "; has delegations of nobody; another registrar: " in desk.run(words.format(name()), desk.key()).out
    [own] = desk.done(f"add {name()} --organisation {PIRHA} --scope case:read --jwks", desk.key())
    assert (len(own["kids"]), "actsFor" in own) == (1, False)


def test_every_act_is_on_the_page(desk: Desk) -> None:
    page = (pages.ROOT / "docs" / "registration.md").read_text(encoding="utf-8")
    said = cli.parser().parse_args(["clients", "list"])
    assert said.act == "list"
    acts = re.findall(r"^    ([a-z-]+) ", desk.run("--help").out, re.MULTILINE)
    assert len(acts) >= 12
    assert [act for act in acts if f"`{act}" not in page] == []
