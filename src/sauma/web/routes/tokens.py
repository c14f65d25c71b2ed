"""`POST /oauth/token`: client_credentials with private_key_jwt and DPoP (RFC 6749 4.4, 7523, 9449)."""

from typing import Annotated, Literal

import msgspec
from litestar import Response

from sauma.core.people import Confidential
from sauma.exchange.tokens import TokenRequest
from sauma.web.carrier import passage_of
from sauma.web.context import AnyRequest, edge_of
from sauma.web.gate import BODY_LIMIT, post


class TokenForm(Confidential, frozen=True, kw_only=True, omit_defaults=True):
    """The token form, for the description only: the issuer reads the bytes itself, each parameter at most once."""

    grant_type: Literal["client_credentials"]
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    client_assertion: Annotated[
        str,
        msgspec.Meta(
            description="A JWT signed with a registered key of the system (RFC 7523): header `alg` ES256, PS256 or "
            "EdDSA and the key's `kid`; `iss` and `sub` the client id; `aud` the issuer identifier itself, as one "
            "string (not the token endpoint); `iat`, `exp` (honoured for 300 seconds at most) and a `jti` of 16 to 256 "
            "characters that is never used again. `cnf.jkt`, if stated, is the thumbprint of the DPoP key."
        ),
    ]
    scope: Annotated[str, msgspec.Meta(min_length=1, description="One or more granted scopes, with spaces between.")]
    organisation: Annotated[
        str | msgspec.UnsetType,
        msgspec.Meta(description="Y-tunnus the token is for; needed only by a system that acts for several."),
    ] = msgspec.UNSET
    authorization_details: Annotated[
        Annotated[str, msgspec.Meta(max_length=2048)] | msgspec.UnsetType,
        msgspec.Meta(
            description="RFC 9396, a JSON array of one object as text: `type` `sauma_case_access`, `organisation` and "
            "`officer` both optional. The officer named here stands behind every call with the token; a GET on a "
            "person's data has no other place for it.",
        ),
    ] = msgspec.UNSET
    resource: Annotated[
        str | msgspec.UnsetType, msgspec.Meta(description="RFC 8707: the public URL of this server, if stated.")
    ] = msgspec.UNSET


@post("/oauth/token", opt={"open": True, "form": TokenForm}, status_code=200, request_max_body_size=BODY_LIMIT)
async def issue_token(request: AnyRequest) -> Response[bytes]:
    """A short-lived, key-bound token for one organisation.

    Client credentials with a signed assertion (private_key_jwt) and a `DPoP` proof by the key the token is then bound
    to (RFC 6749 section 4.4, RFC 7523, RFC 9449). Errors have the shape of RFC 6749 section 5.2.
    """
    headers = request.scope["headers"]
    types = [v.decode("latin-1") for k, v in headers if k.lower() == b"content-type"]
    asked = TokenRequest(
        content_type=types[0] if len(types) == 1 else "",
        body=await request.body(),
        proofs=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"dpop"),
        authorizations=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"authorization"),
        passage=passage_of(request.scope, edge_of(request).security_servers),
    )
    decision = await edge_of(request).issue_token(asked)
    request.scope["state"]["token"] = decision.body.get("error", "issued")
    return Response(
        msgspec.json.encode(decision.body),
        status_code=decision.status,
        media_type="application/json",
        headers={name: value for name, value in decision.headers if name.lower() != "content-type"},
    )


ROUTES = (issue_token,)
