"""A developer's earnings and payouts (contract 1.11)."""

from common.accounts.service import Developer
from common.errors import (
    BelowLeastPayout,
    NotEnoughLeft,
    PaymentsUnavailable,
    PayoutAccountMissing,
)
from common.http import Call, Page
from common.http.app import Routes
from common.payments import service as payments
from common.payments.schemas import (
    EarningOut,
    EarningsOut,
    EarningsQuery,
    ModelEarningsOut,
    OnboardingIn,
    OnboardingOut,
    PayoutAccountOut,
    PayoutIn,
    PayoutOut,
    PayoutsQuery,
)
from common.runtime import runtime
from functions.studio.account import DEVELOPER_ERRORS
from functions.studio.guards import developer

routes = Routes()


@routes.route(
    "GET", "/earnings", guard=developer("earnings:read"), out=EarningsOut, errors=DEVELOPER_ERRORS
)
def summary(call: Call[Developer, None, None]) -> EarningsOut:
    """Shows what the caller earned, what is due, what is on its way and what was paid."""
    parts = runtime()
    with parts.db.transaction() as session:
        return payments.summary(
            session,
            call.principal.id,
            fee_bps=parts.settings.platform_fee_bps,
            now=parts.clock.now(),
        )


@routes.route(
    "GET",
    "/earnings/history",
    guard=developer("earnings:read"),
    query=EarningsQuery,
    out=Page[EarningOut],
    errors=DEVELOPER_ERRORS,
)
def history(call: Call[Developer, None, EarningsQuery]) -> Page[EarningOut]:
    """Lists the caller's share of each charged run, newest first."""
    parts = runtime()
    with parts.db.transaction() as session:
        return payments.earnings(session, call.principal.id, call.query, parts.clock.now())


@routes.route(
    "GET",
    "/earnings/breakdown",
    guard=developer("earnings:read"),
    out=list[ModelEarningsOut],
    errors=DEVELOPER_ERRORS,
)
def breakdown(call: Call[Developer, None, None]) -> list[ModelEarningsOut]:
    """Lists what each of the caller's models brought in, the best earner first."""
    with runtime().db.transaction() as session:
        return payments.breakdown(session, call.principal.id)


@routes.route(
    "GET",
    "/payouts",
    guard=developer("earnings:read"),
    query=PayoutsQuery,
    out=Page[PayoutOut],
    errors=DEVELOPER_ERRORS,
)
def payouts(call: Call[Developer, None, PayoutsQuery]) -> Page[PayoutOut]:
    """Lists the caller's payouts, newest first."""
    with runtime().db.transaction() as session:
        return payments.payouts(session, call.principal.id, call.query)


@routes.route(
    "GET",
    "/payouts/account",
    guard=developer("earnings:read"),
    out=PayoutAccountOut,
    errors=DEVELOPER_ERRORS,
)
def account(call: Call[Developer, None, None]) -> PayoutAccountOut:
    """Says whether the caller can be paid."""
    return payments.payout_account(runtime(), call.principal.id)


@routes.route(
    "POST",
    "/payouts/connect-stripe",
    guard=developer(None),
    body=OnboardingIn,
    out=OnboardingOut,
    errors=(*DEVELOPER_ERRORS, PaymentsUnavailable),
)
def connect(call: Call[Developer, OnboardingIn, None]) -> OnboardingOut:
    """Answers a page at Stripe where the caller opens an account to be paid to."""
    me = call.principal
    return payments.connect(runtime(), me.id, call.body, email=me.email, country=me.country)


@routes.route(
    "POST",
    "/payouts/request",
    guard=developer(None),
    body=PayoutIn,
    out=PayoutOut,
    status=201,
    errors=(
        *DEVELOPER_ERRORS,
        PayoutAccountMissing,
        BelowLeastPayout,
        NotEnoughLeft,
    ),
    repeatable=True,
)
def request(call: Call[Developer, PayoutIn, None]) -> PayoutOut:
    """Pays out an amount, or without one all that is due."""
    me = call.principal.id
    return payments.request_payout(runtime(), me, call.body.amount, key=call.idempotency_key)
