"""One passing baseline; every row of the tables changes one thing of it."""

import asyncio
import functools
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from sauma.catalogue.loader import load
from sauma.core.evidence import Claim, ClaimKind
from sauma.core.parties import OrganisationKind
from sauma.exchange.tokens import (
    ClientState,
    IdentityProvider,
    KnownClient,
    Mandate,
    TokenCommit,
    TokenDecision,
    TokenEndpoints,
    TokenGranted,
    TokenLook,
    TokenRequest,
)
from sauma.oauth.jose import SigningKey, encode
from sauma.oauth.keys import create_key
from sauma.oauth.nonce import Nonces
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, Trust, VerifiedToken, authenticate
from sauma.oauth.server import AuthorizationServer, Issuer, decide_token

URL = "https://sauma.example"
NOW = 1_790_000_000
ABSENT = object()
"""As a member's value: leave the member out."""

ISSUER_KEY, OTHER_ISSUER_KEY = create_key(), create_key()
CLIENT_KEY, OTHER_KEY, PROOF_KEY = ECKey.generate_key("P-256"), ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
IDP_KEY, IDP = ECKey.generate_key("P-256"), "https://kirjautuminen.pirha.example"
CATALOGUE, NONCES = load(), Nonces(b"n" * 32)
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
    idp_key, idp, nonces = IDP_KEY, IDP, NONCES
    issuer_key, other_issuer_key = ISSUER_KEY, OTHER_ISSUER_KEY
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
            "grant_version": 3,
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
        metadata = f"{URL}/.well-known/oauth-protected-resource"
        return Trust(issuers=issuers, resource=URL, metadata_url=metadata, nonces=NONCES)

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
        return Issuer(
            url=URL,
            token_endpoint=f"{URL}/oauth/token",
            resource=URL,
            key=ISSUER_KEY,
            verifying=(ISSUER_KEY.public,),
            catalogue=CATALOGUE,
            nonces=NONCES,
        )

    def mandate(self, **changes: Any) -> Mandate:
        """What the baseline client may do for its own county."""
        row = {
            "organisation": "2816301-8",
            "kind": OrganisationKind.COUNTY,
            "supplier": None,
            "scopes": frozenset({"case:read", "matter:write"}),
            "version": 3,
        }
        return Mandate(**merged(row, changes))

    def client(self, **changes: Any) -> KnownClient:
        """The baseline client's row; `mandate` changes its one mandate."""
        row = {
            "id": "pirha-case",
            "organisation": "2816301-8",
            "keys": (self.registered(CLIENT_KEY),),
            "state": ClientState.ACTIVE,
            "mandates": (self.mandate(**changes.pop("mandate", {})),),
            "providers": (self.provider(),),
        }
        return KnownClient(**merged(row, changes))

    def registered(self, key: Any, *, kid: str = "k1", alg: str = "ES256") -> dict[str, str]:
        """A public key as the register holds it."""
        return {**key.as_dict(private=False), "kid": kid, "alg": alg}

    def provider(self, **changes: Any) -> IdentityProvider:
        """The baseline county's identity provider."""
        row = {"organisation": "2816301-8", "issuer": IDP, "keys": (self.registered(IDP_KEY, kid="idp-1"),)}
        return IdentityProvider(**merged(row, changes))

    def login(self, *, header: Any = None, members: Any = None, key: Any = None) -> str:
        """What the identity provider says of an officer that has just logged in."""
        full = {
            "iss": IDP,
            "aud": URL,
            "organisation": "2816301-8",
            "sub": PERSON["id"],
            "name": PERSON["name"],
            "role": PERSON["role"],
            "unit": PERSON["unit"],
            "acr": "http://ftn.ficora.fi/2017/loatest3",
            "auth_time": NOW - 60,
            "iat": NOW,
            "exp": NOW + 120,
            "jti": "login-0123456789abcdef",
        }
        head = merged({"alg": "ES256", "typ": "JWT", "kid": "idp-1"}, header or {})
        return self.signed(head, merged(full, members or {}), key or IDP_KEY)

    def exchange(self, *, subject_token: Any = None, **changes: Any) -> dict[str, Any]:
        """The form fields that exchange the login for a token."""
        full = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": subject_token or self.login(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        }
        return {**full, **changes}


