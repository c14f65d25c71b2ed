"""Keys fetched from where their owner publishes them: only from there, only public ones, and seldom."""

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sauma.oauth.jose import encode
from sauma.oauth.keys.fetch import LARGEST, KeyFault, KeySetFetch, is_public
from sauma.oauth.keys.remote import FRESH, MOST_KEYS, PAUSE, RENEWED, STALE, Jwks, RemoteKeys, read_key_set
from sauma.web import logs
from tls import Authority, Publisher, answer, publishing

NAME = "keys.client.example"
EC, ED, RSA = ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)


def jwk(key: Any, *, private: bool = False, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=private), **members}


def key_set(*keys: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"keys": keys, **members}).encode()


A, B = jwk(EC, kid="a"), jwk(ED, kid="b")
GOOD = key_set(A, B)


# -- what may stand in a set


def test_keys_of_our_three_kinds_are_read_with_kid_and_alg() -> None:
    read = read_key_set(
        key_set(A, jwk(ED, kid="b", use="sig", alg="EdDSA"), jwk(RSA, key_ops=["verify"], x5c=["AAAA"]))
    )
    assert not isinstance(read, KeyFault)
    assert [(key["kty"], key["kid"], key["alg"]) for key in read] == [
        ("EC", "a", "ES256"),
        ("OKP", "b", "Ed25519"),
        ("RSA", RSA.thumbprint(), "PS256"),
    ]
    assert all("x5c" not in key for key in read)


