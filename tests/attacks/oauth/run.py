"""Try the table on any server: `python -m attacks.oauth.run URL --client ID --key FILE --organisation ID`.

Every request is sent over HTTP as it is, with a token the server itself gave where the row changes nothing of it. What a
row expects inside (its reason) only the server's own log can show, so status and error code are compared. Rows that
change the token need the issuer's private key (`--issuer-key`), which only a test of one's own server has; without it
they are left out, and counted. Ends with 1 when a row got another answer, with one line when it cannot begin.
"""

import argparse
import base64
import dataclasses
import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from attacks.oauth.forge import Forge, Target, new_keys
from attacks.oauth.sent import Answer, send
from attacks.oauth.table import ACCEPTED, BASELINE, PURE, Row

RENEWED_AFTER = 120
OWN_PATHS = {"token": "/oauth/token", "resource": "/v1/disclosures"}
_NEEDED = {
    "client": "client_id of a registered test system with the scopes case:read and matter:write",
    "key": "its private P-256 key: a JWK, or a file of demo-clients",
    "organisation": "the organisation its tokens are for (Y-tunnus)",
}


def private_key(option: str, name: str) -> dict[str, Any]:
    """The private P-256 JWK of a file: as it is, under `jwk` (demo-clients/*.json), or the active one of a key ring."""
    try:
        stated = json.loads(Path(name).read_text(encoding="utf-8"))
        rows = stated.get("keys", [stated])
        [row] = [row for row in rows if len(rows) == 1 or row.get("state") == "active"]
        jwk = row.get("jwk", row)
        ECKey.import_key(jwk).as_dict(private=True)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, JoseError):
        sys.exit(
            f"{option}: no file with one private P-256 JWK, alone, as `jwk`, or as the active one of issuer-keys.json"
        )
    return dict(jwk)


def forge_of(asked: argparse.Namespace) -> Forge:
    """The table's baseline for the server and the client that were named; a token of its own tells the grant's version."""
    keys = new_keys()
    stated = private_key("--key", asked.key)
    keys["client"] = ECKey.import_key(stated)
    if asked.issuer_key:
        keys["issuer"] = ECKey.import_key(private_key("--issuer-key", asked.issuer_key))
    target = Target(
        url=asked.url.rstrip("/"),
        client=asked.client,
        organisation=asked.organisation,
        other_organisation=asked.other_organisation,
        kids={"client": stated["kid"]} if "kid" in stated else {},
        keys=keys,
        clock=lambda: int(time.time()),
    )
    text = json.dumps(BASELINE)
    for name, own in OWN_PATHS.items():
        text = text.replace(own, getattr(asked, f"{name}_path"))
    baseline = json.loads(text)
    members = members_of(first_token(Forge(baseline, target)))
    return Forge(baseline, dataclasses.replace(target, version=members.get("grant_version", 1)))


def first_token(forge: Forge) -> str:
    """What the server gives for the baseline of the token endpoint, which must pass before anything is tried."""
    try:
        answer = send(forge.target.url, forge.wires("token", {})[0])
    except (OSError, http.client.HTTPException) as fault:
        sys.exit(f"{forge.target.url} does not answer: {type(fault).__name__}")
    status, error = outcome(answer)
    if error == "use_dpop_nonce":
        sys.exit(
            "the system must carry a nonce, and the table's proofs have none; name a system registered without one"
        )
    if status != 200:
        sys.exit(f"the baseline token request was refused: {status} {error or ''}".rstrip())
    return str(answer.members["access_token"])


def members_of(token: str) -> dict[str, Any]:
    """What a token says; one that is no JWT says nothing."""
    try:
        segment = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def outcome(answer: Answer) -> tuple[int, str | None]:
    """Status and OAuth error code; an answer that is no JSON object has none."""
    try:
        return answer.status, answer.error
    except (ValueError, AssertionError):
        return answer.status, None


class Trial:
    """One run: what was tried, what was left out, and what went another way."""

    def __init__(self, forge: Forge, *, forges_tokens: bool) -> None:
        self._forge = forge
        self._forges_tokens = forges_tokens
        self.wrong: list[str] = []
        self.tried = self.left_out = 0
        self._token = "", float("-inf")

    def token(self) -> str:
        """A token of the server's own, young enough to be sent."""
        token, asked_at = self._token
        if time.monotonic() - asked_at > RENEWED_AFTER:
            self._token = token, _ = first_token(self._forge), time.monotonic()
        return token

    def take(self, row: Row) -> None:
        """Send the row's request and compare."""
        makes_one = any(name.startswith("token") for name in row.change) or any(n.endswith(".sent") for n in row.change)
        if row.door == "resource" and makes_one and not self._forges_tokens:
            self.left_out += 1
            return
        known = None if row.door != "resource" or makes_one else self.token()
        *before, last = self._forge.wires(row.door, row.change, token=known)
        for wire in before:
            send(self._forge.target.url, wire)
        got = outcome(send(self._forge.target.url, last))
        expected = (row.http.get("status", row.status), row.http.get("error", row.error))
        self.tried += 1
        if got != expected:
            self.wrong.append(f"{row.number} {row.sentence}: expected {expected}, got {got}")


def main(arguments: list[str] | None = None) -> int:
    """Run the table; the exit code."""
    parser = argparse.ArgumentParser(prog="attacks.oauth.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the server's public URL, which is its issuer identifier")
    for name, told in _NEEDED.items():
        parser.add_argument(f"--{name}", required=True, help=told)
    parser.add_argument("--issuer-key", help="the issuer's private key, for the rows that change the token; a JWK or "
                        "issuer-keys.json of your own test server")  # fmt: skip
    parser.add_argument(
        "--other-organisation", default="0246246-0", help="one the system does not act for (%(default)s)"
    )
    for name, own in OWN_PATHS.items():
        parser.add_argument(f"--{name}-path", default=own, help=f"path of the {name} endpoint (%(default)s)")
    asked: Any = parser.parse_args(arguments)
    trial = Trial(forge_of(asked), forges_tokens=bool(asked.issuer_key))
    for row in (*PURE, *ACCEPTED):
        trial.take(row)
    for line in trial.wrong:
        print(line)  # noqa: T201  # what the command is for
    print(f"{trial.tried} tried, {len(trial.wrong)} wrong, {trial.left_out} left out")  # noqa: T201  # what the command is for
    return 1 if trial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
