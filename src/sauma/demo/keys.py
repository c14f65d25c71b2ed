"""The demo systems' own keys: made at the first seed, one file a system, readable by its owner only.

The file appears whole or not at all (written beside, then linked); of several processes that start at once one wins
and the others read what it wrote.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sauma.core.errors import StartRefused
from sauma.demo.organisations import Client
from sauma.oauth.keys import create_key
from sauma.store.enrol import EnrolledKey

FOLDER = "demo-clients"


class ClientKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a demo system needs to get a token: its id, organisation, scopes and private JWK (with `kid` and `alg`)."""

    client_id: str
    organisation: str
    scopes: tuple[str, ...]
    jwk: dict[str, str]

    def __repr__(self) -> str:
        return f"ClientKey({self.client_id})"

    def enrolled(self) -> EnrolledKey:
        """The public half, as the register holds it."""
        public = {name: value for name, value in self.jwk.items() if name not in {"d", "kid", "alg"}}
        return EnrolledKey(
            client=self.client_id, kid=self.jwk["kid"], algorithm=self.jwk["alg"], jwk=msgspec.json.encode(public)
        )


def client_keys(home: Path, clients: Iterable[Client]) -> dict[str, EnrolledKey]:
    """The public key of every demo system by client id, made where there is none yet."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: dict[str, EnrolledKey] = {}
    for client in clients:
        path = folder / f"{client.id}.json"
        if not path.exists():
            _make(path, client)
        found[client.id] = read_key(home, client.id).enrolled()
    return found


def read_key(home: Path, client_id: str) -> ClientKey:
    """A demo system's key file.

    Raises:
        StartRefused: there is none, or it is not one.
    """
    try:
        return msgspec.json.decode((home / FOLDER / f"{client_id}.json").read_bytes(), type=ClientKey)
    except (OSError, msgspec.MsgspecError):
        line = f"{FOLDER}/{client_id}.json: not a demo system's key; fix: remove it and start ./sauma"
        raise StartRefused(line, exit_code=os.EX_CONFIG) from None


def _make(path: Path, client: Client) -> None:
    key = create_key()
    secret = str(key.key.as_dict(private=True)["d"])
    made = ClientKey(
        client_id=client.id,
        organisation=client.organisation,
        scopes=client.scopes,
        jwk={**key.public.jwk, "d": secret, "kid": key.public.kid, "alg": key.public.algorithm},
    )
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    Path(aside).unlink()
