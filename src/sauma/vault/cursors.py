"""Cursors: where the next page begins, bound to the question it belongs to; opaque, and worthless elsewhere."""

import base64
import binascii
import hmac

from sauma.vault.encoding import refused
from sauma.vault.keys import KeyPurpose
from sauma.vault.provider import Provider

_MAC_LENGTH = 16


def seal_cursor(provider: Provider, *, context: str, content: bytes) -> str:
    """Content and its MAC under the context, base64url without padding."""
    return base64.urlsafe_b64encode(content + _mac(provider, context, content)).rstrip(b"=").decode("ascii")


def open_cursor(provider: Provider, *, context: str, cursor: str) -> bytes:
    """The content of a cursor of this context.

    Raises:
        SealError: another question's cursor, or no cursor.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    content, mac = raw[:-_MAC_LENGTH], raw[-_MAC_LENGTH:]
    if not content or not hmac.compare_digest(mac, _mac(provider, context, content)):
        raise refused()
    return content


def _mac(provider: Provider, context: str, content: bytes) -> bytes:
    key = provider.current(KeyPurpose.CURSOR)
    return provider.mac(key, b"sauma/cursor/v1\x00" + context.encode() + b"\x00" + content)[:_MAC_LENGTH]
