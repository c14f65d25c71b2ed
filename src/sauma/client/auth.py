"""Access for httpx: a token by private_key_jwt, and a DPoP proof on every call (RFC 7523, 9449).

    auth = SaumaAuth(Access(issuer="https://…", client_id="…", key=jwk, scopes=("case:read",)))
    httpx.Client(auth=auth).post("https://…/v1/case-queries", json=…)

A nonce challenge is answered once with a fresh assertion and proof; a wrong own clock is corrected from the server's
Date header; a refused token is replaced once. Behind X-Road, or another gateway that rewrites host and path, `gateway`
is what is called and `issuer` what is signed for.
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
    """What a system asks a token for: `key` is its registered private JWK, `officer` the caseworker behind it.

    `gateway` is the address called instead of the issuer, with the path in front of the API's own. Behind X-Road it is
    the own security server and the service: `https://own-security-server/r1/FI/GOV/0246246-0/sauma/api`.
    """

    issuer: str
    client_id: str
    key: Mapping[str, str] = field(repr=False)
    scopes: tuple[str, ...]
    organisation: str | None = None
    officer: Mapping[str, str] | None = field(default=None, repr=False)
    gateway: str | None = None


class SaumaAuth(httpx.Auth):
    """httpx authentication that keeps one token and one proof key for as long as the process lives.

    Raises:
        AccessRefusedError: out of a request, when no token is given.
    """

    requires_response_body = True

    def __init__(self, access: Access, *, clock: Callable[[], float] = time.time) -> None:  # noqa: TID251  # see above
        self._access = access
        self._clock = clock
        self._skew = 0.0
        self._key = _import_key(access.key)
        self._proof_key = ECKey.generate_key("P-256")
        self._token: str | None = None
        self._token_ends = 0.0
        self._nonces: dict[str, str] = {}

    def auth_flow(self, request: httpx.Request) -> _Flow:
        """Authenticate the request; at most one more try when the server says what was wrong."""
        for tries_left in (1, 0):
            if self._token is None or self._now() > self._token_ends - _RENEW_BEFORE:
                yield from self._fetch_token(request)
            token = str(self._token)
            request.headers["Authorization"] = f"DPoP {token}"
            request.headers["DPoP"] = self._proof(request.method, self._signed_url(request.url), token=token)
            response = yield request
            if not (self._learned(response, door="resource") and tries_left):
                return

    def _fetch_token(self, before: httpx.Request) -> _Flow:
        """A token for the request that waits for it, by the same way: X-Road wants to know the client every time."""
        access = self._access
        url = f"{(access.gateway or access.issuer).rstrip('/')}/oauth/token"
        same = {name: before.headers[name] for name in _OF_EVERY_MESSAGE if name in before.headers}
        for tries_left in (1, 0):
            proof = self._proof("POST", f"{access.issuer.rstrip('/')}/oauth/token")
            response = yield httpx.Request("POST", url, data=self._form(), headers={**same, "DPoP": proof})
            learned = self._learned(response, door="token")
            if response.status_code == httpx.codes.OK:
                body = response.json()
                self._token, self._token_ends = body["access_token"], self._now() + body["expires_in"]
                return
            if not (learned and tries_left):
                raise AccessRefusedError(response.status_code, _error(response))

    def _form(self) -> dict[str, str]:
        access, now = self._access, int(self._now())
        assertion = {
            "iss": access.client_id,
            "sub": access.client_id,
            "aud": access.issuer,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
            "jti": secrets.token_urlsafe(24),
            "cnf": {"jkt": self._proof_key.thumbprint()},
        }
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "scope": " ".join(access.scopes),
        }
        if access.organisation is not None or access.officer is not None:
            detail = {"type": DETAILS_TYPE, "organisation": access.organisation, "officer": access.officer}
            details = [{name: value for name, value in detail.items() if value is not None}]
            assertion["authorization_details"] = details
            form["authorization_details"] = json.dumps(details)
        kid = self._key.kid or self._key.thumbprint()
        form["client_assertion"] = _sign({"typ": "JWT", "kid": kid}, assertion, self._key)
        return form

    def _proof(self, method: str, url: str, *, token: str | None = None) -> str:
        members = {"htm": method, "htu": url, "iat": int(self._now()), "jti": secrets.token_urlsafe(24)}
        if token is not None:
            members["ath"] = _base64url(hashlib.sha256(token.encode()).digest())
        nonce = self._nonces.get("token" if token is None else "resource")
        if nonce is not None:
            members["nonce"] = nonce
        return _sign({"typ": "dpop+jwt", "jwk": self._proof_key.as_dict(private=False)}, members, self._proof_key)

    def _learned(self, response: httpx.Response, *, door: str) -> bool:
        """Take in nonce and time; whether a second try can do better."""
        nonce = response.headers.get("DPoP-Nonce")
        if nonce is not None:
            self._nonces[door] = nonce
        if response.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
            return False
        error = _error(response)
        if error == "invalid_token":
            self._token = None
        return error in {"use_dpop_nonce", "invalid_token"} or self._corrected_clock(response)

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
        self._skew += ahead
        return True

    def _now(self) -> float:
        return self._clock() + self._skew

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
