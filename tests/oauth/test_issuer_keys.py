"""The issuer's keys: whatever happens in whatever order, one signs, nothing it signed is refused too early, and what was
removed never comes back; and the file they lie in.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sauma.oauth.claims import SKEW, TOKEN_LIFETIME
from sauma.oauth.jose import SigningKey, encode
from sauma.oauth.keys import IssuerKeyError, create_key, private_members
from sauma.oauth.keys.issuer import FORMAT, IssuerKeys, change_ring, load_ring, open_ring
from sauma.oauth.keys.ring import (
    KEPT,
    MAX_AGE,
    MOST,
    PREPARED,
    IssuerKeyState,
    IssuerRing,
    Unmoved,
    new_ring,
    prepare,
    remove,
    rotate,
)

NOW = 1_790_000_000
KEYS = tuple(create_key(algorithm=("ES256", "Ed25519")[number % 2]) for number in range(40))


def kids(ring: IssuerRing, state: IssuerKeyState) -> list[str]:
    return [key.public.kid for key in ring.keys if key.state is state]


# -- the order they follow in


ACTS = st.lists(
    st.one_of(
        st.just(("prepare", 0)),
        st.just(("rotate", 0)),
        st.just(("rotate-now", 0)),
        st.tuples(st.just("remove"), st.integers(0, 8)),
        st.tuples(st.just("wait"), st.sampled_from([1, 60, TOKEN_LIFETIME, MAX_AGE, PREPARED, KEPT])),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(ACTS)
def test_one_key_signs_and_what_it_signed_is_believed_until_it_ends_or_is_removed(acts: list[tuple[str, int]]) -> None:
    fresh = iter(KEYS)
    now, ring = NOW, new_ring(next(fresh), now=NOW)
    signed: list[tuple[str, int]] = []  # a token of each moment: by which key, until when it may be used
    removed: set[str] = set()
    for act, number in acts:
        outcome: IssuerRing | Unmoved = ring
        if act == "wait":
            now += number
        elif act == "prepare":
            outcome = prepare(ring, next(fresh), now=now)
        elif act == "remove":
            kid = ring.keys[number % len(ring.keys)].public.kid
            outcome = remove(ring, kid, instead=next(fresh), now=now)
            removed.add(kid)
        else:
            outcome = rotate(ring, now=now, at_once=act == "rotate-now")
        ring = outcome if isinstance(outcome, IssuerRing) else ring
        believed = {key.kid for key in ring.verifying(now=now)}
        published = {key.public.kid for key in ring.standing(now=now).keys}
        signed.append((ring.active.public.kid, now + TOKEN_LIFETIME + SKEW))
        assert len(kids(ring, IssuerKeyState.ACTIVE)) == 1
        assert len(kids(ring, IssuerKeyState.NEXT)) <= 1
        assert len(ring.keys) <= MOST
        assert {kid for kid, until in signed if now < until and kid not in removed} <= believed
        assert not removed & (believed | published)
        assert believed | set(kids(ring, IssuerKeyState.NEXT)) == published
        assert all((key.signing is None) is (key.state is IssuerKeyState.RETIRED) for key in ring.keys)


def test_a_key_waits_until_every_reader_can_know_it() -> None:
    ring = prepare(new_ring(KEYS[0], now=NOW), KEYS[1], now=NOW)
    assert isinstance(ring, IssuerRing)
    assert PREPARED == 2 * MAX_AGE
    assert rotate(ring, now=NOW + PREPARED - 1) is Unmoved.TOO_YOUNG
    rotated = rotate(ring, now=NOW + PREPARED)
    assert isinstance(rotated, IssuerRing)
    assert rotated.active == KEYS[1]
    assert isinstance(rotate(ring, now=NOW, at_once=True), IssuerRing)


def test_a_retired_key_verifies_until_a_lagging_cache_has_ended_too_and_is_then_forgotten() -> None:
    prepared = prepare(new_ring(KEYS[0], now=NOW), KEYS[1], now=NOW)
    assert isinstance(prepared, IssuerRing)
    ring = rotate(prepared, now=NOW, at_once=True)
    assert isinstance(ring, IssuerRing)
    last = NOW + TOKEN_LIFETIME + SKEW + MAX_AGE
    assert KEYS[0].public in ring.verifying(now=last - 1)
    assert KEYS[0].public not in ring.verifying(now=last)
    assert len(ring.keys) == 2, "it is still in the ring as it stands"
    later = prepare(ring, KEYS[2], now=last)
    assert isinstance(later, IssuerRing)
    assert [key.public.kid for key in later.keys] == [KEYS[1].public.kid, KEYS[2].public.kid]


def removed_active(*, with_next: bool) -> SigningKey:
    ring = new_ring(KEYS[0], now=NOW)
    prepared = prepare(ring, KEYS[1], now=NOW) if with_next else ring
    assert isinstance(prepared, IssuerRing)
    left = remove(prepared, KEYS[0].public.kid, instead=KEYS[2], now=NOW)
    assert isinstance(left, IssuerRing)
    return left.active


def test_where_the_active_key_is_removed_another_signs_at_once() -> None:
    assert removed_active(with_next=True) == KEYS[1]
    assert removed_active(with_next=False) == KEYS[2]


REFUSED: dict[str, tuple[Callable[[IssuerRing], IssuerRing | Unmoved], Unmoved]] = {
    "a second next": (lambda ring: prepare(ring, KEYS[2], now=NOW), Unmoved.NEXT_STANDS),
    "a rotation without a next": (
        lambda _: rotate(new_ring(KEYS[0], now=NOW), now=NOW, at_once=True),
        Unmoved.NO_NEXT,
    ),
    "the removal of a stranger": (
        lambda ring: remove(ring, KEYS[9].public.kid, instead=KEYS[2], now=NOW),
        Unmoved.UNKNOWN_KID,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_act_that_does_not_fit_leaves_the_ring(name: str) -> None:
    ring = prepare(new_ring(KEYS[0], now=NOW), KEYS[1], now=NOW)
    assert isinstance(ring, IssuerRing)
    act, why = REFUSED[name]
    assert act(ring) is why


def test_the_ring_never_outgrows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "issuer-keys.json"
    open_ring(path, now=NOW)
    outcome: IssuerRing | Unmoved = load_ring(path)
    for signing in KEYS:
        outcome = change_ring(path, lambda ring, signing=signing: prepare(ring, signing, now=NOW))
        if isinstance(outcome, Unmoved):
            break
        change_ring(path, lambda ring: rotate(ring, now=NOW, at_once=True))
    assert outcome is Unmoved.TOO_MANY
    assert len(load_ring(path).keys) == MOST


# -- the file


def opened(path: Path) -> str:
    return open_ring(path, now=NOW).active.public.kid


def test_several_starts_at_once_make_one_ring_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "issuer-keys.json"
    code = "import sys, pathlib, sauma.oauth.keys.issuer as i; r = i.open_ring(pathlib.Path(sys.argv[1]), now=int(sys.argv[2])); print(r.active.public.kid)"
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(NOW)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    with ThreadPoolExecutor(6) as threads:
        begun = list(threads.map(opened, [path] * 6))
    found = [process.communicate(timeout=60)[0].strip() for process in others]
    assert len({*begun, *found}) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"issuer-keys.json", "issuer-keys.lock"}


def test_changes_at_once_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "issuer-keys.json"
    open_ring(path, now=NOW)

    def turn(signing: SigningKey) -> None:
        def both(ring: IssuerRing) -> IssuerRing | Unmoved:
            waiting = prepare(ring, signing, now=NOW)
            return rotate(waiting, now=NOW, at_once=True) if isinstance(waiting, IssuerRing) else waiting

        change_ring(path, both)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(turn, KEYS[:8]))
    assert {key.public.kid for key in KEYS[:8]} <= {key.public.kid for key in load_ring(path).keys}


def test_the_file_holds_the_ring_and_no_secret_of_a_retired_key(tmp_path: Path) -> None:
    path = tmp_path / "issuer-keys.json"
    first = open_ring(path, now=NOW).active
    change_ring(path, lambda ring: prepare(ring, KEYS[1], now=NOW + 1))
    ring = change_ring(path, lambda ring: rotate(ring, now=NOW + 2, at_once=True))
    assert load_ring(path) == ring
    assert private_members(first)["d"] not in path.read_text()
    assert private_members(KEYS[1])["d"] in path.read_text()
    assert (path.stat().st_mode & 0o777, json.loads(path.read_text())["format"]) == (0o600, FORMAT)


def test_a_crash_before_the_new_file_is_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "issuer-keys.json"
    before = open_ring(path, now=NOW)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as here:
        here.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            change_ring(path, lambda ring: prepare(ring, KEYS[1], now=NOW))
    assert load_ring(path) == before
    left = [one for one in tmp_path.iterdir() if one.name not in {"issuer-keys.json", "issuer-keys.lock"}]
    assert [one.stat().st_mode & 0o777 for one in left] == [0o600]
    assert isinstance(change_ring(path, lambda ring: prepare(ring, KEYS[1], now=NOW)), IssuerRing)
    assert {one.name for one in tmp_path.iterdir()} == {"issuer-keys.json", "issuer-keys.lock"}


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_the_key_of_before_is_taken_over_and_its_file_goes(tmp_path: Path, algorithm: str) -> None:
    old, path = tmp_path / "issuer.jwk", tmp_path / "issuer-keys.json"
    signing = create_key(algorithm=algorithm)
    old.write_text(json.dumps(private_members(signing)))
    old.chmod(0o600)
    assert open_ring(path, now=NOW).active.public == signing.public
    assert not old.exists()
    assert open_ring(path, now=NOW).active.public == signing.public


def test_a_key_of_before_beside_a_ring_is_not_believed_again(tmp_path: Path) -> None:
    old, path = tmp_path / "issuer.jwk", tmp_path / "issuer-keys.json"
    ring = open_ring(path, now=NOW)
    old.write_text("a crash left it")
    assert open_ring(path, now=NOW) == ring
    assert not old.exists()


def _json(**members: object) -> Callable[[str], str]:
    return lambda good: json.dumps(json.loads(good) | members)


def _first(**members: object) -> Callable[[str], str]:
    def change(good: str) -> str:
        ring = json.loads(good)
        ring["keys"][0] |= members
        return json.dumps(ring)

    return change


def _jwk(*left_out: str, **members: str) -> Callable[[str], str]:
    def change(good: str) -> str:
        ring = json.loads(good)
        jwk = ring["keys"][0]["jwk"] | members
        ring["keys"][0]["jwk"] = {name: value for name, value in jwk.items() if name not in left_out}
        return json.dumps(ring)

    return change


def _doubled(good: str) -> str:
    ring = json.loads(good)
    return json.dumps(ring | {"keys": ring["keys"] + [ring["keys"][0] | {"state": "next"}]})


FAULTY: dict[str, tuple[Callable[[str], str], int]] = {
    "readable by the group": (lambda good: good, 0o640),
    "writable by all": (lambda good: good, 0o602),
    "no JSON": (lambda _: "x", 0o600),
    "half of it": (lambda good: good[: len(good) // 2], 0o600),
    "empty": (lambda _: "", 0o600),
    "a member twice": (lambda good: good.replace('"format"', '"format": "", "format"', 1), 0o600),
    "another format": (_json(format="sauma-issuer-keys/0"), 0o600),
    "a member nobody knows": (_json(more=1), 0o600),
    "no keys": (_json(keys=[]), 0o600),
    "no active key": (_first(state="next"), 0o600),
    "a state nobody knows": (_first(state="ACTIVE"), 0o600),
    "a moment without its zone": (_first(since="2026-11-01T10:00:00"), 0o600),
    "an active key without its secret half": (_jwk("d"), 0o600),
    "a secret half of another key": (_jwk(d=encode(bytes(31) + b"\x01")), 0o600),
    "a retired key that kept its secret": (_first(state="retired"), 0o600),
    "one key twice": (_doubled, 0o600),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_file_stops_the_start_and_is_not_quoted(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "issuer-keys.json"
    secret = private_members(open_ring(path, now=NOW).active)["d"]
    change, mode = FAULTY[fault]
    path.write_text(change(path.read_text()))
    path.chmod(mode)
    with pytest.raises(IssuerKeyError, match=r"^SAUMA_HOME: issuer-keys\.json .*; fix: ") as refused:
        open_ring(path, now=NOW)
    assert secret not in str(refused.value)
    assert "\n" not in refused.value.line


def test_a_file_that_is_a_link_or_a_folder_stops_the_start(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "issuer-keys.json", tmp_path / "elsewhere"
    open_ring(path, now=NOW)
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(IssuerKeyError):
        open_ring(path, now=NOW)
    path.unlink()
    path.mkdir()
    with pytest.raises(IssuerKeyError):
        open_ring(path, now=NOW)


# -- the server follows


class Followed:
    """A ring in a file, followed as a worker follows it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[IssuerKeyError] = []
        self.keys = IssuerKeys(path, now=NOW, on_fault=self.faults.append)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "issuer-keys.json")


