"""Seed: the register, the featured cases before the server is up, the rest of the country while it already answers.

Every deposit takes the same way as a controller's own: one transaction with its ledger entry and its idempotency
record. Ids and keys follow from names, so a run that was cut goes on where it stopped and a second run has no effect.
The last household is deposited when all others stand, so its record says that nothing is missing.
"""

import asyncio
import contextlib
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from sauma.app import Running, open_running
from sauma.catalogue.loader import load_areas
from sauma.core.areas import Areas
from sauma.core.canonical import digest
from sauma.core.errors import BadRequest, OutcomeUnknown, StartRefused, Unavailable
from sauma.core.parties import KELA, Caller, Client, Officer, OfficerKind, OrganisationKind
from sauma.core.people import Hetu
from sauma.core.resources import REGISTRY
from sauma.demo.cases import KELA_UNIT, Case, Desk, person_fields, record_id
from sauma.demo.featured import CORRECTED, Correction, before_moving, featured
from sauma.demo.finland import HOUSEHOLDS, Batch, batches, last_key
from sauma.demo.keys import client_keys
from sauma.demo.organisations import LOGIN, client_of, clients, enrolment, organisations, provider
from sauma.exchange.append import CallerChanged
from sauma.exchange.deposit import put_records
from sauma.exchange.publish import PublicationStatement, put_publication_state
from sauma.exchange.subjects import IdentifierChange, change_identifier
from sauma.exchange.times import day_of
from sauma.exchange.write import Call, Done
from sauma.settings import EX_CONFIG, Settings
from sauma.store.enrol import EnrolledKey, enrol, stands

KELA_RESOURCES = (
    "applications", "calculations", "commitments", "decisions", "households", "housing-costs", "payments", "persons",
    "recoveries", "reductions",
)  # fmt: skip
COUNTY_RESOURCES = ("applications", "county-decisions", "persons", "plans", "statements")

_AT_ONCE = 3
_TRIES = 400
_PAUSE = 0.05
_LAST_WORD = 10.0
_STANDS_ALREADY = frozenset({"precondition-required", "precondition-failed"})
_OFFICER = Officer(kind=OfficerKind.PROCESS, id="demo-seed", name="Demo data", role="", unit="Demo data")

Progress = Callable[[str], None]


