"""Issuers beside ours: the file that names them, their tokens, and what the register leaves of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey

from sauma.core.errors import StartRefused
from sauma.core.parties import CaseAccess
from sauma.exchange.tokens import ClientState, KnownClient, Mandate
from sauma.oauth.jose import VerifyingKey
from sauma.oauth.reasons import Reason
from sauma.oauth.resource import Challenge, ProtectedRequest, VerifiedToken
from sauma.oauth.resource.admission import Admission, House, Keyed
from sauma.oauth.resource.trust import NamedIssuer, read_issuers

THEIRS, PUBLISHED = "https://login.example/tenant", "https://login.example/keys"
SCOPES = ("case:read", "matter:write", "record:write")
COUNTY, SUPPLIER = "2816301-8", "9136515-1"


def row(b: Any, **changes: Any) -> dict[str, Any]:
    """A sound row of the file, with changes; a member `absent` is left out."""
    full = {
        "issuer": THEIRS,
        "jwks": {"keys": [{**b.other_issuer_key.public.jwk, "kid": b.other_issuer_key.public.kid, "use": "sig"}]},
        "clients": {"their-client": {"client": "pirha-case", "organisation": COUNTY}},
        "scopes": ["case:read", "matter:write"],
    }
    return {name: value for name, value in {**full, **changes}.items() if value is not b.absent}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "issuers.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


# -- the file


# fmt: off
SOUND: dict[str, Any] = {
    "keys in the file": lambda b: [row(b)],
    "keys published": lambda b: [row(b, jwks=b.absent, jwksUri=PUBLISHED)],
    "two issuers": lambda b: [row(b), row(b, issuer="https://other.example")],
    "one on this machine": lambda b: [row(b, issuer="http://127.0.0.1:4444")],
    "five hundred clients": lambda b: [row(b, clients={f"c-{n}": {"client": "pirha-case", "organisation": COUNTY} for n in range(500)})],
}
FAULTY: dict[str, Any] = {
    "nothing in it": lambda b: b"",
    "no JSON": lambda b: b"geheimnis",
    "an object": row,
    "nobody": lambda b: [],
    "a member twice": lambda b: b'[{"issuer":"https://a.example","issuer":"https://b.example"}]',
    "nested without end": lambda b: b"[" * 5000 + b"]" * 5000,
    "a text": lambda b: ["geheimnis"],
    "an issuer twice": lambda b: [row(b), row(b)],
    "ourselves": lambda b: [row(b, issuer=b.url)],
    "over plain HTTP": lambda b: [row(b, issuer="http://login.example")],
    "an issuer with a query": lambda b: [row(b, issuer="https://login.example/?geheimnis")],
    "an issuer with a fragment": lambda b: [row(b, issuer="https://login.example/#geheimnis")],
    "an issuer with a user": lambda b: [row(b, issuer="https://geheimnis@login.example")],
    "no keys": lambda b: [row(b, jwks=b.absent)],
    "keys twice over": lambda b: [row(b, jwksUri=PUBLISHED)],
    "an empty key set": lambda b: [row(b, jwks={"keys": []})],
    "a private key": lambda b: [row(b, jwks={"keys": [b.other_key.as_dict(private=True)]})],
    "a shared secret": lambda b: [row(b, jwks={"keys": [{"kty": "oct", "k": "geheimnis"}]})],
    "a key on another curve": lambda b: [row(b, jwks={"keys": [ECKey.generate_key("P-384").as_dict(private=False)]})],
    "a key for RS256": lambda b: [row(b, jwks={"keys": [{**b.rsa_key.as_dict(private=False), "alg": "RS256"}]})],
    "two keys of one kid": lambda b: [row(b, jwks={"keys": [{**k.as_dict(private=False), "kid": "1"} for k in (b.other_key, b.client_key)]})],
    "too many keys": lambda b: [row(b, jwks={"keys": [{"kty": "EC"}] * 21})],
    "keys over plain HTTP": lambda b: [row(b, jwks=b.absent, jwksUri="http://login.example/keys")],
    "keys in a file": lambda b: [row(b, jwks=b.absent, jwksUri="file:///etc/geheimnis")],
    "no clients": lambda b: [row(b, clients={})],
    "a client for nobody": lambda b: [row(b, clients={"geheimnis": {"client": "x"}})],
    "a client of no business id": lambda b: [row(b, clients={"geheimnis": {"client": "x", "organisation": "Pirha"}})],
    "a client that is nobody": lambda b: [row(b, clients={"geheimnis": {"client": "", "organisation": COUNTY}})],
    "no scopes": lambda b: [row(b, scopes=[])],
    "a scope there is not": lambda b: [row(b, scopes=["case:read", "geheimnis"])],
    "a member nobody knows": lambda b: [row(b, geheimnis=True)],
}
# fmt: on


@pytest.mark.parametrize("sentence", SOUND)
def test_a_sound_file_is_read(sentence: str, baseline: Any, tmp_path: Path) -> None:
    content = SOUND[sentence](baseline)
    found = read_issuers(written(tmp_path, content), own=baseline.url, scopes=SCOPES)
    assert [one.issuer for one in found] == [one["issuer"] for one in content]
    assert all(bool(one.keys) == (one.jwks_uri is None) for one in found)
    assert [len(one.trusted.clients) for one in found] == [len(one["clients"]) for one in content]


@pytest.mark.parametrize("sentence", FAULTY)
def test_a_file_that_is_not_refuses_the_start_in_one_line_that_repeats_nothing(
    sentence: str, baseline: Any, tmp_path: Path
) -> None:
    path = written(tmp_path, FAULTY[sentence](baseline))
    with pytest.raises(StartRefused) as refused:
        read_issuers(path, own=baseline.url, scopes=SCOPES)
    assert (refused.value.exit_code, refused.value.line.count("\n")) == (78, 0)
    assert refused.value.line.startswith("SAUMA_TRUSTED_ISSUERS: ")
    assert "; fix: " in refused.value.line
    assert "geheimnis" not in refused.value.line


def test_a_file_that_is_gone_refuses_the_start(baseline: Any, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot be read"):
        read_issuers(tmp_path / "nowhere", own=baseline.url, scopes=SCOPES)


# -- the door


class Outside:
    """The register and the published key sets, as they are told to be; `asked` is what was looked up."""

    def __init__(self, known: KnownClient | None, published: tuple[Mapping[str, str], ...] = ()) -> None:
        self.known, self.published = known, published
        self.asked: list[tuple[str, ...]] = []

    async def find_client(self, client_id: str) -> KnownClient | None:
        self.asked.append(("client", client_id))
        return self.known if self.known is not None and self.known.id == client_id else None

    async def keys_of(self, uri: str, kid: str | None) -> tuple[Mapping[str, str], ...]:
        self.asked.append(("keys", uri, str(kid)))
        return self.published


def door(b: Any, outside: Outside, tmp_path: Path, *, own: bool = True, **changes: Any) -> Admission:
    """The door of a server that trusts the one issuer of `row`; `changes` are of the row."""
    beside = read_issuers(written(tmp_path, [row(b, **changes)]), own=b.url, scopes=SCOPES)
    house = House(resource=b.url, metadata_url="m", issuer=b.url if own else None, beside=beside, nonces=b.nonces)
    keyed = Keyed(keys=(b.issuer_key.public,), generation=1)
    return Admission(house, own_keys=lambda _: keyed, published=outside, systems=outside)


def theirs(b: Any, *, header: Any = None, key: Any = None, **members: Any) -> str:
    """A token of theirs: no claim that only we write."""
    own = dict.fromkeys(("asrt", "grant_version", "authorization_details"), b.absent)
    said = {"iss": THEIRS, "client_id": "their-client", "sub": "their-client", **own, **members}
    head = {"kid": b.other_issuer_key.public.kid, **(header or {})}
    return str(b.token(header=head, members=said, key=key or b.other_issuer_key.key))


def shown(b: Any, token: str, **proof: Any) -> ProtectedRequest:
    """The baseline request with that token, proven."""
    return ProtectedRequest(
        method="PUT",
        raw_path="/v1/matters/A-1",
        authorizations=(f"DPoP {token}",),
        proofs=(b.proof(token=token, **proof),),
    )


async def test_their_token_is_a_caller_of_the_registered_system(baseline: Any, tmp_path: Path) -> None:
    b, outside = baseline, Outside(baseline.client())
    said = await door(b, outside, tmp_path).admit(shown(b, theirs(b)), now=b.now)
    assert isinstance(said, VerifiedToken), said
    assert (said.client_id, said.organisation, said.grant_version) == ("pirha-case", COUNTY, 3)
    assert (said.scopes, said.supplier, said.officer, said.access) == (
        {"case:read", "matter:write"},
        None,
        None,
        CaseAccess(),
    )
    assert outside.asked == [("client", "pirha-case")]


async def test_a_token_of_ours_asks_nobody(baseline: Any, tmp_path: Path) -> None:
    outside = Outside(None)
    said = await door(baseline, outside, tmp_path).admit(shown(baseline, baseline.token()), now=baseline.now)
    assert isinstance(said, VerifiedToken)
    assert outside.asked == []


async def test_ours_is_not_taken_where_only_they_issue(baseline: Any, tmp_path: Path) -> None:
    alone = door(baseline, Outside(baseline.client()), tmp_path, own=False)
    ours = await alone.admit(shown(baseline, baseline.token()), now=baseline.now)
    other = await alone.admit(shown(baseline, theirs(baseline)), now=baseline.now)
    assert getattr(ours, "reason", None) is Reason.ISSUER_UNKNOWN
    assert isinstance(other, VerifiedToken)


async def test_keys_are_fetched_from_where_the_file_says_with_the_kid_that_is_wanted(
    baseline: Any, tmp_path: Path
) -> None:
    b, kid = baseline, baseline.other_issuer_key.public.kid
    for published, expected in (((), Reason.KEY_UNKNOWN), (({**b.other_issuer_key.public.jwk, "kid": kid},), None)):
        outside = Outside(b.client(), published)
        said = await door(b, outside, tmp_path, jwks=b.absent, jwksUri=PUBLISHED).admit(shown(b, theirs(b)), now=b.now)
        assert getattr(said, "reason", None) is expected
        assert outside.asked[0] == ("keys", PUBLISHED, kid)


async def test_an_issuer_nobody_named_causes_no_look_at_anything(baseline: Any, tmp_path: Path) -> None:
    outside = Outside(baseline.client())
    token = theirs(baseline, iss="https://evil.example")
    said = await door(baseline, outside, tmp_path).admit(shown(baseline, token), now=baseline.now)
    assert (getattr(said, "reason", None), outside.asked) == (Reason.ISSUER_UNKNOWN, [])


DETAIL = {"type": "sauma_case_access"}
# fmt: off
REFUSED: dict[str, tuple[Any, Reason]] = {
    "for another audience": (lambda b: theirs(b, aud="https://other.example"), Reason.AUDIENCE_OTHER),
    "of a client that is not in the file": (lambda b: theirs(b, client_id="another"), Reason.CLIENT_UNTRUSTED),
    "of our own client id, which they do not have": (lambda b: theirs(b, client_id="pirha-case"), Reason.CLIENT_UNTRUSTED),
    "without a client": (lambda b: theirs(b, client_id=b.absent), Reason.TOKEN_CLAIMS),
    "a client that is a list": (lambda b: theirs(b, client_id=["their-client"]), Reason.TOKEN_CLAIMS),
    "not bound to a key": (lambda b: theirs(b, cnf=b.absent), Reason.NOT_BOUND),
    "bound to another key": (lambda b: theirs(b, cnf={"jkt": b.other_key.thumbprint()}), Reason.JKT_OTHER),
    "expired": (lambda b: theirs(b, exp=b.now), Reason.EXPIRED),
    "issued five minutes ago, for an hour": (lambda b: theirs(b, iat=b.now - 301, exp=b.now + 3299), Reason.IAT_STALE),
    "without an id": (lambda b: theirs(b, jti=b.absent), Reason.JTI_MISSING),
    "an ID token": (lambda b: theirs(b, header={"typ": "JWT"}), Reason.TYPE),
    "signed by our own key": (lambda b: theirs(b, header={"kid": b.issuer_key.public.kid}, key=b.issuer_key.key), Reason.KEY_UNKNOWN),
    "signed by another key of that kid": (lambda b: theirs(b, key=b.client_key), Reason.SIGNATURE),
    "details for another organisation": (lambda b: theirs(b, authorization_details=[{**DETAIL, "organisation": "0246246-0"}]), Reason.TOKEN_CLAIMS),
    "two details of our kind": (lambda b: theirs(b, authorization_details=[DETAIL, DETAIL]), Reason.TOKEN_CLAIMS),
    "details that are no list": (lambda b: theirs(b, authorization_details=DETAIL), Reason.TOKEN_CLAIMS),
    "details of our kind with a stranger": (lambda b: theirs(b, authorization_details=[{**DETAIL, "hetu": "x"}]), Reason.TOKEN_CLAIMS),
    "a scope that is a list": (lambda b: theirs(b, scope=["case:read"]), Reason.TOKEN_CLAIMS),
}
# fmt: on


@pytest.mark.parametrize("sentence", REFUSED)
async def test_their_token_is_refused(sentence: str, baseline: Any, tmp_path: Path) -> None:
    make, reason = REFUSED[sentence]
    request = shown(baseline, make(baseline))
    said = await door(baseline, Outside(baseline.client()), tmp_path).admit(request, now=baseline.now)
    assert isinstance(said, Challenge)
    assert (said.reason, said.status) == (reason, 401)


async def test_details_of_other_kinds_say_nothing_and_those_of_ours_confine(baseline: Any, tmp_path: Path) -> None:
    b = baseline
    details = [{"type": "payment"}, {**DETAIL, "purpose": "county-benefit-case", "officer": b.person}]
    token = theirs(b, authorization_details=details)
    said = await door(b, Outside(b.client()), tmp_path).admit(shown(b, token), now=b.now)
    assert isinstance(said, VerifiedToken)
    assert (said.access.purpose, said.officer and said.officer.id) == ("county-benefit-case", b.person["id"])
    assert said.authentication is None  # only a login at the organisation's own provider is one


async def test_what_they_say_of_login_act_nonce_and_version_is_not_believed(baseline: Any, tmp_path: Path) -> None:
    b = baseline
    claims = {"act": {"sub": SUPPLIER}, "grant_version": 99, "acr": "high", "auth_time": b.now, "dpop_nonce": True}
    token = theirs(b, **claims, officer_provider=b.idp, authorization_details=[{**DETAIL, "officer": b.person}])
    said = await door(b, Outside(b.client()), tmp_path).admit(shown(b, token), now=b.now)
    assert isinstance(said, VerifiedToken)
    assert (said.supplier, said.grant_version, said.authentication, said.nonce_required) == (None, 3, None, False)


def mandated(b: Any, **changes: Any) -> KnownClient:
    known: KnownClient = b.client(mandate=changes)
    return known


# fmt: off
REGISTERED: dict[str, tuple[Any, Reason | None]] = {
    "as it should be": (lambda b: b.client(), None),
    "unknown": (lambda b: None, Reason.CLIENT_INACTIVE),
    "proposed": (lambda b: b.client(state=ClientState.PROPOSED), Reason.CLIENT_INACTIVE),
    "suspended": (lambda b: b.client(state=ClientState.SUSPENDED), Reason.CLIENT_INACTIVE),
    "retired": (lambda b: b.client(state=ClientState.RETIRED), Reason.CLIENT_INACTIVE),
    "without a mandate": (lambda b: b.client(mandates=()), Reason.MANDATE_NONE),
    "with another organisation's mandate": (lambda b: mandated(b, organisation="0246246-0"), Reason.MANDATE_NONE),
    "whose purpose must be signed for": (lambda b: mandated(b, details_required=True), Reason.DETAILS_REQUIRED),
    "whose purposes are narrowed": (lambda b: mandated(b, purposes=frozenset({"county-benefit-case"})), Reason.DETAILS_REQUIRED),
    "whose tokens are bound to a certificate": (lambda b: b.client(certificate_bound=True), Reason.NOT_BOUND),
    "whose proofs carry a nonce": (lambda b: b.client(nonce_required=True), Reason.NONCE_MISSING),
}
# fmt: on


@pytest.mark.parametrize("sentence", REGISTERED)
async def test_the_register_says_whether_it_stands(sentence: str, baseline: Any, tmp_path: Path) -> None:
    make, reason = REGISTERED[sentence]
    request = shown(baseline, theirs(baseline))
    said = await door(baseline, Outside(make(baseline)), tmp_path).admit(request, now=baseline.now)
    assert getattr(said, "reason", None) is reason


async def test_a_nonce_of_ours_is_taken_with_their_token(baseline: Any, tmp_path: Path) -> None:
    b = baseline
    let_in = door(b, Outside(b.client(nonce_required=True)), tmp_path)
    request = shown(b, theirs(b), members={"nonce": let_in.fresh_nonce(now=b.now)})
    assert isinstance(await let_in.admit(request, now=b.now), VerifiedToken)


PURPOSES = {
    "the one": ("county-benefit-case", None),
    "another": ("kela-case-request", Reason.DETAILS_PURPOSE_UNGRANTED),
}


@pytest.mark.parametrize("which", PURPOSES)
async def test_a_narrowed_mandate_takes_its_purposes_only(which: str, baseline: Any, tmp_path: Path) -> None:
    b, (purpose, reason) = baseline, PURPOSES[which]
    token = theirs(b, authorization_details=[{**DETAIL, "purpose": purpose, "caseReference": "A-1"}])
    known = mandated(b, purposes=frozenset({"county-benefit-case"}))
    said = await door(b, Outside(known), tmp_path).admit(shown(b, token), now=b.now)
    assert getattr(said, "reason", None) is reason


async def test_scopes_are_what_token_file_and_mandate_all_hold_and_the_supplier_is_the_registers(
    baseline: Any, tmp_path: Path
) -> None:
    b = baseline
    mandate = Mandate(
        organisation=COUNTY,
        kind=b.mandate().kind,
        supplier=SUPPLIER,
        scopes=frozenset({"case:read", "record:write"}),
        version=8,
    )
    token = theirs(b, scope="case:read matter:write record:write")
    said = await door(b, Outside(b.client(mandates=(mandate,))), tmp_path).admit(shown(b, token), now=b.now)
    assert isinstance(said, VerifiedToken)
    assert (said.scopes, said.supplier, said.grant_version) == ({"case:read"}, SUPPLIER, 8)


async def test_their_token_is_verified_at_every_call(baseline: Any, tmp_path: Path) -> None:
    """Their keys change without our being told: nothing of theirs is remembered."""
    b, kid = baseline, baseline.other_issuer_key.public.kid
    outside = Outside(b.client(), ({**b.other_issuer_key.public.jwk, "kid": kid},))
    let_in = door(b, outside, tmp_path, jwks=b.absent, jwksUri=PUBLISHED)
    assert isinstance(await let_in.admit(shown(b, theirs(b)), now=b.now), VerifiedToken)
    outside.published = ()
    said = await let_in.admit(shown(b, theirs(b)), now=b.now)
    assert getattr(said, "reason", None) is Reason.KEY_UNKNOWN


async def test_a_token_of_ours_does_not_outlive_the_key_it_is_signed_with(baseline: Any, tmp_path: Path) -> None:
    b = baseline
    standing: list[tuple[VerifyingKey, ...]] = [(b.issuer_key.public,)]
    house = House(resource=b.url, metadata_url="m", issuer=b.url, beside=(), nonces=b.nonces)
    outside = Outside(None)
    let_in = Admission(
        house,
        own_keys=lambda _: Keyed(keys=standing[-1], generation=len(standing)),
        published=outside,
        systems=outside,
    )
    assert isinstance(await let_in.admit(shown(b, b.token()), now=b.now), VerifiedToken)
    standing.append((b.other_issuer_key.public,))
    said = await let_in.admit(shown(b, b.token()), now=b.now)
    assert getattr(said, "reason", None) is Reason.KEY_UNKNOWN


def test_what_is_known_of_an_issuer_holds_no_secret(baseline: Any, tmp_path: Path) -> None:
    (named,) = read_issuers(written(tmp_path, [row(baseline)]), own=baseline.url, scopes=SCOPES)
    assert isinstance(named, NamedIssuer)
    assert not {"d", "k"} & set(msgspec.to_builtins([key.jwk for key in named.keys])[0])
