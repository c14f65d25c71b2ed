"""What the open operations and the token endpoint answer, for the description only; see `web/answers.py`.

Beside it the description itself, as it is committed and served.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sauma.core.parties import Assurance
from sauma.core.people import Confidential
from sauma.core.problems import Actor, Retry
from sauma.core.purposes import Cell, Flow, Precondition, Provision, Text, Window

Digest = Annotated[str, msgspec.Meta(description="RFC 9530 form: `sha-256=:<base64>:`.")]
FieldPath = Annotated[str, msgspec.Meta(description="A field of the matrix, `group.member`.")]


def openapi_bytes() -> bytes:
    """The committed description of the API, byte for byte: inside the installed package, else beside `src`."""
    packaged = Path(__file__).parents[1] / "openapi" / "sauma.json"
    return (packaged if packaged.is_file() else Path(__file__).parents[3] / "openapi" / "sauma.json").read_bytes()


class Status(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Which environment and version answers, and under which catalogue it decides."""

    environment: Literal["development", "test", "production"]
    version: Annotated[
        str, msgspec.Meta(description="Of the software that runs; the version of the interface is in `API-Version`.")
    ]
    catalogue_digest: Digest


class Health(Confidential, frozen=True, kw_only=True):
    """That the server lives, or can serve; one that cannot answers with a problem, status 503."""

    status: Literal["live", "ready"]


class PublishedCode(Confidential, frozen=True, kw_only=True):
    """One code of a closed list, what it means and where it comes from."""

    code: str
    text: Text
    source: str


class PublishedCodes(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The closed code lists a caller chooses from, by the member they belong in."""

    matter_kinds: tuple[PublishedCode, ...]
    officer_roles: tuple[PublishedCode, ...]
    audit_purposes: tuple[PublishedCode, ...]
    languages: tuple[PublishedCode, ...]
    relations: tuple[PublishedCode, ...]


class PurposeSummary(Confidential, frozen=True, kw_only=True, rename="camel"):
    """One purpose with its flows and provisions."""

    id: Annotated[str, msgspec.Meta(description="What a query names.", examples=["county-benefit-case"])]
    number: Annotated[str, msgspec.Meta(description="Its number in the purpose catalogue, for people: P01, S2.")]
    version: Annotated[int, msgspec.Meta(description="Grows with every change of the purpose.")]
    enabled: Annotated[bool, msgspec.Meta(description="Whether the law as data has it switched on.")]
    available: Annotated[
        bool, msgspec.Meta(description="Whether this server answers under it today: enabled and built. Go by this one.")
    ]
    title: Text
    description: Text
    flows: tuple[Flow, ...]
    provisions: tuple[Provision, ...]


class PurposeList(Confidential, frozen=True, kw_only=True, rename="camel"):
    """Every purpose of the catalogue, and the code lists a caller needs."""

    catalogue_digest: Digest
    purposes: tuple[PurposeSummary, ...]
    codes: PublishedCodes


class NecessityCode(PublishedCode, frozen=True, kw_only=True):
    """A reason that can justify an optional field of this purpose."""

    fields: tuple[FieldPath, ...]


class PurposePage(PurposeSummary, frozen=True, kw_only=True, rename="camel"):
    """One purpose whole. `fields` says of each field: R released, o needs a necessity code, C needs a consent.

    `alreadyHeld` never comes back, because the caller sent it. `setByServer` is said by members of the answer itself
    (`basis`, `case`), not by a record's fields.
    """

    preconditions: tuple[Precondition, ...]
    receiver_roles: tuple[str, ...]
    unattended: bool
    officer_assurance: Annotated[
        Assurance,
        msgspec.Meta(
            description="`authenticated`: the officer must have logged in (token exchange, RFC 8693), else the answer "
            "is 401 `insufficient_user_authentication`. Sauma policy, no provision."
        ),
    ]
    window: Annotated[
        Window | None,
        msgspec.Meta(description="How many months a query covers by itself and may at most reach back; null: no pull."),
    ]
    erase_by: Annotated[
        str,
        msgspec.Meta(
            description="The code of the rule by which the receiver erases its copy; the day itself is `eraseBy` of "
            "the answer.",
            examples=["case-query-copy"],
        ),
    ]
    timer: Annotated[
        str | None,
        msgspec.Meta(description="The code of a legal time limit in the receiver's own case.", examples=["D1"]),
    ]
    fields: dict[str, Cell]
    already_held: tuple[FieldPath, ...]
    set_by_server: tuple[FieldPath, ...]
    qualifiers: dict[str, Text]
    necessity: tuple[NecessityCode, ...]
    catalogue_digest: Digest


class ActorNamed(Confidential, frozen=True, kw_only=True):
    """Who must act, by an id of a closed list and in words."""

    id: Actor
    text: Text


class RetryRule(Confidential, frozen=True, kw_only=True):
    """Whether the call may be sent again, by an id of a closed list and in words.

    `wait`: the same call after `Retry-After`. `correct`: a corrected one. `settle`: not before a person has acted.
    """

    id: Retry
    text: Text


class ProblemPage(Confidential, frozen=True, kw_only=True):
    """What a problem code or an OAuth error means, how it comes about, what to do and who does it.

    `shown` is the title in the language asked for.
    """

    code: str
    status: int
    title: Text
    detail: Text
    cause: Text
    remedy: Text
    actor: ActorNamed
    retry: RetryRule
    shown: str


class Description(Confidential, frozen=True, kw_only=True, rename="camel"):
    """An OpenAPI 3.1 document: this one."""

    openapi: str
    info: dict[str, msgspec.Raw]
    json_schema_dialect: str | msgspec.UnsetType = msgspec.UNSET
    servers: tuple[dict[str, msgspec.Raw], ...] | msgspec.UnsetType = msgspec.UNSET
    paths: dict[str, msgspec.Raw]
    webhooks: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    components: dict[str, msgspec.Raw]
    security: tuple[dict[str, tuple[str, ...]], ...] | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[dict[str, msgspec.Raw], ...] | msgspec.UnsetType = msgspec.UNSET
    external_docs: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class ServerMetadata(Confidential, frozen=True, kw_only=True):
    """The issuer's metadata (RFC 8414)."""

    issuer: str
    token_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: tuple[str, ...]
    response_types_supported: tuple[str, ...]
    grant_types_supported: tuple[str, ...]
    token_endpoint_auth_methods_supported: tuple[str, ...]
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...]
    introspection_endpoint_auth_methods_supported: tuple[str, ...]
    introspection_endpoint_auth_signing_alg_values_supported: tuple[str, ...]
    revocation_endpoint_auth_methods_supported: tuple[str, ...]
    revocation_endpoint_auth_signing_alg_values_supported: tuple[str, ...]
    dpop_signing_alg_values_supported: tuple[str, ...]
    authorization_details_types_supported: tuple[str, ...]
    protected_resources: tuple[str, ...]
    tls_client_certificate_bound_access_tokens: bool


