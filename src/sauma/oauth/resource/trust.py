"""Issuers trusted beside ours, or instead of it: a static list in a file, strictly read (`SAUMA_TRUSTED_ISSUERS`).

Nothing about an issuer is ever found by way of a token (RFC 8725 section 3.8): its keys stand in the file, or are
fetched from the one address named there. A client of its is only who the file says it is.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from sauma.core.errors import StartRefused
from sauma.oauth.jose import VerifyingKey, import_public, strict_json
from sauma.oauth.reasons import Reason
from sauma.oauth.resource.token import TrustedClient, TrustedIssuer

LARGEST_FILE = 256 * 1024
MOST_BRACKETS = 800
"""Objects and arrays in the file: as many clients, nearly."""
MOST_KEYS = 20
_ISSUER = re.compile(r"https://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_BUSINESS_ID = re.compile(r"[0-9]{7}-[0-9]")
_UNREAD, _NO_LIST = "the file cannot be read", "the file is not a JSON array of issuers"
_TWICE = "an issuer stands in it twice, or is this server"
_NO_ROW = "not {issuer, jwks or jwksUri, clients, scopes}"
_BAD_KEY = "jwks: a key that is private, weak, of another kind, or twice"
_Named = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class NamedIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the file: an issuer, its keys or where they are published, and what it is trusted for."""

    issuer: str
    keys: tuple[VerifyingKey, ...]
    jwks_uri: str | None
    trusted: TrustedIssuer


class _KeySet(msgspec.Struct, frozen=True, kw_only=True):
    keys: Annotated[tuple[dict[str, object], ...], msgspec.Meta(min_length=1, max_length=MOST_KEYS)]


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    issuer: _Named
    clients: Annotated[dict[_Named, TrustedClient], msgspec.Meta(min_length=1)]
    scopes: Annotated[tuple[_Named, ...], msgspec.Meta(min_length=1)]
    jwks: _KeySet | None = None
    jwks_uri: _Named | None = None


def read_issuers(path: Path, *, own: str, scopes: Collection[str]) -> tuple[NamedIssuer, ...]:
    """The issuers of a file: a JSON array of {issuer, jwks or jwksUri, clients, scopes}.

    `own` is our issuer identifier, which must not stand in it; `scopes` those there are.

    Raises:
        StartRefused: it cannot be read, or some row is not sound.
    """
    try:
        raw = path.read_bytes()
    except OSError:
        raise _refused(_UNREAD) from None
    value = Reason.TOO_LARGE if len(raw) > LARGEST_FILE else strict_json(raw, brackets=MOST_BRACKETS)
    if not isinstance(value, list) or not value:
        raise _refused(_NO_LIST)
    found = tuple(_named(row, f"issuer {number}", scopes) for number, row in enumerate(value, start=1))
    named = [one.issuer for one in found]
    if own in named or len(set(named)) != len(named):
        raise _refused(_TWICE)
    return found


def imported(jwks: Collection[object]) -> tuple[VerifyingKey, ...] | None:
    """Public keys of a set, None where one of them cannot be used or two have one kid and algorithm."""
    keys = [import_public(jwk) if isinstance(jwk, dict) else Reason.KEY_MALFORMED for jwk in jwks]
    good = tuple(key for key in keys if isinstance(key, VerifyingKey))
    distinct = {(key.kid, key.algorithm) for key in good}
    return good if len(distinct) == len(keys) else None


def _refused(*what: str) -> StartRefused:
    """One line that names row and member, never a value."""
    said = ": ".join(what)
    line = f"SAUMA_TRUSTED_ISSUERS: {said}; fix: correct the file, docs/settings.md says how"
    return StartRefused(line, exit_code=os.EX_CONFIG)


def _named(value: object, place: str, scopes: Collection[str]) -> NamedIssuer:
    try:
        row = msgspec.convert(value, _Row)
    except msgspec.ValidationError:
        raise _refused(place, _NO_ROW) from None
    keys = () if row.jwks is None else imported(row.jwks.keys)
    flaw = _flaw(row, scopes)
    if keys is None or flaw is not None:
        raise _refused(place, flaw or _BAD_KEY)
    trusted = TrustedIssuer(clients=row.clients, scopes=frozenset(row.scopes))
    return NamedIssuer(issuer=row.issuer, keys=keys, jwks_uri=row.jwks_uri, trusted=trusted)


def _flaw(row: _Row, scopes: Collection[str]) -> str | None:
    """What a row says that it must not."""
    if not (_ISSUER.fullmatch(row.issuer) or _LOOPBACK.fullmatch(row.issuer)):
        return "issuer: no https URL without query"
    if (row.jwks is None) == (row.jwks_uri is None):
        return "not exactly one of jwks and jwksUri"
    if row.jwks_uri is not None and not _fetchable(row.jwks_uri):
        return "jwksUri: no https URL"
    if not set(row.scopes) <= set(scopes):
        return "scopes: one that there is not"
    if not all(one.client and _BUSINESS_ID.fullmatch(one.organisation) for one in row.clients.values()):
        return "clients: one without a client, or without the business id it speaks for"
    return None


def _fetchable(uri: str) -> bool:
    parts = urlsplit(uri)
    return bool(_ISSUER.fullmatch(uri)) and parts.hostname is not None and parts.path not in {"", "/"}
