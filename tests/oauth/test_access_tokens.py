"""The resource server's attack table (rows 1–77): one defect each, its exact reason, its public error code."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from sauma.oauth.jose import encode
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, ProtectedRequest, VerifiedToken, authenticate, authorise

OTHER = "https://other.example"


def tampered_scope(b: Any) -> str:
    header, _, signature = b.token().split(".")
    return f"{header}.{b.token(members={'scope': 'ledger:export'}).split('.')[1]}.{signature}"


def with_signature(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{encode(signature)}"


def der(b: Any) -> bytes:
    """A correct signature in the encoding JOSE does not use."""
    signing_input = b.token().rpartition(".")[0].encode()
    return b.issuer_key.key.private_key.sign(signing_input, ECDSA(SHA256()))


def hs256(b: Any) -> str:
    """HMAC keyed with the public JWK, the classic confusion."""
    header, payload, _ = b.token(header={"alg": "HS256"}, using="ES256").split(".")
    key = b.oct_key.import_key(json.dumps(b.issuer_key.public.jwk))
    return f"{header}.{payload}.{encode(JWSRegistry.algorithms['HS256'].sign(f'{header}.{payload}'.encode(), key))}"


def stray_bits(token: str) -> str:
    """The same octets of the signature in another spelling: 64 octets leave four unused bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


