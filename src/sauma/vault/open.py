"""Open: the one place ciphertext of records becomes values, and only what the receipt's manifest names.

1. the group stands where the manifest says: digest, record, revision, class;
2. the subject's data key unwraps for this controller, subject and class;
3. the commitment is right, then only the named fields are decrypted (vault.seal).
"""

import hmac
import uuid

from sauma.core.disclosure import Opened, OpenedRecord, Sealed, SealedGroup
from sauma.core.fields import Sensitivity
from sauma.core.resources import REGISTRY
from sauma.vault.datakeys import DataKey, DataKeyPlace
from sauma.vault.encoding import refused
from sauma.vault.local import LocalVault
from sauma.vault.seal import Place, group_digest

SCHEMA_VERSION = 1
_CLASSES = {sensitivity.value: sensitivity for sensitivity in Sensitivity}
_TABLES = {name: resource.table for name, resource in REGISTRY.items()}


def open_sealed(vault: LocalVault, sealed: Sealed) -> Opened:
    """The fields the manifest names, each opened where it stood.

    Raises:
        SealError: a group was moved or altered, or its key is gone; nothing is returned.
    """
    records: dict[tuple[str, uuid.UUID], OpenedRecord] = {}
    keys: dict[tuple[uuid.UUID, str, bytes], DataKey] = {}
    try:
        for group in sealed.groups:
            row = group.row
            at = (row.resource, row.record)
            seen = records.get(at)
            fragments = _open_group(vault, sealed, group, keys)
            if seen is not None:
                fragments |= seen.fragments
            records[at] = OpenedRecord(
                resource=row.resource, record=row.record, revision=row.revision, fragments=fragments
            )
    finally:
        for key in keys.values():
            key.wipe()
    return Opened(receipt=sealed.receipt, records=tuple(records.values()))


def _open_group(
    vault: LocalVault, sealed: Sealed, group: SealedGroup, keys: dict[tuple[uuid.UUID, str, bytes], DataKey]
) -> dict[int, bytes]:
    """One group; `keys` are the data keys this answer has unwrapped so far, wiped when it has been opened."""
    row = group.row
    if not hmac.compare_digest(group_digest(group.sealed), row.digest):
        raise refused()
    sensitivity = _CLASSES[row.sensitivity]
    name = (group.subject, row.sensitivity, group.key.wrapped)
    if name not in keys:
        key_place = DataKeyPlace(controller=sealed.controller, subject=group.subject, sensitivity=sensitivity)
        keys[name] = vault.unwrap_data_key(group.key.wrapped, key_place)
    place = Place(
        controller=sealed.controller,
        subject=group.subject,
        record=row.record,
        table=_TABLES[row.resource],
        sensitivity=sensitivity,
        schema_version=SCHEMA_VERSION,
        revision=row.revision,
    )
    return vault.open_group(group.sealed, place, keys[name], frozenset(row.fields))
