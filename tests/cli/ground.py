"""What is right, so that a test can make one thing wrong: a migrated database, a home, an address, and no other key."""

import asyncio
import contextlib
import io
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from databases import Database
from sauma.cli import main
from sauma.store.places import private_directories

LIVED_IN = "template_lived_in"


@dataclass
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Ground:
    """A place of its own for each test; `environment` is right until the test spoils it."""

    root: Path
    make: Callable[..., Database]
    environment: dict[str, str] = field(default_factory=dict)
    template: str = LIVED_IN
    made: list[Database] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "home"

    def database(self) -> Database:
        """A fresh database that was served from, named in the environment."""
        found = self.make(self.template)
        self.made.append(found)
        self.environment["SAUMA_DATABASE_URL"] = found.dsn("sauma_server")
        return found

    def empty(self) -> Database:
        """A fresh database, prepared but not migrated."""
        found = self.make()
        self.made.append(found)
        return found

    def drop(self) -> None:
        """The databases made here, and where an embedded one had its socket."""

        async def run() -> None:
            for database in self.made:
                connection = await asyncpg.connect(database.cluster.dsn("postgres", "postgres"))
                await connection.execute(f"drop database if exists {database.name} with (force)")
                await connection.close()

        asyncio.run(run())
        for private in private_directories(self.home):
            shutil.rmtree(private)

    def sql(self, database: Database, *statements: str) -> None:
        """As the superuser."""

        async def run() -> None:
            connection = await asyncpg.connect(database.dsn("postgres"))
            try:
                for statement in statements:
                    await connection.execute(statement.replace("THIS", database.name))
            finally:
                await connection.close()

        asyncio.run(run())

    def shadow(self, database: Database, signature: str, body: str) -> None:
        """The server's role is told something else by a function of the catalogue: what this server cannot be."""
        self.sql(
            database,
            "create schema if not exists planted",
            "grant usage on schema planted to sauma_server",
            f"create function planted.{signature} language sql as $$ {body} $$",
            "alter role sauma_server in database THIS set search_path = planted, pg_catalog",
        )

    def told(self, database: Database, setting: str, value: str) -> None:
        """As `shadow`, for one setting."""
        body = f"select case s when '{setting}' then '{value}' else pg_catalog.current_setting(s) end"
        self.shadow(database, "current_setting(s text) returns text", body)


def call(*words: str) -> Said:
    """The command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as left:
            code = int(left.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


async def rows_of(database: Database) -> dict[str, list[str]]:
    """Every row of every table of ours, as text."""
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        names = await connection.fetch(
            "select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname in ('registry', 'exchange', 'keys', 'ledger', 'sauma_meta') and c.relkind = 'r' order by 1"
        )
        found = {}
        for row in names:
            lines = await connection.fetch(f"select t::text as line from {row['name']} t order by 1")  # noqa: S608  # the name is the catalogue's own
            found[row["name"]] = [line["line"] for line in lines]
        return found
    finally:
        await connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def cleared() -> dict[str, str]:
    """The names that stand in this process's environment and would tell Sauma or its driver something."""
    return {name: value for name, value in os.environ.items() if name.startswith(("SAUMA_", "PG"))}
