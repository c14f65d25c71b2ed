"""How persons, officers and cases appear in rows and answers without being named. Persons are of the 900-999 range."""

import hmac
import os
import uuid

import msgspec
import pytest

from sauma.core.errors import SealError
from sauma.core.people import IdentifierKind
from sauma.vault.keyring import Keyring
from sauma.vault.keys import KeyPurpose, KeyState, Secret
from sauma.vault.local import LocalVault
from sauma.vault.pseudonyms.tags import local_identity, person_identity
from vault.seals import KELA, PIRHA

HETU, OID = IdentifierKind.HETU, IdentifierKind.PERSON_OID
PERSON, NAMESAKE = "010594-9032", "010594Y9032"
SUBJECT = uuid.UUID(int=5)


def key(keyring: Keyring, purpose: KeyPurpose) -> bytes:
    (found,) = [k for k in keyring.keys if k.purpose is purpose]
    return bytes(found.material.material)


def test_the_blind_index_is_the_mac_written_in_the_reference(vault: LocalVault, keyring: Keyring) -> None:
    message = b"sauma/bidx/v1" + b"\x01" + b"0246246-0" + bytes(7) + b"\x00\x0b" + b"010594-9032"
    expected = hmac.digest(key(keyring, KeyPurpose.BLIND_INDEX), message, "sha256")[:16]
    assert vault.blind_index(HETU, PERSON, KELA) == expected
    assert vault.blind_index_version == 1


# each row is somebody or something else than the first
PEOPLE = {
    "the person": (HETU, PERSON, KELA),
    "the same digits with Y, another person": (HETU, NAMESAKE, KELA),
    "the person at another controller": (HETU, PERSON, PIRHA),
    "the same text as another kind of identifier": (OID, PERSON, KELA),
    **{f"the century sign {sign}": (HETU, f"010594{sign}9032", KELA) for sign in "+XWVUABCDEF"},
}


def test_each_row_has_its_own_blind_index(vault: LocalVault) -> None:
    indexes = {vault.blind_index(*row) for row in PEOPLE.values()}
    assert len(indexes) == len(PEOPLE)
    assert {len(index) for index in indexes} == {16}


@pytest.mark.parametrize(
    "value", ["", " ", "010594-9032 ", "010594\u22129032", "\u066010594-9032", "x" * 256, "a\nb", "a\0b"]
)
def test_a_value_that_was_not_normalised_is_refused(vault: LocalVault, value: str) -> None:
    for act in (
        lambda: vault.blind_index(HETU, value, KELA),
        lambda: vault.pairwise_id(KELA, HETU, value),
        lambda: vault.case_index(value),
        lambda: person_identity(HETU, value),
    ):
        with pytest.raises(SealError):
            act()


def test_a_case_is_found_in_any_organisation_and_only_by_its_whole_reference(vault: LocalVault) -> None:
    assert vault.case_index("PIRHA-2026-1") == vault.case_index("PIRHA-2026-1")
    assert vault.case_index("PIRHA-2026-1") != vault.case_index("PIRHA-2026-12")


def test_a_tag_is_the_mac_written_in_the_reference(vault: LocalVault, keyring: Keyring) -> None:
    monthly = hmac.digest(key(keyring, KeyPurpose.TAG), b"sauma/tag/v1" + b"2026-02" + b"\x01", "sha256")
    expected = hmac.digest(monthly, b"\x01\x00\x0b010594-9032", "sha256")[:16]
    assert vault.subject_tag("2026-02", person_identity(HETU, PERSON)) == expected


def test_tags_of_another_month_kind_or_person_are_unrelated(vault: LocalVault) -> None:
    person, officer = person_identity(HETU, PERSON), local_identity(KELA, "k-17")
    tags = [
        vault.subject_tag("2026-02", person),
        vault.subject_tag("2026-03", person),
        vault.subject_tag("2026-02", person_identity(HETU, NAMESAKE)),
        vault.officer_tag("2026-02", person),
        vault.case_tag("2026-02", person),
        vault.officer_tag("2026-02", officer),
        vault.officer_tag("2026-02", local_identity(PIRHA, "k-17")),
    ]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("month", ["2026-2", "2026-13", "2026-00", "26-02", "2026-02-01", "2026-02\n", ""])
