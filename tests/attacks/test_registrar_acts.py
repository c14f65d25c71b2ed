"""What the second registrar reads is what is enacted, what one person ended no older proposal brings back, and nobody
without a right on the register keeps a registrar from a suspension.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from asks import PIRHA
from attacks.scene import Scene
from attacks.test_registrar import ONE, OTHER, Session, fresh, proposed, session, sqlstate, state
from attacks.test_roles import DENIED
from sauma.app import new_id
from sauma.core.canonical import JsonValue
from sauma.store.registrar import registrar_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

VENDOR = "9136515-1"
JWK = '{"crv":"P-256","kty":"EC","x":"A","y":"B"}'
KEYS: list[JsonValue] = [{"kid": "k-1", "algorithm": "ES256", "jwk": JWK}]


async def act(
    one: Session, statement: str, decision: str, arguments: dict[str, Any], *values: object, **named: Any
) -> uuid.UUID:
    """An act with the entry that belongs to it."""
    entry = one.entry(decision, {k: v for k, v in arguments.items() if k in {"organisation", "client"}}, **named)
    if "supplier" in arguments:
        leaf = json.dumps(json.loads(entry.leaf) | {"counterparty": arguments["supplier"]}).encode()
        entry = msgspec.structs.replace(entry, leaf=leaf)
    return await one.do(statement, *values, entry=entry)


async def propose(one: Session, name: str, arguments: dict[str, Any]) -> uuid.UUID:
    return await act(one, "propose", f"{name}-proposed", arguments, name, json.dumps(arguments))


async def approve(other: Session, name: str, arguments: dict[str, Any], proposal: uuid.UUID) -> None:
    await act(other, "approve", f"{name}-approved", arguments, proposal, refers=proposal)


async def active(one: Session, other: Session) -> dict[str, Any]:
    """A system that two registered; how an act names it."""
    client = fresh()
    await approve(other, "client", proposed(client), await one.propose(client))
    return {"organisation": PIRHA, "client": client}


async def vendor(scene: Scene) -> None:
    await scene.sql(
        "insert into registry.organisation (id, kind, name_fi, name_sv, name_en)"
        " values ($1, 'vendor', 'V', 'V', 'V') on conflict do nothing",
        VENDOR,
    )


def ahead(days: int) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).isoformat()


# --------------------------------------------------------------------------- what is read is what is enacted

GRANT = {"organisation": PIRHA, "scopes": ["case:read"], "purposes": ["county-benefit-case"], "detailsRequired": True}
DELEGATION = {"organisation": PIRHA, "supplier": VENDOR, "scopes": ["case:read"], "validUntil": "2999-01-01T00:00:00Z"}
PROVIDER = {"organisation": PIRHA, "issuer": "https://idp.example", "keys": KEYS}
MISSHAPEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "one purpose as a text": ("organisation-grant", GRANT | {"purposes": "county-benefit-case"}, "purposes"),
    "no purpose at all": ("organisation-grant", GRANT | {"purposes": []}, "purposes"),
    "a purpose that is null": ("organisation-grant", GRANT | {"purposes": ["county-benefit-case", None]}, "purposes"),
    "purposes that are null": ("organisation-grant", GRANT | {"purposes": None}, "purposes"),
    "purposes under a misspelt name": ("organisation-grant", GRANT | {"purpose": ["x"]}, "arguments"),
    "a truth as a text": ("organisation-grant", GRANT | {"detailsRequired": "false"}, "detailsRequired"),
    "a truth under a misspelt name": ("organisation-grant", GRANT | {"detailsrequired": True}, "arguments"),
    "a scope that is null": ("organisation-grant", GRANT | {"scopes": ["case:read", None]}, "scopes"),
    "scopes as a text": ("organisation-grant", GRANT | {"scopes": "case:read"}, "scopes"),
    "a scope that is an array": ("organisation-grant", GRANT | {"scopes": [["case:read"]]}, "scopes"),
    "no scopes": ("organisation-grant", GRANT | {"scopes": []}, "scopes"),
    "an organisation that is a number": ("organisation-grant", GRANT | {"organisation": 5}, "organisation"),
    "a member of another act": ("organisation-grant", GRANT | {"supplier": VENDOR}, "arguments"),
    "until infinity": ("delegation", DELEGATION | {"validUntil": "infinity"}, "validUntil"),
    "until tomorrow, whenever that is": ("delegation", DELEGATION | {"validUntil": "tomorrow"}, "validUntil"),
    "until a day in the approver's zone": ("delegation", DELEGATION | {"validUntil": "2999-01-01T00:00:00"}, "validUntil"),
    "until the first or the second month": ("delegation", DELEGATION | {"validUntil": "01/02/2999"}, "validUntil"),
    "until a day that is none": ("delegation", DELEGATION | {"validUntil": "2999-02-30T00:00:00Z"}, "validUntil"),
    "until a number": ("delegation", DELEGATION | {"validUntil": 2999}, "validUntil"),
    "from now": ("delegation", DELEGATION | {"validFrom": "now"}, "validFrom"),
    "over before it begins": ("delegation", DELEGATION | {"validFrom": "2999-01-02T00:00:00Z"}, "until"),
    "a key that is no JSON": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": "not json"}]}, "keys"),
    "a key that is a list": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": "[1]"}]}, "keys"),
    "a key of no kind": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": '{"x":"A"}'}]}, "keys"),
    "a key with a number in it": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": '{"kty":"EC","x":1}'}]}, "keys"),
    "a private key": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": '{"kty":"EC","d":"A"}'}]}, "keys"),
    "a key that is an object itself": ("provider", PROVIDER | {"keys": [KEYS[0] | {"jwk": {"kty": "EC"}}]}, "keys"),
    "a key with more to it": ("provider", PROVIDER | {"keys": [KEYS[0] | {"active": False}]}, "keys"),
    "a key without a name": ("provider", PROVIDER | {"keys": [{"algorithm": "ES256", "jwk": JWK}]}, "keys"),
    "a key for an algorithm there is not": ("provider", PROVIDER | {"keys": [KEYS[0] | {"algorithm": "none"}]}, "keys"),
    "a key that is a text": ("provider", PROVIDER | {"keys": ["k-1"]}, "keys"),
    "keys that are a text": ("provider", PROVIDER | {"keys": "k-1"}, "keys"),
    "a provider over plain http": ("provider", PROVIDER | {"issuer": "http://idp.example"}, "issuer"),
    "a provider with a line to it": ("provider", PROVIDER | {"issuer": "https://idp.example\nactive"}, "issuer"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", MISSHAPEN)
async def test_what_could_be_read_otherwise_is_neither_proposed_nor_approved(sentence: str, scene: Scene) -> None:
    """Approved neither: a proposal of before this rule is put there by the owner's hand."""
    await vendor(scene)
    name, arguments, member = MISSHAPEN[sentence]
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        stated = {"organisation": PIRHA} | {k: v for k, v in arguments.items() if k == "supplier"}
        refused = [act(one, "propose", f"{name}-proposed", stated, name, json.dumps(arguments))]
        older = new_id()
        await scene.sql(
            "insert into registry.proposal (id, act, arguments, proposed_by) values ($1, $2, $3::text::jsonb, $4)",
            older, name, json.dumps(arguments), ONE,
        )  # fmt: skip
        refused.append(act(other, "approve", f"{name}-approved", stated, older, refers=older))
        for attempt in refused:
            with pytest.raises(asyncpg.PostgresError) as why:
                await attempt
            assert (why.value.sqlstate, why.value.hint) == ("SA015", member)


