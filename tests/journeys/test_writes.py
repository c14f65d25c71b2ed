"""Writes: once for their key, over the revision that was seen, and never again disclosed once annulled."""

import concurrent.futures
import uuid
from typing import Any

import httpx
import pytest

from asks import CLERK, KELA, TAMPERE, WORKER, matter_body, now_text, record_body, today
from live import Live, verified
from systems import System


def replay_free(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "receipt"}


def written(live: Live, hetu: str) -> dict[str, tuple[System, str, str, dict[str, Any]]]:
    """One write of every kind this issue has, repeatable: system, method, path and body."""
    kela, pirha = live.system("kela"), live.system("pirha")
    stored = kela.deposit("payments", hetu, {"amount": "1.00"})
    pirha_disclosure = pirha.query(hetu, pirha.open_matter(hetu)).json()["disclosureId"]
    deposits = {
        "records": [
            {
                "resource": "payments",
                "recordId": str(uuid.uuid4()),
                "expectedRevision": None,
                **record_body(hetu, {"amount": "3.00"}),
            }
        ],
        "officer": CLERK,
    }
    return {
        "a matter": (pirha, "PUT", f"/v1/matters/M-{uuid.uuid4().hex[:8]}", matter_body(hetu, officer=WORKER)),
        "a record": (kela, "PUT", f"/v1/payments/{uuid.uuid4()}", record_body(hetu, {"amount": "2.00"}, officer=CLERK)),
        "deposits": (kela, "POST", "/v1/deposits", deposits),
        "an annulment": (kela, "POST", f"/v1/payments/{stored}/annulment", {"reason": "no-right", "officer": CLERK}),
        "a publication state": (
            kela,
            "PUT",
            "/v1/publication-states/plans",
            {"status": "current", "currentAsOf": now_text()},
        ),
        "prior information": (
            pirha,
            "POST",
            "/v1/prior-informations",
            {
                "subject": {"hetu": hetu},
                "receivedBy": "client",
                "textVersion": "1",
                "language": "fi",
                "at": now_text(minutes=-1),
                "officer": WORKER,
            },
        ),
        "an identifier change": (
            kela,
            "POST",
            "/v1/identifier-changes",
            {
                "from": {"hetu": hetu},
                "to": {"hetu": live.person()},
                "reason": "assigned",
                "effectiveAt": now_text(),
                "officer": CLERK,
            },
        ),
        "an erasure": (
            pirha,
            "POST",
            f"/v1/disclosures/{pirha_disclosure}/erasures",
            {"extent": "erased", "at": now_text(), "officer": WORKER},
        ),
    }


WRITES = (
    "a matter",
    "a record",
    "deposits",
    "an annulment",
    "a publication state",
    "prior information",
    "an identifier change",
    "an erasure",
)


@pytest.mark.parametrize("what", WRITES)
def test_a_repeat_is_answered_from_what_was_stored(live: Live, what: str) -> None:
    hetu = live.client_of_both()
    system, method, path, body = written(live, hetu)[what]
    key = uuid.uuid4().hex
    first, second = (system._write(method, path, body, key, {}) for _ in range(2))
    assert first.status_code in {200, 201}, first.text
    assert second.status_code == first.status_code
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json()
    for name in ("etag", "location"):
        assert second.headers.get(name) == first.headers.get(name)
    verified(live, first.json()["receipt"])
    assert hetu not in first.text + second.text
    entries = live.sql("select id from ledger.entry where id = $1", uuid.UUID(first.json()["receipt"]["entryId"]))
    assert len(entries) == 1


@pytest.mark.parametrize("what", WRITES)
def test_a_key_belongs_to_one_body_and_one_route(live: Live, what: str) -> None:
    system, method, path, body = written(live, live.client_of_both())[what]
    key = uuid.uuid4().hex
    assert system._write(method, path, body, key, {}).status_code in {200, 201}
    spaced = system.http.request(
        method,
        path,
        content=str(httpx.Request("POST", "http://x", json=body).content, "utf-8") + " ",
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
    )
    elsewhere = system.put(
        f"/v1/matters/M-{uuid.uuid4().hex[:8]}", matter_body(live.person(), officer=system.officer), key=key
    )
    for answer in (spaced, elsewhere):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


