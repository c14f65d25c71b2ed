"""Every type of the product filled with marker values, and every way Python turns a value into text."""

import base64
import datetime as dt
import decimal
import enum
import fnmatch
import importlib
import pkgutil
import traceback
import types
import typing
import uuid
from collections.abc import Callable, Iterator

import msgspec

from sauma.core import canonical

TEXT = "Ämmänsuo-marker"
HETU = "010594Y9032"
NUMBER = 770_770_077
DAY = dt.date(1907, 7, 7)
MOMENT = dt.datetime(1907, 7, 7, 7, 7, 7, tzinfo=dt.UTC)
ID = uuid.UUID(int=NUMBER)
BYTES = b"marker-of-a-key-"

MARKERS = (
    TEXT,
    ascii(TEXT)[1:-1],
    HETU,
    str(NUMBER),
    "1907-07-07",
    "1907, 7, 7",
    str(ID),
    BYTES.decode(),
    BYTES.hex(),
    base64.b64encode(BYTES).decode().rstrip("=")[:-1],
    str(list(BYTES))[1:-1],
)

PRIMITIVES: dict[object, object] = {
    str: TEXT,
    bytes: BYTES,
    bytearray: bytearray(BYTES),
    memoryview: memoryview(BYTES),
    int: NUMBER,
    float: float(NUMBER),
    bool: True,
    object: TEXT,
    decimal.Decimal: decimal.Decimal(NUMBER),
    dt.date: DAY,
    dt.datetime: MOMENT,
    uuid.UUID: ID,
    msgspec.Raw: msgspec.Raw(BYTES),
    type(None): None,
}

QUIET: dict[object, object] = {
    str: "x",
    bytes: b"x",
    bytearray: bytearray(b"x"),
    int: 1,
    float: 1.0,
    bool: True,
    object: "x",
    decimal.Decimal: decimal.Decimal(1),
    dt.date: dt.date(2026, 1, 1),
    dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    uuid.UUID: uuid.UUID(int=1),
    type(None): None,
}


class Unbuildable(Exception):  # noqa: N818  # a finding: the test must learn to build this type
    """No instance of the type could be made."""


def product_classes(package: types.ModuleType) -> Iterator[type]:
    """Every class defined in any module of the package; a module that does not import is an error."""
    prefix = f"{package.__name__}."
    names = [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, prefix))]
    for name in names:
        if name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == name:
                yield value


def carries_values(cls: type) -> bool:
    """Whether the type prints its members unless told otherwise (Struct, dataclass, tuple) or has its own repr."""
    if issubclass(cls, enum.Enum | BaseException | msgspec.Meta) or cls.__name__.startswith("__"):
        return False
    if issubclass(cls, msgspec.Struct):
        return True
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "_fields") or "__repr__" in vars(cls)


class Specimens:
    """Builds instances filled with markers, nested types included.

    `open_names` are patterns of types (`core.purposes.*`) whose own plain members may be printed, or of single members
    (`oauth.resource.ProtectedRequest.method`); what is nested in them still may not. `made` builds the types whose own
    checks refuse a marker.
    """

    def __init__(self, *, open_names: typing.Iterable[str], made: dict[str, Callable[[], object]]) -> None:
        self.open_names = tuple(open_names)
        self.made = made
        self.used: set[str] = set()

    def is_open(self, name: str) -> bool:
        """Whether the name matches one of the patterns; remembers which patterns were needed."""
        matching = {pattern for pattern in self.open_names if fnmatch.fnmatchcase(name, pattern)}
        self.used |= matching
        return bool(matching)

    def build(self, cls: type) -> object:
        """One instance of the type.

        Raises:
            Unbuildable: it refused every value offered.
        """
        name = qualified(cls)
        if name in self.made:
            return self.made[name]()
        own = QUIET if self.is_open(name) else PRIMITIVES
        try:
            hints = typing.get_type_hints(
                cls if is_record(cls) else vars(cls).get("__init__", object), localns=vars(canonical)
            )
            wanted = {
                member: self.value(hint, QUIET if self.is_open(f"{name}.{member}") else own)
                for member, hint in hints.items()
                if member != "return" and typing.get_origin(hint) is not typing.ClassVar
            }
            return cls(**wanted)
        except Exception as error:  # whatever a constructor refuses with is the finding
            message = f"{name}: {type(error).__name__}: {error}"
            raise Unbuildable(message) from error

    def value(self, hint: object, plain: dict[object, object]) -> object:
        """A value of the annotated type, marked where it can be."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            return arguments[0]
        if origin in {typing.Annotated, typing.ClassVar, typing.Final}:
            return self.value(arguments[0], plain)
        if origin in {typing.Union, types.UnionType}:
            arms = [arm for arm in arguments if arm not in {type(None), msgspec.UnsetType}]
            return self.value(str if str in arms else arms[0], plain)
        if isinstance(origin, type):
            return self.container(origin, arguments, plain)
        if isinstance(hint, type):
            return self.plain_or_built(hint, plain)
        return self.value(getattr(hint, "__supertype__", object), plain)

    def plain_or_built(self, cls: type, plain: dict[object, object]) -> object:
        """A value of a class: a primitive, the first member of an enum, a product type of its own."""
        if cls in plain or cls in PRIMITIVES:
            return plain.get(cls, PRIMITIVES.get(cls))
        if issubclass(cls, enum.Enum):
            return next(iter(cls))
        if cls.__module__.partition(".")[0] == "sauma" and not getattr(cls, "_is_protocol", False):
            return self.build(cls)
        return None

    def container(self, origin: type, arguments: tuple[object, ...], plain: dict[object, object]) -> object:
        """A container with one marked member of each argument."""
        if issubclass(origin, tuple):
            return tuple(self.value(a, plain) for a in arguments if a is not Ellipsis)
        values = [self.value(a, plain) for a in arguments if not isinstance(a, list)]
        if len(values) == 2 and hasattr(origin, "keys"):  # a mapping has two arguments
            return {values[0]: values[1]}
        if issubclass(origin, set | frozenset):
            return frozenset(values)
        return values if hasattr(origin, "__iter__") else None


def is_record(cls: type) -> bool:
    """Whether class annotations name the constructor's arguments."""
    return issubclass(cls, msgspec.Struct) or hasattr(cls, "__dataclass_fields__") or hasattr(cls, "_fields")


def qualified(cls: type) -> str:
    """`module.Class` without the package name."""
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("sauma.")


def reject(value: object) -> typing.NoReturn:
    """Raise with the value as argument and as a local variable."""
    culprit = value
    raise RuntimeError(culprit)


def texts(value: object) -> dict[str, str]:
    """The value as text in every way a log line, a message or a debugger makes it."""

    def thrown() -> str:
        try:
            reject(value)
        except RuntimeError as error:
            return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    return {
        "repr": repr(value),
        "str": str(value),
        "format": f"{value}",
        "f-string !r": f"{value!r}",
        "percent": "%s %r" % (value, value),  # noqa: UP031  # this way of formatting is what is tried
        "inside a list": repr([value]),
        "ascii": ascii(value),
        "traceback with locals": thrown(),
    }


def leaks(text: str) -> list[str]:
    """The markers found in a text."""
    return [marker for marker in MARKERS if marker in text]
