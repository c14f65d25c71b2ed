"""The one verifier: access tokens, client assertions and DPoP proofs differ only in what is expected of them."""

from collections.abc import Mapping

from sauma.core.people import Confidential
from sauma.oauth.claims import Expectation, addressee_flaw, effective_end, jti_flaw, proof_flaw
from sauma.oauth.jose import ALGORITHMS, DECOYS, Compact, VerifyingKey, family, import_public, parse, signed_by
from sauma.oauth.reasons import Reason


class Claims(Confidential, frozen=True, kw_only=True):
    """What a verified token says; `expires_at` is the effective end, in Unix seconds."""

    header: dict[str, object]
    members: Mapping[str, object]
    key: VerifyingKey
    jti: str
    expires_at: int


class KnownHeader(Confidential, frozen=True, kw_only=True):
    """A header that conditions 2 and 3 have passed before, with the key it led to."""

    header: dict[str, object]
    key: VerifyingKey


def verify(token: str, expectation: Expectation, *, known: KnownHeader | None = None) -> Claims | Reason:
    """Judge one compact JWS.

    1 well formed · 2 header of the expected kind · 3 key found by issuer and kid, or the proof's own · 4 signed by it
    under its own algorithm · 5 in time · 6 for us · 7 named once · 8 bound to this request and key, if a proof.
    The caller must still claim `jti` (replay) and read the live state of what the members name. `known` is this very
    header, judged before under the same expectation: 2 and 3 depend on nothing else where the key is the proof's own.
    """
    compact = parse(token, header=None if known is None else known.header)
    if isinstance(compact, Reason):
        return compact
    key = _key(compact, expectation) if known is None else known.key
    if isinstance(key, Reason):
        return key
    if not signed_by(compact, key):
        return Reason.SIGNATURE
    ends = effective_end(compact.members, expectation)
    if isinstance(ends, Reason):
        return ends
    jti = compact.members.get("jti")
    flaw = addressee_flaw(compact.members, expectation) or jti_flaw(jti)
    if flaw is None and expectation.proof is not None:
        flaw = proof_flaw(compact.members, key, expectation.proof)
    return flaw or Claims(header=compact.header, members=compact.members, key=key, jti=str(jti), expires_at=ends)


def _key(compact: Compact, expectation: Expectation) -> VerifyingKey | Reason:
    """Conditions 2 and 3."""
    flaw = _header_flaw(compact.header, expectation)
    if flaw is not None:
        return flaw
    return _own_key(compact) if expectation.issuers is None else _issuer_key(compact, expectation.issuers)


def _header_flaw(header: Mapping[str, object], expectation: Expectation) -> Reason | None:
    algorithm, typ = header.get("alg"), header.get("typ", "")
    if "crit" in header:
        return Reason.CRIT
    if "b64" in header:
        return Reason.UNENCODED
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return Reason.ALGORITHM
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in expectation.types:
        return Reason.TYPE
    if not {"jku", "x5u", "x5c"}.isdisjoint(header) or ("jwk" in header and expectation.issuers is not None):
        return Reason.KEY_REFERENCE
    return None


def _own_key(compact: Compact) -> VerifyingKey | Reason:
    jwk = compact.header.get("jwk")
    if not isinstance(jwk, dict):
        return Reason.KEY_MISSING
    key = import_public(jwk)
    if isinstance(key, VerifyingKey) and key.algorithm != family(str(compact.header["alg"])):
        return Reason.KEY_ALGORITHM
    return key


def _issuer_key(compact: Compact, issuers: Mapping[str, tuple[VerifyingKey, ...]]) -> VerifyingKey | Reason:
    issuer, kid, algorithm = compact.members.get("iss"), compact.header.get("kid"), family(str(compact.header["alg"]))
    if not isinstance(kid, str | None):
        return Reason.KID
    keys = issuers.get(issuer, ()) if isinstance(issuer, str) else ()
    named = [key for key in keys if kid in {key.kid, None}]
    fitting = [key for key in named if key.algorithm == algorithm]
    if len(fitting) == 1:
        return fitting[0]
    signed_by(compact, DECOYS[algorithm])  # the time of a signature check, whatever it says: no oracle for who exists
    if not isinstance(issuer, str):
        return Reason.ISSUER_MISSING
    if issuer not in issuers:
        return Reason.ISSUER_UNKNOWN
    return Reason.KEY_ALGORITHM if named and not fitting else Reason.KEY_UNKNOWN
