"""Nobody learns which clients there are: unknown client, wrong key and unknown kid get the same bytes for the same work."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from attacks.oauth.doors import KEYS, KNOWN, NOW, SERVER, Doors
from attacks.oauth.living import Living
from attacks.oauth.sent import Answer
from live import Live
from sauma.exchange.tokens import ClientState, KnownClient, TokenRequest
from sauma.oauth import jose
from sauma.oauth.issuing import clients
from sauma.oauth.reasons import Reason

NOBODY = {"assertion.members.iss": "nobody", "assertion.members.sub": "nobody"}
# whoever sends it → (what it is of the baseline, the reason nobody outside sees)
STRANGERS: dict[str, tuple[Mapping[str, Any], str]] = {
    "an unknown client": (NOBODY, "iss-unknown"),
    "a wrong key": ({"assertion.key": "other"}, "signature"),
    "an unknown kid": ({"assertion.header.kid": "k2"}, "key-unknown"),
    "a kid of another length": ({"assertion.header.kid": "k" * 43}, "key-unknown"),
    "no kid and a wrong key": ({"assertion.header.kid": {"$absent": True}, "assertion.key": "other"}, "signature"),
    "another algorithm than its key's": ({"assertion.alg": "Ed25519"}, "key-of-other-alg"),
    "an unknown client of another algorithm": ({"assertion.alg": "Ed25519", **NOBODY}, "iss-unknown"),
}
STATES = (ClientState.PROPOSED, ClientState.SUSPENDED, ClientState.RETIRED)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithms of the signatures that were really verified, one for each."""
    seen: list[str] = []
    verified = jose._verified

    def counted(compact: jose.Compact, key: jose.PublicKey) -> bool:
        seen.append(str(compact.header["alg"]))
        return verified(compact, key)

    monkeypatch.setattr(jose, "_verified", counted)
    return seen


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of the keys that were read to judge an assertion, one for each."""
    seen: list[str] = []

    def counted(jwk: Mapping[str, object]) -> jose.VerifyingKey | Reason:
        seen.append(str(jwk["kty"]))
        return jose.import_public(jwk)

    monkeypatch.setattr(clients, "import_public", counted)
    return seen


def judged(change: Mapping[str, Any], known: KnownClient | None = None) -> tuple[Any, ...]:
    """The whole answer of the token endpoint's decision and of the look's, and their reasons."""
    wire = Doors().forge.wires("token", change)[0]
    request = TokenRequest(content_type=wire.lines("content-type")[0], body=wire.body, proofs=wire.lines("dpop"))
    claimed = SERVER.claimed_client(request)
    found = known or (KNOWN if claimed is not None and claimed.id == KNOWN.id else None)
    decision = SERVER.decide(request, found, now=NOW, token_id="token-0123456789abcdef")
    return (decision.status, msgspec.json.encode(decision.body), decision.headers), decision.reason


@pytest.mark.parametrize("who", STRANGERS)
def test_the_decision_is_the_same_and_one_signature_is_checked(
    who: str, checked: list[str], imported: list[str]
) -> None:
    change, reason = STRANGERS[who]
    said, why = judged(change)
    assert len(checked) == 1
    assert imported == ["OKP" if "assertion.alg" in change else "EC"], "the kind its header names, whoever it is"
    assert said == judged({"assertion.key": "other"})[0]
    assert why == reason


@pytest.mark.parametrize("state", STATES)
def test_a_client_that_may_not_ask_looks_like_one_that_is_not_there(state: ClientState, checked: list[str]) -> None:
    said, why = judged({}, msgspec.structs.replace(KNOWN, state=state))
    assert len(checked) == 1
    assert (said, why) == (judged(NOBODY)[0], "client-inactive")


@pytest.mark.parametrize("number", [0, 1, 5])
@pytest.mark.parametrize("kid", ["k1", "of-0", None])
@pytest.mark.parametrize("kind", ["other", "PS256"])
def test_how_many_keys_a_client_has_does_not_show(
    kind: str, kid: str | None, number: int, checked: list[str], imported: list[str]
) -> None:
    public, alg = KEYS[kind].as_dict(private=False), "PS256" if kind == "PS256" else "ES256"
    keys = tuple({**public, "kid": f"of-{one}", "alg": alg} for one in range(number))
    header = {"assertion.header.kid": {"$absent": True} if kid is None else kid}
    said, why = judged(header, msgspec.structs.replace(KNOWN, keys=keys))
    assert (len(checked), imported) == (1, ["EC"])
    assert said == judged(NOBODY)[0]
    assert why in {"key-unknown", "signature", "key-of-other-alg"}


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_over_http_the_bytes_and_headers_are_the_same(path: str, live: Live) -> None:
    living = Living(live)
    answers = [answered(living, path, change) for change, _ in STRANGERS.values()]
    living.live.sql(
        "update registry.client set state = 'suspended' where id = $1 returning id", living.system.client_id
    )
    answers.append(answered(living, path, {}))
    assert [answer.plain() for answer in answers] == [answers[0].plain()] * len(answers)
    assert answers[0].members == {
        "error": "invalid_client",
        "error_description": "Client authentication failed.",
        "error_uri": f"{live.url}/v1/problems/invalid_client",
    }
    reasons = [living.reason(answer) for answer in answers]
    assert reasons == [*(reason for _, reason in STRANGERS.values()), "client-inactive"]


def answered(living: Living, path: str, change: Mapping[str, Any]) -> Answer:
    shown = {} if path == "/oauth/token" else {"form.token": "any", "request.path": path}
    answer = living.ask("token", {**change, **shown})
    assert answer.status == 400, answer.body
    return answer
