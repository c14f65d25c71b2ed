"""Once-only ids: claimed with the entry or not at all, by exactly one of many; and tokens that were revoked."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from databases import Database
from sauma.core.evidence import ClaimKind
from sauma.store.ledger import REPLAYED
from store.parties import Parties, appended, once, revoke


async def test_a_revoked_token_is_refused_and_no_other_of_the_same_system(parties: Parties) -> None:
    system, version, token = parties.own, await parties.version(parties.own), once()
    assert await parties.append(system, version, (ClaimKind.TOKEN, token)) == "appended"
    assert await parties.append(system, version, (ClaimKind.PROOF, once()), (ClaimKind.TOKEN, token)) == "appended"
    await revoke(parties, token)
    proof = once()
    assert await parties.append(system, version, (ClaimKind.PROOF, proof), (ClaimKind.TOKEN, token)) == "caller-changed"
    assert await parties.claim(system, version, (ClaimKind.PROOF, proof), (ClaimKind.TOKEN, token)) == "caller-changed"
    assert not await parties.stands(system, version, token)
    assert await parties.append(system, version, (ClaimKind.PROOF, proof), (ClaimKind.TOKEN, once())) == "appended"
    assert await parties.stands(system, version, once())


async def test_a_token_is_asked_for_and_never_claimed(parties: Parties) -> None:
    version, token = await parties.version(parties.own), once()
    await parties.append(parties.own, version, (ClaimKind.TOKEN, token))
    await parties.claim(parties.own, version, (ClaimKind.TOKEN, token))
    assert await parties.elsewhere.fetch("select from ledger.claim where digest = $1", token) == []


STOOD = {
    ClaimKind.PROOF: "replayed",
    ClaimKind.ASSERTION: "assertion-replayed",
    ClaimKind.SUBJECT_TOKEN: "subject-token-replayed",
    ClaimKind.REVOKED: "revoked-before",
}


@pytest.mark.parametrize("kind", STOOD, ids=lambda kind: kind.value)
async def test_which_id_stood_is_said(parties: Parties, kind: ClaimKind) -> None:
    version, used = await parties.version(parties.own), once()
    assert await parties.append(parties.own, version, (kind, used)) == "appended"
    fresh = [(other, once()) for other in STOOD if other is not kind]
    with pytest.raises(asyncpg.PostgresError) as refused:
        await parties.append(parties.own, version, *fresh, (kind, used))
    assert (refused.value.sqlstate, refused.value.hint) == (REPLAYED, kind.value)
    assert await parties.claim(parties.own, version, (kind, used)) == STOOD[kind]
    assert await parties.append(parties.own, version, *fresh) == "appended"  # the refusal burnt none of them


async def test_of_several_that_stood_the_first_is_said(parties: Parties) -> None:
    version = await parties.version(parties.own)
    used = [(kind, once()) for kind in STOOD]
    assert await parties.append(parties.own, version, *used) == "appended"
    for order in (used, used[::-1]):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await parties.append(parties.own, version, (ClaimKind.TOKEN, once()), *order)
        assert refused.value.hint == order[0][0].value


async def test_one_id_twice_in_one_call_is_a_replay(parties: Parties) -> None:
    version, used = await parties.version(parties.own), once()
    with pytest.raises(asyncpg.PostgresError) as refused:
        await parties.append(parties.own, version, (ClaimKind.PROOF, used), (ClaimKind.PROOF, used))
    assert (refused.value.sqlstate, refused.value.hint) == (REPLAYED, "proof")


ENDS: dict[str, tuple[Callable[[asyncpg.transaction.Transaction], object], str]] = {
    "the first commits: the second is a replay": (lambda transaction: transaction.commit(), REPLAYED),
    "the first rolls back: it burnt nothing": (lambda transaction: transaction.rollback(), "appended"),
}


@pytest.mark.parametrize("sentence", ENDS)
async def test_of_two_that_race_one_proof_exactly_one_succeeds(
    parties: Parties, database: Database, sentence: str
) -> None:
    end, second = ENDS[sentence]
    version, proof = await parties.version(parties.own), (ClaimKind.PROOF, once())
    first = await asyncpg.connect(database.dsn("sauma_server"))
    try:
        transaction = first.transaction()
        await transaction.start()
        assert (await appended(first, parties.county, parties.own, version, proof))["status"] == "appended"
        other = asyncio.create_task(parties.append(parties.own, version, proof))
        blocked = "select exists (select from pg_locks where locktype = 'transactionid' and not granted)"
        async with asyncio.timeout(20):
            while not await parties.elsewhere.fetchval(blocked):
                pass
        await end(transaction)
        [found] = await asyncio.gather(other, return_exceptions=True)
    finally:
        await first.close()
    assert (found.sqlstate if isinstance(found, asyncpg.PostgresError) else found) == second


async def test_many_that_race_one_proof(parties: Parties, database: Database) -> None:
    version, proof = await parties.version(parties.own), (ClaimKind.PROOF, once())
    pool = await asyncpg.create_pool(database.dsn("sauma_server"), min_size=6, max_size=6)

    async def spend() -> str:
        async with pool.acquire() as connection:
            return str((await appended(connection, parties.county, parties.own, version, proof))["status"])

    found = await asyncio.gather(*(spend() for _ in range(6)), return_exceptions=True)
    await pool.close()
    assert [f for f in found if not isinstance(f, BaseException)] == ["appended"]
    assert {f.sqlstate for f in found if isinstance(f, asyncpg.PostgresError)} == {REPLAYED}
