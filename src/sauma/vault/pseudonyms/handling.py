"""The opaque handling unit of a protected person: the row says that somebody handles them, not where they live."""

import base64
import uuid

from sauma.vault.encoding import organisation16
from sauma.vault.keys import KeyPurpose
from sauma.vault.provider import Provider


def opaque_unit(provider: Provider, *, subject: uuid.UUID, organisation: str) -> str:
    """26 lower-case base32 characters, keyed: a dump does not tell the county (F 661/2009 36-37 §)."""
    message = b"sauma/handling/v1" + organisation16(organisation) + subject.bytes
    mac = provider.mac(provider.current(KeyPurpose.HANDLING), message)[:16]
    return base64.b32encode(mac).decode("ascii").rstrip("=").lower()
