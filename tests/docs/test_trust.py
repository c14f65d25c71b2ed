"""The trust page classifies every column there is; what it calls sealed cannot be read."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from docs import pages

PAGE = (pages.ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
SAID = {row[0]: [cell.replace("–", "").split() for cell in row[1:]] for row in pages.table(PAGE, "table")}

COLUMNS = """
    select n.nspname || '.' || c.relname as owner, array_agg(a.attname::text) as columns,
           coalesce(array_agg(a.attname::text) filter (where t.typname = 'sealed'), '{}') as sealed
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_type t on t.oid = a.atttypid
     where n.nspname in ('registry', 'exchange', 'keys', 'ledger') and c.relkind in ('r', 'p') and not c.relispartition
     group by 1"""
KEYRING_ONLY = {
    "exchange.subject": {"seed"},
    "keys.data_key": {"wrapped"},
    "ledger.entry": {"payload", "payload_key"},
}
"""Sealed, but in a form of their own and not as a group."""


@pytest.fixture
async def schema(database: Any) -> AsyncIterator[dict[str, tuple[set[str], set[str]]]]:
    """Columns of each table, and which of them hold sealed groups."""
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        rows = await connection.fetch(COLUMNS)
        yield {row["owner"]: (set(row["columns"]), set(row["sealed"])) for row in rows}
    finally:
        await connection.close()


def test_every_table_and_column_is_classified_once(schema: dict[str, tuple[set[str], set[str]]]) -> None:
    said = {name: sorted(column for cell in cells for column in cell) for name, cells in SAID.items()}
    assert said == {name: sorted(columns) for name, (columns, _) in schema.items()}


def test_what_it_calls_sealed_is_sealed(schema: dict[str, tuple[set[str], set[str]]]) -> None:
    said = {name: set(sealed) for name, (_, _, sealed) in SAID.items()}
    assert said == {name: sealed | KEYRING_ONLY.get(name, set()) for name, (_, sealed) in schema.items()}
