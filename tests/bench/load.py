"""The load generator: one process, raw sockets, requests made before the clock starts; the same for every arm.

It is told a job on its first line of input, signs one DPoP proof per request (each is good once), says that it is ready,
and on "go" keeps every connection busy with one request at a time until the time or the requests run out. An answer
counts only when it is a 200 whose body holds the marker; anything else is an error by its status.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator

import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bench.say import show

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Job(msgspec.Struct):
    """What to ask: `key` is the proof key's private JWK, `bodies` are sent in turn from `first` on, with each a proof.

    `token` empty: the requests carry no credentials at all.
    """

    port: int
    path: str
    bodies: list[str]
    token: str
    key: dict[str, str]
    count: int
    seconds: float
    url: str = ""
    first: int = 0
    connections: int = 32
    marker: str = '"outcome":"disclosed"'


class Result(msgspec.Struct):
    """What came back: right answers, the others by status, seconds on the clock, latencies in milliseconds.

    `cpu` is the generator's own, in seconds; `size` the bytes of one right answer's body.
    """

    answers: int
    errors: dict[str, int]
    seconds: float
    p50: float
    p99: float
    cpu: float
    size: int


def requests(job: Job) -> list[bytes]:
    """The raw requests of a job, each with a proof of its own."""
    proof = proofs(job) if job.token else None
    bodies = [body.encode() for body in job.bodies]
    made = []
    for number in range(job.count):
        body = bodies[(job.first + number) % len(bodies)]
        credentials = "" if proof is None else f"Authorization: DPoP {job.token}\r\nDPoP: {next(proof)}\r\n"
        head = (
            f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\n{credentials}Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def proofs(job: Job) -> Iterator[str]:
    """DPoP proofs (RFC 9449) for POST to the job's URL with its token, ES256."""
    key = _private(job.key)
    jwk = {name: job.key[name] for name in ("crv", "kty", "x", "y")}
    header = _base64url(json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).encode())
    ath = _base64url(hashlib.sha256(job.token.encode()).digest())
    while True:
        members = {
            "htm": "POST",
            "htu": job.url or f"http://127.0.0.1:{job.port}{job.path}",
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(24),
            "ath": ath,
        }
        signed = f"{header}.{_base64url(json.dumps(members).encode())}"
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
        yield f"{signed}.{_base64url(r.to_bytes(32) + s.to_bytes(32))}"


def _private(jwk: dict[str, str]) -> ec.EllipticCurvePrivateKey:
    secret = int.from_bytes(base64.urlsafe_b64decode(jwk["d"] + "=="))
    return ec.derive_private_key(secret, ec.SECP256R1())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Run:
    """The state that all connections of a run share."""

    def __init__(self, waiting: list[bytes], marker: bytes, seconds: float) -> None:
        self.waiting = waiting
        self.marker = marker
        self.latencies: list[float] = []
        self.errors = Counter[str]()
        self.size = 0
        self.began = time.perf_counter()
        self.until = self.began + seconds

    def next(self) -> bytes | None:
        """The next request, None when time or requests have run out."""
        if not self.waiting or time.perf_counter() >= self.until:
            return None
        return self.waiting.pop()

    def judge(self, head: bytes, body: bytes, took: float) -> None:
        status = head[9:12]
        if status == b"200" and self.marker in body:
            self.latencies.append(took)
            self.size = len(body)
        else:
            self.errors[status.decode("latin-1")] += 1


class Connection(asyncio.Protocol):
    """One kept connection with one request at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._read = b""
        self._whole = -1
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._whole < 0:
            end = self._read.find(_END)
            if end < 0:
                return
            self._body = end + len(_END)
            self._whole = self._body + content_length(self._read[:end])
        if len(self._read) < self._whole:
            return
        self._run.judge(self._read[: self._body], self._read[self._body :], time.perf_counter() - self._sent)
        self._read, self._whole = b"", -1
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self._run.errors["connection-lost"] += 1
            self.done.set_result(None)

    def _send(self) -> None:
        request = self._run.next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def content_length(head: bytes) -> int:
    """The stated length of the body."""
    lowered = head.lower()
    at = lowered.index(_LENGTH) + len(_LENGTH)
    return int(lowered[at:].split(b"\r\n", 1)[0])


async def play(job: Job, waiting: list[bytes]) -> Result:
    """Send what waits over all connections and say what came back."""
    loop = asyncio.get_running_loop()
    run = Run(waiting, job.marker.encode(), job.seconds)
    spent = time.process_time()
    made = [
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", job.port) for _ in range(job.connections)
    ]
    for _, connection in made:
        await connection.done
    took = time.perf_counter() - run.began
    latencies = sorted(run.latencies)
    return Result(
        answers=len(latencies),
        errors=dict(run.errors),
        seconds=took,
        p50=at_share(latencies, 0.50) * 1000,
        p99=at_share(latencies, 0.99) * 1000,
        cpu=time.process_time() - spent,
        size=run.size,
    )


def at_share(ordered: list[float], share: float) -> float:
    """The value below which that share of the ordered values lies; 0 where there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    waiting = requests(job)
    show("ready")
    if sys.stdin.buffer.readline() == b"go\n":
        uvloop.install()
        show(msgspec.json.encode(asyncio.run(play(job, waiting))).decode())


if __name__ == "__main__":
    main()
