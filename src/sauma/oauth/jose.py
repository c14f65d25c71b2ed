"""JOSE held to our profile: strict compact parsing, four algorithm names, keys that carry their own algorithm.

Four names, three algorithms: PS256, ES256, and Ed25519 under its old (EdDSA, RFC 8037) and new (RFC 9864) name.
No function here is ever called without a key and an algorithm, follows a URL, or lets a header choose the key kind.
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from typing import NoReturn, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from sauma.core.people import Confidential
from sauma.oauth.reasons import Reason

ALGORITHMS = ("PS256", "ES256", "EdDSA", "Ed25519")
DEPTH_BOUND = 64
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS = range(2048, 4097)
_EXPONENT_RANGE = range(65537, 1 << 32)
_POINT_BYTES = 32
_PSS = PSS(MGF1(SHA256()), 32)
_ECDSA = ECDSA(SHA256())
PublicKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


class Registry(JWSRegistry):
    """joserfc's registry narrowed to our algorithms and widened to the header an RSA proof needs (552–1004 bytes)."""

    algorithms = {name: JWSRegistry.algorithms[name] for name in ALGORITHMS}  # noqa: RUF012  # joserfc's own shape
    recommended: list[str] = []  # noqa: RUF012  # the same: nothing is allowed that is not named above
    max_header_length = 2048
    max_payload_length = 8192
    max_signature_length = 1024

    def get_alg(self, name: str) -> JWSAlgModel:
        """The algorithm of that exact name.

        Raises:
            UnsupportedAlgorithmError: the name is not one of ours.
        """
        algorithm = self.algorithms.get(name)
        if algorithm is None:
            raise UnsupportedAlgorithmError
        return algorithm

    def check_header(self, header: dict[str, object]) -> None:
        """Nothing: `parse` and `verify` have judged the header, and unknown members are allowed (RFC 7515 4.1)."""


_REGISTRY = Registry()


class VerifyingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key with the one algorithm it may be used with; `jwk` holds its canonical members only (RFC 7638)."""

    kid: str
    algorithm: str
    thumbprint: str
    jwk: dict[str, str]
    key: PublicKey


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private key that signs access tokens, and its public half."""

    public: VerifyingKey
    key: ECKey | OKPKey

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.public.kid!r})"


class Compact(Confidential, frozen=True, kw_only=True):
    """A compact JWS that is well formed; nothing about it is believed yet. `signed` is what `signature` is over."""

    header: dict[str, object]
    members: dict[str, object]
    signed: bytes
    signature: bytes


def encode(octets: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decode(segment: str) -> bytes | Reason:
    """The octets of a canonical base64url segment: no padding, no foreign characters, no stray trailing bits.

    Whatever the lenient decoder lets through, only the canonical spelling is what the octets encode to.
    """
    try:
        octets = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return Reason.BASE64
    return octets if encode(octets) == segment else Reason.BASE64


def digest16(*parts: str) -> bytes:
    """The first 16 bytes of SHA-256 over the parts, newline between: the once-only id a claim holds."""
    return hashlib.sha256("\n".join(parts).encode()).digest()[:16]


def parse(token: str, *, header: dict[str, object] | None = None) -> Compact | Reason:
    """Take a compact JWS apart strictly, before any library sees it.

    Sizes are of the encoded segments: header 2048, payload 8192, signature 1024. `header` is what the first segment is
    known to hold; it is then not read again.
    """
    if len(token) > Registry.max_header_length + Registry.max_payload_length + Registry.max_signature_length + 2:
        return Reason.TOO_LARGE
    if not token.isascii():
        return Reason.NOT_ASCII
    segments = token.split(".")
    if len(segments) != 3:  # noqa: PLR2004  # RFC 7515 section 7.1
        return Reason.SEGMENTS
    limits = (Registry.max_header_length, Registry.max_payload_length, Registry.max_signature_length)
    if any(len(segment) > limit for segment, limit in zip(segments, limits, strict=True)):
        return Reason.TOO_LARGE
    octets: list[bytes] = []
    for segment in segments if header is None else segments[1:]:
        decoded = decode(segment)
        if isinstance(decoded, Reason):
            return decoded
        octets.append(decoded)
    found = strict_object(octets[0]) if header is None else header
    if isinstance(found, Reason):
        return found
    members = strict_object(octets[-2])
    if isinstance(members, Reason):
        return members
    return Compact(header=found, members=members, signed=token.rpartition(".")[0].encode("ascii"), signature=octets[-1])


class _Strict(Exception):  # noqa: N818  # a way out of json's hooks, caught six lines below its raise
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def strict_json(raw: bytes, *, brackets: int = DEPTH_BOUND) -> object | Reason:
    """JSON without what JSON parsers disagree on: duplicate members, NaN and infinities, lone surrogates, great depth.

    Depth is bounded by the count of opening brackets, in strings too: 64 is far above any token's need.
    """
    if raw.count(b"[") + raw.count(b"{") > brackets:
        return Reason.TOO_DEEP
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Reason.NOT_UTF8
    try:
        value: object = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except _Strict as refused:
        return refused.reason
    except UnicodeEncodeError:
        return Reason.NOT_UTF8
    except ValueError:
        return Reason.JSON
    return value


def strict_object(raw: bytes) -> dict[str, object] | Reason:
    """`strict_json` whose outermost value must be an object."""
    value = strict_json(raw)
    if isinstance(value, Reason):
        return value
    return value if isinstance(value, dict) else Reason.NOT_AN_OBJECT


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Strict(Reason.DUPLICATE_MEMBER)
    return members


def _constant(_: str) -> NoReturn:
    raise _Strict(Reason.NUMBER)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Strict(Reason.NUMBER)
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, parse_float=_float)


