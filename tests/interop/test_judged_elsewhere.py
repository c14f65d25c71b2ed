"""A foreign resource server, npm oauth4webapi's validateJwtAccessToken, judges our tokens by what we publish."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx

from asks import PIRHA, WORKER
from interop.conftest import Steps, private_key
from live import Live
from sauma.client.auth import Access, SaumaAuth
from systems import System

PATH = "/v1/disclosures?role=receiver"


def proved(system: System, path: str = PATH, *, auth: SaumaAuth | None = None) -> dict[str, str]:
    """A token of the system's with a fresh proof, by the system's own proof key or another."""
    token = system.token()
    proof = (auth or system.auth)._proof("GET", f"{system.live.url}{path.partition('?')[0]}", token=token)
    return {"authorization": f"DPoP {token}", "dpop": proof}


def cases(live: Live) -> dict[str, tuple[dict[str, str], str | None]]:
    """Headers of a call, and another audience where the judge is someone else."""
    system = live.system("pirha", "case:read", officer=WORKER)
    good, token = proved(system), system.token()
    stranger = SaumaAuth(Access(issuer=live.url, client_id="x", key=private_key("ES256"), scopes=()))
    head, body, signature = token.split(".")
    widened = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | {"scope": "ledger:read"}
    forged = base64.urlsafe_b64encode(json.dumps(widened).encode()).decode().rstrip("=")
    return {
        "as it is": (good, None),
        "at another resource": (good, "https://elsewhere.example"),
        "without its proof": ({"authorization": good["authorization"]}, None),
        "as a Bearer token": ({"authorization": f"Bearer {token}"}, None),
        "with a proof by another key": (proved(system, auth=stranger), None),
        "with a proof for another path": (good | {"dpop": proved(system, "/v1/purposes")["dpop"]}, None),
        "widened": (good | {"authorization": f"DPoP {head}.{forged}.{signature}"}, None),
    }


def test_our_token_stands_elsewhere_by_its_proof_and_only_so(live: Live, play: Callable[..., Steps]) -> None:
    asked = cases(live)
    judged = play(
        "judge-our-token.mjs",
        issuer=live.url,
        audience=live.url,
        cases=[
            {"name": name, "method": "GET", "url": f"{live.url}{PATH}", "headers": headers, "audience": audience}
            for name, (headers, audience) in asked.items()
        ],
    )
    assert judged.returncode == 0, judged.lines
    assert {line["step"]: line.get("ok", False) for line in judged.lines} == {
        name: name == "as it is" for name in asked
    }
    claims = judged["as it is"]["claims"]
    assert (claims["iss"], claims["sub"], claims["client_id"]) == (live.url, PIRHA, "pirha")
    assert claims["exp"] - claims["iat"] == 300
    assert claims["cnf"].keys() == {"jkt"}


def test_a_judge_finds_the_key_among_those_published(live: Live) -> None:
    """What the judge trusts is the key set alone: the key of the token's header is in it, with no private part."""
    token = live.system("pirha").token()
    head = token.partition(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    published = {key["kid"]: key for key in httpx.get(f"{live.url}/.well-known/jwks.json").json()["keys"]}
    assert header["typ"] == "at+jwt"
    assert header["kid"] in published
    assert all("d" not in key for key in published.values())
