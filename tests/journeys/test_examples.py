"""The description's own examples, sent to the running server in the order in which a newcomer would."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asks import now_text, record_body
from live import Live
from sauma.core.resources import REGISTRY
from sauma.web.published import openapi_bytes

PATHS = json.loads(openapi_bytes())["paths"]
RESOURCES = [name for name, resource in REGISTRY.items() if resource.deposited]


def example(method: str, path: str, **changed: Any) -> dict[str, Any]:
    return PATHS[path][method]["requestBody"]["content"]["application/json"]["example"] | changed


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_record_is_deposited_and_annulled(live: Live, resource: str) -> None:
    kela, record = live.system("kela"), uuid.uuid4()
    done = kela.put(f"/v1/{resource}/{record}", example("put", f"/v1/{resource}/{{recordId}}"))
    assert done.status_code == 201, done.text
    gone = kela.post(f"/v1/{resource}/{record}/annulment", example("post", f"/v1/{resource}/{{recordId}}/annulment"))
    assert gone.status_code == 200, gone.text


def deposits(live: Live) -> httpx.Response:
    body = example("post", "/v1/deposits")
    for one in body["records"]:  # the example replaces a first revision
        kept = {name: one[name] for name in ("subject", "caseReference", "retainUntil", "fields")}
        first = live.system("kela").put(f"/v1/{one['resource']}/{one['recordId']}", kept | {"officer": body["officer"]})
        assert first.status_code == 201, first.text
    return live.system("kela").post("/v1/deposits", body)


def linked(live: Live) -> httpx.Response:
    body = example("post", "/v1/identifier-changes")
    known = record_body("", {}, subject=body["from"], officer=body["officer"])
    assert live.system("kela").put(f"/v1/payments/{uuid.uuid4()}", known).status_code == 201
    return live.system("kela").post("/v1/identifier-changes", body)


def audited(live: Live) -> httpx.Response:
    return live.system("pirha-dpo").post(
        "/v1/audit-sessions", example("post", "/v1/audit-sessions", until=now_text(hours=1))
    )


def published(live: Live) -> httpx.Response:
    body = example("put", "/v1/publication-states/{resource}")
    return live.system("helsinki").put("/v1/publication-states/plans", body)


@pytest.mark.parametrize("send", [deposits, linked, audited, published])
def test_a_write_is_done_as_its_example_says(live: Live, send: Callable[[Live], httpx.Response]) -> None:
    done = send(live)
    assert done.status_code == 201, done.text


def test_the_main_job_is_done_as_the_examples_say(live: Live) -> None:
    pirha, query = live.system("pirha"), example("post", "/v1/case-queries")
    query["caseReference"] += f"-{uuid.uuid4().hex[:8]}"  # others play the example too
    matter = pirha.put(f"/v1/matters/{query['caseReference']}", example("put", "/v1/matters/{caseReference}"))
    assert matter.status_code == 201, matter.text
    telling = pirha.post("/v1/prior-informations", example("post", "/v1/prior-informations"))
    assert telling.status_code == 201, telling.text
    answer = pirha.http.post("/v1/case-queries", json=query)
    assert answer.status_code == 200, answer.text
    erasure = example("post", "/v1/disclosures/{disclosureId}/erasures")
    if answer.json()["outcome"] == "disclosed":
        done = pirha.post(f"/v1/disclosures/{answer.json()['disclosureId']}/erasures", erasure)
        assert done.status_code == 201, done.text
