"""No type of the product shows what it holds, unless a reason is given here why it may.

Silence is the default: a new type either hides its members or gets a line in OPEN. What may be shown is law, settings,
state and ids; never a value of a record, an identity code, a name, a free text, a token or a key.
"""

import io
import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
import structlog

import sauma
from sauma.core.people import Hetu, SubjectRef
from sauma.vault.keys import Secret
from sauma.vault.logkey import LogKey
from sauma.vault.signing import ReceiptSigner
from sauma.web import logs
from shape import leaks

LAW = "the law as data, fields and problem texts: public"
ROWS = "as stored: random ids, keyed indexes and tags, states, versions, digests, ciphertext, wrapped keys"
TREE = "sizes, hashes, public keys and signatures, which are published; a leaf, which names nobody"
REGISTER = "systems, organisations, scopes, public keys and settings; an officer in it is silent"
DECISION = "which fields of which revisions, on which provision, for which reason; the question in it is silent"

OPEN: dict[str, str] = {
    "catalogue.*": LAW,
    "core.areas.*": LAW,
    "core.fields.*": LAW,
    "core.problems.*": LAW,
    "core.purposes.*": LAW,
    "core.resources.Resource": LAW,
    "core.evidence.*": ROWS,
    "core.matters.*": ROWS,
    "core.tree.*": TREE,
    "exchange.tree.*": TREE,
    "vault.logkey._StoredHead": TREE,
    "exchange.ports.Plot": ROWS,
    "exchange.rows.*": ROWS,
    "vault.aead.*": ROWS,
    "vault.datakeys.*": ROWS,
    "vault.keyring.*": ROWS,
    "vault.keys.KeyRef": ROWS,
    "vault.payload.*": ROWS,
    "vault.seal.*": ROWS,
    "core.decision.Permit": DECISION,
    "core.decision.PermittedRecord": DECISION,
    "core.decision.Refusal": DECISION,
    "core.decision._Case": DECISION,
    "client.auth.Access": REGISTER,
    "core.parties.Caller": REGISTER,
    "core.parties.Client": REGISTER,
    "core.parties.Organisation": REGISTER,
    "exchange.ports.World": REGISTER,
    "exchange.tokens.*": REGISTER,
    "oauth.claims.Expectation": REGISTER,
    "oauth.issuing.answers.Issuer": REGISTER,
    "oauth.jose.VerifyingKey": REGISTER,
    "oauth.keys.*": REGISTER,
    "oauth.resource.admission.*": REGISTER,
    "oauth.resource.challenge.Challenge": REGISTER,
    "oauth.resource.ProtectedRequest.method": REGISTER,
    "oauth.resource.Trust": REGISTER,
    "oauth.resource.token.*": REGISTER,
    "oauth.resource.trust.*": REGISTER,
    "oauth.metadata.*": REGISTER,
    "web.problems.*": "codes, fixed texts and pointers: what is answered; never input",
    "app.Running": REGISTER,
    "web.openapi.Sources": "law and fixed texts: what the description is made from",
    "web.context.*": "the edge's parts and refused credentials' fixed texts",
    "demo.*": "a synthetic Finland: nobody in it exists",
    "store.*": "files, versions and settings of the database; secrets in it are silent",
    "core.disclosure.Receipt": "handed to the caller: entry id, leaf hash, time",
    "exchange.write.Done": "a write's answer: ids, revisions and states, never client data",
    "exchange.deposit.Annulment": "record id and a reason code",
    "exchange.publish.PublicationStatement": "how current a controller's publication is: never about a person",
    "exchange.write.Effect": "a write's answer: ids, revisions and states, never client data",
    "exchange.write._Kept": "a write's answer: ids, revisions and states, never client data",
}

NEVER_OPEN = (
    "core.people.Hetu",
    "core.people.PersonIdentifier",
    "core.people.SubjectRef",
    "core.parties.Officer",
    "core.resources.persons.Person",
    "core.resources.decisions.Decision",
    "core.disclosure.Sealed",
    "core.disclosure.SealedGroup",
    "core.disclosure.WrappedKey",
    "core.disclosure.Opened",
    "core.disclosure.OpenedRecord",
    "core.disclosure.Disclosed",
    "vault.keys.Secret",
    "oauth.verify.Claims",
    "oauth.jose.Compact",
    "core.decision.Ask",
    "exchange.disclose.CaseQuery",
)

