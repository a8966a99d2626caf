"""A consumer's API keys."""

from common.errors import AccountSuspended, ConsumerNotFound
from common.keys.routes import key_routes
from common.keys.schemas import ConsumerKeyIn
from common.runtime import runtime
from functions.marketplace.guards import consumer_id

routes = key_routes(
    runtime,
    kind="consumer",
    guard=consumer_id(None),
    order=ConsumerKeyIn,
    errors=(ConsumerNotFound, AccountSuspended),
)
