"""DPoP proofs at both doors: what is expected of one, and the once-only id it leaves (RFC 9449)."""

import hashlib

from sauma.core.evidence import Claim, ClaimKind
from sauma.oauth.claims import SKEW, Expectation, ProofTarget
from sauma.oauth.jose import digest16
from sauma.oauth.memory import SECONDS, Remembered
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, KnownHeader, verify

PROOF_LIFETIME = 60
_EXPECTED_TYPES = frozenset({"dpop+jwt"})


def verify_proof(
    proofs: tuple[str, ...], target: ProofTarget, *, now: int, headers: Remembered[KnownHeader] | None = None
) -> Claims | Reason:
    """The one proof among the DPoP header lines, within 60 seconds either way.

    A client signs all its proofs with one key, so their header is the same: `headers` remembers those of good proofs.
    """
    if len(proofs) != 1:
        return Reason.PROOF_SEVERAL if proofs else Reason.PROOF_MISSING
    expectation = Expectation(
        types=_EXPECTED_TYPES, now=now, lifetime=PROOF_LIFETIME, early=PROOF_LIFETIME, expires=False, proof=target
    )
    if headers is None:
        return verify(proofs[0], expectation)
    digest = hashlib.sha256(proofs[0].partition(".")[0].encode()).digest()
    known = headers.find(digest, now=now)
    proof = verify(proofs[0], expectation, known=known)
    if known is None and isinstance(proof, Claims):
        headers.keep(digest, KnownHeader(header=proof.header, key=proof.key), now=now, until=now + SECONDS)
    return proof


def proof_claim(proof: Claims) -> Claim:
    """The proof's once-only id, of its key as well, so that nobody can burn another's; kept past its last second."""
    digest = digest16("dpop", proof.key.thumbprint, proof.jti)
    return Claim(kind=ClaimKind.PROOF, digest=digest, expires_at=proof.expires_at + SKEW)
