"""What the entry of a token keeps: the requester's own signed assertion, and what the token was given for."""

import json

from conformance.cast import Cast
from conformance.test_tokens import NoFinder, granted, look, once
from sauma.core.evidence import ClaimKind, unbase64url
from sauma.exchange.tokens import Register, TokenCommit
from worlds import Memory


def payload_of(cast: Cast, memory: Memory) -> dict[str, object]:
    """The encrypted part of the newest entry."""
    row = list(memory.tables.state.ledger.values())[-1]
    entry, commitment = row.entry, unbase64url(str(row.leaf["payload"]))
    return json.loads(cast.world.vault.open_payload(entry.id, entry.payload, entry.payload_key, commitment))


async def test_the_entry_of_a_token_keeps_the_assertion_and_what_it_was_given_for(cast: Cast, memory: Memory) -> None:
    event = granted(cast, once(cast, ClaimKind.ASSERTION), cast.proof())
    assert await Register(cast.world, NoFinder()).commit_token(event) is TokenCommit.FRESH
    kept = payload_of(cast, memory)
    assert {name: kept[name] for name in ("assertion", "grantType", "scopes", "details", "keyThumbprint")} == {
        "assertion": event.assertion,
        "grantType": "client_credentials",
        "scopes": ["case:read"],
        "details": event.details,
        "keyThumbprint": event.key_thumbprint,
    }
    assert kept["tokenId"] == event.caller.token_id


async def test_the_entry_of_a_look_names_the_token_that_was_shown(cast: Cast, memory: Memory) -> None:
    asked = look(cast, cast.world.entropy(16), once(cast, ClaimKind.ASSERTION))
    register = Register(cast.world, NoFinder())
    assert await register.commit_look(asked, decision="token-introspected", claims=asked.caller.claims)
    kept = payload_of(cast, memory)
    assert (kept["tokenId"], kept["assertion"]) == ("t" * 32, asked.assertion)