def test_every_change_is_followed_at_once_and_counted(followed: Followed) -> None:
    first = followed.keys.ring().active.public.kid
    assert followed.keys.generation == 0
    change_ring(followed.path, lambda ring: prepare(ring, KEYS[1], now=NOW))
    assert kids(followed.keys.ring(), IssuerKeyState.NEXT) == [KEYS[1].public.kid]
    change_ring(followed.path, lambda ring: rotate(ring, now=NOW, at_once=True))
    assert followed.keys.ring().active == KEYS[1]
    change_ring(followed.path, lambda ring: remove(ring, first, instead=KEYS[2], now=NOW))
    assert [key.kid for key in followed.keys.ring().verifying(now=NOW)] == [KEYS[1].public.kid]
    assert (followed.keys.generation, followed.faults) == (3, [])


def test_the_keys_believed_follow_a_change_in_the_same_second_and_time_without_one(followed: Followed) -> None:
    first = followed.keys.verifying(now=NOW)
    assert followed.keys.verifying(now=NOW) is first
    change_ring(followed.path, lambda ring: prepare(ring, KEYS[1], now=NOW))
    change_ring(followed.path, lambda ring: rotate(ring, now=NOW, at_once=True))
    both = {key.kid for key in (*first, KEYS[1].public)}
    assert {key.kid for key in followed.keys.verifying(now=NOW)} == both
    assert followed.keys.verifying(now=NOW + KEPT) == (KEYS[1].public,)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("x"), lambda path: path.chmod(0o644)])
