"""The routes about webhooks and the event log, the same for consumers and developers."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from common.errors import (
    DeliveryNotFound,
    InvalidRequest,
    TarsifyError,
    TooManyWebhooks,
    WebhookNotFound,
)
from common.events import service as events
from common.events.queries import Kind
from common.events.schemas import EventOut, EventsQuery
from common.http import Call, In, Link, Reply
from common.http.app import Routes
from common.webhooks import service as webhooks
from common.webhooks.delivering import check_url
from common.webhooks.schemas import (
    DeliveriesQuery,
    DeliveryOut,
    Replayed,
    ReplayIn,
    SecretRotation,
    WebhookMade,
    WebhookOut,
)
from common.webhooks.tools import Tools

ABOUT_A_WEBHOOK = (
    "PATCH /webhooks/<id>",
    "DELETE /webhooks/<id>",
    "GET /webhooks/<id>/deliveries",
    "POST /webhooks/<id>/rotate-secret",
    "POST /webhooks/<id>/test",
    "POST /webhooks/<id>/replay",
)
Owned = Callable[[Any], uuid.UUID]


def webhook_routes(
    parts: Callable[[], Tools],
    *,
    kind: Kind,
    reads: Owned,
    writes: Owned,
    order: type[In],
    changes: type[In],
    errors: tuple[type[TarsifyError], ...],
) -> Routes:
    """Routes whose guards answer the account's id."""
    routes = Routes()
    known = (*errors, WebhookNotFound)

    def who(call: Call[uuid.UUID, Any, Any]) -> dict[str, Any]:
        return {"kind": kind, "owner_id": call.principal}

    @routes.route(
        "GET", "/events", guard=reads, query=EventsQuery, out=list[EventOut], errors=errors
    )
    def read_events(call: Call[uuid.UUID, None, EventsQuery]) -> list[EventOut]:
        """Reads what happened, the oldest first; the last id leads on."""
        with parts().db.transaction() as session:
            return events.events_after(session, kind, call.principal, call.query)

    @routes.route(
        "POST",
        "/webhooks",
        guard=writes,
        body=order,
        out=WebhookMade,
        status=201,
        errors=(*errors, TooManyWebhooks, InvalidRequest),
    )
    def add_webhook(call: Call[uuid.UUID, Any, None]) -> Reply:
        """Adds a webhook and shows its signing secret this once."""
        check_url(parts(), call.body.url)
        with parts().db.transaction() as session:
            made = webhooks.add(
                session,
                call.body,
                **who(call),
                endpoint_id=call.new_id(),
                now=parts().clock.now(),
            )
        return _shown_once(made, 201)

    @routes.route(
        "GET",
        "/webhooks",
        guard=reads,
        out=list[WebhookOut],
        errors=errors,
        links=(Link("0/id", ABOUT_A_WEBHOOK),),
    )
    def list_webhooks(call: Call[uuid.UUID, None, None]) -> list[WebhookOut]:
        """Lists the caller's webhooks and how their deliveries go."""
        with parts().db.transaction() as session:
            return webhooks.list_of(session, kind, call.principal, parts().clock.now())

    @routes.route(
        "PATCH",
        "/webhooks/<id>",
        guard=writes,
        body=changes,
        out=WebhookOut,
        errors=(*known, InvalidRequest),
    )
    def change_webhook(call: Call[uuid.UUID, Any, None]) -> WebhookOut:
        """Changes a webhook, stops it, or starts it again."""
        given = call.body.model_dump(exclude_unset=True)
        if "url" in given:
            check_url(parts(), given["url"])
        with parts().db.transaction() as session:
            return webhooks.change(
                session, call.uuid("id"), given, **who(call), now=parts().clock.now()
            )

    @routes.route("DELETE", "/webhooks/<id>", guard=writes, status=204, errors=known)
    def remove_webhook(call: Call[uuid.UUID, None, None]) -> None:
        """Removes a webhook; what waits for it is dropped."""
        with parts().db.transaction() as session:
            webhooks.remove(session, call.uuid("id"), **who(call), now=parts().clock.now())

    @routes.route(
        "POST",
        "/webhooks/<id>/rotate-secret",
        guard=writes,
        body=SecretRotation,
        out=WebhookMade,
        errors=known,
    )
    def rotate_secret(call: Call[uuid.UUID, SecretRotation, None]) -> Reply:
        """Makes a new signing secret; both sign until the overlap is over."""
        with parts().db.transaction() as session:
            made = webhooks.rotate(
                session,
                call.uuid("id"),
                **who(call),
                overlap=timedelta(hours=call.body.overlap_hours),
                now=parts().clock.now(),
            )
        return _shown_once(made, 200)

    @routes.route(
        "POST", "/webhooks/<id>/test", guard=writes, status=204, errors=known, tier="auth"
    )
    def send_test(call: Call[uuid.UUID, None, None]) -> None:
        """Sends the event webhook.test to this webhook within a minute."""
        with parts().db.transaction() as session:
            webhooks.send_test(session, call.uuid("id"), **who(call), now=parts().clock.now())

    @routes.route(
        "GET",
        "/webhooks/<id>/deliveries",
        guard=reads,
        query=DeliveriesQuery,
        out=list[DeliveryOut],
        errors=known,
    )
    def list_deliveries(call: Call[uuid.UUID, None, DeliveriesQuery]) -> list[DeliveryOut]:
        """Lists a webhook's deliveries with every try, the newest first."""
        with parts().db.transaction() as session:
            return webhooks.deliveries_of(session, call.uuid("id"), call.query, **who(call))

    @routes.route(
        "POST",
        "/webhooks/<id>/replay",
        guard=writes,
        tier="auth",
        body=ReplayIn,
        out=Replayed,
        errors=(*known, DeliveryNotFound),
    )
    def replay(call: Call[uuid.UUID, ReplayIn, None]) -> Replayed:
        """Sends one delivery again, or everything since a moment in the same order."""
        with parts().db.transaction() as session:
            return webhooks.replay(
                session,
                call.uuid("id"),
                **who(call),
                delivery_id=call.body.delivery_id,
                since=call.body.since,
                now=parts().clock.now(),
            )

    return routes


def _shown_once(made: WebhookMade, status: int) -> Reply:
    return Reply(made, status, kept=made.model_copy(update={"secret": None}))