class ResourceMetadata(Confidential, frozen=True, kw_only=True):
    """The resource's metadata (RFC 9728)."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...]
    bearer_methods_supported: tuple[str, ...]
    dpop_signing_alg_values_supported: tuple[str, ...]
    dpop_bound_access_tokens_required: bool
    tls_client_certificate_bound_access_tokens: bool
    authorization_details_types_supported: tuple[str, ...]


class KeySet(Confidential, frozen=True, kw_only=True):
    """Public keys of token issuer and receipts as JWKs (RFC 7517)."""

    keys: tuple[dict[str, str], ...]


class TokenAnswer(Confidential, frozen=True, kw_only=True):
    """A key-bound token (RFC 6749 section 5.1, RFC 9449 section 5); there is no refresh token."""

    access_token: str
    token_type: Literal["DPoP"]
    expires_in: Annotated[int, msgspec.Meta(description="Seconds.")]
    scope: str
    authorization_details: tuple[dict[str, msgspec.Raw], ...]
    issued_token_type: Annotated[
        Literal["urn:ietf:params:oauth:token-type:access_token"] | msgspec.UnsetType,
        msgspec.Meta(description="With token-exchange only (RFC 8693 section 2.2.1)."),
    ] = msgspec.UNSET


class Introspection(Confidential, frozen=True, kw_only=True):
    """What a token holds (RFC 7662 section 2.2); of one that does not stand only that."""

    active: bool
    token_type: Literal["DPoP"] | msgspec.UnsetType = msgspec.UNSET
    iss: str | msgspec.UnsetType = msgspec.UNSET
    aud: str | msgspec.UnsetType = msgspec.UNSET
    sub: Annotated[str | msgspec.UnsetType, msgspec.Meta(description="The organisation's Y-tunnus.")] = msgspec.UNSET
    client_id: str | msgspec.UnsetType = msgspec.UNSET
    scope: str | msgspec.UnsetType = msgspec.UNSET
    iat: int | msgspec.UnsetType = msgspec.UNSET
    exp: int | msgspec.UnsetType = msgspec.UNSET
    jti: str | msgspec.UnsetType = msgspec.UNSET
    cnf: Annotated[
        dict[str, str] | msgspec.UnsetType,
        msgspec.Meta(description="What it is bound to: `jkt`, and `x5t#S256` where a certificate is."),
    ] = msgspec.UNSET
    act: Annotated[
        dict[str, str] | msgspec.UnsetType, msgspec.Meta(description="The supplier that acts (RFC 8693 section 4.1).")
    ] = msgspec.UNSET
    acr: str | msgspec.UnsetType = msgspec.UNSET
    auth_time: int | msgspec.UnsetType = msgspec.UNSET
    authorization_details: tuple[dict[str, msgspec.Raw], ...] | msgspec.UnsetType = msgspec.UNSET


class Revocation(Confidential, frozen=True, kw_only=True):
    """Nothing: the answer is the same whatever was revoked (RFC 7009 section 2.2)."""


class OAuthError(Confidential, frozen=True, kw_only=True):
    """An error of RFC 6749 section 5.2 or RFC 6750 section 3.1; empty when the call carried no credentials at all.

    `error_uri` is the error's page.
    """

    error: str | msgspec.UnsetType = msgspec.UNSET
    error_description: str | msgspec.UnsetType = msgspec.UNSET
    error_uri: str | msgspec.UnsetType = msgspec.UNSET
