"""The stage of `./sauma demo`: outside systems with a key of their own, and a server that is there or is started."""

import contextlib
import enum
import secrets  # noqa: TID251  # an outside system's process: it is its own composition root
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import IO, Any, Self

import httpx
import msgspec

from sauma.client.auth import Access, SaumaAuth
from sauma.core.errors import StartRefused
from sauma.demo.keys import read_key
from sauma.demo.organisations import KELA_CLIENT, OMBUDSMAN_CLIENT, PIRKANMAA_CLIENT
from sauma.demo.telling import Scene, told
from sauma.settings import EX_CONFIG, Settings

WORKER = {
    "id": "pirha-4711", "name": "Saara Sosiaalityö", "role": "social-care-professional", "unit": "Aikuissosiaalityö",
}  # fmt: skip
CLERK = {"id": "kela-0815", "name": "Kari Käsittelijä", "role": "kela-benefit-officer", "unit": "Kela Tampere"}
AUDITOR = {"id": "tsv-1", "name": "Taru Tarkastaja", "role": "ombudsman", "unit": "Tietosuojavaltuutetun toimisto"}

NAMES = {
    PIRKANMAA_CLIENT: "Pirkanmaa's casework system",
    KELA_CLIENT: "Kela's benefit system",
    OMBUDSMAN_CLIENT: "The Ombudsman's system",
}

_START_WITHIN = 90
_STOP_WITHIN = 30
_ANSWER_WITHIN = 2
_SAID, _FIX = "sauma: ", "; fix: "  # how a refusal to start begins, and what it never lacks


class Heard(enum.Enum):
    """What came of asking at the public URL; a server that starts listens before it answers."""

    READY = "ready"
    SILENCE = "silence"
    NOTHING = "nothing"


class StepFailed(Exception):  # noqa: N818  # what happened, as it is printed
    """A step of the demo did not end as it must."""


class System:
    """One outside system: a token of its own, an idempotency key on every write."""

    def __init__(self, settings: Settings, client_id: str, officer: Mapping[str, str]) -> None:
        key = read_key(settings.home, client_id)
        access = Access(
            issuer=settings.public_url,
            client_id=client_id,
            key=key.jwk,
            scopes=tuple(scope for scope in key.scopes if scope in _needed(officer)),
            officer=officer if officer is AUDITOR else None,
        )
        self.id = client_id
        self.name = NAMES[client_id]
        self.officer = officer
        self.granted: dict[str, Any] | None = None
        hooks = {"response": [self._note_grant]}
        self.http = httpx.Client(base_url=settings.public_url, auth=SaumaAuth(access), timeout=30, event_hooks=hooks)

    def send(
        self, method: str, path: str, *, body: Mapping[str, object] | None = None, session: str = ""
    ) -> httpx.Response:
        """One request; reads take no key."""
        headers = {"Accept-Language": "en"}
        if method != "GET" and not path.endswith("case-queries"):
            headers["Idempotency-Key"] = secrets.token_urlsafe(18)
        if session:
            headers["Sauma-Audit-Session"] = session
        return self.http.request(method, path, json=body, headers=headers)

    def _note_grant(self, response: httpx.Response) -> None:
        """Keep what was granted, and never the token itself."""
        if response.request.url.path == "/oauth/token" and response.status_code == httpx.codes.OK:
            answer = msgspec.json.decode(response.read(), type=dict[str, Any])
            self.granted = {name: value for name, value in answer.items() if name != "access_token"}


