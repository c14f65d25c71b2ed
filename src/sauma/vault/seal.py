"""SG1, the sealed group: one stored value per (record, class), one cipher call per field (schemas/seal-v1.md).

What must hold before a field is decrypted, in this order:
 1. the value is canonical: magic byte, one msgpack array, shortest forms, field ids ascending, nothing after it;
 2. its header names this format, cipher, data key, schema version, revision and class;
 3. every wanted field is in the group, and the group has as many fields as its commitment says;
 4. the commitment recomputed from data key and place equals the stored one (constant time).
Then only the wanted fields are opened. Any failure is one SealError without a cause; no partial plaintext leaves.

The caller must still: pad values before sealing, draw a fresh salt per group, never seal in place, and compare the
digest with the ledger's newest anchor, because a whole row rolled back to an older one is valid by itself.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag

from sauma.vault.aead import Aead, AeadFactory, Place, aes_gcm
from sauma.vault.datakeys import DataKey
from sauma.vault.encoding import class_byte, organisation16, refused, uint
from sauma.vault.padding import SMALLEST

__all__ = ["Place", "group_digest", "open_group", "seal_group"]

MAGIC = b"S"
"""Every sealed group begins 0x53 0x99 (array of nine): no UTF-8 text does, so no plaintext passes for one."""

VERSION = 1
AES_256_GCM = 1
SALT_LENGTH = 24
_TAG_LENGTH = 16
_MAX_FIELDS = 0xFFFF

_Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
_Bytes24 = Annotated[bytes, msgspec.Meta(min_length=SALT_LENGTH, max_length=SALT_LENGTH)]
_Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Ciphertext = Annotated[bytes, msgspec.Meta(min_length=SMALLEST + _TAG_LENGTH)]
_FieldId = Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]


class _Group(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """The msgpack array as it is stored."""

    version: int
    algorithm: int
    data_key_id: _Bytes16
    schema_version: int
    revision: int
    sensitivity: int
    salt: _Bytes24
    commitment: _Bytes32
    fields: Annotated[dict[_FieldId, _Ciphertext], msgspec.Meta(min_length=1, max_length=_MAX_FIELDS)]


_PLACED = struct.Struct(f">13sBB{SALT_LENGTH}s16s16s16sHcHIH")
_DECODER = msgspec.msgpack.Decoder(_Group)
_ENCODER = msgspec.msgpack.Encoder()


def seal_group(
    place: Place, dek: DataKey, values: Mapping[int, bytes], *, salt: bytes, aead: AeadFactory = aes_gcm
) -> bytes:
    """Seal all fields of one class of one record revision; nulls too, so that presence does not leak.

    `values` are padded JSON fragments by field id; `salt` is 24 fresh random bytes, which makes every key single-use.

    Raises:
        SealError: no field, a field id or value out of shape, an unpadded value, or a salt of the wrong length.
    """
    ids = sorted(values)
    if len(salt) != SALT_LENGTH or not 0 < len(ids) <= _MAX_FIELDS or ids[0] < 1:
        raise refused()
    if any(len(value) < SMALLEST for value in values.values()):
        raise refused()
    key, commitment = _derive(place, dek, salt, ids)
    cipher = aead(key, place)
    return MAGIC + _ENCODER.encode(
        _Group(
            version=VERSION,
            algorithm=AES_256_GCM,
            data_key_id=dek.id,
            schema_version=place.schema_version,
            revision=place.revision,
            sensitivity=class_byte(place.sensitivity)[0],
            salt=salt,
            commitment=commitment,
            fields={field: cipher.encrypt(uint(field, width=12), values[field], None) for field in ids},
        )
    )


def open_group(
    sealed: bytes, place: Place, dek: DataKey, wanted: frozenset[int], *, aead: AeadFactory = aes_gcm
) -> dict[int, bytes]:
    """The padded JSON fragments of the wanted fields, by field id; no other field is decrypted.

    Raises:
        SealError: moved, relabelled, altered, incomplete, under another key, or a wanted field it does not hold.
    """
    group = _parse(sealed)
    _require_header(group, place, dek)
    if not wanted <= group.fields.keys():
        raise refused()
    key, commitment = _derive(place, dek, group.salt, group.fields)
    if not hmac.compare_digest(commitment, group.commitment):
        raise refused()
    opened = _decrypt(aead(key, place), group.fields, wanted)
    if opened is None:
        raise refused()
    return opened


def group_digest(sealed: bytes) -> bytes:
    """SHA-256 of the stored value: what manifest and rollback anchor quote."""
    return hashlib.sha256(sealed).digest()


def group_context(place: Place, salt: bytes, field_ids: Iterable[int]) -> bytes:
    """The fixed-width bytes a group's key and commitment are derived from; `field_ids` ascending.

    Raises:
        SealError: a number beyond its width, or a salt of another length.
    """
    listed = tuple(field_ids)
    try:
        placed = _PLACED.pack(
            b"sauma/seal/v1",
            VERSION,
            AES_256_GCM,
            salt,
            organisation16(place.controller),
            place.subject.bytes,
            place.record.bytes,
            place.table,
            class_byte(place.sensitivity),
            place.schema_version,
            place.revision,
            len(listed),
        )
        ids = struct.pack(f">{len(listed)}I", *listed)
    except struct.error:
        placed = ids = b""
    if not placed or len(salt) != SALT_LENGTH:
        raise refused()
    return placed + ids + b"\x01"


def _derive(place: Place, dek: DataKey, salt: bytes, field_ids: Iterable[int]) -> tuple[bytes, bytes]:
    """One-time key and key commitment, 32 bytes each (one HKDF-Expand block, RFC 5869 section 2.3)."""
    block = hmac.digest(dek.secret.material, group_context(place, salt, field_ids), "sha512")
    return block[:32], block[32:]


def _parse(sealed: bytes) -> _Group:
    """Condition 1; encoding it again must give the same bytes, so each group has exactly one stored form."""
    try:
        group = _DECODER.decode(sealed[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        group = None
    if group is None or list(group.fields) != sorted(group.fields) or MAGIC + _ENCODER.encode(group) != sealed:
        raise refused()
    return group


def _require_header(group: _Group, place: Place, dek: DataKey) -> None:
    """Condition 2; the commitment covers all of it again except the data key id, which picks the key."""
    found = (group.version, group.algorithm, group.data_key_id)
    stands = (group.schema_version, group.revision, group.sensitivity)
    if found != (VERSION, AES_256_GCM, dek.id):
        raise refused()
    if stands != (place.schema_version, place.revision, class_byte(place.sensitivity)[0]):
        raise refused()


def _decrypt(cipher: Aead, fields: Mapping[int, bytes], wanted: frozenset[int]) -> dict[int, bytes] | None:
    """The wanted fields in id order; None if any tag is wrong (the caller raises outside this frame)."""
    try:
        return {field: cipher.decrypt(field.to_bytes(12, "big"), fields[field], None) for field in sorted(wanted)}
    except InvalidTag:
        return None
