"""A mandate follows from several rows: whichever of them changes, the next call under the old version is refused.

Every look is another connection's than the change: what one worker ends has ended for all.
"""

import asyncio
import json
from collections.abc import Callable

import asyncpg
import pytest

from databases import Database
from sauma.core.evidence import ClaimKind
from sauma.store import migrate
from sauma.store.statements import load
from store.parties import NEVER, OWN, THEIRS, Parties, appended, once, revoke

PATH = load("path")

# -- what a mandate says

MANDATES: dict[str, tuple[str, str, dict[str, object]]] = {
    "what system and organisation both hold": ("", OWN, {"scopes": ["case:read", "matter:write"], "supplier": None}),
    "what supplier, organisation and delegation all hold": ("", THEIRS, {"scopes": ["case:read"], "purposes": None}),
    "a supplier never more than the organisation": (
        "update registry.organisation_grant set scopes = '{{matter:write}}' where organisation = '{county}'",
        THEIRS,
        {"scopes": []},
    ),
    "purposes of the grant": (
        "update registry.organisation_grant set purposes = '{{b,a}}' where organisation = '{county}'",
        THEIRS,
        {"purposes": ["b", "a"]},
    ),
    "purposes of the delegation": (
        "update registry.delegation set purposes = '{{a}}' where organisation = '{county}'",
        THEIRS,
        {"purposes": ["a"]},
    ),
    "purposes that grant and delegation share": (
        (
            "update registry.organisation_grant set purposes = '{{a,b}}' where organisation = '{county}';"
            "update registry.delegation set purposes = '{{b,c}}' where organisation = '{county}'"
        ),
        THEIRS,
        {"purposes": ["b"]},
    ),
    "no purpose at all where they share none": (
        (
            "update registry.organisation_grant set purposes = '{{a}}' where organisation = '{county}';"
            "update registry.delegation set purposes = '{{b}}' where organisation = '{county}'"
        ),
        THEIRS,
        {"purposes": []},
    ),
    "details asked of all who act for the organisation": (
        "update registry.organisation_grant set details_required = true where organisation = '{county}'",
        THEIRS,
        {"details_required": True},
    ),
}


@pytest.mark.parametrize("sentence", MANDATES)
async def test_a_mandate_is(parties: Parties, sentence: str) -> None:
    change, whose, said = MANDATES[sentence]
    if change:
        await parties.change(change)
    found = await parties.known(getattr(parties, whose))
    assert found is not None
    assert {name: found[name] for name in said} == said
    assert found["supplier"] == (parties.vendor if whose == THEIRS else None)


async def test_a_supplier_is_granted_nothing_for_itself(parties: Parties) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="supplier"):
        await parties.change(
            "insert into registry.organisation_grant (organisation, scopes) values ('{vendor}', '{{}}')"
        )
    rows = await parties.elsewhere.fetch(
        "select organisation, stands from registry.mandate where client = $1", parties.supplier
    )
    assert {row["organisation"]: row["stands"] for row in rows} == {parties.county: True, parties.vendor: False}


async def test_a_system_is_found_whatever_its_state_with_its_policy(parties: Parties) -> None:
    await parties.change(
        "update registry.client set state = 'proposed', nonce_required = true, certificate_bound = true,"
        " jwks_uri = 'https://keys.example/jwks' where id = '{own}'"
    )
    row = await parties.server.fetchrow(PATH["known_client"], parties.own)
    assert (row["organisation"], row["state"], row["mandates"]) == (parties.county, "proposed", "[]")
    assert (row["nonce_required"], row["certificate_bound"], row["jwks_uri"]) == (
        True,
        True,
        "https://keys.example/jwks",
    )
    assert row["kids"] == ["k-1"]


async def test_a_suppliers_system_knows_the_identity_providers_of_those_it_acts_for(parties: Parties) -> None:
    async def providers() -> list[tuple[str, str]]:
        found = json.loads(
            await parties.server.fetchval("select providers from api.known_client($1)", parties.supplier)
        )
        return [(p["organisation"], p["kid"]) for p in found]

    assert await providers() == [(parties.county, "i-1")]
    await parties.change("update registry.delegation set active = false where supplier = '{vendor}'")
    assert await providers() == []


# -- what it follows from

