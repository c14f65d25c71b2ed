"""What triggers keep where gather reads it is always what stands where it was written (migration 0012).

After each act of the table the kept columns of this cast's organisations are worked out anew and compared.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from conformance.cast import AINO, EINO, SIIRI, TOLD_OF_AINO, Cast, person
from conformance.registers import PostgresRegister
from databases import Database
from sauma import settings as told
from sauma.app import open_world

GROUPS = """
select r.resource, r.classes, r.digests from exchange.record r
 where r.controller = any ($1) and (r.classes, r.digests, r.others) is distinct from (
    array(select g.class from exchange.record_group g
           where g.controller = r.controller and g.resource = r.resource and g.record = r.id order by g.class),
    array(select g.digest from exchange.record_group g
           where g.controller = r.controller and g.resource = r.resource and g.record = r.id order by g.class),
    (select count(*)::integer from exchange.record_person p
      where p.controller = r.controller and p.resource = r.resource and p.record = r.id))
"""
HOUSED = """
select s.id from exchange.subject s
 where s.controller = any ($1) and not s.housed and (
    exists (select from exchange.record r where r.subject = s.id and r.resource = 'households')
    or exists (select from exchange.record_person p where p.subject = s.id and p.resource = 'households'))
"""
DISCLOSERS = """
select a.purpose from registry.agreement a join registry.organisation o on o.id = a.discloser
 where a.discloser = any ($1)
   and (a.discloser_kind, a.discloser_active, a.discloser_version) is distinct from (o.kind, o.active, o.version)
"""


@pytest.fixture
async def cast(conformance_database: Database, keys: Path) -> AsyncIterator[Cast]:
    """The players over PostgreSQL: the memory World keeps nothing twice."""
    superuser = await asyncpg.connect(conformance_database.dsn("postgres"))
    settings = told.from_environment(
        {
            "SAUMA_ENV": "test",
            "SAUMA_HOME": str(keys),
            "SAUMA_DATABASE_URL": conformance_database.dsn("sauma_server"),
            "SAUMA_POOL_SIZE": "2",
        }
    )
    try:
        async with open_world(settings) as world:
            made = Cast(world, PostgresRegister(superuser))
            await made.enrol()
            yield made
    finally:
        await superuser.close()


HOME = {"type": "couple", "members": [{"hetu": EINO.value, "relation": "spouse"}]}


async def deposited(cast: Cast) -> None:
    await cast.deposit("persons", TOLD_OF_AINO | {"contactPhone": "+358401234567", "turvakielto": True})


async def replaced(cast: Cast) -> None:
    record = uuid.uuid4()
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}, others=(EINO, SIIRI), record=record)
    await cast.deposit("decisions", {"amount": "2.00", "date": cast.day}, others=(SIIRI,), record=record, expected=1)


async def emptied_of_others(cast: Cast) -> None:
    record = uuid.uuid4()
    await cast.deposit("decisions", {"amount": "1.00", "date": cast.day}, others=(EINO,), record=record)
    await cast.deposit("decisions", {"amount": "2.00", "date": cast.day}, record=record, expected=1)


async def annulled(cast: Cast) -> None:
    await cast.annul("households", await cast.deposit("households", HOME))


async def moved_in(cast: Cast) -> None:
    await cast.deposit("households", HOME, others=(person(9),))


async def home_of_another(cast: Cast) -> None:
    record = uuid.uuid4()
    await cast.deposit("households", HOME, record=record)
    await cast.changed(AINO, SIIRI, "corrected")
    await cast.deposit("households", {"type": "alone", "size": 1}, of=SIIRI, record=record, expected=1)


async def group_rewritten(cast: Cast) -> None:
    """By hand, as no use case does: a digest that no longer fits must be seen as such."""
    record = await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})
    await by_hand(cast, "update exchange.record_group set sealed = sealed || '\\x00' where record = $1", record)


async def group_removed(cast: Cast) -> None:
    record = await cast.deposit("decisions", {"amount": "1.00", "date": cast.day})
    await by_hand(cast, "delete from exchange.record_group where record = $1", record)


async def discloser_moves(cast: Cast) -> None:
    await cast.register.organisation_moves(cast.kela)


async def discloser_suspended(cast: Cast) -> None:
    await cast.register.organisation_suspended(cast.kela)


async def agreement_ends(cast: Cast) -> None:
    await cast.register.agreement_ends(cast.kela, cast.county, "county-benefit-case")


async def by_hand(cast: Cast, statement: str, about: object) -> None:
    assert isinstance(cast.register, PostgresRegister)
    await cast.register._do(statement, about)


ACTS: dict[str, Callable[[Cast], Awaitable[None]]] = {
    "a record of three classes is deposited": deposited,
    "a record that names two is replaced by one that names one": replaced,
    "a record that names somebody is replaced by one that names nobody": emptied_of_others,
    "a household record is annulled": annulled,
    "a household record names two": moved_in,
    "a household record is replaced as another identifier's": home_of_another,
    "a sealed group is altered by hand": group_rewritten,
    "a sealed group is removed by hand": group_removed,
    "the discloser's version moves": discloser_moves,
    "the discloser is suspended": discloser_suspended,
    "an agreement ends": agreement_ends,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_what_is_kept_is_what_stands(cast: Cast, act: Callable[[Cast], Awaitable[None]]) -> None:
    await act(cast)
    assert await disagreeing(cast) == []


SPOILED = {
    "how many others": "update exchange.record set others = 0 where controller = $1",
    "the digests": "update exchange.record set digests = '{}' where controller = $1",
    "who stood in a household": "update exchange.subject set housed = false where controller = $1",
}


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED.keys())
async def test_what_is_kept_wrongly_is_seen(cast: Cast, spoiled: str) -> None:
    await moved_in(cast)
    await by_hand(cast, spoiled, cast.kela)
    assert await disagreeing(cast) != []


async def disagreeing(cast: Cast) -> list[str]:
    """What is kept and is not what stands: which of the three, for each row."""
    assert isinstance(cast.register, PostgresRegister)
    ours = list(cast.organisations)
    kept = {"record": GROUPS, "subject": HOUSED, "agreement": DISCLOSERS}
    return [name for name, asked in kept.items() for _ in await cast.register._superuser.fetch(asked, ours)]
