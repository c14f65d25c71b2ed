"""What a token confines its calls to: the details of type `sauma_case_access` a client signed for (RFC 9396)."""

import enum

from sauma.core.people import Confidential


class Action(enum.Enum):
    """What a call does, as each protected route states it and a token may be confined to."""

    DISCLOSE = "disclose"
    INSPECT = "inspect"
    ERASE = "erase"
    DEPOSIT = "deposit"
    MATTER = "matter"
    INFORM = "inform"
    AUDIT = "audit"


class CaseAccess(Confidential, frozen=True, kw_only=True):
    """The purpose, case, fields and actions a token holds for; None confines nothing."""

    purpose: str | None = None
    case_reference: str | None = None
    fields: frozenset[str] | None = None
    actions: frozenset[Action] | None = None

    def allows(self, action: Action) -> bool:
        """Whether calls of that kind are within the token."""
        return self.actions is None or action in self.actions

    def stray(
        self, *, purpose: str | None, case_reference: str | None, fields: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """JSON pointers of what lies outside the token; a call that names no purpose or case is not confined by it."""
        pointers: list[str] = []
        if purpose is not None and self.purpose not in {None, purpose}:
            pointers.append("/purpose")
        if case_reference is not None and self.case_reference not in {None, case_reference}:
            pointers.append("/caseReference")
        if self.fields is not None:
            pointers += [f"/fields/{index}" for index, name in enumerate(fields) if name not in self.fields]
        return tuple(pointers)