class Register:
    """The store's port in memory: claims are once-only; `changed` is a client that changed under the request."""

    def __init__(self, door: "Door") -> None:
        self._door = door
        self.changed = False
        self.claimed, self.entries = set[bytes](), list[tuple[str, Any]]()

    async def find_client(self, client_id: str) -> KnownClient | None:
        known = self._door.known
        return known if client_id == known.id else None

    async def mandate_stands(self, client_id: str, organisation: str, version: int, token_digest: bytes) -> bool:
        mandate = self._door.known.mandate_for(organisation)
        theirs = client_id in {self._door.known.id, *self._door.others}
        stands = theirs and mandate is not None and mandate.version == version
        return stands and token_digest not in self.claimed

    async def commit_token(self, event: TokenGranted) -> TokenCommit:
        return self._commit("token-issued", event, event.caller.claims)

    async def commit_look(self, look: TokenLook, *, decision: str, claims: tuple[Claim, ...]) -> TokenCommit:
        return self._commit(decision, look, claims)

    def _commit(self, decision: str, event: Any, claims: tuple[Claim, ...]) -> TokenCommit:
        if self.changed:
            return TokenCommit.CLIENT_CHANGED
        for claim in claims:
            if claim.digest in self.claimed:
                return _USED[claim.kind]
        self.claimed.update(claim.digest for claim in claims)
        self.entries.append((decision, event))
        return TokenCommit.FRESH


_USED = {
    ClaimKind.ASSERTION: TokenCommit.ASSERTION_REPLAYED,
    ClaimKind.PROOF: TokenCommit.PROOF_REPLAYED,
    ClaimKind.SUBJECT_TOKEN: TokenCommit.SUBJECT_TOKEN_REPLAYED,
    ClaimKind.REVOKED: TokenCommit.REVOKED_BEFORE,
}


class Door:
    """The three endpoints over a register in memory, asked with the baseline form and named changes."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline, self.known, self.now = baseline, baseline.client(), NOW
        self.register = Register(self)
        self.others: set[str] = set()
        self.published: dict[str, Any] = {}
        self.asked_for: list[tuple[str, str | None]] = []
        self._looks = 0
        self.endpoints = TokenEndpoints(
            self.register,
            lambda: AuthorizationServer(baseline.issuer()),
            keys=self,
            clock=lambda: self.now,
            new_id=lambda: "t" * 32,
        )

    async def keys_of(self, uri: str, kid: str | None) -> Any:
        self.asked_for.append((uri, kid))
        return self.published.get(uri, ())

    def issue(self, *, assertion: Any = None, proof: Any = None, **form: Any) -> TokenDecision:
        """Ask for a token; `assertion` and `proof` change their members."""
        fields = self.baseline.form(**form, client_assertion=self.baseline.assertion(members=assertion))
        return self._ask(self.endpoints.issue, fields, (self.baseline.token_proof(members=proof or {}),))

    def introspect(self, **changes: Any) -> TokenDecision:
        return self._ask(self.endpoints.introspect, self.look_form(**changes))

    def revoke(self, **changes: Any) -> TokenDecision:
        return self._ask(self.endpoints.revoke, self.look_form(**changes))

    def look_form(self, *, assertion: Any = None, **changes: Any) -> dict[str, Any]:
        """The form that shows the baseline token."""
        self._looks += 1
        members = {"jti": f"assertion-of-a-look-{self._looks}", **(assertion or {})}
        full = {
            "token": self.baseline.token(),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.baseline.assertion(members=members),
        }
        return merged(full, changes)

    def _ask(self, endpoint: Any, form: dict[str, Any], proofs: tuple[str, ...] = ()) -> TokenDecision:
        request = TokenRequest(
            content_type="application/x-www-form-urlencoded", body=urlencode(form).encode(), proofs=proofs
        )
        return asyncio.run(endpoint(request))


@pytest.fixture(scope="session")
def baseline() -> Baseline:
    return Baseline()


@pytest.fixture
def door(baseline: Baseline) -> Door:
    return Door(baseline)
