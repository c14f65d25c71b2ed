"""The main job from both sides through the generated package, every body and answer in its own types.

A program of its own: one JSON argument {url, kela, county: {client_id, key}, person, today}, one JSON line for each
step. `sauma_api` is what openapi-python-client made; nothing of Sauma is used but `sauma.client`.
"""

import datetime as dt
import json
import sys
import uuid
from typing import TypeVar

import httpx
from sauma_api import AuthenticatedClient
from sauma_api.api.case_queries import query_case
from sauma_api.api.disclosures import get_own_disclosure, list_own_disclosures, record_erasure
from sauma_api.api.matters import record_prior_information, state_matter
from sauma_api.api.records import deposit_records, get_decisions, put_decisions
from sauma_api.models import (
    CaseAnswer,
    CaseQueryBody,
    CaseQueryBodyForm,
    CaseworkerOfficer,
    CaseworkerOfficerRole,
    Decision,
    DecisionBody,
    DecisionType,
    DepositsBody,
    DisclosedDecision,
    ErasedOrFiled,
    ErasedOrFiledExtent,
    HousingCost,
    HousingCostDeposit,
    ListOwnDisclosuresRole,
    MatterBody,
    MatterBodyKind,
    MatterBodyState,
    PeriodBody,
    Person,
    PersonDeposit,
    PriorInformationBody,
    PriorInformationBodyLanguage,
    Problem,
    SubjectRef,
    UnattendedRun,
)
from sauma_api.types import Response

from sauma.client.auth import Access, SaumaAuth

Answered = TypeVar("Answered")
ASKED = json.loads(sys.argv[1])
PERSON = SubjectRef(hetu=ASKED["person"])
TODAY = dt.date.fromisoformat(ASKED["today"])
WORKER = CaseworkerOfficer(
    id="w-17", name="Päivi Esimerkki", role=CaseworkerOfficerRole.SOCIAL_CARE_PROFESSIONAL, unit="Hervanta"
)
RUN = UnattendedRun(kind="process", id="batch-7", name="Yöajo", responsible_unit="Perustoimeentulotuki")


def client_of(name: str, *scopes: str) -> AuthenticatedClient:
    access = Access(issuer=ASKED["url"], scopes=scopes, **ASKED[name])
    proved = httpx.Client(base_url=ASKED["url"], auth=SaumaAuth(access), timeout=30)
    return AuthenticatedClient(base_url=ASKED["url"], token="").set_httpx_client(proved)


def say(step: str, **told: object) -> None:
    sys.stdout.write(json.dumps({"step": step, **told}, ensure_ascii=False) + "\n")


def told_of(step: str, answer: Response[Answered]) -> Answered:
    if answer.parsed is None:
        raise ValueError(step)
    say(step, status=answer.status_code.value, kind=type(answer.parsed).__name__)
    return answer.parsed


def new_key() -> str:
    return uuid.uuid4().hex


def deposit(kela: AuthenticatedClient) -> uuid.UUID:
    record = uuid.uuid4()
    retained = dt.date(TODAY.year + 5, 12, 31)
    decision = DecisionBody(
        subject=PERSON,
        case_reference="DNRO-2026:1",
        retain_until=retained,
        fields=Decision(id="PTL-1", date=TODAY, type_=DecisionType.GRANTED, amount="412.30"),
        officer=RUN,
    )
    done = put_decisions.sync_detailed(record, client=kela, body=decision, d_po_p="", idempotency_key=new_key())
    told_of("deposit", done)
    stored = get_decisions.sync_detailed(record, client=kela, d_po_p="")
    told_of("stored", stored)
    person = PersonDeposit(
        resource="persons",
        record_id=uuid.uuid4(),
        expected_revision=None,
        subject=PERSON,
        case_reference="DNRO-2026:1",
        retain_until=retained,
        fields=Person(name="Aino Salanimi", home_municipality="837", turvakielto=False),
    )
    costs = HousingCostDeposit(
        resource="housing-costs",
        record_id=uuid.uuid4(),
        expected_revision=None,
        subject=PERSON,
        case_reference="DNRO-2026:1",
        retain_until=retained,
        fields=HousingCost(actual="700.00", accepted="650.00"),
    )
    many = DepositsBody(records=[person, costs], officer=RUN)
    told_of("deposits", deposit_records.sync_detailed(client=kela, body=many, d_po_p="", idempotency_key=new_key()))
    return record


