"""Twenty thousand generated inputs: a verdict comes out of every one, in the RFCs' shapes, and nothing of the input.

The runs are derandomised, so that a run that was green stays green; each counts its own examples.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jws import JWSRegistry

from attacks.oauth.doors import KEYS, KNOWN, NOW, SERVER, URL, Doors, verifying
from attacks.oauth.table import BASELINE
from sauma.exchange.tokens import IdentityProvider, TokenDecision, TokenLook, TokenRequest
from sauma.oauth import resource
from sauma.oauth.claims import Expectation, ProofTarget
from sauma.oauth.issuing.answers import ERROR_TEXTS, NO_STORE
from sauma.oauth.issuing.officers import Login, verified_login
from sauma.oauth.jose import encode, import_public, parse, strict_json
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, VerifiedToken, authenticate
from sauma.oauth.verify import Claims, verify

# -- what is made up

ODD = (
    None,
    True,
    False,
    0,
    -1,
    NOW,
    NOW + 10**6,
    2**63,
    1e308,
    0.5,
    "",
    "x",
    "é",
    "\0",
    "\ud800",
    "none",
    [],
    {},
    [[]],
)
SMALL = st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=12)
ANYTHING = SMALL | st.lists(SMALL, max_size=3) | st.dictionaries(st.text(max_size=6), SMALL, max_size=3)
TEXT = st.text(max_size=60)
SEGMENT = st.text("AZaz09-_=+/ .\n", max_size=24)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "x"]), ANYTHING, max_size=2
)
CLAIMS = st.dictionaries(
    st.sampled_from(
        [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "nbf",
            "jti",
            "cnf",
            "htm",
            "htu",
            "ath",
            "nonce",
            "scope",
            "act",
            "acr",
            "asrt",
            "auth_time",
        ]
    ),
    ANYTHING,
    max_size=3,
)
TOKEN_CLAIMS = st.dictionaries(
    st.sampled_from(["client_id", "cnf", "scope", "grant_version", "authorization_details", "act", "asrt", "sub"]),
    ANYTHING | st.just(BASELINE["token"]["form"]),
    max_size=3,
)
DETAIL = st.dictionaries(
    st.sampled_from(["type", "organisation", "purpose", "caseReference", "fields", "actions", "officer", "x"]),
    ANYTHING | st.lists(TEXT, max_size=3),
    max_size=3,
)
EDIT = st.tuples(st.integers(0, 2000), st.sampled_from("A.=-_ \n\0é0z"), st.sampled_from(["put", "in", "cut"]))
FIELDS = st.sampled_from(
    [
        *BASELINE["token"]["form"],
        *["client_id", "client_secret", "resource", "audience", "organisation", "authorization_details", "token", "x"],
        *["subject_token", "subject_token_type", "actor_token", "requested_token_type"],
    ]
)
FORM = st.dictionaries(FIELDS, TEXT, max_size=4)
JWK_MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "kid", "use", "key_ops", "d", "k"])

EXPECTED = {
    "access token": Expectation(
        types=frozenset({"at+jwt"}), now=NOW, lifetime=300, issuers={URL: (verifying("issuer"),)}, audience=URL,
        audience_list=True,
    ),
    "assertion": Expectation(
        types=frozenset({"", "jwt"}), now=NOW, lifetime=300, issuers={KNOWN.id: (verifying("client", "k1"),)},
        audience=URL, subject_is_issuer=True,
    ),
    "proof": Expectation(
        types=frozenset({"dpop+jwt"}), now=NOW, lifetime=60, early=60, expires=False,
        proof=ProofTarget(method="GET", url=f"{URL}/v1/disclosures", access_token="t", thumbprint="x"),
    ),
    "officer's login": Expectation(
        types=frozenset({"", "jwt"}), now=NOW, lifetime=300, issuers={URL: (verifying("other-issuer"),)}, audience=URL
    ),
}  # fmt: skip


# -- what must hold of it


def judged(text: str) -> None:
    """Every verifier has a verdict on any text."""
    for expectation in EXPECTED.values():
        assert isinstance(verify(text, expectation), Claims | Reason)


def any_text(text: str, segments: list[str]) -> None:
    judged(text)
    judged(".".join(segments))


def signed(header: dict[str, Any], members: dict[str, Any], key: str) -> str:
    """A compact JWS of anything JSON can say, really signed."""
    text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(members).encode())}"
    return f"{text}.{encode(JWSRegistry.algorithms['ES256'].sign(text.encode(), KEYS[key]))}"


DOORS = Doors()
PASSING = {name: DOORS.forge.passing("token" if name == "assertion" else "resource", name) for name in ("assertion", "token", "proof")}  # fmt: skip
SIGNER = {"assertion": "client", "token": "issuer", "proof": "proof"}


def parts(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and members of a passing one."""
    compact = parse(PASSING[name])
    assert not isinstance(compact, Reason)
    return compact.header, compact.members


