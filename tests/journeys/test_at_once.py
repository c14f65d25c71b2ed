"""The same thing at the same moment: one effect for a key, one success for a proof."""

import asyncio
import uuid

import httpx

from asks import PIRHA, WORKER, matter_body, now_text
from live import Live


async def test_thirty_two_identical_writes_have_one_effect(live: Live) -> None:
    pirha = await asyncio.to_thread(live.new_system, PIRHA)
    await asyncio.to_thread(pirha.get, "/v1/disclosures")  # the token is there before the rush
    body = {
        "subject": {"hetu": live.person()},
        "receivedBy": "client",
        "textVersion": "1",
        "language": "fi",
        "at": now_text(minutes=-1),
        "officer": WORKER,
    }
    key = {"Idempotency-Key": uuid.uuid4().hex}
    before = (await asyncio.to_thread(live.sql, "select count(*) as n from exchange.prior_information"))[0]["n"]
    async with httpx.AsyncClient(base_url=live.url, auth=pirha.auth, timeout=30) as http:
        sent = (http.post("/v1/prior-informations", json=body, headers=key) for _ in range(32))
        answers = await asyncio.gather(*sent)
    after = (await asyncio.to_thread(live.sql, "select count(*) as n from exchange.prior_information"))[0]["n"]
    assert after - before == 1
    done = [a for a in answers if a.status_code == 201]
    waiting = [a for a in answers if a.status_code == 409]
    assert len(done) + len(waiting) == 32, {a.status_code: a.text for a in answers}
    assert len([a for a in done if "idempotent-replayed" not in a.headers]) == 1
    assert len({a.json()["id"] for a in done}) == 1
    for answer in waiting:
        assert answer.json()["code"] == "idempotency-key-in-progress"
        assert answer.headers["retry-after"]
    rows = await asyncio.to_thread(live.entries, pirha.client_id, kind="write")
    assert len(rows) == 1
    later = await asyncio.to_thread(lambda: pirha.post("/v1/prior-informations", body, key=key["Idempotency-Key"]))
    assert later.headers["idempotent-replayed"] == "true"


async def test_one_proof_used_many_times_at_once_succeeds_once(live: Live) -> None:
    pirha = await asyncio.to_thread(live.new_system, PIRHA)
    await asyncio.to_thread(pirha.get, "/v1/disclosures")
    hetu = live.person()
    reference = await asyncio.to_thread(pirha.open_matter, hetu)
    token = str(pirha.auth._token)
    body = {"purpose": "county-benefit-case", "caseReference": reference, "subject": {"hetu": hetu}, "officer": WORKER}
    headers = {
        "Authorization": f"DPoP {token}",
        "DPoP": pirha.auth._proof("POST", f"{live.url}/v1/case-queries", token=token),
    }
    async with httpx.AsyncClient(base_url=live.url, timeout=30) as http:
        answers = await asyncio.gather(*(http.post("/v1/case-queries", json=body, headers=headers) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200, *[401] * 7]
    for answer in answers:
        if answer.status_code == 401:
            assert answer.json()["error"] == "invalid_dpop_proof"
    assert (
        len(await asyncio.to_thread(live.entries, pirha.client_id, kind="refusal")) == 1
    )  # the one nothing-disclosable


async def test_two_first_depositors_of_one_person_make_one_person(live: Live) -> None:
    kela = live.system("kela")
    await asyncio.to_thread(kela.get, "/v1/disclosures")
    hetu = live.person()

    def one(number: int) -> httpx.Response:
        return kela.put(
            f"/v1/matters/Z-{uuid.uuid4().hex[:8]}", matter_body(hetu, officer=kela.officer, unit=f"U{number}")
        )

    answers = await asyncio.gather(*(asyncio.to_thread(one, n) for n in range(6)))
    assert {a.status_code for a in answers} <= {201, 503}, [a.text for a in answers]
    assert any(a.status_code == 201 for a in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "overloaded"
            assert answer.headers["retry-after"]
    assert (await asyncio.to_thread(one, 9)).status_code == 201
