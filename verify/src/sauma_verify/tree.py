"""The tree by the verifier's algorithms of RFC 9162 section 2.1, over SHA-256."""

import hashlib

HASH = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: list[bytes]) -> list[bytes]:
    """The same of each."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: list[bytes]) -> bytes:
    """The root over 2^n hashes of equal height."""
    sha256 = hashlib.sha256
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


class Frontier:
    """The stack of RFC 9162 section 2.1.2: roots of perfect subtrees, largest first, and how high each is."""

    def __init__(self, stack: list[tuple[int, bytes]] | None = None) -> None:
        self._stack = stack or []

    def push(self, value: bytes, *, height: int = 0) -> None:
        """Append a perfect subtree of 2^height leaves, no higher than the last one that stands."""
        while self._stack and self._stack[-1][0] == height:
            value = node_hash(self._stack.pop()[1], value)
            height += 1
        self._stack.append((height, value))

    def with_leaves(self, hashes: list[bytes]) -> "Frontier":
        """Another frontier with these leaf hashes appended."""
        longer = Frontier(self._stack.copy())
        for value in hashes:
            longer.push(value)
        return longer

    def root(self) -> bytes:
        """The root over all that was pushed."""
        if not self._stack:
            return EMPTY_ROOT
        rest = self._stack[-1][1]
        for _, value in reversed(self._stack[:-1]):
            rest = node_hash(value, rest)
        return rest


def included(leaf: bytes, *, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether the leaf hash stands at `index` of the tree of `size` leaves (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(*, first: tuple[int, bytes], second: tuple[int, bytes], path: list[bytes]) -> bool:
    """Whether the (size, root) `second` only appends to `first` (RFC 9162 section 2.1.4.2; sizes 0 and equal too)."""
    (m, first_root), (n, second_root) = first, second
    if m == n:
        return not path and first_root == second_root
    if m == 0:
        return n > 0 and not path and first_root == EMPTY_ROOT
    if m > n or m < 0 or not path:
        return False
    if m & (m - 1) == 0:
        path = [first_root, *path]
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root
