"""What a receiver will be told of, for the description: planned, nothing of it is sent yet.

An event is thin: it names what happened and where to look, in the attributes of CloudEvents 1.0. `subject` is the
receiver's own pairwise id; no identity code and no client data stand in any event.
"""

import datetime as dt
import uuid
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from sauma.core.people import PAIRWISE_PATTERN, Confidential

JsonObject = dict[str, Any]
_PLANNED = {"x-sauma-status": "planned"}
Subject = Annotated[
    str, msgspec.Meta(pattern=PAIRWISE_PATTERN, description="The receiver's own pairwise id of the person.")
]
Occasion = Annotated[dt.datetime, msgspec.Meta(tz=True, description="When it happened, RFC 3339 in UTC.")]
Source = Annotated[
    str,
    msgspec.Meta(description="The issuer whose server tells it.", extra_json_schema={"format": "uri"}),
]
Schema = Annotated[
    str, msgspec.Meta(description="Where the schema of `data` stands.", extra_json_schema={"format": "uri"})
]


class Occurrence(Confidential, frozen=True, kw_only=True):
    """The attributes every event has (CloudEvents 1.0)."""

    id: Annotated[uuid.UUID, msgspec.Meta(description="The same event keeps its id whenever it is sent again.")]
    source: Source
    specversion: Literal["1.0"]
    time: Occasion
    dataschema: Schema
    subject: Subject | None = None


class NoticePlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which notice, and the state it has reached."""

    notice_id: uuid.UUID
    state: str


class ConsentPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which consent."""

    consent_id: uuid.UUID


class ProhibitionPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which prohibition; told to the controller it was declared to, and to nobody else."""

    prohibition_id: uuid.UUID


class RecordPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which record, told to whoever received it; read it anew, or stop relying on it."""

    resource: str
    record_id: uuid.UUID
    revision: int
    disclosure_id: uuid.UUID


class DisclosurePlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which disclosure."""

    disclosure_id: uuid.UUID


class AgreementPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which agreement."""

    agreement_id: uuid.UUID


class OrganisationPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Whose entry in the directory."""

    organisation: Annotated[str, msgspec.Meta(pattern="^[0-9]{7}-[0-9]$")]


class ClientKeyPlace(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which system's key, and until when it is believed."""

    client_id: str
    kid: str
    expires_at: Occasion


class NoticeEvent(Occurrence, frozen=True, kw_only=True):
    """Something was sent to the receiver on own initiative, or a notice has moved on."""

    type: Literal[
        "notice.sent",
        "notice.accepted",
        "notice.transferred",
        "notice.returned",
        "notice.recalled",
        "notice.outcome",
        "notice.message",
    ]
    data: NoticePlace


class ConsentEvent(Occurrence, frozen=True, kw_only=True):
    """A client's consent was given, or no longer stands as it did."""

    type: Literal["consent.given", "consent.withdrawn", "consent.paused", "consent.resumed", "consent.expired"]
    data: ConsentPlace


class ProhibitionEvent(Occurrence, frozen=True, kw_only=True):
    """A client's prohibition was declared or has ended."""

    type: Literal["prohibition.declared", "prohibition.ended"]
    data: ProhibitionPlace


class RecordEvent(Occurrence, frozen=True, kw_only=True):
    """A record the receiver was given was replaced, or must not be relied on any more."""

    type: Literal["record.replaced", "record.annulled"]
    data: RecordPlace


class DisclosureEvent(Occurrence, frozen=True, kw_only=True):
    """The receiver's data were disclosed to somebody, or what it was given is to be erased by now."""

    type: Literal["disclosure.made", "disclosure.erasure-due"]
    data: DisclosurePlace


class AgreementEvent(Occurrence, frozen=True, kw_only=True):
    """An agreement awaits the receiver, holds, or has ended."""

    type: Literal["agreement.proposed", "agreement.approved", "agreement.terminated"]
    data: AgreementPlace


class OrganisationEvent(Occurrence, frozen=True, kw_only=True):
    """An organisation's entry in the directory has changed."""

    type: Literal["organisation.changed"]
    data: OrganisationPlace


class ClientKeyEvent(Occurrence, frozen=True, kw_only=True):
    """A registered key of one of the receiver's systems will soon no longer be believed."""

    type: Literal["client-key.expiring"]
    data: ClientKeyPlace


EVENTS: MappingProxyType[str, type[Occurrence]] = MappingProxyType(
    {
        "notice": NoticeEvent,
        "consent": ConsentEvent,
        "prohibition": ProhibitionEvent,
        "record": RecordEvent,
        "disclosure": DisclosureEvent,
        "agreement": AgreementEvent,
        "organisation": OrganisationEvent,
        "client-key": ClientKeyEvent,
    }
)
"""Every kind of event by the first part of its types."""

_SIGNED: tuple[JsonObject, ...] = (
    {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "The event's id (Standard Webhooks): the same whenever it is sent again.",
        "schema": {"type": "string"},
    },
    {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "Seconds since 1970 when it was sent.",
        "schema": {"type": "string", "pattern": "^[0-9]{10}$"},
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": "`v1a,` and the Ed25519 signature over id, timestamp and body.",
        "schema": {"type": "string"},
    },
)


def add_event_schemas(schemas: JsonObject) -> None:
    """`Event`, any one of them by its type, and the mark that none is sent yet."""
    refs = {name: f"#/components/schemas/{kind.__name__}" for name, kind in EVENTS.items()}
    mapping: dict[str, str] = {}
    for name, kind in EVENTS.items():
        schema = schemas[kind.__name__]
        schema |= _PLANNED
        said = schema["properties"]["type"]
        schema["properties"]["type"] = {"type": "string", "enum": said.get("enum", [said.get("const")])}
        mapping |= dict.fromkeys(schema["properties"]["type"]["enum"], refs[name])
    schemas["Event"] = {
        "description": "One event, told by its `type`; types and members nobody knows are to be ignored.",
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
        **_PLANNED,
    }


def webhook(examples: JsonObject) -> JsonObject:
    """The one operation a receiver will offer; `examples` by schema name."""
    summary = "Tell the receiver of an event."
    named = {name: {"summary": kind.__doc__, "value": examples[kind.__name__]} for name, kind in EVENTS.items()}
    content = {"schema": {"$ref": "#/components/schemas/Event"}, "examples": named}
    return {
        "operationId": "receive-event",
        "summary": summary,
        "x-summary": summary,
        "description": "Planned: no server sends it yet. The same events will stand in the receiver's own feed.",
        "tags": ["events"],
        "security": [],
        "parameters": list(_SIGNED),
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "2XX": {"description": "Received; it is not sent again."},
            "4XX": {"description": "Not received; it is sent again later."},
        },
        **_PLANNED,
    }
