"""The token form read strictly: what two parsers could read differently is refused (RFC 6749 section 3.2)."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from sauma.oauth.reasons import Reason

LARGEST_FORM = 16_384
MOST_FIELDS = 20
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORM_TYPE = re.compile(r"application/x-www-form-urlencoded(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)


def read_form(body: bytes, *, content_type: str) -> dict[str, str] | Reason:
    """The fields of an ASCII form body of at most 16 KiB and 20 fields, each named once; values are UTF-8."""
    if _FORM_TYPE.fullmatch(content_type) is None:
        return Reason.CONTENT_TYPE
    if len(body) > LARGEST_FORM:
        return Reason.FORM_TOO_LARGE
    if not body.isascii():
        return Reason.FORM_MALFORMED
    text = body.decode("ascii")
    if text.count("&") >= MOST_FIELDS:
        return Reason.FORM_TOO_MANY
    if _STRAY_PERCENT.search(text) is not None:
        return Reason.FORM_MALFORMED
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return Reason.FORM_MALFORMED
    return _once_each(pairs)


def _once_each(pairs: Sequence[tuple[str, str]]) -> dict[str, str] | Reason:
    form = dict(pairs)
    if len(form) != len(pairs):
        return Reason.FORM_REPEATED
    if any(_CONTROL.search(name) or _CONTROL.search(value) for name, value in form.items()):
        return Reason.FORM_MALFORMED
    return form
