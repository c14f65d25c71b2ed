"""The only importer of authlib: its grant dispatch as a pure function over steps we supply.

authlib's own client authentication, token generator, challenges and error texts are not used: it knows no DPoP, takes
RS256 and HS256, echoes input in its texts and raises on some unauthenticated input. What remains is the protocol's
order (RFC 6749 section 4.4, RFC 8693 section 2): grant known → client authenticated → request validated → token made.
"""

from typing import Protocol

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientCredentialsGrant
from authlib.oauth2.rfc6749.errors import UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from sauma.oauth.reasons import Reason

_URI = "https://authlib.invalid/"
"""authlib wants an https URL and uses it for nothing here; ours may be http on loopback."""


class Refused(OAuth2Error):  # type: ignore[misc]  # noqa: N818  # authlib is untyped; named for what it is, no fault
    """A step's refusal: the RFC's error code for the caller, the exact reason for us."""

    def __init__(self, reason: Reason, *, error: str) -> None:
        super().__init__(error=error)
        self.reason = reason


class TokenSteps(Protocol):
    """What the protocol's order calls upon; each step raises `Refused` or returns."""

    def authenticate(self) -> None:
        """Authenticate the client."""
        ...

    def validate(self) -> None:
        """Validate proof, scope, resource and details."""
        ...

    def make_token(self) -> dict[str, object]:
        """The body of the successful answer."""
        ...


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]  # authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)

    def validate_token_request(self) -> None:
        self.authenticate_token_endpoint_client()
        self.server.steps.validate()

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        # not authlib's own: that one hands the token to its debug log
        return 200, self.server.steps.make_token(), []


class _Exchange(_Grant):
    GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"


class _Server(AuthorizationServer):  # type: ignore[misc]  # authlib is untyped
    def __init__(self, steps: TokenSteps) -> None:
        super().__init__()
        self.steps = steps
        self.register_grant(_Grant)
        self.register_grant(_Exchange)

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def authenticate_client(self, _request: OAuth2Request, _methods: object, _endpoint: str = "token") -> None:
        self.steps.authenticate()

    def send_signal(self, name: str, *_: object, **__: object) -> None:
        """No signals: nothing listens, and nothing may happen inside a decision."""

    def handle_response(self, _status: int, body: dict[str, object], _headers: object) -> dict[str, object]:
        return body

    def handle_error_response(self, _request: OAuth2Request, error: OAuth2Error) -> Refused:
        if isinstance(error, Refused):
            return error
        if isinstance(error, UnsupportedGrantTypeError):
            return Refused(Reason.GRANT_OTHER, error="unsupported_grant_type")
        return Refused(Reason.FORM_MALFORMED, error="invalid_request")


def token_response(form: dict[str, str], steps: TokenSteps) -> dict[str, object] | Refused:
    """Run a token request through authlib's dispatch: the answer's body, or the refusal."""
    request = OAuth2Request("POST", _URI)
    request.payload = BasicOAuth2Payload(form)
    answer: dict[str, object] | Refused = _Server(steps).create_token_response(request)
    return answer
