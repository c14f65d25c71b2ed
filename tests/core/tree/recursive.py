"""The definitions of RFC 6962 section 2.1 word for word: what the writer's tiles are held against."""

import hashlib


class Definition:
    """MTH, PATH and PROOF over the leaf hashes `d`; D[a:b] is the pair (a, b), and each MTH is worked out once."""

    def __init__(self, d: tuple[bytes, ...]) -> None:
        self.d = d
        self._worked_out: dict[tuple[int, int], bytes] = {}

    def mth(self, b: int, a: int = 0) -> bytes:
        """MTH(D[a:b])."""
        if b == a:
            return hashlib.sha256().digest()
        if b - a == 1:
            return self.d[a]
        if (a, b) not in self._worked_out:
            k = a + cut(b - a)
            self._worked_out[a, b] = hashlib.sha256(b"\x01" + self.mth(k, a) + self.mth(b, k)).digest()
        return self._worked_out[a, b]

    def path(self, m: int, b: int, a: int = 0) -> list[bytes]:
        """PATH(m, D[a:b]); m counts from a."""
        if b - a == 1:
            return []
        k = cut(b - a)
        if m < k:
            return [*self.path(m, a + k, a), self.mth(b, a + k)]
        return [*self.path(m - k, b, a + k), self.mth(a + k, a)]

    def proof(self, m: int, b: int) -> list[bytes]:
        """PROOF(m, D[b])."""
        return self.subproof(m, b, 0, whole=True)

    def subproof(self, m: int, b: int, a: int, *, whole: bool) -> list[bytes]:
        """SUBPROOF(m, D[a:b], whole); m counts from a."""
        if m == b - a:
            return [] if whole else [self.mth(b, a)]
        k = cut(b - a)
        if m <= k:
            return [*self.subproof(m, a + k, a, whole=whole), self.mth(b, a + k)]
        return [*self.subproof(m - k, b, a + k, whole=False), self.mth(a + k, a)]


def cut(n: int) -> int:
    """The largest power of two below n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leads_to(proof_hashes: tuple[bytes, ...], *, leaf: bytes, index: int, size: int) -> bytes | None:
    """The root an inclusion proof leads to (RFC 9162 section 2.1.3.2); None where it has another length."""
    at, last, root = index, size - 1, leaf
    for step in proof_hashes:
        if last == 0:
            return None
        if at & 1 or at == last:
            root = hashlib.sha256(b"\x01" + step + root).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + step).digest()
        at, last = at >> 1, last >> 1
    return root if last == 0 else None
