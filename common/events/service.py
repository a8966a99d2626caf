"""Reading the event log by cursor: every event exactly once, in a lasting order."""

import uuid
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common.events import queries
from common.events.queries import Kind, Place, add
from common.events.schemas import EventOut, EventsQuery
from common.events.tables import EventRow

__all__ = ["Kind", "add", "event_id", "events_after", "forget"]
FORGOTTEN_AT_ONCE = 5000


def event_id(xid: int, number: int) -> str:
    """An event's public id, which sorts as the log does when it is taken apart."""
    return f"evt_{xid}_{number}"


def events_after(
    session: Session, kind: Kind, owner_id: uuid.UUID, query: EventsQuery
) -> list[EventOut]:
    """The next events of an account; whoever goes on after the last id misses none."""
    place = Place(0, 0)
    if query.after is not None:
        _, xid, number = query.after.split("_")
        place = Place(int(xid), int(number))
    rows = queries.after(session, kind, owner_id, place=place, limit=query.limit)
    return [_shown(row) for row in rows]


def forget(connection: Connection, now: datetime) -> None:
    """Drops what is older than 30 days, a batch at a time."""
    queries.forget(connection, now=now, limit=FORGOTTEN_AT_ONCE)


def _shown(row: EventRow) -> EventOut:
    return EventOut(id=event_id(row.xid, row.id), type=row.type, timestamp=row.at, data=row.data)
