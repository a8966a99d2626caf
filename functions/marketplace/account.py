"""A consumer's account (contract 1.5): the row of accounts with the figures of other slices."""

from sqlalchemy.orm import Session

from common.accounts import service as accounts
from common.accounts.schemas import ConsumerOut, ConsumerProfile, ConsumerRegistration
from common.accounts.service import Consumer
from common.credits import service as ledger
from common.errors import AccountSuspended, ConsumerNotFound, EmailTaken
from common.executions import service as executions
from common.gateways.identity import Identity
from common.http import Call
from common.http.app import Routes
from common.payments import service as payments
from common.runtime import runtime
from functions.marketplace.guards import consumer, signed_in

routes = Routes()


@routes.route(
    "POST",
    "/auth/register",
    guard=signed_in,
    tier="auth",
    body=ConsumerRegistration,
    out=ConsumerOut,
    status=201,
    errors=(EmailTaken, AccountSuspended),
)
def register(call: Call[Identity, ConsumerRegistration, None]) -> ConsumerOut:
    """Registers the caller; again, it answers the same account."""
    with runtime().db.transaction() as session:
        account = accounts.register_consumer(session, call.principal, call.body.name)
        return shown(session, account)


@routes.route(
    "GET",
    "/auth/me",
    guard=consumer(None),
    out=ConsumerOut,
    errors=(ConsumerNotFound, AccountSuspended),
)
def me(call: Call[Consumer, None, None]) -> ConsumerOut:
    """The caller's account and balance."""
    with runtime().db.transaction() as session:
        return shown(session, call.principal)


def update_profile(call: Call[Consumer, ConsumerProfile, None]) -> ConsumerOut:
    """Changes the fields that are given; null clears the avatar."""
    with runtime().db.transaction() as session:
        account = accounts.update_consumer(session, call.principal.firebase_uid, call.body)
        return shown(session, account)


for _method in ("PUT", "PATCH"):
    routes.route(
        _method,
        "/auth/profile",
        guard=consumer(None),
        body=ConsumerProfile,
        out=ConsumerOut,
        errors=(ConsumerNotFound, AccountSuspended),
    )(update_profile)


def shown(session: Session, account: Consumer) -> ConsumerOut:
    """The account with what the other slices know."""
    return ConsumerOut.of(
        account,
        credits_balance=ledger.balance(session, account.id).balance,
        run_count=executions.run_count(session, account.id),
        purchase_count=payments.purchase_count(session, account.id),
        total_credits_spent=ledger.spent_credits(session, account.id),
    )
