"""docs/access.md does what it says: every block is run as it stands, and its names and numbers are the code's."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from docs import pages
from docs.guides import promised, run
from interop.conftest import JS, Login, login, node  # noqa: F401  # the fixtures
from sauma.client.auth import Access
from sauma.core.parties import CONTEXTS, FRESH_SECONDS, Action
from sauma.oauth import claims, details, form, nonce, proof
from sauma.oauth.issuing import answers, clients, officers
from sauma.oauth.resource import ERROR_TEXTS

PAGE = (pages.ROOT / "docs" / "access.md").read_text(encoding="utf-8")
KEYS = Path(".sauma/demo-clients")
AINO = "010594Y9032"


@pytest.fixture
def folder(live: Any, tmp_path: Path, login: Login) -> Path:  # noqa: F811  # the fixture
    """A folder as a reader has it after `./sauma`, with the keys of two systems and the identity provider."""
    live.told.texts.add("Päivi Esimerkki")
    (tmp_path / KEYS).mkdir(parents=True)
    keys = {
        "pirha-casework": {"clientId": "pirha", "jwk": live.keys["pirha"]},
        "sammal-casework": {"clientId": "supplier", "jwk": live.keys["supplier"]},
        "pirha-login": {"clientId": "pirha-login", "jwk": login.key},
    }
    for name, told in keys.items():
        (tmp_path / KEYS / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(JS / "node_modules")
    return tmp_path


def test_the_script_works_as_written(live: Any, folder: Path) -> None:
    script = "\n".join(pages.fenced(PAGE, "python"))
    assert AINO in script
    (folder / "access.py").write_text(script.replace(AINO, live.client_of_both()), encoding="utf-8")
    assert run([sys.executable, "access.py"], folder, live) == promised(PAGE, "python")


def test_it_works_with_openid_client_as_written(live: Any, folder: Path, node: str) -> None:  # noqa: F811  # the fixture
    (script,) = pages.fenced(PAGE, "js")
    (folder / "access.mjs").write_text(script, encoding="utf-8")
    assert run([node, "access.mjs"], folder, live) == promised(PAGE, "js")


def test_the_demo_has_what_it_names() -> None:
    from sauma.demo import organisations as demo  # noqa: PLC0415  # the one test that needs the demo

    named = {name.removesuffix(".json") for name in re.findall(r'keys / "([^"]+)"', PAGE)}
    assert named == {demo.PIRKANMAA_CLIENT, demo.SUPPLIER_CLIENT, demo.LOGIN.id}
    assert Login.issuer == demo.LOGIN_ISSUER
    assert f'"iss": "{demo.LOGIN_ISSUER}"' in PAGE
    assert demo.PIRKANMAA in {delegation.organisation for delegation in demo.delegations()}
    assert any(f'"acr": "{context}"' in PAGE for context in CONTEXTS)


def test_every_member_of_a_detail_and_every_action_stands_in_its_table() -> None:
    rows = {name: row[1] for row in pages.table(PAGE, "in the detail") for name in re.findall("`([A-Za-z]+)`", row[0])}
    every = Access(
        issuer="",
        client_id="",
        key={},
        scopes=(),
        organisation="",
        purpose="",
        case_reference="",
        fields=(),
        actions=(),
        officer={},
    )
    assert rows.keys() == every.details()[0].keys() == set(details._Detail.__struct_encode_fields__)
    assert re.findall("`([a-z]+)`", rows["actions"]) == [action.value for action in Action]


def test_its_numbers_are_those_of_the_code() -> None:
    told = PAGE.partition("## 6.")[2]
    assert f"A token: {claims.TOKEN_LIFETIME} seconds" in told
    assert clients.ASSERTION_LIFETIME == officers.LOGIN_LIFETIME == claims.TOKEN_LIFETIME
    assert f"{clients.ASSERTION_LIFETIME} seconds after `iat` at most, {claims.SKEW} before it" in told
    assert f"A proof: {proof.PROOF_LIFETIME} seconds either way" in told
    assert f"A nonce: {nonce.SECONDS} to {2 * nonce.SECONDS} seconds" in told
    assert (
        f"The form: {form.LARGEST_FORM} bytes, {form.MOST_FIELDS} fields; the detail: {details.LARGEST_DETAILS}" in told
    )
    assert f"{details.LARGEST_DETAILS:,} bytes at most" in PAGE
    assert officers.GRANT_TYPE in PAGE
    assert officers.JWT_TYPE in PAGE


def test_the_claims_of_a_login_are_those_that_are_read() -> None:
    rows = {
        name: row[1] for row in pages.table(PAGE, "claim of the login") for name in re.findall("`([a-z_]+)`", row[0])
    }
    assert rows.keys() == {"iss", "aud", "iat", "exp", "jti", *officers._Said.__struct_encode_fields__}
    assert set(re.findall("`(http://eidas[^`]*)`", rows["acr"])) == set(CONTEXTS)
    assert f"`auth_time` at most {FRESH_SECONDS} seconds ago" in PAGE
    assert f"{clients.ASSERTION_LIFETIME} seconds at most" in rows["iat"]


def test_the_libraries_are_of_the_version_that_is_tried() -> None:
    tried = json.loads((JS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    first = (pages.ROOT / "docs" / "first-disclosure.md").read_text(encoding="utf-8")
    assert f"openid-client@{tried['openid-client']}`" in PAGE
    assert f"oauth4webapi@{tried['oauth4webapi']}\n" in first


def test_the_errors_it_explains_are_said_where_it_says() -> None:
    said = {"token": answers.ERROR_TEXTS, "calls": ERROR_TEXTS}
    rows = pages.table(PAGE, "error")
    assert len(rows) == 5
    assert all(error.strip("`") in said[where] for error, where, _ in rows)
