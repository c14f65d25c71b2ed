"""How often one caller may ask, and how much is worked on at once; said on every answer (attacks S-10, S-13, S-14).

A registered system has a quota of its own, counted after its token and proof were verified, so that nobody can spend
another's or make buckets by inventing clients. Everything else counts against the address it came from: open
operations, tokens, failed authentications, what no route answers. A request over its quota is not a lawful decision:
nothing is claimed, nothing is recorded, and the same proof may be sent again.

Everything here is one worker's memory. It holds no personal data, and a restart forgets it.
"""

import asyncio
import ipaddress
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable

from litestar.types import HTTPReceiveMessage, Receive, Scope, WebSocketReceiveMessage

from sauma.core.errors import BadRequest, Unavailable
from sauma.core.people import Confidential

WINDOW_SECONDS = 60
CALLERS_MOST = 10_000
READY_SECONDS = 1.0

HeaderLines = tuple[tuple[bytes, bytes], ...]


class Standing(Confidential, frozen=True, kw_only=True):
    """Where a caller stands: let in or not, how many requests are left, and the seconds until more are."""

    admitted: bool
    remaining: int
    reset: int


class Window:
    """The requests one caller made in the last minute, counted by whole seconds.

    The second of the request and the `WINDOW_SECONDS` before it count, so that no minute wherever it begins holds
    more than the quota: a window that begins anew each minute would let twice the quota through around its border.
    """

    __slots__ = ("_seconds", "spent")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self.spent = 0

    def take(self, second: int, quota: int) -> Standing:
        """Count one request at a second that is not before the last one's, if the quota has room for it."""
        seconds = self._seconds
        if seconds and seconds[0][0] < second - WINDOW_SECONDS:
            self.forget(second)
        if self.spent >= quota:
            return self.standing(second, quota, admitted=False)
        self.spent += 1
        if seconds and seconds[-1][0] == second:
            seconds[-1][1] += 1
        else:
            seconds.append([second, 1])
        reset = seconds[0][0] + WINDOW_SECONDS + 1 - second
        return Standing(admitted=True, remaining=quota - self.spent, reset=reset)

    def standing(self, second: int, quota: int, *, admitted: bool) -> Standing:
        """As it stands after `forget`: `reset` is when the oldest counted second leaves, and more is left again."""
        reset = self._seconds[0][0] + WINDOW_SECONDS + 1 - second if self._seconds else 0
        return Standing(admitted=admitted, remaining=quota - self.spent, reset=reset)

    def forget(self, second: int) -> None:
        """Leave behind what lies more than a minute back."""
        seconds = self._seconds
        while seconds and seconds[0][0] < second - WINDOW_SECONDS:
            self.spent -= seconds.popleft()[1]


class Quota:
    """`limit` requests in any minute for each key; of more than `CALLERS_MOST` keys the longest silent is forgotten."""

    def __init__(self, limit: int, *, clock: Callable[[], float], most: int = CALLERS_MOST) -> None:
        self._limit = limit
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[Hashable, Window] = OrderedDict()
        self._policy = (b"ratelimit-policy", b'"default";q=%d;w=%d' % (limit, WINDOW_SECONDS))
        self._said_limit = (b"ratelimit-limit", b"%d" % limit)

    def __len__(self) -> int:
        return len(self._windows)

    def take(self, key: Hashable) -> Standing:
        """Count a request of a caller."""
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
            if len(self._windows) > self._most:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return window.take(int(self._clock()), self._limit)

    def look(self, key: Hashable) -> Standing:
        """Where a caller stands, uncounted."""
        window, second = self._windows.get(key) or Window(), int(self._clock())
        window.forget(second)
        return window.standing(second, self._limit, admitted=True)

    def lines(self, standing: Standing) -> HeaderLines:
        """The answer's header lines: draft-ietf-httpapi-ratelimit-headers, and its elder spelling beside it."""
        left, seconds = b"%d" % standing.remaining, b"%d" % standing.reset
        return (
            self._policy,
            (b"ratelimit", b'"default";r=%b;t=%b' % (left, seconds)),
            self._said_limit,
            (b"ratelimit-remaining", left),
            (b"ratelimit-reset", seconds),
        )


