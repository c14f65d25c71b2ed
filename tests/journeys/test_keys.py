"""Keys change under live traffic on two workers: a rotation refuses nobody, a removal refuses everybody it must."""

import base64
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from asks import PIRHA
from databases import Database
from live import Live
from sauma import cli
from sauma.client.auth import SaumaAuth
from systems import judged

REMOVED_WITHIN = 5.0
JWKS = "/.well-known/jwks.json"
MEMBERS = {"kty", "crv", "x", "y", "kid", "alg", "use"}


def kid_of(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def until(what: Callable[[], object], *, seconds: float = 60) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class Caller:
    """One system that never stops calling, each time over a new connection and often with a new token.

    `answers` is the status of every answer it got, of tokens too: the client's own second try hides nothing.
    """

    http: httpx.Client
    auth: SaumaAuth
    often: bool
    answers: list[int] = field(default_factory=list)
    signed_by: list[str] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        while not over.is_set():
            if self.often and len(self.signed_by) % 3 == 0:
                self.auth._token = None
            self.http.get("/v1/disclosures")
            self.signed_by.append(kid_of(str(self.auth._token)))


class Crew:
    """Two workers and what an operator does to their keys."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def keys(self, *arguments: str) -> list[dict[str, str]]:
        """What `sauma keys issuer … --json` answers."""
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as told, contextlib.redirect_stdout(out):
            told.setenv("SAUMA_HOME", str(self.live.home / "sauma"))
            assert cli.main(["keys", "issuer", *arguments, "--json"]) == 0
        keys: list[dict[str, str]] = json.loads(out.getvalue())["keys"]
        return keys

    def rotate(self) -> None:
        """Another key signs, at once."""
        if not any(key["state"] == "next" for key in self.keys("list")):
            self.keys("prepare")
        self.keys("rotate", "--now")

    def kid(self, state: str) -> str:
        return next(key["kid"] for key in self.keys("list") if key["state"] == state)

    def caller(self, *, often: bool) -> Caller:
        system = self.live.new_system(PIRHA, ("case:read",))
        answers: list[int] = []
        http = httpx.Client(
            base_url=self.live.url,
            auth=system.auth,
            timeout=30,
            limits=httpx.Limits(max_keepalive_connections=0),
            event_hooks={"response": [judged, lambda answer: answers.append(answer.status_code)]},
        )
        self.live.opened.append(http)
        return Caller(http=http, auth=system.auth, often=often, answers=answers)

    def published(self) -> dict[str, Any]:
        answer = httpx.get(self.live.url + JWKS)
        return {key["kid"]: key for key in answer.json()["keys"]}

    def connection_of_each_worker(self) -> list[httpx.Client]:
        """Two connections that two workers serve: each worker counts its callers alone, so its count tells it."""
        system, counts, kept = self.live.new_system(PIRHA, ("case:read",)), [], []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            http = httpx.Client(base_url=self.live.url, auth=system.auth, timeout=30)
            self.live.opened.append(http)
            left = int(http.get("/v1/disclosures").headers["ratelimit-remaining"])
            # the first of its worker, or one that goes on where another of them stopped
            if left in {count for count, _ in counts}:
                return [next(one for count, one in counts if count == left), http]
            counts.append((left, http))
            kept.append(http)
        raise AssertionError(kept)


@pytest.fixture(scope="module")
def crew(
    new_database: Callable[..., Database], _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crew]:
    live = Live(new_database(_template), tmp_path_factory.mktemp("keys"))
    live.register()
    try:
        live.start(SAUMA_WORKERS="2")
        yield Crew(live)
    finally:
        live.stop()


@contextlib.contextmanager
def calling(callers: list[Caller]) -> Iterator[None]:
    """Traffic for as long as the block lasts; whatever ends a caller ends the test."""
    over, faults = threading.Event(), []

    def run(caller: Caller) -> None:
        try:
            caller.run(over)
        except Exception as fault:  # noqa: BLE001  # told to the test below
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert faults == []


def test_a_rotation_under_traffic_refuses_nobody(crew: Crew) -> None:
    callers = [crew.caller(often=True), crew.caller(often=True), crew.caller(often=False)]
    with calling(callers):
        before = crew.kid("active")
        until(lambda: all(len(caller.signed_by) > 5 for caller in callers))
        crew.keys("prepare")
        after = crew.kid("next")
        until(lambda: all(after in crew.published() for _ in range(8)))
        crew.keys("rotate", "--now")
        fresh = callers[:2]
        until(lambda: all(caller.signed_by[-20:].count(after) == 20 for caller in fresh))
        marks = [len(caller.signed_by) for caller in callers]
        until(lambda: all(len(c.signed_by) > mark + 20 for c, mark in zip(callers, marks, strict=True)))
    assert {status for caller in callers for status in caller.answers} == {200}
    assert set(callers[2].signed_by) == {before}, "a token of the retired key served to the end"
    assert crew.kid("retired") == before
    assert set(crew.published()) > {before, after}


@pytest.mark.parametrize("state", ["retired", "active"])
def test_a_removed_key_ends_its_tokens_on_every_worker(crew: Crew, state: str) -> None:
    """The emergency: the key is known to others."""
    each = crew.connection_of_each_worker()
    token = str(each[0].auth._token)
    if state == "retired":
        crew.rotate()
    kid = kid_of(token)
    assert next(key["state"] for key in crew.keys("list") if key["kid"] == kid) == state
    for http in each:
        assert shown(http, token) == 200, "warm on both: it was verified there before"
    crew.keys("remove", kid)
    began = time.monotonic()
    for http in each:
        until(lambda http=http: shown(http, token) == 401, seconds=REMOVED_WITHIN)
    assert time.monotonic() - began < REMOVED_WITHIN
    assert kid not in crew.published()
    assert [http.get("/v1/disclosures").status_code for http in each] == [200, 200], "a new token serves"


def shown(http: httpx.Client, token: str) -> int:
    """How a call with that token and a good proof ends on that connection."""
    auth = http.auth
    assert isinstance(auth, SaumaAuth)
    url = str(http.base_url).rstrip("/") + "/v1/disclosures"
    headers = {"Authorization": f"DPoP {token}", "DPoP": auth._proof("GET", url, token=token)}
    return http.get("/v1/disclosures", headers=headers, auth=None).status_code


def test_the_set_of_keys_is_served_with_its_tag_and_holds_nothing_private(crew: Crew) -> None:
    answer = httpx.get(crew.live.url + JWKS)
    judged(answer)
    assert answer.headers["cache-control"] == "public, max-age=600"
    assert answer.headers["content-type"] == "application/json"
    keys = answer.json()["keys"]
    assert all(key.keys() <= MEMBERS for key in keys)
    assert {"ES256", "EdDSA"} == {key["alg"] for key in keys}, "the issuer's, and the receipt key"
    same = httpx.get(crew.live.url + JWKS, headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", answer.headers["etag"])
    crew.rotate()
    changed = httpx.get(crew.live.url + JWKS, headers={"If-None-Match": answer.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"] == answer.headers["etag"]) == (200, False)