# fmt: off
TOKEN_ROWS: dict[str, tuple[Any, Reason]] = {
    "1 alg none, unsigned": (lambda b: b.token(header={"alg": "none"}, using="ES256").rpartition(".")[0] + ".", Reason.ALGORITHM),
    "2 alg NONE": (lambda b: b.token(header={"alg": "NONE"}, using="ES256"), Reason.ALGORITHM),
    "3 HS256 keyed with the public JWK": (hs256, Reason.ALGORITHM),
    "4 ES256 with r = s = 0": (lambda b: with_signature(b.token(), bytes(64)), Reason.SIGNATURE),
    "5 signature in DER": (lambda b: with_signature(b.token(), der(b)), Reason.SIGNATURE),
    "6 its own jwk in the header": (lambda b: b.token(header={"jwk": b.other_key.as_dict(private=False)}, key=b.other_key), Reason.KEY_REFERENCE),
    "7 jku in the header": (lambda b: b.token(header={"jku": f"{OTHER}/keys"}), Reason.KEY_REFERENCE),
    "7b x5u in the header": (lambda b: b.token(header={"x5u": f"{OTHER}/cert"}), Reason.KEY_REFERENCE),
    "8 kid is a path": (lambda b: b.token(header={"kid": "../../../../dev/null"}), Reason.KEY_UNKNOWN),
    "9 kid is SQL": (lambda b: b.token(header={"kid": "' or 1=1 --"}), Reason.KEY_UNKNOWN),
    "9b kid is a number": (lambda b: b.token(header={"kid": 5}), Reason.KID),
    "10 crit names an unknown header": (lambda b: b.token(header={"crit": ["x"], "x": 1}), Reason.CRIT),
    "11 crit is a number": (lambda b: b.token(header={"crit": 5}), Reason.CRIT),
    "11b crit holds an object": (lambda b: b.token(header={"crit": [{}]}), Reason.CRIT),
    "12 b64 false": (lambda b: b.token(header={"b64": False}), Reason.UNENCODED),
    "13 typ missing": (lambda b: b.token(header={"typ": b.absent}), Reason.TYPE),
    "13b typ JWT": (lambda b: b.token(header={"typ": "JWT"}), Reason.TYPE),
    "13c typ a list": (lambda b: b.token(header={"typ": ["at+jwt"]}), Reason.TYPE),
    "14 a client assertion": (lambda b: b.assertion(), Reason.TYPE),
    "15 a DPoP proof": (lambda b: b.proof(), Reason.TYPE),
    "16 other members under the old signature": (tampered_scope, Reason.SIGNATURE),
    "17 four segments": (lambda b: b.token() + ".e30", Reason.SEGMENTS),
    "18 base64 padding": (lambda b: b.token() + "==", Reason.BASE64),
    "19 stray trailing bits": (lambda b: stray_bits(b.token()), Reason.BASE64),
    "20 a hundred kilobytes": (lambda b: b.token(members={"x": "x" * 100_000}), Reason.TOO_LARGE),
    "20b a header of three kilobytes": (lambda b: b.token(header={"x": "x" * 2000}), Reason.TOO_LARGE),
    "21 header is a list": (lambda b: b.signed([], {}, b.issuer_key.key, using="ES256"), Reason.NOT_AN_OBJECT),
    "21b header is a string": (lambda b: b.signed("x", {}, b.issuer_key.key, using="ES256"), Reason.NOT_AN_OBJECT),
    "22 nested 3000 deep": (lambda b: b.token(members=b"[" * 3000 + b"]" * 3000), Reason.TOO_DEEP),
    "23 five-part JWE": (lambda b: "e30.e30.e30.e30.e30", Reason.SEGMENTS),
    "23b characters beyond ASCII": (lambda b: b.token() + "ä", Reason.NOT_ASCII),
    "23c payload is not UTF-8": (lambda b: b.token(members=b'{"a":"\xff"}'), Reason.NOT_UTF8),
    "23d lone surrogate": (lambda b: b.token(members=b'{"a":"\\ud800"}'), Reason.NOT_UTF8),
    "23e payload is no JSON": (lambda b: b.token(members=b"{"), Reason.JSON),
    "23f a number of 5000 digits": (lambda b: b.token(members=b'{"exp":' + b"9" * 5000 + b"}"), Reason.JSON),
    "28 key of one issuer, iss of another": (lambda b: b.token(members={"iss": OTHER}), Reason.KEY_UNKNOWN),
    "29 kid of one issuer, key of another": (lambda b: b.token(key=b.other_issuer_key.key), Reason.SIGNATURE),
    "30 unknown issuer": (lambda b: b.token(members={"iss": "https://evil.example"}), Reason.ISSUER_UNKNOWN),
    "30b iss missing": (lambda b: b.token(members={"iss": b.absent}), Reason.ISSUER_MISSING),
    "31 issuer with a slash more": (lambda b: b.token(members={"iss": b.url + "/"}), Reason.ISSUER_UNKNOWN),
    "32 other audience": (lambda b: b.token(members={"aud": OTHER}), Reason.AUDIENCE_OTHER),
    "33 audience with our prefix": (lambda b: b.token(members={"aud": b.url + ".evil.example"}), Reason.AUDIENCE_OTHER),
    "34 audience missing": (lambda b: b.token(members={"aud": b.absent}), Reason.AUDIENCE_MISSING),
    "35 audience an object": (lambda b: b.token(members={"aud": {b.url: 1}}), Reason.AUDIENCE_KIND),
    "35b audience a list without us": (lambda b: b.token(members={"aud": [OTHER]}), Reason.AUDIENCE_OTHER),
    "36 expired": (lambda b: b.token(members={"exp": b.now}), Reason.EXPIRED),
    "37 exp missing": (lambda b: b.token(members={"exp": b.absent}), Reason.EXP_MISSING),
    "38 exp a string": (lambda b: b.token(members={"exp": str(b.now + 300)}), Reason.EXP_MALFORMED),
    "38b exp true": (lambda b: b.token(members={"exp": True}), Reason.EXP_MALFORMED),
    "39 exp Infinity": (lambda b: b.token(members={"exp": float("inf")}), Reason.NUMBER),
    "39b exp 1e999": (lambda b: b.token(members=b'{"exp":1e999}'), Reason.NUMBER),
    "39c exp NaN": (lambda b: b.token(members={"exp": float("nan")}), Reason.NUMBER),
    "40 iat 11 s ahead": (lambda b: b.token(members={"iat": b.now + 11}), Reason.IAT_FUTURE),
    "40b iat missing": (lambda b: b.token(members={"iat": b.absent}), Reason.IAT_MISSING),
    "40c issued an hour ago, valid for a day": (lambda b: b.token(members={"iat": b.now - 3600, "exp": b.now + 86400}), Reason.IAT_STALE),
    "41 nbf 11 s ahead": (lambda b: b.token(members={"nbf": b.now + 11}), Reason.NBF_FUTURE),
    "41b nbf a string": (lambda b: b.token(members={"nbf": "0"}), Reason.NBF_MALFORMED),
    "42 duplicate member": (lambda b: b.token(members=b'{"aud":"a","aud":"b"}'), Reason.DUPLICATE_MEMBER),
    "43 no cnf": (lambda b: b.token(members={"cnf": b.absent}), Reason.NOT_BOUND),
    "44 cnf null": (lambda b: b.token(members={"cnf": None}), Reason.NOT_BOUND),
    "45 cnf bound to a certificate only": (lambda b: b.token(members={"cnf": {"x5t#S256": "x"}}), Reason.NOT_BOUND),
    "45b jti missing": (lambda b: b.token(members={"jti": b.absent}), Reason.JTI_MISSING),
    "45c sub missing": (lambda b: b.token(members={"sub": b.absent}), Reason.TOKEN_CLAIMS),
    "45d details of another organisation": (lambda b: b.token(members={"sub": "0246246-0"}), Reason.TOKEN_CLAIMS),
    "45e no digest of an assertion": (lambda b: b.token(members={"asrt": b.absent}), Reason.TOKEN_CLAIMS),
    "45f no version of the client": (lambda b: b.token(members={"client_version": b.absent}), Reason.TOKEN_CLAIMS),
    "45g a version that is no number": (lambda b: b.token(members={"client_version": True}), Reason.TOKEN_CLAIMS),
}
# fmt: on


