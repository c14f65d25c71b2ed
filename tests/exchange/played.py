"""One world for many random questions: every resource at Kela, and what was recorded and opened for each answer."""

import asyncio
import csv
import pathlib
import uuid

from conformance.cast import AINO, EINO, TOLD_OF_AINO, Cast, body_of
from conformance.registers import MemoryRegister
from sauma.exchange.disclose import disclose
from vault.seals import WatchedCipher
from worlds import Memory

LETTERS = {
    line["path"]: line["P01"][0]
    for line in csv.DictReader(
        (pathlib.Path(__file__).parents[1] / "vectors" / "field-matrix.csv").read_text(encoding="utf-8").splitlines()
    )
}

FIELDS: dict[str, dict[str, object]] = {
    "persons": TOLD_OF_AINO | {"contactPhone": "+358401234567", "hetu": AINO.value, "workerUnit": "U"},
    "households": {"type": "alone", "size": 1, "workerRole": "R"},
    "applications": {"id": "A-1", "status": "received", "urgencyFlag": True},
    "decisions": {"id": "D-1", "amount": "412.30", "reasons": "Perustelu", "appeal": False},
    "calculations": {"basicAmount": "600.00", "result": "-12.00"},
    "housing-costs": {"actual": "700.00", "accepted": "650.00"},
    "payments": {"amount": "412.30"},
    "plans": {"exists": True},
}
RELEASED = tuple(
    path for path, letter in LETTERS.items() if letter in "Ro" and not path.startswith(("legal.", "case."))
)
NECESSITY = {c: set(code.fields) for c, code in Memory().world.catalogue.codes["necessity"].items()}
JUSTIFY = {
    path: next(c for c, fields in NECESSITY.items() if path in fields) for path in RELEASED if LETTERS[path] == "o"
}


class Played:
    """One world for all examples: every resource at Kela, some twice, one record naming a protected person."""

    def __init__(self) -> None:
        self.watch = WatchedCipher()
        self.memory = Memory(aead=self.watch)
        self.cast = Cast(self.memory.world, MemoryRegister(self.memory), first=1)
        asyncio.run(self._play())

    async def _play(self) -> None:
        cast = self.cast
        await cast.enrol()
        await cast.register.agreement_allows(cast.county, per_person_day=10**9)
        await cast.deposit("persons", {"turvakielto": True}, of=EINO)
        for resource, fields in FIELDS.items():
            for others in ((), (EINO,)):
                await cast.deposit(resource, fields, others=others)
        await cast.matter()

    def ask(self, **asked: object) -> tuple[dict[str, object], set[tuple[str, int]], set[tuple[str, int]]]:
        """The body, and (record, field id) as recorded and as opened."""
        self.watch.opened.clear()
        body = body_of(asyncio.run(disclose(self.cast.world, self.cast.query(**asked))))
        row = self.memory.tables.state.ledger[uuid.UUID(str(body["disclosureId"]))]
        recorded = {(str(m.record), field) for m in row.manifest for field in m.fields}
        assert len(self.watch.opened) == len(set(self.watch.opened))
        return body, recorded, {(str(record), field) for record, field in self.watch.opened}
