"""What the ledger may hold, and the replay ids an append claims with it."""

import enum

import msgspec


class ClaimKind(enum.Enum):
    """What a claimed digest stands for."""

    PROOF = "proof"
    ASSERTION = "assertion"
    IDEMPOTENCY = "idempotency"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A once-only id: the first 16 bytes of a SHA-256, kept until `expires_at` (Unix seconds)."""

    kind: ClaimKind
    digest: bytes
    expires_at: int
