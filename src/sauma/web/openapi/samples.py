"""Examples made from the schemas themselves, so that a new operation, member or field brings its own.

A schema's `examples` come first, then what is known of its name here, then what its form asks for. A pattern nobody
here knows is an error: whoever adds one gives it `examples` (`msgspec.Meta(examples=[…])`).
"""

from types import MappingProxyType
from typing import Any

JsonObject = dict[str, Any]
_DIGEST = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
_PAIRWISE = "s1." + "Q" * 64
_PERSON = "010594Y9032"
_KELA, _COUNTY = "0246246-0", "3221308-6"
_CASE = "PIRHA-2026-000123"
_TITLE = {"fi": "Oikeus saada tietoja", "sv": "Rätt att få uppgifter", "en": "Right to obtain information"}
_OFFICER = {
    "id": "w-17",
    "name": "Maija Esimerkki",
    "role": "social-care-professional",
    "unit": "Tampere, adult social work",
}

_MEMBERS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "access_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
        "act": "1412/1997",
        "actor": {
            "id": "integrator",
            "text": {"fi": "Järjestelmän ylläpito", "sv": "Driften", "en": "Whoever runs it"},
        },
        "alreadyHeld": ["person.hetu"],
        "at": "2026-01-15T09:00:00Z",
        "author": "Maija Esimerkki, social worker",
        "authorization_details": [{"type": "sauma_case_access", "organisation": _COUNTY}],
        "bearer_methods_supported": ["header"],
        "caseReference": _CASE,
        "catalogueDigest": _DIGEST,
        "client_assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln",
        "code": "housing-costs-assessment",
        "components": {},
        "controller": _KELA,
        "currentAsOf": "2026-01-15T06:00:00Z",
        "discloser": _KELA,
        "dossier": "TSV-2026:17",
        "effectiveAt": "2026-01-15T09:00:00Z",
        "eraseBy": "2027-01-31",
        "digests": {"ordinary": _DIGEST},
        "expectedRevision": 1,
        "expires_in": 300,
        "extent": "erased",
        "field": "calculation.assets",
        "fields": ["decision.amount", "calculation.result"],
        "goals": "Own housing by the autumn.",
        "id": "PTK-2026-000042",
        "issuer": "https://v1.sauma.example",
        "jwks_uri": "https://v1.sauma.example/.well-known/jwks.json",
        "keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "receipt-1", "use": "sig", "x": "A" * 43}],
        "kid": "receipt-1",
        "kind": "supplementary-assistance",
        "leaf": '{"v":1}',
        "leafHash": _DIGEST,
        "manifest": "[]",
        "month": "2026-01",
        "name": "Maija Esimerkki",
        "nextCursor": "eyJ2IjoxfQ",
        "number": "P01",
        "only": ["decision.amount"],
        "openapi": "3.1.0",
        "openedAt": "2026-01-02",
        "organisation": _COUNTY,
        "paths": {},
        "payload": {"kind": "disclosure"},
        "pointer": "/caseReference",
        "preconditions": ["open-matter", "prior-information"],
        "proportionality": "Income necessary for a decent life is left.",
        "protected_resources": ["https://v1.sauma.example"],
        "provisions": ["1412/1997 18 g"],
        "purpose": "county-benefit-case",
        "reason": "not-requested",
        "reasons": "Income covers a part of the basic needs.",
        "receivedBy": "client",
        "receiver": _COUNTY,
        "receiverRoles": ["social-care-professional"],
        "representativeName": "Matti Esimerkki",
        "resource": "decisions",
        "retainUntil": "2036-12-31",
        "scope": "case:read matter:write",
        "scopes_supported": ["case:read", "matter:write"],
        "section": "18 g",
        "setByServer": ["legal.basis"],
        "shown": "Pending matter missing",
        "signature": "A" * 86,
        "source": "1412/1997 7 §",
        "sourceReference": "KELA-2026-4711",
        "state": "current",
        "subjectId": _PAIRWISE,
        "textVersion": "1",
        "token_endpoint": "https://v1.sauma.example/oauth/token",
        "introspection_endpoint": "https://v1.sauma.example/oauth/introspect",
        "revocation_endpoint": "https://v1.sauma.example/oauth/revoke",
        "unit": "Tampere, adult social work",
        "until": "2026-01-15T15:00:00Z",
        "version": 1,
        "workerContact": "+358295000000",
        "workerRole": "social worker",
        "workerUnit": "Kela, basic social assistance",
    }
)
"""What a member of this name holds, wherever its schema allows it."""

_SCHEMAS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "AnsweredBasis": {
            "kind": "statutePull",
            "provisions": [{"act": "1412/1997", "section": "18 g", "title": _TITLE}],
        },
        "AnsweredPurpose": {"id": "county-benefit-case", "version": 1, "catalogueDigest": _DIGEST},
        "AnsweredSource": {
            "controller": _KELA,
            "resource": "decisions",
            "status": "current",
            "currentAsOf": "2026-01-15T06:00:00Z",
        },
        "AuditSessionBody": {
            "auditPurpose": "supervision",
            "dossier": "TSV-2026:17",
            "officer": {
                "id": "t-3",
                "name": "Tarja Esimerkki",
                "role": "data-protection-officer",
                "unit": "Data protection",
            },
            "until": "2026-01-15T15:00:00Z",
        },
        "CaseQueryBody": {
            "purpose": "county-benefit-case",
            "caseReference": _CASE,
            "controller": _KELA,
            "subject": {"hetu": _PERSON},
            "officer": _OFFICER,
            "form": "values",
            "limit": 50,
            "fields": ["decision.amount", "calculation.result", "housing.accepted"],
            "necessity": {"housing.accepted": "housing-costs-assessment"},
        },
        "CoSubjectBody": {"subject": {"hetu": "020594-901M"}, "relation": "spouse"},
        "ErasureBody": {"extent": "erased", "at": "2026-01-15T09:00:00Z", "officer": _OFFICER},
        "IdentifierChangeBody": {
            "from": {"personOid": "1.2.246.10.2462460.22.2026.1"},
            "to": {"hetu": _PERSON},
            "reason": "assigned",
            "effectiveAt": "2026-01-15T09:00:00Z",
            "officer": _OFFICER,
        },
        "OfficerBody": _OFFICER,
        "Period": {"from": "2026-01-01", "to": "2026-01-31"},
        "SubjectRef": {"hetu": _PERSON},
        "Text": _TITLE,
        "ShownTokenForm": {
            "token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln",
        },
        "TokenForm": {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln",
            "scope": "case:read matter:write",
        },
    }
)
"""What a whole object holds where one member decides about another."""

