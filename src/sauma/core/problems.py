"""The closed list of problem codes with their HTTP status and texts (served at `/v1/problems/{code}`), and why not."""

import enum
from types import MappingProxyType

import msgspec

from sauma.core.errors import CatalogueError
from sauma.core.purposes import Text

_CODES_BY_STATUS = {
    400: "malformed-json unknown-property invalid-value too-deep idempotency-key-missing",
    403: (
        "purpose-unknown purpose-not-agreed basis-not-in-force party-not-entitled direction-not-allowed "
        "matter-missing matter-closed matter-foreign subject-mismatch prior-information-missing consent-required "
        "consent-foreign consent-scope consent-withdrawn consent-paused consent-expired field-not-permitted "
        "necessity-missing window-exceeded frequency-exceeded officer-missing officer-role receiver-paused "
        "carrier-mismatch not-controller review-overdue audit-session-missing scope-missing "
        "consent-missing prohibited restricted-processing protected-person county-not-competent erased subject-unknown"
    ),
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "idempotency-key-in-progress state-conflict receiver-key-missing legal-hold",
    410: "cursor-expired",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "idempotency-key-reused",
    428: "precondition-required",
    429: "rate-limited",
    500: "internal",
    503: "overloaded ledger-unavailable crypto-unavailable",
    504: "outcome-unknown",
}

STATUS: MappingProxyType[str, int] = MappingProxyType(
    {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes.split()}
)
"""HTTP status of every problem code; nothing else is ever a code."""

_OAUTH_BY_STATUS = {
    400: (
        "invalid_request invalid_client invalid_grant unsupported_grant_type invalid_scope invalid_target "
        "invalid_authorization_details unauthorized_client"
    ),
    401: "invalid_dpop_proof use_dpop_nonce invalid_token insufficient_user_authentication",
    403: "insufficient_scope",
}

OAUTH_STATUS: MappingProxyType[str, int] = MappingProxyType(
    {error: status for status, errors in _OAUTH_BY_STATUS.items() for error in errors.split()}
)
"""HTTP status of every OAuth error in answers to calls, else at the token endpoint (RFC 6749, 6750, 8707, 9396 …)."""


class Reason(enum.Enum):
    """Why not, in the words of the closed code list; `DISCLOSER_SIDE` says which of them stay in the ledger."""

    PURPOSE_UNKNOWN = "purpose-unknown"
    PURPOSE_NOT_AGREED = "purpose-not-agreed"
    BASIS_NOT_IN_FORCE = "basis-not-in-force"
    PARTY_NOT_ENTITLED = "party-not-entitled"
    DIRECTION_NOT_ALLOWED = "direction-not-allowed"
    MATTER_MISSING = "matter-missing"
    MATTER_CLOSED = "matter-closed"
    MATTER_FOREIGN = "matter-foreign"
    SUBJECT_MISMATCH = "subject-mismatch"
    PRIOR_INFORMATION_MISSING = "prior-information-missing"
    CONSENT_REQUIRED = "consent-required"
    FIELD_NOT_PERMITTED = "field-not-permitted"
    NECESSITY_MISSING = "necessity-missing"
    WINDOW_EXCEEDED = "window-exceeded"
    FREQUENCY_EXCEEDED = "frequency-exceeded"
    OFFICER_MISSING = "officer-missing"
    OFFICER_ROLE = "officer-role"
    OFFICER_ASSURANCE = "officer-assurance"
    NOT_CONTROLLER = "not-controller"
    SCOPE_MISSING = "scope-missing"
    AUDIT_SESSION_MISSING = "audit-session-missing"
    CARRIER_MISMATCH = "carrier-mismatch"
    SUBJECT_UNKNOWN = "subject-unknown"
    COUNTY_NOT_COMPETENT = "county-not-competent"
    PROHIBITED = "prohibited"
    RESTRICTED_PROCESSING = "restricted-processing"
    PROTECTED_PERSON = "protected-person"