LEFT_OUT = {
    "for RS256": jwk(RSA, alg="RS256"),
    "of another curve": jwk(ECKey.generate_key("P-384")),
    "to encrypt with": jwk(EC, use="enc"),
    "to sign with only": jwk(EC, key_ops=["sign"]),
    "operations that are no list": jwk(EC, key_ops="verify"),
    "of a kind nobody knows": {"kty": "XX"},
    "without a kind": {},
    "a short RSA key": {"kty": "RSA", "e": "AQAB", "n": encode(b"\x80" + bytes(126) + b"\x01")},
    "a kid that is a number": jwk(EC, kid=7),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_key_that_is_not_for_us_is_left_out(name: str) -> None:
    read = read_key_set(key_set(LEFT_OUT[name], B))
    assert not isinstance(read, KeyFault)
    assert [key["kid"] for key in read] == ["b"]


def test_an_empty_set_is_a_set() -> None:
    assert read_key_set(key_set()) == ()


REFUSED_SETS = {
    "114 a private EC key": (key_set(B, jwk(EC, private=True)), KeyFault.PRIVATE),
    "114 a private Ed25519 key": (key_set(A, jwk(ED, private=True)), KeyFault.PRIVATE),
    "114 a private RSA key": (key_set(A, jwk(RSA, private=True)), KeyFault.PRIVATE),
    "114 a private key of a kind we do not take": (
        key_set(A, jwk(ECKey.generate_key("P-384"), private=True)),
        KeyFault.PRIVATE,
    ),
    "114 a secret": (key_set(A, jwk(OctKey.generate_key(256), private=True)), KeyFault.PRIVATE),
    "114 one RSA prime alone": (key_set(A, jwk(RSA, p="AQAB")), KeyFault.PRIVATE),
    "two keys of one kid": (key_set(A, jwk(ED, kid="a")), KeyFault.DUPLICATE_KID),
    "one kid, for two uses": (key_set(A, jwk(ED, kid="a", use="enc")), KeyFault.DUPLICATE_KID),
    "a kid that is another's thumbprint": (key_set(jwk(EC), jwk(ED, kid=EC.thumbprint())), KeyFault.DUPLICATE_KID),
    "one key more than allowed": (key_set(*(jwk(EC, kid=str(n)) for n in range(MOST_KEYS + 1))), KeyFault.TOO_MANY),
    "no JSON": (b"<html>", KeyFault.MALFORMED),
    "not UTF-8": (b'{"keys": [], "x": "\xff"}', KeyFault.MALFORMED),
    "a list": (b"[]", KeyFault.MALFORMED),
    "no keys": (b"{}", KeyFault.MALFORMED),
    "keys that are an object": (b'{"keys": {}}', KeyFault.MALFORMED),
    "a key that is a text": (b'{"keys": ["x"]}', KeyFault.MALFORMED),
    "a member twice": (b'{"keys": [], "keys": []}', KeyFault.MALFORMED),
    "deeper than any set": (b'{"keys": ' + b"[" * 5000 + b"]" * 5000 + b"}", KeyFault.MALFORMED),
    "not a number": (b'{"keys": [], "x": NaN}', KeyFault.MALFORMED),
}


@pytest.mark.parametrize("name", REFUSED_SETS)
def test_a_set_is_refused_whole(name: str) -> None:
    raw, why = REFUSED_SETS[name]
    assert read_key_set(raw) is why


# -- the fetch itself, from a real server over TLS


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def publisher(authority: Authority, tmp_path: Path) -> AsyncIterator[Publisher]:
    async with publishing(authority.serving(tmp_path, NAME)) as made:
        made.said = answer(GOOD, Content_Type="application/jwk-set+json")
        yield made


class Names:
    """A resolver that counts; each look-up takes the next answer, the last one for good."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def near(authority: Authority, *answers: tuple[str, ...], seconds: float = 30) -> KeySetFetch:
    names = Names(*(answers or (("127.0.0.1",),)))
    return KeySetFetch(permits=lambda _: True, resolve=names, tls=authority.believed, seconds=seconds)


async def test_it_fetches_what_stands_there(authority: Authority, publisher: Publisher) -> None:
    assert await near(authority)(f"https://{NAME}:{publisher.port}/oauth/jwks?v=1") == GOOD
    (request,) = publisher.requests
    head = request.decode().lower().split("\r\n")
    assert head[0] == "get /oauth/jwks?v=1 http/1.1"
    assert {f"host: {NAME}:{publisher.port}", "accept-encoding: identity", "user-agent: sauma"} <= set(head)
    assert not any(line.startswith(("cookie", "authorization", "dpop")) for line in head)


ANSWERS = {
    "115 a redirect to link-local": (
        answer(status="302 Found", Location="http://169.254.169.254/latest/meta-data/"),
        KeyFault.STATUS,
    ),
    "115 a redirect to itself": (answer(status="307 Temporary Redirect", Location="/again"), KeyFault.STATUS),
    "not found": (answer(GOOD, status="404 Not Found"), KeyFault.STATUS),
    "an error": (answer(GOOD, status="500 Internal Server Error"), KeyFault.STATUS),
    "no content": (answer(status="204 No Content"), KeyFault.STATUS),
    "compressed": (answer(GOOD, Content_Encoding="gzip"), KeyFault.ENCODING),
    "one byte too many": (answer(bytes(LARGEST + 1)), KeyFault.TOO_LARGE),
    "cut short": (answer(GOOD[:5], Content_Length=str(len(GOOD))), KeyFault.UNREACHABLE),
    "no HTTP": (b"hello\r\n\r\n", KeyFault.UNREACHABLE),
    "nothing": (b"", KeyFault.UNREACHABLE),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_another_answer_is_no_key_set(authority: Authority, publisher: Publisher, name: str) -> None:
    publisher.said, why = ANSWERS[name]
    assert await near(authority)(f"https://{NAME}:{publisher.port}/jwks") is why
    assert publisher.connections == 1, "nobody is asked a second time, and nobody else"


async def test_the_largest_set_is_taken(authority: Authority, publisher: Publisher) -> None:
    publisher.said = answer(bytes(LARGEST))
    assert await near(authority)(f"https://{NAME}:{publisher.port}/jwks") == bytes(LARGEST)


async def test_an_endless_body_is_left(authority: Authority, publisher: Publisher) -> None:
    publisher.said, publisher.endless = answer(Content_Type="application/json"), True
    assert await near(authority)(f"https://{NAME}:{publisher.port}/jwks") is KeyFault.TOO_LARGE


async def test_a_server_that_says_nothing_is_left(authority: Authority, publisher: Publisher) -> None:
    publisher.silent = True
    assert await near(authority, seconds=0.2)(f"https://{NAME}:{publisher.port}/jwks") is KeyFault.UNREACHABLE


URIS = (
    "http://keys.client.example/jwks",
    "HTTPS://keys.client.example/jwks",
    "https://Keys.client.example/jwks",
    "https://name@keys.client.example/jwks",
    "https://keys.client.example:0/jwks",
    "https://keys.client.example:65536/jwks",
    "https://keys.client.example/jwks#x",
    "https://keys.client.example/j wks",
    "https://keys.client.example\\@other.example/",
    "https://keys..client.example/jwks",
    "https://keys.client.example./jwks",
    "https://[::1]/jwks",
    "https:///jwks",
    "https://kéys.example/",
    "https://keys.client.example/\n",
    "file:///etc/passwd",
    "https://" + "a" * 64 + ".example/",
    "https://keys.client.example/" + "a" * 500,
    "",
)


@pytest.mark.parametrize("uri", URIS)
async def test_an_address_of_another_form_is_not_even_looked_up(uri: str) -> None:
    names = Names(("127.0.0.1",))
    assert await KeySetFetch(permits=lambda _: True, resolve=names)(uri) is KeyFault.URI
    assert names.asked == []


ADDRESSES = {
    "8.8.8.8": True,
    "2001:4860:4860::8888": True,
    "127.0.0.1": False,
    "0.0.0.0": False,  # noqa: S104  # not bound: refused
    "10.1.2.3": False,
    "172.16.0.1": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "100.100.100.200": False,
    "169.254.169.254": False,
    "192.0.0.192": False,
    "192.0.2.1": False,
    "198.18.0.1": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "fe80::1": False,
    "fe80::1%eth0": False,
    "fc00::1": False,
    "fd00:ec2::254": False,
    "ff02::1": False,
    "2001:db8::1": False,
    "::ffff:127.0.0.1": False,
    "::ffff:8.8.8.8": False,
    "64:ff9b::a9fe:a9fe": False,
    "2002:7f00:1::": False,
    "2001:0:53aa:64c:0:0:80ff:fffe": False,
    "::8.8.8.8": False,
    "::ffff:0:8.8.8.8": False,
    "fec0::1": False,
    "5f00::1": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_the_open_internet_is_public(address: str) -> None:
    assert is_public(address) is ADDRESSES[address]


@pytest.mark.parametrize(
    "found", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("169.254.169.254",), ("::ffff:10.0.0.1",), ()]
)
async def test_a_name_that_leads_inside_is_not_called(
    authority: Authority, publisher: Publisher, found: tuple[str, ...]
) -> None:
    fetch = KeySetFetch(resolve=Names(found), tls=authority.believed)
    assert await fetch(f"https://{NAME}:{publisher.port}/jwks") is KeyFault.ADDRESS
    assert publisher.connections == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0177.0.0.1", "2130706433", "0x7f000001"])
async def test_this_machine_under_any_of_its_names_is_not_called(publisher: Publisher, host: str) -> None:
    outcome = await KeySetFetch()(f"https://{host}:{publisher.port}/jwks")
    assert outcome in {KeyFault.ADDRESS, KeyFault.UNREACHABLE}
    assert publisher.connections == 0


async def test_a_name_is_looked_up_once_and_what_was_checked_is_called(
    authority: Authority, publisher: Publisher
) -> None:
    """DNS rebinding: the second answer would lead elsewhere, and nobody asks for it."""
    names, checked = Names(("127.0.0.1",), ("127.0.0.9",)), []
    fetch = KeySetFetch(permits=lambda a: bool(checked.append(a)) or True, resolve=names, tls=authority.believed)
    assert await fetch(f"https://{NAME}:{publisher.port}/jwks") == GOOD
    assert (names.asked, checked, publisher.connections) == ([NAME], ["127.0.0.1"], 1)


async def test_the_next_address_is_tried_where_one_is_away(authority: Authority, publisher: Publisher) -> None:
    fetch = near(authority, ("127.0.0.7", "127.0.0.1"))
    assert await fetch(f"https://{NAME}:{publisher.port}/jwks") == GOOD


async def test_who_answers_must_be_who_was_named(authority: Authority, publisher: Publisher, tmp_path: Path) -> None:
    uri = f"https://{NAME}:{publisher.port}/jwks"
    assert await near(Authority())(uri) is KeyFault.UNREACHABLE
    assert await near(authority)(uri.replace("keys.", "other.")) is KeyFault.UNREACHABLE
    assert await KeySetFetch(permits=lambda _: True, resolve=Names(("127.0.0.1",)))(uri) is KeyFault.UNREACHABLE
    assert publisher.requests == []


async def test_the_environment_changes_nothing(
    authority: Authority, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await near(authority)(f"https://{NAME}:{publisher.port}/jwks") == GOOD


async def test_no_log_line_says_where_it_went(authority: Authority, publisher: Publisher) -> None:
    root, stream, before = logging.getLogger(), io.BytesIO(), structlog.get_config()
    handlers, level = root.handlers, root.level
    try:
        logs.configure(logging.DEBUG, stream=stream)
        assert await near(authority)(f"https://{NAME}:{publisher.port}/jwks?secret=1") == GOOD
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
        assert not logging.getLogger("httpcore").isEnabledFor(logging.INFO)
    finally:
        structlog.configure(**before)
        root.handlers, _ = handlers, root.setLevel(level)
    assert stream.getvalue() == b""


# -- how seldom


class Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


class Kept:
    """Remote keys over one address whose answer a test chooses; `fetches` counts."""

    uri = f"https://{NAME}/jwks"

    def __init__(self) -> None:
        self.clock = Clock()
        self.answer: bytes | KeyFault = GOOD
        self.fetches = 0
        self.faults: list[tuple[KeyFault, str]] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.keys = RemoteKeys(self.fetch, clock=self.clock, on_fault=lambda *told: self.faults.append(told))

    async def fetch(self, uri: str) -> bytes | KeyFault:
        assert uri == self.uri
        self.fetches += 1
        self.begun.set()
        await self.gate.wait()
        return self.answer

    async def kids(self, kid: str | None = "a") -> list[str]:
        return [key["kid"] for key in await self.keys.keys_of(self.uri, kid)]

    async def settled(self) -> None:
        """What was begun in the background has ended."""
        while (task := self.keys._held[self.uri].fetching) is not None:
            await task


@pytest.fixture
async def kept() -> Kept:
    return Kept()


async def test_a_fresh_set_is_not_fetched_again(kept: Kept) -> None:
    first = await kept.keys.keys_of(kept.uri, "a")
    kept.clock.now += RENEWED - 1
    assert await kept.keys.keys_of(kept.uri, None) is first
    assert kept.fetches == 1


async def test_many_first_callers_cause_one_fetch(kept: Kept) -> None:
    kept.gate.clear()
    callers = [asyncio.create_task(kept.kids()) for _ in range(50)]
    await kept.begun.wait()
    kept.gate.set()
    assert await asyncio.gather(*callers) == [["a", "b"]] * 50
    assert kept.fetches == 1


async def test_a_caller_that_leaves_takes_nobody_with_it(kept: Kept) -> None:
    kept.gate.clear()
    callers = [asyncio.create_task(kept.kids()) for _ in range(3)]
    await kept.begun.wait()
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    kept.gate.set()
    assert await asyncio.gather(*callers[1:]) == [["a", "b"]] * 2
    assert kept.fetches == 1


async def test_an_old_set_is_renewed_before_anybody_must_wait(kept: Kept) -> None:
    await kept.kids()
    kept.answer = key_set(B)
    kept.clock.now += RENEWED
    assert await kept.kids("b") == ["a", "b"]
    await kept.settled()
    assert (await kept.kids("b"), kept.fetches) == (["b"], 2)


async def test_a_set_that_is_too_old_is_waited_for(kept: Kept) -> None:
    await kept.kids()
    kept.answer = key_set(B)
    kept.clock.now += FRESH
    assert (await kept.kids("b"), kept.fetches) == (["b"], 2)


async def test_a_new_key_is_found_by_its_kid(kept: Kept) -> None:
    await kept.kids()
    kept.answer = key_set(A, B, jwk(RSA, kid="c"))
    kept.clock.now += PAUSE
    assert await kept.kids("c") == ["a", "b", "c"]


async def test_116_a_flood_of_unknown_kids_causes_one_fetch_in_thirty_seconds(
    authority: Authority, publisher: Publisher
) -> None:
    clock = Clock()
    keys = RemoteKeys(near(authority), clock=clock, on_fault=lambda *_: None)
    uri = f"https://{NAME}:{publisher.port}/jwks"
    for seconds in range(3 * PAUSE):
        found = await asyncio.gather(*(keys.keys_of(uri, f"invented-{seconds}-{number}") for number in range(20)))
        assert {tuple(key["kid"] for key in one) for one in found} == {("a", "b")}
        clock.now += 1
    assert publisher.connections == 3


async def test_an_address_that_is_away_is_not_asked_by_every_caller(kept: Kept) -> None:
    kept.answer = KeyFault.UNREACHABLE
    for _ in range(PAUSE):
        assert await kept.kids() == []
        kept.clock.now += 1
    assert kept.fetches == 1
    assert kept.faults == [(KeyFault.UNREACHABLE, f"https://{NAME}")]
    kept.answer = GOOD
    assert await kept.kids() == ["a", "b"]


@pytest.mark.parametrize("answered", [KeyFault.UNREACHABLE, KeyFault.STATUS, b"<html>", key_set(A, jwk(ED, kid="a"))])
async def test_while_the_address_fails_the_set_serves_a_day(kept: Kept, answered: bytes | KeyFault) -> None:
    await kept.kids()
    kept.answer = answered
    kept.clock.now += STALE - 1
    assert await kept.kids() == ["a", "b"]
    kept.clock.now += 1
    assert await kept.kids() == []


async def test_114_a_set_with_a_private_key_ends_what_was_kept(kept: Kept) -> None:
    await kept.kids()
    kept.answer = key_set(jwk(EC, private=True, kid="a"), B)
    kept.clock.now += FRESH
    assert await kept.kids() == []
    assert kept.faults == [(KeyFault.PRIVATE, f"https://{NAME}")]
    kept.answer = key_set(B)
    kept.clock.now += PAUSE
    assert await kept.kids() == ["b"]


async def test_the_same_set_is_the_same_tuple(kept: Kept) -> None:
    first: Jwks = await kept.keys.keys_of(kept.uri, "a")
    kept.clock.now += FRESH
    assert await kept.keys.keys_of(kept.uri, "a") is first
    assert kept.fetches == 2
