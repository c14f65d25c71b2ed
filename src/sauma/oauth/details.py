"""`authorization_details` of type `sauma_case_access`: what a token is confined to, and which officer stands behind it.

One detail, closed members, at most 2 KiB (RFC 9396 leaves the members of a type to its API). The type holds no client
of the organisation, ever: a value that looks like a personal identity code is refused.
"""

import re
from typing import Annotated, Literal

import msgspec

from sauma.core.canonical import JsonValue
from sauma.core.parties import Action, CaseAccess, Officer, OfficerKind
from sauma.core.people import Confidential, check_case_reference
from sauma.oauth.jose import strict_json
from sauma.oauth.reasons import Reason

DETAILS_TYPE = "sauma_case_access"
LARGEST_DETAILS = 2048
_HETU_SHAPED = re.compile(r"[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 200
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9.\[\]_-]{0,79}$")]


class _Person(Confidential, frozen=True, forbid_unknown_fields=True):
    id: str
    name: str
    role: str
    unit: str
    kind: Literal["person"] = "person"


class _Unattended(Confidential, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: str
    name: str
    responsible_unit: str
    kind: Literal["process"]


class _Detail(Confidential, frozen=True, forbid_unknown_fields=True, rename="camel"):
    type: Literal["sauma_case_access"]
    organisation: str | None = None
    purpose: _Name | None = None
    case_reference: str | None = None
    fields: Annotated[frozenset[_Name], msgspec.Meta(min_length=1)] | None = None
    actions: Annotated[frozenset[Action], msgspec.Meta(min_length=1)] | None = None
    officer: dict[str, str] | None = None


class AccessDetail(Confidential, frozen=True, kw_only=True):
    """One detail: for which organisation, confined to what, with which officer; None leaves a member unsaid."""

    organisation: str | None = None
    confines: CaseAccess = CaseAccess()
    officer: Officer | None = None

    def as_details(self) -> list[dict[str, JsonValue]]:
        """The detail as it stands in a token and in the token answer: what was unsaid is absent."""
        confines, officer = self.confines, self.officer
        members: dict[str, JsonValue] = {
            "type": DETAILS_TYPE,
            "organisation": self.organisation,
            "purpose": confines.purpose,
            "caseReference": confines.case_reference,
            "fields": None if confines.fields is None else sorted(confines.fields),
            "actions": None if confines.actions is None else sorted(action.value for action in confines.actions),
            "officer": None if officer is None else _officer_members(officer),
        }
        return [{name: value for name, value in members.items() if value is not None}]


def read_details(value: object) -> AccessDetail | Reason:
    """One detail of our type from the parsed JSON array."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return Reason.DETAILS_MALFORMED
    if value[0].get("type") != DETAILS_TYPE:
        return Reason.DETAILS_TYPE
    if len(msgspec.json.encode(value)) > LARGEST_DETAILS:
        return Reason.DETAILS_TOO_LARGE
    try:
        detail = msgspec.convert(value[0], _Detail)
        officer = None if detail.officer is None else _officer(detail.officer)
    except msgspec.ValidationError:
        return Reason.DETAILS_MALFORMED
    stated = {"organisation": detail.organisation, "purpose": detail.purpose, "case": detail.case_reference}
    names = (*(detail.fields or ()), *(detail.officer or {}).values())
    flaw = text_flaw(*(text for text in stated.values() if text is not None), *names)
    if flaw is not None:
        return flaw
    if detail.case_reference is not None and not check_case_reference(detail.case_reference):
        return Reason.DETAILS_MALFORMED
    confines = CaseAccess(
        purpose=detail.purpose, case_reference=detail.case_reference, fields=detail.fields, actions=detail.actions
    )
    return AccessDetail(organisation=detail.organisation, confines=confines, officer=officer)


def read_details_text(text: str) -> AccessDetail | Reason:
    """One detail from the form parameter's JSON text of at most 2 KiB."""
    if len(text) > LARGEST_DETAILS:
        return Reason.DETAILS_TOO_LARGE
    value = strict_json(text.encode())
    return Reason.DETAILS_MALFORMED if isinstance(value, Reason) else read_details(value)


def text_flaw(*texts: str) -> Reason | None:
    """Whether a text may stand in a token: 1–200 characters, none of control, nothing shaped like an identity code."""
    if any(not text or len(text) > _LONGEST or _CONTROL.search(text) for text in texts):
        return Reason.DETAILS_MALFORMED
    return Reason.DETAILS_PERSONAL if any(_HETU_SHAPED.search(text) for text in texts) else None


def _officer(members: dict[str, str]) -> Officer:
    if members.get("kind") == "process":
        run = msgspec.convert(members, _Unattended)
        return Officer(kind=OfficerKind.PROCESS, id=run.id, name=run.name, role="", unit=run.responsible_unit)
    person = msgspec.convert(members, _Person)
    return Officer(kind=OfficerKind.PERSON, id=person.id, name=person.name, role=person.role, unit=person.unit)


def _officer_members(officer: Officer) -> dict[str, str]:
    if officer.kind is OfficerKind.PROCESS:
        return {"kind": "process", "id": officer.id, "name": officer.name, "responsibleUnit": officer.unit}
    return {"id": officer.id, "name": officer.name, "role": officer.role, "unit": officer.unit}
