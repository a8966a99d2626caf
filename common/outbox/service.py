"""Relaying what a dead process left behind."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import Connection

from common.outbox import queries

PATIENCE = timedelta(seconds=15)
BATCH = 500


def claim(connection: Connection, now: datetime) -> list[uuid.UUID]:
    """Executions whose submit is overdue, a batch at a time; each claim backs off by itself.

    The process that wrote a row has 15 seconds to do the work itself.
    """
    return queries.claim(connection, older_than=PATIENCE, limit=BATCH, now=now)
