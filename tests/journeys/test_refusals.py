"""Every refusal this issue can give over HTTP: how it is reached, what it says, and that it is recorded before it is said."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asks import (
    CLERK,
    CLOSED,
    KELA,
    NEWCOMER,
    P01,
    P09,
    PIRHA,
    WORKER,
    audit_body,
    matter_body,
    now_text,
    record_body,
    today,
)
from live import Live, verified

Ask = Callable[[Live], httpx.Response]


def asked(system: str = "pirha", *, matter: bool = True, **members: Any) -> Ask:
    """A query on a known client with a matter of the asker's own, but for what `members` change."""

    def ask(live: Live) -> httpx.Response:
        caller, hetu = live.system(system), live.client_of_both()
        reference = caller.open_matter(hetu) if matter else f"ASIA-{uuid.uuid4().hex[:10]}"
        return caller.query(hetu, reference, **members)

    return ask


def closed_matter(live: Live) -> httpx.Response:
    pirha, hetu = live.system("pirha"), live.client_of_both()
    reference = pirha.open_matter(hetu)
    assert pirha.put(f"/v1/matters/{reference}", matter_body(hetu, officer=WORKER, state="closed")).status_code == 200
    return pirha.query(hetu, reference)


def foreign_matter(live: Live) -> httpx.Response:
    hetu = live.client_of_both()
    return live.system("pirha").query(hetu, live.system("varha").open_matter(hetu))


def matter_on_another(live: Live) -> httpx.Response:
    pirha = live.system("pirha")
    return pirha.query(live.client_of_both(), pirha.open_matter(live.client_of_both()))


def without_telling(live: Live) -> httpx.Response:
    kela, hetu = live.system("kela"), live.known_at_county(live.system("pirha"))
    return kela.query(hetu, kela.open_matter(hetu, kind="basic-assistance"), purpose=P09, controller=PIRHA)


def too_often(live: Live) -> httpx.Response:
    helsinki, hetu = live.system("helsinki"), live.client_of_both(municipality="091")
    reference = helsinki.open_matter(hetu)
    for _ in range(2):
        assert helsinki.query(hetu, reference).json()["outcome"] == "disclosed"
    return helsinki.query(hetu, reference)


def no_session(live: Live) -> httpx.Response:
    return live.system("pirha-dpo").get(f"/v1/ledger/entries/{uuid.uuid4()}")


def months_ago(months: int) -> str:
    return (today().replace(day=15) - dt.timedelta(days=30 * months)).isoformat()


