"""Who is meant, who is protected, and that an answer about nobody looks like an answer about somebody."""

import uuid
from typing import Any

import httpx
import pytest

from asks import CLERK, HELSINKI, KELA, PIRHA, TAMPERE, TURKU, now_text, today
from live import Live
from systems import System


def ids(answer: httpx.Response) -> set[str]:
    return {record["id"] for record in answer.json()["records"]}


def shape(value: Any) -> Any:
    """Names, order and lengths, without what is new in every answer."""
    match value:
        case dict():
            return [(name, shape(member)) for name, member in value.items()]
        case list():
            return [shape(member) for member in value]
        case str():
            return len(value)
        case _:
            return value


def changed(system: System, old: str, new: str, reason: str) -> httpx.Response:
    body = {
        "from": {"hetu": old},
        "to": {"hetu": new},
        "reason": reason,
        "effectiveAt": now_text(),
        "officer": system.officer,
    }
    return system.post("/v1/identifier-changes", body)


def test_a_corrected_identity_code_resolves_to_one_person(live: Live) -> None:
    old, new, kela, pirha = live.client_of_both(), live.person(), live.system("kela"), live.system("pirha")
    assert changed(kela, old, new, "corrected").status_code == 201
    before, after = (pirha.query(h, pirha.open_matter(h)) for h in (old, new))
    assert ids(before) == ids(after) != set()
    later = kela.deposit("payments", new, {"date": today().isoformat(), "amount": "7.00"})
    assert str(later) in ids(pirha.query(old, pirha.open_matter(old)))


def test_two_known_persons_become_one_and_a_wrong_link_splits_them_again(live: Live) -> None:
    one, other = live.client_of_both(), live.client_of_both()
    kela, pirha = live.system("kela"), live.system("pirha")
    apart = [ids(pirha.query(h, pirha.open_matter(h))) for h in (one, other)]
    assert apart[0].isdisjoint(apart[1])
    assert changed(kela, one, other, "changed").status_code == 201
    for hetu in (one, other):
        assert ids(pirha.query(hetu, pirha.open_matter(hetu))) == apart[0] | apart[1]
    assert changed(kela, one, other, "wrong-link").json()["status"] == "split"
    for hetu, own in zip((one, other), apart, strict=True):  # whose home it was is known again by a new person record
        assert pirha.query(hetu, pirha.open_matter(hetu)).json()["outcome"] == "nothing-disclosable"
        told = kela.deposit("persons", hetu, {"homeMunicipality": TAMPERE})
        assert ids(pirha.query(hetu, pirha.open_matter(hetu))) == own | {str(told)}


def test_a_wrong_link_to_a_new_code_leaves_the_records_with_the_old_one(live: Live) -> None:
    one, other, kela, pirha = live.client_of_both(), live.person(), live.system("kela"), live.system("pirha")
    whole = ids(pirha.query(one, pirha.open_matter(one)))
    changed(kela, one, other, "assigned")
    assert changed(kela, one, other, "wrong-link").status_code == 201
    told = kela.deposit("persons", one, {"homeMunicipality": TAMPERE})
    assert ids(pirha.query(one, pirha.open_matter(one))) == whole | {str(told)}
    assert pirha.query(other, pirha.open_matter(other)).json()["outcome"] == "nothing-disclosable"


def test_a_change_of_identifier_holds_among_the_callers_own_records_only(live: Live) -> None:
    old, new, varha, pirha = live.client_of_both(), live.person(), live.system("varha"), live.system("pirha")
    refused = changed(varha, old, new, "corrected")
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    varha.open_matter(old)
    assert changed(varha, old, new, "corrected").status_code == 201
    assert pirha.query(new, pirha.open_matter(new)).json()["outcome"] == "nothing-disclosable"


def test_the_same_digits_with_dash_and_y_are_two_people(live: Live) -> None:
    dash = live.client_of_both(sign="-")
    letter = dash.replace("-", "Y")
    live.told.texts.add(letter)
    kela, pirha = live.system("kela"), live.system("pirha")
    first = ids(pirha.query(dash, pirha.open_matter(dash)))
    assert pirha.query(letter, pirha.open_matter(letter)).json()["outcome"] == "nothing-disclosable"
    own = kela.deposit("persons", letter, {"name": "Toinen Salanimi", "homeMunicipality": TAMPERE})
    assert ids(pirha.query(letter, pirha.open_matter(letter))) == {str(own)}
    assert ids(pirha.query(dash, pirha.open_matter(dash))) == first
    assert pirha.query(dash, pirha.open_matter(letter)).json()["code"] == "subject-mismatch"


