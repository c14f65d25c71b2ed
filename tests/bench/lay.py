"""The tables of the two arms that are not the product, filled for the same people, and what those arms are told."""

import asyncio
import json
import os
import uuid
from typing import Any

import asyncpg
import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from asks import KELA, P01, PIRHA
from bench import floor, naive
from bench.ground import REFERENCE, Ground
from sauma.store.embedded import SUPERUSER

_SENTENCE = "Perustoimeentulotuki on myonnetty laskelman mukaisesti. "


def lay(name: str, ground: Ground, *, answer: bytes, url: str) -> dict[str, Any]:
    """Fill the arm's tables after the product's `answer` (size, fields), and say what the arm must be told.

    `url` is the product's, whose tokens the naive arm believes.
    """
    if name == "floor":
        asyncio.run(_floor(ground, len(answer)))
        return {}
    cipher = os.urandom(32)
    members = json.loads(answer)
    asyncio.run(_naive(ground, AESGCM(cipher), members["records"]))
    frame = {key: value for key, value in members.items() if key not in {"records", "outcome", "disclosureId"}}
    keys = httpx.get(f"{url}/.well-known/jwks.json").text
    return {"url": url, "keys": keys, "cipher": cipher.hex(), "controller": KELA, "frame": frame}


async def _floor(ground: Ground, answer: int) -> None:
    reasons = (_SENTENCE * (answer // len(_SENTENCE) + 1))[: max(answer - floor.AROUND, 0)]
    connection = await asyncpg.connect(ground.dsn(SUPERUSER))
    try:
        await connection.execute(floor.TABLES)
        await connection.executemany(floor.FILL, [(REFERENCE.format(n), reasons) for n in range(ground.people)])
    finally:
        await connection.close()


async def _naive(ground: Ground, cipher: AESGCM, records: list[dict[str, Any]]) -> None:
    connection = await asyncpg.connect(ground.dsn(SUPERUSER))
    try:
        await connection.execute(naive.TABLES)
        await connection.execute("insert into naive.agreement values ($1, $2, true)", PIRHA, P01)
        for number in range(ground.people):
            person = uuid.uuid4()
            await connection.execute(
                "insert into naive.matter values ($1, $2, $3, 'open')", PIRHA, REFERENCE.format(number), person
            )
            rows = naive.sealed_records(cipher, records)
            await connection.executemany(
                "insert into naive.record (id, person, resource, names, sealed) values ($1, $2, $3, $4, $5)",
                [(record, person, resource, names, sealed) for record, resource, names, sealed in rows],
            )
    finally:
        await connection.close()