PARTS = {name: parts(name) for name in PASSING}


def changed(name: str, header: dict[str, Any], members: dict[str, Any]) -> str:
    return signed({**PARTS[name][0], **header}, {**PARTS[name][1], **members}, SIGNER[name])


def any_signed(name: str, header: dict[str, Any], members: dict[str, Any]) -> None:
    judged(changed(name, header, members))


def edited(text: str, edits: list[tuple[int, str, str]]) -> str:
    for place, letter, how in edits:
        at = place % (len(text) + 1)
        text = text[:at] + ("" if how == "cut" else letter) + text[at + (how != "in") :]
    return text


def any_edit(name: str, edits: list[tuple[int, str, str]]) -> None:
    text = edited(PASSING[name], edits)
    verdict = [verify(text, expectation) for expectation in EXPECTED.values()]
    assert all(isinstance(one, Claims | Reason) for one in verdict)
    if text != PASSING[name] and name != "proof":
        assert not any(isinstance(one, Claims) for one in verdict)  # no edit of what was signed stands


def digest_of(token: str) -> str:
    return encode(hashlib.sha256(token.encode()).digest())


def any_call(header: dict[str, Any], members: dict[str, Any], proof: dict[str, Any]) -> None:
    """The resource door, with and without what it remembers."""
    token = changed("token", header, members)
    request = ProtectedRequest(
        method="GET",
        raw_path="/v1/disclosures",
        authorizations=(f"DPoP {token}",),
        proofs=(changed("proof", {}, {"ath": digest_of(token), **proof}),),
    )
    verdict = authenticate(request, DOORS.trust, now=NOW)
    memory = Memory()
    assert [authenticate(request, DOORS.trust, now=NOW, memory=memory) for _ in range(2)] == [verdict] * 2
    if isinstance(verdict, VerifiedToken):
        return
    assert isinstance(verdict, Challenge)
    constant = resource.refused(verdict.body["error"], verdict.reason, DOORS.trust)
    assert msgspec.structs.asdict(verdict) == msgspec.structs.asdict(constant)  # nothing of the input is in it


PROVIDER = IdentityProvider(organisation=KNOWN.organisation, issuer=URL, keys=(verifying("other-issuer").jwk,))


def posted(body: bytes, *, content_type: str = "application/x-www-form-urlencoded") -> None:
    """All three endpoints under /oauth: what is refused is refused with a constant answer."""
    request = TokenRequest(content_type=content_type, body=body, proofs=(TOKEN_PROOF,))
    claimed = SERVER.claimed_client(request)
    for known in (KNOWN, None) if claimed is not None else (None,):
        decision = SERVER.decide(request, known, now=NOW, token_id="token-0123456789abcdef")
        look = SERVER.look(request, known, now=NOW)
        refused_or(decision, lambda d: d.granted is not None and d.body["token_type"] == "DPoP")
        if isinstance(look, TokenLook):
            refused_or(SERVER.looked(look.token), lambda d: isinstance(d.body["active"], bool))
        else:
            refused_or(look, lambda d: False)


def refused_or(decision: TokenDecision, good: Callable[[TokenDecision], bool]) -> None:
    if decision.status == 200:
        assert good(decision)
        return
    error = str(decision.body["error"])
    assert (decision.status, decision.granted, decision.headers) == (400, None, NO_STORE)
    assert decision.body == {"error": error, "error_description": ERROR_TEXTS[error]}
    assert decision.reason in {reason.value for reason in Reason}


TOKEN_PROOF = DOORS.forge.wires("token", {})[0].lines("dpop")[0]
FULL_FORM = {**BASELINE["token"]["form"], "client_assertion": PASSING["assertion"]}