CHANGES: dict[str, tuple[str, set[str]]] = {
    "the system is suspended": ("update registry.client set state = 'suspended' where id = '{own}'", {OWN}),
    "the system is retired": ("update registry.client set state = 'retired' where id = '{own}'", {OWN}),
    "the system is proposed anew": ("update registry.client set state = 'proposed' where id = '{own}'", {OWN}),
    "the system's scopes are narrowed": ("update registry.client set scopes = '{{case:read}}' where id = '{own}'", {OWN}),
    "the system must bring a nonce": ("update registry.client set nonce_required = true where id = '{own}'", {OWN}),
    "the system's keys lie elsewhere": (
        "update registry.client set jwks_uri = 'https://keys.example/' where id = '{own}'", {OWN},
    ),
    "a key of the system is switched off": ("update registry.client_key set active = false where client = '{own}'", {OWN}),
    "a key of the system is deleted": ("delete from registry.client_key where client = '{own}'", {OWN}),
    "the supplier's system is suspended": (
        "update registry.client set state = 'suspended' where id = '{supplier}'", {THEIRS},
    ),
    "a key of the supplier's system is switched off": (
        "update registry.client_key set active = false where client = '{supplier}'", {THEIRS},
    ),
    "the organisation is switched off": (
        "update registry.organisation set active = false where id = '{county}'", {OWN, THEIRS},
    ),
    "the organisation's registration changes": (
        "update registry.organisation set version = version + 1 where id = '{county}'", {OWN, THEIRS},
    ),
    "the supplier is switched off": ("update registry.organisation set active = false where id = '{vendor}'", {THEIRS}),
    "the grant is narrowed": (
        "update registry.organisation_grant set scopes = '{{case:read}}' where organisation = '{county}'", {OWN, THEIRS},
    ),
    "the grant asks for details": (
        "update registry.organisation_grant set details_required = true where organisation = '{county}'", {OWN, THEIRS},
    ),
    "the grant is taken away": ("delete from registry.organisation_grant where organisation = '{county}'", {OWN, THEIRS}),
    "the delegation is ended": ("update registry.delegation set active = false where organisation = '{county}'", {THEIRS}),
    "the delegation is deleted": ("delete from registry.delegation where organisation = '{county}'", {THEIRS}),
    "the delegation is narrowed": ("update registry.delegation set scopes = '{{}}' where organisation = '{county}'", {THEIRS}),
    "the delegation has run out": (
        ("update registry.delegation set valid_from = now() - interval '2 days', valid_until = now() - interval '1 day'"
        " where organisation = '{county}'"), {THEIRS},
    ),
    "the delegation has not begun": (
        "update registry.delegation set valid_from = now() + interval '1 day' where organisation = '{county}'", {THEIRS},
    ),
    "the delegation's last day came": (  # nothing is written when a day comes: the clock is beyond what the row says
        "update registry.mandate set valid_until = clock_timestamp() where client = '{supplier}'", {THEIRS},
    ),
    "the delegation's first day is to come": (
        "update registry.mandate set valid_from = clock_timestamp() + interval '1 day' where client = '{supplier}'", {THEIRS},
    ),
    "the identity provider's key is switched off": (
        "update registry.identity_provider set active = false where organisation = '{county}'", {OWN, THEIRS},
    ),
    "the identity provider's key is deleted": (
        "delete from registry.identity_provider where organisation = '{county}'", {OWN, THEIRS},
    ),
    "another system of the organisation comes": (
        "insert into registry.client (id, organisation, scopes) values ('{own}-2', '{county}', '{{}}')", set(),
    ),
    "the system gets one more key": ("insert into registry.client_key values ('{own}', 'k-2', 'ES256', '{{\"kty\":\"EC\"}}')", set()),
    "the identity provider gets one more key": (
        "insert into registry.identity_provider values ('{county}', 'https://idp.example', 'i-2', 'ES256', '{{\"kty\":\"EC\"}}')", set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", CHANGES)
async def test_the_next_call_is_refused_when(parties: Parties, sentence: str) -> None:
    statement, ended = CHANGES[sentence]
    versions = {whose: await parties.version(getattr(parties, whose)) for whose in (OWN, THEIRS)}
    for whose, version in versions.items():
        assert await parties.append(getattr(parties, whose), version) == "appended"
    await parties.change(statement)
    for whose, version in versions.items():
        system = getattr(parties, whose)
        gone = whose in ended
        proof = (ClaimKind.PROOF, once())
        assert await parties.append(system, version, proof) == ("caller-changed" if gone else "appended")
        assert await parties.stands(system, version) is not gone
        assert await parties.claim(system, version, (ClaimKind.PROOF, once())) == (
            "caller-changed" if gone else "claimed"
        )
        if gone:  # and nothing was burnt
            assert await parties.elsewhere.fetch("select from ledger.claim where digest = $1", proof[1]) == []


BACK: dict[str, tuple[str, str, set[str]]] = {
    "the system is let in again": (
        "update registry.client set state = 'suspended' where id = '{own}'",
        "update registry.client set state = 'active' where id = '{own}'",
        {OWN},
    ),
    "the organisation is switched on again": (
        "update registry.organisation set active = false where id = '{county}'",
        "update registry.organisation set active = true where id = '{county}'",
        {OWN, THEIRS},
    ),
    "the supplier is switched on again": (
        "update registry.organisation set active = false where id = '{vendor}'",
        "update registry.organisation set active = true where id = '{vendor}'",
        {THEIRS},
    ),
    "the delegation begins again": (
        "update registry.delegation set active = false where organisation = '{county}'",
        "update registry.delegation set active = true where organisation = '{county}'",
        {THEIRS},
    ),
    "the delegation is deleted and made anew": (
        "delete from registry.delegation where organisation = '{county}'",
        "insert into registry.delegation (organisation, supplier, scopes) values ('{county}', '{vendor}', '{{case:read}}')",
        {THEIRS},
    ),
    "the grant is deleted and made anew": (
        "delete from registry.organisation_grant where organisation = '{county}'",
        "insert into registry.organisation_grant (organisation, scopes) values ('{county}', '{{case:read}}')",
        {OWN, THEIRS},
    ),
}


@pytest.mark.parametrize("sentence", BACK)
async def test_an_old_token_stays_ended_and_a_new_one_holds_when(parties: Parties, sentence: str) -> None:
    ends, begins, whose = BACK[sentence]
    before = {system: await parties.version(getattr(parties, system)) for system in whose}
    await parties.change(ends)
    for system in whose:
        assert await parties.known(getattr(parties, system)) is None
    await parties.change(begins)
    for system in whose:
        named = getattr(parties, system)
        found = await parties.known(named)
        assert found is not None
        assert found["version"] > before[system]
        assert await parties.append(named, before[system]) == "caller-changed"
        assert await parties.append(named, int(str(found["version"]))) == "appended"


async def test_a_token_of_one_organisation_is_none_of_another(parties: Parties) -> None:
    """The supplier's mandate is for the county alone, and no other system's serves in its stead."""
    version = await parties.version(parties.supplier)
    assert (await appended(parties.server, parties.vendor, parties.supplier, version))["status"] == "caller-changed"
    assert await parties.append("nobody", 1) == "caller-changed"


NAMED: dict[str, tuple[str, str | None, str]] = {
    "the supplier's entry names it": (THEIRS, "vendor", "appended"),
    "the supplier's entry leaves it out": (THEIRS, None, "SA002"),
    "the supplier's entry names another": (THEIRS, "county", "SA002"),
    "the organisation's own entry names nobody": (OWN, None, "appended"),
    "the organisation's own entry names a supplier": (OWN, "vendor", "SA002"),
}


@pytest.mark.parametrize("sentence", NAMED)
async def test_an_entry_says_who_acted(parties: Parties, sentence: str) -> None:
    whose, named, said = NAMED[sentence]
    system, supplier = getattr(parties, whose), getattr(parties, named) if named else None
    version = await parties.version(system)
    if said == "SA002":
        with pytest.raises(asyncpg.PostgresError) as refused:
            await appended(parties.server, parties.county, system, version, supplier=supplier)
        assert refused.value.sqlstate == said
        return
    row = await appended(parties.server, parties.county, system, version, supplier=supplier)
    kept = await parties.elsewhere.fetchval("select supplier from ledger.entry where leaf_hash = $1", row["leaf_hash"])
    assert (row["status"], kept) == (said, supplier)


async def test_what_went_wrong_is_recorded_whoever_has_been_suspended(parties: Parties) -> None:
    version, token = await parties.version(parties.own), once()
    await parties.change("update registry.client set state = 'suspended' where id = '{own}'")
    await revoke(parties, token)
    assert await parties.append(parties.own, version, (ClaimKind.TOKEN, token), kind="outcome") == "appended"


# -- two at once

NARROWED = "update registry.organisation_grant set scopes = '{case:read}' where organisation = $1"
WAITING = "select exists (select from pg_locks where relation = 'registry.mandate'::regclass and not granted)"


async def waiting(parties: Parties) -> None:
    async with asyncio.timeout(20):
        while not await parties.elsewhere.fetchval(WAITING):
            pass


async def test_two_changes_at_once_both_hold(parties: Parties, database: Database) -> None:
    first, second = [await asyncpg.connect(database.dsn("postgres")) for _ in range(2)]
    try:
        transaction = first.transaction()
        await transaction.start()
        await first.execute(NARROWED, parties.county)
        other = asyncio.create_task(
            second.execute("update registry.client set state = 'suspended' where id = $1", parties.own)
        )
        await waiting(parties)
        await transaction.commit()
        await other
    finally:
        await first.close()
        await second.close()
    row = await parties.elsewhere.fetchrow(
        "select scopes, stands from registry.mandate where client = $1 and organisation = $2",
        parties.own,
        parties.county,
    )
    assert tuple(row) == (["case:read"], False)


async def test_mandates_are_not_derived_from_an_old_snapshot(parties: Parties) -> None:
    async with parties.elsewhere.transaction(isolation="repeatable_read"):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await parties.change("update registry.client set state = 'suspended' where id = '{own}'")
        assert refused.value.sqlstate == "SA003"


# -- what stood before 0010

BEFORE = """
insert into registry.organisation (id, kind, name_fi, name_sv, name_en)
values ('1000000-1', 'county', 'F', 'S', 'E'), ('1000000-2', 'vendor', 'F', 'S', 'E'),
       ('1000000-3', 'county', 'F', 'S', 'E'), ('1000000-4', 'county', 'F', 'S', 'E');
insert into registry.client (id, organisation, scopes, version)
values ('one', '1000000-1', '{a,b}', 4), ('two', '1000000-1', '{c}', 1), ('vendor', '1000000-2', '{a}', 1),
       ('off', '1000000-3', '{a}', 2);
update registry.client set active = false where id = 'off';
insert into registry.client_key (client, kid, algorithm, jwk) values ('one', 'k', 'ES256', '{"kty":"EC"}');
"""


@pytest.fixture
def older(new_database: Callable[..., Database]) -> Database:
    """A database of 0001–0009 with rows in it, brought up to date."""
    made = new_database()
    files = migrate.read(migrate.default_folder())

    async def bring_up() -> None:
        await migrate.migrate(made.dsn("sauma_migrator"), migrations=files[:9])
        connection = await asyncpg.connect(made.dsn("postgres"))
        await connection.execute(BEFORE)
        await connection.close()
        await migrate.migrate(made.dsn("sauma_migrator"), migrations=files)

    asyncio.run(bring_up())
    return made


def test_what_stood_before_keeps_its_versions_and_holds(older: Database) -> None:
    async def look() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]], list[tuple[object, ...]]]:
        superuser = await asyncpg.connect(older.dsn("postgres"))
        server = await asyncpg.connect(older.dsn("sauma_server"))
        await server.execute(PATH["add_partitions"])
        mandates = await superuser.fetch(
            "select client, organisation, scopes, stands, version from registry.mandate order by client"
        )
        grants = await superuser.fetch("select organisation, scopes from registry.organisation_grant order by 1")
        statement = "select organisation, kind, active, scopes, client_version, kids from api.find_client($1)"
        before = [await server.fetchrow(statement, name) for name in ("one", "off")]
        claimed = await server.fetchval("select api.claim($1, $2, $3, $4, $5)", "one", 4, ["proof"], [once()], [NEVER])
        assert claimed == "claimed"  # as a server of before says it: of the system's own organisation
        assert (await appended(server, "1000000-1", "one", 4))["status"] == "appended"
        await superuser.close()
        await server.close()
        return [tuple(r) for r in mandates], [tuple(r) for r in grants], [tuple(r) for r in before]

    mandates, grants, before = asyncio.run(look())
    assert mandates == [
        ("off", "1000000-3", ["a"], False, 2),
        ("one", "1000000-1", ["a", "b"], True, 4),
        ("two", "1000000-1", ["c"], True, 1),
        ("vendor", "1000000-2", [], False, 1),
    ]
    assert grants == [("1000000-1", ["a", "b", "c"]), ("1000000-3", ["a"])]
    assert before == [
        ("1000000-1", "county", True, ["a", "b"], 4, ["k"]),
        ("1000000-3", "county", False, ["a"], 2, []),
    ]
