"""What input may be beyond its type, and how a misfit is told: a closed code and schema members, never the input."""

import re
import unicodedata
from typing import Protocol, runtime_checkable

import msgspec
from msgspec import inspect

from sauma.core.errors import BadRequest

_UNWANTED = re.compile(
    "["
    "\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters; the line feed is allowed inside a text
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"  # format characters (Cf) from here on
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # with line and paragraph separators
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and noncharacters
    "]"
)
_UNKNOWN_MEMBER = "Object contains unknown field"
_PATH = re.compile(r" - at `(?:key` in `)?\$([^`]*)`$")
_SEGMENT = re.compile(r"\.([A-Za-z][A-Za-z0-9]*)|\[([0-9]{1,6})\]|\[\.\.\.\]")


def is_clean(text: str) -> bool:
    r"""Whether a text is NFC, holds no control (but `\n`), bidi or invisible character, and ends in no line feed.

    The last rule closes the gap between `$` of Python, which matches before a final line feed, and `$` of ECMA 262,
    so that one pattern means the same here and in the published JSON Schema.
    """
    return not text.endswith("\n") and not _UNWANTED.search(text) and unicodedata.is_normalized("NFC", text)


@runtime_checkable
class _Wrapped(Protocol):
    """`inspect.Metadata`, which carries our marks; named by shape because its own annotations are untyped."""

    type: inspect.Type


def members_of(type_: object) -> frozenset[str]:
    """The JSON names of all Struct members reachable from a type; only these may stand in a pointer."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting: list[inspect.Type] = [inspect.type_info(type_)]
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=struct, fields=fields) if id(struct) not in seen:
                seen.add(id(struct))
                found.update(field.encode_name for field in fields)
                waiting.extend(field.type for field in fields)
            case inspect.UnionType(types=types):
                waiting.extend(types)
            case inspect.DictType(value_type=value_type):
                waiting.append(value_type)
            case (
                inspect.ListType(item_type=item_type)
                | inspect.VarTupleType(item_type=item_type)
                | inspect.SetType(item_type=item_type)
                | inspect.FrozenSetType(item_type=item_type)
            ):
                waiting.append(item_type)
            case _Wrapped(type=inner):
                waiting.append(inner)
            case inspect.TupleType(item_types=item_types):
                waiting.extend(item_types)
            case _:
                pass
    return frozenset(found)


def bad_request(error: msgspec.ValidationError, type_: object, *, prefix: str = "") -> BadRequest:
    """The refusal of a value that does not fit `type_`; `prefix` is the pointer of the value within the body.

    msgspec's text may quote input, so nothing of it is used but its fixed opening and a path of known members:
    the pointer stops where the path leaves the schema. An unknown member is told by its parent's pointer.
    """
    text = str(error)
    code = "unknown-property" if text.startswith(_UNKNOWN_MEMBER) else "invalid-value"
    path = _PATH.search(text)
    return BadRequest(code, (prefix + _pointer(path[1] if path else "", members_of(type_)),))


def _pointer(path: str, known: frozenset[str]) -> str:
    parts: list[str] = []
    place = 0
    while match := _SEGMENT.match(path, place):
        place = match.end()
        if match[1] is not None and match[1] not in known:
            break
        if match[1] is None and match[2] is None:
            break
        parts.append(match[1] or match[2])
    return "".join(f"/{part}" for part in parts)
