"""The floor: a bare Litestar + asyncpg application that decides nothing. Frozen: its SHA-256 is checked by every run.

One POST route: BEGIN, SELECT one row, INSERT one audit row, COMMIT (four round trips), and a JSON answer about as large
as the product's. No token, no decision, no sealed field, no log. What a durable, audited read costs at the very least
on this stack; everything Sauma does is measured as a share of it. Same pool size, pool without a reset, same garbage
collector settings, same server options as the product.
"""

import asyncio
import gc
import socket
import sys
import uuid

import asyncpg
import msgspec
import uvicorn
import uvloop
from litestar import Litestar, post
from litestar.datastructures import State

TABLES = """
drop schema if exists floor cascade;
create schema floor;
create table floor.record (reference text primary key, name text not null, amount numeric not null,
                           decided_on date not null, reasons text not null);
create table floor.audit (id uuid primary key, at timestamptz not null default clock_timestamp(),
                          reference text not null, officer text not null);
"""
AROUND = 210  # bytes of an answer around its `reasons`
FILL = "insert into floor.record values ($1, 'Aino Salanimi', 412.30, current_date, $2)"
_SELECT = "select reference, name, amount, decided_on, reasons from floor.record where reference = $1"
_INSERT = "insert into floor.audit (id, reference, officer) values ($1, $2, $3)"


class Asker(msgspec.Struct):
    id: str
    name: str
    role: str
    unit: str


class Query(msgspec.Struct, rename="camel"):
    purpose: str
    case_reference: str
    subject: dict[str, str]
    officer: Asker


class Answer(msgspec.Struct, rename="camel"):
    outcome: str
    disclosure_id: uuid.UUID
    case_reference: str
    name: str
    amount: str
    decided_on: str
    reasons: str


@post("/v1/case-queries", status_code=200)
async def query(data: Query, state: State) -> Answer:
    entry = uuid.uuid4()
    async with state.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_SELECT, data.case_reference)
        await connection.execute(_INSERT, entry, data.case_reference, data.officer.id)
    return Answer(
        outcome="disclosed",
        disclosure_id=entry,
        case_reference=row["reference"],
        name=row["name"],
        amount=str(row["amount"]),
        decided_on=row["decided_on"].isoformat(),
        reasons=row["reasons"],
    )


async def _no_reset(_: object) -> None:
    """As the product's pool: nothing is left on a connection."""


async def main(dsn: str, port: int, pool_size: int) -> None:
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=pool_size, reset=_no_reset, command_timeout=10)
    app = Litestar(route_handlers=[query], openapi_config=None, logging_config=None, state=State({"pool": pool}))
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with socket.create_server(("127.0.0.1", port), backlog=2048) as listening:
        await uvicorn.Server(config).serve(sockets=[listening])
    await pool.close()


if __name__ == "__main__":
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=dict[str, str])
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main(told["dsn"], int(told["port"]), int(told["pool"])))
