"""Money put right by staff: refunds, freezes, corrections, terms. Each is done once per reference
and stands in the record of what staff did."""

import uuid

from common.accounts import service as accounts
from common.accounts.schemas import ActionsQuery, StaffActionOut
from common.analytics import service as analytics
from common.analytics.schemas import MarginOut, MarginsQuery
from common.credits import service as ledger
from common.credits.schemas import AdjustmentIn, DeedOut, FreezeIn
from common.errors import (
    Conflict,
    ConsumerNotFound,
    DifferenceNotFound,
    ExecutionNotFound,
    NotAnAdmin,
    NotEnoughLeft,
    NotRefundable,
    PurchaseNotFound,
)
from common.executions import service as executions
from common.executions.schemas import RunRefunded, RunRefundIn
from common.gateways.identity import Identity
from common.http import Call, Link, Page, Paging
from common.http.app import Routes
from common.payments import service as payments
from common.payments.schemas import (
    DifferenceClosed,
    DifferenceCloseIn,
    DifferenceOut,
    EarningTermsIn,
    EarningTermsOut,
    PackagesIn,
    PackagesOut,
    RefundDone,
    RefundIn,
)
from common.runtime import runtime
from functions.admin.audit import note
from functions.admin.guards import staff

routes = Routes()
ABOUT_A_WALLET = ("POST /wallets/<consumer_id>/freeze", "POST /wallets/<consumer_id>/unfreeze")
TERMS = uuid.UUID(int=0)  # the subject of changes that concern the whole installation


@routes.route(
    "POST",
    "/credits/adjustments",
    guard=staff,
    body=AdjustmentIn,
    out=DeedOut,
    status=201,
    errors=(NotAnAdmin, ConsumerNotFound, Conflict, NotEnoughLeft),
    links=(Link("consumerId", ABOUT_A_WALLET),),
)
def adjust(call: Call[Identity, AdjustmentIn, None]) -> DeedOut:
    """Corrects a balance by hand, up or down, never below what is free."""
    parts, order = runtime(), call.body
    _known(order.consumer_id)
    with parts.db.step() as connection:
        done = ledger.adjust(connection, order, by=call.principal.uid, now=parts.clock.now())
    return _deed(order.reference, order.consumer_id, done)


@routes.route(
    "POST",
    "/wallets/<consumer_id>/freeze",
    guard=staff,
    body=FreezeIn,
    out=DeedOut,
    errors=(NotAnAdmin, ConsumerNotFound, Conflict),
)
def freeze(call: Call[Identity, FreezeIn, None]) -> DeedOut:
    """Freezes a wallet: nothing new starts, what runs is left to finish."""
    return _frozen(call, frozen=True)


@routes.route(
    "POST",
    "/wallets/<consumer_id>/unfreeze",
    guard=staff,
    body=FreezeIn,
    out=DeedOut,
    errors=(NotAnAdmin, ConsumerNotFound, Conflict),
)
def unfreeze(call: Call[Identity, FreezeIn, None]) -> DeedOut:
    """Lifts every cause for which a wallet is frozen."""
    return _frozen(call, frozen=False)


@routes.route(
    "POST",
    "/runs/<id>/refund",
    guard=staff,
    body=RunRefundIn,
    out=RunRefunded,
    errors=(NotAnAdmin, ExecutionNotFound, NotRefundable, Conflict),
)
def refund_run(call: Call[Identity, RunRefundIn, None]) -> RunRefunded:
    """Gives the price of a completed run back; the developer's share goes back with it."""
    return executions.refund_run(runtime(), call.uuid("id"), call.body, by=call.principal.uid)


@routes.route(
    "POST",
    "/purchases/<id>/refund",
    guard=staff,
    body=RefundIn,
    out=RefundDone,
    errors=(NotAnAdmin, PurchaseNotFound, NotRefundable, NotEnoughLeft, Conflict),
)
def refund_purchase(call: Call[Identity, RefundIn, None]) -> RefundDone:
    """Sends money of a purchase back to the card and takes its credits."""
    return payments.refund_purchase(runtime(), call.uuid("id"), call.body, by=call.principal.uid)


