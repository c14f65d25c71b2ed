"""The resources: every field has one lasting id, a class and a padding, and no value ever prints itself."""

import datetime as dt
import enum
import pathlib
import re
import sys
import tomllib
import types
import typing
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import REAL_RANGE
from sauma.core.errors import BadRequest
from sauma.core.fields import FieldSpec, Padding, Sensitivity, sealed
from sauma.core.intake import is_clean
from sauma.core.paths import FIELD_PATHS
from sauma.core.people import Environment
from sauma.core.resources import BY_FIELD_ID, REGISTRY, Resource, check_identifiers, fields_at, lock_lines, register
from sauma.core.resources.record import Record

ROOT = pathlib.Path(__file__).parents[2]
LOCK = ROOT / "schemas" / "field-ids.lock"
MARKER = "Marker-Äkta"
CODE_BYTES = 32


def test_the_fields_are_those_of_the_matrix() -> None:
    wanted = [path for path in FIELD_PATHS if path.partition(".")[0] not in {"legal", "case"}]
    assert sorted({spec.path for _, spec in BY_FIELD_ID.values()}) == sorted(wanted)


def test_every_resource_carries_the_worker_and_every_other_path_stands_once() -> None:
    counts = {path: len(fields_at(path)) for _, spec in BY_FIELD_ID.values() for path in [spec.path]}
    workers = {path for path in counts if path.startswith("worker.")}
    assert {counts[path] for path in workers} == {len(REGISTRY)}
    assert {count for path, count in counts.items() if path not in workers} == {1}
    assert fields_at("person.diagnosis") == ()


def test_the_resources_are_those_of_the_contract() -> None:
    deposited = "persons households applications decisions calculations housing-costs payments commitments recoveries"
    notices = "referrals activations integrations"
    rest = "reductions statements county-decisions plans"
    assert {r.name for r in REGISTRY.values() if r.deposited} == set(f"{deposited} {rest}".split())
    assert {r.name for r in REGISTRY.values() if not r.deposited} == set(notices.split())


def test_member_names_come_from_the_path() -> None:
    for resource, spec in BY_FIELD_ID.values():
        prefix, _, last = spec.path.partition(".")
        own = resource.prefixes[0] == prefix
        assert spec.member == (last if own else prefix + last[0].upper() + last[1:]), spec.path


def test_classes_are_those_of_the_contract() -> None:
    found = {spec.path: spec.sensitivity for _, spec in BY_FIELD_ID.values()}
    assert {path for path, kind in found.items() if kind is Sensitivity.RESTRICTED} == {
        "contact.phone",
        "contact.address",
        "calculation.healthCostDetail",
    }
    assert {path for path, kind in found.items() if kind is Sensitivity.PROTECTION} == {"person.turvakielto"}


def test_no_field_id_was_ever_changed_or_used_again() -> None:
    locked = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    ids = [line.partition(" ")[0] for line in locked]
    assert len(ids) == len(set(ids)), "an id stands twice in the lock"
    retired = {line.partition(" ")[0] for line in locked if line.endswith(" retired")}
    current = lock_lines()
    assert not retired & {line.partition(" ")[0] for line in current}, "a retired id is used again"
    assert sorted(current) == sorted(line for line in locked if not line.endswith(" retired")), (
        "fields and schemas/field-ids.lock differ: add lines for new fields, mark removed ones `<id> retired`"
    )


