"""What stands is told to a caller that still holds: at every write, a suspended or revoked one learns nothing of it."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asks import CASEWORK, KELA, WORKER
from journeys.test_mandates import of_system, revoke
from journeys.test_writes import WRITES, written
from live import Live
from systems import System

ENDS: dict[str, Callable[[System], object]] = {
    "suspended": of_system("client", "state = 'suspended'"),
    "revoked": revoke,
}


def asks(live: Live, what: str, body: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    """Paths and bodies that are answered from what stands or does not: the same again, and what is about nothing."""
    told = [(path, body)]
    if what in {"an annulment", "an erasure"}:
        parts = path.split("/")
        told.append(("/".join([*parts[:3], str(uuid.uuid4()), *parts[4:]]), body))
    if what == "an identifier change":
        told += [(path, body | {"from": {"hetu": live.person()}}), (path, body | {"to": body["from"]})]
    return told


def by_hand(system: System, method: str, path: str, body: Any, key: str) -> httpx.Response:
    """The write with a proof of its own; a body of bytes goes out as it is."""
    content = body if isinstance(body, bytes) else httpx.Request("POST", "http://x", json=body).content
    headers = system.signed(method, path) | {"Idempotency-Key": key, "Content-Type": "application/json"}
    return httpx.request(method, f"{system.live.url}{path}", content=content, headers=headers)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("what", WRITES)
def test_a_caller_that_no_longer_holds_learns_nothing_of_what_stands(live: Live, what: str, end: str) -> None:
    first, method, path, body = written(live, live.client_of_both())[what]
    leaver, stayer = (live.new_system(first.organisation) for _ in range(2))
    used = uuid.uuid4().hex
    for system in (leaver, stayer):
        system.token()
        by_hand(system, method, path, body, used)
    told = asks(live, what, body, path)

    def answers(system: System) -> list[httpx.Response]:
        return [
            by_hand(system, method, path, httpx.Request("POST", "http://x", json=body).content + b" ", used),
            *(by_hand(system, method, where, said, uuid.uuid4().hex) for where, said in told),
        ]

    ENDS[end](leaver)
    entries = len(live.entries(leaver.client_id, kind="refusal"))
    for answer in answers(leaver):
        assert (answer.status_code, answer.json().get("error")) == (401, "invalid_token"), answer.text
        assert "etag" not in answer.headers
    assert len(live.entries(leaver.client_id, kind="refusal")) == entries
    assert {answer.status_code for answer in answers(stayer)}.isdisjoint({401, 500})


def test_asking_who_is_known_is_recorded_and_takes_a_proof_each(live: Live) -> None:
    kela = live.new_system(KELA, CASEWORK)
    known, unknown = live.client_of_both(), live.person()
    path = "/v1/identifier-changes"
    body = written(live, known)["an identifier change"][3] | {"officer": WORKER}
    for hetu, code in ((known, "invalid-value"), (unknown, "invalid-value")):
        same = kela.post(path, body | {"from": {"hetu": hetu}, "to": {"hetu": hetu}})
        assert (same.status_code, same.json()["code"]) == (400, code)
    headers = kela.signed("POST", path) | {"Idempotency-Key": uuid.uuid4().hex}
    asked = [httpx.post(live.url + path, json=body | {"from": {"hetu": unknown}}, headers=headers) for _ in range(2)]
    assert (asked[0].status_code, asked[0].json()["code"]) == (404, "not-found")
    assert (asked[1].status_code, asked[1].json()["error"]) == (401, "invalid_dpop_proof")
    rows = live.entries(kela.client_id, kind="refusal")
    assert [(str(row["id"]), row["reason"]) for row in rows] == [(asked[0].json()["decisionId"], "subject-unknown")]
    assert unknown not in asked[0].text
