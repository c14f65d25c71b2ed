"""Try the table on any server: `python -m attacks.oauth.run URL --client ID --key FILE --organisation ID`.

Every request is sent over HTTP as it is, with a token the server itself gave where the row changes nothing of it. What a
row expects inside (its reason) only the server's own log can show, so status and error code are compared. Rows that
change the token need the issuer's private key (`--issuer-key`), which only a test of one's own server has; without it
they are left out, and counted. Ends with 1 when a row got another answer.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from attacks.oauth.forge import Forge, Target, new_keys
from attacks.oauth.sent import Answer, send
from attacks.oauth.table import ACCEPTED, BASELINE, PURE, Row

RENEWED_AFTER = 120
OWN_PATHS = {"token": "/oauth/token", "resource": "/v1/disclosures"}


def forge_of(asked: argparse.Namespace) -> Forge:
    """The table's baseline for the server and the client that were named."""
    keys = new_keys()
    stated = json.loads(Path(asked.key).read_text(encoding="utf-8"))
    keys["client"] = ECKey.import_key(stated)
    if asked.issuer_key:
        keys["issuer"] = ECKey.import_key(json.loads(Path(asked.issuer_key).read_text(encoding="utf-8")))
    target = Target(
        url=asked.url.rstrip("/"),
        client=asked.client,
        organisation=asked.organisation,
        other_organisation=asked.other_organisation,
        version=asked.version,
        kids={"client": stated["kid"]} if "kid" in stated else {},
        keys=keys,
        clock=lambda: int(time.time()),
    )
    text = json.dumps(BASELINE)
    for name, own in OWN_PATHS.items():
        text = text.replace(own, getattr(asked, f"{name}_path"))
    return Forge(json.loads(text), target)


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
            self._token = token, _ = self._new_token(), time.monotonic()
        return token

    def _new_token(self) -> str:
        answer = send(self._forge.target.url, self._forge.wires("token", {})[0])
        if answer.status != 200:
            sys.exit(f"the baseline token request was refused: {outcome(answer)}")
        return str(answer.members["access_token"])

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
    parser.add_argument("url")
    for name in ("client", "key", "organisation"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--issuer-key")
    parser.add_argument("--other-organisation", default="0246246-0")
    parser.add_argument("--version", type=int, default=1)
    for name, own in OWN_PATHS.items():
        parser.add_argument(f"--{name}-path", default=own)
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
