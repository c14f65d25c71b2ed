"""What a county deposits of a case: the person, the transferred application, its own decision, a plan, a statement."""

import datetime as dt

from sauma.core.resources.applications import Application, ApplicationStatus
from sauma.core.resources.county_decisions import CountyDecision, CountyDecisionKind
from sauma.core.resources.plans import Plan
from sauma.core.resources.statements import Statement, StatementTopic
from sauma.core.resources.vocabulary import OtherCostClass, OtherCostSum, Period
from sauma.demo.cases import Case, Desk, Need, person_fields
from sauma.demo.money import euro
from sauma.exchange.deposit import Deposit

COUNTY_UNIT = "Aikuissosiaalityö"
_ITEMS = ("vuokrarästi", "silmälasit", "muuttokustannukset", "lastenvaunut", "sähkölasku")


def county_deposits(case: Case, today: dt.date) -> tuple[Deposit, ...]:
    """Every record of the case at the county."""
    desk = Desk(case=case, controller=case.home.county, today=today)
    lots, first = case.lots("county"), desk.month(0)
    received = first - dt.timedelta(days=lots.between(3, 20))
    decided = min(received + dt.timedelta(days=lots.between(1, 7)), today)
    item, cents = lots.one_of(_ITEMS), lots.between(45_00, 780_00)
    period = Period(from_=first, to=desk.month(-1) - dt.timedelta(days=1))
    application = Application(
        id=f"HVA-{case.key}-0",
        received_at=received,
        status=ApplicationStatus.COUNTY_DECIDED,
        period=period,
        other_costs=(OtherCostSum(class_=OtherCostClass.SPECIAL_NEEDS, sum=euro(cents)),),
        worker_unit=COUNTY_UNIT,
        worker_role="sosiaaliohjaaja",
    )
    decision = CountyDecision(
        kind=CountyDecisionKind.PREVENTIVE if lots.percent(35) else CountyDecisionKind.SUPPLEMENTARY,
        item=item,
        amount=euro(cents),
        period=period,
        date=decided,
        worker_unit=COUNTY_UNIT,
    )
    made = [
        desk.record("persons", person_fields(case, case.family.applicant, unit=COUNTY_UNIT)),
        desk.record("applications", application),
        desk.record("county-decisions", decision),
    ]
    if lots.percent(55):
        plan = Plan(exists=True, reviewed_at=received, goals="Talouden tasapainottaminen.", worker_unit=COUNTY_UNIT)
        made.append(desk.record("plans", plan))
    if case.need is Need.REDUCTION or lots.percent(20):
        statement = Statement(
            topic=StatementTopic.REDUCTION_FACTORS if case.need is Need.REDUCTION else StatementTopic.CIRCUMSTANCES,
            text="Asiakas on sitoutunut palveluihin; elämäntilanne on vakaa.",
            author="sosiaaliohjaaja",
            heard_at=received,
            informed_at=received,
            worker_unit=COUNTY_UNIT,
        )
        made.append(desk.record("statements", statement))
    return tuple(made)