@routes.route(
    "GET",
    "/actions",
    guard=staff,
    query=ActionsQuery,
    out=Page[StaffActionOut],
    errors=(NotAnAdmin,),
)
def actions(call: Call[Identity, None, ActionsQuery]) -> Page[StaffActionOut]:
    """Lists what staff did, newest first."""
    with runtime().db.transaction() as session:
        return accounts.staff_actions(session, call.query)


@routes.route(
    "GET",
    "/margins",
    guard=staff,
    query=MarginsQuery,
    out=Page[MarginOut],
    errors=(NotAnAdmin,),
)
def margins(call: Call[Identity, None, MarginsQuery]) -> Page[MarginOut]:
    """Lists what each model earns us beside what its GPU time costs, the worst first."""
    with runtime().db.transaction() as session:
        return analytics.margins(session, call.query)


@routes.route(
    "GET",
    "/differences",
    guard=staff,
    query=Paging,
    out=Page[DifferenceOut],
    errors=(NotAnAdmin,),
    links=(Link("0/id", ("POST /differences/<id>/close",)),),
)
def differences(call: Call[Identity, None, Paging]) -> Page[DifferenceOut]:
    """Lists where our books and those of Stripe or RunPod differ at present."""
    with runtime().db.transaction() as session:
        return payments.differences(session, call.query)


@routes.route(
    "POST",
    "/differences/<id>/close",
    guard=staff,
    body=DifferenceCloseIn,
    out=DifferenceClosed,
    errors=(NotAnAdmin, DifferenceNotFound, Conflict),
)
def close_difference(call: Call[Identity, DifferenceCloseIn, None]) -> DifferenceClosed:
    """Closes a difference that was put right, where no comparison sees that by itself."""
    return payments.close_difference(runtime(), call.uuid("id"), call.body, by=call.principal.uid)


@routes.route(
    "PUT", "/credits/packages", guard=staff, body=PackagesIn, out=PackagesOut, errors=(NotAnAdmin,)
)
def packages(call: Call[Identity, PackagesIn, None]) -> PackagesOut:
    """Replaces what the shop window offers and the least and most that can be bought."""
    with runtime().db.transaction() as session:
        earlier = payments.packages(session)
        changed = payments.set_packages(session, call.body)
        note(session, call, "set credit packages", TERMS, before=earlier, after=changed)
    return changed


@routes.route(
    "PUT",
    "/earnings/terms",
    guard=staff,
    body=EarningTermsIn,
    out=EarningTermsOut,
    errors=(NotAnAdmin,),
)
def terms(call: Call[Identity, EarningTermsIn, None]) -> EarningTermsOut:
    """Changes the clearing time and the least payout, for what is earned from now on."""
    with runtime().db.transaction() as session:
        earlier = payments.earning_terms(session)
        changed = payments.set_terms(session, call.body)
        note(session, call, "set earning terms", TERMS, before=earlier, after=changed)
    return changed


def _frozen(call: Call[Identity, FreezeIn, None], *, frozen: bool) -> DeedOut:
    parts, consumer_id = runtime(), call.uuid("consumer_id")
    _known(consumer_id)
    with parts.db.step() as connection:
        done = ledger.freeze(
            connection,
            consumer_id,
            call.body,
            frozen=frozen,
            by=call.principal.uid,
            now=parts.clock.now(),
        )
    return _deed(call.body.reference, consumer_id, done)


def _known(consumer_id: uuid.UUID) -> None:
    with runtime().db.transaction() as session:
        accounts.require_consumer(session, consumer_id)


def _deed(reference: uuid.UUID, consumer_id: uuid.UUID, done: bool) -> DeedOut:
    with runtime().db.transaction() as session:
        wallet = ledger.balance(session, consumer_id)
    return DeedOut(reference=reference, consumer_id=consumer_id, done_now=done, wallet=wallet)
