"""Makes the request a row of `oauth-attacks.json` describes: the passing baseline with one thing changed.

What is here is the whole language of the table; it knows nothing of Sauma. A row's `change` has one member. Its name
says where: `token`, `assertion` or `proof`, then `.header.NAME`, `.members.NAME`, `.header`, `.members`, `.key`, `.alg`,
`.signature`, `.appended`, `.twice`, `.tampered` or `.sent`; `form.NAME`, `form`; `request.NAME`; `details.NAME`, which
is the one authorization detail inside the assertion, and `details.moved` from there to the form. Its value is JSON, in which an object of one member that begins
with `$` is computed (`_COMPUTED`). A token, assertion or proof is signed after the change, so that nothing but the
change is wrong with it.
"""

import base64
import copy
import hashlib
import itertools
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Key = ECKey | OKPKey | RSAKey
ABSENT = {"$absent": True}
JWTS = ("assertion", "token", "proof")
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ALGORITHMS = JWSRegistry.algorithms


def new_keys() -> dict[str, Key]:
    """A fresh key under each name the table uses, but for those of the server that is tried."""
    return {
        **{name: ECKey.generate_key("P-256") for name in ("issuer", "other-issuer", "client", "proof", "other")},
        "ES256": ECKey.generate_key("P-256"),
        "ES256K": ECKey.generate_key("secp256k1"),
        "P-384": ECKey.generate_key("P-384"),
        "Ed25519": OKPKey.generate_key("Ed25519"),
        "PS256": RSAKey.generate_key(2048),
    }