def test_a_month_out_of_shape_is_refused(vault: LocalVault, month: str) -> None:
    with pytest.raises(SealError):
        vault.subject_tag(month, b"x")


@pytest.mark.parametrize(
    ("kind", "value"),
    [(HETU, PERSON), (HETU, NAMESAKE), (OID, "1.2.246.10.2462460.22.2026.1"), (OID, "1." * 100 + "1")],
)
def test_a_pairwise_id_resolves_for_its_organisation_only(vault: LocalVault, kind: IdentifierKind, value: str) -> None:
    text = vault.pairwise_id(KELA, kind, value)
    assert text.startswith("s1.")
    assert value not in text
    assert vault.pairwise_id(KELA, kind, value) == text, "the same at every call"
    assert vault.resolve_pairwise(KELA, text) == (kind, value)
    assert vault.pairwise_id(PIRHA, kind, value) != text
    with pytest.raises(SealError):
        vault.resolve_pairwise(PIRHA, text)


def test_pairwise_ids_of_two_organisations_share_nothing(vault: LocalVault) -> None:
    one, other = vault.pairwise_id(KELA, HETU, PERSON), vault.pairwise_id(PIRHA, HETU, PERSON)
    assert len(one) == len(other) == len(vault.pairwise_id(KELA, OID, "1.2.246.10.2462460.22.2026")) == 67
    assert all(one[at : at + 4] not in other for at in range(3, 63))


def test_an_altered_pairwise_id_is_refused(vault: LocalVault) -> None:
    text = vault.pairwise_id(KELA, HETU, PERSON)
    altered = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))]
    for other in (
        *altered,
        text[:-1],
        text + "A",
        text + "=",
        text + "\n",
        " " + text,
        "s2" + text[2:],
        "s01" + text[2:],
        "",
    ):
        with pytest.raises(SealError) as refusal:
            vault.resolve_pairwise(KELA, other)
        assert refusal.value.__context__ is None


def test_a_pairwise_id_has_one_spelling(vault: LocalVault) -> None:
    text = vault.pairwise_id(KELA, OID, "1." * 40)
    assert len(text) % 4 != 3, "the last character has unused bits"
    with pytest.raises(SealError):
        vault.resolve_pairwise(KELA, text[:-1] + chr(ord(text[-1]) + 1))


def test_a_pairwise_id_outlives_a_new_key(vault: LocalVault, keyring: Keyring) -> None:
    text = vault.pairwise_id(KELA, HETU, PERSON)
    (old,) = [k for k in keyring.keys if k.purpose is KeyPurpose.PAIRWISE]
    new = msgspec.structs.replace(old, version=2, material=Secret(os.urandom(32)), state=KeyState.ENABLED)
    rotated = LocalVault(msgspec.structs.replace(keyring, keys=(*keyring.keys, new)), random=os.urandom)
    assert rotated.resolve_pairwise(KELA, text) == (HETU, PERSON)
    assert rotated.pairwise_id(KELA, HETU, PERSON).startswith("s2.")


def test_an_opaque_unit_tells_neither_organisation_nor_that_two_persons_share_one(vault: LocalVault) -> None:
    unit = vault.opaque_unit(SUBJECT, PIRHA)
    assert unit == vault.opaque_unit(SUBJECT, PIRHA)
    assert unit != vault.opaque_unit(SUBJECT, KELA)
    assert unit != vault.opaque_unit(uuid.UUID(int=6), PIRHA)
    assert len(unit) == 26
    assert set(unit) <= set("abcdefghijklmnopqrstuvwxyz234567")
