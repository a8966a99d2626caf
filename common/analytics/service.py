"""Margins per model, and our GPU seconds against RunPod's bill."""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from common import logs
from common.analytics import queries
from common.analytics.schemas import MarginOut, MarginsQuery
from common.analytics.tools import Tools
from common.credits.service import exact_credits
from common.gateways.runpod_bills import BillsUnavailable
from common.http import Page
from common.payments.service import Difference, days_apart, note

log = logs.Log("cleanup")
MICRO_USD_PER_CENT = 10_000
# Start-up, idle time and rounding are on RunPod's bill and not in our seconds (runpod.md 4).
BILL_TOLERANCE = 0.25
GPU_TIME = "GPU time at RunPod"
COMPARED_AGAIN = timedelta(days=30)


def margins(session: Session, query: MarginsQuery) -> Page[MarginOut]:
    """The worst margin first: that is the model to look at."""
    rows, total = queries.margins(
        session, since=query.since, offset=query.offset, limit=query.limit
    )
    return Page([_margin(row) for row in rows], total, query)


def compare_bills(tools: Tools) -> int:
    """Yesterday's GPU time by RunPod's bill against ours, per endpoint; answers what differs.

    A day of the last month that differed is compared again until it agrees. Without a management
    key there is nothing to compare.
    """
    if not tools.settings.runpod_management_key:
        return 0
    yesterday = (tools.clock.now() - timedelta(days=1)).date()
    days = {yesterday, *days_apart(tools, GPU_TIME, yesterday - COMPARED_AGAIN)}
    try:
        return sum(_compare_day(tools, day) for day in sorted(days))
    except BillsUnavailable as error:
        log.error("RunPod's bills cannot be read", exception=error)
        return 0


def _compare_day(tools: Tools, day: date) -> int:
    """One day (UTC). Raises BillsUnavailable."""
    began = tools.clock.now()
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    bills = tools.runpod_bills.between(since, until)
    with tools.db.step() as connection:
        own = queries.gpu_costs(connection, since, until)
    theirs = {bill.endpoint_id: bill.micro_usd for bill in bills}
    found = [
        Difference(
            f"{endpoint} {day}",
            own.get(endpoint, 0) // MICRO_USD_PER_CENT,
            theirs.get(endpoint, 0) // MICRO_USD_PER_CENT,
        )
        for endpoint in sorted({*own, *theirs})
        if _differ(own.get(endpoint, 0), theirs.get(endpoint, 0))
    ]
    note(tools, GPU_TIME, found, began, day=day)
    return len(found)


def _differ(ours: int, theirs: int) -> bool:
    return abs(ours - theirs) > BILL_TOLERANCE * max(ours, theirs)


def _margin(row: queries.AnyRow) -> MarginOut:
    fee, cost = exact_credits(int(row.fee)), int(row.gpu) / MICRO_USD_PER_CENT
    return MarginOut(
        model_id=row.id,
        model_slug=row.slug,
        model_title=row.title,
        base_model_slug=row.base,
        charged_runs=row.runs,
        gross_cents=exact_credits(int(row.gross)),
        fee_cents=fee,
        gpu_cost_cents=cost,
        margin_cents=fee - cost,
    )
