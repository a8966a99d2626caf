"""A developer's API keys."""

from common.errors import AccountSuspended, DeveloperNotFound
from common.keys.routes import key_routes
from common.keys.schemas import KeyIn
from common.runtime import runtime
from functions.studio.guards import developer_id

routes = key_routes(
    runtime,
    kind="developer",
    guard=developer_id(None),
    order=KeyIn,
    errors=(DeveloperNotFound, AccountSuspended),
)
