"""Components: closed objects of what is read, open ones of what is answered, one variant for each kind of record."""

import copy
from typing import Any, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler

from sauma.core.decision import PULLS_BUILT
from sauma.core.people import HETU_PATTERN
from sauma.core.problems import STATUS
from sauma.core.purposes import Catalogue
from sauma.core.resources import REGISTRY
from sauma.web.answers import ANSWERS
from sauma.web.openapi.events import EVENTS, add_event_schemas
from sauma.web.problems import CredentialsProblem, Problem
from sauma.web.published import OAuthError

JsonObject = dict[str, Any]
REF = "#/components/schemas/{name}"
DEPOSITED = {name: resource.struct for name, resource in REGISTRY.items() if resource.deposited}
_SMALL = 2**31 - 1
_CHOSEN = {
    ("AuditSessionBody", "auditPurpose"): "auditPurposes",
    ("CoSubjectBody", "relation"): "relations",
    ("MatterBody", "kind"): "matterKinds",
    ("OfficerBody", "role"): "officerRoles",
    ("PriorInformationBody", "language"): "languages",
}
"""Members of bodies whose values are a closed list of the catalogue."""


def component_schemas(routes: tuple[HTTPRouteHandler, ...], catalogue: Catalogue) -> dict[str, JsonObject]:
    """Every schema the operations refer to, by name."""
    read = [kind for route in routes for kind in (body_of(route), route.opt.get("form")) if kind is not None]
    read += DEPOSITED.values()
    answered = [ANSWERS[route.fn.__name__] for route in routes if route.fn.__name__ in ANSWERS]
    _, closed = msgspec.json.schema_components(dict.fromkeys(read), ref_template=REF)
    more = (Problem, CredentialsProblem, OAuthError, *EVENTS.values())
    _, schemas = msgspec.json.schema_components(dict.fromkeys([*read, *answered, *more]), ref_template=REF)
    for name in schemas.keys() - closed.keys():
        if schemas[name].get("additionalProperties") is False:
            del schemas[name]["additionalProperties"]
    _name_codes(schemas, catalogue)
    _name_records(schemas)
    _open_answers(schemas, {name for name in closed if name in schemas})
    add_event_schemas(schemas)
    for name, schema in schemas.items():
        schema["title"] = name  # generators name classes by it, and drop the second of two
        _complete(schema)
        if schema.get("additionalProperties") is False:
            _say_clean(schema)
    return dict(sorted(schemas.items()))


def body_of(route: HTTPRouteHandler) -> type[msgspec.Struct] | None:
    """The type a route reads, without the marker of the body's media type; None where it reads none."""
    kind: type[msgspec.Struct] | None = get_type_hints(route.fn).get("data")
    return kind


def ref(name: str) -> JsonObject:
    """A reference to a component."""
    return {"$ref": REF.format(name=name)}


def _name_codes(schemas: dict[str, JsonObject], catalogue: Catalogue) -> None:
    """Closed lists are shown as their codes, and rules between members as far as JSON Schema can say them."""
    for (name, member), codes in _CHOSEN.items():
        _choose(schemas[name]["properties"], member, list(catalogue.codes[codes]))
    query = schemas["CaseQueryBody"]["properties"]
    _choose(query["necessity"], "additionalProperties", list(catalogue.codes["necessity"]))
    query["purpose"]["examples"] = sorted(PULLS_BUILT)
    _choose(schemas["Problem"]["properties"], "code", sorted(STATUS))
    schemas["MatterBody"]["properties"]["openedAt"]["anyOf"] = [
        {"type": "string", "format": form} for form in ("date", "date-time")
    ]
    _choose(schemas["ErasureBody"]["properties"], "purpose", sorted(catalogue.purposes))
    _name_erasures(schemas)
    _name_officers(schemas)
    document = schemas["Description"]
    document["properties"] = {name: document["properties"][name] for name in document["required"]}
    schemas["SubjectRef"] |= {"minProperties": 1, "maxProperties": 1}
    schemas["SubjectRef"]["properties"]["hetu"]["format"] = "hetu"
    schemas["SubjectRef"]["properties"]["personOid"]["format"] = "person-oid"


def _name_officers(schemas: dict[str, JsonObject]) -> None:
    """An officer is a person with a role and a unit, or an unattended run with the unit that answers for it."""
    said = schemas["OfficerBody"]["properties"]
    person: JsonObject = {"kind": {"type": "string", "const": "person", "default": "person"}, "responsibleUnit": None}
    person |= {name: said[name]["anyOf"][0] for name in ("role", "unit")}
    run: JsonObject = {"kind": {"type": "string", "const": "process"}, "role": None, "unit": None}
    run["responsibleUnit"] = said["responsibleUnit"]["anyOf"][0]
    _split(schemas, "OfficerBody", "CaseworkerOfficer", person, ("role", "unit"))
    _split(schemas, "OfficerBody", "UnattendedRun", run, ("kind", "responsibleUnit"))
    _join(schemas, "OfficerBody", "CaseworkerOfficer", "UnattendedRun")


