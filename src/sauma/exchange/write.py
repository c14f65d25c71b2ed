"""Write: one transaction for effect, idempotency record and ledger entry.

A crash before the commit leaves nothing; after it a repeat with the same key is answered from what was stored. A lost
answer to the commit is `outcome-unknown`: the same key tells which of the two it was.
"""

import uuid
from collections.abc import Awaitable, Callable

import msgspec

from sauma.core.canonical import JsonValue, canonical_bytes, digest, json_members
from sauma.core.errors import BadRequest, SaumaError
from sauma.core.parties import Caller, Officer
from sauma.core.people import Confidential
from sauma.exchange.append import CallerChanged, ProofReplayed, committed, recorded
from sauma.exchange.ports import World, WriteUnit
from sauma.exchange.record import Draft, caller_basis, compose
from sauma.exchange.rows import Missed, Stored, Written


class Call(Confidential, frozen=True, kw_only=True):
    """A write as it arrived: who, on which route with which path values, under which key, with which bytes."""

    caller: Caller
    route: str
    key: str
    body: bytes


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did: the entry that says so, and what its answer holds (never client data)."""

    draft: Draft
    status: int
    members: dict[str, JsonValue]
    etag: str | None = None
    location: str | None = None


class Absent(SaumaError):  # noqa: N818  # an answer, raised so that the transaction is rolled back
    """What a write is about is not there for this caller: `not-found`, said once the draft, a refusal, is recorded."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("not-found")
        self.draft = draft


class _KeyTaken(BadRequest):
    """The key is in use or was used for another request, said to a caller that still holds."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A write's answer: status, body members, the entity tag, and the receipt it rests on."""

    status: int
    members: dict[str, JsonValue]
    entry: uuid.UUID
    leaf_hash: bytes
    etag: str | None = None
    location: str | None = None
    replayed: bool = False


async def perform(world: World, call: Call, effect: Callable[[WriteUnit], Awaitable[Effect]]) -> Done:
    """Run a write once for its key, or answer a repeat of it.

    Whatever is told of a state, also that it does not allow the write, is told to a caller that still holds.

    Raises:
        BadRequest: the key is in use or was used for another request, or the effect cannot be had (nothing changed).
        Refused: what the write is about is not there for the caller; recorded.
        ProofReplayed, CallerChanged: the proof or token no longer holds; nothing changed.
        OutcomeUnknown: repeat with the same key.
    """
    try:
        return await _once(world, call, effect)
    except Absent as absent:
        raise await recorded(world, absent.draft, code="not-found") from None
    except _KeyTaken:
        raise
    except BadRequest:  # the effect's, rolled back: no entry has compared the caller or burnt its proof
        async with world.writes.transaction() as unit:
            await _claim(unit, call.caller)
        raise


async def _once(world: World, call: Call, effect: Callable[[WriteUnit], Awaitable[Effect]]) -> Done:
    caller = call.caller
    key = digest(f"{caller.organisation}|{caller.client.id}|{call.key}".encode())[:16]
    request = digest(call.route.encode() + b"\x00" + _behind(caller.officer) + call.body)
    async with world.writes.transaction() as unit:
        begun = await unit.begin(key, request)
        if begun.state != "new":
            await _claim(unit, caller)
            if begun.stored is not None:
                return _replay(begun.stored)
            raise _KeyTaken("idempotency-key-reused" if begun.state == "reused" else "idempotency-key-in-progress")
        made = await effect(unit)
        entry, build = compose(world, made.draft)
        receipt = committed(await unit.append(build, caller.claims, caller_basis(caller)))
        answer: dict[str, JsonValue] = {
            "members": made.members,
            "entry": str(entry),
            "leafHash": receipt.leaf_hash.hex(),
            "location": made.location,
        }
        await unit.end(key, request, Stored(status=made.status, answer=canonical_bytes(answer), etag=made.etag))
    return Done(
        status=made.status,
        members=made.members,
        entry=entry,
        leaf_hash=receipt.leaf_hash,
        etag=made.etag,
        location=made.location,
    )


def _behind(officer: Officer | None) -> bytes:
    """The officer in the token, who stands in no body: another's write is another request."""
    if officer is None:
        return b""
    said: JsonValue = [officer.kind.value, officer.id, officer.name, officer.role, officer.unit]
    return digest(canonical_bytes(said)) + b"\x00"


async def _claim(unit: WriteUnit, caller: Caller) -> None:
    """Compare the caller and claim its proof where no entry does."""
    missed = await unit.claim(caller.claims, caller_basis(caller))
    if missed is not None:
        raise ProofReplayed if missed is Missed.REPLAYED else CallerChanged


class _Kept(msgspec.Struct, frozen=True, rename="camel"):
    """The stored answer."""

    members: msgspec.Raw
    entry: str
    leaf_hash: str
    location: str | None


def _replay(stored: Stored) -> Done:
    kept = msgspec.json.decode(stored.answer, type=_Kept)
    return Done(
        status=stored.status,
        members=json_members(kept.members),
        entry=uuid.UUID(kept.entry),
        leaf_hash=bytes.fromhex(kept.leaf_hash),
        etag=stored.etag,
        location=kept.location,
        replayed=True,
    )


def revision_of(written: Written) -> int:
    """The revision a write statement reached.

    Raises:
        BadRequest: the precondition failed or is missing, or the state does not allow it.
    """
    if written.status in {"created", "changed"} and written.revision is not None:
        return written.revision
    codes = {
        "stale": "precondition-failed",
        "required": "precondition-required",
        "absent": "not-found",
    }
    etag = None if written.revision is None else f'"{written.revision}"'
    raise BadRequest(codes.get(written.status, "state-conflict"), etag=etag)