@pytest.mark.parametrize("row", TOKEN_ROWS)
def test_a_defective_token_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    make, reason = TOKEN_ROWS[row]
    answer = baseline.call(token=make(baseline))
    assert isinstance(answer, Challenge)
    assert (answer.reason, answer.status, answer.body["error"]) == (reason, 401, "invalid_token")


def proven(b: Any, **changes: Any) -> dict[str, Any]:
    return {"proofs": (b.proof(**changes),)}


def off_curve(b: Any) -> dict[str, Any]:
    jwk = b.proof_key.as_dict(private=False)
    return {**jwk, "y": encode(bytes(31) + b"\x05")}


# fmt: off
PROOF_ROWS: dict[str, tuple[Any, Reason]] = {
    "48 no proof": (lambda b: {"proofs": ()}, Reason.PROOF_MISSING),
    "49 two proofs": (lambda b: {"proofs": (b.proof(), b.proof())}, Reason.PROOF_SEVERAL),
    "50 not a JWT": (lambda b: {"proofs": ("proof",)}, Reason.SEGMENTS),
    "51 typ missing": (lambda b: proven(b, header={"typ": b.absent}), Reason.TYPE),
    "53 jwk missing": (lambda b: proven(b, header={"jwk": b.absent}), Reason.KEY_MISSING),
    "54 jti missing": (lambda b: proven(b, members={"jti": b.absent}), Reason.JTI_MISSING),
    "55 htm missing": (lambda b: proven(b, members={"htm": b.absent}), Reason.HTM_MISSING),
    "56 htu missing": (lambda b: proven(b, members={"htu": b.absent}), Reason.HTU_MISSING),
    "57 iat missing": (lambda b: proven(b, members={"iat": b.absent}), Reason.IAT_MISSING),
    "58 ath missing": (lambda b: proven(b, members={"ath": b.absent}), Reason.ATH_MISSING),
    "59 typ JWT": (lambda b: proven(b, header={"typ": "JWT"}), Reason.TYPE),
    "60 RS256": (lambda b: proven(b, header={"alg": "RS256"}, key=b.rsa_key), Reason.ALGORITHM),
    "61 alg none": (lambda b: {"proofs": (b.signed({"alg": "none", "typ": "dpop+jwt", "jwk": b.proof_key.as_dict(private=False)}, {}, b.proof_key),)}, Reason.ALGORITHM),
    "62 private jwk": (lambda b: proven(b, header={"jwk": b.proof_key.as_dict(private=True)}), Reason.KEY_PRIVATE),
    "63 oct jwk": (lambda b: proven(b, header={"jwk": {"kty": "oct", "k": "AAAA"}}), Reason.KEY_PRIVATE),
    "63b jwk of an unknown kind": (lambda b: proven(b, header={"jwk": {"kty": "oct"}}), Reason.KEY_KIND),
    "63c jwk pinned to another algorithm": (lambda b: proven(b, header={"jwk": {**b.proof_key.as_dict(private=False), "alg": "PS256"}}), Reason.KEY_ALGORITHM),
    "63d jwk of another kind than alg": (lambda b: proven(b, header={"jwk": b.ed_key.as_dict(private=False)}), Reason.KEY_ALGORITHM),
    "64 other method": (lambda b: proven(b, members={"htm": "GET"}), Reason.HTM_OTHER),
    "64b method in lower case": (lambda b: proven(b, members={"htm": "put"}), Reason.HTM_OTHER),
    "65 other path": (lambda b: proven(b, members={"htu": b.url + "/v1/matters/A-2"}), Reason.HTU_OTHER),
    "66 other host": (lambda b: proven(b, members={"htu": "https://evil.example/v1/matters/A-1"}), Reason.HTU_OTHER),
    "66b other scheme": (lambda b: proven(b, members={"htu": "http://sauma.example/v1/matters/A-1"}), Reason.HTU_OTHER),
    "66c other port": (lambda b: proven(b, members={"htu": "https://sauma.example:444/v1/matters/A-1"}), Reason.HTU_OTHER),
    "67 our host as user name": (lambda b: proven(b, members={"htu": "https://sauma.example@evil.example/v1/matters/A-1"}), Reason.HTU_MALFORMED),
    "67b user name before our host": (lambda b: proven(b, members={"htu": "https://x@sauma.example/v1/matters/A-1"}), Reason.HTU_MALFORMED),
    "67c tab inside the URL": (lambda b: proven(b, members={"htu": "https://sauma.example/v1/mat\tters/A-1"}), Reason.HTU_MALFORMED),
    "68 htu a number": (lambda b: proven(b, members={"htu": 5}), Reason.HTU_MALFORMED),
    "69 iat an hour ago": (lambda b: proven(b, members={"iat": b.now - 3600}), Reason.IAT_STALE),
    "70 iat in an hour": (lambda b: proven(b, members={"iat": b.now + 3600}), Reason.IAT_FUTURE),
    "71 iat true": (lambda b: proven(b, members={"iat": True}), Reason.IAT_MALFORMED),
    "71b expired": (lambda b: proven(b, members={"exp": b.now - 1}), Reason.EXPIRED),
    "72 ath of another token": (lambda b: proven(b, members={"ath": encode(hashlib.sha256(b"other").digest())}), Reason.ATH_OTHER),
    "72b ath not a string": (lambda b: proven(b, members={"ath": 5}), Reason.ATH_OTHER),
    "73 another key": (lambda b: proven(b, key=b.other_key), Reason.JKT_OTHER),
    "73b signed by a key other than its jwk": (lambda b: proven(b, header={"jwk": b.proof_key.as_dict(private=False)}, key=b.other_key), Reason.SIGNATURE),
    "75 jti of ten kilobytes": (lambda b: proven(b, members={"jti": "j" * 10_000}), Reason.TOO_LARGE),
    "75b jti of 257 characters": (lambda b: proven(b, members={"jti": "j" * 257}), Reason.JTI_MALFORMED),
    "75c jti of four characters": (lambda b: proven(b, members={"jti": "jjjj"}), Reason.JTI_MALFORMED),
    "76 point off the curve": (lambda b: proven(b, header={"jwk": off_curve(b)}), Reason.KEY_MALFORMED),
    "76b coordinate of 31 bytes": (lambda b: proven(b, header={"jwk": {**b.proof_key.as_dict(private=False), "x": encode(bytes(31))}}), Reason.KEY_MALFORMED),
    "77 secp256k1": (lambda b: proven(b, header={"alg": "ES256K"}, key=ECKey.generate_key("secp256k1")), Reason.ALGORITHM),
    "77b P-384 under ES256": (lambda b: proven(b, header={"jwk": ECKey.generate_key("P-384").as_dict(private=False)}), Reason.KEY_KIND),
    "113 RSA of exponent 1": (lambda b: proven(b, header={"alg": "PS256", "jwk": {**b.rsa_key.as_dict(private=False), "e": "AQ"}}, key=b.rsa_key), Reason.KEY_WEAK),
    "113b RSA of 1024 bits": (lambda b: proven(b, header={"alg": "PS256", "jwk": {"kty": "RSA", "n": encode(b"\xff" * 128), "e": "AQAB"}}, key=b.rsa_key), Reason.KEY_WEAK),
    "118 dots percent-encoded": (lambda b: proven(b, members={"htu": b.url + "/v1/x/%2e%2e/matters/A-1"}), Reason.HTU_OTHER),
    "118b slash percent-encoded": (lambda b: proven(b, members={"htu": b.url + "/v1/matters%2FA-1"}), Reason.HTU_OTHER),
    "118c double slash": (lambda b: proven(b, members={"htu": b.url + "//v1/matters/A-1"}), Reason.HTU_OTHER),
}
# fmt: on