def family(algorithm: str) -> str:
    """The algorithm behind a name: EdDSA and Ed25519 are one (RFC 9864)."""
    return "Ed25519" if algorithm == "EdDSA" else algorithm


def import_public(jwk: Mapping[str, object]) -> VerifyingKey | Reason:
    """A public JWK as a key with its algorithm; only canonical members are read, `alg` and `kid` if present.

    EC on P-256, OKP on Ed25519, RSA of 2048–4096 bits with an exponent of at least 65537.
    """
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        return Reason.KEY_PRIVATE
    shapes = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
    kind = jwk.get("kty")
    if not isinstance(kind, str) or kind not in shapes:
        return Reason.KEY_KIND
    members: dict[str, str] = {}
    for name in shapes[kind]:
        value = jwk.get(name)
        if not isinstance(value, str):
            return Reason.KEY_MALFORMED
        members[name] = value
    flaw = _rsa_flaw(members) if kind == "RSA" else _curve_flaw(members)
    if flaw is not None:
        return flaw
    return _imported(members, jwk)


def _imported(members: dict[str, str], jwk: Mapping[str, object]) -> VerifyingKey | Reason:
    classes: dict[str, tuple[type[ECKey | OKPKey | RSAKey], str]] = {
        "EC": (ECKey, "ES256"),
        "OKP": (OKPKey, "Ed25519"),
        "RSA": (RSAKey, "PS256"),
    }
    key_class, algorithm = classes[members["kty"]]
    stated, kid = jwk.get("alg", algorithm), jwk.get("kid", "")
    if not isinstance(stated, str) or family(stated) != algorithm:
        return Reason.KEY_ALGORITHM
    if not isinstance(kid, str):
        return Reason.KID
    try:
        key = key_class.import_key({**members}).get_op_key("verify")
    except (JoseError, ValueError):
        return Reason.KEY_MALFORMED
    if not isinstance(key, PublicKey):
        return Reason.KEY_MALFORMED
    thumbprint = encode(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())
    return VerifyingKey(kid=kid or thumbprint, algorithm=algorithm, thumbprint=thumbprint, jwk=members, key=key)


def _curve_flaw(members: dict[str, str]) -> Reason | None:
    if members["crv"] != {"EC": "P-256", "OKP": "Ed25519"}[members["kty"]]:
        return Reason.KEY_KIND
    for name in members.keys() & {"x", "y"}:
        octets = decode(members[name])
        if isinstance(octets, Reason) or len(octets) != _POINT_BYTES:
            return Reason.KEY_MALFORMED
    return None


def _rsa_flaw(members: dict[str, str]) -> Reason | None:
    modulus, exponent = decode(members["n"]), decode(members["e"])
    if isinstance(modulus, Reason) or isinstance(exponent, Reason) or modulus[:1] in {b"", b"\0"}:
        return Reason.KEY_MALFORMED
    weak = int.from_bytes(modulus).bit_length() not in _RSA_BITS or int.from_bytes(exponent) not in _EXPONENT_RANGE
    return Reason.KEY_WEAK if weak else None


def signed_by(compact: Compact, key: VerifyingKey) -> bool:
    """Whether the signature is that key's, under the algorithm pinned to it."""
    algorithm = compact.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or family(algorithm) != key.algorithm:
        return False
    try:
        return _verified(compact, key.key)
    except (InvalidSignature, ValueError):
        return False


def _verified(compact: Compact, key: PublicKey) -> bool:
    """True, or the fault raised: PS256, ES256 and EdDSA as RFC 7518 sections 3.4, 3.5 and RFC 8037 spell them."""
    signature, signed = compact.signature, compact.signed
    if isinstance(key, EllipticCurvePublicKey):  # the most frequent first: these classes are slow to ask
        if len(signature) != 2 * _POINT_BYTES:
            return False
        halves = int.from_bytes(signature[:_POINT_BYTES]), int.from_bytes(signature[_POINT_BYTES:])
        key.verify(encode_dss_signature(*halves), signed, _ECDSA)
        return True
    if isinstance(key, RSAPublicKey):
        key.verify(signature, signed, _PSS, SHA256())
        return True
    key.verify(signature, signed)
    return True


def sign(members: Mapping[str, object], signing: SigningKey, *, typ: str) -> str:
    """A compact JWS over the members; Ed25519 is signed under its widely read name EdDSA."""
    algorithm = "EdDSA" if signing.public.algorithm == "Ed25519" else signing.public.algorithm
    header: dict[str, object] = {"alg": algorithm, "typ": typ, "kid": signing.public.kid}
    payload = json.dumps(dict(members), separators=(",", ":"), ensure_ascii=False)  # "å" is two bytes, not six
    return jws.serialize_compact(header, payload, signing.key, registry=_REGISTRY)


def _decoys() -> dict[str, VerifyingKey]:
    """One well-formed public key per algorithm whose private half serves nobody.

    A signature that names an unknown client or key is checked against one of these, and refused whatever the result,
    so that an unknown client costs the same time as a wrong key.
    """
    seed = b"".join(hashlib.sha512(b"sauma decoy %d" % number).digest() for number in range(4))
    modulus = (int.from_bytes(seed) | 1 << 2047 | 1).to_bytes(256)
    point = (
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    )
    jwks: list[dict[str, object]] = [
        {"kty": "EC", "crv": "P-256", "x": encode(bytes.fromhex(point[0])), "y": encode(bytes.fromhex(point[1]))},
        {"kty": "OKP", "crv": "Ed25519", "x": encode(b"\x58" + b"\x66" * 31)},
        {"kty": "RSA", "n": encode(modulus), "e": "AQAB"},
    ]
    keys = [import_public(jwk) for jwk in jwks]
    return {key.algorithm: key for key in keys if isinstance(key, VerifyingKey)}


DECOYS = _decoys()
