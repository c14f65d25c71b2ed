"""`authorization_details` of type `sauma_case_access`: for which organisation, and which officer stands behind it.

The type holds no client of the organisation, ever: a value that looks like a personal identity code is refused (RFC
9396 leaves the members of a type to its API).
"""

import re
from typing import Literal

import msgspec

from sauma.core.parties import Officer, OfficerKind
from sauma.core.people import Confidential
from sauma.oauth.jose import strict_json
from sauma.oauth.reasons import Reason

DETAILS_TYPE = "sauma_case_access"
LARGEST_DETAILS = 2048
_HETU_SHAPED = re.compile(r"[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 200


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


class _Detail(Confidential, frozen=True, forbid_unknown_fields=True):
    type: Literal["sauma_case_access"]
    organisation: str | None = None
    officer: dict[str, str] | None = None


class CaseAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What one detail asks for; organisation None leaves it to the client's only one."""

    organisation: str | None = None
    officer: Officer | None = None

    def as_details(self) -> list[dict[str, object]]:
        """The detail as it stands in a token and in the token answer."""
        detail: dict[str, object] = {"type": DETAILS_TYPE, "organisation": self.organisation}
        if self.officer is not None:
            detail["officer"] = _officer_members(self.officer)
        return [detail]


def read_details(value: object) -> CaseAccess | Reason:
    """One detail of our type from the parsed JSON array."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return Reason.DETAILS_MALFORMED
    if value[0].get("type") != DETAILS_TYPE:
        return Reason.DETAILS_TYPE
    try:
        detail = msgspec.convert(value[0], _Detail)
        officer = None if detail.officer is None else _officer(detail.officer)
    except msgspec.ValidationError:
        return Reason.DETAILS_MALFORMED
    texts = [detail.organisation or "", *(detail.officer or {}).values()]
    if any(len(text) > _LONGEST or _CONTROL.search(text) for text in texts) or "" in (detail.officer or {}).values():
        return Reason.DETAILS_MALFORMED
    if any(_HETU_SHAPED.search(text) for text in texts):
        return Reason.DETAILS_PERSONAL
    return CaseAccess(organisation=detail.organisation, officer=officer)


def read_details_text(text: str) -> CaseAccess | Reason:
    """One detail from the form parameter's JSON text of at most 2 KiB."""
    if len(text) > LARGEST_DETAILS:
        return Reason.DETAILS_MALFORMED
    value = strict_json(text.encode())
    return Reason.DETAILS_MALFORMED if isinstance(value, Reason) else read_details(value)


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
