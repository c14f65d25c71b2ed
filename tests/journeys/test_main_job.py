"""The main job end to end, as the outside sees it: deposits, matter, query, answer, receipt, and what an auditor reads."""

import base64
import csv
import hashlib
import json
import pathlib
import re
import uuid
from typing import Any

import pytest

from asks import CLERK, KELA, P09, PIRHA, RUN, WORKER, now_text, today
from live import Live, verified

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "field-matrix.csv"
MATRIX = list(csv.DictReader(VECTORS.read_text(encoding="utf-8").splitlines()))
WORKER_FIELDS = {"workerUnit", "workerRole", "workerContact"}
NOT_IN_RECORDS = re.compile("person.hetu|legal[.]|case[.]|referral[.]|activation[.]|integration[.]")


def column(number: str, letter: str) -> set[str]:
    return {line["path"] for line in MATRIX if line[number][0] == letter and not NOT_IN_RECORDS.match(line["path"])}


def by_resource(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {record["resource"]: record["fields"] for record in body["records"]}


def test_a_county_gets_exactly_the_fields_the_law_releases_and_can_prove_it(live: Live) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    answer = pirha.query(hetu, reference)
    assert answer.status_code == 200
    body = answer.json()
    assert body["outcome"] == "disclosed"
    fields = by_resource(body)
    assert fields.keys() == {"persons", "decisions", "calculations"}  # housing costs are wholly o-fields
    assert fields["persons"].keys() - WORKER_FIELDS == {"name", "serviceLanguage", "homeMunicipality", "turvakielto"}
    assert fields["decisions"].keys() - WORKER_FIELDS == {"id", "date", "type", "period", "amount"}
    assert fields["calculations"].keys() - WORKER_FIELDS == {"basicAmount", "otherBasic", "income", "result"}
    assert fields["decisions"]["amount"] == "412.30"
    assert {row["field"] for row in body["withheld"]} == column("P01", "o")
    assert {row["reason"] for row in body["withheld"]} == {"not-requested"}
    for secret in (hetu, "+358401234567", "Salainen perustelu", "700.00", "deposit"):
        assert secret not in answer.text
    assert body["purpose"]["id"] == "county-benefit-case"
    assert body["basis"]["kind"] == "statutePull"
    assert ("1412/1997", "18 g") in {(p["act"], p["section"]) for p in body["basis"]["provisions"]}
    assert "812/2000" not in answer.text  # repealed
    assert body["eraseBy"] > today().isoformat()
    assert {record["controller"] for record in body["records"]} == {KELA}
    assert body["nextCursor"] is None
    assert body["receipt"]["entryId"] == body["disclosureId"]
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["content-digest"] == f"sha-256=:{digest}:"
    verified(live, body["receipt"])


def test_an_auditor_recomputes_the_receipt_from_the_leaf(live: Live) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    body = pirha.query(hetu, reference).json()
    entry = live.system("pirha-dpo").entry(body["disclosureId"]).json()
    leaf = entry["leaf"].encode()
    expected = base64.b64encode(hashlib.sha256(b"\x00" + leaf).digest()).decode()
    assert body["receipt"]["leafHash"] == entry["leafHash"] == f"sha-256=:{expected}:"
    told = json.loads(leaf)
    assert (told["kind"], told["decision"], told["organisation"], told["counterparty"]) == (
        "disclosure",
        "permit",
        PIRHA,
        KELA,
    )
    manifest = json.loads(entry["manifest"])
    assert (
        base64.urlsafe_b64encode(hashlib.sha256(entry["manifest"].encode()).digest()).decode().rstrip("=")
        == told["manifest"]
    )
    assert {(row[0], row[1]) for row in manifest} == {(r["resource"], r["id"]) for r in body["records"]}
    assert set(entry["fields"]) == {
        p for p in column("P01", "R") if p.split(".")[0] in {"person", "decision", "calculation", "worker"}
    }
    assert entry["payload"]["officer"] == {"kind": "person", **WORKER}
    assert entry["payload"]["caseReference"] == reference
    for secret in (hetu, WORKER["name"], reference):
        assert secret not in entry["leaf"] + entry["manifest"]
    verified(live, entry["readReceipt"])


def test_kela_needs_prior_information_before_it_asks_a_county(live: Live) -> None:
    pirha, kela = live.system("pirha"), live.system("kela")
    hetu = live.known_at_county(pirha)
    reference = kela.open_matter(hetu, kind="basic-assistance")
    early = kela.query(hetu, reference, purpose=P09, controller=PIRHA)
    assert (early.status_code, early.json()["code"]) == (403, "prior-information-missing")
    told = {
        "subject": {"hetu": hetu},
        "receivedBy": "client",
        "textVersion": "2026-1",
        "language": "fi",
        "at": now_text(minutes=-1),
        "officer": CLERK,
    }
    recorded = kela.post("/v1/prior-informations", told)
    assert recorded.status_code == 201, recorded.text
    answer = kela.query(hetu, reference, purpose=P09, controller=PIRHA)
    assert answer.json()["outcome"] == "disclosed", answer.text
    assert by_resource(answer.json()).keys() == {"persons"}  # decisions and plans are o-fields
    assert {row["field"] for row in answer.json()["withheld"]} == column("P09", "o")
    entry = live.system("kela-dpo").entry(answer.json()["disclosureId"]).json()
    assert entry["payload"]["priorInformationId"] == recorded.json()["id"]
    justified = kela.query(
        hetu,
        reference,
        purpose=P09,
        controller=PIRHA,
        fields=["countyDecision.amount", "countyDecision.kind"],
        necessity={"countyDecision.amount": "decision-coordination", "countyDecision.kind": "decision-coordination"},
    )
    assert by_resource(justified.json()) == {"county-decisions": {"kind": "supplementary", "amount": "80.00"}}


def test_prior_information_of_another_person_or_organisation_does_not_count(live: Live) -> None:
    pirha, varha, kela = live.system("pirha"), live.system("varha"), live.system("kela")
    hetu = live.known_at_county(pirha)
    reference = kela.open_matter(hetu, kind="basic-assistance")
    for system, subject in ((kela, live.person()), (varha, hetu)):
        told = {
            "subject": {"hetu": subject},
            "receivedBy": "client",
            "textVersion": "2026-1",
            "language": "fi",
            "at": now_text(minutes=-1),
            "officer": system.officer,
        }
        assert system.post("/v1/prior-informations", told).status_code == 201
    assert kela.query(hetu, reference, purpose=P09, controller=PIRHA).json()["code"] == "prior-information-missing"


def test_only_the_fields_asked_for_leave_and_optional_ones_with_a_necessity(live: Live) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    asked = pirha.query(
        hetu,
        reference,
        fields=["decision.amount", "housing.accepted"],
        necessity={"housing.accepted": "housing-costs-assessment"},
    )
    assert by_resource(asked.json()) == {"decisions": {"amount": "412.30"}, "housing-costs": {"accepted": "650.00"}}
    entry = live.system("kela-dpo").entry(asked.json()["disclosureId"]).json()
    assert entry["fields"] == ["decision.amount", "housing.accepted"]


def test_existence_says_yes_per_resource_and_month_and_opens_nothing(live: Live) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    answer = pirha.query(hetu, pirha.open_matter(hetu), form="existence").json()
    month = f"{today():%Y-%m}"
    assert answer["records"] == []
    assert {(line["resource"], line["month"], line["exists"]) for line in answer["existence"]} == {
        ("persons", None, True),
        ("calculations", None, True),
        ("decisions", month, True),
    }
    assert "412.30" not in json.dumps(answer)
    assert live.system("pirha-dpo").entry(answer["disclosureId"]).json()["fields"] == []


def test_pages_hold_each_record_once_and_each_is_a_decision_of_its_own(live: Live) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    whole = {r["id"] for r in pirha.query(hetu, reference).json()["records"]}
    seen: list[str] = []
    disclosures: set[str] = set()
    cursor: str | None = None
    for _ in range(len(whole)):
        page = pirha.query(hetu, reference, limit=1, cursor=cursor).json()
        assert len(page["records"]) == 1
        seen += [r["id"] for r in page["records"]]
        disclosures.add(page["disclosureId"])
        cursor = page["nextCursor"]
    assert cursor is None
    assert set(seen) == whole
    assert len(disclosures) == len(seen) == len(whole)


def test_a_cursor_is_worthless_for_another_question(live: Live) -> None:
    hetu, other, pirha = live.client_of_both(), live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    cursor = pirha.query(hetu, reference, limit=1).json()["nextCursor"]
    elsewhere = pirha.open_matter(other)
    for answer in (
        pirha.query(other, elsewhere, limit=1, cursor=cursor),
        pirha.query(hetu, reference, limit=1, cursor=cursor[:-2] + "AA"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (410, "cursor-expired")


def test_a_period_finds_the_months_it_names(live: Live) -> None:
    hetu, pirha, kela = live.client_of_both(), live.system("pirha"), live.system("kela")
    kela.deposit("payments", hetu, {"date": f"{today():%Y-%m}-01", "amount": "100.00"})
    last = today().replace(day=1).toordinal() - 1
    before = type(today()).fromordinal(last)
    kela.deposit("payments", hetu, {"date": before.isoformat(), "amount": "99.00"})
    reference = pirha.open_matter(hetu)

    def paid(**period: str) -> set[str]:
        answer = pirha.query(hetu, reference, fields=["payment.amount"], period=period or None).json()
        return {r["fields"]["amount"] for r in answer["records"]}

    assert paid() == {"100.00", "99.00"}
    assert paid(**{"from": before.isoformat(), "to": before.isoformat()}) == {"99.00"}
    assert paid(**{"from": today().isoformat(), "to": today().isoformat()}) == {"100.00"}


def test_the_pairwise_id_asks_again_and_means_nothing_to_others(live: Live) -> None:
    hetu, pirha, varha = live.client_of_both(), live.system("pirha"), live.system("varha")
    reference = pirha.open_matter(hetu)
    first = pirha.query(hetu, reference).json()
    subject = first["subject"]
    again = pirha.query(hetu, reference, subject=subject).json()
    assert {r["id"] for r in again["records"]} == {r["id"] for r in first["records"]}
    assert again["subject"] == subject
    foreign = varha.query(hetu, varha.open_matter(hetu)).json()["subject"]
    assert foreign != subject
    stolen = varha.query(hetu, reference, subject=subject)
    assert (stolen.status_code, stolen.json()["code"]) == (400, "invalid-value")
    assert stolen.json()["errors"] == [{"pointer": "/subject", "code": "invalid-value"}]


def test_a_person_without_an_identity_code_is_found_by_oid(live: Live) -> None:
    oid = {"personOid": f"1.2.246.10.2462460.22.2026.{uuid.uuid4().int % 10**9}"}
    kela, pirha = live.system("kela"), live.system("pirha")
    kela.deposit("persons", "", {"name": "Nimetön Salanimi", "homeMunicipality": "837"}, subject=oid)
    kela.deposit("decisions", "", {"date": today().isoformat(), "amount": "5.00"}, subject=oid)
    answer = pirha.query("", pirha.open_matter("", subject=oid), subject=oid).json()
    assert by_resource(answer)["decisions"]["amount"] == "5.00"


def test_a_publication_state_stands_in_sources_and_never_depends_on_the_person(live: Live) -> None:
    kela, pirha = live.system("kela"), live.system("pirha")
    as_of = now_text(hours=-3)
    path = "/v1/publication-states/decisions"
    stated = kela.put(path, {"status": "delayed", "currentAsOf": as_of})
    assert stated.status_code in {200, 201}, stated.text
    assert stated.json()["receipt"]["entryId"]
    known, unknown = live.client_of_both(), live.person()
    answers = [pirha.query(h, pirha.open_matter(h)).json()["sources"] for h in (known, unknown)]
    assert answers[0] == answers[1]
    assert [(s["controller"], s["status"]) for s in answers[0] if s["resource"] == "decisions"] == [(KELA, "delayed")]
    assert kela.put(path, {"status": "current", "currentAsOf": now_text()}).status_code == 200


@pytest.mark.parametrize("place", ["token", "body", "both"])
def test_the_officer_may_stand_in_token_body_or_both(live: Live, place: str) -> None:
    hetu, pirha = live.client_of_both(), live.system("pirha")
    reference = pirha.open_matter(hetu)
    system = live.system("pirha", "case:read", officer=WORKER) if place != "body" else pirha
    answer = system.query(hetu, reference, officer=None if place == "token" else WORKER)
    assert answer.status_code == 200, answer.text
    assert (
        live.system("pirha-dpo").entry(answer.json()["disclosureId"]).json()["payload"]["officer"]["id"] == WORKER["id"]
    )


def test_two_different_officers_are_refused(live: Live) -> None:
    system = live.system("pirha", "case:read", officer=WORKER)
    answer = system.query(live.person(), "ASIA-1", officer={**WORKER, "id": "w-2"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-value")
    assert answer.json()["errors"][0]["pointer"] == "/officer"


def test_an_unattended_run_may_deposit_but_not_ask(live: Live) -> None:
    hetu, kela, pirha = live.client_of_both(), live.system("kela"), live.system("pirha")
    kela.deposit("payments", hetu, {"date": today().isoformat(), "amount": "1.00"}, officer=RUN)
    refused = pirha.query(hetu, pirha.open_matter(hetu), officer=RUN)
    assert (refused.status_code, refused.json()["code"]) == (403, "officer-role")
    assert CLERK["role"] not in refused.text


def test_records_that_stay_hidden_cut_no_page_short(live: Live) -> None:
    hetu, pirha, kela = live.person(), live.system("pirha"), live.system("kela")
    for _ in range(3):  # three whose only asked field is masked, then one that leaves
        kela.deposit(
            "persons",
            hetu,
            {"name": "Aino Salanimi", "homeMunicipality": "837", "turvakielto": True, "contactPhone": "+358401234567"},
            record=uuid.UUID(int=uuid.uuid4().int >> 8),
        )
    last = kela.deposit(
        "decisions",
        hetu,
        {"date": today().isoformat(), "amount": "3.00"},
        record=uuid.UUID(int=uuid.uuid4().int | 0xFF << 120),
    )
    asked = {"fields": ["contact.phone", "decision.amount"], "necessity": {"contact.phone": "reaching-the-client"}}
    answer = pirha.query(hetu, pirha.open_matter(hetu), limit=1, **asked).json()
    assert [r["id"] for r in answer["records"]] == [str(last)]
    assert answer["nextCursor"] is None
