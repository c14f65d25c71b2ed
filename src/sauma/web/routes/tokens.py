"""`/oauth/…`: a token, a look at one, its end; each with private_key_jwt (RFC 6749, 7523, 7662, 7009, 8693, 9449)."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from litestar import Response

from sauma.core.people import Confidential
from sauma.exchange.tokens import TokenDecision, TokenRequest
from sauma.web.carrier import passage_of
from sauma.web.context import AnyRequest, edge_of
from sauma.web.gate import BODY_LIMIT, post

_AssertionType: TypeAlias = Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
_Assertion = Annotated[
    str,
    msgspec.Meta(
        description="A JWT signed with a registered key of the system (RFC 7523): header `alg` ES256, PS256 or "
        "EdDSA and the key's `kid`; `iss` and `sub` the client id; `aud` the issuer identifier itself, as one "
        "string (not the token endpoint); `iat`, `exp` (honoured for 300 seconds at most) and a `jti` of 16 to 256 "
        "characters that is never used again. `cnf.jkt`, if stated, is the thumbprint of the DPoP key. What the token "
        "is to be confined to stands in its `authorization_details`."
    ),
]
_Shown = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]+$", description="An access token of this server.")]
_Hint = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*$", description="Taken and not needed.")]


class TokenForm(Confidential, frozen=True, kw_only=True, omit_defaults=True):
    """The token form, for the description only: the issuer reads the bytes itself, each parameter at most once."""

    grant_type: Literal["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"]
    client_assertion_type: _AssertionType
    client_assertion: _Assertion
    scope: Annotated[str, msgspec.Meta(min_length=1, description="One or more granted scopes, with spaces between.")]
    organisation: Annotated[
        str | msgspec.UnsetType,
        msgspec.Meta(description="Y-tunnus the token is for; needed only by a system that acts for several."),
    ] = msgspec.UNSET
    authorization_details: Annotated[
        Annotated[str, msgspec.Meta(max_length=2048)] | msgspec.UnsetType,
        msgspec.Meta(
            description="RFC 9396, a JSON array of one object as text: `type` `sauma_case_access` and, each optional, "
            "`organisation`, `purpose`, `caseReference`, `fields`, `actions` and `officer`. It belongs inside the "
            "assertion; sent here too it must say the same, sent here alone it may name only organisation and officer. "
            "The officer named stands behind every call with the token; a GET on a person's data has no other place "
            "for it. The token is confined to what the answer's `authorization_details` say.",
        ),
    ] = msgspec.UNSET
    resource: Annotated[
        str | msgspec.UnsetType, msgspec.Meta(description="RFC 8707: the public URL of this server, if stated.")
    ] = msgspec.UNSET
    subject_token: Annotated[
        str | msgspec.UnsetType,
        msgspec.Meta(
            description="With token-exchange only (RFC 8693): a JWT by which the organisation's registered identity "
            "provider says that an officer has logged in: `iss`, `aud` the issuer identifier, `sub`, `name`, `role`, "
            "`unit`, `organisation` the Y-tunnus the officer works for, which is the token's, `auth_time`, `acr` if "
            "known, `iat`, `exp` (honoured for 300 seconds at most), and a `jti` that is never used again."
        ),
    ] = msgspec.UNSET
    subject_token_type: Literal["urn:ietf:params:oauth:token-type:jwt"] | msgspec.UnsetType = msgspec.UNSET


class ShownTokenForm(Confidential, frozen=True, kw_only=True, omit_defaults=True):
    """The form that shows a token, for the description only: read as strictly as the token form."""

    token: _Shown
    token_type_hint: _Hint | msgspec.UnsetType = msgspec.UNSET
    client_assertion_type: _AssertionType
    client_assertion: _Assertion


ISSUING = {"open": True, "issuer": True}
"""Open to all, and not found where only others issue (`SAUMA_OWN_TOKENS=off`)."""


@post("/oauth/token", opt=ISSUING | {"form": TokenForm}, status_code=200, request_max_body_size=BODY_LIMIT)
async def issue_token(request: AnyRequest) -> Response[bytes]:
    """A short-lived, key-bound token for one organisation.

    Client credentials with a signed assertion (private_key_jwt) and a `DPoP` proof by the key the token is then bound
    to (RFC 6749 section 4.4, RFC 7523, RFC 9449), or the same with an officer's login in exchange (RFC 8693). A client
    whose policy wants a nonce is told one in `DPoP-Nonce`. Errors have the shape of RFC 6749 section 5.2.
    """
    decision = await edge_of(request).tokens.issue(await _asked(request))
    request.scope["state"]["token"] = decision.body.get("error", "issued")
    return _answer(request, decision)


@post("/oauth/introspect", opt=ISSUING | {"form": ShownTokenForm}, status_code=200, request_max_body_size=BODY_LIMIT)
async def introspect_token(request: AnyRequest) -> Response[bytes]:
    """What a token holds and whether it stands at this moment.

    RFC 7662, for a registered system with a signed assertion. Of its own token it is told everything; of one that
    another system got for the same organisation, the organisation's own systems are told only `active`, `token_type`,
    `client_id`, `scope`, `sub`, `exp` and `cnf`, never the officer or the case. Every other token, an ended one and any
    other text are answered alike: `active` false. Each look is a ledger entry.
    """
    return _answer(request, await edge_of(request).tokens.introspect(await _asked(request)))


@post("/oauth/revoke", opt=ISSUING | {"form": ShownTokenForm}, status_code=200, request_max_body_size=BODY_LIMIT)
async def revoke_token(request: AnyRequest) -> Response[bytes]:
    """End a token before its time.

    RFC 7009, for a registered system with a signed assertion; it holds at the token's very next call. Only the system a
    token was issued to can revoke it; another's stays as it is, and the answer is the same. To end what another system
    holds, have the registrar suspend that system or end its delegation.
    """
    return _answer(request, await edge_of(request).tokens.revoke(await _asked(request)))


async def _asked(request: AnyRequest) -> TokenRequest:
    """The form as it arrived, with everything that could make it ambiguous."""
    headers = request.scope["headers"]
    types = [v.decode("latin-1") for k, v in headers if k.lower() == b"content-type"]
    return TokenRequest(
        content_type=types[0] if len(types) == 1 else "",
        body=await request.body(),
        proofs=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"dpop"),
        authorizations=tuple(v.decode("latin-1") for k, v in headers if k.lower() == b"authorization"),
        passage=passage_of(request.scope, edge_of(request).security_servers),
        certificate=edge_of(request).certificates.thumbprint_of(request.scope),
    )


def _answer(request: AnyRequest, decision: TokenDecision) -> Response[bytes]:
    request.scope["state"]["reason"] = decision.reason
    error = decision.body.get("error")
    page = {} if error is None else {"error_uri": f"{edge_of(request).public_url}/v1/problems/{error}"}
    return Response(
        msgspec.json.encode({**decision.body, **page}),
        status_code=decision.status,
        media_type="application/json",
        headers={name: value for name, value in decision.headers if name.lower() != "content-type"},
    )


ROUTES = (issue_token, introspect_token, revoke_token)
