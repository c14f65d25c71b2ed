"""`./sauma demo` against a server it starts itself: every step ends as it must, and is told in plain words."""

import contextlib
import io
import json
import re
import socket
from typing import Any

import msgspec
import pytest

from sauma.core.people import looks_like_hetu
from sauma.demo import play
from sauma.demo.stage import StepFailed
from sauma.demo.telling import Scene, told
from sauma.settings import Settings


@pytest.fixture(scope="module")
def served(settings: Settings) -> dict[str, str]:
    """Settings of a server on a free port, as environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "SAUMA_ENV": "test",
        "SAUMA_HOME": str(settings.home),
        "SAUMA_DATABASE_URL": str(settings.database_url),
        "SAUMA_MIGRATE_DATABASE_URL": str(settings.migrate_database_url),
        "SAUMA_PORT": str(port),
        "SAUMA_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


@pytest.fixture(scope="module")
def document(served: dict[str, str], settings: Settings) -> dict[str, Any]:
    """The demo played once, as JSON."""
    chosen = msgspec.structs.replace(settings, port=int(served["SAUMA_PORT"]), public_url=served["SAUMA_PUBLIC_URL"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in served.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exit_code = play.main(chosen, json=True)
    assert exit_code == 0, printed.getvalue()
    return json.loads(printed.getvalue())


def scene(document: dict[str, Any], title: str) -> dict[str, Any]:
    return next(s for s in document["scenes"] if title in s["title"])


def test_every_step_ends_as_it_must(document: dict[str, Any]) -> None:
    assert (document["ok"], document["failure"]) == (True, None)
    assert [s["status"] for s in document["scenes"] if s["request"] == "POST /v1/case-queries"] == [
        200,
        403,
        200,
        200,
        200,
    ]


def test_the_county_gets_what_it_asked_for_and_nothing_else(document: dict[str, Any]) -> None:
    answer = scene(document, "asks Kela")["answer"]
    assert answer["outcome"] == "disclosed"
    resources = {record["resource"] for record in answer["records"]}
    assert resources == {"persons", "applications", "decisions", "calculations", "housing-costs", "payments"}
    given = {member for record in answer["records"] for member in record["fields"]}
    assert given == {path.partition(".")[2] for path in play.P01_FIELDS}
    assert {row["reason"] for row in answer["withheld"]} == {"not-requested"}


def test_one_field_too_many_is_refused_with_a_remedy(document: dict[str, Any]) -> None:
    answer = scene(document, "One field too many")["answer"]
    assert answer["code"] == "field-not-permitted"
    assert answer["remedy"]


def test_an_unknown_person_and_a_protected_one(document: dict[str, Any]) -> None:
    unknown = scene(document, "Kela does not know")["answer"]
    assert (unknown["outcome"], unknown["records"]) == ("nothing-disclosable", [])
    protected = scene(document, "About a person with a non-disclosure order")["answer"]
    masked = {row["field"] for row in protected["withheld"] if row["reason"] == "protected"}
    assert masked == {"person.homeMunicipality", "contact.phone"}
    assert {"homeMunicipality", "contactPhone"}.isdisjoint({m for r in protected["records"] for m in r["fields"]})


def test_the_other_direction_brings_the_countys_own_decision(document: dict[str, Any]) -> None:
    answer = scene(document, "Kela asks the county")["answer"]
    assert {record["resource"] for record in answer["records"]} >= {"persons", "applications", "county-decisions"}


def test_both_parties_entries_are_read_and_tell_the_exact_reason(document: dict[str, Any]) -> None:
    entries = [s["answer"] for s in document["scenes"] if s["request"].startswith("GET /v1/ledger/entries/")]
    leaves = [json.loads(entry["leaf"]) for entry in entries]
    assert [(leaf["kind"], leaf.get("reason")) for leaf in leaves] == [
        ("disclosure", None),
        ("refusal", "field-not-permitted"),
        ("refusal", "subject-unknown"),
        ("disclosure", None),
    ]
    assert {(leaf["organisation"], leaf["counterparty"]) for leaf in leaves} == {
        ("3221308-6", "0246246-0"),
        ("0246246-0", "3221308-6"),
    }


def test_neither_identity_code_nor_token_is_printed(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert not looks_like_hetu(re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", text))
    assert "access_token" not in text


def test_the_story_reads_without_json(document: dict[str, Any]) -> None:
    scenes = [msgspec.convert(s, Scene) for s in document["scenes"]]
    story = "\n".join(told(number, one) for number, one in enumerate(scenes, 1))
    for said in (
        "1412/1997 § 18 g: The county's right to information (Hyvinvointialueen tiedonsaantioikeus)",
        "· Person: name: Aino Koivisto",
        "result: deficit of ",
        "withheld, not asked for; each would need its own necessity code",
        "withheld, masked: the person has a non-disclosure order for safety (2): person.homeMunicipality,",
        "what helps: ",
        "Nothing can be disclosed under this purpose",
        "exact reason subject-unknown",
        "receipt: entry ",
    ):
        assert said in re.sub(r"\n {9}", " ", story), said
    assert re.findall(r"""\{["'}]""", story) == []  # an object of JSON or Python; a path may hold {purposeId}


def test_a_step_that_goes_wrong_is_a_failure() -> None:
    answered = {"outcome": "nothing-disclosable"}
    with pytest.raises(StepFailed, match="outcome is nothing-disclosable, not disclosed"):
        play._expect(answered, "outcome", "disclosed")
