"""What developers earn: one row per captured run, due after the clearing time."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from common.credits.service import exact_credits, whole_credits
from common.http import Page
from common.payments import queries
from common.payments.queries import AnyRow
from common.payments.schemas import (
    EarningOut,
    EarningsOut,
    EarningsQuery,
    EarningTermsIn,
    EarningTermsOut,
    ModelEarningsOut,
    PeriodOut,
)

DAY = 86_400


def summary(
    session: Session, developer_id: uuid.UUID, *, fee_bps: int, now: datetime
) -> EarningsOut:
    """How the developer stands. One credit is one cent; parts of a cent are not shown."""
    payable = queries.payable(session, developer_id)
    uncleared = queries.uncleared(session, developer_id, now)
    terms = queries.earning_terms(session)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = (month - timedelta(days=1)).replace(day=1)
    total = _period(session, developer_id, None, None)
    return EarningsOut(
        total_earnings=total.net,
        total_earned=total.net,
        available_balance=whole_credits(max(0, payable - uncleared)),
        pending_balance=whole_credits(uncleared),
        pending_payout=queries.on_its_way_cents(session, developer_id),
        total_paid_out=queries.paid_out_cents(session, developer_id),
        platform_fee_rate=fee_bps / 10_000,
        minimum_payout=terms.least_payout_cents,
        clearing_days=terms.clearing_seconds / DAY,
        currency="usd",
        this_month=_period(session, developer_id, month, None),
        last_month=_period(session, developer_id, before, month),
    )


def earnings(
    session: Session, developer_id: uuid.UUID, query: EarningsQuery, now: datetime
) -> Page[EarningOut]:
    """Each captured run, newest first."""
    rows, total = queries.earnings_page(
        session,
        developer_id,
        since=query.since,
        until=query.until,
        offset=query.offset,
        limit=query.limit,
    )
    return Page([_shown(row, now) for row in rows], total, query)


def breakdown(session: Session, developer_id: uuid.UUID) -> list[ModelEarningsOut]:
    """What each tars model brought in, the best earner first."""
    return [
        ModelEarningsOut(
            model_id=model_id,
            model_slug=slug,
            model_title=title,
            total_runs=runs,
            total_earnings=whole_credits(int(net)),
        )
        for model_id, slug, title, runs, net in queries.earnings_by_model(session, developer_id)
    ]


def earning_terms(session: Session) -> EarningTermsOut:
    """What holds for runs and payouts at present."""
    terms = queries.earning_terms(session)
    return EarningTermsOut(
        clearing_days=terms.clearing_seconds / DAY,
        minimum_payout_cents=terms.least_payout_cents,
    )


def set_terms(session: Session, given: EarningTermsIn) -> EarningTermsOut:
    """Changes what holds for runs and payouts from now on."""
    queries.set_earning_terms(
        session,
        clearing_seconds=round(given.clearing_days * DAY),
        least_payout_cents=given.minimum_payout_cents,
    )
    return earning_terms(session)


def _period(
    session: Session, developer_id: uuid.UUID, since: datetime | None, until: datetime | None
) -> PeriodOut:
    gross, fee, net = queries.earned_between(session, developer_id, since, until)
    return PeriodOut(
        gross=whole_credits(int(gross)),
        platform_fee=whole_credits(int(fee)),
        net=whole_credits(int(net)),
    )


def _shown(row: AnyRow, now: datetime) -> EarningOut:
    earning = row.EarningRow
    status = "pending" if earning.available_at > now else "available"
    return EarningOut(
        id=earning.execution_id,
        execution_id=earning.execution_id,
        model_id=earning.tars_model_id,
        model_slug=row.slug,
        model_title=row.title,
        credits_earned=exact_credits(earning.gross),
        platform_fee=exact_credits(earning.fee),
        net_earning=exact_credits(earning.net),
        status="refunded" if earning.reversed_at is not None else status,
        available_at=earning.available_at,
        created_at=earning.earned_at,
    )
