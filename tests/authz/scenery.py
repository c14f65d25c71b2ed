"""What the authorisation matrix is asked about: five roles of one county, and objects that are its own, not its own, or nowhere."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from asks import (
    AUDITOR,
    OMBUDSMAN,
    P09,
    PIRHA,
    TAMPERE,
    TURKU,
    WORKER,
    audit_body,
    matter_body,
    now_text,
    query_body,
    record_body,
)
from live import Live
from systems import System, judged

DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi" / "sauma.json").read_bytes())
ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "caseworker": (PIRHA, ("case:read", "matter:write", "consent:write")),
    "controller": (PIRHA, ("record:write",)),
    "auditor": (PIRHA, ("ledger:read",)),
    "ombudsman": (OMBUDSMAN, ("ledger:read",)),
}
"""Role: its organisation and every scope it holds; `stranger`, beside them, has no token at all."""


@dataclass(frozen=True)
class Operation:
    """One operation of the description."""

    id: str
    method: str
    path: str
    scopes: frozenset[str]
    open: bool

    @property
    def resource(self) -> str:
        """The resource its path begins with, empty for the other operations."""
        part = self.path.split("/")[2] if self.path.startswith("/v1/") else ""
        return part if "{recordId}" in self.path else ""


def operations() -> dict[str, Operation]:
    """Every operation of the committed description, by its id."""
    return {
        stated["operationId"]: Operation(
            id=stated["operationId"],
            method=method.upper(),
            path=path,
            scopes=frozenset(s for way in stated["security"] for scopes in way.values() for s in scopes),
            open=stated["security"] == [],
        )
        for path, methods in DOCUMENT["paths"].items()
        for method, stated in methods.items()
        if isinstance(stated, dict) and "operationId" in stated
    }


@dataclass
class Scenery:
    """Objects made when they are asked for, and the calls that name them."""

    live: Live
    systems: dict[str, System] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    def system(self, role: str) -> System:
        """The role's system."""
        if role not in self.systems:
            self.systems[role] = self.live.new_system(*ROLES[role])
        return self.systems[role]

    def ask(self, operation: Operation, role: str, owner: str) -> httpx.Response:
        """The answer of one operation to a role about an object that is `own`, `foreign`, `absent` or `none`."""
        able = role in ROLES and bool(operation.scopes & set(ROLES[role][1]))
        path, body, headers = self._call(operation, owner, role if able else "caseworker", fresh=able)
        headers["Idempotency-Key"] = uuid.uuid4().hex
        if role == "stranger":
            answer = httpx.request(operation.method, self.live.url + path, headers=headers, **body)
            judged(answer)
            return answer
        return self.system(role).http.request(operation.method, path, headers=headers, **body)

    def _call(
        self, operation: Operation, owner: str, role: str, *, fresh: bool
    ) -> tuple[str, dict[str, Any], dict[str, str]]:
        if operation.resource:
            return self._record_call(operation, owner, fresh=fresh)
        if operation.open:
            path = _OPEN.get(operation.id, operation.path.replace("{wellKnown}", ".well-known"))
            return path, {"data": {}} if operation.method == "POST" else {}, {}
        body, headers = _BODIES.get(operation.id, lambda _: {})(self), {}
        path = operation.path.replace("{resource}", "recoveries")
        if "{caseReference}" in path:
            reference, headers = self._matter(owner, fresh=fresh)
            path = path.replace("{caseReference}", reference)
        if "{disclosureId}" in path:
            path = path.replace("{disclosureId}", self._disclosure(owner, role))
        if "{entryId}" in path:
            auditing = role if "ledger:read" in ROLES[role][1] else "auditor"
            headers = {"Sauma-Audit-Session": self._once(f"session {auditing}", self.system(auditing).audit_session)}
            path = path.replace("{entryId}", self._disclosure(owner, "controller"))
        return path, {"json": body} if operation.method != "GET" else {}, headers

    def _record_call(
        self, operation: Operation, owner: str, *, fresh: bool
    ) -> tuple[str, dict[str, Any], dict[str, str]]:
        record = self._record(operation.resource, owner, fresh=fresh)
        path = operation.path.replace("{recordId}", record)
        if operation.method == "GET":
            return path, {}, {}
        if operation.method == "PUT":
            body = record_body(self._person(), {}, officer=WORKER)
            return path, {"json": body}, {"If-Match": '"1"'} if owner == "own" else {}
        return path, {"json": {"reason": "no-right", "officer": WORKER}}, {}

    def _record(self, resource: str, owner: str, *, fresh: bool) -> str:
        if owner == "absent":
            return str(uuid.uuid4())
        controller = self.live.system("pirha" if owner == "own" else "varha")

        def deposit() -> str:
            return str(controller.deposit(resource, self._person(), {}))

        return deposit() if fresh else self._once(f"record {resource} {owner}", deposit)

    def _matter(self, owner: str, *, fresh: bool) -> tuple[str, dict[str, str]]:
        if owner == "absent":
            return f"ASIA-{uuid.uuid4().hex[:12]}", {}
        holder = self.live.system("pirha" if owner == "own" else "varha")
        reference = holder.open_matter(self._person()) if fresh else f"ASIA-{uuid.uuid4().hex[:12]}"
        return reference, {"If-Match": '"1"'} if owner == "own" else {}

    def _disclosure(self, owner: str, role: str) -> str:
        """A disclosure the county received (or gave, for its controller's system), or two others' disclosure."""
        if owner == "absent":
            return str(uuid.uuid4())
        if owner == "foreign":
            return self._once("foreign", lambda: self._asked("varha"))
        return (
            self._once("given", self._given)
            if role == "controller"
            else self._once("got", lambda: self._asked("pirha"))
        )

    def _asked(self, county: str) -> str:
        home = TAMPERE if county == "pirha" else TURKU
        system, hetu = self.live.system(county), self.live.client_of_both(municipality=home)
        answer = system.query(hetu, system.open_matter(hetu))
        assert answer.json()["outcome"] == "disclosed", answer.text
        return str(answer.json()["disclosureId"])

    def _given(self) -> str:
        kela, county = self.live.system("kela"), self.live.system("pirha")
        hetu = self.live.known_at_county(county)
        told = {
            "subject": {"hetu": hetu},
            "receivedBy": "client",
            "textVersion": "1",
            "language": "fi",
            "at": now_text(minutes=-1),
        }
        done = kela.post("/v1/prior-informations", told | {"officer": kela.officer})
        assert done.status_code == 201, done.text
        reference = kela.open_matter(hetu, kind="basic-assistance")
        answer = kela.query(hetu, reference, purpose=P09, controller=PIRHA)
        assert answer.json()["outcome"] == "disclosed", answer.text
        return str(answer.json()["disclosureId"])

    def _person(self) -> str:
        return str(self._once("person", self.live.person))

    def _once(self, name: str, make: Callable[[], str]) -> str:
        if name not in self.made:
            self.made[name] = make()
        return str(self.made[name])


