"""A consumer's webhooks and event log, and what signs the webhooks of single runs."""

import uuid

from common.errors import AccountSuspended, ConsumerNotFound
from common.http import Call
from common.runtime import runtime
from common.webhooks import service as webhooks
from common.webhooks.routes import webhook_routes
from common.webhooks.schemas import ConsumerWebhookChanges, ConsumerWebhookIn, SecretOut
from functions.marketplace.guards import consumer_id

CONSUMER_ERRORS = (ConsumerNotFound, AccountSuspended)
routes = webhook_routes(
    runtime,
    kind="consumer",
    reads=consumer_id("events:read"),
    writes=consumer_id("webhooks:write"),
    order=ConsumerWebhookIn,
    changes=ConsumerWebhookChanges,
    errors=CONSUMER_ERRORS,
)


@routes.route(
    "GET",
    "/webhooks/run-secret",
    guard=consumer_id("webhooks:write"),
    out=SecretOut,
    errors=CONSUMER_ERRORS,
)
def show_run_secret(call: Call[uuid.UUID, None, None]) -> SecretOut:
    """Shows what signs the webhooks that are given with a run."""
    with runtime().db.transaction() as session:
        now = runtime().clock.now()
        return SecretOut(secret=webhooks.run_secret(session, call.principal, now))


@routes.route(
    "PUT",
    "/webhooks/run-secret",
    guard=consumer_id("webhooks:write"),
    out=SecretOut,
    errors=CONSUMER_ERRORS,
)
def renew_run_secret(call: Call[uuid.UUID, None, None]) -> SecretOut:
    """Makes a new one for runs that start from now on."""
    with runtime().db.transaction() as session:
        now = runtime().clock.now()
        return SecretOut(secret=webhooks.run_secret(session, call.principal, now, renew=True))
