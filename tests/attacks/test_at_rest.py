"""What a thief of the disk, of a dump or of the log finds: no identity code, no name, no case text (sealing T1).

A server of its own, so that every file of it is ours to read. The same search finds a plaintext row: the control.
"""

import asyncio
import base64
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from asks import KELA, PIRHA, TAMPERE, today
from attacks.scene import WORKER, Case, Scene, open_scene
from databases import Database
from sauma.core.people import PersonIdentifier
from sauma.exchange.matters import Telling, inform
from sauma.exchange.subjects import IdentifierChange, change_identifier
from sauma.store import embedded, migrate
from sauma.store.bootstrap import bootstrap

MARKER = "Näädänmarkkeri"
CONTROL = "Kärpänkontrolli"
PAGE = 8192
HETU_CONTROL = "010190-999K"


def spellings(text: str) -> list[bytes]:
    """A text as it may lie in a file: UTF-8, UTF-16, hex, base64 at each of the three offsets."""
    made = []
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        raw = text.encode(encoding)
        made += [raw, raw.hex().encode(), raw.hex().upper().encode()]
        for pad in range(3):
            whole = base64.b64encode(bytes(pad) + raw)
            made.append(whole[4 * (pad > 0) : len(whole) - 4])
    return [*made, text.lower().encode(), text.upper().encode()]


def found(content: bytes, texts: list[str]) -> set[str]:
    return {text for text in texts if any(spelling in content for spelling in spellings(text))}


async def lived_through(scene: Scene) -> list[str]:
    """Everything the product stores about a few people; returns the identity codes it was told."""
    told: list[PersonIdentifier] = []
    for number in range(4):
        person, spouse = scene.person("-Y"[number % 2]), scene.person()
        told += [person, spouse]
        members = [{"relation": "spouse", "hetu": spouse.value}]
        fields = {
            "persons": {
                "hetu": person.value,
                "name": f"{MARKER} Aino",
                "homeMunicipality": TAMPERE,
                "turvakielto": number == 3,
                "representativeName": f"{MARKER} Edunvalvoja",
                "contactAddress": {"street": f"{MARKER}katu 1", "postalCode": "33100", "postOffice": MARKER},
            },
            "households": {"type": "couple", "members": members},
            "decisions": {"date": today().isoformat(), "amount": "412.30", "reasons": f"{MARKER} perustelu"},
        }
        for resource, stated in fields.items():
            record = await scene.put(person, resource, stated, others=(spouse,), reference=f"K-{number}")
            await scene.put(person, resource, stated, others=(spouse,), record=record, expected=1)
        case = Case(person, await scene.matter(person), {"decisions": record})
        await scene.disclose(case)
        unknown = scene.person()
        told.append(unknown)
        await scene.disclose(Case(unknown, await scene.matter(unknown), {}))
        telling = Telling(
            person=person,
            received_by=f"{MARKER} Vastaanottaja",
            text_version="1",
            language="fi",
            told_at=scene.world.clock(),
            officer=WORKER,
        )
        await inform(scene.world, scene.call("pirha"), telling)
        new = scene.person()
        told.append(new)
        change = IdentifierChange(
            old=person, new=new, reason="corrected", effective_at=scene.world.clock(), officer=WORKER
        )
        await change_identifier(scene.world, scene.call("kela"), change)
        await scene.annul("decisions", record)
    with pytest.raises(asyncpg.PostgresError):  # what fails is in the server's log, if anything is
        await scene.sql(
            "insert into exchange.identifier (controller, blind_index, subject, sealed) values ($1, $2, $3, $4)",
            KELA,
            bytes(16),
            uuid.uuid4(),
            told[0].value.encode(),
        )
    return [person.value for person in told]


class Stolen:
    """A server the product lived on, with the identity codes it was told."""

    def __init__(self, database: Database, codes: list[str], binaries: Path) -> None:
        self.database, self.codes, self._binaries = database, codes, binaries

    def places(self) -> dict[str, bytes]:
        """Everything at rest: the dump, the server's log, and each folder of the data directory, equal pages once."""
        asyncio.run(self._flush())
        cluster = self.database.cluster
        dump = subprocess.run(
            [self._binaries / "pg_dump", self.database.dsn("postgres")], capture_output=True, check=True, timeout=60
        )
        found = {"pg_dump": dump.stdout, "server log": (cluster.home / "postgres.log").read_bytes()}
        pages: dict[str, dict[bytes, None]] = {}
        for path in sorted(cluster.database_directory.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                seen = pages.setdefault(path.relative_to(cluster.database_directory).parts[0], {})
                seen.update((content[at : at + PAGE], None) for at in range(0, len(content), PAGE))
        return found | {place: b"".join(seen) for place, seen in pages.items()}

    async def _flush(self) -> None:
        connection = await asyncpg.connect(self.database.dsn("postgres"))
        await connection.execute("checkpoint")
        await connection.close()


@pytest.fixture(scope="module")
def stolen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stolen]:
    home = tmp_path_factory.mktemp("rest") / ".sauma"
    binaries = embedded.find_binaries(
        Path(os.environ["SAUMA_TEST_PG_BIN"]) if "SAUMA_TEST_PG_BIN" in os.environ else None
    )
    with embedded.start(home, binaries=binaries) as cluster:
        database = Database(cluster, "sauma")

        async def prepare() -> list[str]:
            await bootstrap(cluster)
            await migrate.migrate(database.dsn("sauma_migrator"), migrations=migrate.read(migrate.default_folder()))
            async with open_scene(database, home) as scene:
                return await lived_through(scene)

        yield Stolen(database, asyncio.run(prepare()), binaries)
    embedded.remove(home)


def test_nothing_at_rest_says_who_or_what(stolen: Stolen) -> None:
    codes = stolen.codes
    assert len(codes) == 16
    texts = [MARKER, WORKER.name, WORKER.unit, *codes]
    places = stolen.places()
    assert {"pg_dump", "server log", "base", "pg_wal", "global", "pg_xact"} <= places.keys()
    assert {place: found(content, texts) for place, content in places.items() if found(content, texts)} == {}
    assert not any((code[:6] + code[7:]).encode() in content for code in codes for content in places.values())
    assert KELA.encode() in places["base"]  # what is in clear on purpose is seen
    assert PIRHA.encode() in places["pg_wal"]


def test_what_is_stored_in_clear_is_found(stolen: Stolen) -> None:
    """The control: rows in clear, one a spelling, show in the dump, in the table's file and in the log of changes."""
    database = stolen.database

    async def spill() -> None:
        connection = await asyncpg.connect(database.dsn("postgres"))
        await connection.execute("create table public.scratch (a text, b bytea)")
        for text in (CONTROL, HETU_CONTROL):
            for spelling in spellings(text) * 3:  # a page's end may cut one of them in two
                await connection.execute("insert into public.scratch values ($1, $2)", text, spelling)
        await connection.close()

    asyncio.run(spill())
    places = stolen.places()
    for place in ("pg_dump", "base", "pg_wal"):
        assert found(places[place], [CONTROL, HETU_CONTROL]) == {CONTROL, HETU_CONTROL}
        for text in (CONTROL, HETU_CONTROL):
            assert place == "pg_dump" or all(spelling in places[place] for spelling in spellings(text))
