"""A connection is bounded before anything reads it: sizes, deadlines and number, whoever it is from (S-13, S-15).

Every wait for the peer has an end: for the head, for the body, for the next request, and for the peer to take its
answer. A request that is cut before it was whole reached no use case: nothing is claimed and nothing is recorded.
"""

import asyncio
import resource
from enum import Enum, auto

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
HEAD_LINES = 128
CONNECTIONS = 4096
"""Connections one worker keeps open; one more is closed at once."""
PIPELINED = 32
"""Requests that may wait on one connection for the answer to the one before them; with one more it is closed."""
FILES_KEPT = 256
"""Open files left for the database, logs and the rest when the limit of open files is what bounds connections."""


class _Awaited(Enum):
    """What the peer owes us; NOTHING while the request is ours to answer, or none has begun."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose peer keeps the pace: a head within `head_seconds`, its body within `body_seconds` after that.

    An answer is taken within `write_seconds`. A request that arrives whole in one piece sets no timer at all. A test
    makes a subclass with smaller numbers.
    """

    head_seconds: float = 15
    body_seconds: float = 20
    write_seconds: float = 20
    connections_most = CONNECTIONS

    _awaited = _Awaited.HEAD
    _part = 0  # counts heads and bodies, so that a deadline is of one of them and bytes do not prolong it
    _timed = -1
    _head = 0  # bytes since the request began, or its body last grew
    _fed = False
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A connection that says nothing is ended too."""
        super().connection_made(transport)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_KEPT
        if len(self.connections) > min(self.connections_most, files):
            transport.abort()
            return
        self._watch()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head = 0
        self._await(_Awaited.HEAD)

    def on_headers_complete(self) -> None:
        """The head is whole.

        Raises:
            ValueError: too many wait before it, or it does not name one host (RFC 9112 section 3.2: two readers could
                take two); the parser makes of it a request that is not one.
        """
        self._await(_Awaited.BODY)
        hosts = sum(name == b"host" for name, _ in self.headers)
        if len(self.pipeline) >= PIPELINED or hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise ValueError
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head. One that comes after a chunked body is dropped: it could speak for one that was judged.

        RFC 9110 section 6.5.1.

        Raises:
            ValueError: too many lines: each costs time that no quota counts.
        """
        if self._awaited is _Awaited.HEAD:
            if len(self.headers) >= HEAD_LINES:
                raise ValueError
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of the body itself."""
        self._head, self._fed = 0, True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._await(_Awaited.NOTHING)
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """More bytes; neither a head nor what frames a chunked body or follows it may grow for ever."""
        awaited, part, self._fed = self._awaited, self._part, False
        super().data_received(data)
        if awaited is not _Awaited.NOTHING and part == self._part and not self._fed:
            self._head += len(data)
            if self._head > HEAD_LIMIT and not self.transport.is_closing():
                if awaited is _Awaited.HEAD:
                    self.send_400_response("Invalid HTTP request received.")
                else:
                    self._end()
        if self._awaited is _Awaited.NOTHING and self.cycle.response_complete:
            self._await(_Awaited.HEAD)  # bytes between requests: they ended the wait for the next one, see uvicorn
        if self._timed != self._part:
            self._watch()

    def on_response_complete(self) -> None:
        """The answer is written, which is not taken."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_reading()

    def pause_writing(self) -> None:
        """The peer takes its answer slowly, or not at all."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """It takes it."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_expecting()

    def timeout_keep_alive_handler(self) -> None:
        """No next request; what of the last answer is still unread after that time never will be read."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._await(_Awaited.NOTHING)
        self._watch()
        self._stop_expecting()
        super().connection_lost(exc)

    def _await(self, awaited: _Awaited) -> None:
        self._awaited = awaited
        self._part += 1

    def _watch(self) -> None:
        """Set the deadline of the part that is awaited now."""
        self._timed = self._part
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._awaited is not _Awaited.NOTHING:
            seconds = self.head_seconds if self._awaited is _Awaited.HEAD else self.body_seconds
            self._deadline = self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        """Close when what is written was taken, and cut a peer that does not take it."""
        self.transport.close()
        self._expect_reading()

    def _expect_reading(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(self.write_seconds, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
