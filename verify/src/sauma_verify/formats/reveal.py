"""What an entitled reader was shown beside the leaf, held against what the leaf commits to.

`reveal/<entry id>.bin` is salt 32 ‖ payload, `.manifest` the manifest, `.side` the subject tags that did not fit: the
leaf's `payload`, `manifest` and `side` are their SHA-256. `.request` is the request's body: `request` is the SHA-256 of
the payload's `requestSalt` and the body.
"""

import base64
import hashlib
import json
from typing import Any

SALT = 32
MEMBERS = {".bin": "payload", ".manifest": "manifest", ".side": "side", ".request": "request"}


def entry_of(path: str) -> tuple[str, str] | None:
    """The entry id and the suffix of a revealed file, None where it is none."""
    name = path.removeprefix("reveal/")
    for suffix in MEMBERS:
        if path.startswith("reveal/") and name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return None


def revealed(suffix: str, content: bytes, *, leaf: dict[str, Any], payload: bytes | None) -> bool:
    """Whether the leaf commits to this; for a request `payload` (salt ‖ payload of the same entry) is needed."""
    if leaf.get("kind") == "writer":
        return False  # a start's payload is another writer's leaf hash
    if suffix == ".request":
        salt = _request_salt(payload)
        if salt is None:
            return False
        content = salt + content
    committed = leaf.get(MEMBERS[suffix])
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return isinstance(committed, str) and committed == digest


def _request_salt(payload: bytes | None) -> bytes | None:
    if payload is None:
        return None
    try:
        return bytes.fromhex(json.loads(payload[SALT:])["requestSalt"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