class Traffic:
    """One worker's traffic: its quotas, how many requests it works on, and whether it is leaving.

    `limit` is requests a minute for each caller of this worker, 0 for no limit; `at_once` the requests worked on at
    once; `carriers` the addresses of security servers, behind which everybody has one address; `clock` counts seconds.
    """

    def __init__(
        self, *, limit: int, at_once: int, clock: Callable[[], float], carriers: frozenset[str] = frozenset()
    ) -> None:
        self.draining = False
        self.inside = 0
        self.at_once = at_once
        self._carriers = frozenset(_network_of(address) for address in carriers)
        self._clients = Quota(limit, clock=clock) if limit else None
        self._addresses = Quota(limit, clock=clock) if limit else None
        self._token_requests = Quota(limit, clock=clock) if limit else None

    def admit_client(self, scope: Scope, organisation: str, client: str) -> None:
        """Count a request of a verified system.

        Raises:
            BadRequest: `rate-limited`.
        """
        if self._clients is not None:
            _admit(scope, self._clients, self._clients.take((organisation, client)))

    def admit_address(self, scope: Scope, *, token: bool = False) -> None:
        """Count a request of whoever sent it, by address; a security server's is not limited.

        Requests for tokens have a count of their own: behind one address, what others ask for in vain does not keep
        anybody from a token.

        Raises:
            BadRequest: `rate-limited`.
        """
        quota = self._token_requests if token else self._addresses
        if quota is None:
            return
        key = _network(scope)
        if key in self._carriers:
            self.look(scope)
            return
        _admit(scope, quota, quota.take(key))

    def lines(self, scope: Scope) -> HeaderLines:
        """What an answer says of its caller's quota; one that met no quota on its way counts against the address."""
        if "quota" not in scope["state"] and self._addresses is not None:
            key = _network(scope)
            counted = self._addresses.look if key in self._carriers else self._addresses.take
            scope["state"]["quota"] = self._addresses.lines(counted(key))
        lines: HeaderLines = scope["state"].get("quota", ())
        return (*lines, (b"connection", b"close")) if self.draining else lines

    def look(self, scope: Scope) -> None:
        """Say the quota of the address without counting: for what is always answered."""
        if self._addresses is not None:
            scope["state"]["quota"] = self._addresses.lines(self._addresses.look(_network(scope)))


class Visit:
    """One request's time inside: from the guard to the begin of its answer, without the wait for its body.

    Who sends a body slowly is waited for outside: hundreds of them keep nobody else out.
    """

    __slots__ = ("_inside", "_receive", "_traffic", "_whole")

    def __init__(self, traffic: Traffic, receive: Receive) -> None:
        self._traffic = traffic
        self._receive = receive
        self._inside = False
        self._whole = False

    def enter(self) -> None:
        """Come in, if there is room.

        Raises:
            Unavailable: `overloaded`.
        """
        if self._inside:
            return
        if self._traffic.inside >= self._traffic.at_once:
            raise Unavailable("overloaded")
        self._traffic.inside += 1
        self._inside = True

    def leave(self) -> None:
        """Go out, once."""
        if self._inside:
            self._traffic.inside -= 1
            self._inside = False

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """A part of the body, waited for outside; with the last one the request comes back in.

        Raises:
            BadRequest: `malformed-json`: the caller went, or was cut, before the body was whole.
            Unavailable: `overloaded`: there was room before the body, and there is none after it.
        """
        self.leave()
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._whole:
            raise BadRequest("malformed-json")
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._whole = True
            self.enter()
        return message


class Shared:
    """An answer asked for once and told to all who ask within `READY_SECONDS`: a flood of questions asks nothing."""

    def __init__(self, ask: Callable[[], Awaitable[bool]], *, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._asked = 0.0
        self._answer: asyncio.Future[bool] | None = None

    async def __call__(self) -> bool:
        """The answer of this moment, or of a moment ago."""
        answer = self._answer
        if answer is None or (answer.done() and self._clock() - self._asked >= READY_SECONDS):
            self._asked = self._clock()
            answer = self._answer = asyncio.ensure_future(self._ask())
        return await asyncio.shield(answer)  # one who stops waiting does not stop it for the others


def _admit(scope: Scope, quota: Quota, standing: Standing) -> None:
    scope["state"]["quota"] = quota.lines(standing)
    if not standing.admitted:
        raise BadRequest("rate-limited", retry_after=standing.reset)


def _network(scope: Scope) -> str | int:
    """Whom the peer's address stands for."""
    client = scope.get("client")
    return _network_of(client[0]) if client else ""


def _network_of(address: str) -> str | int:
    """Of IPv6 the /64 that one subscriber has, else the address itself."""
    if ":" not in address:
        return address
    number = ipaddress.IPv6Address(address)
    return str(number.ipv4_mapped) if number.ipv4_mapped is not None else int(number) >> 64
