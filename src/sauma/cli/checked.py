"""What a registrar typed, checked: each refusal names the option, the rule and the remedy, and repeats no value."""

import datetime as dt
import re
import uuid
import zoneinfo
from pathlib import Path

import msgspec

from sauma import app
from sauma.catalogue.loader import load
from sauma.core.canonical import JsonValue
from sauma.core.errors import StartRefused
from sauma.core.people import check_ytunnus, looks_like_hetu
from sauma.exchange.times import rfc3339
from sauma.oauth.jose import VerifyingKey, import_public, strict_object
from sauma.oauth.keys.fetch import fetchable
from sauma.oauth.reasons import Reason
from sauma.store.migrate import EX_FAILED

_CLIENT = re.compile(r"[A-Za-z0-9._:~/-]{1,32}")
_DOSSIER = re.compile(r"[A-Za-z0-9._:~-]{1,64}")
_KID = re.compile(r"[A-Za-z0-9._:~=+/-]{1,128}")
_ISSUER = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")
_LONGEST_AUDIT = dt.timedelta(days=366)
_LARGEST_FILE = 64 * 1024
_MOST_KEYS = 20
_LONGEST_ISSUER = 512
_KEY_RULES = {
    Reason.KEY_PRIVATE: ("holds a private key", "make a new one, this one is known now, and give its public half"),
    Reason.KEY_WEAK: ("holds a key that is too weak", "RSA of 2048 to 4096 bits, exponent 65537"),
    Reason.KEY_KIND: ("holds a key of a kind that is not taken", "P-256 (ES256), Ed25519, or RSA (PS256)"),
    Reason.KEY_ALGORITHM: ("names an algorithm its key is not for", "ES256, EdDSA, Ed25519 or PS256, or leave alg out"),
}
_UNSOUND = ("holds something that is not a sound public JWK", "a JWK or a JWK set (RFC 7517)")


def refused(option: str, what: str, fix: str) -> StartRefused:
    """The one line about a value that breaks a rule."""
    return StartRefused(f"{option}: {what}; fix: {fix}", exit_code=EX_FAILED)


def nobodys(option: str, text: str) -> str:
    """The text, unless it looks like a personal identity code: none belongs into the register or its ledger entries."""
    if looks_like_hetu(text):
        raise refused(option, "looks like a personal identity code", "name systems, organisations and dossiers")
    return text


def client_id(text: str) -> str:
    """A system's id."""
    if _CLIENT.fullmatch(text) is None:
        raise refused("client", "not an id for a system", "1 to 32 of A-Z a-z 0-9 . _ : ~ / -")
    return nobodys("client", text)


def business_id(option: str, text: str) -> str:
    """A business id whose check digit is right."""
    if not check_ytunnus(text):
        raise refused(option, "not a business id", "seven digits, a hyphen and the check digit, as 0246246-0")
    return text


def scopes(texts: list[str]) -> list[JsonValue]:
    """Scopes there are, each once."""
    if not set(texts) <= set(app.SCOPES):
        raise refused("--scope", "not a scope there is", f"one of {', '.join(app.SCOPES)}; repeat for several")
    return [*dict.fromkeys(texts)]


def purposes(texts: list[str] | None) -> list[JsonValue] | None:
    """Purposes of the catalogue; None narrows nothing."""
    if texts is None:
        return None
    if not set(texts) <= load().purposes.keys():
        raise refused("--purpose", "not a purpose there is", "GET /v1/purposes lists them; repeat for several")
    return [*dict.fromkeys(texts)]


def jwks_uri(text: str) -> str:
    """An address that the server will fetch a key set from."""
    if fetchable(text) is None:
        raise refused("--jwks-uri", "not an address keys can be fetched from", "https://name/path, 500 characters")
    return nobodys("--jwks-uri", text)


def issuer(text: str) -> str:
    """The issuer identifier of an identity provider, spelled as its tokens will."""
    if _ISSUER.fullmatch(text) is None or len(text) > _LONGEST_ISSUER:
        raise refused("--issuer", "not an issuer identifier", "https://name/path in lower case, without query")
    return nobodys("--issuer", text)


def dossier(text: str) -> str:
    """The dossier of an auditor."""
    if _DOSSIER.fullmatch(text) is None:
        raise refused("--dossier", "not a dossier", "1 to 64 of A-Z a-z 0-9 . _ : ~ -; write : for /")
    return nobodys("--dossier", text)


def kid(text: str) -> str:
    """A key's id."""
    if _KID.fullmatch(text) is None:
        raise refused("--kid", "not a key's id", "sauma clients list shows it; write --kid=KID")
    return text


def named_id(option: str, text: str) -> uuid.UUID:
    """An id as `list` shows it."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise refused(option, "not an id", "sauma clients list shows it") from None


def first_moment(option: str, text: str) -> dt.datetime:
    """The beginning of a day in Finland."""
    try:
        day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise refused(option, "not a day", "YYYY-MM-DD")
    return dt.datetime.combine(day, dt.time(), tzinfo=_HELSINKI).astimezone(dt.UTC)


def end_of(option: str, text: str, *, now: dt.datetime, longest: dt.timedelta | None = None) -> str:
    """The end of a day that has not passed, in Finland."""
    end = first_moment(option, text) + dt.timedelta(days=1)
    end = dt.datetime.combine(end.astimezone(_HELSINKI).date(), dt.time(), tzinfo=_HELSINKI)
    if end <= now:
        raise refused(option, "a day that has passed", "today or later")
    if longest is not None and end > now + longest:
        raise refused(option, "more than a year ahead", f"at most {longest.days} days; propose it anew then")
    return rfc3339(end)


def end_of_audit(text: str, *, now: dt.datetime) -> str:
    """The end of an audit grant: within a year."""
    return end_of("--until", text, now=now, longest=_LONGEST_AUDIT)


def keys(option: str, file: str) -> list[JsonValue]:
    """The public keys of a file, as the register keeps them."""
    try:
        with Path(file).open("rb") as source:
            raw = source.read(_LARGEST_FILE + 1)
    except (OSError, ValueError):
        raise refused(option, "the file cannot be read", "name a file with a JWK or a JWK set") from None
    members = Reason.TOO_LARGE if len(raw) > _LARGEST_FILE else strict_object(raw)
    if isinstance(members, Reason):
        raise refused(option, *_UNSOUND)
    stated = members.get("keys", [members])
    if not isinstance(stated, list) or not 0 < len(stated) <= _MOST_KEYS:
        raise refused(option, f"not 1 to {_MOST_KEYS} keys", "a JWK or a JWK set (RFC 7517)")
    found = [_key(option, jwk) for jwk in stated]
    if len({key.kid for key in found}) != len(found):
        raise refused(option, "two keys of one kid", "give each its own, or leave kid out")
    return [
        {"kid": key.kid, "algorithm": key.algorithm, "jwk": msgspec.json.encode(key.jwk, order="sorted").decode()}
        for key in found
    ]


def _key(option: str, jwk: object) -> VerifyingKey:
    key = import_public(jwk) if isinstance(jwk, dict) else Reason.KEY_MALFORMED
    if isinstance(key, Reason):
        raise refused(option, *_KEY_RULES.get(key, _UNSOUND))
    if _KID.fullmatch(key.kid) is None or (key.kid != key.thumbprint and looks_like_hetu(key.kid)):
        raise refused(option, "a kid that is not taken", "1 to 128 of A-Z a-z 0-9 . _ : ~ = + / -, or leave it out")
    return key