@pytest.mark.parametrize("row", PROOF_ROWS)
def test_a_defective_proof_is_refused_for_its_defect(row: str, baseline: Any) -> None:
    change, reason = PROOF_ROWS[row]
    answer = baseline.call(**change(baseline))
    assert isinstance(answer, Challenge)
    assert (answer.reason, answer.status, answer.body["error"]) == (reason, 401, "invalid_dpop_proof")


# fmt: off
CARRIAGE_ROWS: dict[str, tuple[Any, Reason, int, str | None]] = {
    "24 Bearer downgrade": (lambda b: {"authorizations": (f"Bearer {b.token()}",), "proofs": ()}, Reason.BEARER, 401, "invalid_token"),
    "25 Bearer scheme with a proof": (lambda b: {"authorizations": (f"Bearer {b.token()}",)}, Reason.BEARER, 401, "invalid_token"),
    "26 token in the query": (lambda b: {"query": f"access_token={b.token()}"}, Reason.TOKEN_IN_QUERY, 400, "invalid_request"),
    "27 two Authorization headers": (lambda b: {"authorizations": (f"DPoP {b.token()}",) * 2}, Reason.SEVERAL_CREDENTIALS, 400, "invalid_request"),
    "27b no credentials": (lambda b: {"authorizations": ()}, Reason.NO_CREDENTIALS, 401, None),
    "27c Basic": (lambda b: {"authorizations": ("Basic eDp5",)}, Reason.SCHEME, 401, None),
}
# fmt: on


