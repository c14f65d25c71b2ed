"""The stock weaknesses our own code stands in for: red here means that an upgrade mended one, and code of ours can go.

Each row says what authlib 1.9.9 or joserfc 1.8.0 does today and what we wrote because of it. None of it is reachable in
the product, which takes from authlib the order of a grant only (`sauma.oauth._authlib`).
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import UnsupportedTokenTypeError
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator, JWTIntrospectionEndpoint, JWTRevocationEndpoint
from joserfc import jws
from joserfc.errors import ExceededSizeError, JoseError, SecurityWarning
from joserfc.jwk import KeySet, OctKey

from attacks.oauth.forge import Forge, Target, new_keys
from attacks.oauth.table import BASELINE

URL = "https://sauma.example"
SECRET = OctKey.generate_key(256)
KEYS = new_keys()


class Validator(JWTBearerTokenValidator):
    """authlib's resource server (RFC 9068), given the issuer's public keys."""

    def __init__(self, key: Any) -> None:
        super().__init__(issuer=URL, resource_server=URL)
        self._key = key

    def get_jwks(self) -> Any:
        return KeySet([self._key])


class Assertions(JWTBearerClientAssertion):
    """authlib's private_key_jwt for one client; `burnt` are the once-only ids it was asked about."""

    def __init__(self, key: Any) -> None:
        super().__init__()
        self._key = key
        self.burnt: list[str] = []

    def resolve_client_public_key(self, _client: Any) -> Any:
        return KeySet([self._key])

    def get_audiences(self) -> list[str]:
        return [URL]

    def validate_jti(self, _claims: Any, jti: str) -> bool:
        self.burnt.append(jti)
        return True


class FormRequest(OAuth2Request):
    """A form as authlib's framework integrations hand it over."""

    def __init__(self, form: dict[str, str]) -> None:
        super().__init__("POST", f"{URL}/oauth/token")
        self._form = form

    @property
    def form(self) -> dict[str, str]:
        return self._form


class AnyClient:
    """A registered client as authlib wants one."""

    def check_endpoint_auth_method(self, *_: object) -> bool:
        return True


def forge() -> Forge:
    target = Target(
        url=URL, client="c", organisation="o", other_organisation="p", keys=KEYS, clock=lambda: int(time.time())
    )
    return Forge(BASELINE, target)


def token(change: dict[str, Any] | None = None) -> str:
    return forge().wires("resource", change or {})[0].lines("authorization")[0].removeprefix("DPoP ")


def let_in(change: dict[str, Any] | None = None, *, key: str = "issuer") -> bool:
    """Whether authlib takes the token of that change, with no proof anywhere."""
    stated = {**KEYS[key].as_dict(private=False), "kid": KEYS["issuer"].thumbprint()}
    validator = Validator(type(KEYS[key]).import_key(stated))
    try:
        validator.validate_token(validator.authenticate_token(token(change)), None, None)
    except OAuth2Error:
        return False
    return True


def authenticated(change: dict[str, Any] | None = None, *, key: str = "client", **form: str) -> Assertions | None:
    """authlib's authenticator after it let the assertion of that change in, None if it did not."""
    stated = type(KEYS[key]).import_key({**KEYS[key].as_dict(private=False), "kid": KEYS["client"].thumbprint()})
    assertions = Assertions(stated)
    body = forge().wires("token", change or {})[0].body.decode()
    sent = dict(pair.split("=", 1) for pair in body.split("&"))
    form |= {"client_assertion_type": Assertions.CLIENT_ASSERTION_TYPE, "client_assertion": sent["client_assertion"]}
    request = FormRequest(form)
    try:
        assertions(lambda _: AnyClient(), request)
    except OAuth2Error:
        return None
    return assertions


def raised(act: Callable[[], object], kind: type[Exception]) -> bool:
    """Whether it ends in that exception, which no caller of authlib's catches: an answer of 500."""
    try:
        act()
    except kind as error:
        return type(error) is kind
    return False


