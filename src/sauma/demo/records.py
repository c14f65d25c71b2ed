"""What Kela and a county deposit of a case.

Kela: persons, household, housing costs, the calculation, and what each month brings. The county: the person, the
transferred application, its own decision, a plan, a statement.
"""

import datetime as dt

from sauma.core.parties import KELA
from sauma.core.resources.applications import Application, ApplicationStatus, UrgencyReason
from sauma.core.resources.commitments import Commitment, CommitmentKind, CommitmentState
from sauma.core.resources.county_decisions import CountyDecision, CountyDecisionKind
from sauma.core.resources.decisions import AppliedProvision, Decision, DecisionType
from sauma.core.resources.housing_costs import HousingCost
from sauma.core.resources.payments import PayeeType, Payment
from sauma.core.resources.plans import Plan
from sauma.core.resources.recoveries import Recovery, RecoveryBasis
from sauma.core.resources.reductions import Hearing, Percent, Reduction, ReductionGround
from sauma.core.resources.statements import Statement, StatementTopic
from sauma.core.resources.vocabulary import OtherCostClass, OtherCostSum, Period
from sauma.demo.cases import KELA_UNIT, Case, Desk, Need, household_fields, person_fields, reduced
from sauma.demo.money import Assessment, assess, basic_amount, calculation, euro
from sauma.exchange.deposit import Deposit

COUNTY_UNIT = "Aikuissosiaalityö"
_GRANTED_FOR = ("vuokrarästi", "silmälasit", "muuttokustannukset", "lastenvaunut", "sähkölasku")
_DAYS_TO_DECIDE = 6
_EXHORTED = dt.timedelta(days=40)
_GROUNDS: dict[Percent, ReductionGround] = {
    20: ReductionGround.INTEGRATION_PLAN_REFUSED,
    40: ReductionGround.WORK_REFUSED,
    50: ReductionGround.FULL_TIME_WORK_NOT_SOUGHT,
}


def benefit_deposits(case: Case, today: dt.date) -> tuple[Deposit, ...]:
    """Every record of the case at Kela."""
    desk = Desk(case=case, controller=KELA, today=today)
    month = assessment(case)
    made = [
        desk.record("persons", person_fields(case, human, unit=KELA_UNIT), person=human)
        for human in (*case.family.adults, *(case.family.children if case.protected else ()))
    ]
    made.append(desk.record("households", household_fields(case, unit=KELA_UNIT)))
    made.append(desk.record("housing-costs", _housing(case, month, desk=desk)))
    made.append(desk.record("calculations", calculation(month, unit=KELA_UNIT)))
    for back in range(case.months):
        made += _month(desk, month, back=back)
    percent = reduced(case)
    if percent is not None:
        made.append(desk.record("reductions", _reduction(percent, desk=desk)))
    made += _rarer(desk, month)
    return tuple(made)


def assessment(case: Case) -> Assessment:
    """The case's month: the same expenses and income in each of its months."""
    family = case.family
    basic = basic_amount(
        family.kind,
        adults=len(family.adults),
        ages=tuple(child.age for child in family.children),
        reduction=reduced(case) or 0,
    )
    return assess(case.lots("money"), basic=basic, size=family.size)


def _month(desk: Desk, month: Assessment, *, back: int) -> list[Deposit]:
    """Application, decision and payments of one month; decided before it begins, paid on its first day."""
    first, after = desk.month(back), desk.month(back - 1)
    lots = desk.case.lots(f"month|{back}")
    decided = first - dt.timedelta(days=lots.between(1, 3))
    received = decided - dt.timedelta(days=lots.between(1, _DAYS_TO_DECIDE))
    period = Period(from_=first, to=after - dt.timedelta(days=1))
    made = [
        desk.record("applications", _application(desk.case, received, period, back=back), number=back),
        desk.record("decisions", _decision(month, decided, period, desk=desk), number=back),
    ]
    payments = _payments(month, landlord=lots.percent(40))
    for place, (payee, cents) in enumerate(payments):
        paid = Payment(date=first, amount=euro(cents), next_date=after, payee_type=payee, worker_unit=KELA_UNIT)
        made.append(desk.record("payments", paid, number=back * 10 + place))
    return made


def _application(case: Case, received: dt.date, period: Period, *, back: int) -> Application:
    need = case.need if back == 0 else None
    lots = case.lots("application")
    costs = None
    if need is Need.SUPPLEMENTARY:
        kind = lots.one_of((OtherCostClass.SPECIAL_NEEDS, OtherCostClass.DEBT, OtherCostClass.SUPPLEMENTARY_HOUSING))
        costs = (OtherCostSum(class_=kind, sum=euro(lots.between(40_00, 900_00))),)
    reasons = (UrgencyReason.FOOD_OR_MEDICINE, UrgencyReason.EVICTION, UrgencyReason.ELECTRICITY)
    return Application(
        id=f"TOTU-{case.key}-{back}",
        received_at=received,
        status=ApplicationStatus.TRANSFERRED if need is Need.SUPPLEMENTARY else ApplicationStatus.BASIC_DECIDED,
        period=period,
        other_costs=costs,
        urgency_flag=need is Need.URGENT,
        urgency_reason=lots.one_of(reasons) if need is Need.URGENT else None,
        meeting_request=need is Need.SOCIAL_WORK,
        worker_unit=KELA_UNIT,
    )


