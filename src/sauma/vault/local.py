"""The vault over a local key ring: the functions of this package with provider and randomness filled in."""

import uuid
from collections.abc import Mapping

from sauma.core.people import IdentifierKind
from sauma.vault.aead import AeadFactory, aes_gcm
from sauma.vault.datakeys import DataKey, DataKeyPlace, new_data_key, unwrap_data_key, wrap_data_key
from sauma.vault.encoding import refused
from sauma.vault.keyring import Keyring
from sauma.vault.keys import KeyPurpose, Random
from sauma.vault.payload import SealedPayload, open_payload, seal_payload
from sauma.vault.provider import LocalProvider
from sauma.vault.pseudonyms.blindindex import blind_index, case_index
from sauma.vault.pseudonyms.handling import opaque_unit
from sauma.vault.pseudonyms.pairwise import pairwise_id, resolve_pairwise
from sauma.vault.pseudonyms.tags import TagKind, monthly_tag
from sauma.vault.seal import SALT_LENGTH, Place, open_group, seal_group
from sauma.vault.signing import ReceiptSigner, nonce_key


class LocalVault:
    """Everything one process seals, opens, tags and signs with; `aead` lets a test watch every field opened.

    Every method raises SealError, and only that, when something does not open or a key may not be used.
    """

    def __init__(self, keyring: Keyring, *, random: Random, aead: AeadFactory = aes_gcm) -> None:
        self.provider = LocalProvider(keyring, random=random)
        receipt_key = keyring.find(self.provider.current(KeyPurpose.RECEIPT))
        if receipt_key is None:
            raise refused()
        self.receipts = ReceiptSigner(receipt_key.material)
        self._random = random
        self._aead = aead
        self._index_key = self.provider.current(KeyPurpose.BLIND_INDEX)

    @property
    def blind_index_version(self) -> int:
        """The key version of every `blind_index` this vault makes; stored beside it."""
        return self._index_key.version

    def nonce_key(self) -> bytes:
        """The key of the deployment's DPoP nonces, the same in every worker."""
        return nonce_key(self.provider)

    def new_data_key(self) -> DataKey:
        """A fresh data key."""
        return new_data_key(self._random)

    def wrap_data_key(self, key: DataKey, place: DataKeyPlace) -> bytes:
        """The data key as its row stores it."""
        return wrap_data_key(self.provider, key=key, place=place)

    def unwrap_data_key(self, wrapped: bytes, place: DataKeyPlace) -> DataKey:
        """The data key of a row; wipe it after use, never keep it."""
        return unwrap_data_key(self.provider, wrapped=wrapped, place=place)

    def seal_group(self, place: Place, dek: DataKey, values: Mapping[int, bytes]) -> bytes:
        """All padded fields of one (record, class) under a fresh salt."""
        return seal_group(place, dek, values, salt=self._random(SALT_LENGTH), aead=self._aead)

    def open_group(self, sealed: bytes, place: Place, dek: DataKey, wanted: frozenset[int]) -> dict[int, bytes]:
        """The wanted fields and no other."""
        return open_group(sealed, place, dek, wanted, aead=self._aead)

    def blind_index(self, kind: IdentifierKind, value: str, controller: str) -> bytes:
        """16 bytes by which this controller finds the person."""
        return blind_index(self.provider, key=self._index_key, kind=kind, value=value, controller=controller)

    def case_index(self, case_reference: str) -> bytes:
        """16 bytes by which a matter is found."""
        key = self.provider.current(KeyPurpose.CASE_INDEX)
        return case_index(self.provider, key=key, case_reference=case_reference)

    def subject_tag(self, month: str, identity: bytes) -> bytes:
        """16 bytes for `tags.person_identity` in a month."""
        return monthly_tag(self.provider, kind=TagKind.SUBJECT, month=month, identity=identity)

    def officer_tag(self, month: str, identity: bytes) -> bytes:
        """16 bytes for the `tags.local_identity` of an officer in a month."""
        return monthly_tag(self.provider, kind=TagKind.OFFICER, month=month, identity=identity)

    def case_tag(self, month: str, identity: bytes) -> bytes:
        """16 bytes for the `tags.local_identity` of a case in a month."""
        return monthly_tag(self.provider, kind=TagKind.CASE, month=month, identity=identity)

    def pairwise_id(self, organisation: str, kind: IdentifierKind, value: str) -> str:
        """The organisation's own id of a person."""
        return pairwise_id(self.provider, organisation=organisation, kind=kind, value=value)

    def resolve_pairwise(self, organisation: str, text: str) -> tuple[IdentifierKind, str]:
        """Identifier kind and value behind the organisation's own id."""
        return resolve_pairwise(self.provider, organisation=organisation, text=text)

    def opaque_unit(self, subject: uuid.UUID, organisation: str) -> str:
        """The handling unit a protected person's row shows."""
        return opaque_unit(self.provider, subject=subject, organisation=organisation)

    def seal_payload(self, entry_id: uuid.UUID, plaintext: bytes) -> SealedPayload:
        """One entry's payload, encrypted and committed to."""
        return seal_payload(self.provider, entry_id=entry_id, plaintext=plaintext, random=self._random)

    def open_payload(self, entry_id: uuid.UUID, sealed: SealedPayload) -> bytes:
        """One entry's payload, checked against its commitment."""
        return open_payload(self.provider, entry_id=entry_id, sealed=sealed)