RECORDED: dict[str, tuple[str, Ask]] = {
    # the contract's order: token, officer, purpose, party and direction, agreement, matter, prior information, fields, ceilings
    "no officer in token or body": ("officer-missing", asked(officer=None)),
    "no officer for a write": (
        "officer-missing",
        lambda live: live.system("pirha").put(f"/v1/matters/M-{uuid.uuid4().hex[:8]}", matter_body(live.person())),
    ),
    "a role the purpose does not know": ("officer-role", asked(officer={**WORKER, "role": "finance"})),
    "an unattended run where a person is needed": (
        "officer-role",
        asked(officer={"kind": "process", "id": "b-1", "name": "Ajo", "responsibleUnit": "Unit"}),
    ),
    "a case worker opens an audit session": (
        "officer-role",
        lambda live: live.system("pirha-dpo").post("/v1/audit-sessions", audit_body(officer=WORKER)),
    ),
    "a purpose nobody has heard of": ("purpose-unknown", asked(purpose="curiosity")),
    "a purpose that is switched off": ("purpose-not-agreed", asked(purpose="recovery-claim")),
    "parties without an agreement": ("purpose-not-agreed", asked("newcomer")),
    "one that is party to no purpose asks": ("party-not-entitled", asked("supervisor")),
    "a controller that is no party": ("party-not-entitled", asked(controller=NEWCOMER)),
    "a controller that is nobody": ("party-not-entitled", asked(controller="1234567-1")),
    "a controller that is switched off": (
        "party-not-entitled",
        asked("kela", purpose=P09, controller=CLOSED, officer=CLERK),
    ),
    "the right purpose the wrong way round": ("direction-not-allowed", asked("kela", controller=PIRHA, officer=WORKER)),
    "no matter reported": ("matter-missing", asked(matter=False)),
    "a matter that is closed": ("matter-closed", closed_matter),
    "another organisation's matter": ("matter-foreign", foreign_matter),
    "a matter on somebody else": ("subject-mismatch", matter_on_another),
    "the client was not told": ("prior-information-missing", without_telling),
    "a field the purpose never releases": ("field-not-permitted", asked(fields=["contact.address"])),
    "a field that does not exist": ("field-not-permitted", asked(fields=["decision.mood"])),
    "a field only notices carry": ("field-not-permitted", asked(fields=["referral.text"])),
    "an optional field without a necessity": ("necessity-missing", asked(fields=["housing.accepted"])),
    "a necessity that justifies another field": (
        "necessity-missing",
        asked(fields=["housing.accepted"], necessity={"housing.accepted": "communication-needs"}),
    ),
    "a necessity that is no code": (
        "necessity-missing",
        asked(fields=["housing.accepted"], necessity={"housing.accepted": "because"}),
    ),
    "further back than the purpose allows": (
        "window-exceeded",
        asked(period={"from": months_ago(14), "to": months_ago(1)}),
    ),
    "further back than the agreement allows": (
        "window-exceeded",
        asked("helsinki", period={"from": months_ago(3), "to": today().isoformat()}),
    ),
    "too far ahead": (
        "window-exceeded",
        asked(period={"from": today().isoformat(), "to": (today() + dt.timedelta(days=100)).isoformat()}),
    ),
    "more often than agreed": ("frequency-exceeded", too_often),
    "a token without the scope": (
        "scope-missing",
        lambda live: live.system("pirha", "matter:write").query(live.person(), "ASIA-1"),
    ),
    "disclosures as discloser without the right to deposit": (
        "scope-missing",
        lambda live: live.system("pirha", "case:read").get("/v1/disclosures?role=discloser"),
    ),
    "a ledger read outside any session": ("audit-session-missing", no_session),
    "a ledger read in nobody's session": (
        "audit-session-missing",
        lambda live: live.system("pirha-dpo").entry(str(uuid.uuid4()), str(uuid.uuid4())),
    ),
    "a ledger read in another organisation's session": (
        "audit-session-missing",
        lambda live: live.system("pirha-dpo").entry(str(uuid.uuid4()), live.system("ombudsman").audit_session()),
    ),
}
POINTED = {
    "the fields that are not the purpose's": (
        {"fields": ["decision.amount", "contact.address", "decision.mood"]},
        ["/fields/1", "/fields/2"],
    ),
    "the optional field that nothing justifies": (
        {"fields": ["housing.accepted", "decision.amount"], "necessity": {}},
        ["/fields/0"],
    ),
    "the optional field whose code justifies another": (
        {"fields": ["decision.amount", "housing.accepted"], "necessity": {"housing.accepted": "communication-needs"}},
        ["/fields/1"],
    ),
    "the window": ({"period": {"from": "2019-01-01", "to": "2019-01-31"}}, ["/period"]),
    "the role": ({"officer": WORKER | {"role": "finance"}}, ["/officer/role"]),
}


@pytest.mark.parametrize("sentence", POINTED)
def test_a_refusal_points_at_the_member_it_is_about(live: Live, sentence: str) -> None:
    members, pointers = POINTED[sentence]
    pirha, hetu = live.system("pirha"), live.person()
    pirha.open_matter(hetu, reference := f"ASIA-{uuid.uuid4().hex[:8]}")
    answer = pirha.query(hetu, reference, **members)
    assert answer.status_code == 403, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


TITLES = {
    "matter-missing": {"fi": "Vireillä oleva asia puuttuu", "en": "Pending matter missing"},
}


@pytest.mark.parametrize("how", RECORDED)
def test_a_refusal_is_recorded_before_it_is_said(live: Live, how: str) -> None:
    code, ask = RECORDED[how]
    answer = ask(live)
    assert answer.status_code == 403, answer.text
    problem = answer.json()
    assert problem["code"] == code
    assert problem.keys() >= {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "decisionId",
        "remedy",
        "receipt",
    }
    assert problem["instance"].startswith("urn:uuid:")
    assert problem["decisionId"] == problem["receipt"]["entryId"]
    verified(live, problem["receipt"])
    rows = live.sql(
        "select kind, decision, reason, organisation from ledger.entry where id = $1", uuid.UUID(problem["decisionId"])
    )
    assert [(row["kind"], row["decision"], row["reason"]) for row in rows] == [("refusal", "refuse", code)]
    assert httpx.get(problem["type"]).json()["code"] == code


