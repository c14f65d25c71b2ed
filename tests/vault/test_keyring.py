"""The key ring file: made once, read by its owner only, refused when anything about it is not as it was made."""

import base64
import copy
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from sauma.core.errors import StartRefused
from sauma.vault.keyring import Keyring, create_keyring, load_keyring
from sauma.vault.keys import KeyPurpose, Secret
from vault.conftest import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring.json", NOW, os.urandom)
    return tmp_path / "keyring.json"


def materials(ring: Keyring) -> dict[tuple[KeyPurpose, int], bytes]:
    return {(k.purpose, k.version): bytes(k.material.material) for k in ring.keys}


def test_a_ring_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = create_keyring(tmp_path / "ring", NOW, os.urandom)
    assert materials(load_keyring(tmp_path / "ring")) == materials(made)
    assert {k.purpose for k in made.keys} == set(KeyPurpose)
    assert len(set(materials(made).values())) == len(KeyPurpose)
    assert [p.name for p in tmp_path.iterdir()] == ["ring"], "no draft is left"


def test_a_ring_is_made_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_keyring(tmp_path / "ring", NOW, os.urandom)
    finally:
        os.umask(before)
    assert (tmp_path / "ring").stat().st_mode & 0o777 == 0o600


def test_a_ring_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_keyring(path, NOW, os.urandom)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o666])
def test_a_ring_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(StartRefused, match="chmod 600"):
        load_keyring(path)


def test_a_link_a_folder_a_pipe_and_nothing_are_refused(path: Path) -> None:
    link, pipe = path.with_name("link"), path.with_name("pipe")
    link.symlink_to(path)
    os.mkfifo(pipe, 0o600)
    for place in (link, pipe, path.parent, path.with_name("absent")):
        with pytest.raises(StartRefused):
            load_keyring(place)


def edited(change: Callable[[dict], object]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        ring = json.loads(text)
        change(ring)
        return json.dumps(ring)

    return edit


SPOILED: dict[str, Callable[[str], str]] = {
    "an empty file": lambda _: "",
    "half a file": lambda text: text[: len(text) // 2],
    "another format": edited(lambda r: r.update(format="sauma-keyring/2")),
    "an unknown member": edited(lambda r: r.update(note="…")),
    "an unknown purpose": edited(lambda r: r["keys"][0].update(purpose="everything")),
    "a purpose without a key": edited(lambda r: r["keys"].pop()),
    "a purpose without an enabled key": edited(lambda r: r["keys"][0].update(state="disabled")),
    "a key said to be absent": edited(lambda r: r["keys"].append(r["keys"][0] | {"state": "absent", "version": 9})),
    "two keys of one name": edited(lambda r: r["keys"].append(r["keys"][0])),
    "one key for two purposes": edited(lambda r: r["keys"][0].update(material=r["keys"][1]["material"])),
    "a key of 31 bytes": edited(lambda r: r["keys"][0].update(material=base64.b64encode(bytes(31)).decode())),
    "an empty key": edited(lambda r: r["keys"][0].update(material="")),
    "a key in another alphabet": edited(lambda r: r["keys"][0].update(material="_" * 43 + "=")),
    "a key that is a number": edited(lambda r: r["keys"][0].update(material=7)),
}


@pytest.mark.parametrize("sentence", SPOILED)
def test_is_refused_without_a_word_of_its_content(path: Path, sentence: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(SPOILED[sentence](text), encoding="utf-8")
    with pytest.raises(StartRefused) as refusal:
        load_keyring(path)
    assert refusal.value.__context__ is None
    assert not any(key["material"] in str(refusal.value) for key in json.loads(text)["keys"])
    assert str(path) not in str(refusal.value)


def test_a_secret_is_not_copied_or_pickled() -> None:
    secret = Secret(bytes(32))
    for act in (lambda: pickle.dumps(secret), lambda: copy.copy(secret), lambda: copy.deepcopy(secret)):
        with pytest.raises(TypeError):
            act()
