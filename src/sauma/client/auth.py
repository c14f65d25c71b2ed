"""Access for httpx: a token by private_key_jwt, and a DPoP proof on every call (RFC 7523, 9449).

    auth = SaumaAuth(Access(issuer="https://…", client_id="…", key=jwk, scopes=("case:read",)))
    httpx.Client(auth=auth).post("https://…/v1/case-queries", json=…)

One auth keeps one token. What the token is confined to (RFC 9396) and who stands behind it are said inside the signed
assertion. A nonce challenge is answered once with a fresh assertion and proof, and a nonce on any answer is kept for
the next call; a wrong own clock is corrected once from the server's Date header; a refused token is replaced once.
Behind X-Road, or another gateway that rewrites host and path, `gateway` is called and `issuer` signed for.
"""

import hashlib
import json
import re
import secrets  # noqa: TID251  # an outside system's process: it is its own composition root
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DETAILS_TYPE = "sauma_case_access"
ASSERTION_LIFETIME = 60
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_ALGORITHMS = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}
_TOLERATED_SKEW = 5
_RENEW_BEFORE = 30
_ERROR = re.compile(r'error="([a-z_]+)"')
_OF_EVERY_MESSAGE = ("X-Road-Client", "X-Road-Represented-Party")
_Flow = Generator[httpx.Request, httpx.Response, None]


class AccessRefusedError(Exception):
    """The token endpoint refused; `error` is its RFC 6749 code."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(f"token refused: {status} {error}")
        self.status = status
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a system asks a token for; `key` is its registered private JWK.

    `organisation`, `purpose`, `case_reference`, `fields` and `actions` confine the token, each only where stated; a
    supplier always states the `organisation` it acts for. `officer` is the caseworker behind the calls, as the system
    says; `officer_token` gives instead, anew for each token, a short JWT by the organisation's identity provider, which
    names this organisation, for a caseworker who has logged in (RFC 8693). `gateway` is the address called instead of
    the issuer, with the path in front of the API's own. Behind X-Road it is the own security server and the service:
    `https://own-security-server/r1/FI/GOV/0246246-0/sauma/api`.
    """

    issuer: str
    client_id: str
    key: Mapping[str, str] = field(repr=False)
    scopes: tuple[str, ...]
    organisation: str | None = None
    purpose: str | None = None
    case_reference: str | None = None
    fields: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    officer: Mapping[str, str] | None = field(default=None, repr=False)
    officer_token: Callable[[], str] | None = field(default=None, repr=False)
    gateway: str | None = None

    def details(self) -> list[dict[str, object]]:
        """The `authorization_details` to sign, empty where the token is confined to nothing (RFC 9396)."""
        stated = {
            "organisation": self.organisation,
            "purpose": self.purpose,
            "caseReference": self.case_reference,
            "fields": self.fields,
            "actions": self.actions,
            "officer": self.officer,
        }
        members: dict[str, object] = {name: value for name, value in stated.items() if value is not None}
        return [{"type": DETAILS_TYPE} | members] if members else []


class _Standing:
    """What all tokens of one registered system share: its keys, its clock's error and the nonces it was given."""

    def __init__(self, key: Mapping[str, str]) -> None:
        self.key = _import_key(key)
        self.proof_key = ECKey.generate_key("P-256")
        self.skew = 0.0
        self.nonces: dict[str, str] = {}


