"""What stands afterwards: an auditor's sight, one's own disclosures, and what became of them."""

import base64
import datetime as dt
import json
import uuid

import httpx
import pytest

from asks import AUDITOR, KELA, PIRHA, VARHA, WORKER, audit_body, now_text
from live import Live, verified
from systems import System


def disclosed(live: Live, system: System) -> tuple[str, str]:
    """A disclosure to a county: its id and case reference."""
    municipality = {PIRHA: "837", VARHA: "853"}[system.organisation]
    hetu = live.client_of_both(municipality=municipality)
    reference = system.open_matter(hetu)
    answer = system.query(hetu, reference).json()
    assert answer["outcome"] == "disclosed"
    return answer["disclosureId"], reference


@pytest.mark.parametrize(
    ("auditor", "sees"), [("pirha-dpo", True), ("kela-dpo", True), ("ombudsman", True), ("varha-dpo", False)]
)
def test_an_auditor_sees_its_own_house_and_a_supervisor_all(live: Live, auditor: str, *, sees: bool) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    answer = live.system(auditor).entry(entry)
    assert (answer.status_code == 200) is sees, answer.text
    if not sees:
        assert answer.json()["code"] == "not-found"
    reads = [row for row in live.entries(auditor, kind="read", decision="entry-read") if str(row["refers"]) == entry]
    assert len(reads) == 1


def test_what_the_caller_may_not_learn_its_own_auditor_does_not_learn_for_it(live: Live) -> None:
    """Unknown or not competent: the discloser's house and a supervisor see which, the asker's sees one and the same."""
    pirha, told = live.system("pirha"), []
    for hetu, reason in (
        (live.person(), "subject-unknown"),
        (live.client_of_both(municipality="853"), "county-not-competent"),
    ):
        entry = pirha.query(hetu, pirha.open_matter(hetu)).json()["disclosureId"]
        for auditor in ("kela-dpo", "ombudsman"):
            assert json.loads(live.system(auditor).entry(entry).json()["leaf"])["reason"] == reason
        seen = live.system("pirha-dpo").entry(entry)
        assert seen.status_code == 200
        assert reason not in seen.text
        told.append({name: value for name, value in seen.json().items() if isinstance(value, list | None)})
    assert told[0] == told[1] == {"leaf": None, "fields": []}


def test_an_absent_entry_and_a_foreign_one_look_the_same(live: Live) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    varha = live.system("varha-dpo")
    session = varha.audit_session()
    foreign, absent = varha.entry(entry, session), varha.entry(str(uuid.uuid4()), session)
    assert foreign.status_code == absent.status_code == 404
    assert [{**a.json(), "instance": ""} for a in (foreign,)] == [{**absent.json(), "instance": ""}]


def test_without_a_session_nothing_is_seen_and_the_try_is_recorded(live: Live) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    dpo = live.system("pirha-dpo")
    answer = dpo.get(f"/v1/ledger/entries/{entry}")
    assert (answer.status_code, answer.json()["code"]) == (403, "audit-session-missing")
    rows = live.sql("select kind, reason from ledger.entry where id = $1", uuid.UUID(answer.json()["decisionId"]))
    assert rows == [{"kind": "refusal", "reason": "audit-session-missing"}]


def test_a_session_ends(live: Live) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    dpo = live.system("pirha-dpo")
    session = dpo.audit_session()
    assert dpo.entry(entry, session).status_code == 200
    live.sql(
        "update ledger.audit_session set until = now() - interval '1 second' where id = $1 returning id",
        uuid.UUID(session),
    )
    assert dpo.entry(entry, session).status_code == 403


def test_a_session_is_one_systems_own(live: Live) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    session = live.system("pirha-dpo").audit_session()
    colleague = live.new_system(PIRHA, ("ledger:read",))
    assert colleague.entry(entry, session).status_code == 403