def test_a_lower_case_code_is_the_same_person(live: Live) -> None:
    hetu, pirha = live.client_of_both(sign="Y"), live.system("pirha")
    assert ids(pirha.query(hetu.lower(), pirha.open_matter(hetu))) != set()


def test_a_protected_persons_whereabouts_never_leave(live: Live) -> None:
    hetu = live.client_of_both(
        turvakielto=True, contactAddress={"street": "Piilokuja 9", "postalCode": "33720", "postOffice": "TAMPERE"}
    )
    pirha = live.system("pirha")
    answer = pirha.query(
        hetu,
        pirha.open_matter(hetu),
        fields=["person.name", "person.homeMunicipality", "person.turvakielto", "contact.phone"],
        necessity={"contact.phone": "reaching-the-client"},
    )
    body = answer.json()
    assert body["outcome"] == "disclosed", answer.text
    person = next(r["fields"] for r in body["records"] if r["resource"] == "persons")
    assert person.keys() == {"name", "turvakielto"}
    assert person["turvakielto"] is True
    masked = {row["field"] for row in body["withheld"] if row["reason"] == "protected"}
    assert masked == {"person.homeMunicipality", "contact.phone"}
    for secret in (f'"{TAMPERE}"', "+358401234567", "Piilokuja", "33720"):
        assert secret not in answer.text
    stored = live.sql("select handling_unit from exchange.subject where protected")
    assert stored
    assert all(PIRHA not in row["handling_unit"] for row in stored)


def test_protection_that_begins_later_masks_from_then_on(live: Live) -> None:
    hetu, pirha, kela = live.client_of_both(), live.system("pirha"), live.system("kela")
    reference = pirha.open_matter(hetu)
    record = next(r["id"] for r in pirha.query(hetu, reference).json()["records"] if r["resource"] == "persons")
    kela.deposit(
        "persons",
        hetu,
        {"name": "Aino Salanimi", "homeMunicipality": TAMPERE, "turvakielto": True},
        record=uuid.UUID(record),
        revision=1,
    )
    person = next(r["fields"] for r in pirha.query(hetu, reference).json()["records"] if r["resource"] == "persons")
    assert "homeMunicipality" not in person


def test_someone_elses_protection_masks_the_record_that_names_them(live: Live) -> None:
    kela, pirha = live.system("kela"), live.system("pirha")
    hidden = live.client_of_both(turvakielto=True)
    hetu = live.person()
    shared = {"name": "Aino Salanimi", "homeMunicipality": TAMPERE}
    named = kela.deposit("persons", hetu, shared, coSubjects=[{"subject": {"hetu": hidden}, "relation": "spouse"}])
    answer = pirha.query(hetu, pirha.open_matter(hetu)).json()
    assert {r["id"]: r["fields"].get("homeMunicipality", "masked") for r in answer["records"]} == {str(named): "masked"}
    assert {row["field"] for row in answer["withheld"] if row["reason"] == "protected"} == {"person.homeMunicipality"}
    rows = live.sql("select subject_tags from ledger.entry where id = $1", uuid.UUID(answer["disclosureId"]))
    assert len(rows[0]["subject_tags"]) == 2  # everyone whose data leave is tagged


def test_a_member_named_only_inside_the_fields_is_tagged_too(live: Live) -> None:
    hetu, child, kela, pirha = live.client_of_both(), live.person(), live.system("kela"), live.system("pirha")
    kela.deposit(
        "households", hetu, {"type": "single-parent", "size": 2, "members": [{"hetu": child, "relation": "child"}]}
    )
    answer = pirha.query(hetu, pirha.open_matter(hetu)).json()
    rows = live.sql("select subject_tags from ledger.entry where id = $1", uuid.UUID(answer["disclosureId"]))
    assert len(rows[0]["subject_tags"]) == 2


def test_a_person_who_moved_is_the_new_countys(live: Live) -> None:
    hetu, pirha, varha, kela = live.client_of_both(), live.system("pirha"), live.system("varha"), live.system("kela")
    reference = pirha.open_matter(hetu)
    record = next(r["id"] for r in pirha.query(hetu, reference).json()["records"] if r["resource"] == "persons")
    kela.deposit(
        "persons", hetu, {"name": "Aino Salanimi", "homeMunicipality": TURKU}, record=uuid.UUID(record), revision=1
    )
    assert pirha.query(hetu, reference).json()["outcome"] == "nothing-disclosable"
    assert varha.query(hetu, varha.open_matter(hetu)).json()["outcome"] == "disclosed"