# types whose own checks refuse a marker
MADE: dict[str, Callable[[], object]] = {
    "core.people.Hetu": lambda: Hetu(leaks.HETU),
    "core.people.SubjectRef": lambda: SubjectRef(hetu=leaks.HETU),
    "vault.logkey.LogKey": lambda: LogKey("example.com/log", leaks.BYTES * 2),
    "vault.signing.ReceiptSigner": lambda: ReceiptSigner(Secret(leaks.BYTES * 2)),
}


@pytest.fixture(scope="module")
def specimens() -> leaks.Specimens:
    return leaks.Specimens(open_names=OPEN, made=MADE)


@pytest.fixture(scope="module")
def instances(specimens: leaks.Specimens) -> dict[str, object]:
    built: dict[str, object] = {}
    for cls in leaks.product_classes(sauma):
        if leaks.carries_values(cls):
            try:
                built[leaks.qualified(cls)] = specimens.build(cls)
            except leaks.Unbuildable as error:
                if not specimens.is_open(leaks.qualified(cls)):  # law that must be whole cannot be filled, nor need be
                    built[leaks.qualified(cls)] = error
    return built


def test_every_type_can_be_filled_with_markers(instances: dict[str, object]) -> None:
    assert [str(error) for error in instances.values() if isinstance(error, leaks.Unbuildable)] == []


def test_no_type_shows_what_it_holds(instances: dict[str, object]) -> None:
    found = {
        f"{name} ({way})": leaks.leaks(text)
        for name, value in instances.items()
        for way, text in leaks.texts(value).items()
        if leaks.leaks(text)
    }
    assert sorted({place.partition(" ")[0] for place in found}) == [], found


def test_the_types_that_matter_most_are_among_them(instances: dict[str, object]) -> None:
    assert [name for name in NEVER_OPEN if name not in instances] == []
    assert len(instances) > 50


def test_no_type_that_matters_is_declared_open() -> None:
    nothing_made = leaks.Specimens(open_names=OPEN, made={})
    assert [name for name in NEVER_OPEN if nothing_made.is_open(name)] == []


def test_every_open_type_is_still_needed(specimens: leaks.Specimens, instances: dict[str, object]) -> None:
    assert instances
    assert sorted(set(OPEN) - specimens.used) == []
    assert all(OPEN.values())


@pytest.fixture
def log_lines() -> Iterator[Callable[[], str]]:
    stream = io.BytesIO()
    before = structlog.get_config()
    logs.configure(stream=stream)
    yield lambda: stream.getvalue().decode("utf-8")
    structlog.configure(**before)


def test_no_log_line_shows_what_a_type_holds(
    instances: dict[str, object], log_lines: Callable[[], str], specimens: leaks.Specimens
) -> None:
    log = structlog.get_logger()
    keys = sorted({key for allowed in logs.EVENTS.values() for key in allowed})
    for name, value in instances.items():
        if specimens.is_open(name):
            continue
        for event in logs.EVENTS:
            log.error(event, **dict.fromkeys(keys, value), value=value)
        log.info(str(value), value=value)
        try:
            leaks.reject(value)
        except RuntimeError as error:
            log.exception("internal-error", **logs.error_origin(error))
            log.exception("internal-error", exc_info=error)
    written = log_lines()
    assert leaks.leaks(written) == []
    assert written.count("\n") > len(instances)
    assert all(json.loads(line)["event"] for line in written.splitlines())


def test_no_log_line_shows_a_marker_put_into_any_key(log_lines: Callable[[], str]) -> None:
    log = structlog.get_logger()
    for event, keys in logs.EVENTS.items():
        for marker in (leaks.HETU, leaks.TEXT, f"/v1/persons/{leaks.HETU}", leaks.BYTES):
            log.error(event, **dict.fromkeys(keys, marker))
            log.error(marker, code="x")
    assert leaks.leaks(log_lines()) == []


class Planted(msgspec.Struct):
    """What a careless new type looks like."""

    name: str


PLANTED: dict[str, Callable[[str], object]] = {
    "a Struct with the default repr": Planted,
    "a tuple of a value": lambda text: (text,),
    "an exception with a value": ValueError,
    "a secret turned into a list of its bytes": lambda _: list(Secret(leaks.BYTES).material),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_leak_test_goes_red_on(fault: str) -> None:
    shown = leaks.texts(PLANTED[fault](leaks.TEXT))
    assert all(leaks.leaks(text) for text in shown.values())