class SaumaAuth(httpx.Auth):
    """httpx authentication that keeps one token for one `Access`; `within` makes another for a narrower one.

    Raises:
        AccessRefusedError: out of a request, when no token is given.
    """

    requires_request_body = True  # it is sent again after a challenge
    requires_response_body = True

    def __init__(
        self,
        access: Access,
        *,
        clock: Callable[[], float] = time.time,  # noqa: TID251  # an outside system's process, see above
        standing: _Standing | None = None,
    ) -> None:
        self._access = access
        self._clock = clock
        self._shared = standing or _Standing(access.key)
        self._proof_key = self._shared.proof_key
        self._token: str | None = None
        self._token_ends = 0.0

    def within(self, access: Access) -> "SaumaAuth":
        """The same system with a token of its own for another `Access`; keys, clock and nonces are shared."""
        return SaumaAuth(access, clock=self._clock, standing=self._shared)

    def auth_flow(self, request: httpx.Request) -> _Flow:
        """Authenticate the request; another try for each thing the server says was wrong, once for each."""
        learned: set[str | None] = {None}
        while True:
            if self._token is None or self._now() > self._token_ends - _RENEW_BEFORE:
                yield from self._fetch_token(request)
            token = str(self._token)
            request.headers["Authorization"] = f"DPoP {token}"
            request.headers["DPoP"] = self._proof(request.method, self._signed_url(request.url), token=token)
            lesson = self._lesson((yield request), door="resource")
            if lesson in learned:
                return
            learned.add(lesson)

    def _fetch_token(self, before: httpx.Request) -> _Flow:
        """A token for the request that waits for it, by the same way: X-Road wants to know the client every time."""
        access = self._access
        url = f"{(access.gateway or access.issuer).rstrip('/')}/oauth/token"
        same = {name: before.headers[name] for name in _OF_EVERY_MESSAGE if name in before.headers}
        grant = {"grant_type": "client_credentials"}
        if access.officer_token is not None:
            subject = {"subject_token": access.officer_token(), "subject_token_type": _JWT}
            grant = {"grant_type": _EXCHANGE, **subject}
        learned: set[str | None] = {None}  # what can teach nothing more
        while True:
            form = {**grant, **self._authentication(), "scope": " ".join(access.scopes)}
            proof = self._proof("POST", f"{access.issuer.rstrip('/')}/oauth/token")
            response = yield httpx.Request("POST", url, data=form, headers={**same, "DPoP": proof})
            lesson = self._lesson(response, door="token")
            if response.status_code == httpx.codes.OK:
                body = response.json()
                self._token, self._token_ends = body["access_token"], self._now() + body["expires_in"]
                return
            if lesson in learned:
                raise AccessRefusedError(response.status_code, _error(response))
            learned.add(lesson)

    def _authentication(self) -> dict[str, str]:
        """A fresh assertion (RFC 7523) bound to the proof key, with what the token is to be confined to inside it."""
        access, key, now = self._access, self._shared.key, int(self._now())
        assertion: dict[str, object] = {
            "iss": access.client_id,
            "sub": access.client_id,
            "aud": access.issuer,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
            "jti": secrets.token_urlsafe(24),
            "cnf": {"jkt": self._proof_key.thumbprint()},
        }
        if details := access.details():
            assertion["authorization_details"] = details
        signed = _sign({"typ": "JWT", "kid": key.kid or key.thumbprint()}, assertion, key)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    def _proof(self, method: str, url: str, *, token: str | None = None) -> str:
        members = {"htm": method, "htu": url, "iat": int(self._now()), "jti": secrets.token_urlsafe(24)}
        if token is not None:
            members["ath"] = _base64url(hashlib.sha256(token.encode()).digest())
        nonce = self._shared.nonces.get("token" if token is None else "resource")
        if nonce is not None:
            members["nonce"] = nonce
        return _sign({"typ": "dpop+jwt", "jwk": self._proof_key.as_dict(private=False)}, members, self._proof_key)

    def _lesson(self, response: httpx.Response, *, door: str) -> str | None:
        """Take in nonce and time; what a further try can do better, None where it can do nothing."""
        nonce = response.headers.get("DPoP-Nonce")
        if nonce is not None:
            self._shared.nonces[door] = nonce
        if response.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
            return None
        error = _error(response)
        if error == "use_dpop_nonce":
            return "nonce" if nonce is not None else None
        if error == "invalid_token":
            self._token = None
            return "token"
        return "clock" if self._corrected_clock(response) else None

    def _corrected_clock(self, response: httpx.Response) -> bool:
        stated = response.headers.get("Date")
        if stated is None:
            return False
        try:
            ahead = parsedate_to_datetime(stated).timestamp() - self._now()
        except ValueError:
            return False
        if abs(ahead) <= _TOLERATED_SKEW:
            return False
        self._shared.skew += ahead
        return True

    def _now(self) -> float:
        return self._clock() + self._shared.skew

    def _signed_url(self, url: httpx.URL) -> str:
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        if self._access.gateway is None:
            return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
        in_front = httpx.URL(self._access.gateway).raw_path.decode("ascii").rstrip("/")
        return self._access.issuer.rstrip("/") + path.removeprefix(in_front)


def _import_key(jwk: Mapping[str, str]) -> ECKey | OKPKey | RSAKey:
    classes: dict[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
    members = {name: value for name, value in jwk.items() if name not in {"alg", "use", "key_ops"}}
    return classes[jwk["kty"]].import_key({**members})


def _sign(header: dict[str, object], members: Mapping[str, object], key: ECKey | OKPKey | RSAKey) -> str:
    algorithm = _ALGORITHMS[key.key_type]
    return jws.serialize_compact({**header, "alg": algorithm}, json.dumps(members), key, algorithms=[algorithm])


def _error(response: httpx.Response) -> str:
    stated = _ERROR.search(response.headers.get("WWW-Authenticate", ""))
    if stated is not None:
        return stated[1]
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