class Stage:
    """The scenes in order, told as they are played, and what later ones need of earlier ones."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.scenes: list[Scene] = []
        self.tag = secrets.token_hex(4).upper()
        self.pirkanmaa = System(settings, PIRKANMAA_CLIENT, WORKER)
        self.kela = System(settings, KELA_CLIENT, CLERK)
        self.ombudsman = System(settings, OMBUDSMAN_CLIENT, AUDITOR)
        response = httpx.get(f"{settings.public_url}/v1/status", timeout=10)
        self.now = parsedate_to_datetime(response.headers["date"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for system in (self.pirkanmaa, self.kela, self.ombudsman):
            system.http.close()

    def show(self, title: str, who: System, response: httpx.Response, *, asked: tuple[str, ...], status: int) -> Any:  # noqa: ANN401  # JSON as it came
        """Tell a scene and hand back its answer.

        Raises:
            StepFailed: another status than the one that belongs here.
        """
        if who.granted is not None:
            self._add_grant(who, who.granted)
        answer = response.json()
        request = f"{response.request.method} {response.request.url.path}"
        scene = Scene(title=title, who=who.id, request=request, asked=asked, status=response.status_code, answer=answer)
        self._add(scene)
        if response.status_code != status:
            message = f"{title}: answered {response.status_code} {answer.get('code', '')}, not {status}"
            raise StepFailed(message)
        return answer

    def _add_grant(self, who: System, granted: dict[str, Any]) -> None:
        who.granted = None
        asked = (
            "proves with its own key who it is, and binds the token to a second key (private_key_jwt, DPoP);",
            f"the token says {granted.get('scope', '')} and lives {granted['expires_in']} s.",
        )
        title = f"{who.name} gets an access token"
        self._add(Scene(title=title, who=who.id, request="POST /oauth/token", asked=asked, status=200, answer=granted))

    def _add(self, scene: Scene) -> None:
        self.scenes.append(scene)
        self._tell(told(len(self.scenes), scene))


def _needed(officer: Mapping[str, str]) -> frozenset[str]:
    return frozenset({"ledger:read"} if officer is AUDITOR else {"case:read", "matter:write", "consent:write"})


@contextlib.contextmanager
def server(settings: Settings, tell: Callable[[str], None], *, astray: str | None = None) -> Iterator[None]:
    """The server that answers already or is starting, or one of our own for as long as the block lasts.

    Raises:
        StartRefused: ours did not start, for the reason it gave; or would not be found: `astray`.
    """
    heard = _ask(settings)
    if heard is Heard.SILENCE:
        tell("a server is starting: waiting for it\n")
        heard = _outlast_silence(settings)
    if heard is Heard.READY:
        yield
        return
    if astray is not None:
        raise StartRefused(astray, exit_code=EX_CONFIG)
    tell("no server answers: starting one\n")
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen([sys.executable, "-P", "-m", "sauma", "run"], stdout=log, stderr=log)
        try:
            _await_answer(settings, child, log)
            yield
        finally:
            child.terminate()
            try:
                child.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _await_answer(settings: Settings, child: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    until = time.monotonic() + _START_WITHIN
    while _ask(settings) is not Heard.READY:
        ended = child.poll()
        if ended is not None:
            log.seek(0)
            raise StartRefused(refusal(log.read().decode(errors="replace")), exit_code=max(ended, 1))
        if time.monotonic() > until:
            line = f"the server did not answer within {_START_WITHIN} s; fix: run ./sauma and read what it says"
            raise StartRefused(line, exit_code=1)
        time.sleep(0.2)


def refusal(log: str) -> str:
    """Why a server ended, from what it said: its last line, where that is a refusal with its fix."""
    last = log.rstrip().rpartition("\n")[2]
    if last.startswith(_SAID) and _FIX in last:
        return last.removeprefix(_SAID)
    return "the server ended without saying why; fix: run ./sauma and read what it says"


def _outlast_silence(settings: Settings) -> Heard:
    until = time.monotonic() + _START_WITHIN
    heard = Heard.SILENCE
    while heard is Heard.SILENCE and time.monotonic() < until:
        heard = _ask(settings)
    return heard


def _ask(settings: Settings) -> Heard:
    try:
        status = httpx.get(f"{settings.public_url}/health/ready", timeout=_ANSWER_WITHIN).status_code
    except httpx.ReadTimeout:
        return Heard.SILENCE
    except httpx.HTTPError:
        return Heard.NOTHING
    return Heard.READY if status == httpx.codes.OK else Heard.NOTHING