_KEY_OF = {"RS256": "PS256", "PS256": "PS256", "EdDSA": "Ed25519", "Ed25519": "Ed25519", "ES256K": "ES256K"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The server that is tried, and the registered system in whose name: all the baseline needs to know."""

    url: str
    client: str
    organisation: str
    other_organisation: str
    version: int = 1
    kids: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Key]
    clock: Callable[[], int]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A request as it goes out: nothing of it is normalised any more; headers one by one, in order."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def lines(self, name: str) -> tuple[str, ...]:
        """The values of a header, one for each of its lines."""
        return tuple(value for said, value in self.headers if said.lower() == name.lower())


def encode(octets: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


class Forge:
    """Builds requests from one baseline for one target."""

    def __init__(self, baseline: Mapping[str, Any], target: Target) -> None:
        self._baseline = baseline
        self.target = target
        self._numbers = itertools.count(1)
        self._said: dict[str, str] = {}
        self.fixed: dict[str, str] = {}
        """Once-only ids that are not: all tokens of one `jti` differ in nothing but what is changed, and signature."""

    def wires(self, door: str, change: Mapping[str, Any], *, token: str | None = None) -> tuple[Wire, ...]:
        """The request to judge, after the passing one whose once-only id it repeats, if the change says so.

        With `token` the call carries that one instead of a new one of the baseline.
        """
        again = next((name.partition(".")[0] for name, value in change.items() if name.endswith(".sent")), None)
        if again is None:
            return (self._wire(door, change, {} if token is None else {"token": token}),)
        first = self._wire(door, {}, {})
        kept = {name: made for name, made in self._said.items() if name in {again, "token"}}
        return first, self._wire(door, {}, kept)

    def said(self, name: str) -> str:
        """A signed part of the request made last."""
        return self._said[name]

    def again(self, door: str, change: Mapping[str, Any], **kept: str) -> Wire:
        """A request in which these signed parts are not made anew."""
        return self._wire(door, change, kept)

    def _wire(self, door: str, change: Mapping[str, Any], kept: Mapping[str, str]) -> Wire:
        draft = copy.deepcopy(dict(self._baseline[door]))
        for name, value in change.items():
            _change(draft, name, value)
        self._said = dict(kept)
        for name in (name for name in JWTS if name in draft and name not in kept):
            self._said[name] = self._jwt(draft[name])
        return self._request(draft)

    # -- the signed parts

    def _jwt(self, draft: dict[str, Any]) -> str:
        if "instead" in draft:
            instead = draft["instead"]
            computed = self._value(instead)
            return str(computed) if isinstance(computed, str) else ""
        stated = draft["header"]["alg"] if isinstance(draft["header"], dict) else None
        algorithm = draft.get("alg") or stated
        key = self._key(draft, algorithm)
        header = self._header(draft, algorithm, key)
        members = self._segment(draft["members"], twice=draft.get("twice", {}))
        text = f"{encode(header)}.{encode(members)}"
        signature = self._signature(draft, text, algorithm, key)
        if "tampered" in draft:
            text = f"{encode(header)}.{encode(self._segment({**draft['members'], **draft['tampered']}))}"
        compact = f"{text}.{signature}"
        if draft.get("signature") == "stray-bits":
            compact = compact[:-1] + _BASE64URL[_BASE64URL.index(compact[-1]) + 1]
        return compact + draft.get("appended", "")

    def _key(self, draft: dict[str, Any], algorithm: object) -> Key:
        if "alg" in draft:
            return self.target.keys[_KEY_OF.get(str(algorithm), "ES256")]
        return self.target.keys[draft.get("signer") or draft["key"]]

    def _header(self, draft: dict[str, Any], algorithm: object, key: Key) -> bytes:
        header = draft["header"]
        if isinstance(header, dict):
            header = dict(header)
            if "alg" in draft:
                header["alg"] = algorithm
            if header.get("jwk") == {"$own": True}:
                own = key if "alg" in draft else self.target.keys[draft["key"]]
                header["jwk"] = own.as_dict(private=False)
        return self._segment(header)

    def _signature(self, draft: dict[str, Any], text: str, algorithm: object, key: Key) -> str:
        """Made as the header says; what cannot be made is made as the key would."""
        stated = draft.get("signature")
        if stated == "zeros":
            return encode(bytes(64))
        if stated == "none" or algorithm == "none":
            return ""
        if algorithm == "HS256":
            secret = OctKey.import_key(json.dumps(key.as_dict(private=False)))
            return encode(_ALGORITHMS["HS256"].sign(text.encode(), secret))
        own = {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}[key.key_type]
        chosen = str(algorithm) if "alg" in draft and algorithm in ("RS256", "ES256K", "PS256") else own
        if chosen == "ES256" and key.curve_name == "P-384":
            return encode(bytes(64))
        made = _ALGORITHMS[chosen].sign(text.encode(), key)
        if stated == "der":
            made = encode_dss_signature(int.from_bytes(made[:32]), int.from_bytes(made[32:]))
        return encode(made)

    def _segment(self, value: Any, *, twice: Mapping[str, Any] | None = None) -> bytes:
        """JSON text; `{"$raw": …}` stands in it letter for letter, and a member stated twice is last the second time."""
        raws: dict[str, str] = {}
        text = json.dumps(self._value(value, raws))
        for name, stated in (twice or {}).items():
            text = f"{text[:-1]}, {json.dumps(name)}: {json.dumps(self._value(stated, raws))}}}"
        for mark, raw in raws.items():
            text = text.replace(json.dumps(mark), raw)
        return text.encode("latin-1") if raws else text.encode()

    def _value(self, value: Any, raws: dict[str, str] | None = None) -> Any:
        if isinstance(value, list):
            return [self._value(one, raws) for one in value]
        if not isinstance(value, dict):
            return value
        name, *more = value or {"": None}
        if more or not name.startswith("$"):
            return {n: self._value(v, raws) for n, v in value.items() if v != ABSENT}
        if name == "$raw" and raws is not None:
            mark = f"raw {len(raws)} {secrets.token_hex(8)}"
            raws[mark] = self._value(value[name])
            return mark
        return _COMPUTED[name](self, value[name])

    # -- the request

    def _request(self, draft: dict[str, Any]) -> Wire:
        request = draft["request"]
        headers = [(name, self._filled(text)) for name, lines in request["headers"].items() for text in _lines(lines)]
        body = self._body(draft.get("form", {}), request)
        return Wire(
            method=request["method"],
            path=self._filled(request["path"]),
            query=self._filled(request.get("query", "")),
            headers=tuple((name, self._value(text)) for name, text in headers),
            body=body,
        )

    def _body(self, form: Mapping[str, Any], request: Mapping[str, Any]) -> bytes:
        if "body" in request:
            return str(self._value(request["body"])).encode("latin-1")
        pairs = [(name, one) for name, value in form.items() if value != ABSENT for one in _lines(value)]
        return "&".join(f"{quote_plus(name)}={self._field(value)}" for name, value in pairs).encode("latin-1")

    def _field(self, value: Any) -> str:
        if isinstance(value, dict) and "$raw" in value:
            return str(value["$raw"])
        return quote_plus(self._filled(self._value(value)))

    def _filled(self, text: Any) -> Any:
        """The text with `{token}`, `{proof}` and `{assertion}` in place."""
        for name, made in self._said.items() if isinstance(text, str) else ():
            text = text.replace(f"{{{name}}}", made)
        return text

    # -- what is computed

    def _fresh(self, prefix: str) -> str:
        return self.fixed.get(prefix) or f"{prefix}-{next(self._numbers)}-{secrets.token_hex(10)}"

    def _other_jwt(self, name: str) -> str:
        """A passing token, proof or assertion, to stand where another is wanted."""
        door = "token" if name == "assertion" else "resource"
        return Forge(self._baseline, self.target).passing(door, name)

    def passing(self, door: str, name: str) -> str:
        """One signed part of the baseline of that door."""
        self._wire(door, {}, {})
        return self._said[name]

    def _jwk(self, stated: Any) -> dict[str, Any]:
        if isinstance(stated, str):
            return dict(self.target.keys[stated].as_dict(private=False))
        key = self.target.keys[stated["of"]].as_dict(private=bool(stated.get("private")))
        return {**key, **self._value(stated.get("with", {}))}

    def _place(self, **parts: str) -> str:
        return urlsplit(self.target.url)._replace(**parts).geturl()

    def _default_port(self) -> str:
        place = urlsplit(self.target.url)
        return place.netloc if place.port else f"{place.netloc}:{443 if place.scheme == 'https' else 80}"

    def _ath(self, _: Any) -> str:
        return encode(hashlib.sha256(self._said["token"].encode()).digest())


def _lines(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_COMPUTED: dict[str, Callable[[Forge, Any], Any]] = {
    "$seconds": lambda f, ahead: f.target.clock() + ahead,  # from now
    "$url": lambda f, path: f.target.url + path,  # below the server's public address
    "$upper-url": lambda f, path: f.target.url.upper() + path,
    "$replaced-url": lambda f, parts: f.target.url.replace(parts[0], parts[1], 1) + parts[2],
    "$other-scheme": lambda f, path: (
        f._place(scheme={"http": "https", "https": "http"}[urlsplit(f.target.url).scheme]) + path
    ),
    "$default-port": lambda f, path: f._place(netloc=f._default_port()) + path,  # where the address has no other
    "$other-port": lambda f, path: f._place(netloc=f"{urlsplit(f.target.url).hostname}:444") + path,
    "$repeat": lambda f, parts: parts[0] * parts[1],  # a text, so many times
    "$client": lambda f, _: f.target.client,
    "$organisation": lambda f, which: f.target.other_organisation if which == "other" else f.target.organisation,
    "$version": lambda f, _: f.target.version,
    "$kid": lambda f, name: f.target.kids.get(name) or f.target.keys[name].thumbprint(),
    "$thumbprint": lambda f, name: f.target.keys[name].thumbprint(),
    "$fresh": lambda f, prefix: f._fresh(prefix),  # a once-only id
    "$digest": lambda f, text: encode(hashlib.sha256(text.encode()).digest()),
    "$ath": Forge._ath,  # the digest of the token that is sent
    "$jwk": Forge._jwk,
    "$passing": Forge._other_jwt,
    "$json": lambda f, value: json.dumps(f._value(value)),  # as text
    "$octets": lambda f, octets: encode(bytes(octets)),
}
"""What an object of one member beginning with `$` stands for."""


def _change(draft: dict[str, Any], name: str, value: Any) -> None:
    part, _, rest = name.partition(".")
    if part == "details":
        members = draft["assertion"]["members"]
        if rest == "moved":
            draft[value]["authorization_details"] = {"$json": members.pop("authorization_details")}
        else:
            members["authorization_details"][0][rest] = value
        return
    if part == "form":
        draft["form"] = {**draft["form"], rest: value} if rest else value
        return
    if part == "request":
        where, _, header = rest.partition(".")
        if header:
            _put_header(draft["request"]["headers"], header, value)
        else:
            draft["request"][where] = value
        return
    if part in JWTS and not rest:
        draft[part] = {"instead": value}
        return
    segment, _, member = rest.partition(".")
    if member:
        draft[part][segment][member] = value
        return
    draft[part][segment] = value


def _put_header(headers: dict[str, Any], name: str, value: Any) -> None:
    for said in [said for said in headers if said.lower() == name.lower()]:
        del headers[said]
    if value != ABSENT:
        headers[name] = value
