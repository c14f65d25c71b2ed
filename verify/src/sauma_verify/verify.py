"""All checks of one source, in the order a reader asks: whose word, of which tree, is it whole, does it fit.

1. The checkpoint is signed by the log's key, and by as many witnesses as the policy asks for.
2. The entries make its root; every tile follows from them; every older checkpoint is the root of its first entries.
3. Ids stand once, times are in order, every writer's entries are all there and linked.
4. Proofs, receipts and revealed payloads, where given, are of this log.
"""

from dataclasses import dataclass

from sauma_verify.formats.note import Checkpoint, Key, Malformed, parse_key, signed_checkpoint
from sauma_verify.formats.policy import parse_policy
from sauma_verify.formats.proof import Consistency, Proof, parse_consistency, parse_proof
from sauma_verify.formats.receipt import Receipt, parse_receipt, receipt_keys
from sauma_verify.formats.reveal import entry_of, revealed
from sauma_verify.leaves import TOLERANCE, Leaves, Seen
from sauma_verify.rebuild import Rebuild, Rebuilt
from sauma_verify.source import Source
from sauma_verify.texts import CHECKS
from sauma_verify.verdict import Check, Code

ORDER = list(CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the reader brings: the log's key, a policy, older checkpoints and receipt keys of their own.

    `minimum` is the first index the retention policy obliges the log to show; `now` (Unix seconds) and `max_age`
    (seconds) say how old the newest entry may be.
    """

    vkey: str | None = None
    policy: bytes | None = None
    older: tuple[tuple[str, bytes], ...] = ()
    receipt_keys: bytes | None = None
    minimum: int = 0
    max_age: float | None = None
    now: float = 0.0


class Verification:
    """One run over a source; `checks` in their order, `size` of the tree looked at."""

    def __init__(self, source: Source, asked: Asked) -> None:
        self.size: int | None = None
        self.origin: str | None = None
        self._source, self._asked = source, asked
        self._paths = sorted(source.paths() or ())
        outside = ("key", "checkpoint", "witnesses", "history", "proofs", "receipts", "payloads")
        self._by_name = {name: Check(name) for name in outside}
        self._proofs: list[tuple[str, Proof]] = []
        self._older: list[tuple[str, Checkpoint]] = []
        self._consistency: list[Consistency] = []
        self._receipts: list[tuple[str, Receipt]] = []

    def run(self) -> list[Check]:
        """Every check, done."""
        key = self._key()
        head = self._head(key) if key else None
        if key:
            self._read_beside(key)
        self._read_receipts()
        reveals = [(path, *named) for path in self._paths if (named := entry_of(path))]
        wanted = {receipt.entry for _, receipt in self._receipts} | {entry for _, entry, _ in reveals}
        leaves = Leaves(minimum=self._asked.minimum, wanted=frozenset(wanted))
        walked = self._walk(head, leaves) if head and self._has_tiles() else None
        rebuilt = walked.rebuilt if walked else Rebuilt()
        if head:
            self._quorum(head)
            self._history(head, rebuilt)
        self._hold_proofs(rebuilt)
        self._hold_receipts(leaves, entries=rebuilt.root is not None)
        for path, entry, suffix in reveals:
            self._reveal(path, suffix, leaves.seen.get(entry))
        tree = [walked.tree, walked.tiles] if walked else [Check("tree"), Check("tiles")]
        if head and not walked:
            tree[0].found(Code.NOT_REBUILT, "tile/")
        inside = [leaves.entries, leaves.time, leaves.writers]
        checks = [*self._by_name.values(), *tree, *inside]
        return sorted(checks, key=lambda check: ORDER.index(check.name))

    def _has_tiles(self) -> bool:
        """Whether there is a tree to look at: a package may hold signed heads and proofs alone, and is told apart."""
        return self._source.paths() is None or self.size == 0 or any(path.startswith("tile/") for path in self._paths)

    def _key(self) -> Key | None:
        """The log's key: the reader's, the policy's, or for want of those the source's own."""
        check = self._by_name["key"]
        try:
            if self._asked.vkey is not None:
                check.looked_at = 1
                return parse_key(self._asked.vkey)
            if self._asked.policy is not None and len(logs := parse_policy(self._asked.policy).logs) == 1:
                check.looked_at = 1
                return logs[0]
            own = self._source.read("log.vkey")
            if own is None:
                check.found(Code.KEY_MISSING)
                return None
            check.looked_at = 1
            check.found(Code.KEY_UNTRUSTED, "log.vkey")
            return parse_key(own.decode("utf-8", "replace"))
        except Malformed as error:
            check.found(Code.KEY_MALFORMED, str(error))
            return None

    def _head(self, key: Key) -> Checkpoint | None:
        check = self._by_name["checkpoint"]
        raw = self._source.read("checkpoint")
        if raw is None:
            proofs_only = any(path.endswith(".tlog-proof") for path in self._paths)
            if not proofs_only or any(path.startswith("tile/") for path in self._paths):
                check.found(Code.CHECKPOINT_MISSING)
            return None
        check.looked_at = 1
        head = _checkpoint(check, "checkpoint", raw, key)
        if head:
            self.size, self.origin = head.size, head.origin
        return head

    def _read_beside(self, key: Key) -> None:
        """Older checkpoints and proofs: those of the reader and those of the source."""
        history, proofs = self._by_name["history"], self._by_name["proofs"]
        own = ((path, self._source.read(path) or b"") for path in self._paths if path.startswith("checkpoints/"))
        for path, raw in (*self._asked.older, *own):
            history.looked_at += 1
            if older := _checkpoint(history, path, raw, key):
                self._older.append((path, older))
        for path in self._paths:
            if path.startswith("consistency/"):
                self._read_consistency(path)
            if path.endswith(".tlog-proof"):
                proofs.looked_at += 1
                try:
                    self._proofs.append((path, parse_proof(self._source.read(path) or b"", key)))
                except Malformed as error:
                    proofs.found(Code.PROOF_MALFORMED, f"{path}: {error}")

    def _read_consistency(self, path: str) -> None:
        try:
            self._consistency.append(parse_consistency(self._source.read(path) or b""))
        except Malformed:
            self._by_name["history"].found(Code.CONSISTENCY_FALSE, path)

    def _read_receipts(self) -> None:
        check = self._by_name["receipts"]
        paths = [path for path in self._paths if path.startswith("receipts/") and path.endswith(".json")]
        raw_keys = self._asked.receipt_keys
        if paths and raw_keys is None:
            raw_keys = self._source.read("receipt.jwk")
            check.found(Code.KEY_UNTRUSTED if raw_keys else Code.KEY_MISSING, "receipt.jwk")
        try:
            keys = receipt_keys(raw_keys) if raw_keys else {}
        except Malformed:
            check.found(Code.KEY_MALFORMED, "receipt.jwk")
            keys = {}
        for path in paths:
            check.looked_at += 1
            try:
                receipt = parse_receipt(self._source.read(path) or b"")
            except Malformed:
                check.found(Code.RECEIPT_MALFORMED, path)
                continue
            if keys and not receipt.signed_by(keys):
                check.found(Code.RECEIPT_SIGNATURE, path)
            self._receipts.append((path, receipt))

    def _walk(self, head: Checkpoint, leaves: Leaves) -> Rebuild:
        sizes = {older.size for _, older in self._older} | {proof.checkpoint.size for _, proof in self._proofs}
        indices = {proof.index for _, proof in self._proofs}
        smaller = {size for size in sizes if size <= head.size}
        minimum = self._asked.minimum
        walk = Rebuild(self._source, head.size, minimum=minimum, sizes=smaller, indices=indices)
        walk.run(head.root, leaves.take)
        leaves.finish()
        if self._asked.max_age is not None and self._asked.now - leaves.newest > self._asked.max_age:
            leaves.time.found(Code.STALE, f"{int(self._asked.now - leaves.newest)} s")
        return walk

    def _quorum(self, head: Checkpoint) -> None:
        if self._asked.policy is None:
            return
        check = self._by_name["witnesses"]
        check.looked_at = 1
        try:
            if not parse_policy(self._asked.policy).met(head.note):
                check.found(Code.QUORUM)
        except Malformed as error:
            code = Code.SIGNATURE if str(error).startswith("signature") else Code.POLICY_MALFORMED
            check.found(code, str(error))

    def _history(self, head: Checkpoint, rebuilt: Rebuilt) -> None:
        """Every older checkpoint must be the root of the first entries of this tree."""
        roots = {older.size: older.root for _, older in self._older} | {head.size: head.root}
        proven: dict[int, bytes] = {}
        for said in self._consistency:
            if said.first not in roots or said.second not in roots:
                continue
            if not said.holds(roots[said.first], roots[said.second]):
                self._by_name["history"].found(Code.CONSISTENCY_FALSE, f"{said.first}–{said.second}")
            elif said.second == head.size:
                proven[said.first] = roots[said.first]
        known = proven | rebuilt.roots
        for path, older in self._older:
            _same_log(self._by_name["history"], path, older, head=head, roots=known)
        for path, proof in self._proofs:
            _same_log(self._by_name["proofs"], path, proof.checkpoint, head=head, roots=known)

    def _hold_proofs(self, rebuilt: Rebuilt) -> None:
        """Each proof against the leaf that stands at its index, or the one of a receipt of the same name."""
        check = self._by_name["proofs"]
        receipts = {receipt.entry: receipt.leaf for _, receipt in self._receipts}
        for path, proof in self._proofs:
            entry = path.rpartition("/")[2].removesuffix(".tlog-proof")
            leaf = receipts.get(entry) or rebuilt.leaves.get(proof.index)
            if leaf is None:
                check.found(Code.LEAF_UNKNOWN, path)
            elif not proof.holds(leaf):
                check.found(Code.PROOF_FALSE, path)

    def _hold_receipts(self, leaves: Leaves, *, entries: bool) -> None:
        check = self._by_name["receipts"]
        for path, receipt in self._receipts:
            seen = leaves.seen.get(receipt.entry)
            if seen is not None:
                if seen.hash != receipt.leaf:
                    check.found(Code.RECEIPT_LEAF, f"{path} @ {seen.index}")
            elif not entries:
                if not self._proven(receipt):
                    check.found(Code.LEAF_UNKNOWN, path)
            else:
                made = int(receipt.entry[:8] + receipt.entry[9:13], 16) / 1000
                late = made > leaves.newest - TOLERANCE
                check.found(Code.RECEIPT_PENDING if late else Code.RECEIPT_ABSENT, path)

    def _proven(self, receipt: Receipt) -> bool:
        """Whether a proof shows the receipt's leaf in the log without its entries."""
        return any(proof.holds(receipt.leaf) for _, proof in self._proofs)

    def _reveal(self, path: str, suffix: str, seen: Seen | None) -> None:
        check = self._by_name["payloads"]
        check.looked_at += 1
        if seen is None:
            check.found(Code.REVEAL_ABSENT, path)
            return
        payload = self._source.read(path.removesuffix(suffix) + ".bin")
        if not revealed(suffix, self._source.read(path) or b"", leaf=seen.members, payload=payload):
            check.found(Code.REVEAL_FALSE, f"{path} @ {seen.index}")


def _checkpoint(check: Check, path: str, raw: bytes, key: Key) -> Checkpoint | None:
    try:
        return signed_checkpoint(raw, key)
    except Malformed as error:
        signature = str(error).startswith("signature") or str(error) == "origin"
        check.found(Code.SIGNATURE if signature else Code.NOTE_MALFORMED, f"{path}: {error}")
        return None


def _same_log(check: Check, path: str, older: Checkpoint, *, head: Checkpoint, roots: dict[int, bytes]) -> None:
    if older.size > head.size:
        check.found(Code.ROLLBACK, f"{path}: {older.size} > {head.size}")
    elif older.size == head.size:
        if older.root != head.root:
            check.found(Code.FORK, f"{path}: {older.size}")
    elif older.size not in roots:
        check.found(Code.NOT_REBUILT, path)
    elif roots[older.size] != older.root:
        check.found(Code.FORK, f"{path}: {older.size}")