class Databases(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the child on its standard input: where the database is; passwords inside, never printed."""

    server: str
    migrator: str

    def __repr__(self) -> str:
        return "Databases(…)"


@contextlib.contextmanager
def ensure(settings: Settings) -> Iterator[int]:
    """Register and featured cases stand on entering; the rest is deposited by a child process inside the block.

    The value: how many households the child is to add, those of an earlier run among them; 0 when everything stands.
    The child stops after the batch it is at when the block ends, or when this process dies; the next start goes on.

    Raises:
        StartRefused: no migrator's address, or a system that deposits was suspended.
    """
    if settings.migrate_database_url is None or settings.database_url is None:
        line = "SAUMA_MIGRATE_DATABASE_URL: missing, and demo data need it; fix: set it, or use sauma serve"
        raise StartRefused(line, exit_code=EX_CONFIG)
    areas = load_areas()
    keys = client_keys(settings.home, clients(organisations(areas)))
    if asyncio.run(_prepare(settings, areas, keys)):
        yield 0
        return
    told = Databases(server=settings.database_url, migrator=settings.migrate_database_url)
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "sauma.demo.bulk"], stdin=subprocess.PIPE, start_new_session=True
    )
    with _let_go(child):
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it ended before it was told; the next start goes on
                child.stdin.write(msgspec.json.encode(told) + b"\n")
                child.stdin.flush()
        yield HOUSEHOLDS


async def seed_featured(running: Running, areas: Areas) -> None:
    """The featured cases: deposits, the move to another county, the corrected identity code."""
    today = day_of(running.world.clock())
    cases = [entry.case for entry in featured(areas).values()]
    earlier = before_moving(areas)
    moved = next(case for case in cases if case.key == earlier.key)
    for batch in batches("featured", [earlier if case is moved else case for case in cases], today):
        await _deposit(running, batch)
    desk = Desk(case=moved, controller=KELA, today=today)
    human = moved.family.applicant
    now = msgspec.structs.replace(
        desk.record("persons", person_fields(moved, human, unit=KELA_UNIT), person=human), expected=1
    )
    await _deposit(running, Batch(name="featured-moved", organisation=KELA, deposits=(now,)))
    await _correct(running, CORRECTED, today)


async def seed_bulk(
    running: Running, cases: Sequence[Case], *, progress: Progress, go_on: Callable[[], bool] = lambda: True
) -> bool:
    """The rest of the country, several batches at once, its last case when all others stand.

    False when told to stop before the end: the next run goes on there.
    """
    today = day_of(running.world.clock())
    *others, closing = cases
    waiting = list(batches("bulk", others, today))
    total = len(waiting) + 1
    quarter = -(-total // 4)

    async def worker() -> None:
        while waiting and go_on():
            batch = waiting.pop(0)
            await _deposit(running, batch)
            done = total - 1 - len(waiting)
            if done % quarter == 0:
                progress(f"demo data: {done} of {total} batches")

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
    if waiting or not go_on():
        return False
    for batch in batches("closing", [msgspec.structs.replace(closing, at_county=False)], today):
        await _deposit(running, batch)
    progress("demo data: complete")
    return True


async def publish(running: Running, areas: Areas) -> None:
    """Every controller says that what it deposits is current."""
    counties = [o.id for o in organisations(areas) if o.kind is OrganisationKind.COUNTY and o.active]
    async with asyncio.TaskGroup() as group:
        group.create_task(_publish(running, KELA, KELA_RESOURCES))
        for county in counties:
            group.create_task(_publish(running, county, COUNTY_RESOURCES))


async def _prepare(settings: Settings, areas: Areas, keys: dict[str, EnrolledKey]) -> bool:
    """Whether everything stood before; otherwise the register and the featured cases do now."""
    migrator = settings.migrate_database_url or ""
    closing = record_id(KELA, "persons", case=last_key())
    if await stands(migrator, keys=tuple(keys.values()), record=(KELA, "persons", closing)):
        return True
    login = client_keys(settings.home, (LOGIN,))[LOGIN.id]
    await enrol(migrator, msgspec.structs.replace(enrolment(areas, keys), providers=(provider(login),)))
    async with open_running(settings) as running:
        await seed_featured(running, areas)
    return False


@contextlib.contextmanager
def _let_go(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End the child with the block: its standard input closes, it finishes its batch; one that does not is ended."""
    try:
        yield
    finally:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
        try:
            child.wait(_LAST_WORD)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def _deposit(running: Running, batch: Batch) -> None:
    world = running.world
    await _once(
        running, batch.name, batch.organisation, lambda call: put_records(world, call, batch.deposits, _OFFICER)
    )


async def _correct(running: Running, correction: Correction, today: dt.date) -> None:
    change = IdentifierChange(
        old=Hetu(correction.old).identifier,
        new=Hetu(correction.new).identifier,
        reason="corrected",
        effective_at=dt.datetime(today.year, today.month, 1, tzinfo=dt.UTC),
        officer=_OFFICER,
    )
    await _once(running, "correction", KELA, lambda call: change_identifier(running.world, call, change))


async def _publish(running: Running, controller: str, names: tuple[str, ...]) -> None:
    as_of = running.world.clock()
    for name in names:
        said = PublicationStatement(resource=REGISTRY[name], status="current", current_as_of=as_of, officer=_OFFICER)

        async def write(call: Call, said: PublicationStatement = said) -> Done:
            return await put_publication_state(running.world, call, said)

        await _once(running, f"publication-{controller}-{name}", controller, write)


async def _once(running: Running, name: str, organisation: str, write: Callable[[Call], Awaitable[Done]]) -> None:
    """One write under a key of its name: what stands already is left, what another process is at is waited for.

    Raises:
        Unavailable: the database stayed away.
        StartRefused: the controller's system may not deposit.
    """
    for left in reversed(range(_TRIES)):
        caller = await _caller(running, organisation)
        try:
            await write(Call(caller=caller, route=f"DEMO {name}", key=f"demo-1-{name}", body=name.encode()))
        except BadRequest as refused:
            if refused.code in _STANDS_ALREADY:
                return
            if refused.code != "idempotency-key-in-progress" or not left:
                raise
        except (OutcomeUnknown, Unavailable, CallerChanged):
            if left < _TRIES - 3:
                raise
        else:
            return
        await asyncio.sleep(_PAUSE)


async def _caller(running: Running, organisation: str) -> Caller:
    """The controller's own system, without a token: the seed runs inside the server's trust, under its mandate."""
    name = client_of(organisation)
    known = await running.register.find_client(name)
    mandate = None if known is None else known.mandate_for(organisation)
    if mandate is None:
        line = f"demo data: {name} may not deposit now; fix: sauma clients resume {name}, then start again"
        raise StartRefused(line, exit_code=os.EX_TEMPFAIL)
    return Caller(
        client=Client(id=name, organisation=organisation, version=mandate.version),
        scopes=frozenset({"record:write"}),
        token_id="demo-seed",  # noqa: S106  # names the run in the entry; nothing can be got for it
        assertion_digest=digest(b"demo-seed"),
        claims=(),
    )
