"""One passing baseline; every row of the tables changes one thing of it."""

import functools
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from sauma.exchange.tokens import ClientState, KnownClient, TokenDecision, TokenRequest
from sauma.oauth.jose import SigningKey, encode
from sauma.oauth.keys import create_key
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, Trust, VerifiedToken, authenticate
from sauma.oauth.server import Issuer, decide_token

URL = "https://sauma.example"
NOW = 1_790_000_000
ABSENT = object()
"""As a member's value: leave the member out."""

ISSUER_KEY, OTHER_ISSUER_KEY = create_key(), create_key()
CLIENT_KEY, OTHER_KEY, PROOF_KEY = ECKey.generate_key("P-256"), ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
ED_KEY, RSA_KEY = OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)
ALGORITHM_KEYS = {"ES256": CLIENT_KEY, "EdDSA": ED_KEY, "Ed25519": ED_KEY, "PS256": RSA_KEY}
PERSON = {"id": "v-17", "name": "Päivi Äijälä", "role": "social-care-professional", "unit": "Hervanta"}


def merged(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Baseline:
    """Builds a valid token, proof, assertion and form, each with named changes."""

    absent, now, url, person = ABSENT, NOW, URL, PERSON
    client_key, other_key, proof_key, ed_key, rsa_key = CLIENT_KEY, OTHER_KEY, PROOF_KEY, ED_KEY, RSA_KEY
    issuer_key, other_issuer_key, oct_key = ISSUER_KEY, OTHER_ISSUER_KEY, OctKey.generate_key(256)
    algorithm_keys = ALGORITHM_KEYS
    _plain_token: str | None = None

    def signed(self, header: Any, members: Any, key: Any, *, using: str | None = None) -> str:
        """A compact JWS of anything at all; `using` names the algorithm when the header must not."""
        signing_input = f"{encode(text(header))}.{encode(text(members))}"
        name = using or header["alg"]
        return f"{signing_input}.{encode(JWSRegistry.algorithms[name].sign(signing_input.encode(), key))}"

    def token(self, **changes: Any) -> str:
        """The baseline access token, the same each time; with changes, a new one."""
        if changes:
            return self._token(**changes)
        if self._plain_token is None:
            self._plain_token = self._token()
        return self._plain_token

    def _token(self, *, header: Any = None, members: Any = None, key: Any = None, using: str | None = None) -> str:
        signing: SigningKey = ISSUER_KEY
        full = {
            "iss": URL,
            "aud": URL,
            "sub": "2816301-8",
            "client_id": "pirha-case",
            "scope": "case:read matter:write",
            "iat": NOW,
            "exp": NOW + 300,
            "jti": "token-0123456789abcdef",
            "cnf": {"jkt": PROOF_KEY.thumbprint()},
            "asrt": encode(hashlib.sha256(b"assertion").digest()),
            "client_version": 3,
            "authorization_details": [{"type": "sauma_case_access", "organisation": "2816301-8", "officer": PERSON}],
        }
        head = merged({"alg": "ES256", "typ": "at+jwt", "kid": signing.public.kid}, header or {})
        body = members if isinstance(members, bytes) else merged(full, members or {})
        return self.signed(head, body, key or signing.key, using=using)

    def proof(self, *, header: Any = None, members: Any = None, key: Any = None, token: str | None = None) -> str:
        """A proof for `PUT /v1/matters/A-1` with that token."""
        key = key or PROOF_KEY
        full = {
            "htm": "PUT",
            "htu": f"{URL}/v1/matters/A-1",
            "iat": NOW,
            "jti": "proof-0123456789abcdef",
            "ath": encode(hashlib.sha256((token or self.token()).encode()).digest()),
        }
        head = merged({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}, header or {})
        return self.signed(head, merged(full, members or {}), key)

    def call(self, **changes: Any) -> VerifiedToken | Challenge:
        """Authenticate the baseline call; `token` is carried under the DPoP scheme and proven unless told otherwise."""
        token = changes.pop("token", None) or self.token()
        request = {
            "method": "PUT",
            "raw_path": "/v1/matters/A-1",
            "authorizations": (f"DPoP {token}",),
            "proofs": (self.proof(token=token),),
        }
        judged = ProtectedRequest(**merged(request, changes))
        verdict = authenticate(judged, self.trust(), now=NOW)
        # a server that has just let the baseline in judges no differently, and no differently the second time
        for _ in range(2):
            assert authenticate(judged, self.trust(), now=NOW, memory=self.warm) == verdict
        return verdict

    @functools.cached_property
    def warm(self) -> Memory:
        """The memory of a server that has let the baseline call in."""
        memory = Memory()
        proof = self.proof(members={"jti": "proof-of-the-warm-server"})
        request = ProtectedRequest(
            method="PUT", raw_path="/v1/matters/A-1", authorizations=(f"DPoP {self.token()}",), proofs=(proof,)
        )
        assert isinstance(authenticate(request, self.trust(), now=NOW, memory=memory), VerifiedToken)
        assert len(memory.tokens) == len(memory.headers) == 1
        return memory

    def trust(self) -> Trust:
        issuers = {URL: (ISSUER_KEY.public,), "https://other.example": (OTHER_ISSUER_KEY.public,)}
        return Trust(issuers=issuers, resource=URL, metadata_url=f"{URL}/.well-known/oauth-protected-resource")

    def assertion(self, *, header: Any = None, members: Any = None, key: Any = None, using: str | None = None) -> str:
        key = key or CLIENT_KEY
        full = {
            "iss": "pirha-case",
            "sub": "pirha-case",
            "aud": URL,
            "iat": NOW,
            "exp": NOW + 60,
            "jti": "assertion-0123456789abcdef",
        }
        head = merged({"alg": "ES256", "typ": "JWT", "kid": "k1"}, header or {})
        return self.signed(head, merged(full, members or {}), key, using=using)

    def token_proof(self, **changes: Any) -> str:
        """A proof for the token endpoint."""
        members = {"htm": "POST", "htu": f"{URL}/oauth/token", "ath": ABSENT, **changes.pop("members", {})}
        return self.proof(members=members, **changes)

    def form(self, **changes: Any) -> dict[str, Any]:
        full = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": changes.pop("client_assertion", None) or self.assertion(),
            "scope": "case:read",
        }
        return merged(full, changes)

    def ask(self, **changes: Any) -> TokenDecision:
        """Decide the baseline token request; `form` changes fields, `known` the client's row."""
        body = changes.pop("body", None) or urlencode(self.form(**changes.pop("form", {}))).encode()
        known = changes.pop("known", None) or self.client()
        request = {
            "content_type": "application/x-www-form-urlencoded",
            "body": body,
            "proofs": (self.token_proof(),),
        }
        return decide_token(
            TokenRequest(**merged(request, changes)),
            None if known is ABSENT else known,
            issuer=self.issuer(),
            now=NOW,
            token_id="token-0123456789abcdef",
        )

    def issuer(self) -> Issuer:
        return Issuer(url=URL, token_endpoint=f"{URL}/oauth/token", resource=URL, key=ISSUER_KEY)

    def client(self, **changes: Any) -> KnownClient:
        row = {
            "id": "pirha-case",
            "organisations": ("2816301-8",),
            "keys": ({**CLIENT_KEY.as_dict(private=False), "kid": "k1", "alg": "ES256"},),
            "scopes": frozenset({"case:read", "matter:write"}),
            "state": ClientState.ACTIVE,
            "version": 3,
        }
        return KnownClient(**merged(row, changes))


@pytest.fixture(scope="session")
def baseline() -> Baseline:
    return Baseline()