def _name_erasures(schemas: dict[str, JsonObject]) -> None:
    """Only what is kept for another purpose names it."""
    said = schemas["ErasureBody"]["properties"]
    other = "other-purpose"
    gone: JsonObject = {"extent": {"type": "string", "enum": [e for e in said["extent"]["enum"] if e != other]}}
    kept: JsonObject = {"extent": {"type": "string", "const": other}, "purpose": said["purpose"]["anyOf"][0]}
    _split(schemas, "ErasureBody", "ErasedOrFiled", gone | {"purpose": None}, ())
    _split(schemas, "ErasureBody", "KeptForOtherPurpose", kept, ("purpose",))
    _join(schemas, "ErasureBody", "ErasedOrFiled", "KeptForOtherPurpose")


def _split(schemas: dict[str, JsonObject], name: str, variant: str, own: JsonObject, needed: tuple[str, ...]) -> None:
    """A variant of an object in which some members are its own, or none of its (None), and more are needed.

    Not `{"type": "null"}`: a member that can be nothing but null is not to be typed in openapi-fetch.
    """
    whole = schemas[name]
    schemas[variant] = whole | {
        "title": variant,
        "properties": {member: said for member, said in (whole["properties"] | own).items() if said is not None},
        "required": [*whole["required"], *needed],
    }


def _join(schemas: dict[str, JsonObject], name: str, *variants: str) -> None:
    """An object is one of its variants."""
    schemas[name] = {"description": schemas[name]["description"], "anyOf": [ref(variant) for variant in variants]}


def _choose(properties: JsonObject, member: str, codes: list[str]) -> None:
    """Say that a member's text, where it is not null, is one of the codes."""
    said = properties[member]
    chosen = {"type": "string", "enum": codes}
    if "anyOf" in said:
        said["anyOf"] = [part if part.get("type") == "null" else chosen for part in said["anyOf"]]
    else:
        properties[member] = {**{name: said[name] for name in ("description",) if name in said}, **chosen}


def _name_records(schemas: dict[str, JsonObject]) -> None:
    """A record's body, deposit and disclosure once for each resource, told apart by `resource`."""
    one, many, given = (schemas.pop(name) for name in ("RecordBody", "DepositBody", "DisclosedRecord"))
    for name, kind in DEPOSITED.items():
        about = f" The resource is `{name}`."
        schemas[f"{kind.__name__}Body"] = _with_fields(one, kind, about)
        for base, title in ((many, f"{kind.__name__}Deposit"), (given, f"Disclosed{kind.__name__}")):
            schemas[title] = _with_fields(base, kind, about)
            schemas[title]["properties"]["resource"] = {"type": "string", "const": name}
    for union, pattern, base in (("DepositBody", "{}Deposit", many), ("DisclosedRecord", "Disclosed{}", given)):
        refs = {name: REF.format(name=pattern.format(kind.__name__)) for name, kind in DEPOSITED.items()}
        schemas[union] = {
            "description": base["description"],
            "oneOf": [{"$ref": to} for to in refs.values()],
            "discriminator": {"propertyName": "resource", "mapping": refs},
        }


def _with_fields(base: JsonObject, kind: type[msgspec.Struct], about: str) -> JsonObject:
    made = copy.deepcopy(base)
    made["description"] += about
    made["properties"]["fields"] = ref(kind.__name__)
    return made


def _open_answers(schemas: dict[str, JsonObject], closed: set[str]) -> None:
    """Answers point to open twins (`Answered…`) of objects that are closed where they are read."""
    closed = {name for name in closed if schemas[name].get("additionalProperties") is False}
    waiting = [f"Disclosed{kind.__name__}" for kind in DEPOSITED.values()]
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        for target in _opened(schemas[name], closed):
            twin = f"Answered{target}"
            if twin not in schemas:
                schemas[twin] = copy.deepcopy(schemas[target])
                del schemas[twin]["additionalProperties"]
            waiting.append(twin)


def _opened(value: Any, closed: set[str]) -> set[str]:  # noqa: ANN401  # any JSON value
    """Point every reference to a closed object to its twin; the objects that need one."""
    found: set[str] = set()
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name in closed:
            value["$ref"] = REF.format(name=f"Answered{name}")
            found.add(name)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found |= _opened(part, closed)
    return found


def _say_clean(value: Any) -> None:  # noqa: ANN401  # any JSON value
    """Texts that are read and have no form of their own are of the form `clean-text`, explained in the description."""
    if isinstance(value, dict):
        said = value.get("type")
        if "string" in (said if isinstance(said, list) else [said]) and not {"pattern", "enum", "const"} & value.keys():
            value.setdefault("format", "clean-text")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _say_clean(part)


def _complete(value: Any) -> None:  # noqa: ANN401  # any JSON value
    """What tools want to know and msgspec does not say: the size of integers, forms, nullable dates in one schema."""
    if isinstance(value, dict):
        ways = value.get("anyOf", ())
        if [way.get("format", way.get("type")) for way in ways] == ["date", "null"]:
            del value["anyOf"]
            value |= ways[0] | value | {"type": ["string", "null"]}
        chosen = value.get("enum")
        if chosen == [True]:  # generators read an enum as texts or integers
            del value["enum"]
            value |= {"type": "boolean", "const": True}
        elif isinstance(chosen, list) and isinstance(chosen[0], str):
            value.setdefault("type", "string")
        if "default" in value and value["default"] is None:
            del value["default"]  # absent says the same, and the Italian rules stumble over a null
        if value.get("type") == "integer":
            value.setdefault("format", "int32" if value.get("maximum", _SMALL) <= _SMALL else "int64")
        if value.get("pattern") == HETU_PATTERN:
            value.setdefault("format", "hetu")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _complete(part)
