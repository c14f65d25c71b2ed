"""The token endpoint's attack table (rows 78–108): one defect each, its exact reason, its RFC error code."""

import asyncio
import base64
import json
import socket
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from sauma.core.evidence import Claim, ClaimKind
from sauma.exchange.tokens import ClientState, KnownClient, TokenCommit, TokenGranted, TokenRequest, issue
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason
from sauma.oauth.server import AuthorizationServer

OTHER = "https://other.example"
HETU = "010594Y9032"


def asserted(b: Any, **changes: Any) -> dict[str, Any]:
    return {"form": {"client_assertion": b.assertion(**changes)}}


def details(**members: Any) -> dict[str, Any]:
    return {
        "form": {
            "authorization_details": json.dumps([{"type": "sauma_case_access", "organisation": "2816301-8", **members}])
        }
    }


# fmt: off
ROWS: dict[str, tuple[Any, Reason, str]] = {
    "78 no assertion": (lambda b: {"form": {"client_assertion": b.absent, "client_assertion_type": b.absent}}, Reason.ASSERTION_MISSING, "invalid_client"),
    "78b empty assertion": (lambda b: {"body": b"grant_type=client_credentials&client_assertion=&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"}, Reason.ASSERTION_MISSING, "invalid_client"),
    "78c SAML assertion": (lambda b: {"form": {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, Reason.ASSERTION_TYPE, "invalid_client"),
    "79 RS256": (lambda b: asserted(b, header={"alg": "RS256"}, key=b.rsa_key), Reason.ALGORITHM, "invalid_client"),
    "80 audience of another server": (lambda b: asserted(b, members={"aud": OTHER}), Reason.AUDIENCE_OTHER, "invalid_client"),
    "81 audience is the token URL": (lambda b: asserted(b, members={"aud": b.url + "/oauth/token"}), Reason.AUDIENCE_OTHER, "invalid_client"),
    "82 audience a list": (lambda b: asserted(b, members={"aud": [b.url]}), Reason.AUDIENCE_KIND, "invalid_client"),
    "83 expired 5 minutes ago": (lambda b: asserted(b, members={"exp": b.now - 300}), Reason.EXPIRED, "invalid_client"),
    "83b issued 301 s ago, valid for an hour": (lambda b: asserted(b, members={"iat": b.now - 301, "exp": b.now + 3600}), Reason.IAT_STALE, "invalid_client"),
    "83c iat missing": (lambda b: asserted(b, members={"iat": b.absent}), Reason.IAT_MISSING, "invalid_client"),
    "83d iat 11 s ahead": (lambda b: asserted(b, members={"iat": b.now + 11}), Reason.IAT_FUTURE, "invalid_client"),
    "83e jti missing": (lambda b: asserted(b, members={"jti": b.absent}), Reason.JTI_MISSING, "invalid_client"),
    "83f jti of 15 characters": (lambda b: asserted(b, members={"jti": "j" * 15}), Reason.JTI_MALFORMED, "invalid_client"),
    "84 no sub": (lambda b: asserted(b, members={"sub": b.absent}), Reason.SUBJECT_MISSING, "invalid_client"),
    "85 no exp": (lambda b: asserted(b, members={"exp": b.absent}), Reason.EXP_MISSING, "invalid_client"),
    "86 sub is not iss": (lambda b: asserted(b, members={"sub": "kela-case"}), Reason.SUBJECT_NOT_ISSUER, "invalid_client"),
    "87 client_id of another client": (lambda b: {"form": {"client_id": "kela-case"}}, Reason.CLIENT_OTHER, "invalid_client"),
    "88 signed by a foreign key": (lambda b: asserted(b, key=b.other_key), Reason.SIGNATURE, "invalid_client"),
    "88b unknown kid": (lambda b: asserted(b, header={"kid": "k2"}), Reason.KEY_UNKNOWN, "invalid_client"),
    "88c key used with another algorithm": (lambda b: asserted(b, header={"alg": "PS256"}, key=b.rsa_key), Reason.KEY_ALGORITHM, "invalid_client"),
    "89 access token as assertion": (lambda b: {"form": {"client_assertion": b.token()}}, Reason.TYPE, "invalid_client"),
    "90 proof as assertion": (lambda b: {"form": {"client_assertion": b.token_proof()}}, Reason.TYPE, "invalid_client"),
    "90b unknown client": (lambda b: {"known": b.absent}, Reason.ISSUER_UNKNOWN, "invalid_client"),
    "90c suspended client": (lambda b: {"known": b.client(state=ClientState.SUSPENDED)}, Reason.CLIENT_INACTIVE, "invalid_client"),
    "90d retired client": (lambda b: {"known": b.client(state=ClientState.RETIRED)}, Reason.CLIENT_INACTIVE, "invalid_client"),
    "90e secret beside the assertion": (lambda b: {"form": {"client_secret": "s"}}, Reason.AUTHENTICATION_METHOD, "invalid_client"),
    "93 no proof": (lambda b: {"proofs": ()}, Reason.PROOF_MISSING, "invalid_dpop_proof"),
    "93b two proofs": (lambda b: {"proofs": (b.token_proof(), b.token_proof())}, Reason.PROOF_SEVERAL, "invalid_dpop_proof"),
    "94 proof for another URL": (lambda b: {"proofs": (b.token_proof(members={"htu": b.url + "/oauth/revoke"}),)}, Reason.HTU_OTHER, "invalid_dpop_proof"),
    "94b proof for GET": (lambda b: {"proofs": (b.token_proof(members={"htm": "GET"}),)}, Reason.HTM_OTHER, "invalid_dpop_proof"),
    "94c proof by a key other than the assertion names": (lambda b: asserted(b, members={"cnf": {"jkt": b.other_key.thumbprint()}}), Reason.JKT_OTHER, "invalid_dpop_proof"),
    "94d assertion names its proof key wrongly": (lambda b: asserted(b, members={"cnf": "x"}), Reason.JKT_OTHER, "invalid_dpop_proof"),
    "95 ungranted scope": (lambda b: {"form": {"scope": "case:read ledger:read"}}, Reason.SCOPE_UNGRANTED, "invalid_scope"),
    "96 no scope": (lambda b: {"form": {"scope": b.absent}}, Reason.SCOPE_MISSING, "invalid_scope"),
    "96b scope with two spaces": (lambda b: {"form": {"scope": "case:read  matter:write"}}, Reason.SCOPE_MALFORMED, "invalid_scope"),
    "97 foreign resource": (lambda b: {"form": {"resource": OTHER}}, Reason.RESOURCE_OTHER, "invalid_target"),
    "98 password grant": (lambda b: {"form": {"grant_type": "password"}}, Reason.GRANT_OTHER, "unsupported_grant_type"),
    "98b no grant": (lambda b: {"form": {"grant_type": b.absent}}, Reason.GRANT_MISSING, "invalid_request"),
    "98c grant with quote and newline": (lambda b: {"form": {"grant_type": 'x"\\'}}, Reason.GRANT_OTHER, "unsupported_grant_type"),
    "99 repeated parameter": (lambda b: {"body": b"grant_type=client_credentials&scope=a&scope=b"}, Reason.FORM_REPEATED, "invalid_request"),
    "100 JSON body": (lambda b: {"content_type": "application/json", "body": b"{}"}, Reason.CONTENT_TYPE, "invalid_request"),
    "100b 21 fields": (lambda b: {"body": b"&".join(b"a%d=1" % n for n in range(21))}, Reason.FORM_TOO_MANY, "invalid_request"),
    "100c 17 kB": (lambda b: {"body": b"a=" + b"x" * 17_000}, Reason.FORM_TOO_LARGE, "invalid_request"),
    "100d beyond ASCII": (lambda b: {"body": "scope=ä".encode()}, Reason.FORM_MALFORMED, "invalid_request"),
    "100e stray percent": (lambda b: {"body": b"scope=%zz"}, Reason.FORM_MALFORMED, "invalid_request"),
    "100f NUL": (lambda b: {"body": b"scope=%00"}, Reason.FORM_MALFORMED, "invalid_request"),
    "100g percent-encoded invalid UTF-8": (lambda b: {"body": b"scope=%ff"}, Reason.FORM_MALFORMED, "invalid_request"),
    "100h field without a value": (lambda b: {"body": b"scope"}, Reason.FORM_MALFORMED, "invalid_request"),
    "101 Basic authentication": (lambda b: {"authorizations": ("Basic eDp5",)}, Reason.AUTHENTICATION_METHOD, "invalid_client"),
    "102 details not a list": (lambda b: {"form": {"authorization_details": "{}"}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102b two details": (lambda b: {"form": {"authorization_details": "[{},{}]"}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102c details no JSON": (lambda b: {"form": {"authorization_details": "["}}, Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "102d details of 3 kB": (lambda b: details(officer={**b.person, "name": "x" * 3000}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "103 alg with a quote": (lambda b: asserted(b, header={"alg": 'E"S256'}, using="ES256"), Reason.ALGORITHM, "invalid_client"),
    "104 kid with newline and quote": (lambda b: asserted(b, header={"kid": 'k"\n1'}), Reason.KEY_UNKNOWN, "invalid_client"),
    "105 crit a number": (lambda b: asserted(b, header={"crit": 5}), Reason.CRIT, "invalid_client"),
    "106 header a list": (lambda b: {"form": {"client_assertion": b.signed([], {}, b.client_key, using="ES256")}}, Reason.NOT_AN_OBJECT, "invalid_client"),
    "107 nested payload": (lambda b: {"form": {"client_assertion": b.signed({"alg": "ES256"}, b"[" * 2000, b.client_key)}}, Reason.TOO_DEEP, "invalid_client"),
    "107b alg beyond ASCII": (lambda b: asserted(b, header={"alg": "ÄS256"}, using="ES256"), Reason.ALGORITHM, "invalid_client"),
    "108 details of an unknown type": (lambda b: details(type="payment"), Reason.DETAILS_TYPE, "invalid_authorization_details"),
    "108b unknown member": (lambda b: details(subject="x"), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108c officer without unit": (lambda b: details(officer={"id": "v", "name": "n", "role": "r"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108d officer with an empty id": (lambda b: details(officer={**b.person, "id": ""}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108e officer id a number": (lambda b: details(officer={**b.person, "id": 5}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108f process with a role": (lambda b: details(officer={"kind": "process", "id": "e", "name": "n", "responsibleUnit": "u", "role": "r"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108g NUL in a name": (lambda b: details(officer={**b.person, "name": "a\0b"}), Reason.DETAILS_MALFORMED, "invalid_authorization_details"),
    "108h identity code as officer id": (lambda b: details(officer={**b.person, "id": HETU}), Reason.DETAILS_PERSONAL, "invalid_authorization_details"),
    "108i organisation not the client's": (lambda b: details(organisation="0246246-0"), Reason.ORGANISATION_UNGRANTED, "invalid_authorization_details"),
    "108j organisation parameter not the client's": (lambda b: {"form": {"organisation": "0246246-0"}}, Reason.ORGANISATION_UNGRANTED, "invalid_request"),
    "108k no organisation, client of two": (lambda b: {"known": b.client(organisations=("2816301-8", "0246246-0"))}, Reason.ORGANISATION_UNSTATED, "invalid_request"),
    "108l details and parameter differ": (lambda b: {"form": {**details()["form"], "organisation": "0246246-0"}}, Reason.DETAILS_DIFFER, "invalid_authorization_details"),
    "108m form and signed details differ": (lambda b: {"form": {**details()["form"], "client_assertion": b.assertion(members={"authorization_details": [{"type": "sauma_case_access"}]})}}, Reason.DETAILS_DIFFER, "invalid_authorization_details"),
}
# fmt: on


@pytest.mark.parametrize("row", ROWS)
def test_a_defective_token_request_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    change, reason, error = ROWS[row]
    answer = baseline.ask(**change(baseline))
    assert (answer.reason, answer.body["error"], answer.status) == (reason.value, error, 400)
    assert (answer.claims, answer.granted) == ((), None)


# fmt: off
ACCEPTED: dict[str, Any] = {
    "the baseline": lambda b: {},
    "typ absent": lambda b: asserted(b, header={"typ": b.absent}),
    "typ client-authentication+jwt": lambda b: asserted(b, header={"typ": "client-authentication+jwt"}),
    "no kid, one key": lambda b: asserted(b, header={"kid": b.absent}),
    "iat and nbf 10 s ahead": lambda b: asserted(b, members={"iat": b.now + 10, "nbf": b.now + 10}),
    "valid for an hour, as authlib's own client states": lambda b: asserted(b, members={"exp": b.now + 3600}),
    "client_id beside the assertion": lambda b: {"form": {"client_id": "pirha-case"}},
    "our resource": lambda b: {"form": {"resource": b.url}},
    "form with a charset": lambda b: {"content_type": "application/x-www-form-urlencoded;charset=UTF-8"},
    "assertion naming its proof key": lambda b: asserted(b, members={"cnf": {"jkt": b.proof_key.thumbprint()}}),
    "organisation parameter": lambda b: {"form": {"organisation": "2816301-8"}},
    "htu with a query": lambda b: {"proofs": (b.token_proof(members={"htu": b.url + "/oauth/token?x=1"}),)},
}
# fmt: on


@pytest.mark.parametrize("row", ACCEPTED)
def test_what_must_pass_gets_a_token(row: str, baseline: Any) -> None:
    answer = baseline.ask(**ACCEPTED[row](baseline))
    assert (answer.status, answer.body.get("token_type"), answer.body.get("expires_in")) == (200, "DPoP", 300)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "PS256"])
def test_each_algorithm_may_assert(algorithm: str, baseline: Any) -> None:
    key = baseline.algorithm_keys[algorithm]
    known = baseline.client(keys=({**key.as_dict(private=False), "kid": "k1", "alg": algorithm},))
    answer = baseline.ask(known=known, **asserted(baseline, header={"alg": algorithm}, key=key))
    assert answer.status == 200


def members_of(token: Any) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize(
    "officer",
    [
        {"id": "v-17", "name": "Päivi Äijälä", "role": "social-care-professional", "unit": "Hervanta"},
        {"kind": "process", "id": "nightly", "name": "Tarkistusajo", "responsibleUnit": "Etuudet"},
    ],
)
def test_the_token_carries_organisation_officer_and_the_assertions_digest(
    officer: dict[str, str], baseline: Any
) -> None:
    form = baseline.form(**details(officer=officer)["form"])
    answer = baseline.ask(form=form)
    members = members_of(answer.body["access_token"])
    expected = [{"type": "sauma_case_access", "organisation": "2816301-8", "officer": officer}]
    assert members["authorization_details"] == answer.body["authorization_details"] == expected
    assert (members["sub"], members["client_id"], members["aud"], members["iss"]) == (
        "2816301-8",
        "pirha-case",
        baseline.url,
        baseline.url,
    )
    assert (members["exp"] - members["iat"], members["cnf"]) == (300, {"jkt": baseline.proof_key.thumbprint()})
    assert answer.granted is not None
    token = answer.body["access_token"]
    verified = baseline.call(token=token)
    assert verified.assertion_digest == answer.granted.assertion_digest
    assert (verified.officer.id, verified.officer.kind.value) == (officer["id"], officer.get("kind", "person"))


def test_the_signed_details_alone_suffice(baseline: Any) -> None:
    signed = [{"type": "sauma_case_access", "organisation": "2816301-8", "officer": baseline.person}]
    answer = baseline.ask(**asserted(baseline, members={"authorization_details": signed}))
    assert answer.body["authorization_details"] == signed


def test_unknown_client_wrong_key_and_unknown_kid_look_the_same(baseline: Any) -> None:
    answers = [
        baseline.ask(known=baseline.absent),
        baseline.ask(**asserted(baseline, key=baseline.other_key)),
        baseline.ask(**asserted(baseline, header={"kid": "k2"})),
        baseline.ask(known=baseline.client(state=ClientState.SUSPENDED)),
    ]
    assert len({(answer.status, json.dumps(answer.body), answer.headers) for answer in answers}) == 1


def test_no_answer_echoes_each_code_has_one_plain_text(baseline: Any) -> None:
    answers = [baseline.ask(**change(baseline)) for change, _, _ in ROWS.values()]
    texts = {(answer.body["error"], answer.body["error_description"]) for answer in answers}
    assert len(texts) == len({error for _, _, error in ROWS.values()})
    assert all(text.isascii() and not set(text) & set('"\\\r\n\t') for _, text in texts)
    assert all(("Cache-Control", "no-store") in answer.headers for answer in answers)


def test_a_decision_touches_neither_socket_nor_clock(baseline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        pytest.fail("a decision did I/O")

    request = {"form": {"client_assertion": baseline.assertion()}, "proofs": (baseline.token_proof(),)}
    monkeypatch.setattr(socket, "socket", forbidden)
    for name in ("time", "time_ns", "monotonic"):
        monkeypatch.setattr(time, name, forbidden)
    monkeypatch.setattr("builtins.open", forbidden)
    answer = baseline.ask(**request)
    monkeypatch.undo()
    assert answer.status == 200


class Register:
    """The store's port in memory: claims are once-only."""

    def __init__(self, known: KnownClient) -> None:
        self.known, self.claimed, self.events = known, set[bytes](), list[TokenGranted]()

    async def find_client(self, client_id: str) -> KnownClient | None:
        return self.known if client_id == self.known.id else None

    async def commit_token(self, claims: tuple[Claim, ...], event: TokenGranted) -> TokenCommit:
        for claim in claims:
            if claim.digest in self.claimed:
                return (
                    TokenCommit.ASSERTION_REPLAYED if claim.kind is ClaimKind.ASSERTION else TokenCommit.PROOF_REPLAYED
                )
        self.claimed.update(claim.digest for claim in claims)
        self.events.append(event)
        return TokenCommit.FRESH


def issued(baseline: Any, register: Register, *, proof: str, **form: Any) -> Any:
    request = TokenRequest(
        content_type="application/x-www-form-urlencoded",
        body=urlencode(baseline.form(**form)).encode(),
        proofs=(proof,),
    )
    authority = AuthorizationServer(baseline.issuer())
    return asyncio.run(issue(request, register=register, authority=authority, now=baseline.now, token_id="t" * 22))


def test_a_used_assertion_or_proof_gets_no_second_token(baseline: Any) -> None:
    register = Register(baseline.client())
    first = issued(baseline, register, proof=baseline.token_proof())
    again = issued(baseline, register, proof=baseline.token_proof(members={"jti": "proof-bbbbbbbbbbbbbbbb"}))
    fresh = baseline.assertion(members={"jti": "assertion-bbbbbbbbbbbb"})
    proof_again = issued(baseline, register, proof=baseline.token_proof(), client_assertion=fresh)
    assert [answer.body.get("error") for answer in (first, again, proof_again)] == [
        None,
        "invalid_client",
        "invalid_dpop_proof",
    ]
    assert [answer.reason for answer in (again, proof_again)] == ["assertion-replayed", "proof-replayed"]
    assert len(register.events) == 1


def test_a_refusal_burns_nothing(baseline: Any) -> None:
    register = Register(baseline.client())
    refused = issued(baseline, register, proof=baseline.token_proof(), scope="ledger:read")
    assert (refused.status, register.claimed) == (400, set())
    assert issued(baseline, register, proof=baseline.token_proof()).status == 200


def test_the_claims_name_client_and_key_so_that_nobody_burns_anothers(baseline: Any) -> None:
    claims = {claim.kind: claim for claim in baseline.ask().claims}
    assert claims[ClaimKind.ASSERTION].digest == digest16("assertion", "pirha-case", "assertion-0123456789abcdef")
    assert claims[ClaimKind.PROOF].digest == digest16("dpop", baseline.proof_key.thumbprint(), "proof-0123456789abcdef")
    assert (claims[ClaimKind.ASSERTION].expires_at, claims[ClaimKind.PROOF].expires_at) == (
        baseline.now + 70,
        baseline.now + 70,
    )


def test_an_assertion_is_honoured_and_remembered_for_300_seconds_whatever_it_states(baseline: Any) -> None:
    answer = baseline.ask(**asserted(baseline, members={"exp": baseline.now + 3600}))
    kept = {claim.kind: claim.expires_at for claim in answer.claims}
    assert kept[ClaimKind.ASSERTION] == baseline.now + 310