@pytest.mark.parametrize("row", CARRIAGE_ROWS)
def test_credentials_carried_wrongly_are_refused(row: str, baseline: Any) -> None:
    change, reason, status, error = CARRIAGE_ROWS[row]
    answer = baseline.call(**change(baseline))
    assert isinstance(answer, Challenge)
    assert (answer.reason, answer.status, answer.body.get("error")) == (reason, status, error)


# fmt: off
ACCEPTED_ROWS: dict[str, Any] = {
    "the baseline": lambda b: {},
    "audience list with us": lambda b: {"token": b.token(members={"aud": ["https://x.example", b.url]})},
    "unknown token header and member": lambda b: {"token": b.token(header={"zip-code": 1}, members={"colour": "red"})},
    "typ application/at+jwt": lambda b: {"token": b.token(header={"typ": "application/at+jwt"})},
    "iat 8 s ahead": lambda b: {"token": b.token(members={"iat": b.now + 8})},
    "iat and nbf 10 s ahead": lambda b: {"token": b.token(members={"iat": b.now + 10, "nbf": b.now + 10})},
    "htu with query and fragment": lambda b: proven(b, members={"htu": b.url + "/v1/matters/A-1?a=b#c"}),
    "htu with scheme and host in capitals": lambda b: proven(b, members={"htu": "HTTPS://SAUMA.EXAMPLE/v1/matters/A-1"}),
    "htu with the default port": lambda b: proven(b, members={"htu": "https://sauma.example:443/v1/matters/A-1"}),
    "scheme dPoP": lambda b: {"authorizations": (f"dPoP {b.token()}",)},
    "proof with nbf and exp": lambda b: proven(b, members={"nbf": b.now, "exp": b.now + 60}),
    "proof 60 s old": lambda b: proven(b, members={"iat": b.now - 60}),
    "proof 60 s ahead": lambda b: proven(b, members={"iat": b.now + 60}),
    "proof with unknown header and member": lambda b: proven(b, header={"kid": "x", "colour": 1}, members={"colour": "red"}),
}
# fmt: on