class _Twice(Record, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    a: typing.Annotated[str | None, sealed(9901, "twice.a")] = None
    b: typing.Annotated[str | None, sealed(9901, "twice.b")] = None


class _Unclassified(Record, frozen=True, kw_only=True):
    a: str | None = None


class _Foreign(Record, frozen=True, kw_only=True):
    a: typing.Annotated[str | None, sealed(9901, "person.name")] = None


FAULTS: dict[str, tuple[tuple[str, int, tuple[str, ...], type[Record], bool], ...]] = {
    "an id used twice": (("twice", 99, ("twice",), _Twice, True),),
    "an id of another table": (("twice", 98, ("twice",), _Twice, True),),
    "a field without a class": (("none", 99, ("none",), _Unclassified, True),),
    "a field of another resource": (("none", 99, ("none",), _Foreign, True),),
    "a table used twice": (
        ("one", 99, ("person",), _Foreign, True),
        ("two", 99, ("none",), Record, True),
    ),
}


@pytest.mark.parametrize("rows", FAULTS.values(), ids=FAULTS)
def test_the_server_does_not_start_with(rows: tuple[tuple[str, int, tuple[str, ...], type[Record], bool], ...]) -> None:
    with pytest.raises(TypeError):
        register(*rows)


def shapes(hint: object) -> list[object]:
    """The types a hint is made of, each `Annotated` kept whole."""
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        return [shape for part in typing.get_args(hint) for shape in shapes(part)]
    inner = typing.get_args(hint)[0] if origin is typing.Annotated else hint
    if typing.get_origin(inner) in {typing.Union, types.UnionType}:
        return shapes(inner)
    return [hint]


def longest(hint: object) -> int:
    """An upper bound of the JSON bytes of a value of the hint; beyond any bound it is 10**6."""
    metas: tuple[object, ...] = ()
    while typing.get_origin(hint) is typing.Annotated:
        hint, metas = typing.get_args(hint)[0], (*metas, *hint.__metadata__)
    if hint is type(None) or hint is bool:
        return 5
    if hint is dt.date:
        return 12
    if typing.get_origin(hint) is typing.Literal:
        return max(len(str(value)) for value in typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return max(len(value.value) for value in hint) + 2
    found = [m for m in metas if isinstance(m, msgspec.Meta)]
    if hint is int:
        return max([len(str(m.le)) for m in found if m.le is not None], default=10**6)
    ascii_only = any(
        m.pattern and m.pattern.isascii() and "." not in re.sub(r"\\\.|\[[^]]*\]", "", m.pattern) for m in found
    )
    bounds = [m.max_length for m in found if m.max_length is not None]
    bounds += [int(top) + 1 for m in found if m.pattern for top in re.findall(r"\{[0-9]+,([0-9]+)\}\$$", m.pattern)]
    return min(bounds) + 2 if hint is str and bounds and ascii_only else 10**6


@pytest.mark.parametrize(("resource", "spec"), BY_FIELD_ID.values(), ids=lambda x: getattr(x, "path", None) or x.name)
def test_what_is_padded_as_a_code_always_fits_its_32_bytes(resource: Resource, spec: FieldSpec) -> None:
    hints = typing.get_type_hints(resource.struct, include_extras=True)
    names = {f.encode_name: f.name for f in msgspec.structs.fields(resource.struct)}
    size = max(longest(shape) for shape in shapes(hints[names[spec.member]]))
    if spec.padding is Padding.CODE:
        assert size <= CODE_BYTES
    else:
        assert size > CODE_BYTES, "a short code needs no text padding"


def structs() -> list[type[msgspec.Struct]]:
    """Every Struct of client data: all of core.people and core.resources but the registry's own row."""
    modules = [module for name, module in sys.modules.items() if name.startswith("sauma.core.resources")]
    found = {v for m in modules for v in vars(m).values() if isinstance(v, type) and issubclass(v, msgspec.Struct)}
    public = [s for s in found if s is not Resource and s.__module__.startswith("sauma.core.resources")]
    return sorted(public, key=lambda s: s.__name__)


@pytest.mark.parametrize("struct", structs(), ids=lambda s: s.__name__)
def test_no_struct_of_client_data_prints_its_values(struct: type[msgspec.Struct]) -> None:
    made = struct(**dict.fromkeys((f.name for f in msgspec.structs.fields(struct)), MARKER))
    shown = f"{made} {made!r} {[made]} {made.__rich_repr__()} %s" % made
    assert MARKER not in shown
    assert struct.__name__ in repr(made)


FIELDS: dict[str, tuple[str, str, str | None, tuple[str, ...]]] = {
    "a decision": ("decisions", '{"amount":"412.30","date":"2026-03-05"}', None, ()),
    "nothing set": ("plans", "{}", None, ()),
    "an unknown member": ("decisions", '{"diagnosis":"F10"}', "unknown-property", ("/fields",)),
    "a bank account": ("payments", '{"iban":"FI21"}', "unknown-property", ("/fields",)),
    "an unknown member deep inside": (
        "households",
        '{"members":[{"hetu":"010594Y9032","relation":"child","sex":"f"}]}',
        "unknown-property",
        ("/fields/members/0",),
    ),
    "money as a number": ("decisions", '{"amount":412.30}', "invalid-value", ("/fields/amount",)),
    "money with one decimal": ("decisions", '{"amount":"412.3"}', "invalid-value", ("/fields/amount",)),
    "money with Arabic digits": ("decisions", '{"amount":"٤١٢.٣٠"}', "invalid-value", ("/fields/amount",)),
    "a day that does not exist": ("payments", '{"date":"2026-02-30"}', "invalid-value", ("/fields/date",)),
    "a moment for a day": ("payments", '{"date":"2026-02-03T00:00:00Z"}', "invalid-value", ("/fields/date",)),
    "a period that ends before it begins": (
        "decisions",
        '{"period":{"from":"2026-02-01","to":"2026-01-31"}}',
        "invalid-value",
        ("/fields/period",),
    ),
    "half a period": ("decisions", '{"period":{"from":"2026-02-01"}}', "invalid-value", ("/fields/period",)),
    "a reduction of 30": ("reductions", '{"percent":30}', "invalid-value", ("/fields/percent",)),
    "a flag as text": ("applications", '{"urgencyFlag":"true"}', "invalid-value", ("/fields/urgencyFlag",)),
    "a referral text too long": (
        "referrals",
        '{"text":"' + "x" * 1001 + '"}',
        "invalid-value",
        ("/fields/text",),
    ),
    "a municipality without its zero": (
        "persons",
        '{"homeMunicipality":"5"}',
        "invalid-value",
        ("/fields/homeMunicipality",),
    ),
    "a fourth statement topic": ("statements", '{"topic":"other"}', "invalid-value", ("/fields/topic",)),
    "an array for the fields": ("statements", "[]", "invalid-value", ("/fields",)),
    "too many household members": (
        "households",
        '{"members":[' + ",".join(['{"hetu":"010594Y9032","relation":"child"}'] * 31) + "]}",
        "invalid-value",
        ("/fields/members",),
    ),
}


@pytest.mark.parametrize(("name", "raw", "code", "pointers"), FIELDS.values(), ids=FIELDS)
def test_the_fields_of_a_record(name: str, raw: str, code: str | None, pointers: tuple[str, ...]) -> None:
    if code is None:
        assert isinstance(REGISTRY[name].decode(raw.encode()), REGISTRY[name].struct)
        return
    with pytest.raises(BadRequest) as refused:
        REGISTRY[name].decode(raw.encode())
    assert (refused.value.code, refused.value.pointers) == (code, pointers)


HOUSEHOLD = b'{"members":[{"hetu":"010594Y9032","relation":"child"},{"hetu":"%b","relation":"spouse"}]}'
CODES: dict[str, tuple[str, bytes, Environment, tuple[str, ...]]] = {
    "a member of the test range in test": ("households", HOUSEHOLD % b"020594X903P", Environment.TEST, ()),
    "a member of the test range in production": (
        "households",
        HOUSEHOLD % b"020594X903P",
        Environment.PRODUCTION,
        ("/fields/members/0/hetu", "/fields/members/1/hetu"),
    ),
    "a member whose code has a wrong check character": (
        "households",
        HOUSEHOLD % b"020594X903R",
        Environment.TEST,
        ("/fields/members/1/hetu",),
    ),
    "a real person's code in test": (
        "persons",
        b'{"hetu":"%s"}' % REAL_RANGE.encode(),
        Environment.TEST,
        ("/fields/hetu",),
    ),
    "no code at all": ("decisions", b"{}", Environment.TEST, ()),
}


@pytest.mark.parametrize(("name", "raw", "environment", "wrong"), CODES.values(), ids=CODES)
def test_identity_codes_inside_values(name: str, raw: bytes, environment: Environment, wrong: tuple[str, ...]) -> None:
    fields = REGISTRY[name].decode(raw)
    if not wrong:
        check_identifiers(fields, environment=environment)
        return
    with pytest.raises(BadRequest) as refused:
        check_identifiers(fields, environment=environment)
    assert (refused.value.code, refused.value.pointers) == ("invalid-value", wrong)


def test_everybody_named_in_the_values_is_told() -> None:
    household = REGISTRY["households"]
    assert household.person_identifiers(household.decode(HOUSEHOLD % b"020594X903P")) == ("010594Y9032", "020594X903P")
    assert household.person_identifiers(household.decode(b"{}")) == ()


MONTHS = {
    "applications": ('{"receivedAt":"2026-03-05"}', "2026-03"),
    "decisions": ('{"date":"2026-03-05"}', "2026-03"),
    "payments": ('{"date":"2026-03-05"}', "2026-03"),
    "county-decisions": ('{"date":"2026-03-05"}', "2026-03"),
    "plans": ('{"reviewedAt":"2026-03-05"}', "2026-03"),
    "statements": ('{"informedAt":"2026-03-05"}', "2026-03"),
    "reductions": ('{"period":{"from":"2026-03-05","to":"2026-04-05"}}', "2026-03"),
    "commitments": ('{"valid":{"from":"2026-03-05","to":"2026-04-05"}}', "2026-03"),
    "calculations": ('{"result":"-1.00"}', None),
    "housing-costs": ('{"directiveDue":"2026-03-05"}', None),
}


@pytest.mark.parametrize(("name", "raw", "month"), [(n, *row) for n, row in MONTHS.items()], ids=MONTHS)
def test_the_month_a_record_concerns(name: str, raw: str, month: str | None) -> None:
    resource = REGISTRY[name]
    assert resource.month_of(resource.decode(raw.encode())) == month
    assert resource.month_of(resource.decode(b"{}")) is None


def test_every_field_becomes_a_fragment_and_unset_ones_are_null() -> None:
    resource = REGISTRY["decisions"]
    fragments = resource.fragments(resource.decode(b'{"amount":"412.30","appeal":false}'))
    assert set(fragments) == {spec.id for spec in resource.specs}
    assert {i: f for i, f in fragments.items() if f != b"null"} == {405: b'"412.30"', 408: b"false"}


def test_code_lists_agree_with_the_catalogue() -> None:
    codes = tomllib.loads((ROOT / "src/sauma/catalogue/codes.toml").read_text(encoding="utf-8"))
    pairs = {
        "needCategories": {"referral.needCategory"},
        "grounds": {"referral.ground"},
        "statementTopics": {"statement.topic"},
        "reductionGrounds": {"reduction.ground"},
        "urgencyReasons": {"application.urgencyReason"},
        "triggers": {"activation.trigger", "integration.trigger"},
    }
    for name, paths in pairs.items():
        mine: set[str] = set()
        for path in paths:
            [(resource, spec)] = fields_at(path)
            hint = typing.get_type_hints(resource.struct, include_extras=True)[
                re.sub("([A-Z])", r"_\1", spec.member).lower()
            ]
            mine |= {v.value for part in shapes(hint) if isinstance(part, enum.EnumMeta) for v in part}
        assert mine == {row["code"] for row in codes[name]}, name


TEXTS = {
    "plain": ("Äiti ja isä\n2. rivi", True),
    "decomposed": ("A\u0308iti", False),
    "a bell": ("a\x07", False),
    "a tab": ("a\tb", False),
    "right-to-left override": ("abc\u202edef", False),
    "zero-width space": ("a\u200bb", False),
    "soft hyphen": ("a\xadb", False),
    "line separator": ("a\u2028b", False),
    "an escape sequence": ("\x1b[31m", False),
    "a final line feed": ("a\n", False),
    "emoji": ("😀", True),
}


@pytest.mark.parametrize(("text", "clean"), TEXTS.values(), ids=TEXTS)
def test_what_a_text_may_hold(text: str, *, clean: bool) -> None:
    assert is_clean(text) is clean


@given(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"]))
def test_no_invisible_character_is_clean(character: str) -> None:
    assert is_clean(f"a{character}b") is (character == "\n" or unicodedata.category(character) == "Cn")
