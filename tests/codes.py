"""Identity codes of the range real persons have, made when a test runs: none is written down, for it may be somebody's."""


def with_check(beginning: str) -> str:
    """A code from its first ten characters, with the check character that belongs to them."""
    digits = beginning[:6] + beginning[7:]
    return beginning + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31]


def completed(text: str) -> str:
    """A vector as it is, or with its check character where it ends in a question mark."""
    return with_check(text[:-1]) if text.endswith("?") else text


REAL_RANGE = with_check("131052-308")
