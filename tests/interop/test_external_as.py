"""An authorization server that is not ours (npm oidc-provider, FAPI 2.0) stands beside it: its tokens open our API."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from asks import KELA, P01, PIRHA, WORKER
from databases import Database
from interop.conftest import ALGORITHMS, JS, Steps, case_of, private_key, public_key
from live import Live

SCOPE = "case:read matter:write"
STRANGER, WIDE = "theirs-unknown-here", "case:read matter:write record:write"


@dataclass
class Beside:
    """A server of ours that trusts the other issuer, and that issuer's clients with their keys."""

    live: Live
    issuer: str
    keys: dict[str, dict[str, Any]]
    run: Callable[..., Steps]

    def play(self, client: str, **asked: Any) -> Steps:
        """A token of the other's, spent here."""
        told = {"issuer": self.issuer, "api": self.live.url, "clientId": client, "key": self.keys[client]}
        return self.run("client-oauth4.mjs", **told, **{"scope": SCOPE, **asked})


def theirs(node: str, keys: dict[str, dict[str, Any]]) -> "subprocess.Popen[str]":
    """The other authorization server, on a port of its own, until its standard input is closed."""
    clients = [
        {
            "id": name,
            "key": public_key(key) | {"alg": key["alg"], "kid": key["kid"]},
            "signing": name.rpartition("-")[2] if name != STRANGER else "ES256",
        }
        for name, key in keys.items()
    ]
    asked = {"scope": WIDE, "clients": clients, "nonce": True}
    command = [node, str(JS / "external-as.mjs"), json.dumps(asked)]
    return subprocess.Popen(
        command, cwd=JS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def trusted(issuer: str, names: list[str]) -> list[dict[str, Any]]:
    """What the operator writes down of the other issuer: its keys, which client is whose system, and how far it goes."""
    keys = httpx.get(f"{issuer}/jwks").json()
    clients = {name: {"client": "pirha", "organisation": PIRHA} for name in names}
    return [{"issuer": issuer, "jwks": keys, "clients": clients, "scopes": SCOPE.split(" ")}]


@pytest.fixture(scope="module")
def beside(
    new_database: Callable[..., Database],
    _template: str,
    tmp_path_factory: pytest.TempPathFactory,
    node: str,
    play: Callable[..., Steps],
) -> Iterator[Beside]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("beside"))
    live.register()
    keys = {f"theirs-{algorithm}": private_key(algorithm) for algorithm in ALGORITHMS} | {
        STRANGER: private_key("ES256")
    }
    with theirs(node, keys) as other:
        assert other.stdout is not None
        issuer = json.loads(other.stdout.readline())["issuer"]
        file: Path = live.home / "trusted-issuers.json"
        file.write_text(json.dumps(trusted(issuer, [name for name in keys if name != STRANGER])), encoding="utf-8")
        try:
            live.start(SAUMA_TRUSTED_ISSUERS=str(file))
            yield Beside(live, issuer, keys, play)
        finally:
            live.stop()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_full_disclosure_with_a_token_of_theirs(beside: Beside, algorithm: str) -> None:
    case = case_of(beside.live)
    steps = beside.play(f"theirs-{algorithm}", details=case.details(), **case.asked())
    assert steps.returncode == 0, steps.lines
    assert set(steps["resource-discovery"]["authorization_servers"]) == {beside.live.url, beside.issuer}
    assert steps["token"]["token_type"] == "dpop"
    assert [one["nonce"] for one in steps["token"]["sent"]] == [False, True]
    assert steps["matter"]["status"] == 201
    assert (steps["query"]["status"], steps["query"]["body"]["outcome"]) == (200, "disclosed")
    assert [one["caseReference"] for one in steps["listed"]["body"]["disclosures"]] == [case.reference]
    recorded = {str(row["id"]): row for row in beside.live.entries("pirha")}
    assert recorded[steps["query"]["body"]["disclosureId"]]["organisation"] == PIRHA, "as the system it stands for here"


def test_their_token_reaches_no_further_than_we_said(beside: Beside) -> None:
    """Their issuer grants record:write too; neither it nor another's system comes with the token."""
    case = case_of(beside.live)
    narrow = beside.play("theirs-ES256", scope="record:write", **case.asked())
    assert (narrow.returncode, narrow["error"]["status"]) == (1, 403)
    assert narrow["error"]["challenge"]["error"] == "insufficient_scope"


def test_a_client_of_theirs_that_is_nobody_here_is_refused(beside: Beside) -> None:
    steps = beside.play(STRANGER, **case_of(beside.live).asked())
    assert (steps.returncode, steps["error"]["status"], steps["error"]["error"]) == (1, 401, "invalid_token")


def test_a_query_outside_the_details_of_their_token_is_refused(beside: Beside) -> None:
    signed_for, other = case_of(beside.live), case_of(beside.live)
    steps = beside.play("theirs-ES256", details=signed_for.details(), **other.asked())
    assert (steps.returncode, steps["error"]["status"]) == (1, 403)
    assert steps["error"]["challenge"]["error"] == "insufficient_scope"


def test_details_for_another_organisation_are_not_theirs_to_give(beside: Beside) -> None:
    case = case_of(beside.live)
    details = [{"type": "sauma_case_access", "organisation": KELA, "purpose": P01, "officer": WORKER}]
    steps = beside.play("theirs-ES256", details=details, **case.asked())
    assert (steps.returncode, steps["error"]["status"]) == (1, 401)


def test_a_system_suspended_here_is_out_whoever_gave_the_token(beside: Beside) -> None:
    beside.live.sql("update registry.client set state = 'suspended' where id = 'pirha'")
    try:
        steps = beside.play("theirs-ES256", **case_of(beside.live).asked())
    finally:
        beside.live.sql("update registry.client set state = 'active' where id = 'pirha'")
    assert (steps.returncode, steps["error"]["status"]) == (1, 401)