def _decision(month: Assessment, decided: dt.date, period: Period, *, desk: Desk) -> Decision:
    granted = month.granted
    partly = month.rent.accepted < month.rent.actual
    kind = DecisionType.PARTLY_GRANTED if partly else DecisionType.GRANTED
    reasons = (
        "Menot ylittävät käytettävissä olevat tulot ja varat." if granted else "Tulot ja varat riittävät menoihin."
    )
    return Decision(
        id=f"PTL-{desk.case.key}-{period.from_:%Y%m}",
        date=decided,
        type=kind if granted else DecisionType.REFUSED,
        period=period,
        amount=euro(granted),
        reasons=reasons,
        provisions=(AppliedProvision(act="1412/1997", section="6 §"), AppliedProvision(act="1412/1997", section="7 §")),
        appeal=desk.case.lots("appeal").percent(3),
        worker_unit=KELA_UNIT,
        worker_role="etuuskäsittelijä",
    )


def _payments(month: Assessment, *, landlord: bool) -> tuple[tuple[PayeeType, int], ...]:
    """What was granted, the rent's part straight to the landlord where that was asked for."""
    granted = month.granted
    if not granted:
        return ()
    rent = min(granted, month.rent.accepted)
    if landlord and granted > rent:
        return ((PayeeType.LANDLORD, rent), (PayeeType.CLIENT, granted - rent))
    return ((PayeeType.LANDLORD if landlord else PayeeType.CLIENT, granted),)


def _housing(case: Case, month: Assessment, *, desk: Desk) -> HousingCost:
    rent, lots = month.rent, case.lots("housing")
    too_dear = rent.accepted < rent.actual
    return HousingCost(
        actual=euro(rent.actual),
        accepted=euro(rent.accepted),
        limit=euro(rent.limit),
        directive_due=desk.month(-3) if too_dear and lots.percent(50) else None,
        eviction_risk=lots.percent(4),
        worker_unit=KELA_UNIT,
    )


def _reduction(percent: Percent, *, desk: Desk) -> Reduction:
    lots, first = desk.case.lots("hearing"), desk.month(0)
    return Reduction(
        percent=percent,
        period=Period(from_=first, to=desk.month(-2) - dt.timedelta(days=1)),
        ground=_GROUNDS[percent],
        exhortation_due=first - _EXHORTED,
        hearing=lots.weighted(((Hearing.HEARD, 6), (Hearing.DID_NOT_ANSWER, 3), (Hearing.NOT_REACHED, 1))),
        proportionality="Alentaminen ei ole kohtuuton: välttämättömään toimeentuloon jää riittävästi.",
        worker_unit=KELA_UNIT,
    )


def _rarer(desk: Desk, month: Assessment) -> list[Deposit]:
    """A commitment in one case of seven, a recovery in one of twenty-five."""
    lots, first = desk.case.lots("rarer"), desk.month(0)
    made: list[Deposit] = []
    if lots.percent(14):
        commitment = Commitment(
            kind=lots.one_of((CommitmentKind.MEDICINE, CommitmentKind.RENT_DEPOSIT, CommitmentKind.ELECTRICITY)),
            valid=Period(from_=first, to=desk.month(-1) - dt.timedelta(days=1)),
            limit=euro(lots.between(50_00, 400_00)),
            state=lots.one_of((CommitmentState.OPEN, CommitmentState.USED)),
            worker_unit=KELA_UNIT,
        )
        made.append(desk.record("commitments", commitment))
    if month.granted and lots.percent(4):
        recovery = Recovery(
            order=True,
            basis=RecoveryBasis.EXPECTED_INCOME,
            amount=euro(month.granted * lots.between(20, 100) // 100),
            worker_unit=KELA_UNIT,
        )
        made.append(desk.record("recoveries", recovery))
    return made


def county_deposits(case: Case, today: dt.date) -> tuple[Deposit, ...]:
    """Every record of the case at the county."""
    desk = Desk(case=case, controller=case.home.county, today=today)
    lots, first = case.lots("county"), desk.month(0)
    received = first - dt.timedelta(days=lots.between(3, 20))
    decided = min(received + dt.timedelta(days=lots.between(1, 7)), today)
    granted_for, cents = lots.one_of(_GRANTED_FOR), lots.between(45_00, 780_00)
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
        item=granted_for,
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
