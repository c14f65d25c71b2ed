"""Play: `./sauma demo`, the main job as an outside system would do it, over HTTP and with nothing but its own key.

The server is spoken to through httpx and `sauma.client` only. Where none answers, one is started and stopped again.
"""

import datetime as dt
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from sauma.client.auth import AccessRefusedError
from sauma.core.parties import KELA
from sauma.demo.featured import AINO, PROTECTED, UNKNOWN
from sauma.demo.organisations import DOSSIER, PIRKANMAA, PIRKANMAA_CLIENT
from sauma.demo.stage import AUDITOR, CLERK, Stage, StepFailed, System, server
from sauma.demo.telling import Scene
from sauma.settings import Settings

P01, P09 = "county-benefit-case", "kela-case-request"
P01_FIELDS = (
    "person.name", "person.serviceLanguage", "application.receivedAt", "application.status", "application.otherCosts",
    "decision.date", "decision.type", "decision.amount", "decision.period", "calculation.basicAmount",
    "calculation.income", "calculation.result", "housing.accepted", "payment.date", "payment.amount",
)  # fmt: skip
P01_NECESSITY = {
    "application.otherCosts": "supplementary-costs-assessment",
    "housing.accepted": "housing-costs-assessment",
}
P09_FIELDS = (
    "person.name", "application.receivedAt", "application.status", "countyDecision.kind", "countyDecision.item",
    "countyDecision.amount", "countyDecision.date", "plan.exists", "plan.reviewedAt",
)  # fmt: skip
P09_NECESSITY = {
    **dict.fromkeys(P09_FIELDS[3:7], "decision-coordination"),
    **dict.fromkeys(P09_FIELDS[7:], "plan-coordination"),
}


def main(settings: Settings, *, json: bool, astray: str | None = None) -> int:
    """Play everything; 0 when every step ended as it must.

    `astray`: why a server of our own could not answer at the public URL, where it could not.
    """
    tell: Callable[[str], None] = _silent if json else _print
    scenes: list[Scene] = []
    failure = ""
    try:
        with server(settings, tell, astray=astray), Stage(settings, tell) as stage:
            scenes = stage.scenes
            play(stage)
    except StepFailed as failed:
        failure = str(failed)
    except AccessRefusedError as refused:
        failure = f"no access token: {refused.error or refused.status}; fix: let ./sauma seed this database"
    except httpx.HTTPError as fault:
        failure = f"the server does not answer any more ({type(fault).__name__})"
    if json:
        document = {"ok": not failure, "failure": failure or None, "scenes": scenes}
        _print(msgspec.json.format(msgspec.json.encode(document)).decode())
    elif failure:
        sys.stderr.write(f"sauma: demo: {failure}\n")
    return 1 if failure else 0


def play(stage: Stage) -> None:
    """The scenes.

    Raises:
        StepFailed: one of them did not end as it must.
    """
    county_case, kela_case = f"PIRHA-DEMO-{stage.tag}", f"KELA-DEMO-{stage.tag}"
    _open_matter(stage, stage.pirkanmaa, county_case, AINO.hetu, kind="supplementary-assistance")
    first = _ask(stage, county_case, AINO.hetu)
    refused = _ask_too_much(stage, county_case)
    about = "a person whom Kela does not know"
    unknown = _ask_in_own_case(stage, UNKNOWN.hetu, about=about, outcome="nothing-disclosable")
    about = "a person with a non-disclosure order for safety"
    _ask_in_own_case(stage, PROTECTED.hetu, about=about, outcome="disclosed")
    _open_matter(stage, stage.kela, kela_case, AINO.hetu, kind="basic-assistance")
    _inform(stage)
    second = _ask_back(stage, kela_case)
    entries = {
        "the county's disclosure": first["disclosureId"],
        "the refusal": refused["decisionId"],
        "the answer that nothing can be disclosed": unknown["disclosureId"],
        "Kela's disclosure": second["disclosureId"],
    }
    _audit(stage, entries)
    _close(stage, stage.pirkanmaa, county_case, AINO.hetu, kind="supplementary-assistance")


def _open_matter(stage: Stage, system: System, reference: str, hetu: str, *, kind: str) -> None:
    body = _matter(stage, system, hetu, kind=kind, state="open")
    response = system.send("PUT", f"/v1/matters/{reference}", body=body)
    asked = (f"says that its own case {reference} is pending: without one nothing may be asked.",)
    stage.show(f"{system.name} opens its own matter", system, response, asked=asked, status=201)


def _close(stage: Stage, system: System, reference: str, hetu: str, *, kind: str) -> None:
    body = _matter(stage, system, hetu, kind=kind, state="closed")
    response = system.send("PUT", f"/v1/matters/{reference}", body=body)
    asked = ("closes the case: from now on nothing more can be asked in it.",)
    stage.show(f"{system.name} closes its matter", system, response, asked=asked, status=200)


