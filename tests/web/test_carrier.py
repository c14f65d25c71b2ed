"""How a call came, read: X-Road headers of the one peer that is believed, and a trace continued or begun."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sauma.core.parties import Carrier, Officer, OfficerKind
from sauma.core.people import looks_like_hetu
from sauma.web.carrier import carrier_of, passage_of, traceparent_of

CLIENT = "FI/GOV/3221308-6/asiakastieto"
SAID = {
    "x-road-client": CLIENT,
    "x-road-id": "fa2e18a5-c2cb-4d09-b994-f57727f7c3fb",
    "x-road-userid": "w-1",
    "x-road-issue": "PIRHA/12/05.02/2026",
    "x-road-represented-party": "GOV/3221308-6",
}
REQUEST = str(uuid.UUID("018bcfe5-6800-7000-8000-00000000000a"))
SERVER = frozenset({"10.0.0.5", "2001:db8::5"})


def sent(*also: tuple[str, str], without: str = "", **changed: str) -> list[tuple[bytes, bytes]]:
    """The five headers, one left out, some changed, some added."""
    said = {**SAID, **{name.replace("_", "-"): value for name, value in changed.items()}}
    said.pop(without, None)
    return [(name.encode(), value.encode("latin-1")) for name, value in (*said.items(), *also)]


def test_the_five_headers_are_read() -> None:
    carrier = carrier_of([(b"host", b"sauma.example"), *sent(), (b"x-road-service", b"FI/GOV/0246246-0/sauma/api")])
    assert (carrier.client, carrier.member, carrier.id) == (CLIENT, "3221308-6", SAID["x-road-id"])
    assert (carrier.user_id, carrier.issue) == ("w-1", "PIRHA/12/05.02/2026")
    assert (carrier.represented_party, carrier.party, carrier.fault) == ("GOV/3221308-6", "3221308-6", None)


def test_what_it_said_is_not_printed() -> None:
    assert repr(carrier_of(sent())) == "Carrier(…)"


READ: dict[str, tuple[dict[str, Any], str, object]] = {
    "a member without a subsystem": ({"x_road_client": "FI/GOV/3221308-6"}, "member", "3221308-6"),
    "parts encoded one by one": ({"x_road_client": "FI/GOV/3221308%2D6/asiakas%20tieto"}, "member", "3221308-6"),
    "a part in UTF-8": ({"x_road_client": "FI/GOV/3221308-6/hyv%C3%A4"}, "client", "FI/GOV/3221308-6/hyv%C3%A4"),
    "a represented party without its class": ({"x_road_represented_party": "3221308-6"}, "party", "3221308-6"),
    "nobody represented": ({"without": "x-road-represented-party"}, "party", None),
    "no person behind it": ({"without": "x-road-userid"}, "user_id", None),
    "no issue": ({"without": "x-road-issue"}, "issue", None),
    "a message id that is no UUID": ({"x_road_id": "2026-08-23T10:00:00Z/77"}, "id", "2026-08-23T10:00:00Z/77"),
    "a user id with its country in front": ({"x_road_userid": "FIw-1"}, "user_id", "FIw-1"),
}


@pytest.mark.parametrize("sentence", READ)
def test_read(sentence: str) -> None:
    changes, member, value = READ[sentence]
    carrier = carrier_of(sent(**changes))
    assert (carrier.fault, getattr(carrier, member)) == (None, value)


C, M, U, S, P = "X-Road-Client", "X-Road-Id", "X-Road-UserId", "X-Road-Issue", "X-Road-Represented-Party"
FAULTS: dict[str, tuple[list[tuple[bytes, bytes]], str]] = {
    "no headers at all": ([], C),
    "no client": (sent(without="x-road-client"), C),
    "no message id": (sent(without="x-road-id"), M),
    "an empty client": (sent(x_road_client=""), C),
    "an empty user id": (sent(x_road_userid=""), U),
    "two parts": (sent(x_road_client="FI/GOV"), C),
    "five parts": (sent(x_road_client=f"{CLIENT}/api"), C),
    "an empty part": (sent(x_road_client="FI//3221308-6/x"), C),
    "an empty subsystem": (sent(x_road_client="FI/GOV/3221308-6/"), C),
    "a slash inside a part": (sent(x_road_client="FI/GOV/3221308-6%2Fx/y"), C),
    "all slashes encoded": (sent(x_road_client="FI%2FGOV%2F3221308-6%2Fx"), C),
    "an escape cut short": (sent(x_road_client="FI/GOV/3221308-6/x%2"), C),
    "an escape of no digits": (sent(x_road_client="FI/GOV/3221308-6/%zz"), C),
    "an escaped escape": (sent(x_road_client="FI/GOV/3221308-6/%2541"), C),
    "bytes that are no UTF-8": (sent(x_road_client="FI/GOV/3221308-6/%ff"), C),
    "letters sent raw": (sent(x_road_client="FI/GOV/3221308-6/hyvä"), C),
    "a control character": (sent(x_road_client="FI/GOV/3221308-6/%00"), C),
    "a way upwards": (sent(x_road_client="FI/GOV/3221308-6/.."), C),
    "a part beyond all measure": (sent(x_road_client="FI/GOV/3221308-6/" + "x" * 256), C),
    "an identity code as member": (sent(x_road_client="FI/GOV/010594Y9032/x"), C),
    "an identity code, escaped": (sent(x_road_client="FI/GOV/3221308-6/%30%31%30594Y9032"), C),
    "two clients in one line": (sent(x_road_client=f"{CLIENT}, FI/GOV/0246246-0/x"), C),
    "two clients in two lines": (sent(("x-road-client", CLIENT)), C),
    "the same client, shouted": (sent(("X-ROAD-CLIENT", CLIENT)), C),
    "a client with underscores beside it": (sent(("x_road_client", CLIENT)), C),
    "a client with underscores instead": (sent(("x_road-client", CLIENT), without="x-road-client"), C),
    "a look-alike of what was not sent": (sent(("x-road_issue", "A-1"), without="x-road-issue"), S),
    "two message ids": (sent(("x-road-id", "1")), M),
    "a message id with a comma": (sent(x_road_id="1,2"), M),
    "a message id beyond all measure": (sent(x_road_id="1" * 129), M),
    "a user id with a space": (sent(x_road_userid="w 1"), U),
    "a user id with a comma": (sent(x_road_userid="w-1,w-2"), U),
    "an identity code as user": (sent(x_road_userid="FI010594Y9032"), U),
    "an identity code in the issue": (sent(x_road_issue="A/010594Y9032"), S),
    "an issue with a space": (sent(x_road_issue="A 1"), S),
    "an issue beyond all measure": (sent(x_road_issue="A" * 65), S),
    "a represented party of three parts": (sent(x_road_represented_party="FI/GOV/3221308-6"), P),
    "an empty represented party": (sent(x_road_represented_party=""), P),
    "a represented party's broken escape": (sent(x_road_represented_party="GOV/%"), P),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_names_its_header_and_keeps_nothing_else(sentence: str) -> None:
    headers, fault = FAULTS[sentence]
    assert carrier_of(headers) == Carrier(fault=fault)


@given(
    st.lists(
        st.tuples(st.sampled_from([*(n.encode() for n in SAID), b"x_road_id"]), st.binary(max_size=40)), max_size=8
    )
)
def test_whatever_is_sent_is_read_whole_or_not_at_all(headers: list[tuple[bytes, bytes]]) -> None:
    carrier = carrier_of(headers)
    assert (carrier.fault is None) == bool(carrier.client and carrier.member and carrier.id)
    if carrier.fault is not None:
        assert carrier == Carrier(fault=carrier.fault)


PEERS: dict[str, tuple[tuple[str, int] | None, bool]] = {
    "a configured one": (("10.0.0.5", 40000), True),
    "over IPv6": (("2001:db8::5", 40000), True),
    "over IPv6, spelled at length": (("2001:0db8:0:0:0:0:0:5", 40000), True),
    "on a dual-stack socket": (("::ffff:10.0.0.5", 40000), True),
    "its neighbour": (("10.0.0.6", 40000), False),
    "this machine": (("127.0.0.1", 40000), False),
    "nobody known": (None, False),
}


@pytest.mark.parametrize("sentence", PEERS)
def test_only_a_configured_peer_carries(sentence: str) -> None:
    client, carries = PEERS[sentence]
    scope: Any = {"client": client, "headers": sent(), "state": {"traceparent": traceparent_of((), REQUEST)}}
    passage = passage_of(scope, SERVER)
    assert (passage.carrier is not None) is carries
    assert passage.trace == REQUEST.replace("-", "")
    assert passage_of(scope, frozenset()).carrier is None


WORKER = Officer(kind=OfficerKind.PERSON, id="w-1", name="A", role="r", unit="u")
ORGANISATION, SUPPLIER = "3221308-6", "9136515-1"
# what the carrier says, the supplier the token names, and the header that does not agree
STRANGE: dict[str, tuple[dict[str, str], str | None, str | None]] = {
    "the member is the organisation": ({}, None, None),
    "it represents itself": ({"party": ORGANISATION}, None, None),
    "another member": ({"member": "0246246-0"}, None, C),
    "a supplier for the organisation": ({"member": SUPPLIER, "party": ORGANISATION}, SUPPLIER, None),
    "a supplier that says for nobody": ({"member": SUPPLIER}, SUPPLIER, C),
    "a supplier for another": ({"member": SUPPLIER, "party": "0246246-0"}, SUPPLIER, P),
    "a supplier for itself": ({"member": SUPPLIER, "party": SUPPLIER}, SUPPLIER, P),
    "a supplier whom the token does not name": ({"member": SUPPLIER, "party": ORGANISATION}, None, C),
    "a supplier other than the token's": ({"member": "0246246-0", "party": ORGANISATION}, SUPPLIER, C),
    "the organisation, with its supplier's token": ({"party": ORGANISATION}, SUPPLIER, None),
    "the organisation for another": ({"party": "0246246-0"}, None, P),
    "nobody": ({"member": ""}, None, C),
    "nobody for the organisation": ({"member": "", "party": ORGANISATION}, None, C),
    "a header that could not be read": ({"fault": U}, SUPPLIER, U),
}


@pytest.mark.parametrize("sentence", STRANGE)
def test_who_it_speaks_for(sentence: str) -> None:
    changes, supplier, header = STRANGE[sentence]
    carrier = Carrier(**{"client": "x", "member": ORGANISATION, "id": "1", **changes})
    assert carrier.stranger_to(ORGANISATION, supplier) == header


ODD: dict[str, tuple[dict[str, str], Officer | None, tuple[str, ...], str | None]] = {
    "it names nobody and nothing": ({}, WORKER, ("A-1",), None),
    "the same officer": ({"user_id": "w-1"}, WORKER, (), None),
    "another officer": ({"user_id": "w-2"}, WORKER, (), U),
    "the officer in capitals": ({"user_id": "W-1"}, WORKER, (), U),
    "an officer where the request has none": ({"user_id": "w-1"}, None, (), U),
    "the same case": ({"issue": "A-1"}, None, ("A-1",), None),
    "a diary number with slashes": ({"issue": "A/1/2026"}, None, ("A:1:2026",), None),
    "another case": ({"issue": "A-2"}, None, ("A-1",), S),
    "one case of two": ({"issue": "A-1"}, None, ("A-1", "A-2"), S),
    "a case where the request has none": ({"issue": "A-1"}, None, (), None),
}


@pytest.mark.parametrize("sentence", ODD)
def test_whom_and_what_it_names(sentence: str) -> None:
    changes, officer, references, header = ODD[sentence]
    assert Carrier(client="x", member="y", id="1", **changes).at_odds_with(officer, references) == header


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OWN = "80000000" + "0000000a"
CONTINUED = {
    "sampled": (f"00-{TRACE}-{PARENT}-01", "01"),
    "not sampled": (f"00-{TRACE}-{PARENT}-00", "00"),
    "with flags nobody knows": (f"00-{TRACE}-{PARENT}-ff", "01"),
    "with the random flag alone": (f"00-{TRACE}-{PARENT}-02", "00"),
}


@pytest.mark.parametrize("sentence", CONTINUED)
def test_a_trace_is_continued_with_ourselves_as_parent(sentence: str) -> None:
    stated, flags = CONTINUED[sentence]
    assert traceparent_of([(b"traceparent", stated.encode())], REQUEST) == f"00-{TRACE}-{OWN}-{flags}"


BEGUN: dict[str, list[bytes]] = {
    "none": [],
    "an empty one": [b""],
    "two of them": [f"00-{TRACE}-{PARENT}-01".encode()] * 2,
    "a later version": [f"01-{TRACE}-{PARENT}-01".encode()],
    "the forbidden version": [f"ff-{TRACE}-{PARENT}-01".encode()],
    "capitals": [f"00-{TRACE.upper()}-{PARENT}-01".encode()],
    "a trace of zeroes": [f"00-{'0' * 32}-{PARENT}-01".encode()],
    "a parent of zeroes": [f"00-{TRACE}-{'0' * 16}-01".encode()],
    "a digit short": [f"00-{TRACE[1:]}-{PARENT}-01".encode()],
    "something after it": [f"00-{TRACE}-{PARENT}-01-x".encode()],
    "a line end after it": [f"00-{TRACE}-{PARENT}-01\n".encode()],
    "other digits": [f"00-{TRACE}-{PARENT}-0١".encode()],
    "an identity code at its end": [f"00-{TRACE[:20]}f010594a9032-{PARENT}-01".encode()],
    "an identity code after other digits": [f"00-{TRACE[:21].replace(TRACE[20], '7')}010594a9032-{PARENT}-01".encode()],
    "an identity code before other digits": [f"00-010594a9032{TRACE[:21]}-{PARENT}-01".encode()],
    "an identity code in the parent": [f"00-{TRACE}-0000010594a9032f-01".encode()],
    "an identity code's letters": [f"00-00f00{b'010594-9032'.hex()}00f00-{PARENT}-01".encode()],
    "words": [b"Virtanen"],
}


@pytest.mark.parametrize("sentence", BEGUN)
def test_what_is_no_traceparent_begins_a_trace_and_is_not_echoed(sentence: str) -> None:
    headers = [(b"Traceparent", value) for value in BEGUN[sentence]]
    assert traceparent_of(headers, REQUEST) == f"00-{REQUEST.replace('-', '')}-{OWN}-00"


@given(
    st.binary(max_size=80) | st.from_regex("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True).map(str.encode)
)
def test_every_answer_is_a_traceparent_of_version_00(stated: bytes) -> None:
    version, trace, parent, flags = traceparent_of([(b"traceparent", stated)], REQUEST).split("-")
    assert (version, len(trace), parent, flags in {"00", "01"}) == ("00", 32, OWN, True)
    assert int(trace, 16)
    assert not looks_like_hetu(trace)
