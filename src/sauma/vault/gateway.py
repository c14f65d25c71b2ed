"""The vault as use cases see it: the functions of this package behind the port of `exchange`."""

import uuid

from sauma.core.disclosure import Opened, Sealed
from sauma.core.fields import Padding, Sensitivity
from sauma.core.people import IdentifierKind, PersonIdentifier
from sauma.exchange.ports import Plot
from sauma.exchange.rows import SubjectKeys
from sauma.vault.datakeys import DataKeyPlace
from sauma.vault.local import LocalVault
from sauma.vault.open import SCHEMA_VERSION, open_sealed
from sauma.vault.padding import pad
from sauma.vault.payload import SealedPayload
from sauma.vault.pseudonyms.seeds import person_seed, unwrap_seed, wrap_seed
from sauma.vault.pseudonyms.tags import local_identity
from sauma.vault.seal import Place
from sauma.vault.signing import open_cursor, seal_cursor


class VaultGateway:
    """One process's vault; every failure is a SealError."""

    def __init__(self, vault: LocalVault) -> None:
        self._vault = vault

    def blind_index(self, person: PersonIdentifier, controller: str) -> bytes:
        """16 bytes by which one controller finds the person."""
        return self._vault.blind_index(person.kind, person.value, controller)

    def case_index(self, case_reference: str) -> bytes:
        """16 bytes by which a case is found."""
        return self._vault.case_index(case_reference)

    def person_seed(self, person: PersonIdentifier) -> bytes:
        """16 bytes that stand for the person in every tag."""
        return person_seed(self._vault.provider, person=person)

    def wrap_seed(self, controller: str, seed: bytes) -> bytes:
        """The seed as a subject row stores it."""
        return wrap_seed(self._vault.provider, controller=controller, seed=seed)

    def unwrap_seed(self, controller: str, wrapped: bytes) -> bytes:
        """The seed of a subject row."""
        return unwrap_seed(self._vault.provider, controller=controller, wrapped=wrapped)

    def subject_tag(self, month: str, identity: bytes) -> bytes:
        """The person's tag of one month."""
        return self._vault.subject_tag(month, identity)

    def officer_tag(self, month: str, organisation: str, officer: str) -> bytes:
        """The officer's tag of one month."""
        return self._vault.officer_tag(month, local_identity(organisation, officer))

    def case_tag(self, month: str, organisation: str, case_reference: str) -> bytes:
        """The case's tag of one month."""
        return self._vault.case_tag(month, local_identity(organisation, case_reference))

    def pairwise_id(self, organisation: str, kind: IdentifierKind, value: str) -> str:
        """The organisation's own id of a person."""
        return self._vault.pairwise_id(organisation, kind, value)

    def resolve_pairwise(self, organisation: str, text: str) -> tuple[IdentifierKind, str]:
        """The identifier behind the organisation's own id."""
        return self._vault.resolve_pairwise(organisation, text)

    def opaque_unit(self, subject: uuid.UUID, organisation: str) -> str:
        """The handling unit a protected person's row shows."""
        return self._vault.opaque_unit(subject, organisation)

    def new_subject_keys(self, controller: str, subject: uuid.UUID) -> SubjectKeys:
        """Fresh data keys of a person, one a class, wrapped."""
        wrapped: dict[Sensitivity, tuple[uuid.UUID, bytes]] = {}
        for sensitivity in Sensitivity:
            key = self._vault.new_data_key()
            place = DataKeyPlace(controller=controller, subject=subject, sensitivity=sensitivity)
            wrapped[sensitivity] = (uuid.UUID(bytes=key.id), self._vault.wrap_data_key(key, place))
            key.wipe()
        return SubjectKeys(controller=controller, subject=subject, wrapped=wrapped)

    def seal(self, place: Plot, keys: SubjectKeys, values: dict[int, tuple[Padding, bytes]]) -> tuple[uuid.UUID, bytes]:
        """Pad and seal the JSON fragments of one class by field id; returns the data key's id and the group."""
        key_id, wrapped = keys.wrapped[place.sensitivity]
        key_place = DataKeyPlace(controller=keys.controller, subject=keys.subject, sensitivity=place.sensitivity)
        key = self._vault.unwrap_data_key(wrapped, key_place)
        where = Place(
            controller=place.controller,
            subject=place.subject,
            record=place.record,
            table=place.table,
            sensitivity=place.sensitivity,
            schema_version=SCHEMA_VERSION,
            revision=place.revision,
        )
        padded = {field: pad(fragment, padding) for field, (padding, fragment) in values.items()}
        try:
            return key_id, self._vault.seal_group(where, key, padded)
        finally:
            key.wipe()

    def open_sealed(self, sealed: Sealed) -> Opened:
        """Open exactly the fields the manifest names."""
        return open_sealed(self._vault, sealed)

    def seal_payload(self, entry: uuid.UUID, plaintext: bytes) -> tuple[bytes, bytes, bytes]:
        """An entry's payload: ciphertext, wrapped key, commitment."""
        sealed = self._vault.seal_payload(entry, plaintext)
        return sealed.ciphertext, sealed.wrapped_key, sealed.commitment

    def open_payload(self, entry: uuid.UUID, ciphertext: bytes, wrapped_key: bytes, commitment: bytes) -> bytes:
        """An entry's payload back, checked against the leaf's commitment."""
        sealed = SealedPayload(ciphertext=ciphertext, wrapped_key=wrapped_key, commitment=commitment)
        return self._vault.open_payload(entry, sealed)

    def sign_receipt(self, entry: uuid.UUID, leaf_hash: bytes) -> tuple[str, str]:
        """Key id and signature of a receipt."""
        signer = self._vault.receipts
        return signer.kid, signer.sign(entry, leaf_hash)

    def seal_cursor(self, context: str, content: bytes) -> str:
        """An opaque signed cursor bound to its context."""
        return seal_cursor(self._vault.provider, context=context, content=content)

    def open_cursor(self, context: str, cursor: str) -> bytes:
        """The content of a cursor of this context."""
        return open_cursor(self._vault.provider, context=context, cursor=cursor)
