"""What a consumer may take along, and leaving."""

from common.accounts.schemas import AccountDeleted, ConsumerExport, DeletionIn
from common.accounts.service import Consumer
from common.credits import service as ledger
from common.credits.service import exact_credits
from common.errors import (
    AccountOwes,
    AccountSuspended,
    ConsumerNotFound,
    CreditsLeft,
    PurchaseOpen,
    RunsUnderWay,
)
from common.executions import service as executions
from common.executions.schemas import RunsQuery
from common.http import Call
from common.http.app import Routes
from common.http.paging import everything
from common.http.wire import plain
from common.keys import service as keys
from common.moderation import service as moderation
from common.payments import service as payments
from common.runtime import runtime
from common.uploads import service as uploads
from common.webhooks import service as webhooks
from functions.marketplace.account import shown
from functions.marketplace.guards import consumer

routes = Routes()
CONSUMER_ERRORS = (ConsumerNotFound, AccountSuspended)


@routes.route(
    "GET",
    "/account/export",
    guard=consumer(None),
    out=ConsumerExport,
    errors=CONSUMER_ERRORS,
    tier="auth",
)
def export(call: Call[Consumer, None, None]) -> ConsumerExport:
    """Everything about the caller: account, keys, webhooks, uploads, reports, money and runs.

    Results are read run by run, since their addresses end soon. Of the inputs there are the newest
    20 MB; older ones are null here and are read run by run as well.
    """
    parts, me = runtime(), call.principal
    with parts.db.transaction() as session:
        account = shown(session, me)
        own_keys = keys.list_of(session, "consumer", me.id, parts.clock.now())
        own_webhooks = webhooks.list_of(session, "consumer", me.id, parts.clock.now())
        own_uploads = uploads.list_of(session, me.id)
        own_reports = moderation.reports_of(session, me.id)
        purchases = everything(lambda page: payments.history(session, me.id, page))
        movements = everything(lambda page: ledger.statement(session, me.id, page))
        runs = everything(lambda page: executions.list_of(session, me.id, RunsQuery(**vars(page))))
        inputs = executions.inputs_of(session, me.id)
    return ConsumerExport(
        account=plain(account),
        keys=[plain(each) for each in own_keys],
        webhooks=[plain(each) for each in own_webhooks],
        uploads=[plain(each) for each in own_uploads],
        reports=[plain(each) for each in own_reports],
        purchases=[plain(each) for each in purchases],
        movements=[plain(each) for each in movements],
        runs=[plain(each) | {"inputPayload": inputs.get(each.id)} for each in runs],
    )


@routes.route(
    "POST",
    "/account/delete",
    guard=consumer(None),
    body=DeletionIn,
    out=AccountDeleted,
    errors=(*CONSUMER_ERRORS, RunsUnderWay, PurchaseOpen, CreditsLeft, AccountOwes),
    tier="auth",
)
def delete(call: Call[Consumer, DeletionIn, None]) -> AccountDeleted:
    """Deletes the caller's account for good; the books keep its amounts without a name."""
    given_up = executions.erase_consumer(runtime(), call.principal.id, give_up=call.body.give_up)
    return AccountDeleted(deleted=True, given_up=exact_credits(given_up))