def known(live: Live) -> tuple[str, uuid.UUID]:
    hetu = live.person()
    return hetu, live.system("kela").deposit("payments", hetu, {"amount": "1.00"})


def annulled_twice(live: Live) -> httpx.Response:
    kela, (_, record) = live.system("kela"), known(live)
    body = {"reason": "wrong-content", "officer": CLERK}
    assert kela.post(f"/v1/payments/{record}/annulment", body).status_code == 200
    return kela.post(f"/v1/payments/{record}/annulment", body)


def other_persons_record(live: Live) -> httpx.Response:
    kela, (_, record) = live.system("kela"), known(live)
    return kela.put(
        f"/v1/payments/{record}", record_body(live.person(), {"amount": "2.00"}, officer=CLERK), If_Match='"1"'
    )


def changed(live: Live, **headers: str) -> httpx.Response:
    kela, (hetu, record) = live.system("kela"), known(live)
    return kela.put(f"/v1/payments/{record}", record_body(hetu, {"amount": "2.00"}, officer=CLERK), **headers)


def reused_key(live: Live) -> httpx.Response:
    pirha, hetu, key = live.system("pirha"), live.person(), uuid.uuid4().hex
    path = f"/v1/matters/M-{uuid.uuid4().hex[:8]}"
    assert pirha.put(path, matter_body(hetu, officer=WORKER), key=key).status_code == 201
    return pirha.put(path, matter_body(hetu, officer=WORKER, unit="Kaleva"), key=key)


def keyless(live: Live) -> httpx.Response:
    return live.system("pirha").http.put("/v1/matters/M-1", json=matter_body(live.person(), officer=WORKER))


def telling(**members: Any) -> Ask:
    def ask(live: Live) -> httpx.Response:
        body = {
            "subject": {"hetu": live.person()},
            "receivedBy": "client",
            "textVersion": "1",
            "language": "fi",
            "at": now_text(minutes=-1),
            "officer": CLERK,
        }
        return live.system("kela").post("/v1/prior-informations", body | members)

    return ask


