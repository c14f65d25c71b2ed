"""How a call came: the X-Road headers of the configured security server, and the trace (W3C Trace Context).

X-Road: Message Protocol for REST (PR-REST 1.0.4) sections 4.2-4.3: identifiers are parts between slashes, each
percent-encoded by itself; X-Road-Client is `instance/class/code[/subsystem]`, X-Road-Represented-Party `[class/]code`.
The consumer's security server adds X-Road-Id where its information system sent none, so here both are always there.

The protocol passes headers it does not know on as they came, so whoever is behind the security server can send
look-alikes: a name with underscores, a second line, two values with a comma between. Each is a fault, as is a header
out of its form: what could be read in two ways is not read. Headers from anyone else do not exist.
"""

import contextlib
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from litestar.types import Scope

from sauma.core.parties import Carrier, Passage
from sauma.core.people import Hetu, looks_like_hetu

Headers = Iterable[tuple[bytes, bytes]]

CLIENT, ID, USER_ID = "X-Road-Client", "X-Road-Id", "X-Road-UserId"
ISSUE, REPRESENTED = "X-Road-Issue", "X-Road-Represented-Party"

_PART = "[A-Za-z0-9._~!$&'()*+=@%-]{1,255}"
_FORMS = {
    CLIENT: re.compile(f"{_PART}/{_PART}/{_PART}(?:/{_PART})?"),
    ID: re.compile("[A-Za-z0-9._:~@/+=-]{1,128}"),
    USER_ID: re.compile("[!-+.-~-]{1,100}"),
    ISSUE: re.compile("[A-Za-z0-9._:~/-]{1,64}"),
    REPRESENTED: re.compile(f"(?:{_PART}/)?{_PART}"),
}
_NAMES = {name.lower().encode(): name for name in _FORMS}
_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_NOT_IN_A_PART = re.compile(r"[\x00-\x1f\x7f-\x9f:;/\\%\ufffd]")  # PR-REST 4.8; the last is what was not UTF-8
_MEMBER_CODE = 2

_TRACEPARENT = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_AMONG_DIGITS = re.compile("(?=([0-9]{6}[a-f][0-9]{3}[0-9a-f]))")
_SAMPLED = 0x01


def passage_of(scope: Scope, security_servers: frozenset[str]) -> Passage:
    """How a request came; its carrier is None unless a configured security server is the TCP peer."""
    trace = str(scope["state"]["traceparent"]).split("-")[1]
    peer = scope.get("client")
    if not security_servers or peer is None or plain_address(peer[0]) not in security_servers:
        return Passage(trace=trace)
    return Passage(trace=trace, carrier=carrier_of(scope["headers"]))


def carrier_of(headers: Headers) -> Carrier:
    """What a security server said: all five headers read, or the first that is missing or has a fault."""
    said: dict[str, str] = {}
    for raw, value in headers:
        name = _NAMES.get(raw.lower().replace(b"_", b"-"))
        if name is None:
            continue
        text = value.decode("latin-1")
        if b"_" in raw or name in said or not _is_of_form(name, text):
            return Carrier(fault=name)
        said[name] = text
    for name in (CLIENT, ID):
        if name not in said:
            return Carrier(fault=name)
    client, party = _parts(said[CLIENT]), _parts(said.get(REPRESENTED))
    if not client or party is None:
        return Carrier(fault=REPRESENTED if client else CLIENT)
    return Carrier(
        client=said[CLIENT],
        member=client[_MEMBER_CODE],
        id=said[ID],
        user_id=said.get(USER_ID),
        issue=said.get(ISSUE),
        represented_party=said.get(REPRESENTED),
        party=party[-1] if party else None,
    )


def traceparent_of(headers: Headers, request_id: str) -> str:
    """The request's own `traceparent`: its caller's trace continued, or a new one, with itself as the parent.

    Trace Context section 3.2: what is not one valid version-00 header is ignored, and a new trace begins. The ids come
    from the request id (a UUIDv7), so that log, answer and trace name each other; tracestate and baggage are not read.
    Ids that hold an identity code are not carried on.
    """
    own = request_id.replace("-", "")
    stated = [value for name, value in headers if name.lower() == b"traceparent"]
    match = _TRACEPARENT.fullmatch(stated[0].decode("latin-1")) if len(stated) == 1 else None
    if match is None or not int(match[1], 16) or not int(match[2], 16) or any(map(_names_somebody, match.group(1, 2))):
        return f"00-{own}-{own[16:]}-00"
    return f"00-{match[1]}-{own[16:]}-{int(match[3], 16) & _SAMPLED:02x}"


def _names_somebody(digits: str) -> bool:
    """Whether hex digits hold an identity code, anywhere and as they are, or in the bytes they spell.

    Of one that stands among other digits the date must be one and the check character right, else a trace in a hundred
    would be taken for somebody's.
    """
    spelled = (bytes.fromhex(digits[odd : len(digits) - odd]).decode("latin-1") for odd in (0, 1))
    if any(looks_like_hetu(text) for text in (digits, *spelled)):
        return True
    for match in _AMONG_DIGITS.finditer(digits):
        with contextlib.suppress(ValueError):
            return bool(Hetu(match[1].upper()))
    return False


def _is_of_form(name: str, text: str) -> bool:
    """Whether a value has its header's form; only a message id may look like an identity code, by chance."""
    return _FORMS[name].fullmatch(text) is not None and (name == ID or not looks_like_hetu(text))


def _parts(identifier: str | None) -> list[str] | None:
    """The decoded parts of an identifier, none of an absent one; None when one of them is not a part."""
    if identifier is None:
        return []
    parts = [unquote(part, errors="replace") for part in identifier.split("/")]
    faulty = _ESCAPE.search(identifier) or any(_NOT_IN_A_PART.search(p) or looks_like_hetu(p) for p in parts)
    return None if faulty or {".", ".."} & set(parts) else parts


def plain_address(host: str) -> str:
    """An address in the one spelling; a peer on a dual-stack socket is the IPv4 address it is."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
