"""Where a run stands and how long it may take, by what the endpoint's last runs took."""

import uuid
from datetime import datetime

from sqlalchemy import Connection

from common.executions import queries
from common.executions.queries import AnyRow
from common.executions.schemas import Queue


def queue_of(connection: Connection, execution_id: uuid.UUID, now: datetime) -> Queue | None:
    """How many runs are ahead and an estimate; None once it has ended."""
    row = queries.queue(connection, execution_id)
    if row is None or row.status not in {"PENDING", "QUEUED", "RUNNING"}:
        return None
    waiting = row.status != "RUNNING"
    return Queue(
        position=row.ahead + 1 if waiting else None,
        estimated_seconds=_estimate(row, now),
        progress_percent=row.progress,
    )


def _estimate(row: AnyRow, now: datetime) -> int | None:
    """The median wait and run time, less what has passed already; None before any run ended."""
    if row.ran_ms is None:
        return None
    if row.status == "RUNNING" and row.started_at is not None:
        whole, since = row.ran_ms, row.started_at
    else:
        whole, since = (row.waited_ms or 0) + row.ran_ms, row.created_at
    left = float(whole) / 1000 - (now - since).total_seconds()
    return max(1, int(left))