UNUSABLE: dict[str, tuple[int, str, str | None, Ask]] = {
    "no idempotency key": (400, "idempotency-key-missing", None, keyless),
    "a key of seven characters": (
        400,
        "invalid-value",
        "/headers/Idempotency-Key",
        lambda live: live.system("pirha").put(
            "/v1/matters/M-1", matter_body(live.person(), officer=WORKER), key="short-1"
        ),
    ),
    "an unknown matter kind": (
        400,
        "invalid-value",
        "/kind",
        lambda live: live.system("pirha").put(
            "/v1/matters/M-1", matter_body(live.person(), officer=WORKER, kind="hobby")
        ),
    ),
    "told in the future": (400, "invalid-value", "/at", telling(at=now_text(hours=1))),
    "told in no known language": (400, "invalid-value", "/language", telling(language="la")),
    "retained until yesterday": (
        400,
        "invalid-value",
        "/retainUntil",
        lambda live: live.system("kela").put(
            f"/v1/payments/{uuid.uuid4()}", record_body(live.person(), {}, officer=CLERK, retainUntil="2020-01-01")
        ),
    ),
    "an audit purpose of one's own": (
        400,
        "invalid-value",
        "/auditPurpose",
        lambda live: live.system("pirha-dpo").post("/v1/audit-sessions", audit_body(auditPurpose="gossip")),
    ),
    "an audit longer than a day's work": (
        400,
        "invalid-value",
        "/until",
        lambda live: live.system("pirha-dpo").post(
            "/v1/audit-sessions",
            audit_body(officer={**WORKER, "role": "data-protection-officer"}, until=now_text(hours=9)),
        ),
    ),
    "a list over more than a year": (
        400,
        "invalid-value",
        "/query/from",
        lambda live: live.system("pirha").get("/v1/disclosures?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"),
    ),
    "a resource that only travels in notices": (
        404,
        "not-found",
        None,
        lambda live: live.system("kela").put(f"/v1/referrals/{uuid.uuid4()}", {}),
    ),
    "a record nobody deposited": (
        404,
        "not-found",
        None,
        lambda live: live.system("kela").get(f"/v1/payments/{uuid.uuid4()}"),
    ),
    "another controller's record": (
        404,
        "not-found",
        None,
        lambda live: live.system("pirha").get(f"/v1/payments/{known(live)[1]}"),
    ),
    "annulling another controller's record": (
        404,
        "not-found",
        None,
        lambda live: live.system("pirha").post(
            f"/v1/payments/{known(live)[1]}/annulment", {"reason": "no-right", "officer": WORKER}
        ),
    ),
    "a disclosure nobody made": (
        404,
        "not-found",
        None,
        lambda live: live.system("pirha").get(f"/v1/disclosures/{uuid.uuid4()}"),
    ),
    "erasing a disclosure nobody made": (
        404,
        "not-found",
        None,
        lambda live: live.system("pirha").post(
            f"/v1/disclosures/{uuid.uuid4()}/erasures", {"extent": "erased", "at": now_text(), "officer": WORKER}
        ),
    ),
    "a problem that is none": (404, "not-found", None, lambda live: live.system("pirha").get("/v1/problems/nonsense")),
    "a purpose that is none": (404, "not-found", None, lambda live: live.system("pirha").get("/v1/purposes/nonsense")),
    "annulled already": (409, "state-conflict", None, annulled_twice),
    "a record does not change its person": (409, "state-conflict", None, other_persons_record),
    "a cursor of nothing": (410, "cursor-expired", None, asked(cursor="AAAA")),
    "a list's cursor of nothing": (
        410,
        "cursor-expired",
        None,
        lambda live: live.system("pirha").get("/v1/disclosures?after=AAAA"),
    ),
    "a revision nobody has seen": (412, "precondition-failed", None, lambda live: changed(live, If_Match='"7"')),
    "a change without the revision seen": (428, "precondition-required", None, changed),
    "another body under the same key": (422, "idempotency-key-reused", None, reused_key),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_request_that_cannot_be_used(live: Live, how: str) -> None:
    status, code, pointer, ask = UNUSABLE[how]
    answer = ask(live)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    if pointer is not None:
        assert pointer in [row["pointer"] for row in answer.json()["errors"]]
    assert httpx.get(answer.json()["type"]).status_code == 200


def test_a_refusal_speaks_the_callers_language(live: Live) -> None:
    pirha, texts = live.system("pirha"), set()
    for language in ("fi", "sv", "en"):
        answer = pirha.query(live.person(), "ASIA-1", headers={"Accept-Language": f"{language}-FI, *;q=0.1"})
        assert answer.headers["content-language"] == language
        problem = answer.json()
        page = httpx.get(problem["type"], headers={"Accept-Language": language}).json()
        assert (problem["title"], problem["detail"], problem["remedy"]) == tuple(
            page[m][language] for m in ("title", "detail", "remedy")
        )
        texts.add(problem["detail"])
    assert len(texts) == 3


def test_a_refusals_text_is_the_same_whoever_is_asked_about(live: Live) -> None:
    pirha = live.system("pirha")
    bodies = []
    for hetu in (live.person(), live.client_of_both()):
        problem = pirha.query(hetu, "ASIA-NEVER").json()
        bodies.append(
            {name: value for name, value in problem.items() if name not in {"instance", "decisionId", "receipt"}}
        )
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "matter-missing"


def test_the_callers_side_is_judged_before_the_person_is(live: Live) -> None:
    unknown = live.person()
    pirha = live.system("pirha")
    reference = pirha.open_matter(unknown)
    for members, code in (
        ({"purpose": "curiosity"}, "purpose-unknown"),
        ({"fields": ["contact.address"]}, "field-not-permitted"),
        ({"officer": {**WORKER, "role": "finance"}}, "officer-role"),
        ({"controller": KELA, "purpose": P01, "fields": ["housing.accepted"]}, "necessity-missing"),
    ):
        assert pirha.query(unknown, reference, **members).json()["code"] == code