def test_anothers_same_key_is_its_own(live: Live) -> None:
    key, hetu = uuid.uuid4().hex, live.person()
    same_house = live.new_system("3221308-6")
    for system in (live.system("pirha"), live.system("varha"), same_house):
        done = system.put(f"/v1/matters/M-{uuid.uuid4().hex[:8]}", matter_body(hetu, officer=WORKER), key=key)
        assert done.status_code == 201
        assert "idempotent-replayed" not in done.headers


def test_what_is_kept_for_a_repeat_names_no_case(live: Live) -> None:
    pirha, reference = live.system("pirha"), f"SALA-{uuid.uuid4().hex[:8]}"
    pirha.open_matter(live.person(), reference)
    kept = live.sql(
        "select convert_from(answer, 'UTF8') as text from ledger.idempotency order by expires_at desc limit 1"
    )
    assert '"state":"open"' in kept[0]["text"]
    assert reference not in kept[0]["text"]


def test_the_first_records_of_somebody_may_come_all_at_once(live: Live) -> None:
    kela, hetu = live.system("kela"), live.person()

    def put(record: uuid.UUID) -> int:
        return kela.put(f"/v1/plans/{record}", record_body(hetu, {"exists": True}, officer=CLERK)).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as together:
        assert set(together.map(put, [uuid.uuid4() for _ in range(24)])) == {201}


def test_a_failed_write_leaves_its_key_free(live: Live) -> None:
    kela, hetu, key = live.system("kela"), live.person(), uuid.uuid4().hex
    record = kela.deposit("payments", hetu, {"amount": "1.00"})
    body = record_body(hetu, {"amount": "2.00"}, officer=CLERK)
    assert kela.put(f"/v1/payments/{record}", body, key=key, If_Match='"9"').status_code == 412
    assert kela.put(f"/v1/payments/{record}", body, key=key, If_Match='"1"').status_code == 200