HUGE = {"$raw": {"$repeat": ["[", 60_000]}}
# what it does → (what we have because of it, whether it still does)
STOCK: dict[str, tuple[str, Callable[[], bool]]] = {
    "the resource server takes RS256": ("Registry", lambda: let_in({"token.alg": "RS256"}, key="PS256")),
    "the resource server refuses PS256": ("Registry", lambda: not let_in({"token.alg": "PS256"}, key="PS256")),
    "the resource server refuses EdDSA": ("Registry", lambda: not let_in({"token.alg": "EdDSA"}, key="Ed25519")),
    "the resource server refuses Ed25519": ("Registry", lambda: not let_in({"token.alg": "Ed25519"}, key="Ed25519")),
    "the resource server takes a token without typ": ("_header_flaw", lambda: let_in({"token.header.typ": {"$absent": True}})),
    "the resource server refuses an iat of 5 s ahead": ("SKEW", lambda: not let_in({"token.members.iat": {"$seconds": 5}})),
    "the resource server takes a bound token as Bearer": ("proof_flaw", let_in),
    "the resource server refuses an unknown header": ("check_header", lambda: not let_in({"token.header.colour": 1})),
    "the resource server takes a member stated twice": ("strict_json", lambda: let_in({"token.twice": {"aud": URL}})),
    "the resource server breaks on crit 5": ("parse", lambda: raised(lambda: let_in({"token.header.crit": 5}), TypeError)),
    "the resource server breaks on crit [{}]": ("parse", lambda: raised(lambda: let_in({"token.header.crit": [{}]}), TypeError)),
    "the resource server breaks on a header that is a list": ("parse", lambda: raised(lambda: let_in({"token.header": ["alg"]}), TypeError)),
    "the resource server breaks on a header that is a text": ("parse", lambda: raised(lambda: let_in({"token.header": "alg"}), TypeError)),
    "the token endpoint takes RS256": ("Registry", lambda: bool(authenticated({"assertion.alg": "RS256"}, key="PS256"))),
    "the token endpoint refuses PS256": ("Registry", lambda: not authenticated({"assertion.alg": "PS256"}, key="PS256")),
    "the token endpoint refuses EdDSA": ("Registry", lambda: not authenticated({"assertion.alg": "EdDSA"}, key="Ed25519")),
    "the token endpoint takes an audience beside ours": ("addressee_flaw", lambda: bool(authenticated({"assertion.members.aud": [URL, "https://other.example"]}))),
    "the token endpoint takes another client's client_id": ("CLIENT_OTHER", lambda: bool(authenticated(client_id="somebody-else"))),
    "the token endpoint takes an assertion of ten years": ("effective_end", lambda: bool(authenticated({"assertion.members.exp": {"$seconds": 315_360_000}}))),
    "the token endpoint takes what expired 50 s ago": ("effective_end", lambda: bool(authenticated({"assertion.members.exp": {"$seconds": -50}}))),
    "the token endpoint takes an assertion without iat": ("effective_end", lambda: bool(authenticated({"assertion.members.iat": {"$absent": True}}))),
    "the token endpoint takes typ at+jwt": ("_EXPECTED_TYPES", lambda: bool(authenticated({"assertion.header.typ": "at+jwt"}))),
    "the token endpoint takes typ dpop+jwt": ("_EXPECTED_TYPES", lambda: bool(authenticated({"assertion.header.typ": "dpop+jwt"}))),
    "the token endpoint burns the assertion before anything else is checked": ("assertion_claim", lambda: len(getattr(authenticated(), "burnt", ())) == 1),
    "the token endpoint breaks on alg with a quote": ("ERROR_TEXTS", lambda: raised(lambda: authenticated({"assertion.header.alg": 'E"S256'}), ValueError)),
    "the token endpoint breaks on alg beyond ASCII": ("ERROR_TEXTS", lambda: raised(lambda: authenticated({"assertion.header.alg": "ÄS256"}), ValueError)),
    "the token endpoint breaks on crit 5": ("parse", lambda: raised(lambda: authenticated({"assertion.header.crit": 5}), TypeError)),
    "the token endpoint breaks on crit [{}]": ("parse", lambda: raised(lambda: authenticated({"assertion.header.crit": [{}]}), TypeError)),
    "the token endpoint breaks on a header that is a list": ("parse", lambda: raised(lambda: authenticated({"assertion.header": ["alg"]}), TypeError)),
    "the token endpoint breaks on a header that is a text": ("parse", lambda: raised(lambda: authenticated({"assertion.header": "alg"}), TypeError)),
    "the token endpoint breaks on a nested payload": ("DEPTH_BOUND", lambda: raised(lambda: authenticated({"assertion.members": HUGE}), RecursionError)),
    "a token lives ten days": ("TOKEN_LIFETIME", lambda: BearerTokenGenerator.GRANT_TYPES_EXPIRES_IN["client_credentials"] == 864_000),
    "a JWT cannot be revoked": ("the revocation endpoint", lambda: raised(lambda: revoke(token()), UnsupportedTokenTypeError)),
    "introspection shows no cnf and calls the token Bearer": ("the introspection endpoint", lambda: (seen := introspect(token()))["token_type"] == "Bearer" and "cnf" not in seen),
    "introspection breaks on a token without scope": ("the introspection endpoint", lambda: raised(lambda: introspect(token({"token.members.scope": {"$absent": True}})), KeyError)),
    "joserfc refuses the header of every RSA proof": ("Registry.max_header_length", lambda: raised(rsa_proof, ExceededSizeError)),
    "joserfc warns of EdDSA": ("jose.signed_by", lambda: warned("EdDSA")),
    "joserfc takes HS256 where no algorithms are named": ("signed_by", lambda: jws.deserialize_compact(jws.serialize_compact({"alg": "HS256"}, b"x", SECRET), SECRET).payload == b"x"),
}  # fmt: skip