@pytest.mark.parametrize("row", ACCEPTED_ROWS)
def test_what_must_pass_passes(row: str, baseline: Any) -> None:
    answer = baseline.call(**ACCEPTED_ROWS[row](baseline))
    assert isinstance(answer, VerifiedToken)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "PS256"])
def test_each_algorithm_may_prove(algorithm: str, baseline: Any) -> None:
    key = baseline.algorithm_keys[algorithm]
    token = baseline.token(members={"cnf": {"jkt": key.thumbprint()}})
    answer = baseline.call(token=token, proofs=(baseline.proof(header={"alg": algorithm}, key=key, token=token),))
    assert isinstance(answer, VerifiedToken)
    assert answer.key_thumbprint == key.thumbprint()


def test_a_verified_token_says_who_and_leaves_the_proofs_once_only_id(baseline: Any) -> None:
    answer = baseline.call()
    assert isinstance(answer, VerifiedToken)
    assert (answer.client_id, answer.organisation, answer.scopes) == (
        "pirha-case",
        "2816301-8",
        {"case:read", "matter:write"},
    )
    assert answer.officer is not None
    assert (answer.officer.id, answer.officer.unit) == ("v-17", "Hervanta")
    assert answer.assertion_digest == hashlib.sha256(b"assertion").digest()
    expected = hashlib.sha256(f"dpop\n{baseline.proof_key.thumbprint()}\nproof-0123456789abcdef".encode()).digest()[:16]
    assert [(claim.digest, claim.expires_at) for claim in answer.claims] == [(expected, baseline.now + 70)]


def test_a_scope_is_matched_whole(baseline: Any) -> None:
    token = baseline.token(members={"scope": "case:readonly"})
    answer = baseline.call(token=token)
    assert isinstance(answer, VerifiedToken)
    refused = authorise(answer, baseline.trust(), scope="case:read")
    assert isinstance(refused, Challenge)
    assert (refused.status, refused.body["error"], 'scope="case:read"' in refused.headers[0][1]) == (
        403,
        "insufficient_scope",
        True,
    )


def test_a_token_without_scope_holds_none(baseline: Any) -> None:
    answer = baseline.call(token=baseline.token(members={"scope": baseline.absent}))
    assert isinstance(answer, VerifiedToken)
    assert isinstance(authorise(answer, baseline.trust(), scope="case:read"), Challenge)


def test_the_challenge_names_scheme_algorithms_and_metadata(baseline: Any) -> None:
    answer = baseline.call(authorizations=())
    assert answer.headers[0] == (
        "WWW-Authenticate",
        'DPoP algs="PS256 ES256 EdDSA Ed25519", resource_metadata="https://sauma.example/.well-known/oauth-protected-resource"',
    )


def test_the_clock_is_the_argument_only(baseline: Any) -> None:
    token = baseline.token()
    request = ProtectedRequest(
        method="PUT",
        raw_path="/v1/matters/A-1",
        authorizations=(f"DPoP {token}",),
        proofs=(baseline.proof(token=token),),
    )
    verdicts = [authenticate(request, baseline.trust(), now=baseline.now + later) for later in (0, 60, 61, 300)]
    assert [getattr(verdict, "reason", None) for verdict in verdicts] == [None, None, Reason.IAT_STALE, Reason.EXPIRED]
