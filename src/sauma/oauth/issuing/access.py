"""What a token is for: scopes, the one organisation, and the details a client signed (RFC 9396).

A token gets the intersection of what was asked, what the system's mandate for the organisation holds, and what the
catalogue says its purpose may see. Adding something to a request never adds something outside the mandate.
"""

import re
from collections.abc import Mapping

from sauma.core.parties import CaseAccess, OrganisationKind
from sauma.core.purposes import Catalogue, Purpose
from sauma.exchange.tokens import KnownClient, Mandate
from sauma.oauth.details import AccessDetail, read_details, read_details_text
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims

_SCOPE = re.compile(r"[!#-\[\]-~]{1,64}(?: [!#-\[\]-~]{1,64}){0,31}")


def asked_scopes(scope: str) -> tuple[str, ...] | Reason:
    """The scopes asked for, each once; none is ever assumed (RFC 6749 section 3.3)."""
    if not scope:
        return Reason.SCOPE_MISSING
    return tuple(dict.fromkeys(scope.split(" "))) if _SCOPE.fullmatch(scope) else Reason.SCOPE_MALFORMED


def asked_detail(form: Mapping[str, str], assertion: Claims) -> AccessDetail | Reason:
    """The detail inside the signed assertion; the form may say the same, and alone only organisation and officer.

    What confines a token is the requester's own signed word on purpose and case, so it is never taken from the form.
    """
    asked = read_details_text(form["authorization_details"]) if "authorization_details" in form else None
    if "authorization_details" not in assertion.members:
        if isinstance(asked, AccessDetail) and asked.confines != CaseAccess():
            return Reason.DETAILS_UNSIGNED
        return AccessDetail() if asked is None else asked
    signed = read_details(assertion.members["authorization_details"])
    if asked is None or isinstance(signed, Reason):
        return signed
    return Reason.DETAILS_DIFFER if isinstance(asked, AccessDetail) and asked != signed else asked


def chosen_mandate(detail: str | None, parameter: str | None, client: KnownClient) -> Mandate | Reason:
    """The mandate for the one organisation the token is for: stated in the detail or the form, or the only one."""
    stated = {one for one in (detail, parameter) if one is not None}
    if len(stated) > 1:
        return Reason.DETAILS_DIFFER
    if stated:
        return client.mandate_for(stated.pop()) or Reason.ORGANISATION_UNGRANTED
    if not client.mandates:
        return Reason.MANDATE_NONE
    return client.mandates[0] if len(client.mandates) == 1 else Reason.ORGANISATION_UNSTATED


def granted_detail(
    detail: AccessDetail, mandate: Mandate, catalogue: Catalogue, *, scopes: tuple[str, ...]
) -> AccessDetail | Reason:
    """The detail as it is granted: of the mandate's organisation, within its purposes and the purpose's column.

    Fields outside the column are left out; when none is left, or the organisation demands purpose and case and they
    are not there, the request is refused. `asked_detail` has made sure that what confines stood in the assertion.
    """
    asked = detail.confines
    if mandate.demands_details(scopes) and (asked.purpose is None or asked.case_reference is None):
        return Reason.DETAILS_REQUIRED
    open_to = {name: p for name, p in catalogue.purposes.items() if p.enabled and mandate.kind in _parties(p)}
    if asked.purpose is not None:
        if asked.purpose not in open_to:
            return Reason.DETAILS_PURPOSE
        open_to = {asked.purpose: open_to[asked.purpose]}
    if mandate.purposes is not None:
        open_to = {name: p for name, p in open_to.items() if name in mandate.purposes}
        if not open_to:
            return Reason.DETAILS_PURPOSE_UNGRANTED
    fields = asked.fields
    if fields is not None:
        fields = frozenset(name for name in fields if any(name in p.cells for p in open_to.values()))
        if not fields:
            return Reason.DETAILS_FIELDS
    confines = CaseAccess(
        purpose=asked.purpose, case_reference=asked.case_reference, fields=fields, actions=asked.actions
    )
    return AccessDetail(organisation=mandate.organisation, confines=confines, officer=detail.officer)


def _parties(purpose: Purpose) -> frozenset[OrganisationKind]:
    """The kinds of organisation that give or get anything under the purpose."""
    return frozenset(kind for flow in purpose.flows for kind in (*flow.discloser, *flow.receiver))
