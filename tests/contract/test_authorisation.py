"""The authorisation matrix over the wire: no operation without a token, none with every scope but its own."""

import uuid

import pytest

from asks import PIRHA
from live import Live
from systems import System
from wire import Sent, Wire

RECORD = str(uuid.UUID(int=9))
PROTECTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("PUT", "/v1/matters/A-1"): ("matter:write",),
    ("PUT", f"/v1/payments/{RECORD}"): ("record:write",),
    ("GET", f"/v1/persons/{RECORD}"): ("record:write",),
    ("POST", f"/v1/plans/{RECORD}/annulment"): ("record:write",),
    ("POST", "/v1/deposits"): ("record:write",),
    ("POST", "/v1/identifier-changes"): ("record:write",),
    ("PUT", "/v1/publication-states/decisions"): ("record:write",),
    ("POST", "/v1/case-queries"): ("case:read",),
    ("GET", "/v1/disclosures"): ("case:read", "record:write"),
    ("GET", f"/v1/disclosures/{RECORD}"): ("case:read", "record:write"),
    ("POST", f"/v1/disclosures/{RECORD}/erasures"): ("case:read",),
    ("POST", "/v1/prior-informations"): ("consent:write",),
    ("POST", "/v1/audit-sessions"): ("ledger:read",),
    ("GET", f"/v1/ledger/entries/{RECORD}"): ("ledger:read",),
}
SCOPES = ("case:read", "matter:write", "record:write", "consent:write", "ledger:read")


@pytest.fixture(scope="module")
def lacking(live: Live) -> dict[tuple[str, ...], System]:
    """A system for each operation's scopes that holds every other one."""
    wanted = set(PROTECTED.values())
    return {scopes: live.new_system(PIRHA, tuple(s for s in SCOPES if s not in scopes)) for scopes in wanted}


@pytest.mark.parametrize("operation", PROTECTED, ids=" ".join)
def test_a_stranger_is_challenged_before_anything_is_read(wire: Wire, operation: tuple[str, str]) -> None:
    method, path = operation
    answer = wire.send(Sent(method, path, b"\xff not even JSON", system=None))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("operation", PROTECTED, ids=" ".join)
def test_every_scope_but_the_right_one_is_not_enough(
    live: Live, lacking: dict[tuple[str, ...], System], operation: tuple[str, str]
) -> None:
    method, path = operation
    system = lacking[PROTECTED[operation]]
    before = len(live.entries(system.client_id, kind="refusal"))
    answer = system.http.request(
        method, path, content=b"\xff not even JSON", headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert f'scope="{PROTECTED[operation][0]}"' in answer.headers["www-authenticate"]
    rows = live.entries(system.client_id, kind="refusal")
    assert len(rows) == before + 1
    assert str(rows[-1]["id"]) == answer.json()["decisionId"]


@pytest.mark.parametrize("operation", PROTECTED, ids=" ".join)
def test_the_right_scope_gets_past_the_door(wire: Wire, operation: tuple[str, str]) -> None:
    method, path = operation
    ledger = PROTECTED[operation] == ("ledger:read",)
    answer = wire.send(Sent(method, path, b"" if method == "GET" else b"{}", system="pirha-dpo" if ledger else "pirha"))
    assert answer.status_code in {200, 400, 403, 404}, answer.text
    assert answer.status_code == 200 or answer.json()["code"] != "scope-missing"
