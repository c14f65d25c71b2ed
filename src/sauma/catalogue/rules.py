"""What a purpose must be besides well-formed, as `(key, problem)` pairs in the order a reader meets the keys.

Condition by condition: 1 names and numbers · 2 texts · 3 references to code lists · 4 fields of the matrix ·
5 flows and what their basis needs (law.md section 4) · 6 provisions and their dates · 7 window.
"""

import itertools
import re
from collections.abc import Iterator, Mapping

from sauma.core.parties import Assurance
from sauma.core.paths import FIELD_PATHS
from sauma.core.purposes import BasisKind, Cell, Code, Mode, Precondition, Provision, Purpose, Text

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NUMBER = re.compile(r"[PS][0-9]{1,2}[a-z]?")
_ACT = re.compile(r"[0-9]{1,4}/[0-9]{4}|\(EU\) [0-9]{4}/[0-9]{1,4}")
_SECTION = re.compile(r"[0-9]{1,3}(?: [a-z])?(?:\.[0-9]{1,2})?(?:\([0-9]{1,2}\))?")
_KNOWN = frozenset(FIELD_PATHS)

Codes = Mapping[str, Mapping[str, Code]]
Faults = Iterator[tuple[str, str]]

BASIS_NEEDS: dict[BasisKind, Precondition] = {
    BasisKind.STATUTE_PULL: Precondition.OPEN_MATTER,
    BasisKind.CONSENT_CONDITION: Precondition.CONSENT,
    BasisKind.CONSENT: Precondition.CONSENT,
    BasisKind.INCAPABLE_OR_CHILD: Precondition.GROUND,
    BasisKind.SUPERVISION: Precondition.DOSSIER,
    BasisKind.SUBJECT_RIGHT: Precondition.STRONG_IDENTIFICATION,
    BasisKind.AGGREGATE: Precondition.NO_IDENTIFIERS,
}
"""The evidence without which a basis does not exist, whatever else a purpose asks for."""

LOGGED_IN = frozenset({BasisKind.VITAL_INTEREST, BasisKind.SUBJECT_RIGHT})
"""Where it must be sure who the officer was. Sauma policy, no provision."""


def purpose_faults(purpose: Purpose, codes: Codes) -> Faults:
    """Everything wrong with one purpose against the code lists; nothing when it is lawful data."""
    yield from _names(purpose)
    yield from text_faults("title", purpose.title)
    yield from text_faults("description", purpose.description)
    yield from _references(purpose, codes)
    yield from _fields(purpose, codes)
    yield from _flows(purpose)
    yield from _assurance(purpose)
    yield from _provisions(purpose.provisions)
    yield from _window(purpose)


def text_faults(key: str, text: Text) -> Faults:
    """A language that says nothing, or carries space at its ends."""
    for language, words in (("fi", text.fi), ("sv", text.sv), ("en", text.en)):
        if not words or words != words.strip():
            yield f"{key}.{language}", "empty or padded text"


def code_faults(name: str, code: Code) -> Faults:
    """Everything wrong with one code of the list `name`."""
    key = f"{name}.{code.code}"
    if not re.fullmatch(r"[A-Za-z0-9]+(?:-[a-z0-9]+)*", code.code):
        yield key, "not a code"
    if not code.source.strip():
        yield f"{key}.source", "empty source: name the section, practice or Sauma policy"
    yield from text_faults(f"{key}.text", code.text)
    if (name == "necessity") != bool(code.fields):
        yield f"{key}.fields", "a necessity code names fields, and no other code does"
    yield from _unknown(f"{key}.fields", code.fields)
    yield from _repeated(f"{key}.fields", code.fields)


def _names(purpose: Purpose) -> Faults:
    if not _ID.fullmatch(purpose.id):
        yield "id", "not a purpose id"
    if not _NUMBER.fullmatch(purpose.number):
        yield "number", "not a purpose number"
    if purpose.version < 1:
        yield "version", "not a version"