@pytest.mark.parametrize("name", ["organisation-grant", "delegation", "provider"])
async def test_the_same_well_formed_is_proposed(name: str, scene: Scene) -> None:
    """The control."""
    await vendor(scene)
    arguments: dict[str, Any] = {"organisation-grant": GRANT, "delegation": DELEGATION, "provider": PROVIDER}[name]
    async with session(scene, ONE) as one:
        proposal = await propose(one, name, arguments)
        await act(one, "withdraw", f"{name}-withdrawn", arguments, proposal, refers=proposal)


async def test_a_moment_is_the_same_in_every_session(scene: Scene) -> None:
    await vendor(scene)
    until = "2999-06-01T12:00:00+03:00"
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        proposal = await propose(one, "delegation", DELEGATION | {"validUntil": until})
        await other.connection.execute("set timezone = 'Pacific/Kiritimati'; set datestyle = 'SQL, DMY'")
        await approve(other, "delegation", DELEGATION, proposal)
        await act(one, "end_delegation", "delegation-ended", DELEGATION, PIRHA, VENDOR)
    [row] = await scene.sql(
        "select valid_until from registry.delegation where organisation = $1 and supplier = $2", PIRHA, VENDOR
    )
    assert row["valid_until"] == dt.datetime.fromisoformat(until)