@pytest.mark.parametrize("weakness", STOCK)
def test_the_library_still_is_as_we_wrote_for(weakness: str) -> None:
    stands_in, still = STOCK[weakness]
    assert still(), f"mended upstream: {weakness}; what stands in for it here, and may go: {stands_in}"


@pytest.mark.parametrize("change", [{}, {"token.members.scope": "case:read"}])
def test_the_trial_itself_lets_a_good_token_in_and_a_bad_one_not(change: dict[str, Any]) -> None:
    assert let_in(change)
    assert not let_in({"token.members.aud": "https://other.example"})
    assert authenticated()
    assert not authenticated({"assertion.key": "other"})


def test_what_authlib_lacks_it_lacks_still() -> None:
    """Token exchange (RFC 8693) is an empty package, and there is no DPoP, RAR or mTLS in it."""
    import authlib.oauth2.rfc8693 as exchange  # noqa: PLC0415  # of this test only

    assert [name for name in vars(exchange) if not name.startswith("__")] == []
    for absent in ("rfc9449", "rfc9396", "rfc8705", "rfc8707", "rfc9470", "rfc9728"):
        with pytest.raises(ModuleNotFoundError):
            __import__(f"authlib.oauth2.{absent}")


def introspect(text: str) -> dict[str, Any]:
    class Introspection(JWTIntrospectionEndpoint):
        def get_jwks(self) -> Any:
            return issuer_keys()

    endpoint = Introspection(issuer=URL)
    found = Validator(issuer_keys().keys[0]).authenticate_token(text)
    return dict(endpoint.create_introspection_payload(found))


def revoke(text: str) -> object:
    class Revocation(JWTRevocationEndpoint):
        def get_jwks(self) -> Any:
            return issuer_keys()

    request = FormRequest({"token": text})
    return Revocation(issuer=URL).authenticate_token(request, AnyClient())


def issuer_keys() -> KeySet:
    key = KEYS["issuer"]
    return KeySet([type(key).import_key({**key.as_dict(private=False), "kid": key.thumbprint()})])


def rsa_proof() -> object:
    proof = forge().wires("resource", {"proof.alg": "PS256"})[0].lines("dpop")[0]
    return jws.deserialize_compact(proof, KEYS["PS256"], algorithms=["PS256"])


def warned(algorithm: str) -> bool:
    key = KEYS["Ed25519"]
    with pytest.warns(SecurityWarning):
        text = jws.serialize_compact({"alg": algorithm}, json.dumps({}), key, algorithms=[algorithm])
    with pytest.warns(SecurityWarning):
        return bool(jws.deserialize_compact(text, key, algorithms=[algorithm])) and issubclass(JoseError, Exception)
