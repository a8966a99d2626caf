"""A consumer's complaint about a model."""

import uuid

from common.errors import AccountSuspended, ConsumerNotFound, ModelNotFound
from common.http import Call
from common.http.app import Routes
from common.moderation import service as moderation
from common.moderation.schemas import ReportIn, ReportOut
from common.runtime import runtime
from functions.marketplace.guards import consumer_id

routes = Routes()


@routes.route(
    "POST",
    "/models/<slug>/report",
    guard=consumer_id(None),
    body=ReportIn,
    out=ReportOut,
    status=201,
    errors=(ConsumerNotFound, AccountSuspended, ModelNotFound),
    tier="auth",
)
def report(call: Call[uuid.UUID, ReportIn, None]) -> ReportOut:
    """Reports a model to staff; while that is open, again answers the same report."""
    with runtime().db.transaction() as session:
        return moderation.report(
            session,
            call.path["slug"],
            call.body,
            consumer_id=call.principal,
            report_id=call.new_id(),
            now=runtime().clock.now(),
        )
