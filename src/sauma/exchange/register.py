"""Register: an act of a registrar as the entry that commits with it.

It is about an organisation and perhaps a system, and made for neither by a token: who acted is the login of the session
that wrote it. Leaf and arguments name systems, keys and dates, never a person; they are sealed all the same.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from sauma.core.canonical import JsonValue, canonical_bytes, digest, uuid7
from sauma.core.evidence import Entry, EventKind, LedgerEvent, Position, leaf_bytes, manifest_bytes
from sauma.core.people import Confidential
from sauma.exchange.ports import Build, Vault


class Desk(Confidential, frozen=True, kw_only=True):
    """What an act is recorded with; `catalogue` is the digest of the law as data in force."""

    vault: Vault
    catalogue: bytes
    clock: Callable[[], dt.datetime]
    entropy: Callable[[int], bytes]


class Act(Confidential, frozen=True, kw_only=True):
    """What a registrar does: `decision` says it in the leaf, `refers` names the proposal or grant it is about.

    `counterparty` is the supplier of a delegation; `arguments` are what was proposed or ended.
    """

    decision: str
    organisation: str
    client: str | None
    counterparty: str | None
    refers: uuid.UUID | None
    arguments: dict[str, JsonValue]


def compose_act(desk: Desk, act: Act, *, operator: str) -> tuple[uuid.UUID, Build]:
    """The entry's id, and the function that makes its bytes once the writer's position is known."""
    now = desk.clock()
    entry, salt = uuid7(int(now.timestamp() * 1000), desk.entropy(10)), desk.entropy(16)
    particulars: JsonValue = {"operator": operator, "arguments": act.arguments, "requestSalt": salt.hex()}
    payload, key, commitment = desk.vault.seal_payload(entry, canonical_bytes(particulars))
    event = LedgerEvent(
        id=entry,
        at=now,
        kind=EventKind.ADMIN,
        organisation=act.organisation,
        client=act.client,
        counterparty=act.counterparty,
        decision=act.decision,
        payload=commitment,
        request=digest(salt + canonical_bytes(act.arguments)),
        catalogue=desk.catalogue,
        refers=act.refers,
    )
    manifest = manifest_bytes(())

    def build(position: Position) -> Entry:
        leaf = leaf_bytes(event, position, manifest, b"")
        return Entry(id=entry, leaf=leaf, manifest=manifest, side=b"", payload=payload, payload_key=key)

    return entry, build
