"""The issuer's key file, and what is published about issuer and resource (RFC 7517, 8414, 9728)."""

import contextlib
import json
import os
import stat
import tempfile
from pathlib import Path

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from sauma.core.errors import SaumaError
from sauma.oauth.details import DETAILS_TYPE
from sauma.oauth.jose import ALGORITHMS, SigningKey, VerifyingKey, import_public, parse, sign, signed_by, strict_object
from sauma.oauth.reasons import Reason

_OWNER_ONLY = 0o600
_NO_KEY = "the issuer key file is not a private ES256 or Ed25519 JWK"


class IssuerKeyError(SaumaError):
    """The issuer's key file cannot be used: refuse to start. The text names the fault and never the file's content."""


class AuthorizationServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer's public description (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: tuple[str, ...]
    response_types_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ("client_credentials",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    dpop_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    authorization_details_types_supported: tuple[str, ...] = (DETAILS_TYPE,)
    protected_resources: tuple[str, ...] = ()


class ProtectedResourceMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The resource's public description (RFC 9728)."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...]
    bearer_methods_supported: tuple[str, ...] = ("header",)
    dpop_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    dpop_bound_access_tokens_required: bool = True
    authorization_details_types_supported: tuple[str, ...] = (DETAILS_TYPE,)


def server_metadata(public_url: str, *, scopes: tuple[str, ...]) -> AuthorizationServerMetadata:
    """The document at /.well-known/oauth-authorization-server; the issuer identifier is the public URL."""
    return AuthorizationServerMetadata(
        issuer=public_url,
        token_endpoint=f"{public_url}/oauth/token",
        jwks_uri=f"{public_url}/.well-known/jwks.json",
        scopes_supported=scopes,
        protected_resources=(public_url,),
    )


def resource_metadata(public_url: str, *, scopes: tuple[str, ...]) -> ProtectedResourceMetadata:
    """The document at /.well-known/oauth-protected-resource."""
    return ProtectedResourceMetadata(resource=public_url, authorization_servers=(public_url,), scopes_supported=scopes)


def key_set(*keys: VerifyingKey) -> dict[str, list[dict[str, str]]]:
    """The JWK set of public keys: canonical members, `kid`, `alg` and `use` only."""
    algorithms = {"Ed25519": "EdDSA"}
    return {
        "keys": [
            {**key.jwk, "kid": key.kid, "alg": algorithms.get(key.algorithm, key.algorithm), "use": "sig"}
            for key in keys
        ]
    }


def create_key(*, algorithm: str = "ES256") -> SigningKey:
    """A new signing key, ES256 or Ed25519; its kid is the RFC 7638 thumbprint."""
    key = OKPKey.generate_key("Ed25519") if algorithm == "Ed25519" else ECKey.generate_key("P-256")
    return _signing_key(dict(key.as_dict(private=True)))


def load_or_create_key(path: Path, *, algorithm: str = "ES256") -> SigningKey:
    """The issuer's key from its JWK file of mode 0600, made if absent; several processes may start at once.

    The file appears complete or not at all: written aside, then linked into place; the loser of a race reads the
    winner's.

    Raises:
        IssuerKeyError: the file is readable by others, or is no private ES256 or Ed25519 JWK.
    """
    if not path.exists():
        _write_new(path, create_key(algorithm=algorithm))
    return load_key(path)


def load_key(path: Path) -> SigningKey:
    """The issuer's key from its file, which is there.

    Raises:
        IssuerKeyError: as `load_or_create_key`.
    """
    if not path.is_file() or not os.access(path, os.R_OK):
        message = "the issuer key file cannot be read"
        raise IssuerKeyError(message)
    if stat.S_IMODE(path.stat().st_mode) & ~_OWNER_ONLY:
        message = "the issuer key file must be readable by its owner only (chmod 600)"
        raise IssuerKeyError(message)
    members = strict_object(path.read_bytes())
    if isinstance(members, Reason):
        message = "the issuer key file is not a JWK"
        raise IssuerKeyError(message)
    return _signing_key(members)


def _write_new(path: Path, signing: SigningKey) -> None:
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(signing.key.as_dict(private=True), file)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    Path(aside).unlink()


def _signing_key(members: dict[str, object]) -> SigningKey:
    public = import_public({name: value for name, value in members.items() if name not in {"d", "kid"}})
    secret = members.get("d")
    if isinstance(public, Reason) or public.algorithm == "PS256" or not isinstance(secret, str):
        raise IssuerKeyError(_NO_KEY)
    key_class = ECKey if public.algorithm == "ES256" else OKPKey
    try:
        signing = SigningKey(public=public, key=key_class.import_key({**public.jwk, "d": secret}))
    except (JoseError, ValueError) as error:
        raise IssuerKeyError(_NO_KEY) from error
    probe = parse(sign({}, signing, typ="probe"))
    if isinstance(probe, Reason) or not signed_by(probe, public):  # the halves are of one key
        raise IssuerKeyError(_NO_KEY)
    return signing
