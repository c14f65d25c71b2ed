"""`POST /oauth/token`: client_credentials with private_key_jwt and DPoP (RFC 6749 4.4, 7523, 9449)."""

import msgspec
from litestar import Response, post

from sauma.exchange.tokens import TokenRequest
from sauma.web.context import AnyRequest, edge_of


@post("/oauth/token", opt={"open": True}, status_code=200)
async def issue_token(request: AnyRequest) -> Response[bytes]:
    """A short-lived, key-bound token for one organisation."""
    headers = request.scope["headers"]
    types = [v.decode("latin-1") for k, v in headers if k.lower() == b"content-type"]
    asked = TokenRequest(
        content_type=types[0] if len(types) == 1 else "",
        body=await request.body(),
        proofs=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"dpop"),
        authorizations=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"authorization"),
    )
    decision = await edge_of(request).issue_token(asked)
    return Response(
        msgspec.json.encode(decision.body),
        status_code=decision.status,
        media_type="application/json",
        headers={name: value for name, value in decision.headers if name.lower() != "content-type"},
    )


ROUTES = (issue_token,)
