"""All SQL of the event log that is not in functions.sql."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, select, text, tuple_
from sqlalchemy.orm import Session

from common.events.tables import EventRow

Kind = Literal["consumer", "developer"]


class Place(NamedTuple):
    """Where an event stands in the log."""

    xid: int
    id: int


_ADD = text("SELECT event_add(:consumer, :developer, :type, NULL, :data, :now)")
_FORGET = text("SELECT events_forget(:now, :limit)")
_OWNER: dict[Kind, Any] = {"consumer": EventRow.consumer_id, "developer": EventRow.developer_id}


def add(
    session: Session | Connection,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    event_type: str,
    data: dict[str, Any],
    now: datetime,
) -> None:
    """Writes an event with what the session changes."""
    other: Kind = "developer" if kind == "consumer" else "consumer"
    parameters = {kind: owner_id, other: None, "type": event_type, "data": json.dumps(data)}
    session.execute(_ADD, {**parameters, "now": now})


def after(
    session: Session, kind: Kind, owner_id: uuid.UUID, *, place: Place, limit: int
) -> Sequence[EventRow]:
    """The owner's next events: none can appear before them any more."""
    query = (
        select(EventRow)
        .where(_OWNER[kind] == owner_id, EventRow.xid < func.events_settled_before())
        .where(tuple_(EventRow.xid, EventRow.id) > tuple_(place.xid, place.id))
        .order_by(EventRow.xid, EventRow.id)
    )
    return session.scalars(query.limit(limit)).all()


def forget(connection: Connection, *, now: datetime, limit: int) -> None:
    """Drops events that are older than 30 days."""
    connection.execute(_FORGET, {"now": now, "limit": limit})
