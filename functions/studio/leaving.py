"""What a developer may take along, and leaving."""

from common.accounts.schemas import AccountDeleted, DeletionIn, DeveloperExport
from common.accounts.service import Developer
from common.catalog import service as catalog
from common.catalog.schemas.developers import TarsModelsQuery
from common.credits.service import exact_credits
from common.errors import (
    AccountOwes,
    AccountSuspended,
    CreditsLeft,
    DeveloperNotFound,
    RunsUnderWay,
)
from common.executions import service as executions
from common.http import Call
from common.http.app import Routes
from common.http.paging import everything
from common.http.wire import plain
from common.keys import service as keys
from common.payments import service as payments
from common.payments.schemas import EarningsQuery, PayoutsQuery
from common.runtime import runtime
from common.webhooks import service as webhooks
from functions.studio.account import shown
from functions.studio.guards import developer

routes = Routes()
DEVELOPER_ERRORS = (DeveloperNotFound, AccountSuspended)


@routes.route(
    "GET",
    "/account/export",
    guard=developer(None),
    out=DeveloperExport,
    errors=DEVELOPER_ERRORS,
    tier="auth",
)
def export(call: Call[Developer, None, None]) -> DeveloperExport:
    """Everything about the caller: account, keys, webhooks, models, earnings and payouts."""
    parts, me = runtime(), call.principal
    now = parts.clock.now()
    with parts.db.transaction() as session:
        account = shown(session, me)
        own_keys = keys.list_of(session, "developer", me.id, now)
        own_webhooks = webhooks.list_of(session, "developer", me.id, now)
        models = everything(
            lambda page: catalog.models_of(session, me.id, TarsModelsQuery(**vars(page)))
        )
        earnings = everything(
            lambda page: payments.earnings(session, me.id, EarningsQuery(**vars(page)), now)
        )
        payouts = everything(
            lambda page: payments.payouts(session, me.id, PayoutsQuery(**vars(page)))
        )
    return DeveloperExport(
        account=plain(account),
        keys=[plain(each) for each in own_keys],
        webhooks=[plain(each) for each in own_webhooks],
        models=[plain(each) for each in models],
        earnings=[plain(each) for each in earnings],
        payouts=[plain(each) for each in payouts],
    )


@routes.route(
    "POST",
    "/account/delete",
    guard=developer(None),
    body=DeletionIn,
    out=AccountDeleted,
    errors=(*DEVELOPER_ERRORS, RunsUnderWay, CreditsLeft, AccountOwes),
    tier="auth",
)
def delete(call: Call[Developer, DeletionIn, None]) -> AccountDeleted:
    """Deletes the caller's account for good and takes its models off the market."""
    given_up = executions.erase_developer(runtime(), call.principal.id, give_up=call.body.give_up)
    return AccountDeleted(deleted=True, given_up=exact_credits(given_up))
