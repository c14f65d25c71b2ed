"""Record: turn what happened into the bytes of one ledger entry.

The leaf names nobody; who the officer was, the case reference and the field list stand in the encrypted payload, which
the leaf commits to. The request's digest is salted with a salt inside the payload, because a body holds an identity
code that could otherwise be found by trying all of them.
"""

import datetime as dt
import uuid
from collections.abc import Callable

import msgspec

from sauma.core.canonical import JsonValue, canonical_bytes, digest, structured_digest, uuid7
from sauma.core.evidence import (
    Entry,
    EventKind,
    LedgerEvent,
    ManifestRow,
    Position,
    leaf_bytes,
    manifest_bytes,
    side_bytes,
)
from sauma.core.matters import BasisVersions
from sauma.core.parties import Assurance, Caller, Carrier, Officer
from sauma.core.people import Confidential
from sauma.exchange.ports import Build, Vault, World


class Draft(Confidential, frozen=True, kw_only=True):
    """One event as a use case knows it; `seeds` stand for the persons it is about, `particulars` are encrypted."""

    kind: EventKind
    caller: Caller
    decision: str
    officer: Officer | None = None
    case_reference: str | None = None
    counterparty: str | None = None
    purpose: str | None = None
    provisions: tuple[str, ...] = ()
    reason: str | None = None
    seeds: tuple[bytes, ...] = ()
    manifest: tuple[ManifestRow, ...] = ()
    particulars: dict[str, JsonValue] = msgspec.field(default_factory=dict)
    body: bytes = b""
    refers: uuid.UUID | None = None


def month_of(moment: dt.datetime) -> str:
    """The UTC month (YYYY-MM) whose key makes the tags of a moment."""
    return moment.strftime("%Y-%m")


def compose(world: World, draft: Draft) -> tuple[uuid.UUID, Build]:
    """The entry's id, and the function that makes its bytes once the writer's position is known."""
    now = world.clock()
    entry = uuid7(int(now.timestamp() * 1000), world.entropy(10))
    month = month_of(now)
    caller, officer, vault = draft.caller, draft.officer, world.vault
    salt = world.entropy(16)
    assurance = caller.assurance_of(officer)
    payload, key, commitment = vault.seal_payload(entry, canonical_bytes(_particulars(draft, salt)))
    event = LedgerEvent(
        id=entry,
        at=now,
        kind=draft.kind,
        organisation=caller.organisation,
        client=caller.client.id,
        supplier=caller.supplier,
        counterparty=draft.counterparty,
        purpose=draft.purpose,
        provisions=draft.provisions,
        decision=draft.decision,
        reason=draft.reason,
        subjects=tuple({vault.subject_tag(month, seed): None for seed in draft.seeds}),
        officer=vault.officer_tag(month, caller.organisation, officer.id) if officer else None,
        assurance=assurance.value if assurance else None,
        case=vault.case_tag(month, caller.organisation, draft.case_reference) if draft.case_reference else None,
        manifest=draft.manifest,
        payload=commitment,
        request=digest(salt + draft.body),
        assertion=caller.assertion_digest,
        catalogue=world.catalogue.digest,
        refers=draft.refers,
    )
    manifest, side = manifest_bytes(draft.manifest), side_bytes(event)

    def build(position: Position) -> Entry:
        leaf = leaf_bytes(event, position, manifest, side)
        return Entry(id=entry, leaf=leaf, manifest=manifest, side=side, payload=payload, payload_key=key)

    return entry, build


def writer_start(at: dt.datetime, entry: uuid.UUID, position: Position, predecessor: Position | None) -> Entry:
    """A writer's first entry; a predecessor whose last commit is unknown is named with where it stood."""
    event = LedgerEvent(
        id=entry,
        at=at,
        kind=EventKind.WRITER,
        organisation=None,
        client=None,
        decision="start",
        reason=f"{predecessor.counter}" if predecessor else None,
        refers=predecessor.writer if predecessor else None,
        payload=predecessor.previous if predecessor else None,
    )
    manifest = manifest_bytes(())
    leaf = leaf_bytes(event, position, manifest, b"")
    return Entry(id=entry, leaf=leaf, manifest=manifest, side=b"", payload=None, payload_key=None)


def caller_basis(caller: Caller) -> BasisVersions:
    """The versions every entry compares: that of the mandate as the token was given under it."""
    return BasisVersions(
        client=caller.client.id,
        client_version=caller.client.version,
        organisation=caller.organisation,
    )


def receipt_member(world: World, entry: uuid.UUID, leaf_hash: bytes) -> dict[str, str]:
    """The receipt as answers carry it: entry, leaf hash, key id and Ed25519 signature, made after commit."""
    kid, signature = world.vault.sign_receipt(entry, leaf_hash)
    return {
        "entryId": str(entry),
        "leafHash": structured_digest(leaf_hash),
        "kid": kid,
        "signature": signature,
    }


def _particulars(draft: Draft, salt: bytes) -> dict[str, JsonValue]:
    officer = draft.officer
    who: JsonValue = None
    if officer is not None:
        who = {
            "kind": officer.kind.value,
            "id": officer.id,
            "name": officer.name,
            "role": officer.role,
            "unit": officer.unit,
        }
    passage = draft.caller.passage
    return {
        "officer": who,
        "authentication": _logged_in(draft.caller, officer),
        "caseReference": draft.case_reference,
        "requestSalt": salt.hex(),
        "tokenId": draft.caller.token_id,
        "trace": passage.trace if passage else None,
        "carrier": _said_by(passage.carrier) if passage and passage.carrier else None,
        **draft.particulars,
    }


def _logged_in(caller: Caller, officer: Officer | None) -> JsonValue:
    """How the officer behind the entry was authenticated; None where nobody was."""
    how = caller.authentication
    if how is None or caller.assurance_of(officer) is not Assurance.AUTHENTICATED:
        return None
    return {"provider": how.provider, "acr": how.context_class, "at": how.at}


def _said_by(carrier: Carrier) -> dict[str, JsonValue]:
    """What the carrier said; of headers that could not be read only which one."""
    if carrier.fault is not None:
        return {"fault": carrier.fault}
    return {
        "client": carrier.client,
        "id": carrier.id,
        "userId": carrier.user_id,
        "issue": carrier.issue,
        "representedParty": carrier.represented_party,
    }


class Desk(Confidential, frozen=True, kw_only=True):
    """What a registrar's act is recorded with; `catalogue` is the digest of the law as data in force."""

    vault: Vault
    catalogue: bytes
    clock: Callable[[], dt.datetime]
    entropy: Callable[[int], bytes]


class Act(Confidential, frozen=True, kw_only=True):
    """What a registrar does: `decision` says it in the leaf, `refers` names the proposal or grant it is about.

    It concerns an organisation and perhaps a system, and is made for neither by a token: who acted is the login of the
    session that writes it. `counterparty` is the supplier of a delegation; `arguments` are what was proposed or ended.
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
