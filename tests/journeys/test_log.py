"""What the server says about itself while it works: everything an operator needs, nothing about any person."""

import json
import uuid

import httpx

from asks import PIRHA, WORKER
from live import Live, Told
from sauma.web.logs import EVENTS, verify_line
from systems import System

SAID_ALWAYS = {"event", "level", "at", "sum", "dropped"}


def lines_of(live: Live, client: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in live.log.read_bytes().splitlines() if f'"client":"{client}"'.encode() in line]


def everything_goes_wrong(live: Live, system: System, marker: str) -> None:
    """One request of every kind of trouble, with the marker wherever a caller can put one."""
    hetu = live.client_of_both()
    reference = system.open_matter(hetu)
    assert system.query(hetu, reference, officer={**WORKER, "name": marker}).status_code == 200
    assert system.get("/v1/disclosures").status_code == 200
    system.query(hetu, marker)
    system.query(hetu, reference, purpose=marker)
    system.http.post("/v1/case-queries", content=f'{{"{marker}": "{hetu}"'.encode())
    system.get(f"/v1/disclosures?{marker}={hetu}")
    system.get(
        f"/v1/{marker}/{hetu}", **{"User-Agent": marker, "X-Forwarded-For": marker, "Referer": f"https://x/{hetu}"}
    )
    httpx.get(f"{live.url}/v1/disclosures", headers={"Authorization": f"DPoP {marker}", "DPoP": marker})


def test_the_log_tells_routes_and_never_persons(live: Live) -> None:
    system, marker = live.new_system(PIRHA), f"Lokissa{uuid.uuid4().hex[:8]}"
    live.told.texts.add(marker)
    everything_goes_wrong(live, system, marker)
    finished = [line for line in lines_of(live, system.client_id) if line["event"] == "request-finished"]
    assert ("/v1/case-queries", 200) in {(line["route"], line["status"]) for line in finished}
    assert {line["organisation"] for line in finished} == {PIRHA}
    assert {"/v1/matters/{case_reference}", "/v1/disclosures"} <= {line["route"] for line in finished}
    log = live.log.read_bytes()
    assert live.told.found_in(log) == []
    for text in (line for line in log.splitlines() if line.startswith(b"{")):
        assert verify_line(text)
        said = json.loads(text)
        assert said.keys() - SAID_ALWAYS <= EVENTS[said["event"]]


def test_the_search_finds_what_is_there(live: Live) -> None:
    for planted in ("Mäkinen", "010594Y9032", "M\\u00e4kinen", "mÄkinen", "x010594y9032"):
        told = Told({"Mäkinen"})
        assert told.found_in(live.log.read_bytes() + planted.encode()), planted
    assert Told({"Mäkinen"}).found_in(b"") == []
