"""What a check found: a closed list of codes, where, and the state that follows."""

import enum
from dataclasses import dataclass, field

SHOWN = 20
"""How many findings of one check are kept; the rest is counted."""


class State(enum.Enum):
    """What may be said of one check.

    WARN and SKIP say that nothing wrong was found, but that not all could be looked at.
    """

    OK = "ok"
    SKIP = "skip"
    WARN = "warn"
    WRONG = "wrong"


class Code(enum.Enum):
    """Closed list of findings; texts.py says each in three languages."""

    KEY_UNTRUSTED = "key-untrusted"
    KEY_MISSING = "key-missing"
    KEY_MALFORMED = "key-malformed"
    NOTE_MALFORMED = "note-malformed"
    CHECKPOINT_MISSING = "checkpoint-missing"
    SIGNATURE = "signature"
    FILE_MISSING = "file-missing"
    PRUNED = "pruned"
    BUNDLE_SHAPE = "bundle-shape"
    ENTRY_TAMPERED = "entry-tampered"
    RANGE_TAMPERED = "range-tampered"
    TILE_TAMPERED = "tile-tampered"
    ROOT = "root"
    NOT_REBUILT = "not-rebuilt"
    SURPLUS = "surplus"
    ROLLBACK = "rollback"
    FORK = "fork"
    CONSISTENCY_FALSE = "consistency-false"
    LEAF_SHAPE = "leaf-shape"
    ID_TWICE = "id-twice"
    ID_TIME = "id-time"
    TIME_ORDER = "time-order"
    STALE = "stale"
    WRITER_START = "writer-start"
    WRITER_TWICE = "writer-twice"
    WRITER_GAP = "writer-gap"
    WRITER_LINK = "writer-link"
    WRITER_END = "writer-end"
    PROOF_MALFORMED = "proof-malformed"
    PROOF_FALSE = "proof-false"
    LEAF_UNKNOWN = "leaf-unknown"
    RECEIPT_MALFORMED = "receipt-malformed"
    RECEIPT_SIGNATURE = "receipt-signature"
    RECEIPT_ABSENT = "receipt-absent"
    RECEIPT_PENDING = "receipt-pending"
    RECEIPT_LEAF = "receipt-leaf"
    REVEAL_ABSENT = "reveal-absent"
    REVEAL_FALSE = "reveal-false"
    POLICY_MALFORMED = "policy-malformed"
    QUORUM = "quorum"


_MILD = {
    Code.KEY_UNTRUSTED: State.WARN,
    Code.KEY_MISSING: State.SKIP,
    Code.CHECKPOINT_MISSING: State.SKIP,
    Code.PRUNED: State.OK,
    Code.SURPLUS: State.WARN,
    Code.NOT_REBUILT: State.WARN,
    Code.LEAF_UNKNOWN: State.WARN,
    Code.RECEIPT_PENDING: State.WARN,
}
_RANK = list(State)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; `where` is a path, an index or an id."""

    code: Code
    where: str = ""


@dataclass(slots=True)
class Check:
    """One question asked of the log; `looked_at` counts what was held against it."""

    name: str
    looked_at: int = 0
    count: int = 0
    state: State = State.OK
    findings: list[Finding] = field(default_factory=list)

    def found(self, code: Code, where: str = "") -> None:
        """Note a finding; the state only ever gets worse."""
        self.count += 1
        if len(self.findings) < SHOWN:
            self.findings.append(Finding(code, where))
        state = _MILD.get(code, State.WRONG)
        self.state = max(self.state, state, key=_RANK.index)

    @property
    def said(self) -> State:
        """The state, where nothing was there to be looked at: skipped."""
        return State.SKIP if not self.looked_at and not self.findings else self.state