def test_a_read_says_under_which_session_and_of_what(live: Live) -> None:
    """The session's own entry names the auditor (AsTL 10.2 §), so a read that names the session names them too."""
    dpo, kela = live.system("pirha-dpo"), live.system("kela")
    entry, _ = disclosed(live, live.system("pirha"))
    session = dpo.audit_session()
    read = dpo.entry(entry, session).json()["readReceipt"]["entryId"]
    assert dpo.entry(read, session).json()["payload"]["auditSession"] == session
    record = kela.deposit("plans", live.person(), {"exists": True})
    looked = kela.get(f"/v1/plans/{record}").json()["receipt"]["entryId"]
    assert live.system("kela-dpo").entry(looked).json()["payload"]["record"] == {"resource": "plans", "id": str(record)}


def test_a_session_is_recorded_with_its_dossier_in_the_payload_only(live: Live) -> None:
    dpo = live.system("pirha-dpo")
    done = dpo.post("/v1/audit-sessions", audit_body(officer=AUDITOR, dossier="DOS-SALA:1"))
    assert done.status_code == 201
    entry = dpo.entry(done.json()["receipt"]["entryId"]).json()
    assert entry["payload"]["caseReference"] == "DOS-SALA:1"
    assert entry["payload"]["officer"]["name"] == AUDITOR["name"]
    assert "DOS-SALA" not in entry["leaf"]
    assert AUDITOR["name"] not in entry["leaf"]
    assert '"purpose":"supervision-audit"' in entry["leaf"]


def test_both_parties_list_a_disclosure_each_in_its_role(live: Live) -> None:
    pirha, kela = live.new_system(PIRHA), live.system("kela")
    entry, reference = disclosed(live, pirha)
    received = pirha.get(f"/v1/disclosures?caseReference={reference}").json()
    assert [
        (d["id"], d["role"], d["discloser"], d["receiver"], d["caseReference"]) for d in received["disclosures"]
    ] == [(entry, "receiver", KELA, PIRHA, reference)]
    verified(live, received["disclosures"][0]["receipt"])
    verified(live, received["receipt"])
    given = kela.get(f"/v1/disclosures/{entry}").json()
    assert (given["role"], given["caseReference"]) == (
        "discloser",
        None,
    )  # the receiver's diary number stays the receiver's
    assert reference not in json.dumps(given)
    listed = kela.get("/v1/disclosures?role=discloser&limit=100").json()
    assert all(d["role"] == "discloser" for d in listed["disclosures"])
    for party in (pirha, kela):
        assert "412.30" not in party.get(f"/v1/disclosures/{entry}").text
    assert live.system("varha").get(f"/v1/disclosures/{entry}").status_code == 404
    assert entry not in json.dumps(live.system("varha").get("/v1/disclosures?limit=100").json())


def test_a_case_references_disclosures_are_found_by_it_alone(live: Live) -> None:
    pirha = live.system("pirha")
    (first, reference), (second, other) = disclosed(live, pirha), disclosed(live, pirha)
    for entry, named in ((first, reference), (second, other)):
        found = pirha.get(f"/v1/disclosures?caseReference={named}").json()["disclosures"]
        assert [d["id"] for d in found] == [entry]
    assert pirha.get("/v1/disclosures?caseReference=NONE-1").json()["disclosures"] == []
    assert (
        live.system("kela").get(f"/v1/disclosures?role=discloser&caseReference={reference}").json()["disclosures"] == []
    )


def test_a_list_is_paged_and_its_cursor_is_its_own(live: Live) -> None:
    pirha = live.system("pirha")
    since = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    made = [disclosed(live, pirha)[0] for _ in range(3)]
    until = now_text(minutes=5).replace("+00:00", "Z")
    window = f"from={since}&to={until}&limit=1"
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = pirha.get(f"/v1/disclosures?{window}" + (f"&after={cursor}" if cursor else "")).json()
        assert len(page["disclosures"]) == 1
        seen += [d["id"] for d in page["disclosures"]]
        cursor = page["nextCursor"]
    assert seen == made
    cursor = pirha.get(f"/v1/disclosures?{window}").json()["nextCursor"]
    for system, path in (
        (pirha, f"/v1/disclosures?role=discloser&{window}&after={cursor}"),
        (pirha, f"/v1/disclosures?caseReference=A-1&{window}&after={cursor}"),
        (live.system("varha"), f"/v1/disclosures?{window}&after={cursor}"),
    ):
        answer = system.get(path)
        assert (answer.status_code, answer.json()["code"]) == (410, "cursor-expired")


