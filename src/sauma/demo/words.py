"""What a caseworker calls a field, and how a value reads: the plain words of the played main job."""

from collections.abc import Mapping

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
