"""Identity codes and what names a person, a case or an organisation."""

import csv
import pathlib
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import REAL_RANGE, completed
from sauma.core.people import (
    Environment,
    Hetu,
    IdentifierKind,
    PairwiseSubject,
    PersonIdentifier,
    SubjectRef,
    check_case_reference,
    check_ytunnus,
    looks_like_hetu,
    parse_hetu,
    parse_person_oid,
)

REFUSAL = "not a personal identity code of this environment"
VECTORS = pathlib.Path(__file__).parent.parent / "vectors" / "hetu.csv"
with VECTORS.open(encoding="utf-8", newline="") as opened:
    HETUS = [(completed(row["text"]), row["verdict"], row["why"]) for row in csv.DictReader(opened)]


def accepted(text: str, environment: Environment) -> bool:
    try:
        parse_hetu(text, environment=environment)
    except ValueError as error:
        if str(error) != REFUSAL:
            raise
        return False
    return True


@pytest.mark.parametrize(("text", "verdict", "why"), HETUS, ids=[f"{v}: {w}: {t}" for t, v, w in HETUS])
def test_an_identity_code_is_accepted_only_where_it_belongs(text: str, verdict: str, why: str) -> None:
    found = {environment for environment in Environment if accepted(text, environment)}
    assert (
        found
        == {
            "test": {Environment.TEST, Environment.DEVELOPMENT},
            "production": {Environment.PRODUCTION},
            "never": set(),
        }[verdict]
    ), why


def test_every_century_sign_is_accepted() -> None:
    signs = {text[6] for text, verdict, _ in HETUS if verdict == "test"}
    assert signs >= set("+-YXWVUABCDEF")


def test_dash_and_y_are_two_people() -> None:
    assert Hetu("010594-9032") != Hetu("010594Y9032")
    assert len({Hetu("010594-9032"), Hetu("010594Y9032"), Hetu("010594Y9032")}) == 2


def test_upper_case_is_the_one_form() -> None:
    assert parse_hetu("020594x903p", environment=Environment.TEST).value == "020594X903P"


PRINTABLE = {
    "identity code": Hetu("010594Y9032"),
    "identifier": PersonIdentifier(kind=IdentifierKind.HETU, value="010594Y9032"),
    "pairwise id": PairwiseSubject(subject_id="010594Y9032-010594Y9032"),
    "subject member": SubjectRef(hetu="010594Y9032"),
}


@pytest.mark.parametrize("thing", PRINTABLE.values(), ids=PRINTABLE)
def test_nothing_that_names_a_person_prints_or_pickles_it(thing: msgspec.Struct) -> None:
    shown = f"{thing} {thing!r} {[thing]} {thing.__rich_repr__()}"
    assert "9032" not in shown
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(thing)


@given(st.text(max_size=12))
def test_any_text_is_a_code_or_is_refused_in_the_same_fixed_words(text: str) -> None:
    found = {environment for environment in Environment if accepted(text, environment)}
    assert found in (set(), {Environment.PRODUCTION}, {Environment.TEST, Environment.DEVELOPMENT})


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("0246246-0", True),
        ("0245437-2", True),
        ("3221308-6", True),
        ("1567535-0", True),
        ("0246246-1", False),
        ("02462460", False),
        ("246246-0", False),
        ("0246246-0 ", False),
        ("0246246-0\n", False),
        ("٠٢٤٦٢٤٦-0", False),
        ("0000000-0", True),
        ("0000006-1", False),  # remainder 1 has no check digit
    ],
)
def test_business_ids(text: str, *, right: bool) -> None:
    assert check_ytunnus(text) is right


