"""What the description says of the interface as a whole: whose it is, its groups of operations, and how one is let in.

Hosts below `sauma.example` (RFC 2606) stand for those of the installation that is called. The major version stands in
every path; it stands in the server's name too because the Dutch rules look for it there and nowhere else.
"""

from types import MappingProxyType
from typing import Any

JsonObject = dict[str, Any]

SITE = "https://sauma.example"
ISSUER = "https://v1.sauma.example"
_SUMMARY = "Least-data exchange of client case data between Kela and the wellbeing services counties."
_ABOUT = f"""{_SUMMARY}

1. Get a token: `POST /oauth/token`. 2. State your own pending case: `PUT /v1/matters/{{caseReference}}`; where the
purpose asks for it, record that the client was told: `POST /v1/prior-informations`. 3. Ask: `POST /v1/case-queries`.

Every protected call sends `Authorization: DPoP <token>` and a fresh `DPoP` proof by the key the token is bound to.
URLs in tokens and proofs (`aud`, `htu`) begin with the issuer named at `/.well-known/oauth-authorization-server`.
Request objects are closed: an unknown member is refused. Answers are open: ignore what you do not know, values of
enumerations included.

Formats of texts: `clean-text` is NFC without control characters (but a line feed inside), invisible or bidirectional
ones, and holds no identity code; `hetu` is a personal identity code whose check character is right, outside production
of the range 900–999; `person-oid` a temporary person id `1.2.246.10.<organisation>.22.<year>.<n>`; `entity-tag` is
one strong tag, `"<revision>"`, as `ETag` brought it (RFC 9110 section 8.8.3). Moments are RFC 3339 with an offset,
days are Finnish days, integers are written without a fraction.

A `pointer` in the `errors` of a problem is a JSON Pointer into the body you sent (RFC 6901). Where the place is not in
the body it begins with `/path`, `/query` or `/headers`: `/query/from`, `/headers/If-Match`.

A read names its officer in the token alone, and need not: where one stands there, it is recorded.

Hosts below `sauma.example` stand for those of the installation you call; the persons in the
examples do not exist."""

SERVERS: tuple[JsonObject, ...] = (
    {"url": ISSUER, "description": "Stands for the installation you call; every path holds its major version."},
)

TAGS = MappingProxyType(
    {
        "status": "Whether the server lives and serves, and which version and catalogue it is.",
        "discovery": "Issuer and resource metadata, public keys, and this description.",
        "tokens": "Access tokens for one organisation, bound to the caller's key.",
        "catalogue": "Purposes with what may leave under them, code lists, and what a problem code means.",
        "matters": "The caller's own pending matters, and that the client was told beforehand.",
        "case-queries": "The main job: ask for a client's minimal case data.",
        "disclosures": "What a party asked or gave, and what became of it.",
        "records": "A controller's own records: deposit, replace, look at the state, annul, link identifiers.",
        "ledger": "Reading the ledger in a time-boxed audit session.",
        "events": "What a receiver will be told (planned).",
    }
)
_TAG_OF_PLACE = MappingProxyType(
    {
        "status": "status",
        "health": "status",
        ".well-known": "discovery",
        "openapi.json": "discovery",
        "docs": "discovery",
        "oauth": "tokens",
        "purposes": "catalogue",
        "problems": "catalogue",
        "matters": "matters",
        "prior-informations": "matters",
        "case-queries": "case-queries",
        "disclosures": "disclosures",
        "audit-sessions": "ledger",
        "ledger": "ledger",
    }
)

SCOPES = MappingProxyType(
    {
        "case:read": "Ask for case data, and see what was asked.",
        "consent:write": "Record that the client was told, and the client's consents.",
        "ledger:read": "Read the ledger in an audit session.",
        "matter:write": "State the caller's own pending matters.",
        "record:write": "Deposit, replace and annul the caller's own records.",
    }
)


def information(version: str) -> JsonObject:
    """The `info` object; `version` is what every answer says in `API-Version`."""
    return {
        "title": "Sauma",
        "version": version,
        "summary": _SUMMARY,
        "x-summary": _SUMMARY,
        "x-api-id": "sauma",
        "description": _ABOUT,
        "termsOfService": f"{SITE}/terms",
        "contact": {"name": "The operator of the installation you call", "email": "api@sauma.example", "url": SITE},
        "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
    }


def security_schemes(scopes: frozenset[str]) -> JsonObject:
    """How a protected operation is called: both at once, the token of the flow sent under the DPoP scheme."""
    return {
        "dpop": {
            "type": "http",
            "scheme": "DPoP",
            "description": "The access token in `Authorization: DPoP <token>`, and a fresh proof by the key it is "
            "bound to in the `DPoP` header (RFC 9449). Bearer is refused.",
        },
        "oauth2": {
            "type": "oauth2",
            "description": "Client credentials with `private_key_jwt` (RFC 7523) and a DPoP proof; tokens are JWTs, "
            "checked as RFC8725 says, valid for at most 300 seconds. There is no refresh token.",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": f"{ISSUER}/oauth/token",
                    "scopes": {name: SCOPES[name] for name in sorted(scopes)},
                }
            },
        },
    }


def tag_of(path: str) -> str:
    """The group an operation belongs to; what is not named otherwise is about records."""
    parts = path.split("/")
    place = parts[2] if parts[1] == "v1" else parts[1]
    return _TAG_OF_PLACE.get(place, "records")