_USUAL = frozenset({"open", "current", "disclosed", "granted", "development", "R", "statutePull", "pull"})
"""Values of closed lists that are commoner than the first."""

_LEFT_OUT = frozenset({"contactAddress", "explanation", "contact", "existence"})
"""Members no example has: the Dutch rules take a text whose key holds "post" for an operation; the others stand in
answers of another outcome or form."""

_INSTANT = "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z$"
_PATTERNS: MappingProxyType[str, str] = MappingProxyType(
    {
        "^[0-9]{5}$": "33100",
        "^[0-9]{7}-[0-9]$": _KELA,
        "^[0-9]{1,4}/[0-9]{4}$": "1412/1997",
        r"^-?[0-9]{1,9}\.[0-9]{2}$": "412.30",
        "^[A-Za-z0-9._:~-]{1,64}$": _CASE,
        "^[A-Za-z]{1,40}[.][A-Za-z]{1,40}$": "decision.amount",
        "^[0-9]{4}-[0-9]{2}$": "2026-01",
        "^[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]$": _PERSON,
        r"^\+?[0-9]{5,15}$": "+358401234567",
        "^[0-9]{3}$": "837",
        "^[a-z0-9-]{1,64}$": "county-benefit-case",
        "^s[1-9][0-9]{0,8}[.][A-Za-z0-9_-]{64,160}$": _PAIRWISE,
        _INSTANT: "2026-01-15T09:00:00Z",
    }
)
_FORMATS: MappingProxyType[str, str] = MappingProxyType(
    {
        "date": "2026-01-15",
        "date-time": "2026-01-15T09:00:00Z",
        "uuid": "01990000-0000-7000-8000-000000000001",
        "hetu": _PERSON,
        "uri": "https://v1.sauma.example",
        "person-oid": "1.2.246.10.2462460.22.2026.1",
        "clean-text": "text",
        "entity-tag": '"1"',
    }
)


class Sampler:
    """Examples of the schemas of one document."""

    def __init__(self, schemas: JsonObject) -> None:
        self._schemas = schemas

    def of(self, schema: JsonObject, name: str = "") -> Any:  # noqa: ANN401  # any JSON value
        """An example of a schema; `name` is the member it stands in."""
        if "$ref" in schema:
            component = schema["$ref"].rpartition("/")[2]
            for known in (component, component.removeprefix("Answered")):
                if known in _SCHEMAS:
                    return _SCHEMAS[known]
            return self.of(self._schemas[component], name)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next((value for value in schema["enum"] if value in _USUAL), schema["enum"][0])
        if "discriminator" in schema:
            kinds = schema["discriminator"]["mapping"]
            return self.of({"$ref": kinds.get("decisions", next(iter(kinds.values())))}, name)
        for way in ("anyOf", "oneOf"):
            if way in schema and "properties" not in schema:
                return self.of(schema[way][0], name)
        return self._typed(schema, name)

    def _typed(self, schema: JsonObject, name: str) -> Any:  # noqa: ANN401  # any JSON value
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return [self.of(schema["items"], name)] if "items" in schema else []
            case "integer":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
            case ["string", "null"]:
                return self._text(schema)
            case "string":
                return self._text(schema)
            case _:
                return {}

    def _object(self, schema: JsonObject) -> JsonObject:
        properties: JsonObject = schema.get("properties", {})
        made = {name: self._member(name, said) for name, said in properties.items() if name not in _LEFT_OUT}
        more = schema.get("additionalProperties")
        if not properties and isinstance(more, dict):
            made["decision.amount"] = self.of(more)
        return made

    def _member(self, name: str, said: JsonObject) -> Any:  # noqa: ANN401  # any JSON value
        if name in _MEMBERS and "examples" not in said and self._fits(said, _MEMBERS[name]):
            return _MEMBERS[name]
        return self.of(said, name)

    def _fits(self, said: JsonObject, value: Any) -> bool:  # noqa: ANN401  # any JSON value
        """Whether a known value is of a type the schema names plainly, or in its list; components are not overruled."""
        if "anyOf" in said:
            return any(self._fits(part, value) for part in said["anyOf"])
        if "$ref" in said or "const" in said or said.get("format") in {"uuid", "uri"}:
            return False
        if "enum" in said:
            return value in said["enum"]
        kinds = {str: "string", int: "integer", list: "array", dict: "object", type(None): "null"}
        if said.get("type") != kinds[type(value)]:
            return False
        return not isinstance(value, list) or self._fits(said.get("items", {}), value[0])

    def _text(self, schema: JsonObject) -> str:
        if "pattern" in schema:
            return _PATTERNS[schema["pattern"]]
        if "format" in schema:
            return _FORMATS[schema["format"]]
        return "text"
