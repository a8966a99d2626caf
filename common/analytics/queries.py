"""All SQL of analytics. Reads what other slices wrote; writes nothing."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.orm import Session

from common.catalog.tables import BaseModelRow, TarsModelRow
from common.executions.tables import ExecutionRow
from common.payments.tables import EarningRow

AnyRow = Row[*tuple[Any, ...]]


def margins(
    session: Session, *, since: datetime | None, offset: int, limit: int
) -> tuple[list[AnyRow], int]:
    """Per tars model: runs charged, what they brought, and what all its runs' GPU time cost."""
    spans = [] if since is None else [ExecutionRow.finished_at >= since]
    kept = EarningRow.reversed_at.is_(None)
    rows = (
        select(
            ExecutionRow.tars_model_id.label("id"),
            func.count(EarningRow.execution_id).filter(kept).label("runs"),
            func.coalesce(func.sum(EarningRow.gross).filter(kept), 0).label("gross"),
            func.coalesce(func.sum(EarningRow.fee).filter(kept), 0).label("fee"),
            func.coalesce(func.sum(ExecutionRow.gpu_micro_usd), 0).label("gpu"),
        )
        .outerjoin(EarningRow, EarningRow.execution_id == ExecutionRow.id)
        .where(ExecutionRow.finished_at.is_not(None), *spans)
        .group_by(ExecutionRow.tars_model_id)
        .subquery()
    )
    total = session.scalar(select(func.count()).select_from(rows)) or 0
    query = (
        select(TarsModelRow.slug, TarsModelRow.title, BaseModelRow.slug.label("base"), rows)
        .join(TarsModelRow, TarsModelRow.id == rows.c.id)
        .join(BaseModelRow, BaseModelRow.id == TarsModelRow.base_model_id)
        .order_by((rows.c.fee / 100 - rows.c.gpu).asc(), rows.c.id)
    )
    return list(session.execute(query.offset(offset).limit(limit))), total


def gpu_costs(connection: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """Micro-dollars of GPU time per endpoint, of runs that ended in the span."""
    query = (
        select(ExecutionRow.runpod_endpoint_id, func.sum(ExecutionRow.gpu_micro_usd))
        .where(
            ExecutionRow.finished_at >= since,
            ExecutionRow.finished_at < until,
            ExecutionRow.gpu_micro_usd.is_not(None),
        )
        .group_by(ExecutionRow.runpod_endpoint_id)
    )
    return {endpoint: int(cost or 0) for endpoint, cost in connection.execute(query)}