# --------------------------------------------------------------------------- no proposals kept in store


def _keys(_: dict[str, Any]) -> dict[str, Any]:
    new = uuid.uuid4().hex  # a key is one system's or provider's, and once
    jwk = JWK.replace('"A"', f'"{new}"')
    return {"keys": [KEYS[0] | {"kid": new, "jwk": jwk}]}  # type: ignore[operator]  # an object, as written above


Stored = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]
PROPOSALS: dict[str, Stored] = {
    "a key": ("client-key", lambda mine: mine | _keys(mine)),
    "an audit": ("audit-grant", lambda mine: mine | {"organisations": [PIRHA], "dossier": "D-1", "until": ahead(9)}),
    "a delegation": ("delegation", lambda _: dict(DELEGATION)),
    "a provider": ("provider", lambda _: {"organisation": PIRHA, "issuer": "https://idp.example"} | _keys({})),
}


async def ended_by_one(one: Session, what: str, arguments: dict[str, Any], approved: uuid.UUID) -> None:
    if what == "a key":
        kid = arguments["keys"][0]["kid"]
        await act(one, "remove_key", "client-key-removed", arguments, arguments["client"], kid)
    elif what == "an audit":
        await act(one, "end_audit", "audit-grant-ended", arguments, approved, refers=approved)
    elif what == "a delegation":
        await act(one, "end_delegation", "delegation-ended", arguments, PIRHA, VENDOR)
    else:
        named = {"organisation": PIRHA}
        kid = arguments["keys"][0]["kid"]
        await act(one, "remove_provider", "provider-removed", named, PIRHA, arguments["issuer"], kid)


async def withdrawn(scene: Scene, proposal: uuid.UUID) -> str | None:
    [row] = await scene.sql("select withdrawn_by from registry.proposal where id = $1", proposal)
    return None if row["withdrawn_by"] is None else str(row["withdrawn_by"])


@pytest.mark.parametrize("what", PROPOSALS)
async def test_what_one_ended_comes_back_by_no_older_proposal(what: str, scene: Scene) -> None:
    """Two proposals of one person, one approved; the object ends; the other person alone holds the second."""
    await vendor(scene)
    name, arguments_of = PROPOSALS[what]
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        mine = await active(one, other)
        await scene.sql("update registry.client set scopes = '{ledger:read}' where id = $1", mine["client"])
        arguments, again = arguments_of(mine), arguments_of(mine)
        approved, stored = [await propose(one, name, one_of) for one_of in (arguments, again)]
        await approve(other, name, arguments, approved)
        await ended_by_one(one, what, arguments, approved)
        assert await sqlstate(approve(other, name, again, stored)) == "SA011"
        assert (await withdrawn(scene, approved), await withdrawn(scene, stored)) == (None, ONE)