def _references(purpose: Purpose, codes: Codes) -> Faults:
    if not purpose.receiver_roles:
        yield "receiverRoles", "nobody may receive"
    for role in purpose.receiver_roles:
        if role not in codes["officerRoles"]:
            yield f"receiverRoles.{role}", "not in officerRoles"
    yield from _repeated("receiverRoles", purpose.receiver_roles)
    yield from _repeated("preconditions", tuple(p.value for p in purpose.preconditions))
    if purpose.erase_by not in codes["eraseBy"]:
        yield "eraseBy", "not in eraseBy codes"
    if purpose.timer is not None and purpose.timer not in codes["timers"]:
        yield "timer", "not in timers"


def _fields(purpose: Purpose, codes: Codes) -> Faults:
    yield from _unknown("cells", tuple(purpose.cells))
    justified = {path for code in codes["necessity"].values() for path in code.fields}
    for path, cell in purpose.cells.items():
        if cell is Cell.OPTIONAL and path not in justified:
            yield f"cells.{path}", "optional, but no necessity code can justify it"
    for path, text in purpose.qualifiers.items():
        if path not in purpose.cells:
            yield f"qualifiers.{path}", "qualifies a field that is never disclosed"
        yield from text_faults(f"qualifiers.{path}", text)


def _assurance(purpose: Purpose) -> Faults:
    if purpose.officer_assurance is Assurance.PROCESS:
        yield "officerAssurance", "asserted or authenticated"
    logged_in = purpose.officer_assurance is Assurance.AUTHENTICATED
    for flow in purpose.flows:
        if flow.basis in LOGGED_IN and not logged_in:
            yield "officerAssurance", f"the basis {flow.basis.value} wants authenticated (Sauma policy)"


def _flows(purpose: Purpose) -> Faults:
    if not purpose.flows:
        yield "flows", "no lawful direction"
    for index, flow in enumerate(purpose.flows):
        key = f"flows.{index}"
        if not flow.discloser:
            yield f"{key}.discloser", "nobody discloses"
        if bool(flow.receiver) == (flow.basis is BasisKind.SUBJECT_RIGHT):
            yield f"{key}.receiver", "an organisation receives, except where the person's own right is the basis"
        needed = BASIS_NEEDS.get(flow.basis)
        if needed is not None and needed not in purpose.preconditions:
            yield "preconditions", f"the basis {flow.basis.value} needs {needed.value}"
        for path in flow.only:
            if path not in purpose.cells:
                yield f"{key}.only.{path}", "narrows to a field that is never disclosed"
        yield from _repeated(f"{key}.only", flow.only)
    seen = [(d, r, f.mode) for f in purpose.flows for d in f.discloser for r in f.receiver]
    if len(seen) != len(set(seen)):
        yield "flows", "one direction and mode stands twice"


def _provisions(provisions: tuple[Provision, ...]) -> Faults:
    if not provisions:
        yield "provisions", "no provision"
    for index, provision in enumerate(provisions):
        key = f"provisions.{index}"
        if not _ACT.fullmatch(provision.act):
            yield f"{key}.act", "not an act number"
        if not _SECTION.fullmatch(provision.section):
            yield f"{key}.section", "not a section"
        yield from text_faults(f"{key}.title", provision.title)
        if provision.in_force_until is not None and provision.in_force_until < provision.in_force_from:
            yield f"{key}.inForceUntil", "ends before it begins"
    for (i, one), (j, other) in itertools.combinations(enumerate(provisions), 2):
        same = (one.act, one.section) == (other.act, other.section)
        if same and (one.in_force(other.in_force_from) or other.in_force(one.in_force_from)):
            yield f"provisions.{j}", f"the same section in force twice, see provisions.{i}"


def _window(purpose: Purpose) -> Faults:
    pulls_records = bool(purpose.cells) and any(flow.mode is Mode.PULL for flow in purpose.flows)
    if pulls_records != (purpose.window is not None):
        yield "window", "a pull of records has a window, and nothing else has"
    if purpose.window is not None and not 1 <= purpose.window.default_months <= purpose.window.max_months:
        yield "window", "the default lies outside the ceiling"


def _unknown(key: str, paths: tuple[str, ...]) -> Faults:
    for path in paths:
        if path not in _KNOWN:
            yield f"{key}.{path}", "not a field of the matrix"


def _repeated(key: str, names: tuple[str, ...]) -> Faults:
    for name in names:
        if names.count(name) > 1:
            yield f"{key}.{name}", "stands twice"