def test_a_file_that_cannot_be_used_leaves_the_ring_and_is_told_once(
    followed: Followed, spoil: Callable[[Path], object]
) -> None:
    ring = followed.keys.ring()
    spoil(followed.path)
    assert [followed.keys.ring() == ring for _ in range(3)] == [True] * 3
    assert (len(followed.faults), followed.keys.generation) == (1, 0)


def test_a_key_that_was_removed_while_nothing_could_be_read_is_gone_at_the_next_use(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without a descriptor left: the fault is its own, and the file does not change again."""
    first = followed.keys.ring().active.public.kid
    change_ring(followed.path, lambda ring: remove(ring, first, instead=KEYS[2], now=NOW))
    for call in ("open", "read", "fstat"):
        with monkeypatch.context() as here:
            here.setattr(os, call, _no_descriptor)
            assert [followed.keys.ring().active.public.kid for _ in range(3)] == [first] * 3
    assert (len(followed.faults), followed.keys.generation) == (1, 0)
    assert followed.keys.ring().active == KEYS[2]
    assert followed.keys.generation == 1
    followed.path.write_text("x")
    assert followed.keys.ring().active == KEYS[2]
    assert len(followed.faults) == 2, "another fault is told"


def _no_descriptor(*_: object) -> None:
    raise OSError(errno.EMFILE, "too many open files")


def test_a_file_in_a_home_that_cannot_be_written_serves(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    path = tmp_path / "issuer-keys.json"
    ring = open_ring(path, now=NOW)
    tmp_path.chmod(0o500)
    assert open_ring(path, now=NOW) == ring


def test_nothing_private_is_published_or_shown(followed: Followed) -> None:
    change_ring(followed.path, lambda ring: prepare(ring, KEYS[1], now=NOW))
    ring = followed.keys.ring()
    published = json.loads(followed.keys.published({"kid": "receipts"}, now=NOW))
    assert [jwk["kid"] for jwk in published["keys"]] == [ring.active.public.kid, KEYS[1].public.kid, "receipts"]
    assert all(jwk.keys() <= {"kty", "crv", "x", "y", "kid", "alg", "use"} for jwk in published["keys"])
    for signing in (ring.active, KEYS[1]):
        assert private_members(signing)["d"] not in json.dumps(published) + repr(ring)
