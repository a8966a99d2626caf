"""An account's webhooks: where to, of what, with which secret, and what became of each delivery."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from common.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound
from common.events import service as events
from common.events.queries import Kind
from common.webhooks import queries
from common.webhooks.delivering import check_url, deliver, deliver_overdue, set_alarm
from common.webhooks.queries import forget
from common.webhooks.schemas import (
    ConsumerWebhookIn,
    DeliveriesQuery,
    DeliveryHealth,
    DeliveryOut,
    DeveloperWebhookIn,
    Replayed,
    TryOut,
    WebhookMade,
    WebhookOut,
)
from common.webhooks.signing import make_secret
from common.webhooks.tables import EndpointRow

__all__ = [
    "add",
    "change",
    "check_url",
    "deliver",
    "deliver_overdue",
    "deliveries_of",
    "forget",
    "list_of",
    "remove",
    "replay",
    "rotate",
    "run_secret",
    "send_test",
    "set_alarm",
]
MOST_WEBHOOKS = 10
MOST_REPLAYED = 1000
_DAY = timedelta(days=1)


def add(
    session: Session,
    order: ConsumerWebhookIn | DeveloperWebhookIn,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    endpoint_id: uuid.UUID,
    now: datetime,
) -> WebhookMade:
    """A new webhook, of an address that was checked; raises TooManyWebhooks.

    A repeat under the same id answers the webhook without its secret.
    """
    if queries.owned(session, kind, owner_id, endpoint_id) is None:
        if len(queries.all_of(session, kind, owner_id)) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(f"You have {MOST_WEBHOOKS} webhooks. Remove one first.")
        secret: str | None = make_secret()
        values = {
            "id": endpoint_id,
            f"{kind}_id": owner_id,
            "url": order.url,
            "event_types": sorted(set(order.event_types)),
            "description": order.description,
            "secret": secret,
            "created_at": now,
        }
        queries.add(session, values)
    else:
        secret = None
    row = _owned(session, kind, owner_id, endpoint_id)
    return WebhookMade(**_shown(session, [row], now)[0], secret=secret)


def list_of(session: Session, kind: Kind, owner_id: uuid.UUID, now: datetime) -> list[WebhookOut]:
    """The account's webhooks, the newest first."""
    rows = list(queries.all_of(session, kind, owner_id))
    return [WebhookOut(**each) for each in _shown(session, rows, now)]


def change(
    session: Session,
    endpoint_id: uuid.UUID,
    changes: dict[str, Any],
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    now: datetime,
) -> WebhookOut:
    """Applies the fields that were given; raises WebhookNotFound."""
    row = _owned(session, kind, owner_id, endpoint_id, locked=True)
    enabled = changes.pop("enabled", None)
    if enabled is True:
        row.disabled_at = row.disabled_for = row.failing_since = None
    elif enabled is False and row.disabled_at is None:
        row.disabled_at, row.disabled_for = now, "owner"
    for name, value in changes.items():
        setattr(row, name, value)
    session.flush()
    return WebhookOut(**_shown(session, [row], now)[0])


def remove(
    session: Session, endpoint_id: uuid.UUID, *, kind: Kind, owner_id: uuid.UUID, now: datetime
) -> None:
    """Tells that address nothing more; raises WebhookNotFound."""
    _owned(session, kind, owner_id, endpoint_id, locked=True).deleted_at = now


def rotate(
    session: Session,
    endpoint_id: uuid.UUID,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    overlap: timedelta,
    now: datetime,
) -> WebhookMade:
    """A new secret; until the overlap is over both sign. Raises WebhookNotFound."""
    row = _owned(session, kind, owner_id, endpoint_id, locked=True)
    row.old_secret, row.old_secret_until = row.secret, now + overlap
    row.secret = make_secret()
    session.flush()
    return WebhookMade(**_shown(session, [row], now)[0], secret=row.secret)


def run_secret(
    session: Session, consumer_id: uuid.UUID, now: datetime, *, renew: bool = False
) -> str:
    """What signs the consumer's webhooks of single runs."""
    return queries.run_secret(session, consumer_id, fresh=make_secret(), now=now, renew=renew)


def send_test(
    session: Session, endpoint_id: uuid.UUID, *, kind: Kind, owner_id: uuid.UUID, now: datetime
) -> None:
    """An event `webhook.test` for this webhook alone; raises WebhookNotFound."""
    row = _owned(session, kind, owner_id, endpoint_id)
    data = {"endpointId": str(row.id)}
    events.add(session, kind=kind, owner_id=owner_id, event_type="webhook.test", data=data, now=now)


def deliveries_of(
    session: Session,
    endpoint_id: uuid.UUID,
    query: DeliveriesQuery,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
) -> list[DeliveryOut]:
    """A webhook's deliveries with every try, the newest first; raises WebhookNotFound."""
    _owned(session, kind, owner_id, endpoint_id)
    rows = queries.deliveries(session, endpoint_id, before=query.before, limit=query.limit)
    tries: dict[int, list[TryOut]] = {}
    for each in queries.tries(session, [row.DeliveryRow.id for row in rows]):
        tries.setdefault(each.delivery_id, []).append(TryOut.model_validate(each))
    return [
        DeliveryOut(
            id=row.DeliveryRow.id,
            event_id=events.event_id(row.xid, row.DeliveryRow.event_id),
            type=row.type,
            state=row.DeliveryRow.state,
            attempts=row.DeliveryRow.attempts,
            due_at=row.DeliveryRow.due_at if row.DeliveryRow.state == "waiting" else None,
            tries=tries.get(row.DeliveryRow.id, []),
        )
        for row in rows
    ]


def replay(
    session: Session,
    endpoint_id: uuid.UUID,
    *,
    kind: Kind,
    owner_id: uuid.UUID,
    delivery_id: int | None = None,
    since: datetime | None = None,
    now: datetime,
) -> Replayed:
    """Sends one delivery again, or all since a moment; raises WebhookNotFound, DeliveryNotFound."""
    _owned(session, kind, owner_id, endpoint_id)
    again, until = queries.replay(
        session,
        endpoint_id,
        delivery_id=delivery_id,
        since=since,
        limit=MOST_REPLAYED,
        now=now,
    )
    if delivery_id is not None and not again:
        raise DeliveryNotFound
    return Replayed(deliveries=again, until=until)


def _owned(
    session: Session,
    kind: Kind,
    owner_id: uuid.UUID,
    endpoint_id: uuid.UUID,
    *,
    locked: bool = False,
) -> EndpointRow:
    row = queries.owned(session, kind, owner_id, endpoint_id, locked=locked)
    if row is None:
        raise WebhookNotFound
    return row


def _shown(session: Session, rows: list[EndpointRow], now: datetime) -> list[dict[str, Any]]:
    counts = queries.health(session, [row.id for row in rows], now - _DAY)
    return [_one(row, counts.get(row.id)) for row in rows]


def _one(row: EndpointRow, counts: Any) -> dict[str, Any]:
    health = DeliveryHealth(
        waiting=counts.waiting if counts else 0,
        delivered=counts.delivered if counts else 0,
        failed=counts.failed if counts else 0,
    )
    return {
        "id": row.id,
        "url": row.url,
        "event_types": row.event_types,
        "description": row.description,
        "enabled": row.disabled_at is None,
        "disabled_at": row.disabled_at,
        "disabled_for": row.disabled_for,
        "failing_since": row.failing_since,
        "health": health,
        "created_at": row.created_at,
    }
