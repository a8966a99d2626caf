"""A developer's webhooks and event log."""

from common.errors import AccountSuspended, DeveloperNotFound
from common.runtime import runtime
from common.webhooks.routes import webhook_routes
from common.webhooks.schemas import DeveloperWebhookChanges, DeveloperWebhookIn
from functions.studio.guards import developer_id

routes = webhook_routes(
    runtime,
    kind="developer",
    reads=developer_id("events:read"),
    writes=developer_id("webhooks:write"),
    order=DeveloperWebhookIn,
    changes=DeveloperWebhookChanges,
    errors=(DeveloperNotFound, AccountSuspended),
)
