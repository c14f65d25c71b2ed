"""The exception tree. Refusals are values (`core.decision.Refusal`); exceptions are faults and bad requests.

SaumaError
├── BadRequest        the caller's request cannot be used: carries a closed code, never the input
├── Unavailable       a part we depend on cannot answer now: nothing left the process
│   └── OutcomeUnknown  a write may or may not have happened: retry with the same key
├── SealError         a sealed group does not open: moved, altered, or its key is gone
├── CatalogueError    the law as data is not what it must be: refuse to start
└── StartRefused      settings, database or schema are not what they must be: one line with the fix, and an exit code
"""


class SaumaError(Exception):
    """Root of every exception Sauma raises on purpose."""


class BadRequest(SaumaError):  # noqa: N818  # named for what it is at the edge, an answer and not a fault
    """A request that cannot be used; `code` is of the closed list, `pointers` name schema members only.

    `retry_after` is the number of seconds after which the same request could be.
    """

    def __init__(
        self, code: str, pointers: tuple[str, ...] = (), *, etag: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.pointers = pointers
        self.etag = etag
        self.retry_after = retry_after


class Unavailable(SaumaError):  # noqa: N818  # the state, as the 503 names it
    """A dependency cannot answer now; `code` is `ledger-unavailable`, `crypto-unavailable` or `overloaded`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class OutcomeUnknown(Unavailable):
    """A commit was sent and its answer lost; the same idempotency key tells what happened."""

    def __init__(self) -> None:
        super().__init__("outcome-unknown")


class SealError(SaumaError):
    """A sealed group or wrapped key does not open where it stands; the text never says why."""


class CatalogueError(SaumaError):
    """A catalogue file is not lawful data: unknown key, missing language, unknown field."""


class StartRefused(SaumaError):  # noqa: N818  # what Sauma does, as the operator reads it
    """Sauma does not start, or stops, on purpose: `line` names what is wrong and the fix, never a value.

    `exit_code` is of the closed list in `sauma --help` (sysexits.h where it has a word for it).
    """

    def __init__(self, line: str, *, exit_code: int) -> None:
        super().__init__(line)
        self.line = line
        self.exit_code = exit_code
