"""All SQL of the webhooks that is not in functions.sql."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.events.queries import Kind
from common.events.tables import EventRow
from common.webhooks.tables import DeliveryAttemptRow, DeliveryRow, EndpointRow, RunSecretRow

AnyRow = Row[*tuple[Any, ...]]


class Begun(NamedTuple):
    """What is to be done about a delivery now, and with what."""

    action: str
    due_at: datetime | None
    attempt: int
    url: str
    secret: str
    old_secret: str | None
    xid: int
    event_id: int
    type: str
    data: dict[str, Any]
    at: datetime


class Ended(NamedTuple):
    """What became of a delivery; `next_id` is the run's next one to the same endpoint."""

    state: str
    due_at: datetime | None
    next_id: int | None


_BEGIN = text("SELECT * FROM delivery_begin(:id, :now)")
_END = text(
    "SELECT * FROM delivery_end(:id, :attempt, :status, :error, :retry_after, :took, :jitter, :now)"
)
_REPLAY = text("SELECT * FROM deliveries_replay(:endpoint, :delivery, :since, :limit, :now)")
_FORGET = text("SELECT webhooks_forget(:now)")
_DUE = text("SELECT id FROM deliveries_due(:before, :each, :limit)")
_OWNER: dict[Kind, Any] = {
    "consumer": EndpointRow.consumer_id,
    "developer": EndpointRow.developer_id,
}


def begin(connection: Connection, delivery_id: int, now: datetime) -> Begun:
    """Takes a delivery for one try."""
    return Begun(*connection.execute(_BEGIN, {"id": delivery_id, "now": now}).one())


def end(
    connection: Connection,
    delivery_id: int,
    *,
    attempt: int,
    status: int | None,
    error: str | None,
    retry_after: int | None,
    took_ms: int,
    jitter: float,
    now: datetime,
) -> Ended:
    """How the try went."""
    parameters = {
        "id": delivery_id,
        "attempt": attempt,
        "status": status,
        "error": error,
        "retry_after": retry_after,
        "took": took_ms,
        "jitter": jitter,
        "now": now,
    }
    return Ended(*connection.execute(_END, parameters).one())


def forget(connection: Connection, now: datetime) -> None:
    """Drops webhooks of single runs whose events are forgotten."""
    connection.execute(_FORGET, {"now": now})


def overdue(
    connection: Connection, *, now: datetime, patience: timedelta, each: int, limit: int
) -> list[int]:
    """Deliveries whose time passed `patience` ago, the oldest first, `each` of an endpoint."""
    parameters = {"before": now - patience, "each": each, "limit": limit}
    return list(connection.scalars(_DUE, parameters))


def replay(
    session: Session,
    endpoint_id: uuid.UUID,
    *,
    delivery_id: int | None,
    since: datetime | None,
    limit: int,
    now: datetime,
) -> tuple[int, datetime | None]:
    """Makes deliveries wait again; answers how many, and when the last of them was made."""
    parameters = {
        "endpoint": endpoint_id,
        "delivery": delivery_id,
        "since": since,
        "limit": limit,
        "now": now,
    }
    again, until = session.execute(_REPLAY, parameters).one()
    return again, until


def add(session: Session, values: dict[str, Any]) -> None:
    """A new endpoint; one of that id that is there already stays as it is."""
    session.execute(
        insert(EndpointRow).values(**values).on_conflict_do_nothing(index_elements=["id"])
    )


def owned(
    session: Session,
    kind: Kind,
    owner_id: uuid.UUID,
    endpoint_id: uuid.UUID,
    *,
    locked: bool = False,
) -> EndpointRow | None:
    """The owner's endpoint; those of single runs are not among them.

    The lock lets deliveries to it be made meanwhile: they are part of what others are doing.
    """
    query = select(EndpointRow).where(
        EndpointRow.id == endpoint_id,
        _OWNER[kind] == owner_id,
        EndpointRow.execution_id.is_(None),
        EndpointRow.deleted_at.is_(None),
    )
    return session.scalar(query.with_for_update(key_share=True) if locked else query)


def all_of(session: Session, kind: Kind, owner_id: uuid.UUID) -> Sequence[EndpointRow]:
    """The owner's endpoints, the newest first."""
    query = select(EndpointRow).where(
        _OWNER[kind] == owner_id,
        EndpointRow.execution_id.is_(None),
        EndpointRow.deleted_at.is_(None),
    )
    return session.scalars(query.order_by(EndpointRow.created_at.desc(), EndpointRow.id)).all()


def health(session: Session, endpoint_ids: Sequence[uuid.UUID], since: datetime) -> dict[Any, Any]:
    """By endpoint: how many deliveries wait, and how many were made or given up since a moment."""
    recent = DeliveryRow.ended_at >= since
    query = (
        select(
            DeliveryRow.endpoint_id,
            func.count(case((DeliveryRow.state == "waiting", 1))).label("waiting"),
            func.count(case(((DeliveryRow.state == "delivered") & recent, 1))).label("delivered"),
            func.count(case(((DeliveryRow.state == "failed") & recent, 1))).label("failed"),
        )
        .where(DeliveryRow.endpoint_id.in_(endpoint_ids))
        .where((DeliveryRow.state == "waiting") | recent)
        .group_by(DeliveryRow.endpoint_id)
    )
    return {row.endpoint_id: row for row in session.execute(query)}


def deliveries(
    session: Session, endpoint_id: uuid.UUID, *, before: int | None, limit: int
) -> Sequence[AnyRow]:
    """An endpoint's deliveries with their events, the newest first."""
    query = (
        select(DeliveryRow, EventRow.xid, EventRow.type)
        .join(EventRow, EventRow.id == DeliveryRow.event_id)
        .where(DeliveryRow.endpoint_id == endpoint_id)
    )
    if before is not None:
        query = query.where(DeliveryRow.id < before)
    return session.execute(query.order_by(DeliveryRow.id.desc()).limit(limit)).all()


def tries(session: Session, delivery_ids: Sequence[int]) -> Sequence[DeliveryAttemptRow]:
    """Every try of these deliveries, the oldest first."""
    query = select(DeliveryAttemptRow).where(DeliveryAttemptRow.delivery_id.in_(delivery_ids))
    return session.scalars(query.order_by(DeliveryAttemptRow.at, DeliveryAttemptRow.n)).all()


def run_secret(
    session: Session, consumer_id: uuid.UUID, *, fresh: str, now: datetime, renew: bool = False
) -> str:
    """What signs a consumer's webhooks of single runs; made on first use, or anew."""
    statement = insert(RunSecretRow).values(consumer_id=consumer_id, secret=fresh, made_at=now)
    kept = RunSecretRow.secret if not renew else statement.excluded.secret
    made = RunSecretRow.made_at if not renew else statement.excluded.made_at
    return str(
        session.scalar(
            statement.on_conflict_do_update(
                index_elements=["consumer_id"], set_={"secret": kept, "made_at": made}
            ).returning(RunSecretRow.secret)
        )
    )
