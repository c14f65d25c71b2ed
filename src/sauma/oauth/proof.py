"""DPoP proofs at both doors: what is expected of one, and the once-only id it leaves (RFC 9449)."""

from sauma.core.evidence import Claim, ClaimKind
from sauma.oauth.claims import SKEW, Expectation, ProofTarget
from sauma.oauth.jose import digest16
from sauma.oauth.reasons import Reason
from sauma.oauth.verify import Claims, verify

PROOF_LIFETIME = 60
_EXPECTED_TYPES = frozenset({"dpop+jwt"})


def verify_proof(proofs: tuple[str, ...], target: ProofTarget, *, now: int) -> Claims | Reason:
    """The one proof among the DPoP header lines, within 60 seconds either way."""
    if len(proofs) != 1:
        return Reason.PROOF_SEVERAL if proofs else Reason.PROOF_MISSING
    expectation = Expectation(
        types=_EXPECTED_TYPES, now=now, lifetime=PROOF_LIFETIME, early=PROOF_LIFETIME, expires=False, proof=target
    )
    return verify(proofs[0], expectation)


def proof_claim(proof: Claims) -> Claim:
    """The proof's once-only id, of its key as well, so that nobody can burn another's; kept past its last second."""
    digest = digest16("dpop", proof.key.thumbprint, proof.jti)
    return Claim(kind=ClaimKind.PROOF, digest=digest, expires_at=proof.expires_at + SKEW)
