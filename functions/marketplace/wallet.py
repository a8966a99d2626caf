"""A consumer's credits (contract 1.8): buying them, what they were spent on, what runs cost."""

from common.accounts.service import Consumer
from common.credits import service as ledger
from common.credits.schemas import BalanceOut, MovementOut
from common.errors import (
    AccountSuspended,
    ConsumerNotFound,
    InvalidInputs,
    InvalidStatus,
    ModelNotFound,
    ModelUnavailable,
    PaymentsUnavailable,
    PurchaseLimitReached,
    PurchaseNotFound,
)
from common.executions import service as executions
from common.executions.schemas import ChargeOut, Quote, QuoteIn
from common.http import Call, Link, Page, Paging
from common.http.app import Routes
from common.payments import service as payments
from common.payments.schemas import (
    PackagesOut,
    PurchaseIn,
    PurchaseItem,
    PurchaseOpened,
    PurchaseOut,
)
from common.runtime import runtime
from functions.marketplace.guards import consumer

routes = Routes()
CONSUMER_ERRORS = (ConsumerNotFound, AccountSuspended)


@routes.route(
    "GET", "/credits", guard=consumer("credits:read"), out=BalanceOut, errors=CONSUMER_ERRORS
)
def balance(call: Call[Consumer, None, None]) -> BalanceOut:
    """What the caller can spend, what runs hold, and what stands in the way."""
    with runtime().db.transaction() as session:
        return ledger.balance(session, call.principal.id)


@routes.route("GET", "/credits/packages", guard=None, out=PackagesOut)
def packages(_call: Call[None, None, None]) -> PackagesOut:
    """What can be bought."""
    with runtime().db.transaction() as session:
        return payments.packages(session)


@routes.route("GET", "/credits/charges", guard=None, out=list[ChargeOut])
def charges(_call: Call[None, None, None]) -> list[ChargeOut]:
    """What each end of a run costs: only a success is charged."""
    return executions.charges()


@routes.route(
    "POST",
    "/credits/purchase",
    guard=consumer(None),
    body=PurchaseIn,
    out=PurchaseOpened,
    status=201,
    errors=(*CONSUMER_ERRORS, PaymentsUnavailable, PurchaseLimitReached),
    repeatable=True,
    links=(Link("id", ("GET /credits/purchases/<id>",)),),
)
def purchase(call: Call[Consumer, PurchaseIn, None]) -> PurchaseOpened:
    """Opens a purchase and answers where to pay it; the credits come once it is paid."""
    return payments.buy(
        runtime(),
        call.principal.id,
        call.body,
        email=call.principal.email,
        key=call.idempotency_key,
    )


@routes.route(
    "GET",
    "/credits/purchases/<id>",
    guard=consumer("credits:read"),
    out=PurchaseOut,
    errors=(*CONSUMER_ERRORS, PurchaseNotFound),
)
def one_purchase(call: Call[Consumer, None, None]) -> PurchaseOut:
    """Shows a purchase and its receipt; one that is still open is asked about at once."""
    return payments.purchase(runtime(), call.uuid("id"), call.principal.id)


@routes.route(
    "GET",
    "/credits/history",
    guard=consumer("credits:read"),
    query=Paging,
    out=Page[PurchaseItem],
    errors=CONSUMER_ERRORS,
    links=(Link("0/id", ("GET /credits/purchases/<id>",)),),
)
def history(call: Call[Consumer, None, Paging]) -> Page[PurchaseItem]:
    """Lists what the caller paid for, newest first."""
    with runtime().db.transaction() as session:
        return payments.history(session, call.principal.id, call.query)


@routes.route(
    "GET",
    "/credits/statement",
    guard=consumer("credits:read"),
    query=Paging,
    out=Page[MovementOut],
    errors=CONSUMER_ERRORS,
)
def statement(call: Call[Consumer, None, Paging]) -> Page[MovementOut]:
    """Lists every movement of the caller's credits, newest first."""
    with runtime().db.transaction() as session:
        return ledger.statement(session, call.principal.id, call.query)


@routes.route(
    "POST",
    "/models/<slug>/quote",
    guard=consumer("runs:read"),
    body=QuoteIn,
    out=Quote,
    errors=(*CONSUMER_ERRORS, ModelNotFound, ModelUnavailable, InvalidStatus, InvalidInputs),
)
def quote(call: Call[Consumer, QuoteIn, None]) -> Quote:
    """Says what a run would cost and whether the caller can pay it; nothing is held."""
    with runtime().db.transaction() as session:
        return executions.quote(
            session,
            call.path["slug"],
            consumer_id=call.principal.id,
            inputs=call.body.inputs,
        )