def test_a_record_goes_from_revision_to_revision(live: Live) -> None:
    kela, hetu, path = live.system("kela"), live.person(), f"/v1/payments/{uuid.uuid4()}"
    created = kela.put(path, record_body(hetu, {"amount": "1.00"}, officer=CLERK))
    assert (created.status_code, created.headers["etag"], created.headers["location"]) == (201, '"1"', path)
    body = record_body(hetu, {"amount": "2.00"}, officer=CLERK)
    unstated = kela.put(path, body)
    assert (unstated.status_code, unstated.headers["etag"]) == (428, '"1"')
    changed = kela.put(path, body, If_Match='"1"')
    assert (changed.status_code, changed.headers["etag"], changed.headers.get("location")) == (200, '"2"', None)
    stale = kela.put(path, body, If_Match='"1"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    state = kela.get(path)
    assert (state.status_code, state.headers["etag"], state.json()["state"]) == (200, '"2"', "current")
    assert "2.00" not in state.text
    assert hetu not in state.text
    assert state.json()["digests"].keys() == {"ordinary"}
    verified(live, state.json()["receipt"])


def test_a_matter_goes_from_revision_to_revision_and_closes_without_one(live: Live) -> None:
    pirha, hetu = live.system("pirha"), live.person()
    path = f"/v1/matters/M-{uuid.uuid4().hex[:8]}"
    assert pirha.put(path, matter_body(hetu, officer=WORKER), If_Match='"1"').status_code == 412
    assert pirha.put(path, matter_body(hetu, officer=WORKER)).headers["etag"] == '"1"'
    moved = matter_body(hetu, officer=WORKER, unit="Kaleva")
    unstated = pirha.put(path, moved)
    assert (unstated.status_code, unstated.headers["etag"]) == (428, '"1"')
    assert pirha.put(path, moved, If_Match='"1"').headers["etag"] == '"2"'
    assert pirha.put(path, moved, If_Match='"1"').status_code == 412
    assert (
        pirha.put(path, matter_body(live.person(), officer=WORKER), If_Match='"2"').json()["code"] == "state-conflict"
    )
    closed = pirha.put(path, matter_body(hetu, officer=WORKER, state="closed"))
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")


def test_the_newest_revision_is_what_leaves(live: Live) -> None:
    hetu, kela, pirha = live.client_of_both(), live.system("kela"), live.system("pirha")
    reference = pirha.open_matter(hetu)
    record = kela.deposit("payments", hetu, {"date": today().isoformat(), "amount": "1.00"})
    kela.deposit("payments", hetu, {"date": today().isoformat(), "amount": "2.00"}, record=record, revision=1)
    found = [r for r in pirha.query(hetu, reference).json()["records"] if r["id"] == str(record)]
    assert [(r["revision"], r["fields"]["amount"]) for r in found] == [(2, "2.00")]


def test_an_annulled_record_never_leaves_again(live: Live) -> None:
    hetu, kela, pirha = live.client_of_both(), live.system("kela"), live.system("pirha")
    reference = pirha.open_matter(hetu)
    record = kela.deposit("payments", hetu, {"date": today().isoformat(), "amount": "9.00"})
    assert str(record) in pirha.query(hetu, reference).text
    done = kela.post(f"/v1/payments/{record}/annulment", {"reason": "wrong-person", "officer": CLERK})
    assert (done.status_code, done.json()["state"]) == (200, "annulled")
    assert str(record) not in pirha.query(hetu, reference).text
    assert kela.get(f"/v1/payments/{record}").json()["state"] == "annulled"
    again = kela.put(f"/v1/payments/{record}", record_body(hetu, {"amount": "9.00"}, officer=CLERK), If_Match='"1"')
    assert (again.status_code, again.json()["code"]) == (409, "state-conflict")


def test_deposits_are_all_or_none(live: Live) -> None:
    kela, pirha, hetu = live.system("kela"), live.system("pirha"), live.client_of_both()
    there = kela.deposit("payments", hetu, {"amount": "1.00"})
    fresh, wrong = uuid.uuid4(), live.person()

    def row(record: uuid.UUID, amount: str, expected: int | None, **members: Any) -> dict[str, Any]:
        stated = record_body(hetu, {"date": today().isoformat(), "amount": amount}, **members)
        return {"resource": "payments", "recordId": str(record), "expectedRevision": expected, **stated}

    for last in (row(there, "2.00", 5), row(there, "2.00", 1, subject={"hetu": wrong})):
        failed = kela.post("/v1/deposits", {"records": [row(fresh, "1.00", None), last], "officer": CLERK})
        assert failed.status_code in {409, 412}, failed.text
        assert kela.get(f"/v1/payments/{fresh}").status_code == 404
    done = kela.post("/v1/deposits", {"records": [row(fresh, "1.00", None), row(there, "2.00", 1)], "officer": CLERK})
    assert (done.status_code, [r["revision"] for r in done.json()["records"]]) == (201, [1, 2])
    assert {str(fresh), str(there)} <= {r["id"] for r in pirha.query(hetu, pirha.open_matter(hetu)).json()["records"]}


def test_a_hundred_records_are_one_deposit_and_one_entry(live: Live) -> None:
    kela, hetu = live.system("kela"), live.person()
    rows = [
        {
            "resource": "payments",
            "recordId": str(uuid.uuid4()),
            "expectedRevision": None,
            **record_body(hetu, {"amount": f"{n}.00"}),
        }
        for n in range(100)
    ]
    done = kela.post("/v1/deposits", {"records": rows, "officer": CLERK})
    assert done.status_code == 201, done.text
    assert len(done.json()["records"]) == 100
    before = len(live.entries("kela", kind="write"))
    assert kela.post("/v1/deposits", {"records": [*rows, rows[0]], "officer": CLERK}).status_code == 400
    assert len(live.entries("kela", kind="write")) == before


def test_a_deposit_names_a_wrong_identity_code_by_its_place(live: Live) -> None:
    kela, hetu = live.system("kela"), live.person()
    rows = [
        {
            "resource": "persons",
            "recordId": str(uuid.uuid4()),
            "expectedRevision": None,
            **record_body(hetu, {"hetu": "310252-9002"}),
        }
    ]
    refused = kela.post("/v1/deposits", {"records": rows, "officer": CLERK})
    assert refused.status_code == 400
    assert "310252-9002" not in refused.text
    assert KELA not in refused.text
    assert TAMPERE not in refused.json()["errors"][0]["pointer"]


@pytest.mark.parametrize("opened", ["2026-11-01", "2026-11-01T08:15:00Z", "2026-11-01T08:15:00.5+02:00"])
def test_a_matter_was_opened_on_a_day_or_at_a_moment(live: Live, opened: str) -> None:
    body = matter_body(live.person(), officer=WORKER) | {"openedAt": opened}
    assert live.system("pirha").put(f"/v1/matters/M-{uuid.uuid4().hex[:8]}", body).status_code == 201
