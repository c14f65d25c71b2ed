"""What registrars do holds at the very next call of the running server: a suspension, a removed key, an ended delegation."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from asks import AUDITOR, NEWCOMER, PIRHA, VENDOR, audit_body
from cli.ground import call, cleared
from live import Live
from sauma.client.auth import AccessRefusedError
from systems import System

PATH = "/v1/disclosures"


class Registrars:
    """`sauma clients` on the server's own database, as one of the two or as one after the other."""

    def __init__(self, live: Live, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = live
        self.folder = folder
        self._monkeypatch = monkeypatch
        for name in cleared():
            monkeypatch.delenv(name)
        monkeypatch.setenv("SAUMA_HOME", str(live.home / "sauma"))

    def one(self, *words: str, by: int = 1) -> dict[str, Any]:
        self._monkeypatch.setenv("SAUMA_REGISTRAR_DATABASE_URL", self.live.database.dsn(f"sauma_registrar_{by}"))
        said = call("clients", *words, "--json")
        assert said.code == 0, said.err
        act: dict[str, Any] = json.loads(said.out)["acts"][0]
        return act

    def both(self, *words: str) -> str:
        proposal = str(self.one(*words)["proposal"])
        self.one("approve", proposal, by=2)
        return proposal

    def system(self, organisation: str, *scopes: str) -> System:
        """A system that both have registered."""
        name = f"added-{uuid.uuid4().hex[:8]}"
        self.live._new_key(name, organisation)
        public = self.folder / f"{name}.json"
        public.write_text(json.dumps({m: self.live.keys[name][m] for m in ("kty", "crv", "x", "y")}))
        scoped = [word for scope in scopes for word in ("--scope", scope)]
        self.both("add", name, "--organisation", organisation, *scoped, "--jwks", str(public))
        return System(self.live, name, scopes, None)


@pytest.fixture
def registrars(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registrars:
    return Registrars(live, tmp_path, monkeypatch)


def raw(system: System) -> int:
    """A call with the token the system holds and no other."""
    answer = httpx.get(system.live.url + PATH, headers=system.signed("GET", PATH))
    if answer.status_code == 401:
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    return answer.status_code


def test_a_suspended_system_is_refused_at_its_next_call_and_gets_no_token_until_two_resume_it(
    registrars: Registrars,
) -> None:
    system = registrars.system(PIRHA, "case:read")
    assert raw(system) == 200
    registrars.one("suspend", system.client_id, by=2)
    assert raw(system) == 401
    with pytest.raises(AccessRefusedError) as refused:
        system.get(PATH)
    assert refused.value.error == "invalid_client"
    proposal = registrars.one("resume", system.client_id)["proposal"]
    with pytest.raises(AccessRefusedError):
        system.get(PATH)
    registrars.one("approve", proposal, by=2)
    assert system.get(PATH).status_code == 200


def test_a_removed_key_ends_the_tokens_given_under_it(registrars: Registrars) -> None:
    system = registrars.system(PIRHA, "case:read")
    assert raw(system) == 200
    registrars.one("keys", "remove", system.client_id, f"--kid={registrars.live.keys[system.client_id]['kid']}")
    assert raw(system) == 401
    with pytest.raises(AccessRefusedError) as refused:
        system.get(PATH)
    assert refused.value.error == "invalid_client"


def test_an_ended_delegation_ends_the_suppliers_next_call(registrars: Registrars) -> None:
    supplier = registrars.system(VENDOR, "case:read").within(organisation=NEWCOMER)
    with pytest.raises(AccessRefusedError):
        supplier.get(PATH)
    registrars.both("delegate", NEWCOMER, VENDOR, "--scope", "case:read")
    assert raw(supplier) == 200
    registrars.one("end-delegation", NEWCOMER, VENDOR, by=2)
    assert raw(supplier) == 401
    with pytest.raises(AccessRefusedError):
        supplier.get(PATH)


def test_an_auditor_reads_the_ledger_within_its_grant_and_not_after_it(registrars: Registrars) -> None:
    live = registrars.live
    auditor = registrars.system(PIRHA, "ledger:read")
    body = audit_body(officer=AUDITOR, dossier="DOS-NEW:1")
    answer = auditor.post("/v1/audit-sessions", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "party-not-entitled")
    assert live.entries(auditor.client_id, kind="refusal")[-1]["reason"] == "party-not-entitled"
    [row] = live.sql("select to_char(clock_timestamp() + interval '20 days', 'YYYY-MM-DD') as day")
    grant = registrars.both(
        "grant-audit", auditor.client_id, "--dossier", "DOS-NEW:1", "--organisation", PIRHA, "--until", row["day"]
    )
    session = auditor.post("/v1/audit-sessions", body)
    assert session.status_code == 201, session.text
    seen = auditor.entry(session.json()["receipt"]["entryId"], session.json()["id"])
    assert seen.status_code == 200, seen.text
    acts = live.entries(auditor.client_id, kind="admin", decision="audit-grant-approved")
    shown = auditor.entry(str(acts[-1]["id"]), session.json()["id"]).json()
    assert shown["payload"]["operator"] == "sauma_registrar_2"
    registrars.one("end-audit", grant)
    again = auditor.entry(str(acts[-1]["id"]), session.json()["id"])
    assert (again.status_code, again.json()["code"]) == (403, "audit-session-missing")
