"""What the ledger says to a token request that was decided well: each once-only id by its name, and who has changed."""

import msgspec
import pytest

from conformance.cast import Cast, since, system
from sauma.core.evidence import Claim, ClaimKind
from sauma.exchange.tokens import IssuedToken, KnownClient, Register, TokenCommit, TokenGranted, TokenLook


class NoFinder:
    """Nothing is looked up here: only the commits are tried."""

    async def find_client(self, _client_id: str) -> KnownClient | None:
        return None

    async def mandate_stands(self, _client_id: str, _organisation: str, _version: int, _digest: bytes) -> bool:
        return False


def once(cast: Cast, kind: ClaimKind) -> Claim:
    return msgspec.structs.replace(cast.proof(), kind=kind)


def granted(cast: Cast, *claims: Claim) -> TokenGranted:
    """A token of the county's system, given for these once-only ids."""
    caller = msgspec.structs.replace(cast.caller(cast.county), claims=claims)
    return TokenGranted(
        caller=caller,
        scope="case:read",
        key_thumbprint="k" * 43,
        assertion="e30.e30.c2ln",
        grant_type="client_credentials",
        details=[{"type": "sauma_case_access", "organisation": cast.county}],
        issued_at=0,
        expires_at=300,
    )


def look(cast: Cast, digest: bytes, *claims: Claim) -> TokenLook:
    caller = msgspec.structs.replace(cast.caller(cast.county), claims=claims)
    token = IssuedToken(
        client=system(cast.county),
        organisation=cast.county,
        version=1,
        token_id="t" * 32,
        digest=digest,
        expires_at=claims[0].expires_at,
        members={},
    )
    return TokenLook(caller=caller, assertion="e30.e30.c2ln", token=token)


USED = {
    ClaimKind.ASSERTION: TokenCommit.ASSERTION_REPLAYED,
    ClaimKind.PROOF: TokenCommit.PROOF_REPLAYED,
    ClaimKind.SUBJECT_TOKEN: TokenCommit.SUBJECT_TOKEN_REPLAYED,
}


@pytest.mark.parametrize("used", USED)
async def test_a_used_id_is_told_by_its_name_and_nothing_is_written(cast: Cast, used: ClaimKind) -> None:
    register = Register(cast.world, NoFinder())
    first = {kind: once(cast, kind) for kind in USED}
    assert await register.commit_token(granted(cast, *first.values())) is TokenCommit.FRESH
    before = len(await cast.recorded())
    again = {kind: first[kind] if kind is used else once(cast, kind) for kind in USED}
    assert await register.commit_token(granted(cast, *again.values())) is USED[used]
    assert await since(cast, before) == []
    unburnt = [claim for kind, claim in again.items() if kind is not used]
    assert await register.commit_token(granted(cast, *unburnt)) is TokenCommit.FRESH


async def test_a_client_suspended_meanwhile_gets_no_token_and_burns_nothing(cast: Cast) -> None:
    register = Register(cast.world, NoFinder())
    claims = (once(cast, ClaimKind.ASSERTION), cast.proof())
    asked = granted(cast, *claims)
    await cast.register.client_suspended(system(cast.county))
    assert await register.commit_token(asked) is TokenCommit.CLIENT_CHANGED
    await cast.register.client_resumed(system(cast.county))
    assert await register.commit_token(asked) is TokenCommit.CLIENT_CHANGED
    await cast.new_tokens()
    assert await register.commit_token(granted(cast, *claims)) is TokenCommit.FRESH


async def test_a_token_is_revoked_once_and_a_look_leaves_an_entry(cast: Cast) -> None:
    register, digest = Register(cast.world, NoFinder()), cast.world.entropy(16)
    before = len(await cast.recorded())
    asked = look(cast, digest, once(cast, ClaimKind.ASSERTION))
    revoked = Claim(kind=ClaimKind.REVOKED, digest=digest, expires_at=asked.caller.claims[0].expires_at)
    ended = (*asked.caller.claims, revoked)
    assert await register.commit_look(asked, decision="token-revoked", claims=ended) is TokenCommit.FRESH
    again = look(cast, digest, once(cast, ClaimKind.ASSERTION))
    ended = (*again.caller.claims, revoked)
    assert await register.commit_look(again, decision="token-revoked", claims=ended) is TokenCommit.REVOKED_BEFORE
    claims = again.caller.claims
    assert await register.commit_look(again, decision="token-introspected", claims=claims) is TokenCommit.FRESH
    assert await since(cast, before) == [("admin", "token-revoked", None), ("admin", "token-introspected", None)]
