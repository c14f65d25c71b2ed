"""What a server remembers of tokens and proof headers: bounded, in time to the second, and never a verdict changed.

That the attack tables judge alike with and without memory is asserted by the baseline itself (`Baseline.judge`).
"""

from typing import Any

import pytest

from sauma.oauth.jose import decode, parse
from sauma.oauth.memory import SECONDS, Remembered
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, Memory, ProtectedRequest, Trust, VerifiedToken, authenticate

START = 1_790_000_000


def call(
    b: Any, token: str, *, at: int, memory: Memory | None, trust: Trust | None = None
) -> VerifiedToken | Challenge:
    """The baseline call with a proof of that second."""
    proof = b.proof(token=token, members={"iat": at, "jti": f"proof-{at}-0123456789"})
    request = ProtectedRequest(
        method="PUT", raw_path="/v1/matters/A-1", authorizations=(f"DPoP {token}",), proofs=(proof,)
    )
    return authenticate(request, trust or b.trust(), now=at, memory=memory)


def verdict_of(answer: VerifiedToken | Challenge) -> object:
    return answer.reason if isinstance(answer, Challenge) else answer


ENDS: dict[str, dict[str, Any]] = {
    "by exp": {"exp": START + 20},
    "by a fraction of a second": {"exp": START + 20.5},
    "by its lifetime": {"iat": START - 280, "exp": START + 4000},
    "by nothing near": {},
}


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("later", [0, 1, 19, 20, 21, 59, 60, 61, 299, 300, 301])
def test_a_remembered_token_ends_in_the_very_second_it_would_without(ends: str, later: int, baseline: Any) -> None:
    token, memory = baseline.token(members=ENDS[ends]), Memory()
    assert isinstance(call(baseline, token, at=START, memory=memory), VerifiedToken)
    alike = call(baseline, token, at=START + later, memory=None)
    assert verdict_of(call(baseline, token, at=START + later, memory=memory)) == verdict_of(alike)


def test_a_clock_that_is_set_back_finds_nothing(baseline: Any) -> None:
    token, memory = baseline.token(members={"iat": START + 8}), Memory()
    assert isinstance(call(baseline, token, at=START + 8, memory=memory), VerifiedToken)
    assert verdict_of(call(baseline, token, at=START - 5, memory=memory)) is Reason.IAT_FUTURE


def test_a_token_is_verified_again_within_a_minute(baseline: Any) -> None:
    token, memory = baseline.token(), Memory()
    assert isinstance(call(baseline, token, at=START, memory=memory), VerifiedToken)
    nobody = Trust(issuers={}, resource=baseline.trust().resource, metadata_url="")  # the issuer's key has been retired
    kept, gone = (call(baseline, token, at=START + s, memory=memory, trust=nobody) for s in (SECONDS - 1, SECONDS))
    assert isinstance(kept, VerifiedToken)
    assert verdict_of(gone) is Reason.ISSUER_UNKNOWN


def test_a_refused_token_or_proof_leaves_nothing_behind(baseline: Any) -> None:
    memory = Memory()
    call(baseline, baseline.token(members={"aud": "https://other.example"}), at=START, memory=memory)
    assert (len(memory.tokens), len(memory.headers)) == (0, 0)
    call(baseline, baseline.token(members={"cnf": {"jkt": "A" * 43}}), at=START, memory=memory)
    assert (len(memory.tokens), len(memory.headers)) == (1, 0)


def test_a_known_header_does_not_stand_for_a_signature(baseline: Any) -> None:
    memory, token = Memory(), baseline.token()
    good = baseline.proof(token=token)
    head, payload, _ = good.split(".")
    for proof, expected in ((good, None), (f"{head}.{payload}.{'A' * 86}", Reason.SIGNATURE)):
        request = ProtectedRequest(
            method="PUT", raw_path="/v1/matters/A-1", authorizations=(f"DPoP {token}",), proofs=(proof,)
        )
        verdict = authenticate(request, baseline.trust(), now=START, memory=memory)
        assert getattr(verdict, "reason", None) is expected


def test_what_is_remembered_is_bounded_in_number_and_looked_up_by_digests(baseline: Any) -> None:
    kept: Remembered[int] = Remembered(most=3, seconds=10)
    for number in range(5):
        kept.keep(bytes([number]), number, now=START, until=START + 100)
    assert [kept.find(bytes([n]), now=START) for n in range(5)] == [None, None, 2, 3, 4]
    assert kept.find(bytes([4]), now=START + 10) is None
    kept.keep(b"later", 9, now=START + 10, until=START + 11)
    assert len(kept) == 1  # what has ended is forgotten with the next that comes
    memory = Memory()
    call(baseline, baseline.token(), at=START, memory=memory)
    assert "Päivi" not in repr(vars(memory.tokens))
    assert all(len(digest) == 32 for store in (memory.tokens, memory.headers) for digest in store._kept)


def test_only_the_canonical_spelling_of_octets_is_read(baseline: Any) -> None:
    for wrong in ("QQ=", "QQ==", "Q+8", "Q/8", "Q\n8", "QR", "Q", "Qä", " QQ", "QQ "):
        assert decode(wrong) is Reason.BASE64, wrong
    assert decode("") == b""
    assert decode("_-8") == b"\xff\xef"
    assert not isinstance(parse(baseline.token()), Reason)