_OPEN = {"show-purpose": "/v1/purposes/county-benefit-case", "show-problem": "/v1/problems/not-found"}
_BODIES: dict[str, Callable[[Scenery], dict[str, Any]]] = {
    "query-case": lambda s: query_body(
        s._person(), s._once("matter", lambda: s.live.system("pirha").open_matter(s._person())), officer=WORKER
    ),
    "state-matter": lambda s: matter_body(s._person(), officer=WORKER),
    "record-erasure": lambda _: {"extent": "erased", "at": now_text(), "officer": WORKER},
    "record-prior-information": lambda s: {
        "subject": {"hetu": s._person()},
        "receivedBy": "client",
        "textVersion": "1",
        "language": "fi",
        "at": now_text(minutes=-1),
        "officer": WORKER,
    },
    "record-identifier-change": lambda s: {
        "from": {"hetu": s._person()},
        "to": {"hetu": s.live.person()},
        "reason": "corrected",
        "effectiveAt": now_text(),
        "officer": WORKER,
    },
    "deposit-records": lambda s: {
        "records": [
            {
                "resource": "plans",
                "recordId": str(uuid.uuid4()),
                "expectedRevision": None,
                **record_body(s._person(), {}),
            }
        ],
        "officer": WORKER,
    },
    "publish-state": lambda _: {"status": "current", "currentAsOf": now_text()},
    "start-audit-session": lambda _: audit_body(officer=AUDITOR),
}
