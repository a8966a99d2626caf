"""All SQL of the outbox that is not in functions.sql."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_CLAIM = text("SELECT ref FROM outbox_claim(:older_than, :limit, :now)")


def claim(
    connection: Connection, *, older_than: timedelta, limit: int, now: datetime
) -> list[uuid.UUID]:
    """Takes rows that are due for at least `older_than`, oldest first, and moves them forward."""
    parameters = {"older_than": older_than, "limit": limit, "now": now}
    return list(connection.scalars(_CLAIM, parameters))