DISCLOSER_SIDE = frozenset(
    {
        Reason.SUBJECT_UNKNOWN,
        Reason.COUNTY_NOT_COMPETENT,
        Reason.PROHIBITED,
        Reason.RESTRICTED_PROCESSING,
        Reason.PROTECTED_PERSON,
    }
)

LANGUAGES = ("fi", "sv", "en")


class Actor(enum.Enum):
    """Who must act when a code comes back; a closed list."""

    INTEGRATOR = "integrator"
    CASEWORKER = "caseworker"
    YOUR_ORGANISATION = "your-organisation"
    CONTROLLER = "controller"
    OTHER_PARTY = "other-party"
    SAUMA_OPERATOR = "sauma-operator"


class Retry(enum.Enum):
    """Whether a caller may send the call again: the same after a wait, a corrected one, or nothing until settled."""

    WAIT = "wait"
    CORRECT = "correct"
    SETTLE = "settle"


class ProblemText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a code means, what happened, how that comes about, what to do and who does it; constant per code."""

    title: Text
    detail: Text
    cause: Text
    remedy: Text
    actor: Actor
    retry: Retry

    def texts(self) -> tuple[Text, ...]:
        """Its texts, in the order in which they are shown."""
        return self.title, self.detail, self.cause, self.remedy


class ProblemTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of every code, OAuth error, actor and retry rule of the closed lists, no more and no fewer.

    Raises:
        CatalogueError: a code, error, actor or rule without texts, texts without one, or an empty text.
    """

    codes: dict[str, ProblemText]
    oauth: dict[str, ProblemText]
    actors: dict[Actor, Text]
    retries: dict[Retry, Text]

    def __post_init__(self) -> None:
        stated: set[str] = {*self.codes, *self.oauth, *(a.value for a in self.actors), *(r.value for r in self.retries)}
        wanted: set[str] = {*STATUS, *OAUTH_STATUS, *(a.value for a in Actor), *(r.value for r in Retry)}
        if stated != wanted:
            wrong = ", ".join(sorted(stated ^ wanted))
            message = f"problem texts and problem codes differ: {wrong}"
            raise CatalogueError(message)
        texts = {code: text.texts() for code, text in (self.codes | self.oauth).items()}
        texts |= {a.value: (text,) for a, text in self.actors.items()}
        texts |= {r.value: (text,) for r, text in self.retries.items()}
        for name, said in texts.items():
            if not all(t.fi and t.sv and t.en for t in said):
                message = f"problem {name} lacks a text"
                raise CatalogueError(message)

    def page_of(self, code: str) -> tuple[int, ProblemText] | None:
        """Status and texts of a problem code or an OAuth error; None where it is neither."""
        if code in self.codes:
            return STATUS[code], self.codes[code]
        return (OAUTH_STATUS[code], self.oauth[code]) if code in self.oauth else None


def in_language(text: Text, language: str) -> str:
    """The text in Finnish or Swedish, else in English."""
    match language:
        case "fi":
            return text.fi
        case "sv":
            return text.sv
        case _:
            return text.en


def accepted_language(header: str | None) -> str:
    """The language of ours an Accept-Language header likes best (RFC 9110 section 12.5.4); English otherwise."""
    best, weight = "en", 0.0
    for choice in (header or "").split(",")[:20]:
        tag, _, parameter = choice.partition(";")
        language = tag.strip().lower().partition("-")[0]
        liked = quality(parameter)
        if language in LANGUAGES and liked > weight:
            best, weight = language, liked
    return best


def quality(parameter: str) -> float:
    """The weight a parameter `q=…` gives its choice; 1 where there is none, 0 where it is no weight (RFC 9110)."""
    text = parameter.replace(" ", "").removeprefix("q=")
    if not text:
        return 1.0
    whole, _, fraction = text.partition(".")
    plain = text.isascii() and whole.isdigit() and (not fraction or fraction.isdigit())
    return min(float(text), 1.0) if plain else 0.0