def test_a_default_list_pages_too(live: Live) -> None:
    pirha = live.system("pirha")
    disclosed(live, pirha), disclosed(live, pirha)
    first = pirha.get("/v1/disclosures?limit=1").json()
    second = pirha.get(f"/v1/disclosures?limit=1&after={first['nextCursor']}")
    assert second.status_code == 200, second.text
    assert second.json()["disclosures"][0]["id"] != first["disclosures"][0]["id"]


@pytest.mark.parametrize("extent", ["erased", "filed-in-client-document", "other-purpose"])
def test_the_receiver_says_what_became_of_the_copy(live: Live, extent: str) -> None:
    pirha = live.system("pirha")
    entry, _ = disclosed(live, pirha)
    body = {"extent": extent, "at": now_text(minutes=-1), "officer": WORKER}
    if extent == "other-purpose":
        body["purpose"] = "county-benefit-case"
    done = pirha.post(f"/v1/disclosures/{entry}/erasures", body)
    assert (done.status_code, done.json()["extent"]) == (201, extent)
    rows = live.sql(
        "select kind, decision, refers from ledger.entry where id = $1", uuid.UUID(done.json()["receipt"]["entryId"])
    )
    assert rows == [{"kind": "erasure", "decision": extent, "refers": uuid.UUID(entry)}]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"extent": "other-purpose"}, "/purpose"),
        ({"extent": "erased", "purpose": "county-benefit-case"}, "/purpose"),
        ({"extent": "other-purpose", "purpose": "fun"}, "/purpose"),
    ],
)
def test_only_another_purpose_is_named_and_only_a_known_one(live: Live, members: dict[str, str], pointer: str) -> None:
    pirha = live.system("pirha")
    answer = pirha.post(f"/v1/disclosures/{uuid.uuid4()}/erasures", {"at": now_text(), "officer": WORKER, **members})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_only_the_receiver_attests(live: Live) -> None:
    entry, _ = disclosed(live, live.system("pirha"))
    for name in ("kela", "varha"):
        system = live.system(name)
        answer = system.post(
            f"/v1/disclosures/{entry}/erasures", {"extent": "erased", "at": now_text(), "officer": system.officer}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_the_writers_leaves_are_an_unbroken_chain(live: Live) -> None:
    disclosed(live, live.system("pirha"))
    rows = live.sql("select leaf, leaf_hash, writer, counter from ledger.entry order by writer, counter")
    previous: dict[str, tuple[int, bytes]] = {}
    for row in rows:
        leaf = json.loads(row["leaf"])
        writer = str(row["writer"])
        if writer in previous:
            counter, digest = previous[writer]
            assert row["counter"] == counter + 1
            assert leaf["previous"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        previous[writer] = (row["counter"], row["leaf_hash"])
    assert previous


def test_every_answer_of_a_read_rests_on_an_entry(live: Live) -> None:
    pirha = live.new_system(PIRHA)
    entry, _ = disclosed(live, pirha)
    for answer in (pirha.get("/v1/disclosures"), pirha.get(f"/v1/disclosures/{entry}")):
        receipt = answer.json().get("readReceipt") or answer.json()["receipt"]
        rows = live.sql("select kind, client from ledger.entry where id = $1", uuid.UUID(receipt["entryId"]))
        assert rows == [{"kind": "read", "client": pirha.client_id}]
    assert isinstance(answer, httpx.Response)