OIDS = {
    "an organisation with eight digits": ("1.2.246.10.32213086.22.2026.1", True),
    "an organisation whose leading zero an OID drops": ("1.2.246.10.2462460.22.2026.17", True),
    "a wrong check digit": ("1.2.246.10.32213087.22.2026.1", False),
    "an organisation, not a person": ("1.2.246.10.32213086.10.0", False),
    "no number after the year": ("1.2.246.10.32213086.22.2026", False),
    "leading zero in an arc": ("1.2.246.10.32213086.22.2026.01", False),
    "trailing line feed": ("1.2.246.10.32213086.22.2026.1\n", False),
    "empty": ("", False),
}


@pytest.mark.parametrize(("text", "right"), OIDS.values(), ids=OIDS)
def test_temporary_person_ids(text: str, *, right: bool) -> None:
    if right:
        assert parse_person_oid(text) == PersonIdentifier(kind=IdentifierKind.PERSON_OID, value=text)
        return
    with pytest.raises(ValueError, match=r"^not a temporary person id$"):
        parse_person_oid(text)


REFERENCES = {
    "a diary number with colons": ("PIRHA:2026:000123", True),
    "every allowed sign": ("aZ09._:~-", True),
    "64 characters": ("a" * 64, True),
    "65 characters": ("a" * 65, False),
    "empty": ("", False),
    "a slash": ("A/1", False),
    "a space": ("A 1", False),
    "a Finnish letter": ("Ä1", False),
    "Arabic digits": ("A-٣", False),
    "a line feed at the end": ("A-1\n", False),
    "a dot segment": ("..", False),
    "an identity code": ("010594Y9032", False),
    "an identity code in lower case": ("010594y903x", False),
    "an identity code with a wrong check character": ("010594-9033", False),
    "an identity code inside": ("asiakas-010594-9032", False),
    "a UUID with an identity code's shape in it": ("0a150394-123a-7fff-bfff-ffffffffffff", True),
    "a diary number of digits": ("2026-000123-1234", True),
}


@pytest.mark.parametrize(("text", "right"), REFERENCES.values(), ids=REFERENCES)
def test_case_references(text: str, *, right: bool) -> None:
    assert check_case_reference(text) is right


def test_every_vector_of_the_right_shape_is_kept_out_of_urls() -> None:
    assert all(looks_like_hetu(text) for text, verdict, _ in HETUS if verdict != "never")


PAIRWISE = "s1." + "Ab_-" * 16
SUBJECTS = {
    "a code": ('{"hetu":"010594Y9032"}', PersonIdentifier(kind=IdentifierKind.HETU, value="010594Y9032")),
    "an oid": (
        '{"personOid":"1.2.246.10.32213086.22.2026.1"}',
        PersonIdentifier(kind=IdentifierKind.PERSON_OID, value="1.2.246.10.32213086.22.2026.1"),
    ),
    "a pairwise id": (f'{{"subjectId":"{PAIRWISE}"}}', PairwiseSubject(subject_id=PAIRWISE)),
}


@pytest.mark.parametrize(("raw", "identifier"), SUBJECTS.values(), ids=SUBJECTS)
def test_a_subject_is_named_in_one_of_three_ways(raw: str, identifier: object) -> None:
    subject = msgspec.json.decode(raw, type=SubjectRef)
    assert subject.resolve(environment=Environment.TEST) == identifier


@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        '{"hetu":null}',
        f'{{"hetu":"010594Y9032","subjectId":"{PAIRWISE}"}}',
        '{"subjectId":"010594Y9032"}',
        '{"hetu":"010594Y9032","personOid":null}',
        '{"name":"x"}',
        '{"hetu":10594}',
        '"010594Y9032"',
    ],
)
def test_a_subject_named_otherwise_is_refused(raw: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=SubjectRef)


@pytest.mark.parametrize("raw", [f'{{"hetu":"{REAL_RANGE}"}}', '{"hetu":"010594Y903x"}', '{"personOid":"1"}'])
def test_a_subject_whose_identifier_is_not_one_does_not_resolve(raw: str) -> None:
    subject = msgspec.json.decode(raw, type=SubjectRef)
    with pytest.raises(ValueError, match=r"^not a "):
        subject.resolve(environment=Environment.TEST)
