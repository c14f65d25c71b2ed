"""The bad input table, over the wire: right status and code, problem+json, nothing echoed, nothing written, never a 500."""

import datetime as dt
import gzip
import json
import socket
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from asks import AUDITOR, CLERK, WORKER, audit_body, hetu_of, matter_body, now_text, query_body, record_body, today
from codes import REAL_RANGE
from live import Live
from wire import ASCII_MARKER, MARKER, Sent, Wire

HETU = "010594Y9032"
NOBODY = hetu_of(59_999)  # whom no test deposits anything about
RECORD = str(uuid.UUID(int=7))
MATTER_PATH, RECORD_PATH = "/v1/matters/B-1", f"/v1/payments/{RECORD}"
M = MARKER.encode()


def query(**members: Any) -> Sent:
    return Sent(body=query_body(HETU, "B-1", officer=WORKER) | {"fields": ["decision.amount"]} | members)


def raw(body: bytes, **headers: str | None) -> Sent:
    return Sent(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def text_in(member: bytes, value: bytes) -> Sent:
    """A query whose `member` holds these bytes between the quotes."""
    whole = json.dumps(query_body(HETU, "B-1", officer=WORKER) | {"purpose": "§§§"}, ensure_ascii=False).encode()
    return raw(whole.replace("§§§".encode(), value) if member == b"purpose" else whole)


def matter(path: str = MATTER_PATH, headers: dict[str, str | None] | None = None, **members: Any) -> Sent:
    return Sent(method="PUT", target=path, headers=headers or {}, body=matter_body(HETU, officer=WORKER) | members)


def record(
    fields: Any = None, path: str = RECORD_PATH, headers: dict[str, str | None] | None = None, **members: Any
) -> Sent:
    body = record_body(HETU, {} if fields is None else fields, officer=CLERK) | members
    return Sent(method="PUT", target=path, body=body, headers=headers or {}, system="kela")


def deposits(rows: Any = None, **members: Any) -> Sent:
    row = {"resource": "payments", "recordId": RECORD, "expectedRevision": None, **record_body(HETU, {})}
    return Sent(
        target="/v1/deposits",
        body={"records": [row] if rows is None else rows, "officer": CLERK} | members,
        system="kela",
    )


def row(**members: Any) -> dict[str, Any]:
    return {"resource": "payments", "recordId": RECORD, "expectedRevision": None, **record_body(HETU, {})} | members


def telling(**members: Any) -> Sent:
    body = {
        "subject": {"hetu": HETU},
        "receivedBy": "client",
        "textVersion": "1",
        "language": "fi",
        "at": now_text(minutes=-5),
        "officer": WORKER,
    }
    return Sent(target="/v1/prior-informations", body=body | members)


def identifier(**members: Any) -> Sent:
    body = {
        "from": {"hetu": HETU},
        "to": {"hetu": "020594X903P"},
        "reason": "corrected",
        "effectiveAt": now_text(),
        "officer": CLERK,
    }
    return Sent(target="/v1/identifier-changes", body=body | members, system="kela")


def state(resource: str = "payments", **members: Any) -> Sent:
    return Sent(
        method="PUT",
        target=f"/v1/publication-states/{resource}",
        body={"status": "current", "currentAsOf": now_text()} | members,
        system="kela",
    )


def audit(**members: Any) -> Sent:
    return Sent(target="/v1/audit-sessions", body=audit_body(officer=AUDITOR) | members, system="pirha-dpo")


def erasure(path: str = RECORD, **members: Any) -> Sent:
    return Sent(
        target=f"/v1/disclosures/{path}/erasures",
        body={"extent": "erased", "at": now_text(), "officer": WORKER} | members,
    )


def annulment(**members: Any) -> Sent:
    return Sent(
        target=f"{RECORD_PATH}/annulment", body={"reason": "no-right", "officer": CLERK} | members, system="kela"
    )


def got(target: str, system: str | None = "pirha", **headers: str) -> Sent:
    return Sent(
        method="GET", target=target, system=system, headers={"Content-Type": None, "Idempotency-Key": None, **headers}
    )


def nested(depth: int) -> bytes:
    return b'{"purpose":' + b"[" * depth + b'"' + M + b'"' + b"]" * depth + b"}"


def without(sent: Sent, member: str) -> Sent:
    return Sent(
        method=sent.method,
        target=sent.target,
        system=sent.system,
        body={k: v for k, v in sent.body.items() if k != member},
    )


MALFORMED, UNKNOWN, INVALID, DEEP = (
    (400, "malformed-json"),
    (400, "unknown-property"),
    (400, "invalid-value"),
    (400, "too-deep"),
)
MEDIA, LARGE, MISSING, METHOD = (
    (415, "unsupported-media-type"),
    (413, "too-large"),
    (404, "not-found"),
    (405, "method-not-allowed"),
)
VALID = json.dumps(query_body(HETU, "B-1", officer=WORKER)).encode()

BAD: dict[str, tuple[Callable[[], Sent], tuple[int, str], str | None]] = {
    # bytes
    "no body at all": (lambda: raw(b""), MALFORMED, None),
    "white space": (lambda: raw(b" \n "), MALFORMED, None),
    "invalid UTF-8": (lambda: raw(b'{"purpose":"' + M + b'\xff"}'), MALFORMED, None),
    "overlong UTF-8": (lambda: raw(b'{"purpose":"' + M + b'\xc0\xaf"}'), MALFORMED, None),
    "UTF-16": (lambda: raw(VALID.decode().encode("utf-16")), MALFORMED, None),
    "a byte order mark": (lambda: raw(b"\xef\xbb\xbf" + VALID), MALFORMED, None),
    "a raw NUL": (lambda: text_in(b"purpose", M + b"\x00"), MALFORMED, None),
    "an escaped NUL": (lambda: text_in(b"purpose", M + b"\\u0000"), MALFORMED, None),
    "an escaped NUL in free fields": (lambda: record({"payeeType": f"{MARKER}\x00"}), MALFORMED, None),
    "a lone high surrogate": (lambda: text_in(b"purpose", M + b"\\ud800"), MALFORMED, None),
    "a lone low surrogate": (lambda: text_in(b"purpose", M + b"\\udc00"), MALFORMED, None),
    "an escape that is none": (lambda: text_in(b"purpose", M + b"\\x41"), MALFORMED, None),
    "trailing garbage": (lambda: raw(VALID + M), MALFORMED, None),
    "two values": (lambda: raw(VALID + VALID), MALFORMED, None),
    "cut short": (lambda: raw(VALID[:-5]), MALFORMED, None),
    "a trailing comma": (lambda: raw(VALID[:-1] + b",}"), MALFORMED, None),
    "single quotes": (lambda: raw(b"{'purpose':'" + M + b"'}"), MALFORMED, None),
    "a comment": (lambda: raw(b"/* " + M + b" */" + VALID), MALFORMED, None),
    "NaN": (lambda: raw(VALID[:-1] + b',"limit":NaN}'), MALFORMED, None),
    "Infinity": (lambda: raw(VALID[:-1] + b',"limit":-Infinity}'), MALFORMED, None),
    "a number beyond doubles": (lambda: raw(VALID[:-1] + b',"limit":1e999}'), MALFORMED, None),
    "a key twice": (lambda: raw(VALID[:-1] + b',"purpose":"' + M + b'"}'), MALFORMED, None),
    "a key twice, once escaped": (lambda: raw(VALID[:-1] + b',"p\\u0075rpose":"' + M + b'"}'), MALFORMED, None),
    "a key twice in the subject": (lambda: raw(VALID.replace(b'"hetu"', b'"hetu":"x","hetu"')), MALFORMED, None),
    "a key twice in free fields": (
        lambda: Sent("PUT", RECORD_PATH, b'{"fields":{"amount":"1.00","amount":"2.00"}}', system="kela"),
        MALFORMED,
        None,
    ),
    "seventeen deep": (lambda: raw(nested(17)), DEEP, None),
    "a thousand deep": (lambda: raw(nested(1000)), DEEP, None),
    # shape
    "an array instead of an object": (lambda: raw(b"[" + VALID + b"]"), INVALID, None),
    "a text instead of an object": (lambda: raw(b'"' + M + b'"'), INVALID, None),
    "null": (lambda: raw(b"null"), INVALID, None),
    "nothing in it": (lambda: raw(b"{}"), INVALID, None),
    "no purpose": (lambda: without(query(), "purpose"), INVALID, None),
    "no subject": (lambda: without(matter(), "subject"), INVALID, None),
    "no retention": (lambda: without(record(), "retainUntil"), INVALID, None),
    "no fields": (lambda: without(record(), "fields"), INVALID, None),
    "an unknown member": (lambda: query(**{ASCII_MARKER: 1}), UNKNOWN, ""),
    "a law where a purpose belongs": (lambda: query(basis="1412/1997 18 g"), UNKNOWN, ""),
    "snake case": (lambda: query(case_reference="B-1"), UNKNOWN, ""),
    "an unknown member of the subject": (lambda: query(subject={"hetu": HETU, "name": MARKER}), UNKNOWN, "/subject"),
    "an unknown member of the officer": (lambda: query(officer={**WORKER, "phone": MARKER}), UNKNOWN, "/officer"),
    "an unknown member of the period": (
        lambda: query(period={"from": "2026-01-01", "to": "2026-01-31", "tz": MARKER}),
        UNKNOWN,
        "/period",
    ),
    "an unknown field of the record": (lambda: record({"iban": MARKER}), UNKNOWN, "/fields"),
    "another resource's field": (lambda: record({"homeMunicipality": "837"}), UNKNOWN, "/fields"),
    "a class X field": (lambda: record({"diagnosis": MARKER}, path=f"/v1/persons/{RECORD}"), UNKNOWN, "/fields"),
    "an unknown member inside a deposit": (lambda: deposits([row(**{ASCII_MARKER: 1})]), UNKNOWN, "/records/0"),
    "an unknown field inside a deposit": (
        lambda: deposits([row(), row(fields={"iban": MARKER})]),
        UNKNOWN,
        "/records/1/fields",
    ),
    "a member of the server's": (lambda: matter(revision=3), UNKNOWN, ""),
    # types
    "a number as purpose": (lambda: query(purpose=7), INVALID, "/purpose"),
    "a text as limit": (lambda: query(limit="50"), INVALID, "/limit"),
    "a fraction as limit": (lambda: query(limit=1.5), INVALID, "/limit"),
    "true as limit": (lambda: query(limit=True), INVALID, "/limit"),
    "limit nought": (lambda: query(limit=0), INVALID, "/limit"),
    "a negative limit": (lambda: query(limit=-1), INVALID, "/limit"),
    "limit fifty-one": (lambda: query(limit=51), INVALID, "/limit"),
    "a huge limit": (lambda: raw(VALID[:-1] + b',"limit":' + b"9" * 400 + b"}"), INVALID, None),
    "an object as fields": (lambda: query(fields={"decision.amount": True}), INVALID, "/fields"),
    "no fields asked": (lambda: query(fields=[]), INVALID, "/fields"),
    "a path that is none": (lambda: query(fields=["decision..amount"]), INVALID, "/fields/0"),
    "a wildcard": (lambda: query(fields=["decision.amount", "*"]), INVALID, "/fields/1"),
    "a hundred and fifty-one fields": (lambda: query(fields=["decision.amount"] * 151), INVALID, "/fields"),
    "a necessity of prose": (lambda: query(necessity={"decision.amount": MARKER}), INVALID, "/necessity"),
    "a form of one's own": (lambda: query(form=ASCII_MARKER), INVALID, "/form"),
    "a name as controller": (lambda: query(controller="Kela"), INVALID, "/controller"),
    "fields as text": (lambda: record(MARKER), INVALID, "/fields"),
    "fields as array": (lambda: record([{"amount": "1.00"}]), INVALID, "/fields"),
    # persons
    "full-width digits": (lambda: query(subject={"hetu": "０１０５９４Y9032"}), INVALID, "/subject"),
    "Arabic-Indic digits": (lambda: query(subject={"hetu": "٠١٠٥٩٤Y9032"}), INVALID, "/subject"),
    "a minus sign for the dash": (lambda: query(subject={"hetu": "010594−9032"}), INVALID, "/subject"),
    "a small capital Y": (lambda: query(subject={"hetu": "010594ʏ9032"}), INVALID, "/subject"),
    "a wrong check character": (lambda: query(subject={"hetu": "010594Y9033"}), INVALID, "/subject"),
    "a day that never was": (lambda: query(subject={"hetu": "310294Y903F"}), INVALID, "/subject"),
    "a real person's code in a test environment": (lambda: query(subject={"hetu": REAL_RANGE}), INVALID, "/subject"),
    "a space before the code": (lambda: query(subject={"hetu": " 10594Y9032"}), INVALID, "/subject"),
    "two identifiers": (
        lambda: query(subject={"hetu": HETU, "personOid": "1.2.246.10.2462460.22.2026.1"}),
        INVALID,
        "/subject",
    ),
    "no identifier": (lambda: query(subject={}), INVALID, "/subject"),
    "a null identifier": (lambda: query(subject={"hetu": None}), INVALID, "/subject/hetu"),
    "a subject id of nobody": (lambda: query(subject={"subjectId": "s1." + "A" * 64}), INVALID, "/subject"),
    "an oid of nobody": (lambda: query(subject={"personOid": "1.2.246.10.1234567.22.2026.1"}), INVALID, "/subject"),
    "a wrong code inside the fields": (
        lambda: record({"hetu": "010594Y9033"}, path=f"/v1/persons/{RECORD}"),
        INVALID,
        "/fields/hetu",
    ),
    "a lower-case code inside the fields": (
        lambda: record({"hetu": "010594y9032"}, path=f"/v1/persons/{RECORD}"),
        INVALID,
        "/fields/hetu",
    ),
    "a wrong code of a household member": (
        lambda: record({"members": [{"hetu": "010594Y9033", "relation": "child"}]}, path=f"/v1/households/{RECORD}"),
        INVALID,
        "/fields/members/0/hetu",
    ),
    "a wrong co-subject": (
        lambda: record(coSubjects=[{"subject": {"hetu": "010594Y9033"}, "relation": "child"}]),
        INVALID,
        "/coSubjects/0/subject",
    ),
    "an unknown relation member": (
        lambda: record(coSubjects=[{"subject": {"hetu": HETU}, "relation": "child", "note": MARKER}]),
        UNKNOWN,
        "/coSubjects/0",
    ),
    "the same code twice in a change": (
        lambda: identifier(**{"from": {"hetu": NOBODY}, "to": {"hetu": NOBODY}}),
        INVALID,
        "/to",
    ),
    # dates, money, words
    "a day that does not exist": (lambda: matter(openedAt="2026-02-30"), INVALID, "/openedAt"),
    "a moment without its offset": (lambda: matter(openedAt="2026-02-03T00:00:00"), INVALID, "/openedAt"),
    "an hour that no day has": (lambda: matter(openedAt="2026-02-03T25:00:00Z"), INVALID, "/openedAt"),
    "a moment outside the calendar": (lambda: matter(openedAt="9999-12-31T23:59:59-23:59"), INVALID, "/openedAt"),
    "a matter of the day after tomorrow": (
        lambda: matter(openedAt=(today() + dt.timedelta(days=2)).isoformat()),
        INVALID,
        "/openedAt",
    ),
    "a matter of the next hour": (lambda: matter(openedAt=now_text(hours=1)), INVALID, "/openedAt"),
    "an erasure still to come": (lambda: erasure(at=now_text(hours=1)), INVALID, "/at"),
    "a telling still to come": (lambda: telling(at=now_text(hours=1)), INVALID, "/at"),
    "a question to no county in particular": (
        lambda: query(purpose="kela-case-request"),
        INVALID,
        "/controller",
    ),
    "a Finnish date": (lambda: matter(openedAt="3.2.2026"), INVALID, "/openedAt"),
    "the year ten thousand": (lambda: matter(openedAt="10000-01-01"), INVALID, "/openedAt"),
    "a moment without a zone": (lambda: telling(at="2026-01-01T10:00:00"), INVALID, "/at"),
    "a moment that does not exist": (lambda: telling(at="2026-01-01T25:00:00Z"), INVALID, "/at"),
    "a leap second": (lambda: telling(at="2026-01-01T10:00:60Z"), INVALID, "/at"),
    "a moment before time, by its zone": (lambda: telling(at="0001-01-01T00:00:00+14:00"), INVALID, "/at"),
    "a moment after time, by its zone": (lambda: audit(until="9999-12-31T23:59:59-14:00"), INVALID, "/until"),
    "an erasure before time": (lambda: erasure(at="0001-01-01T00:00:00+14:00"), INVALID, "/at"),
    "a publication after time": (lambda: state(currentAsOf="9999-12-31T23:59:59-14:00"), INVALID, "/currentAsOf"),
    "an identifier change before time": (
        lambda: identifier(effectiveAt="0001-01-01T00:00:00+14:00"),
        INVALID,
        "/effectiveAt",
    ),
    "a number as moment": (lambda: state(currentAsOf=1767225600), INVALID, "/currentAsOf"),
    "a period the wrong way round": (
        lambda: query(period={"from": "2026-03-01", "to": "2026-02-01"}),
        INVALID,
        "/period",
    ),
    "half a period": (lambda: query(period={"from": "2026-03-01"}), INVALID, "/period"),
    "a period inside a record the wrong way round": (
        lambda: record({"period": {"from": "2026-03-01", "to": "2026-02-01"}}, path=f"/v1/decisions/{RECORD}"),
        INVALID,
        "/fields/period",
    ),
    "money with a comma": (lambda: record({"amount": "412,30"}), INVALID, "/fields/amount"),
    "money as a number": (lambda: record({"amount": 412.30}), INVALID, "/fields/amount"),
    "money with one decimal": (lambda: record({"amount": "412.3"}), INVALID, "/fields/amount"),
    "money with a currency": (lambda: record({"amount": "412.30 €"}), INVALID, "/fields/amount"),
    "money in full-width digits": (lambda: record({"amount": "４１２.30"}), INVALID, "/fields/amount"),
    "an endless sum": (lambda: record({"amount": "9" * 60 + ".00"}), INVALID, "/fields/amount"),
    "a state of one's own": (lambda: matter(state=ASCII_MARKER), INVALID, "/state"),
    "a unit that is empty": (lambda: matter(unit=""), INVALID, "/unit"),
    "a unit of two hundred and one letters": (lambda: matter(unit="u" * 201), INVALID, "/unit"),
    "a unit with a control character": (lambda: matter(unit=f"{MARKER}\x07"), INVALID, "/unit"),
    "a unit written backwards": (lambda: matter(unit=f"{MARKER}\u202e"), INVALID, "/unit"),
    "a unit in decomposed letters": (lambda: matter(unit="Ha\u0308meenlinna"), INVALID, "/unit"),
    "a unit that ends in a line feed": (lambda: matter(unit=f"{MARKER}\n"), INVALID, "/unit"),
    "an enum value of one's own": (lambda: record({"payeeType": MARKER}), INVALID, "/fields/payeeType"),
    "an annulment for fun": (lambda: annulment(reason=ASCII_MARKER), INVALID, "/reason"),
    "an identifier change for fun": (lambda: identifier(reason=ASCII_MARKER), INVALID, "/reason"),
    "an extent of one's own": (lambda: erasure(extent=ASCII_MARKER), INVALID, "/extent"),
    "a publication status of one's own": (lambda: state(status=ASCII_MARKER), INVALID, "/status"),
    "an audit that ended": (lambda: audit(until=now_text(hours=-1)), INVALID, "/until"),
    "an audit without an end": (lambda: without(audit(), "until"), INVALID, None),
    "a dossier of prose": (lambda: audit(dossier=MARKER), INVALID, "/dossier"),
    "a case reference of prose": (lambda: query(caseReference=MARKER), INVALID, "/caseReference"),
    "a case reference with a slash": (lambda: query(caseReference="A/1"), INVALID, "/caseReference"),
    "a case reference of sixty-five": (lambda: query(caseReference="A" * 65), INVALID, "/caseReference"),
    "an identity code as case reference": (lambda: query(caseReference=HETU), INVALID, "/caseReference"),
    "an identity code as a record's case reference": (
        lambda: record(caseReference=f"X-{HETU}"),
        INVALID,
        "/caseReference",
    ),
    "an identity code as a dossier": (lambda: audit(dossier=HETU), INVALID, "/dossier"),
    "an officer without a role": (lambda: query(officer={"id": "1", "name": MARKER, "unit": "u"}), INVALID, "/officer"),
    "a process with a role": (
        lambda: query(
            officer={"kind": "process", "id": "1", "name": MARKER, "responsibleUnit": "u", "role": "finance"}
        ),
        INVALID,
        "/officer",
    ),
    "an officer of no kind": (lambda: query(officer={**WORKER, "kind": ASCII_MARKER}), INVALID, "/officer/kind"),
    "an officer as text": (lambda: query(officer=MARKER), INVALID, "/officer"),
    "no deposits": (lambda: deposits([]), INVALID, "/records"),
    "a deposit of a notice's resource": (lambda: deposits([row(resource="referrals")]), INVALID, "/records/0/resource"),
    "a deposit under a negative revision": (
        lambda: deposits([row(expectedRevision=-1)]),
        INVALID,
        "/records/0/expectedRevision",
    ),
    "a deposit under a revision no record can have": (
        lambda: deposits([row(expectedRevision=2_147_483_647)]),
        INVALID,
        "/records/0/expectedRevision",
    ),
    "a deposit that does not say what it expects": (
        lambda: deposits([{k: v for k, v in row().items() if k != "expectedRevision"}]),
        INVALID,
        "/records/0",
    ),
    "a deposit under no UUID": (lambda: deposits([row(recordId=ASCII_MARKER)]), INVALID, "/records/0/recordId"),
    "a wrong sum in the second deposit": (
        lambda: deposits([row(), row(fields={"amount": "1,00"})]),
        INVALID,
        "/records/1/fields/amount",
    ),
    "a wrong person in the second deposit": (
        lambda: deposits([row(), row(subject={"hetu": "010594Y9033"})]),
        INVALID,
        "/records/1/subject",
    ),
    # size and media type
    "more than 64 KiB": (lambda: raw(VALID[:-1] + b" " * 65_536 + b"}"), LARGE, None),
    "deposits of more than 1 MiB": (
        lambda: Sent("POST", "/v1/deposits", b'{"records":' + b" " * (1 << 20) + b"[]}", system="kela"),
        LARGE,
        None,
    ),
    "two MiB": (lambda: raw(b'"' + b"x" * (2 << 20) + b'"'), LARGE, None),
    "no content type": (lambda: raw(VALID, Content_Type=None), MEDIA, None),
    "a form": (lambda: raw(b"purpose=x", Content_Type="application/x-www-form-urlencoded"), MEDIA, None),
    "plain text": (lambda: raw(VALID, Content_Type="text/plain"), MEDIA, None),
    "another charset": (lambda: raw(VALID, Content_Type="application/json; charset=latin-1"), MEDIA, None),
    "a profile": (lambda: raw(VALID, Content_Type="application/json; profile=x"), MEDIA, None),
    "two content types": (lambda: raw(VALID, Content_Type="application/json\ntext/plain"), MEDIA, None),
    "gzip": (lambda: raw(gzip.compress(VALID), Content_Encoding="gzip"), MEDIA, None),
    "an encoding of nothing": (lambda: raw(VALID, Content_Encoding="identity"), MEDIA, None),
    # headers
    "two idempotency keys": (
        lambda: matter(headers={"Idempotency-Key": f"{'k' * 8}\n{'l' * 8}"}),
        INVALID,
        "/headers/Idempotency-Key",
    ),
    "a key of prose": (lambda: matter(headers={"Idempotency-Key": "two words"}), INVALID, "/headers/Idempotency-Key"),
    "a key too long": (lambda: matter(headers={"Idempotency-Key": "k" * 65}), INVALID, "/headers/Idempotency-Key"),
    "no key": (lambda: matter(headers={"Idempotency-Key": None}), (400, "idempotency-key-missing"), None),
    "an unquoted ETag": (lambda: record(headers={"If-Match": "1"}), INVALID, "/headers/If-Match"),
    "a weak ETag": (lambda: record(headers={"If-Match": 'W/"1"'}), INVALID, "/headers/If-Match"),
    "any ETag": (lambda: record(headers={"If-Match": "*"}), INVALID, "/headers/If-Match"),
    "two ETags": (lambda: record(headers={"If-Match": '"1", "2"'}), INVALID, "/headers/If-Match"),
    "an ETag of nought": (lambda: record(headers={"If-Match": '"0"'}), INVALID, "/headers/If-Match"),
    "an audit session of prose": (
        lambda: got(f"/v1/ledger/entries/{RECORD}", "pirha-dpo", **{"Sauma-Audit-Session": MARKER}),
        INVALID,
        "/headers/Sauma-Audit-Session",
    ),
    # path
    "an identity code in the path": (lambda: matter(path=f"/v1/matters/{HETU}"), INVALID, None),
    "an encoded identity code in the path": (lambda: matter(path="/v1/matters/%30%31%30%35%39%34Y9032"), INVALID, None),
    "an identity code as record id": (lambda: record(path=f"/v1/payments/{HETU}"), INVALID, None),
    "an encoded slash": (lambda: matter(path="/v1/matters/A%2F1"), MISSING, None),
    "an encoded backslash": (lambda: matter(path="/v1/matters/A%5C1"), MISSING, None),
    "a space in the path": (lambda: matter(path="/v1/matters/A%201"), MISSING, None),
    "a NUL in the path": (lambda: matter(path="/v1/matters/A%00"), MISSING, None),
    "a doubly encoded slash": (lambda: matter(path="/v1/matters/A%252F1"), MISSING, None),
    "a trailing slash": (lambda: Sent("POST", "/v1/case-queries/", VALID), MISSING, None),
    "a double slash": (lambda: Sent("POST", "/v1//case-queries", VALID), MISSING, None),
    "a dot segment": (lambda: Sent("POST", "/v1/./case-queries", VALID), MISSING, None),
    "two dots": (lambda: Sent("POST", "/v1/matters/../case-queries", VALID), MISSING, None),
    "encoded dots": (lambda: Sent("POST", "/v1/matters/%2e%2e/case-queries", VALID), MISSING, None),
    "another case": (lambda: Sent("POST", "/V1/Case-Queries", VALID), MISSING, None),
    "a path nobody knows": (lambda: Sent("POST", f"/v1/{ASCII_MARKER}", VALID), MISSING, None),
    "a path parameter": (lambda: Sent("POST", "/v1/case-queries;v=2", VALID), MISSING, None),
    "a case reference of dots": (lambda: matter(path="/v1/matters/.."), MISSING, None),
    "a long case reference in the path": (
        lambda: matter(path=f"/v1/matters/{'A' * 65}"),
        INVALID,
        "/path/caseReference",
    ),
    "no UUID in the path": (lambda: got(f"/v1/payments/{ASCII_MARKER}", "kela"), INVALID, "/path/recordId"),
    "a UUID in braces": (lambda: got("/v1/payments/%7B00000000-0000-0000-0000-000000000007%7D", "kela"), MISSING, None),
    "a UUID without dashes": (lambda: got(f"/v1/payments/{uuid.UUID(RECORD).hex}", "kela"), INVALID, "/path/recordId"),
    "a disclosure that is no UUID": (lambda: got("/v1/disclosures/7"), INVALID, "/path/disclosureId"),
    "an erasure of no UUID": (lambda: erasure(path=ASCII_MARKER), INVALID, "/path/disclosureId"),
    "a ledger entry that is no UUID": (
        lambda: got(f"/v1/ledger/entries/{ASCII_MARKER}", "pirha-dpo"),
        INVALID,
        "/path/entryId",
    ),
    "a publication state of nothing": (lambda: state(resource=ASCII_MARKER.lower()), MISSING, None),
    # query
    "an unknown parameter": (lambda: got(f"/v1/disclosures?{ASCII_MARKER}=1"), INVALID, None),
    "a parameter twice": (lambda: got("/v1/disclosures?limit=1&limit=2"), INVALID, "/query/limit"),
    "an empty parameter": (lambda: got("/v1/disclosures?limit="), INVALID, "/query/limit"),
    "a parameter without a value": (lambda: got("/v1/disclosures?limit"), INVALID, "/query/limit"),
    "an identity code in the query": (
        lambda: got(f"/v1/disclosures?caseReference={HETU}"),
        INVALID,
        "/query/caseReference",
    ),
    "an encoded identity code in the query": (
        lambda: got("/v1/disclosures?caseReference=010594%59%39032"),
        INVALID,
        "/query/caseReference",
    ),
    "a limit of nought": (lambda: got("/v1/disclosures?limit=0"), INVALID, "/query/limit"),
    "a limit of 101": (lambda: got("/v1/disclosures?limit=101"), INVALID, "/query/limit"),
    "a limit of ten thousand": (lambda: got("/v1/disclosures?limit=10000"), INVALID, "/query/limit"),
    "a limit of 50 with much behind it": (lambda: got("/v1/disclosures?limit=0050999999"), INVALID, "/query/limit"),
    "a negative list limit": (lambda: got("/v1/disclosures?limit=-1"), INVALID, "/query/limit"),
    "a limit in other digits": (lambda: got("/v1/disclosures?limit=%D9%A5"), INVALID, "/query/limit"),
    "a role of one's own": (lambda: got(f"/v1/disclosures?role={ASCII_MARKER}"), INVALID, "/query/role"),
    "a moment that is none": (lambda: got("/v1/disclosures?from=yesterday"), INVALID, "/query/from"),
    "a moment in February's end": (lambda: got("/v1/disclosures?from=2026-02-30T00:00:00Z"), INVALID, "/query/from"),
    "from after to": (
        lambda: got("/v1/disclosures?from=2026-03-01T00:00:00Z&to=2026-02-01T00:00:00Z"),
        INVALID,
        "/query/from",
    ),
    "from at to": (
        lambda: got("/v1/disclosures?from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z"),
        INVALID,
        "/query/from",
    ),
    "a day where a moment belongs": (lambda: got("/v1/disclosures?from=2026-11-01"), INVALID, "/query/from"),
    "a moment without its offset in the query": (
        lambda: got("/v1/disclosures?to=2026-11-01T00:00:00"),
        INVALID,
        "/query/to",
    ),
    "the beginning of time": (lambda: got("/v1/disclosures?to=0001-01-01T00:00:00Z"), INVALID, "/query/to"),
    "before the beginning of time": (
        lambda: got("/v1/disclosures?from=0001-01-01T00:00:00%2B14:00"),
        INVALID,
        "/query/from",
    ),
    "the end of time": (lambda: got("/v1/disclosures?to=9999-12-31T23:59:59-14:00"), INVALID, "/query/to"),
    "broken percent": (lambda: got("/v1/disclosures?role=%zz"), INVALID, None),
    "a query on a write": (lambda: Sent("POST", "/v1/case-queries?dryRun=true", VALID), INVALID, None),
    "a query on what is open": (lambda: got(f"/v1/status?{ASCII_MARKER}=1", None), INVALID, None),
    # method
    "GET for a question": (lambda: got("/v1/case-queries"), METHOD, None),
    "DELETE of a record": (lambda: Sent("DELETE", RECORD_PATH, system="kela"), METHOD, None),
    "PATCH of a matter": (lambda: Sent("PATCH", MATTER_PATH, b"{}"), METHOD, None),
    "POST to a matter": (lambda: Sent("POST", MATTER_PATH, b"{}"), METHOD, None),
    "TRACE": (lambda: Sent("TRACE", "/v1/status", system=None), METHOD, None),
    "a method of another protocol": (lambda: Sent("PROPFIND", "/v1/status", system=None), METHOD, None),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input(wire: Wire, what: str) -> None:
    make, expected, pointer = BAD[what]
    sent = make()
    answer = wire.send(sent)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == expected, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert [row["pointer"] for row in problem["errors"]][:1] == [pointer]
        assert {row["code"] for row in problem["errors"]} == {expected[1]}
    if expected[0] == 405:
        assert answer.headers["allow"]
    unechoed(answer)


def unechoed(answer: httpx.Response) -> None:
    """Nothing that was sent stands in body or headers."""
    said = (answer.text + str(answer.headers.raw)).lower()
    for text in (MARKER, ASCII_MARKER, HETU, "010594", "dryrun", "iban", "latin-1", "412,30", "yesterday"):
        assert text.lower() not in said, text


def test_the_table_is_as_long_as_promised() -> None:
    assert len(BAD) >= 60
    assert len({expected for _, expected, _ in BAD.values()}) >= 9


def test_the_rows_are_refused_for_what_is_bad_in_them(wire: Wire, live: Live) -> None:
    """Without its fault each operation's request passes the gate: the table's rows differ from these in one thing only."""
    for sent in (
        query(),
        matter(path=f"/v1/matters/B-{uuid.uuid4().hex[:6]}"),
        record({"amount": "1.00"}, path=f"/v1/payments/{uuid.uuid4()}"),
        telling(),
        state(),
        audit(),
    ):
        answer = wire.send(sent)
        assert answer.status_code in {200, 201, 403}, answer.text
        assert answer.status_code != 403 or answer.json()["code"] == "matter-missing"
    fresh = [row(recordId=str(uuid.uuid4()), fields={"date": today().isoformat()})]
    assert wire.send(deposits(fresh)).status_code == 201
    missing = wire.send(erasure())
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


def test_bad_input_writes_nothing(wire: Wire, live: Live) -> None:
    count = "select (select count(*) from ledger.entry) + (select count(*) from exchange.record) + (select count(*) from exchange.matter) as n"
    before = live.sql(count)
    for what in (
        "a wrong sum in the second deposit",
        "a key twice",
        "an identity code in the path",
        "two idempotency keys",
        "an unquoted ETag",
        "a wrong code inside the fields",
    ):
        assert wire.send(BAD[what][0]()).status_code == 400
    assert live.sql(count) == before


EXTREMES: dict[str, Callable[[], Sent]] = {
    "a record of the year one": lambda: record({"date": "0001-01-01"}, path=f"/v1/payments/{uuid.uuid4()}"),
    "a record of the year 9999": lambda: record({"date": "9999-12-31"}, path=f"/v1/payments/{uuid.uuid4()}"),
    "kept until the end of time": lambda: record({}, path=f"/v1/payments/{uuid.uuid4()}", retainUntil="9999-12-31"),
    "a matter of the year one": lambda: matter(path=f"/v1/matters/B-{uuid.uuid4().hex[:6]}", openedAt="0001-01-01"),
    "a period of all time": lambda: query(period={"from": "0001-01-01", "to": "9999-12-31"}),
    "a text as long as it may be": lambda: record({"reasons": "€" * 4000}, path=f"/v1/decisions/{uuid.uuid4()}"),
    "the largest household": lambda: record(
        {"members": [{"hetu": hetu_of(n, "A"), "relation": "child"} for n in range(30)]},
        path=f"/v1/households/{uuid.uuid4()}",
    ),
}


@pytest.mark.parametrize("what", EXTREMES)
def test_extremes_are_answered(wire: Wire, what: str) -> None:
    answer = wire.send(EXTREMES[what]())
    assert answer.status_code in {201, 403}, answer.text


def test_what_is_not_http_is_refused_without_echo(live: Live) -> None:
    with socket.create_connection(
        (live.url.rpartition("/")[2].partition(":")[0], int(live.url.rpartition(":")[2]))
    ) as connection:
        connection.sendall(f"{ASCII_MARKER} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        said = connection.recv(4096)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert ASCII_MARKER.encode() not in said


def test_an_unknown_path_is_not_found_for_strangers_too(wire: Wire) -> None:
    answer = wire.send(Sent("GET", f"/v1/{ASCII_MARKER}", system=None))
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    unechoed(answer)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=1, application/json;q=0"])
def test_an_accept_header_does_no_harm(wire: Wire, accept: str) -> None:
    answer = wire.send(
        Sent(
            "GET", "/v1/status", headers={"Accept": accept, "Content-Type": None, "Idempotency-Key": None}, system=None
        )
    )
    assert answer.status_code in {200, 406}


def test_a_long_header_and_a_long_path_are_refused_without_echo(wire: Wire) -> None:
    answer = wire.send(Sent("GET", f"/v1/matters/{'A' * 8000}", system=None))
    assert answer.status_code in {400, 404, 405, 414}
    assert "AAAA" not in answer.text


TOKEN_FORMS: dict[str, tuple[bytes, str | None]] = {
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "JSON": (b'{"grant_type":"client_credentials"}', "application/json"),
    "no content type": (b"grant_type=client_credentials", None),
    "a grant of one's own": (b"grant_type=" + ASCII_MARKER.encode(), "application/x-www-form-urlencoded"),
    "a parameter twice": (
        b"grant_type=client_credentials&grant_type=client_credentials",
        "application/x-www-form-urlencoded",
    ),
    "an assertion that is none": (
        b"grant_type=client_credentials&scope=case:read&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
        + ASCII_MARKER.encode(),
        "application/x-www-form-urlencoded",
    ),
    "a secret": (
        b"grant_type=client_credentials&client_id=pirha&client_secret=" + ASCII_MARKER.encode(),
        "application/x-www-form-urlencoded",
    ),
    "invalid UTF-8": (b"grant_type=%ff%fe" + ASCII_MARKER.encode(), "application/x-www-form-urlencoded"),
    "bytes": (b"\x00\xff" + ASCII_MARKER.encode(), "application/x-www-form-urlencoded"),
    "much": (b"scope=" + b"x" * 200_000, "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("what", TOKEN_FORMS)
def test_a_bad_token_request_gets_an_oauth_error(wire: Wire, what: str) -> None:
    body, content_type = TOKEN_FORMS[what]
    answer = wire.send(
        Sent("POST", "/oauth/token", body, headers={"Content-Type": content_type, "Idempotency-Key": None}, system=None)
    )
    assert answer.status_code in {400, 401, 413}, answer.text
    assert answer.status_code == 413 or answer.json()["error"] in {
        "invalid_request",
        "unsupported_grant_type",
        "invalid_client",
    }
    assert answer.headers["cache-control"] == "no-store"
    unechoed(answer)
