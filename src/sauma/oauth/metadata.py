"""What is published about issuer and resource (RFC 8414, RFC 9728)."""

import msgspec

from sauma.oauth.details import DETAILS_TYPE
from sauma.oauth.jose import ALGORITHMS

GRANT_TYPES = ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")


class AuthorizationServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer's public description (RFC 8414)."""

    issuer: str
    token_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: tuple[str, ...]
    response_types_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = GRANT_TYPES
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    introspection_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)
    revocation_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    dpop_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    authorization_details_types_supported: tuple[str, ...] = (DETAILS_TYPE,)
    protected_resources: tuple[str, ...] = ()
    tls_client_certificate_bound_access_tokens: bool = False


class ProtectedResourceMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The resource's public description (RFC 9728)."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...]
    bearer_methods_supported: tuple[str, ...] = ("header",)
    dpop_signing_alg_values_supported: tuple[str, ...] = ALGORITHMS
    dpop_bound_access_tokens_required: bool = True
    tls_client_certificate_bound_access_tokens: bool = False
    authorization_details_types_supported: tuple[str, ...] = (DETAILS_TYPE,)


def server_metadata(
    public_url: str, *, scopes: tuple[str, ...], certificates: bool = False
) -> AuthorizationServerMetadata:
    """The document at /.well-known/oauth-authorization-server; the issuer identifier is the public URL.

    `certificates` is whether a client's certificate reaches us, so that tokens can be bound to it (RFC 8705).
    """
    return AuthorizationServerMetadata(
        issuer=public_url,
        token_endpoint=f"{public_url}/oauth/token",
        introspection_endpoint=f"{public_url}/oauth/introspect",
        revocation_endpoint=f"{public_url}/oauth/revoke",
        jwks_uri=f"{public_url}/.well-known/jwks.json",
        scopes_supported=scopes,
        protected_resources=(public_url,),
        tls_client_certificate_bound_access_tokens=certificates,
    )


def resource_metadata(
    public_url: str, *, scopes: tuple[str, ...], issuers: tuple[str, ...], certificates: bool = False
) -> ProtectedResourceMetadata:
    """The document at /.well-known/oauth-protected-resource; `issuers` are those whose tokens are taken."""
    return ProtectedResourceMetadata(
        resource=public_url,
        authorization_servers=issuers,
        scopes_supported=scopes,
        tls_client_certificate_bound_access_tokens=certificates,
    )


def documents(
    public_url: str, *, scopes: tuple[str, ...], issuers: tuple[str, ...], certificates: bool
) -> dict[str, bytes]:
    """Both documents as they are served."""
    server = server_metadata(public_url, scopes=scopes, certificates=certificates)
    resource = resource_metadata(public_url, scopes=scopes, issuers=issuers, certificates=certificates)
    return {
        "authorization-server": msgspec.json.encode(server),
        "protected-resource": msgspec.json.encode(resource),
    }