def test_every_reason_of_the_discloser_gives_one_and_the_same_answer(live: Live) -> None:
    pirha, kela = live.system("pirha"), live.system("kela")
    unknown = live.person()
    elsewhere = live.client_of_both(municipality=TURKU)
    nowhere = live.client_of_both(municipality=None)
    annulled = live.person()
    only = kela.deposit("persons", annulled, {"name": "Poistettu Salanimi", "homeMunicipality": TAMPERE})
    kela.post(f"/v1/persons/{only}/annulment", {"reason": "no-right", "officer": CLERK})
    restricted = live.client_of_both()
    live.sql(
        "insert into exchange.prohibition (id, subject, kind) select gen_random_uuid(), r.subject, 'gdpr18-restriction' from exchange.record r"
        " where r.resource = 'persons' and r.controller = $1 order by r.recorded_at desc limit 1 returning id",
        KELA,
    )
    reasons = {}
    answers = {}
    for why, hetu in {
        "unknown": unknown,
        "elsewhere": elsewhere,
        "nowhere": nowhere,
        "annulled": annulled,
        "restricted": restricted,
    }.items():
        answer = pirha.query(hetu, pirha.open_matter(hetu))
        assert answer.status_code == 200, answer.text
        answers[why] = answer
        entry = live.system("kela-dpo").entry(answer.json()["disclosureId"]).json()
        assert '"kind":"refusal"' in entry["leaf"]
        reasons[why] = entry["leaf"].partition('"reason":"')[2].partition('"')[0]
    assert reasons == {
        "unknown": "subject-unknown",
        "elsewhere": "county-not-competent",
        "nowhere": "county-not-competent",
        "annulled": "subject-unknown",
        "restricted": "restricted-processing",
    }
    first = answers["unknown"]
    assert first.json()["outcome"] == "nothing-disclosable"
    assert (first.json()["records"], first.json()["withheld"], first.json()["nextCursor"]) == ([], [], None)
    for why, answer in answers.items():
        assert shape(answer.json()) == shape(first.json()), why
        assert len(answer.content) == len(first.content), why
        assert list(answer.headers) == list(first.headers), why
        assert not any(reason in answer.text for reason in set(reasons.values())), why


@pytest.mark.parametrize("form", ["values", "existence"])
def test_nothing_looks_the_same_in_both_forms(live: Live, form: str) -> None:
    pirha, hetu = live.system("pirha"), live.person()
    reference = pirha.open_matter(hetu)
    body = pirha.query(hetu, reference, form=form).json()
    assert body["outcome"] == "nothing-disclosable"
    assert shape(body) == shape(pirha.query(hetu, reference).json())
    assert HELSINKI not in str(body)


@pytest.mark.parametrize(("old_protected", "new_protected"), [(True, False), (False, True)])
def test_linking_a_protected_person_to_an_open_one_protects_both(
    live: Live, *, old_protected: bool, new_protected: bool
) -> None:
    kela, pirha = live.system("kela"), live.system("pirha")
    old, new = live.client_of_both(turvakielto=old_protected), live.client_of_both(turvakielto=new_protected)
    assert changed(kela, old, new, "corrected").status_code == 201
    assert not live.sql("select id from exchange.subject where protected and handling_unit = $1", PIRHA)
    kela.deposit("persons", new, {"name": "Aino Salanimi", "homeMunicipality": TAMPERE})  # says nothing of protection
    for hetu in (old, new):
        body = pirha.query(hetu, pirha.open_matter(hetu)).json()
        assert body["outcome"] == "disclosed"
        assert [r["fields"]["homeMunicipality"] for r in body["records"] if "homeMunicipality" in r["fields"]] == []
    assert not live.sql("select id from exchange.subject where protected and handling_unit = $1", PIRHA)


def test_a_code_first_known_from_a_matter_is_competently_dealt_with_after_the_next_deposit(live: Live) -> None:
    kela, pirha = live.system("kela"), live.system("pirha")
    old, new = live.client_of_both(), live.person()
    kela.open_matter(new, kind="basic-assistance")
    assert changed(kela, old, new, "assigned").status_code == 201
    kela.deposit("persons", new, {"name": "Aino Salanimi", "homeMunicipality": TAMPERE})
    for hetu in (old, new):
        assert pirha.query(hetu, pirha.open_matter(hetu)).json()["outcome"] == "disclosed"
