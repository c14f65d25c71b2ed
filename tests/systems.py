"""A registered system as the tests drive it, and what must hold of every answer it gets."""

import copy
import dataclasses
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from asks import AUDITOR, OFFICERS, WORKER, audit_body, matter_body, query_body, record_body
from canary import remember
from promised import broken
from sauma.client.auth import Access, SaumaAuth

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PUBLIC = re.compile("/v1/(purposes|problems)|/.well-known/|/openapi.json")


class System:
    """A registered system of one organisation: a token of its own, a proof on every call."""

    def __init__(self, live: Any, client_id: str, scopes: tuple[str, ...], officer: Mapping[str, str] | None) -> None:
        self.live = live
        self.client_id = client_id
        self.organisation = live.clients[client_id]
        self.officer = officer or OFFICERS.get(self.organisation, WORKER)
        access = Access(issuer=live.url, client_id=client_id, key=live.keys[client_id], scopes=scopes, officer=officer)
        self.auth = SaumaAuth(access)
        self.http = httpx.Client(base_url=live.url, auth=self.auth, timeout=30, event_hooks={"response": [judged]})
        live.opened.append(self.http)

    def within(self, **details: Any) -> "System":
        """The same system with a token of its own, confined so (RFC 9396) or for an organisation it acts for."""
        other = copy.copy(self)
        other.auth = self.auth.within(dataclasses.replace(self.auth._access, **details))
        other.organisation = str(details.get("organisation", self.organisation))
        other.http = httpx.Client(
            base_url=self.live.url, auth=other.auth, timeout=30, event_hooks={"response": [judged]}
        )
        self.live.opened.append(other.http)
        return other

    def signed(self, method: str, path: str) -> dict[str, str]:
        """Authorization and a fresh proof of the system's own, for a request sent by hand."""
        url, token = f"{self.live.url}{path.partition('?')[0]}", self.token()
        return {"Authorization": f"DPoP {token}", "DPoP": self.auth._proof(method, url, token=token)}

    def token(self) -> str:
        """A token with time left, for a request that is signed by hand."""
        if self.auth._token is None or self.auth._token_ends < time.time() + 60:
            self.auth._token = None
            self.get("/v1/disclosures")
        return str(self.auth._token)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    def put(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        return self._write("PUT", path, body, key, headers)

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        return self._write("POST", path, body, key, headers)

    def _write(self, method: str, path: str, body: Any, key: str | None, headers: dict[str, str]) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.request(method, path, json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex, **named})

    def deposit(self, resource: str, hetu: str, fields: Mapping[str, Any], **members: Any) -> uuid.UUID:
        """A record of the person, stored; `record` may name it, `revision` the one it replaces."""
        record, revision = members.pop("record", None) or uuid.uuid4(), members.pop("revision", None)
        headers = {} if revision is None else {"If_Match": f'"{revision}"'}
        done = self.put(
            f"/v1/{resource}/{record}", record_body(hetu, fields, **({"officer": self.officer} | members)), **headers
        )
        assert done.status_code == (201 if revision is None else 200), done.text
        return record

    def open_matter(self, hetu: str, reference: str | None = None, **members: Any) -> str:
        """The caller's own open matter on the person; its case reference."""
        reference = reference or f"ASIA-{uuid.uuid4().hex[:12]}"
        done = self.put(f"/v1/matters/{reference}", matter_body(hetu, **({"officer": self.officer} | members)))
        assert done.status_code == 201, done.text
        return reference

    def query(self, hetu: str, reference: str, **members: Any) -> httpx.Response:
        """The main job; `members` replace or, as None, remove members of the body."""
        headers = members.pop("headers", {})
        body = query_body(hetu, reference, **({"officer": self.officer} | members))
        return self.http.post("/v1/case-queries", json=body, headers=headers)

    def audit_session(self, **members: Any) -> str:
        """The id of an open audit session."""
        done = self.post("/v1/audit-sessions", audit_body(**({"officer": AUDITOR} | members)))
        assert done.status_code == 201, done.text
        return str(done.json()["id"])

    def entry(self, entry: str, session: str | None = None) -> httpx.Response:
        """One ledger entry, as this auditor sees it."""
        session = session or self.audit_session()
        return self.get(f"/v1/ledger/entries/{entry}", **{"Sauma-Audit-Session": session})


def judged(answer: httpx.Response) -> None:
    """What holds of every answer, whatever was asked."""
    answer.read()
    remember(answer.status_code, answer.headers.multi_items(), answer.content)
    place = f"{answer.request.method} {answer.url.path} → {answer.status_code} {answer.text}"
    assert answer.status_code != 500, place
    assert broken(answer) is None, broken(answer)
    assert _UUID.fullmatch(answer.headers["sauma-request-id"]), place
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", answer.headers["api-version"]), place
    assert "server" not in answer.headers, place
    assert len(answer.headers.get_list("content-type")) == 1, place
    if not _PUBLIC.match(answer.url.path) or answer.status_code >= 400:
        assert answer.headers["cache-control"] == "no-store", place
    challenge = answer.headers.get("www-authenticate", "")
    if (
        answer.status_code >= 400
        and "/oauth/" not in answer.url.path
        and not (answer.status_code in {400, 401} and challenge)
    ):
        assert answer.headers["content-type"] == "application/problem+json", place
        problem = answer.json()
        assert problem["status"] == answer.status_code, place
        assert problem["type"].endswith(f"/v1/problems/{problem['code']}"), place