async def test_a_suspended_system_is_not_resumed_by_an_older_proposal(scene: Scene) -> None:
    async with session(scene, ONE) as one, session(scene, OTHER) as other:
        mine, elsewhere = await active(one, other), await active(one, other)
        await act(one, "suspend", "client-suspended", mine, mine["client"])
        first, second = [await propose(one, "resumption", mine) for _ in range(2)]
        await approve(other, "resumption", mine, first)
        key, theirs = mine | _keys(mine), elsewhere | _keys(elsewhere)
        more, not_mine = await propose(one, "client-key", key), await propose(one, "client-key", theirs)
        await act(one, "suspend", "client-suspended", mine, mine["client"])
        assert await sqlstate(approve(other, "resumption", mine, second)) == "SA011"
        assert await sqlstate(approve(other, "client-key", key, more)) == "SA011"
        assert await state(scene, mine["client"]) == "suspended"
        await approve(other, "client-key", theirs, not_mine)
        third = await propose(one, "resumption", mine)
        await approve(other, "resumption", mine, third)
        assert await state(scene, mine["client"]) == "active", "the control: proposed since, it is"


# --------------------------------------------------------------------------- nobody stands in the way


async def test_no_lock_of_a_servers_keeps_a_registrar_from_a_suspension(scene: Scene) -> None:
    async with session(scene, ONE) as one, session(scene, OTHER) as other, scene.server() as server:
        mine = await active(one, other)
        for key in (7215001, 7215002, 7215003):
            assert await server.fetchval("select pg_try_advisory_lock($1)", key)
        try:
            async with session(scene, ONE) as again:
                await again.connection.execute("set statement_timeout = '15s'")
                await act(again, "suspend", "client-suspended", mine, mine["client"])
        finally:
            await server.execute("select pg_advisory_unlock_all()")
    assert await state(scene, mine["client"]) == "suspended"


@pytest.mark.parametrize("role", ["sauma_server", "sauma_auditor", "sauma_sequencer", ONE])
async def test_who_has_no_right_on_the_register_cannot_lock_it(role: str, scene: Scene) -> None:
    connection = await asyncpg.connect(scene.database.dsn(role))
    try:
        for table in ("registry.mandate", "registry.client", "registry.proposal", "ledger.entry"):
            for mode in ("access share", "row exclusive", "share row exclusive", "access exclusive"):
                await connection.execute("begin")
                assert await sqlstate(connection.execute(f"lock table {table} in {mode} mode")) == DENIED
                await connection.execute("rollback")
    finally:
        await connection.close()


LIMITS = "select current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('lock_timeout')"


async def test_an_act_that_hangs_lets_go_of_what_it_holds(scene: Scene) -> None:
    """Whatever program made it: the limits are the functions' own; the command sets them for its session too."""
    async with session(scene, ONE) as one:
        async with one.connection.transaction():
            await one.propose(fresh())
            assert await one.connection.fetchval(LIMITS) == "10s 20s"
        assert await one.connection.fetchval(LIMITS) == "0 0"
    async with registrar_at(scene.database.dsn(ONE), new_id=new_id) as registrar:
        assert await registrar._connection.fetchval(LIMITS) == "10s 20s"


async def test_partitions_are_there_and_the_next_ones_are_made(scene: Scene) -> None:
    """Without a lock where none is missing, and whoever asks."""
    later = "select to_char(date_trunc('month', now() at time zone 'UTC') + interval '2 months', '\"entry_\"YYYYMM') as name"
    [row] = await scene.sql(later)
    await scene.sql(f"drop table ledger.{row['name']}")
    async with scene.server() as server:
        await server.execute("select api.add_partitions()")
        async with server.transaction():
            await server.execute("select api.add_partitions()")
            held = await scene.sql(
                "select mode from pg_locks where pid = $1 and relation = 'ledger.entry'::regclass",
                await server.fetchval("select pg_backend_pid()"),
            )
            assert held == []
    assert (await scene.sql("select to_regclass('ledger.' || $1) is not null as there", row["name"]))[0]["there"]
