"""Enrolment adds what is missing, any number of times and from several processes at once."""

import asyncio
import datetime as dt
import stat
import uuid
from typing import Any

import asyncpg
import pytest

from databases import Database
from sauma.core.areas import Areas
from sauma.core.errors import StartRefused
from sauma.demo.keys import client_keys, read_key
from sauma.demo.organisations import PIRKANMAA, PIRKANMAA_CLIENT, clients, enrolment, organisations
from sauma.settings import Settings
from sauma.store.enrol import Enrolment, enrol, stands

QUERIES = {
    "registry.organisation": "select t::text from registry.organisation t",
    "registry.client": "select t::text from registry.client t",
    "registry.client_key": "select t::text from registry.client_key t",
    "registry.agreement": "select t::text from registry.agreement t",
    "exchange.decoy": "select t::text from exchange.decoy t",
    "exchange.subject": "select t::text from exchange.subject t",
    "exchange.subject_basis": "select t::text from exchange.subject_basis t",
    "exchange.record": "select t::text from exchange.record t",
    "exchange.record_group": "select t::text from exchange.record_group t",
    "keys.data_key": "select t::text from keys.data_key t",
    "registry.auditor_grant": "select t::text from registry.auditor_grant t",
}


@pytest.fixture(scope="module")
def whole(areas: Areas, settings: Settings) -> Enrolment:
    return enrolment(areas, client_keys(settings.home, clients(organisations(areas))))


@pytest.fixture(scope="module", autouse=True)
def enrolled(whole: Enrolment, database: Database) -> None:
    async def three_at_once() -> None:
        await asyncio.gather(*(enrol(database.dsn("sauma_migrator"), whole) for _ in range(3)))

    asyncio.run(three_at_once())


async def rows(database: Database, query: str, *values: object) -> list[Any]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        return [tuple(row) for row in await connection.fetch(query, *values)]
    finally:
        await connection.close()


async def everything(database: Database) -> dict[str, list[Any]]:
    return {table: sorted(await rows(database, query)) for table, query in QUERIES.items()}


async def test_three_at_once_enrol_everything_once(database: Database, whole: Enrolment) -> None:
    found = await everything(database)
    assert len(found["registry.organisation"]) == len(whole.organisations) == 33
    assert len(found["registry.client"]) == len(found["registry.client_key"]) == len(whole.clients)
    assert len(found["registry.agreement"]) == 2 * 22
    assert len(found["exchange.decoy"]) == len(found["exchange.subject"]) == 23


async def test_enrolling_again_changes_no_row(database: Database, whole: Enrolment) -> None:
    before = await everything(database)
    await enrol(database.dsn("sauma_migrator"), whole)
    assert await everything(database) == before


async def test_a_changed_row_is_left_as_it_stands(database: Database, whole: Enrolment) -> None:
    connection = await asyncpg.connect(database.dsn("postgres"))
    await connection.execute("update registry.organisation set active = false, version = 2 where id = $1", PIRKANMAA)
    try:
        await enrol(database.dsn("sauma_migrator"), whole)
        assert await rows(database, "select active, version from registry.organisation where id = $1", PIRKANMAA) == [
            (False, 2)
        ]
    finally:
        await connection.execute("update registry.organisation set active = true, version = 1 where id = $1", PIRKANMAA)
        await connection.close()


async def test_a_second_key_of_a_system_is_added(database: Database, whole: Enrolment) -> None:
    other = whole.keys[0]
    more = Enrolment(
        organisations=(), clients=(), agreements=(), decoys=(),
        keys=(type(other)(client=other.client, kid="second", algorithm=other.algorithm, jwk=other.jwk),),
    )  # fmt: skip
    assert not await stands(
        database.dsn("sauma_migrator"), keys=more.keys, record=(PIRKANMAA, "persons", uuid.UUID(int=1))
    )
    await enrol(database.dsn("sauma_migrator"), more)
    assert await rows(
        database, "select kid from registry.client_key where client = $1 order by kid", other.client
    ) == sorted([(other.kid,), ("second",)])


async def test_every_discloser_has_a_decoy_that_looks_like_a_person_with_records(database: Database) -> None:
    found = await rows(
        database,
        "select d.controller, count(distinct r.id), min(length(g.sealed)), max(length(g.sealed)),"
        " count(distinct g.sealed), (select count(*) from keys.data_key k where k.subject = d.subject)"
        " from exchange.decoy d join exchange.record r on r.subject = d.subject and r.controller = d.controller"
        " join exchange.record_group g on g.record = r.id join exchange.subject_basis b on b.subject = d.subject"
        " group by d.controller, d.subject",
    )
    assert len(found) == 23
    for _, records, shortest, longest, different, keys in found:
        assert 6 <= records == different
        assert 400 < shortest < longest < 4_000
        assert keys == 3


async def test_wrapped_keys_of_decoys_are_as_long_as_real_ones_and_all_different(database: Database) -> None:
    found = await rows(
        database,
        "select count(*), count(distinct wrapped), min(length(wrapped)), max(length(wrapped)) from keys.data_key",
    )
    assert found == [(69, 69, 85, 85)]
    assert await rows(database, "select distinct length(seed) from exchange.subject") == [(32,)]


async def test_agreements_hold_today_with_their_ceilings(database: Database) -> None:
    found = await rows(
        database, "select distinct valid_from, valid_until, max_months, per_person_day from registry.agreement"
    )
    assert found == [(dt.date(2023, 1, 1), None, 12, 50)]


def test_a_system_keeps_its_key_in_a_file_of_its_own_that_only_its_owner_reads(
    settings: Settings, areas: Areas
) -> None:
    path = settings.home / "demo-clients" / f"{PIRKANMAA_CLIENT}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_key(settings.home, PIRKANMAA_CLIENT)
    assert (key.organisation, key.jwk["kty"], key.jwk["crv"]) == (PIRKANMAA, "EC", "P-256")
    assert key.jwk["d"] not in repr(key) + repr(key.enrolled()) + key.enrolled().jwk.decode()
    again = client_keys(settings.home, clients(organisations(areas)))
    assert again[PIRKANMAA_CLIENT] == key.enrolled()


def test_a_missing_key_is_named_with_its_fix(settings: Settings) -> None:
    with pytest.raises(StartRefused, match=r"nobody\.json: .*; fix: "):
        read_key(settings.home, "nobody")
