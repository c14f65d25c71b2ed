"""The same table over real HTTP: every row as it leaves a socket, with a token the server sees first and one it knows."""

import json
import re
from pathlib import Path

import pytest

from attacks.oauth import run
from attacks.oauth.forge import Forge
from attacks.oauth.living import Living
from attacks.oauth.table import ACCEPTED, BASELINE, PURE, Row
from live import Live


@pytest.fixture(scope="module")
def living(live: Live) -> Living:
    return Living(live)


@pytest.fixture(scope="module")
def warm(living: Living) -> str:
    """A token the server has let in before."""
    token = living.token()
    assert living.ask("resource", token=token).status == 200
    return token


def tokens(row: Row, warm: str) -> tuple[str | None, ...]:
    """Without a token of its own the row gets a new one; where it changes nothing of it, a known one too."""
    new_ones = row.door != "resource" or any(name.startswith("token") or name.endswith(".sent") for name in row.change)
    return (None,) if new_ones else (None, warm)


@pytest.mark.parametrize("row", PURE, ids=str)
def test_the_attack_is_refused_over_http(row: Row, living: Living, warm: str) -> None:
    expected = {"status": row.status, "error": row.error, "reason": row.reason, **row.http}
    for token in tokens(row, warm):
        answer = living.ask(row.door, row.change, token=token)
        assert answer.status == expected["status"], answer.body
        assert answer.error == expected["error"]
        assert answer.members.get("code") == expected.get("code")
        assert answer.header("cache-control") == "no-store"
        recorded = living.refusals()[-1] if answer.status == 403 else answer.members.get("code")
        assert (living.reason(answer) or recorded) == expected["reason"]


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: f"{row.door} {row.sentence}")
def test_what_must_pass_passes_over_http(row: Row, living: Living, warm: str) -> None:
    for token in tokens(row, warm):
        answer = living.ask(row.door, row.change, token=token)
        assert answer.status == 200, answer.body


@pytest.mark.parametrize("inside", [True, False], ids=["one's own server", "somebody else's"])
def test_the_command_of_the_guide_runs_the_table(
    inside: bool,  # noqa: FBT001  # one of the two servers
    living: Living,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = living.system.client_id
    (tmp_path / "client.json").write_text(json.dumps({"clientId": client, "jwk": living.live.keys[client]}))
    named = ["--client", client, "--key", str(tmp_path / "client.json"), "--organisation", living.organisation]
    own = ["--issuer-key", str(living.live.home / "sauma" / "issuer-keys.json")]  # as the product writes it
    assert run.main([living.live.url, *named, *(own if inside else [])]) == 0
    told = capsys.readouterr().out
    tried, left_out = (int(found) for found in re.findall("([0-9]+) (?:tried|left out)", told))
    assert tried + left_out == len(PURE) + len(ACCEPTED), told
    assert (left_out == 0) is inside


UNUSABLE = {
    "no such file": (None, "--key: "),
    "no JSON": ("{", "--key: "),
    "a list": ("[]", "--key: "),
    "a public key": ("public", "--key: "),
    "no server": ("private", "does not answer"),
}


@pytest.mark.parametrize(("written", "line"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_the_command_cannot_begin_with_is_said_in_one_line(
    written: str | None, line: str, living: Living, tmp_path: Path
) -> None:
    key = living.live.keys[living.system.client_id]
    texts = {"private": json.dumps(key), "public": json.dumps({n: v for n, v in key.items() if n != "d"})}
    if written is not None:
        (tmp_path / "key").write_text(texts.get(written, written))
    named = ["--client", "x", "--key", str(tmp_path / "key"), "--organisation", living.organisation]
    with pytest.raises(SystemExit) as ended:
        run.main(["http://127.0.0.1:9", *named])
    assert line in str(ended.value.code)
    assert "\n" not in str(ended.value.code)


def test_a_system_that_must_carry_a_nonce_is_refused_in_one_line(living: Living, tmp_path: Path) -> None:
    system = living.live.new_system(living.organisation, ("case:read", "matter:write"))
    living.live.sql("update registry.client set nonce_required = true where id = $1", system.client_id)
    (tmp_path / "key").write_text(json.dumps(living.live.keys[system.client_id]))
    named = ["--client", system.client_id, "--key", str(tmp_path / "key"), "--organisation", living.organisation]
    with pytest.raises(SystemExit, match="registered without one"):
        run.main([living.live.url, *named])


def test_every_option_of_the_command_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--help"])
    lines = capsys.readouterr().out.partition("options:")[2]
    options = re.split(r"\n  (?=-)", lines)[1:]
    assert len(options) == 8
    assert [one for one in options if not re.search(r"(?:  |\n +)[a-z]+.* [a-z]+", one)] == []


def test_the_command_says_which_answers_were_others(living: Living) -> None:
    """A resource that is open to all lets in what it should refuse, and refuses nothing."""
    opened = json.loads(json.dumps(BASELINE).replace("/v1/disclosures", "/v1/status"))
    trial = run.Trial(Forge(opened, living.forge.target), forges_tokens=False)
    for row in (row for row in PURE if row.number in {"48", "64", "78"}):
        trial.take(row)
    assert trial.tried == 3
    assert [line.partition(" ")[0] for line in trial.wrong] == ["48", "64"]
