"""Who calls in the tests of the whole server, and the request bodies they send."""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

from sauma.core.parties import OrganisationKind

KELA, PIRHA, VARHA, HELSINKI = "0246246-0", "3221308-6", "9871930-3", "9255607-2"
NEWCOMER, CLOSED, VENDOR, OMBUDSMAN = "9064245-2", "9333150-2", "9136515-1", "9844634-1"
ORGANISATIONS = {
    KELA: (OrganisationKind.KELA, None),
    PIRHA: (OrganisationKind.COUNTY, "08"),
    VARHA: (OrganisationKind.COUNTY, "05"),
    HELSINKI: (OrganisationKind.COUNTY, "90"),
    NEWCOMER: (OrganisationKind.COUNTY, "17"),  # has agreed nothing
    CLOSED: (OrganisationKind.COUNTY, "21"),  # switched off
    VENDOR: (OrganisationKind.VENDOR, None),
    OMBUDSMAN: (OrganisationKind.SUPERVISOR, None),
}
TAMPERE, TURKU = "837", "853"
P01, P09 = "county-benefit-case", "kela-case-request"
CASEWORK = ("case:read", "matter:write", "record:write", "consent:write")
AUDIT = ("ledger:read",)
SYSTEMS = {
    "kela": (KELA, CASEWORK),
    "pirha": (PIRHA, CASEWORK),
    "varha": (VARHA, CASEWORK),
    "helsinki": (HELSINKI, CASEWORK),
    "newcomer": (NEWCOMER, CASEWORK),
    "supervisor": (OMBUDSMAN, CASEWORK),  # party to no purpose
    "supplier": (VENDOR, CASEWORK),  # acts for those of DELEGATED, never for itself
    "kela-dpo": (KELA, AUDIT),
    "pirha-dpo": (PIRHA, AUDIT),
    "varha-dpo": (VARHA, AUDIT),
    "ombudsman": (OMBUDSMAN, AUDIT),
}
DOSSIER = "DOS-2026:77"
DOSSIERS = (DOSSIER, "TSV-2026:17", "DOS-SALA:1", "PIRHA:12:05.02:2026")
"""Every auditor of the tests has a grant for each: the usual one, the sample's, one that may not be told, a case's."""
DELEGATED = {PIRHA: ("case:read", "matter:write"), VARHA: ("case:read",)}
WORKER = {
    "id": "w-1",
    "name": "Päivi Virkailija-Salanimi",
    "role": "social-care-professional",
    "unit": "Hervannan aikuissosiaalityö",
}
CLERK = {"id": "k-1", "name": "Kalle Käsittelijä-Salanimi", "role": "kela-benefit-officer", "unit": "Kela Tampere"}
AUDITOR = {"id": "t-1", "name": "Tiina Tietosuoja-Salanimi", "role": "data-protection-officer", "unit": "Tietosuoja"}
OFFICERS = {KELA: CLERK}
RUN = {"kind": "process", "id": "batch-7", "name": "Yöajo", "responsibleUnit": "Kela, perustoimeentulotuki"}
_HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def today() -> dt.date:
    """The day in Finland, as the server counts it."""
    return dt.datetime.now(_HELSINKI).date()


def now_text(**ahead: int) -> str:
    """A moment from now as RFC 3339 in UTC."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**ahead)).isoformat(timespec="seconds")


def hetu_of(number: int, sign: str = "-") -> str:
    """The number-th personal identity code of the test range with that century sign."""
    birth = f"{number % 28 + 1:02d}{number // 28 % 12 + 1:02d}{number // 336 % 60 + 30:02d}"
    individual = f"{900 + number // 20160 % 100}"
    return f"{birth}{sign}{individual}{_CHECK[int(birth + individual) % 31]}"


def without_nones(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def record_body(hetu: str, fields: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return without_nones(
        {
            "subject": {"hetu": hetu},
            "caseReference": "DNRO-2026:1",
            "retainUntil": f"{today().year + 5}-12-31",
            "fields": fields,
        }
        | members
    )


def matter_body(hetu: str, **members: Any) -> dict[str, Any]:
    stated = {
        "subject": {"hetu": hetu},
        "kind": "supplementary-assistance",
        "openedAt": today().isoformat(),
        "state": "open",
        "unit": "Hervanta",
    }
    return without_nones(stated | members)


def query_body(hetu: str, reference: str, **members: Any) -> dict[str, Any]:
    return without_nones({"purpose": P01, "caseReference": reference, "subject": {"hetu": hetu}} | members)


def audit_body(**members: Any) -> dict[str, Any]:
    return without_nones({"auditPurpose": "supervision", "dossier": DOSSIER, "until": now_text(hours=2)} | members)
