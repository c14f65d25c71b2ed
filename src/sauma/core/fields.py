"""What a field is besides its value: a stable id, a storage class and a padding; sealed by default."""

import enum
import typing

import msgspec


class Sensitivity(enum.Enum):
    """Storage class of a sealed group; one group is stored per (record, class)."""

    ORDINARY = "ordinary"
    RESTRICTED = "restricted"
    PROTECTION = "protection"

    __hash__ = object.__hash__  # as equality, by identity: the Enum's own hashes its name anew in Python each time


class Padding(enum.Enum):
    """How a value is padded before sealing so that its length tells nothing."""

    CODE = "code"
    TEXT = "text"


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed field: `id` never reused; `path` as the matrix names it; `member` its JSON name in the resource."""

    id: int
    path: str
    member: str
    sensitivity: Sensitivity
    padding: Padding


def sealed(
    field_id: int,
    path: str,
    *,
    sensitivity: Sensitivity = Sensitivity.ORDINARY,
    padding: Padding = Padding.CODE,
) -> msgspec.Meta:
    """The mark of a sealed field, for `Annotated[Money | None, …]` in a resource Struct."""
    return msgspec.Meta(
        extra={"sauma": (field_id, path, sensitivity, padding)},
        extra_json_schema={"x-sauma-class": sensitivity.value, "x-sauma-field": path},
    )


def field_specs(struct: type[msgspec.Struct]) -> tuple[FieldSpec, ...]:
    """The sealed fields of a resource Struct in id order.

    Raises:
        TypeError: a member carries no `sealed(...)` mark (fail closed: no field without a class).
    """
    hints = typing.get_type_hints(struct, include_extras=True)
    specs: list[FieldSpec] = []
    for member in msgspec.structs.fields(struct):
        marks = [m for m in getattr(hints[member.name], "__metadata__", ()) if isinstance(m, msgspec.Meta)]
        found = [m.extra["sauma"] for m in marks if m.extra and "sauma" in m.extra]
        if len(found) != 1:
            message = f"{struct.__name__}.{member.name} has no single sealed() mark"
            raise TypeError(message)
        field_id, path, sensitivity, padding = found[0]
        specs.append(
            FieldSpec(id=field_id, path=path, member=member.encode_name, sensitivity=sensitivity, padding=padding)
        )
    return tuple(sorted(specs, key=lambda s: s.id))
