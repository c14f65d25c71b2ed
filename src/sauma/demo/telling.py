"""How a played scene is told: what was asked, on which law it rests, what came back, what stayed and why."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sauma.demo.words import RESOURCES, field_words, reason_words, value_words

_WIDTH = 100


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
