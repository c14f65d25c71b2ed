"""A vendor with one key set for many counties: each token is of one that delegated to it, and none is its own."""

from typing import Any

import pytest

from oauth.test_signed_purpose import members_of
from sauma.core.parties import Carrier, Passage
from sauma.oauth.reasons import Reason

VENDOR, PIRHA, HELSINKI = "3121212-3", "2816301-8", "0201256-6"


def vendor(b: Any, **changes: Any) -> Any:
    """The vendor's system, to which two counties have delegated."""
    mandates = (
        b.mandate(supplier=VENDOR, version=7),
        b.mandate(supplier=VENDOR, organisation=HELSINKI, scopes=frozenset({"case:read"}), version=8),
    )
    return b.client(**{"organisation": VENDOR, "mandates": mandates} | changes)


def passed_by(member: str, party: str | None) -> Passage:
    return Passage(trace="0" * 32, carrier=Carrier(client="FI/COM/x/y", member=member, party=party, id="1"))


def test_the_token_is_the_organisations_and_names_the_supplier(baseline: Any) -> None:
    answer = baseline.ask(known=vendor(baseline), form={"organisation": HELSINKI})
    members, caller = members_of(answer.body["access_token"]), answer.granted.caller
    assert (members["sub"], members["act"], members["grant_version"]) == (HELSINKI, {"sub": VENDOR}, 8)
    assert (caller.organisation, caller.supplier, caller.client.version) == (HELSINKI, VENDOR, 8)


def test_a_systems_token_for_its_own_organisation_names_no_one_else(baseline: Any) -> None:
    assert "act" not in members_of(baseline.ask().body["access_token"])


# fmt: off
ROWS: dict[str, tuple[Any, Reason, str]] = {
    "for the vendor itself": (lambda b: {"form": {"organisation": VENDOR}}, Reason.ORGANISATION_UNGRANTED, "unauthorized_client"),
    "for nobody in particular": (lambda b: {}, Reason.ORGANISATION_UNSTATED, "invalid_request"),
    "for a county that has not delegated": (lambda b: {"form": {"organisation": "0246246-0"}}, Reason.ORGANISATION_UNGRANTED, "unauthorized_client"),
    "a scope only the other county delegated": (lambda b: {"form": {"organisation": HELSINKI, "scope": "matter:write"}}, Reason.SCOPE_UNGRANTED, "invalid_scope"),
    "when every delegation has ended": (lambda b: {"known": vendor(b, mandates=())}, Reason.MANDATE_NONE, "unauthorized_client"),
    "when this delegation has ended": (lambda b: {"known": vendor(b, mandates=(b.mandate(supplier=VENDOR),)), "form": {"organisation": HELSINKI}}, Reason.ORGANISATION_UNGRANTED, "unauthorized_client"),
    "sent by a stranger's security server": (lambda b: {"form": {"organisation": PIRHA}, "passage": passed_by("1111111-1", PIRHA)}, Reason.CARRIER_MISMATCH, "unauthorized_client"),
    "sent by the vendor without saying for whom": (lambda b: {"form": {"organisation": PIRHA}, "passage": passed_by(VENDOR, None)}, Reason.CARRIER_MISMATCH, "unauthorized_client"),
    "sent by the vendor for the other county": (lambda b: {"form": {"organisation": PIRHA}, "passage": passed_by(VENDOR, HELSINKI)}, Reason.CARRIER_MISMATCH, "unauthorized_client"),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_what_was_not_delegated_is_not_given(row: str, baseline: Any) -> None:
    change, reason, error = ROWS[row]
    answer = baseline.ask(**{"known": vendor(baseline)} | change(baseline))
    assert (answer.reason, answer.body["error"], answer.status) == (reason.value, error, 400)
    assert answer.granted is None


@pytest.mark.parametrize(("member", "party"), [(VENDOR, PIRHA), (PIRHA, None), (PIRHA, PIRHA)])
def test_behind_xroad_the_county_or_its_supplier_may_send_it(member: str, party: str | None, baseline: Any) -> None:
    passage = passed_by(member, party)
    answer = baseline.ask(known=vendor(baseline), form={"organisation": PIRHA}, passage=passage)
    assert (answer.status, answer.reason) == (200, None)


def test_without_a_certificate_a_bound_client_gets_no_token(baseline: Any) -> None:
    known = baseline.client(certificate_bound=True)
    bare = baseline.ask(known=known)
    assert (bare.status, bare.body["error"], bare.reason) == (400, "invalid_request", "certificate-missing")
    bound = members_of(baseline.ask(known=known, certificate="c" * 43).body["access_token"])
    assert bound["cnf"] == {"jkt": baseline.proof_key.thumbprint(), "x5t#S256": "c" * 43}
    unbound = members_of(baseline.ask(certificate="c" * 43).body["access_token"])
    assert unbound["cnf"] == {"jkt": baseline.proof_key.thumbprint()}
