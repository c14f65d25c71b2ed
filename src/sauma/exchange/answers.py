"""What a use case answers besides a disclosure: refused, unauthenticated, done."""

import uuid

import msgspec

from sauma.core.canonical import JsonValue
from sauma.core.disclosure import Receipt
from sauma.core.errors import SaumaError


class Refused(SaumaError):  # noqa: N818  # an answer, raised so that no later step can run
    """A recorded refusal whose reason the caller may learn."""

    def __init__(self, code: str, receipt: Receipt) -> None:
        super().__init__(code)
        self.code = code
        self.receipt = receipt


class CallerChanged(SaumaError):  # noqa: N818  # the state, as the 401 names it
    """Client or organisation is suspended or newer than the token: the token no longer holds (401 invalid_token)."""


class ProofReplayed(SaumaError):  # noqa: N818  # the state, as the 401 names it
    """The DPoP proof was used before (401 invalid_dpop_proof)."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A write's answer: status, body members, the entity tag, and the receipt it rests on."""

    status: int
    members: dict[str, JsonValue]
    entry: uuid.UUID
    leaf_hash: bytes
    etag: str | None = None
    location: str | None = None
    replayed: bool = False
