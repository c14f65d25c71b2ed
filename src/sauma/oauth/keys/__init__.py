"""Keys of the issuer, of clients that publish theirs, and of certificates (RFC 7517, RFC 8705)."""

import os
from collections.abc import Mapping

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from sauma.core.errors import StartRefused
from sauma.oauth.jose import SigningKey, VerifyingKey, import_public, parse, sign, signed_by
from sauma.oauth.reasons import Reason

_NOT_PRIVATE = "holds a key that is not a private ES256 or Ed25519 JWK"
_PUBLISHED_NAMES = {"Ed25519": "EdDSA"}


class IssuerKeyError(StartRefused):
    """The issuer's key file cannot be used: refuse to start. The line names the fault and never the file's content."""

    def __init__(self, fault: str) -> None:
        line = f"SAUMA_HOME: {fault}; fix: correct it, or remove it and a new one is made"
        super().__init__(line, exit_code=os.EX_CONFIG)
        self.fault = fault


def key_set(*keys: VerifyingKey) -> dict[str, list[dict[str, str]]]:
    """The JWK set of public keys: canonical members, `kid`, `alg` and `use` only."""
    return {"keys": [published(key) for key in keys]}


def published(key: VerifyingKey) -> dict[str, str]:
    """One public key as a set holds it; Ed25519 under its widely read name EdDSA."""
    return {**key.jwk, "kid": key.kid, "alg": _PUBLISHED_NAMES.get(key.algorithm, key.algorithm), "use": "sig"}


def create_key(*, algorithm: str = "ES256") -> SigningKey:
    """A new signing key, ES256 or Ed25519; its kid is the RFC 7638 thumbprint.

    None begins with a hyphen: a command line would take it for an option, and that in an emergency.
    """
    while True:
        key = OKPKey.generate_key("Ed25519") if algorithm == "Ed25519" else ECKey.generate_key("P-256")
        signing = signing_key(dict(key.as_dict(private=True)))
        if not signing.public.kid.startswith("-"):
            return signing


def private_members(signing: SigningKey) -> dict[str, str]:
    """The key as its file holds it: canonical members and the private one."""
    return {**signing.public.jwk, "d": str(signing.key.as_dict(private=True)["d"])}


def signing_key(members: Mapping[str, object]) -> SigningKey:
    """A private JWK as a key that signs; its kid is its thumbprint, whatever the JWK says.

    Raises:
        IssuerKeyError: no private ES256 or Ed25519 JWK, or its halves are of two keys.
    """
    public = import_public({name: value for name, value in members.items() if name not in {"d", "kid"}})
    secret = members.get("d")
    if isinstance(public, Reason) or public.algorithm == "PS256" or not isinstance(secret, str):
        raise IssuerKeyError(_NOT_PRIVATE)
    key_class = ECKey if public.algorithm == "ES256" else OKPKey
    try:
        signing = SigningKey(public=public, key=key_class.import_key({**public.jwk, "d": secret}))
    except (JoseError, ValueError) as error:
        raise IssuerKeyError(_NOT_PRIVATE) from error
    probe = parse(sign({}, signing, typ="probe"))
    if isinstance(probe, Reason) or not signed_by(probe, public):
        raise IssuerKeyError(_NOT_PRIVATE)
    return signing