def open_case(county: AuthenticatedClient, moment: dt.datetime) -> str:
    case = f"PIRHA-2026-{uuid.uuid4().hex[:6]}"
    matter = MatterBody(
        subject=PERSON,
        kind=MatterBodyKind.SUPPLEMENTARY_ASSISTANCE,
        opened_at=TODAY,
        state=MatterBodyState.OPEN,
        unit="Hervanta",
        officer=WORKER,
    )
    opened = state_matter.sync_detailed(case, client=county, body=matter, d_po_p="", idempotency_key=new_key())
    told_of("matter", opened)
    informed = PriorInformationBody(
        subject=PERSON,
        received_by="the client",
        text_version="2026-1",
        language=PriorInformationBodyLanguage.FI,
        at=moment,
        officer=WORKER,
    )
    done = record_prior_information.sync_detailed(client=county, body=informed, d_po_p="", idempotency_key=new_key())
    told_of("prior information", done)
    return case


def ask(county: AuthenticatedClient, query: CaseQueryBody) -> CaseAnswer:
    answer = query_case.sync_detailed(client=county, body=query, d_po_p="")
    told = told_of("query", answer)
    assert isinstance(told, CaseAnswer)
    (decision,) = (record for record in told.records if isinstance(record, DisclosedDecision))
    say(
        "disclosed",
        outcome=told.outcome,
        id=str(decision.id),
        amount=decision.fields.amount,
        released=sorted(decision.fields.to_dict()),
        types=[type(value).__name__ for value in (told.decided_at, told.erase_by, told.disclosure_id)],
        undescribed=[*told.additional_properties, *decision.additional_properties],
        lost=sorted(json.loads(answer.content).keys() - told.to_dict().keys()),
    )
    grown = json.loads(answer.content) | {"later": 1, "outcome": "partly"}
    grown["records"][0]["fields"]["mood"] = "good"
    parsed = CaseAnswer.from_dict(grown)
    later = parsed.records[0].fields.additional_properties
    say("grown", outcome=parsed.outcome, later=[parsed.additional_properties, later])
    try:
        CaseAnswer.from_dict(grown | {"records": [{**grown["records"][0], "resource": "rumours"}]})
    except ValueError as error:
        say("a resource nobody had heard of", error=type(error).__name__)
    return told


def refuse(county: AuthenticatedClient, query: CaseQueryBody) -> None:
    query.fields = ["decision.amount", "contact.address"]
    refused = told_of("refused", query_case.sync_detailed(client=county, body=query, d_po_p=""))
    assert isinstance(refused, Problem)
    say("problem", code=refused.code, pointers=[error.pointer for error in refused.errors or []])
    foreign = uuid.uuid4()
    told_of("foreign", get_own_disclosure.sync_detailed(foreign, client=county, d_po_p=""))
    nobody = AuthenticatedClient(base_url=ASKED["url"], token="x")
    told_of("bearer", query_case.sync_detailed(client=nobody, body=query, d_po_p=""))


def main() -> None:
    kela, county = client_of("kela", "record:write"), client_of("county", "case:read", "matter:write", "consent:write")
    record = deposit(kela)
    say("record", id=str(record))
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    query = CaseQueryBody(
        purpose="county-benefit-case",
        case_reference=open_case(county, now),
        subject=PERSON,
        officer=WORKER,
        period=PeriodBody(from_=TODAY.replace(day=1), to=TODAY),
        form=CaseQueryBodyForm.VALUES,
        fields=["decision.amount"],
    )
    told = ask(county, query)
    own = list_own_disclosures.sync_detailed(client=county, role=ListOwnDisclosuresRole.RECEIVER, d_po_p="")
    told_of("own disclosures", own)
    told_of("own disclosure", get_own_disclosure.sync_detailed(told.disclosure_id, client=county, d_po_p=""))
    erased = ErasedOrFiled(extent=ErasedOrFiledExtent.ERASED, at=now, officer=WORKER)
    done = record_erasure.sync_detailed(
        told.disclosure_id, client=county, body=erased, d_po_p="", idempotency_key=new_key()
    )
    told_of("erasure", done)
    refuse(county, query)


main()
