"""One planted fault per rule: the catalogue refuses to load and says which file and which key."""

import pytest

from sauma.catalogue.files import digest_of
from sauma.catalogue.loader import parse_catalogue
from sauma.core.errors import CatalogueError

P01 = "purposes/P01-county-benefit-case.toml"
P03 = "purposes/P03-urgent-handling.toml"
P05 = "purposes/P05-contact-with-consent.toml"
S1 = "purposes/S1-client-log-access.toml"
CODES = "codes.toml"

# the fault: file, what stands there, what is planted, what the refusal must name
FAULTS = {
    "unknown key": (P01, "version = 1", "version = 1\nurgent = true", "urgent"),
    "missing key": (P01, "unattended = false\n", "", "unattended"),
    "missing language": (P01, 'sv = "Välfärdsområdets stöd- eller serviceärende"\n', "", "$.title"),
    "unknown language": (P01, "[title]\n", '[title]\nde = "Fall"\n', "`de`"),
    "empty text": (P01, '"Välfärdsområdets stöd- eller serviceärende"', '""', "title.sv: empty"),
    "padded text": (P01, '"Välfärdsområdets stöd- eller serviceärende"', '" Ärende"', "title.sv: empty"),
    "text that is a number": (P01, '"Välfärdsområdets stöd- eller serviceärende"', "7", "$.title.sv"),
    "unknown field": (P01, '"person.name" =', '"person.nickname" =', "cells.person.nickname"),
    "unknown cell": (P01, '"person.name" = "R"', '"person.name" = "r"', "cells.person.name"),
    "field twice": (P01, '"person.name" = "R"', '"person.name" = "R"\n"person.name" = "o"', "not TOML"),
    "qualifier without language": (P01, '[qualifiers."contact.phone"]', '[qualifiers."contact.phone"]\nno = "x"', "qualifiers.contact.phone"),
    "qualifier of a field never disclosed": (P01, '[qualifiers."contact.phone"]', '[qualifiers."contact.address"]', "qualifiers.contact.address"),
    "unknown role": (P01, '"benefit-officer"', '"mayor"', "receiverRoles.mayor"),
    "role twice": (P01, '"benefit-officer"', '"social-care-professional"', "receiverRoles.social-care-professional"),
    "no role": (P01, 'receiverRoles = ["social-care-professional", "benefit-officer"]', "receiverRoles = []", "receiverRoles"),
    "unknown precondition": (P01, '["open-matter"]', '["open-door"]', "$.preconditions[0]"),
    "precondition twice": (P01, '["open-matter"]', '["open-matter", "open-matter"]', "preconditions.open-matter"),
    "pull without an open matter": (P01, '["open-matter"]', '["ground"]', "needs open-matter"),
    "consent basis without consent": (P05, '["consent", "evident-need"]', '["evident-need"]', "needs consent"),
    "unknown erasure rule": (P01, '"case-query-copy"', '"some-day"', "eraseBy"),
    "unknown timer": (P03, '"D4"', '"D99"', "timer"),
    "unknown organisation": (P01, 'discloser = ["kela"]', 'discloser = ["police"]', "$.flows[0].discloser[0]"),
    "nobody discloses": (P01, 'discloser = ["kela"]', "discloser = []", "flows.0.discloser"),
    "nobody receives": (P01, 'receiver = ["county"]', "receiver = []", "flows.0.receiver"),
    "an organisation receives the client's own log": (S1, "receiver = []", 'receiver = ["kela"]', "flows.0.receiver"),
    "nobody logs in to tell a client who looked": (S1, 'officerAssurance = "authenticated"', 'officerAssurance = "asserted"', "officerAssurance: the basis subjectRight"),
    "an automation as a login": (P01, "unattended = false", 'unattended = false\nofficerAssurance = "process"', "officerAssurance: asserted or"),
    "an assurance nobody knows": (P01, "unattended = false", 'unattended = false\nofficerAssurance = "sure"', "$.officerAssurance"),
    "vital interest without a login": (P01, '"statutePull"', '"vitalInterest"', "officerAssurance: the basis vitalInterest"),
    "unknown mode": (P01, '"pull"', '"steal"', "$.flows[0].mode"),
    "unknown basis": (P01, '"statutePull"', '"habit"', "$.flows[0].basis"),
    "direction twice": (P03, 'mode = "pull"\nbasis = "statutePull"\n\n', 'mode = "push"\nbasis = "statutePull"\n\n', "flows: one direction"),
    "narrowing to an unknown field": (P03, '"person.hetu", # 1', '"person.hat", # 1', "flows.2.only.person.hat"),
    "date that is text": (P01, "inForceUntil = 2023-12-31", 'inForceUntil = "soon"', "$.provisions[0].inForceUntil"),
    "ends before it begins": (P01, "inForceUntil = 2023-12-31", "inForceUntil = 2022-12-31", "provisions.0.inForceUntil"),
    "two versions in force at once": (P01, "inForceUntil = 2023-12-31", "inForceUntil = 2024-01-01", "provisions.1: the same section"),
    "not an act": (P01, 'act = "812/2000"', 'act = "the old act"', "provisions.2.act"),
    "not a section": (P01, 'section = "20"', 'section = "twenty"', "provisions.2.section"),
    "window upside down": (P01, "defaultMonths = 3", "defaultMonths = 13", "window"),
    "pull without a window": (P01, "window = { defaultMonths = 3, maxMonths = 12 }", "", "window"),
    "not an id": (P01, 'id = "county-benefit-case"', 'id = "County_Case"', "id: not a purpose id"),
    "not a number": (P01, 'number = "P01"', 'number = "1"', "number: not a purpose number"),
    "description without a word": (P05, 'en = "A Kela employee who', 'en = " A Kela employee who', "description.en: empty"),
    "qualifier without a word": (P01, 'en = "Under a non-disclosure', 'en = " Under a non-disclosure', "qualifiers.person.homeMunicipality.en"),
    "provision title without a word": (P01, 'fi = "Käyttöoikeus asiakastietoon"', 'fi = ""', "provisions.4.title.fi"),
    "narrowing to one field twice": (P03, '"person.hetu", # 1', '"person.hetu", "person.hetu", # 1', "flows.2.only.person.hetu"),
    "necessity for one field twice": (CODES, '["application.meetingRequest"]', '["application.meetingRequest", "application.meetingRequest"]', "stands twice"),
    "id of another file": (P03, 'id = "urgent-handling"', 'id = "county-benefit-case"', "id: stands in another file"),
    "number of another file": (P03, 'number = "P03"', 'number = "P01"', "number: stands in another file"),
    "file not named by its id": (P01, 'id = "county-benefit-case"', 'id = "county-case"', "is not named by"),
    "version zero": (P01, "version = 1", "version = 0", "version"),
    "carriage return": (P01, "version = 1\n", "version = 1\r\n", "carriage return"),
    "byte order mark": (P01, "# P01", "\ufeff# P01", "byte order mark"),
    "unknown list": (CODES, "[[relations]]", "[[hobbies]]", "hobbies: unknown list"),
    "code twice": (CODES, 'code = "incapable"', 'code = "child-interest"', "grounds.child-interest"),
    "not a code": (CODES, 'code = "incapable"', 'code = "not able"', "grounds.not able"),
    "code without source": (CODES, 'code = "smn"\nsource = "Sauma policy"', 'code = "smn"\nsource = " "', "languages.smn.source"),
    "code without Swedish": (CODES, 'text.sv = "Bedömning av boendeutgifterna"\n', "", "necessity"),
    "code with empty Swedish": (CODES, '"Bedömning av boendeutgifterna"', '""', "necessity.housing-costs-assessment.text.sv"),
    "necessity for an unknown field": (CODES, '"application.meetingRequest"', '"application.wish"', "necessity.joint-meeting.fields.application.wish"),
    "necessity code without fields": (CODES, 'fields = ["application.meetingRequest"]', "", "necessity.joint-meeting.fields"),
    "fields on another list": (CODES, 'code = "smn"\n', 'code = "smn"\nfields = ["person.name"]\n', "languages.smn.fields"),
    "days for an unknown rule": (CODES, "audit-copy = 1\n", "audit-copy = 1\nsome-day = 5\n", "eraseByDays.some-day"),
    "no day at all": (CODES, "audit-copy = 1\n", "audit-copy = 0\n", "eraseByDays.audit-copy"),
    "erasure rule gone but used": (CODES, 'code = "audit-copy"', 'code = "audit-trace"', "eraseByDays.audit-copy"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_refuses_to_load_and_is_named(files: dict[str, bytes], fault: str) -> None:
    name, old, new, named = FAULTS[fault]
    text = files[name].decode()
    assert old in text, "the fault no longer has a place to be planted"
    with pytest.raises(CatalogueError) as refused:
        parse_catalogue({**files, name: text.replace(old, new, 1).encode()})
    assert str(refused.value).startswith(f"{name}: ")
    assert named in str(refused.value)


def test_a_list_that_is_missing_refuses_to_load(files: dict[str, bytes]) -> None:
    before, _, after = files[CODES].decode().partition("[[grounds]]")
    rest = after[after.index("[[statementTopics]]") :]
    with pytest.raises(CatalogueError, match=r"codes\.toml: grounds: missing list"):
        parse_catalogue({**files, CODES: (before + rest).encode()})


def test_a_list_without_codes_refuses_to_load(files: dict[str, bytes]) -> None:
    before, _, after = files[CODES].decode().partition("[[grounds]]")
    rest = after[after.index("[[statementTopics]]") :]
    with pytest.raises(CatalogueError, match=r"codes\.toml: grounds: empty list"):
        parse_catalogue({**files, CODES: ("grounds = []\n" + before + rest).encode()})


def test_an_optional_field_nobody_can_justify_refuses_to_load(files: dict[str, bytes]) -> None:
    codes = files[CODES].replace(b'fields = ["decision.appeal"]', b'fields = ["decision.amount"]')
    assert codes != files[CODES]
    with pytest.raises(CatalogueError, match=f"{P01}: cells.decision.appeal: optional"):
        parse_catalogue({**files, CODES: codes})


@pytest.mark.parametrize("table", ["flows", "provisions"])
def test_a_purpose_without_flows_or_provisions_refuses_to_load(files: dict[str, bytes], table: str) -> None:
    blocks = files[S1].decode().split("\n\n")
    kept = [block for block in blocks if not block.startswith(f"[[{table}]]")]
    kept.insert(1, kept.pop(1) + f"\n{table} = []")
    with pytest.raises(CatalogueError, match=f"{S1}: {table}: no "):
        parse_catalogue({**files, S1: "\n\n".join(kept).encode()})


WRONG_FILES = {
    "no codes": (CODES, None, "codes.toml: file: missing"),
    "a stray file": ("purposes/P01-county-benefit-case.toml~", b"", "not a file of the catalogue"),
    "a stray folder": ("drafts/P99-x.toml", b"", "not a file of the catalogue"),
    "not UTF-8": (P01, b"\xff\n", "not UTF-8"),
    "not TOML": (P01, b"= 1\n", "not TOML"),
    "no last newline": (P01, b"number = 1", "newline"),
    "empty": (P01, b"\n", "cells"),
}


@pytest.mark.parametrize("fault", WRONG_FILES)
def test_a_wrong_file_refuses_to_load(files: dict[str, bytes], fault: str) -> None:
    name, content, named = WRONG_FILES[fault]
    changed = {**files, name: content} if content is not None else {n: c for n, c in files.items() if n != name}
    with pytest.raises(CatalogueError, match=named):
        parse_catalogue(changed)


def test_a_catalogue_without_purposes_refuses_to_load(files: dict[str, bytes]) -> None:
    with pytest.raises(CatalogueError, match="no purpose at all"):
        parse_catalogue({n: c for n, c in files.items() if not n.startswith("purposes/")})


def test_the_digest_changes_with_any_byte_of_any_file(files: dict[str, bytes]) -> None:
    seen = {digest_of(files)}
    for name, content in files.items():
        for at in (0, len(content) // 2, len(content) - 1):
            seen.add(digest_of({**files, name: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]}))
    assert len(seen) == 1 + 3 * len(files)


def test_the_digest_tells_names_and_borders_apart() -> None:
    assert (
        len({digest_of(f) for f in ({"a": b"bc"}, {"ab": b"c"}, {"a": b"b", "c": b""}, {"a": b"", "b": b"c"}, {})}) == 5
    )


def test_the_digest_does_not_depend_on_the_order_files_were_read_in(files: dict[str, bytes]) -> None:
    assert digest_of(dict(reversed(files.items()))) == digest_of(files)


def test_a_comment_changes_the_digest_and_nothing_else(files: dict[str, bytes]) -> None:
    commented = parse_catalogue({**files, P01: files[P01] + b"# reviewed\n"})
    plain = parse_catalogue(files)
    assert commented.purposes == plain.purposes
    assert commented.digest != plain.digest
    assert len(plain.digest) == 32