def any_body(body: bytes, content_type: str) -> None:
    posted(body)
    posted(urlencode(FULL_FORM).encode(), content_type=content_type)


def encodable(form: dict[str, str]) -> bytes:
    return urlencode(form, errors="surrogatepass").encode()


def any_form(changes: dict[str, str]) -> None:
    posted(encodable({**FULL_FORM, **changes}))


def any_assertion(header: dict[str, Any], members: dict[str, Any]) -> None:
    posted(
        encodable({**FULL_FORM, "token": PASSING["token"], "client_assertion": changed("assertion", header, members)})
    )


def any_detail(detail: dict[str, Any]) -> None:
    stated = [{**PARTS["assertion"][1]["authorization_details"][0], **detail}]
    inside = changed("assertion", {}, {"authorization_details": stated})
    posted(encodable({**FULL_FORM, "client_assertion": inside}))
    posted(encodable({**FULL_FORM, "authorization_details": json.dumps(stated)}))


def any_login(header: dict[str, Any], members: dict[str, Any]) -> None:
    """An officer's login, straight and inside a token exchange."""
    said = {
        "organisation": PROVIDER.organisation,
        "sub": "v-17",
        "name": "N",
        "role": "r",
        "unit": "u",
        "auth_time": NOW,
    }
    word = signed({"alg": "ES256"} | header, PARTS["token"][1] | said | members, "other-issuer")
    login = verified_login(word, (PROVIDER,), organisation=PROVIDER.organisation, audience=URL, now=NOW)
    assert isinstance(login, Login | Reason)
    form = {
        **FULL_FORM,
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": word,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    posted(encodable(form))


def any_jwk(members: dict[str, Any], raw: bytes) -> None:
    for name in ("proof", "Ed25519", "PS256"):
        verdict = import_public({**KEYS[name].as_dict(private=False), **members})
        assert isinstance(verdict, Reason) or verdict.jwk.keys() <= {"kty", "crv", "x", "y", "n", "e"}
    strict_json(raw)


@dataclass(frozen=True)
class Run:
    """So many inputs, how they are made up, and what takes them."""

    examples: int
    made: st.SearchStrategy[Any]
    taken: Callable[..., None]


NAMES = st.sampled_from(list(PASSING))
RUNS = {
    "any text as a token": Run(3000, st.tuples(TEXT, st.lists(SEGMENT, max_size=6)), any_text),
    "a passing one with letters changed": Run(4000, st.tuples(NAMES, st.lists(EDIT, min_size=1, max_size=3)), any_edit),
    "a signed one with other header and members": Run(4000, st.tuples(NAMES, HEADERS, CLAIMS), any_signed),
    "a call with another token and proof": Run(2000, st.tuples(HEADERS, TOKEN_CLAIMS, CLAIMS), any_call),
    "any JWK": Run(1500, st.tuples(st.dictionaries(JWK_MEMBERS, ANYTHING, max_size=3), st.binary(max_size=40)), any_jwk),
    "any body and content type": Run(1500, st.tuples(st.binary(max_size=80), TEXT), any_body),
    "a form with other fields": Run(1500, st.tuples(FORM), any_form),
    "another assertion": Run(1500, st.tuples(HEADERS, CLAIMS), any_assertion),
    "another detail": Run(1000, st.tuples(DETAIL), any_detail),
    "another officer's login": Run(1000, st.tuples(HEADERS, CLAIMS), any_login),
}  # fmt: skip


def test_they_are_twenty_thousand() -> None:
    assert sum(run.examples for run in RUNS.values()) >= 20_000


@pytest.mark.parametrize("name", RUNS)
def test_there_is_a_verdict_on(name: str) -> None:
    run, count = RUNS[name], 0

    @settings(
        max_examples=run.examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(run.made)
    def all_of_them(made: tuple[Any, ...]) -> None:
        nonlocal count
        count += 1
        run.taken(*made)

    all_of_them()
    assert count >= run.examples


def test_the_passing_ones_they_are_made_of_do_pass() -> None:
    for name, text in PASSING.items():
        expectation = {"token": "access token"}.get(name, name)
        if name != "proof":
            assert isinstance(verify(text, EXPECTED[expectation]), Claims)
    with pytest.raises(AssertionError):
        refused_or(TokenDecision(status=400, body={"error": "invalid_client", "x": "input"}, headers=NO_STORE), bool)
