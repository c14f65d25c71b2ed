"""How a played scene is told: what was asked, on which law it rests, what came back, what stayed and why."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_WIDTH = 100

RESOURCES = {
    "persons": "Person",
    "households": "Household",
    "applications": "Application",
    "decisions": "Decision",
    "calculations": "Calculation",
    "housing-costs": "Housing costs",
    "payments": "Payment",
    "commitments": "Payment commitment",
    "recoveries": "Recovery",
    "reductions": "Reduced basic amount",
    "statements": "Statement",
    "county-decisions": "County's decision",
    "plans": "Plan",
}
"""The resources in the order a case is read."""

_FIELDS = {
    "name": "name",
    "serviceLanguage": "language of service",
    "homeMunicipality": "home municipality",
    "turvakielto": "non-disclosure for safety",
    "receivedAt": "received on",
    "otherCosts": "other costs applied for",
    "basicAmount": "basic amount",
    "otherBasic": "other basic expenses",
    "payeeType": "paid to",
    "nextDate": "next payment on",
    "workerUnit": "handled by",
    "workerRole": "handler's role",
    "reviewedAt": "reviewed on",
    "exists": "there is one",
}
_RESULT = "result"
_MONEY = frozenset({"amount", "basicAmount", "actual", "accepted", "limit", "result", "sum"})
_REASONS = {
    "not-requested": "not asked for; each would need its own necessity code",
    "consent-required": "only with the client's consent",
    "protected": "masked: the person has a non-disclosure order for safety",
}


class Scene(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One step: who did what, the request's line, and the answer as it came."""

    title: str
    who: str
    request: str
    asked: tuple[str, ...]
    status: int
    answer: dict[str, Any]


def told(number: int, scene: Scene) -> str:
    """The scene as text."""
    lines = [f"{number}. {scene.title}", f"   {scene.who}: {scene.request} → {scene.status}"]
    lines += [f"   {line}" for line in scene.asked]
    lines += [f"     {line}" for line in _answer_lines(scene.answer)]
    return "\n".join(lines) + "\n"


def _answer_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    if "code" in answer and "remedy" in answer:
        yield from _refusal_lines(answer)
    elif "outcome" in answer:
        yield from _disclosure_lines(answer)
    elif "leaf" in answer:
        yield from _entry_lines(answer)
    if "receipt" in answer and isinstance(answer["receipt"], dict):
        receipt = answer["receipt"]
        yield f"receipt: entry {receipt['entryId']}, signed with the deployment's receipt key"


def _refusal_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"refused: {answer['title']} ({answer['code']})"
    yield from _wrapped(f"why: {answer['detail']}")
    yield from _wrapped(f"what helps: {answer['remedy']}")


def _disclosure_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    basis = answer["basis"]
    yield f"outcome: {answer['outcome']}; purpose {answer['purpose']['id']}; basis {basis['kind']}:"
    for provision in basis["provisions"]:
        title = provision["title"]
        yield from _wrapped(f"  {provision['act']} § {provision['section']}: {title['en']} ({title['fi']})")
    if answer["outcome"] == "nothing-disclosable":
        yield from _wrapped(answer["explanation"]["en"])
    yield from _record_lines(answer["records"])
    yield from _withheld_lines(answer["withheld"])
    if answer.get("eraseBy"):
        yield f"to be erased by {answer['eraseBy']}, unless filed in the client's document"


def _record_lines(records: list[dict[str, Any]]) -> Iterator[str]:
    order = list(RESOURCES)
    for record in sorted(records, key=lambda row: (order.index(row["resource"]), _day(row["fields"]), row["id"])):
        said = [
            f"{field_words(member)}: {value_words(member, value)}"
            for member, value in record["fields"].items()
            if value is not None or not member.startswith("worker")
        ]
        yield from _wrapped(f"· {RESOURCES[record['resource']]}: {'; '.join(said)}")


def _withheld_lines(withheld: list[dict[str, str]]) -> Iterator[str]:
    for reason in dict.fromkeys(row["reason"] for row in withheld):
        fields = [row["field"] for row in withheld if row["reason"] == reason]
        yield from _wrapped(f"withheld, {reason_words(reason)} ({len(fields)}): {', '.join(fields)}")


def _entry_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    leaf = msgspec.json.decode(answer["leaf"], type=dict[str, Any])
    payload = answer["payload"] or {}
    officer = payload.get("officer") or {}
    yield f"{leaf['kind']} of {leaf['at']}: {leaf['organisation']} from {leaf.get('counterparty', '–')}"
    yield f"purpose {leaf.get('purpose', '–')}, decision {leaf['decision']}" + (
        f", exact reason {leaf['reason']}" if "reason" in leaf else ""
    )
    if leaf.get("provisions"):
        yield from _wrapped(f"on {'; '.join(leaf['provisions'])}")
    who = f"{officer.get('name')} ({officer.get('role')}, {officer.get('unit')})"
    yield f"by {who} in case {payload.get('caseReference')}"
    if answer["fields"]:
        yield from _wrapped(f"what left: {', '.join(answer['fields'])}")


def _day(fields: Mapping[str, Any]) -> str:
    return str(fields.get("date") or fields.get("receivedAt") or "")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def reason_words(reason: str) -> str:
    """Why a field was withheld."""
    return _REASONS.get(reason, reason)


def field_words(member: str) -> str:
    """A member's plain name: known ones by table, others by taking the camel case apart."""
    if member in _FIELDS:
        return _FIELDS[member]
    return "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in member)


def value_words(member: str, value: object) -> str:
    """A value as a person would say it."""
    match value:
        case None | []:
            return "nothing recorded"
        case bool():
            return "yes" if value else "no"
        case {"from": first, "to": last}:
            return f"{first} to {last}"
        case Mapping():
            return ", ".join(f"{field_words(str(name))} {value_words(str(name), part)}" for name, part in value.items())
        case list():
            return "; ".join(_class_words(part) for part in value)
        case str() if member == _RESULT:
            return f"deficit of {value[1:]} €" if value.startswith("-") else f"surplus of {value} €"
        case str() if member in _MONEY:
            return f"{value} €"
        case _:
            return str(value)


def _class_words(part: object) -> str:
    match part:
        case {"class": kind, "sum": cents}:
            return f"{kind} {cents} €"
        case _:
            return value_words("", part)
