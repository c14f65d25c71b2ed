"""The live server as the table's target: a registered system of its own, its keys, and the reasons in log and ledger."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from asks import KELA, PIRHA
from attacks.oauth.forge import Forge, Target, Wire, new_keys
from attacks.oauth.sent import Answer, send
from attacks.oauth.table import BASELINE
from live import Live
from sauma.store.enrol import EnrolledKey
from systems import System

SCOPES = ("case:read", "matter:write")
LOGGED_WITHIN = 10
LATEST_BYTES = 65_536


class Living:
    """One registered system of a live server, and everything the table may do in its name."""

    def __init__(self, live: Live, system: System | None = None, *, organisation: str = PIRHA) -> None:
        self.live = live
        self.system = system or live.new_system(organisation, SCOPES)
        self.organisation = organisation
        self.forge = Forge(BASELINE, self._target())

    def _target(self) -> Target:
        client, keys = self.system.client_id, new_keys()
        keys["client"] = ECKey.import_key(dict(self.live.keys[client]))
        keys["issuer"] = active_key(self.live)
        return Target(
            url=self.live.url,
            client=client,
            organisation=self.organisation,
            other_organisation=KELA,
            version=self.version(),
            kids={"client": self.live.keys[client]["kid"]},
            keys=keys,
            clock=lambda: int(time.time()),
        )

    def version(self) -> int:
        """The version of the mandate a token of now is given under."""
        statement = "select version from registry.mandate where client = $1 and organisation = $2"
        return int(self.live.sql(statement, self.system.client_id, self.organisation)[0]["version"])

    def ask(self, door: str, change: Mapping[str, Any] | None = None, *, token: str | None = None) -> Answer:
        """The answer to the baseline with that change, after the request it repeats."""
        *before, last = self.forge.wires(door, change or {}, token=token)
        for wire in before:
            assert self.send(wire).status == 200
        return self.send(last)

    def send(self, wire: Wire, *, source: str = "") -> Answer:
        """One request, as it is."""
        answer = send(self.live.url, wire, source=source)
        assert answer.status < 500, answer
        return answer

    def token(self, change: Mapping[str, Any] | None = None) -> str:
        """An access token the server itself gave, bound to the key "proof"."""
        answer = self.ask("token", change)
        assert answer.status == 200, answer.body
        return str(answer.members["access_token"])

    def add_rsa_key(self) -> None:
        """Register the key "PS256" for the system, beside its first."""
        key = self.forge.target.keys["PS256"]
        assert isinstance(key, RSAKey)
        public = key.as_dict(private=False)
        jwk = json.dumps({name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":")).encode()
        kid = key.thumbprint()
        self.live._enrol(keys=(EnrolledKey(client=self.system.client_id, kid=kid, algorithm="PS256", jwk=jwk),))

    def reason(self, answer: Answer) -> str | None:
        """Why the server refused: what its log says of the request, which is written once the answer is out."""
        number = str(answer.header("sauma-request-id"))
        deadline = time.monotonic() + LOGGED_WITHIN
        while True:
            found = [line for line in end_of(self.live.log).splitlines() if number.encode() in line]
            told = [json.loads(line) for line in found if b'"request-finished"' in line]
            if told:
                return str(told[0]["reason"]) if "reason" in told[0] else None
            assert time.monotonic() < deadline, number

    def refusals(self) -> list[str]:
        """The reasons of the system's recorded refusals, oldest first."""
        return [row["reason"] for row in self.live.entries(self.system.client_id, kind="refusal")]


def end_of(log: Path) -> bytes:
    """The last lines of a log, which are the latest."""
    with log.open("rb") as lines:
        lines.seek(max(0, lines.seek(0, os.SEEK_END) - LATEST_BYTES))
        return lines.read()


def active_key(live: Live) -> ECKey:
    """The key the live server signs with; only a test that owns the server's home can have it."""
    ring = json.loads((live.home / "sauma" / "issuer-keys.json").read_text())
    rows = ring["keys"] if isinstance(ring, dict) else ring
    return ECKey.import_key(next(row["jwk"] for row in rows if row["state"] == "active"))