def _matter(stage: Stage, system: System, hetu: str, *, kind: str, state: str) -> dict[str, object]:
    return {
        "subject": {"hetu": hetu},
        "kind": kind,
        "openedAt": stage.now.date().isoformat(),
        "state": state,
        "unit": system.officer["unit"],
        "officer": system.officer,
    }


def _query(reference: str, hetu: str, system: System, **members: object) -> dict[str, object]:
    return {
        "purpose": P01 if system.id == PIRKANMAA_CLIENT else P09,
        "caseReference": reference,
        "controller": KELA if system.id == PIRKANMAA_CLIENT else PIRKANMAA,
        "subject": {"hetu": hetu},
        "officer": system.officer,
        **members,
    }


def _ask(stage: Stage, reference: str, hetu: str) -> Any:  # noqa: ANN401  # JSON as it came
    system = stage.pirkanmaa
    body = _query(reference, hetu, system, fields=P01_FIELDS, necessity=P01_NECESSITY)
    response = system.send("POST", "/v1/case-queries", body=body)
    needs = ", ".join(f"{field} ({code})" for field, code in P01_NECESSITY.items())
    asked = (
        f"asks Kela under purpose {P01}, in its case {reference}, for {len(P01_FIELDS)} fields;",
        f"two of them need a reason: {needs}.",
    )
    answer = stage.show("The county asks Kela for what its case needs", system, response, asked=asked, status=200)
    return _expect(answer, "outcome", "disclosed")


def _ask_too_much(stage: Stage, reference: str) -> Any:  # noqa: ANN401  # JSON as it came
    system = stage.pirkanmaa
    body = _query(reference, AINO.hetu, system, fields=["decision.amount", "contact.address"])
    response = system.send("POST", "/v1/case-queries", body=body)
    asked = ("asks for the address as well, a field that this purpose never releases.",)
    answer = stage.show("One field too many", system, response, asked=asked, status=403)
    return _expect(answer, "code", "field-not-permitted")


def _ask_in_own_case(stage: Stage, hetu: str, *, about: str, outcome: str) -> Any:  # noqa: ANN401  # JSON as it came
    system = stage.pirkanmaa
    reference = f"PIRHA-DEMO-{stage.tag}-{len(stage.scenes)}"
    _open_matter(stage, system, reference, hetu, kind="service-need-assessment")
    body = _query(
        reference, hetu, system,
        fields=["person.name", "person.turvakielto", "person.homeMunicipality", "contact.phone", "decision.amount"],
        necessity={"contact.phone": "reaching-the-client"},
    )  # fmt: skip
    response = system.send("POST", "/v1/case-queries", body=body)
    asked = (f"asks about {about}.",)
    answer = stage.show(f"About {about}", system, response, asked=asked, status=200)
    return _expect(answer, "outcome", outcome)


def _inform(stage: Stage) -> None:
    body = {
        "subject": {"hetu": AINO.hetu},
        "receivedBy": "client",
        "textVersion": "2026-1",
        "language": "fi",
        "at": (stage.now - dt.timedelta(days=1)).isoformat(),
        "officer": CLERK,
    }
    response = stage.kela.send("POST", "/v1/prior-informations", body=body)
    asked = ("records that the client was told beforehand; without it the next question would be refused.",)
    stage.show("Kela tells the client beforehand", stage.kela, response, asked=asked, status=201)


def _ask_back(stage: Stage, reference: str) -> Any:  # noqa: ANN401  # JSON as it came
    body = _query(reference, AINO.hetu, stage.kela, fields=P09_FIELDS, necessity=P09_NECESSITY)
    response = stage.kela.send("POST", "/v1/case-queries", body=body)
    asked = (f"asks Pirkanmaa under purpose {P09}, in its own case {reference}.",)
    answer = stage.show("The other direction: Kela asks the county", stage.kela, response, asked=asked, status=200)
    return _expect(answer, "outcome", "disclosed")


def _audit(stage: Stage, entries: Mapping[str, str]) -> None:
    system = stage.ombudsman
    body = {
        "auditPurpose": "supervision",
        "dossier": DOSSIER,
        "until": (stage.now + dt.timedelta(hours=1)).isoformat(),
        "officer": AUDITOR,
    }
    response = system.send("POST", "/v1/audit-sessions", body=body)
    asked = ("opens a session of one hour under its dossier; opening it is an entry too.",)
    title = "The Data Protection Ombudsman looks at the ledger"
    session = stage.show(title, system, response, asked=asked, status=201)["id"]
    for about, entry in entries.items():
        response = system.send("GET", f"/v1/ledger/entries/{entry}", session=session)
        stage.show(f"What stands in the ledger of {about}", system, response, asked=(), status=200)


def _expect(answer: Any, member: str, value: str) -> Any:  # noqa: ANN401  # JSON as it came
    if answer.get(member) != value:
        message = f"{member} is {answer.get(member)}, not {value}"
        raise StepFailed(message)
    return answer


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _silent(_: str) -> None:
    """A JSON document is printed once, at the end."""
