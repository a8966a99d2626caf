"""A developer's account (contract 1.2): one shape everywhere, since clients keep what they get."""

from sqlalchemy.orm import Session

from common.accounts import service as accounts
from common.accounts.schemas import (
    DeveloperCompletion,
    DeveloperOut,
    DeveloperProfile,
    DeveloperRegistration,
)
from common.accounts.service import Developer
from common.catalog import service as catalog
from common.errors import AccountSuspended, DeveloperNotFound, EmailTaken
from common.gateways.identity import Identity
from common.http import Call
from common.http.app import Routes
from common.payments import service as payments
from common.runtime import runtime
from functions.studio.guards import developer, signed_in

routes = Routes()
DEVELOPER_ERRORS = (DeveloperNotFound, AccountSuspended)


@routes.route(
    "POST",
    "/auth/register",
    guard=signed_in,
    tier="auth",
    body=DeveloperRegistration,
    out=DeveloperOut,
    status=201,
    errors=(EmailTaken, AccountSuspended),
)
def register(call: Call[Identity, DeveloperRegistration, None]) -> DeveloperOut:
    """Registers the caller; again, it answers the same account."""
    with runtime().db.transaction() as session:
        account = accounts.register_developer(session, call.principal, call.body.display_name)
        return shown(session, account)


@routes.route("GET", "/auth/me", guard=developer(None), out=DeveloperOut, errors=DEVELOPER_ERRORS)
def me(call: Call[Developer, None, None]) -> DeveloperOut:
    """The caller's account and earnings."""
    with runtime().db.transaction() as session:
        return shown(session, call.principal)


def update_profile(call: Call[Developer, DeveloperProfile, None]) -> DeveloperOut:
    """Changes the fields that are given; null clears a field."""
    with runtime().db.transaction() as session:
        account = accounts.update_developer(session, call.principal.firebase_uid, call.body)
        return shown(session, account)


for _method in ("PUT", "PATCH"):
    routes.route(
        _method,
        "/auth/profile",
        guard=developer(None),
        body=DeveloperProfile,
        out=DeveloperOut,
        errors=DEVELOPER_ERRORS,
    )(update_profile)


@routes.route(
    "POST",
    "/auth/complete-profile",
    guard=developer(None),
    body=DeveloperCompletion,
    out=DeveloperOut,
    errors=DEVELOPER_ERRORS,
)
def complete_profile(call: Call[Developer, DeveloperCompletion, None]) -> DeveloperOut:
    """Fills in the profile; may be repeated."""
    with runtime().db.transaction() as session:
        account = accounts.update_developer(session, call.principal.firebase_uid, call.body)
        return shown(session, account)


def shown(session: Session, account: Developer) -> DeveloperOut:
    """The account with what the other slices know."""
    parts = runtime()
    earned = payments.summary(
        session,
        account.id,
        fee_bps=parts.settings.platform_fee_bps,
        now=parts.clock.now(),
    )
    return DeveloperOut.of(
        account,
        total_earnings=earned.total_earnings,
        pending_payout=earned.available_balance + earned.pending_balance,
        model_count=catalog.model_count(session, account.id),
    )
