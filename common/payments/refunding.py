"""Money back to a card: the credits are taken first, Stripe is asked, a refusal gives them back."""

import uuid
from collections.abc import Callable, Mapping

from common import logs
from common.credits import service as ledger
from common.db import refusals
from common.errors import Conflict, NotEnoughLeft, NotRefundable, PurchaseNotFound
from common.gateways.stripe_reports import StripeRefused, StripeUnavailable
from common.payments import queries
from common.payments.buying import dollars, refund_shown
from common.payments.observing import observe
from common.payments.schemas import RefundDone, RefundIn
from common.payments.tools import Tools

log = logs.Log("payments")


def refund_purchase(
    tools: Tools, purchase_id: uuid.UUID, order: RefundIn, *, by: str
) -> RefundDone:
    """Gives money of a purchase back, once per reference.

    Raises PurchaseNotFound, NotRefundable, NotEnoughLeft or Conflict (the reference was used).
    """
    done_now = _requested(tools, purchase_id, order, by)
    send_refund(tools, order.reference)
    with tools.db.transaction() as session:
        row = queries.purchase(session, purchase_id)
        if row is None:
            raise PurchaseNotFound
        found = next(r for r in queries.refunds(session, [purchase_id]) if r.id == order.reference)
        return RefundDone(
            done_now=done_now,
            refund=refund_shown(found),
            wallet=ledger.balance(session, row.consumer_id),
        )


def send_refund(tools: Tools, refund_id: uuid.UUID) -> None:
    """Asks Stripe for a refund that is due; what nobody can say is asked again under its key.

    After a day Stripe forgets the key; the look at the purchase has found the refund by then.
    """
    now = tools.clock.now()
    with tools.db.step() as connection:
        due = queries.try_refund(connection, refund_id, now)
    if due is None:
        return
    try:
        _made(tools, refund_id, due)
        seen = tools.stripe.payment(due.payment_intent_id)
    except _NotMade as error:
        log.warning("refund refused", refundId=refund_id, code=str(error))
        with tools.db.step() as connection:
            queries.refuse_refund(connection, refund_id, tools.clock.now())
        return
    except (StripeRefused, StripeUnavailable) as error:
        log.warning("refund not sent", exception=error, refundId=refund_id)
        return
    observe(tools, due.purchase_id, seen)


class _NotMade(Exception):
    """Stripe certainly made no refund: it said so to the POST itself, with this code."""


def _made(tools: Tools, refund_id: uuid.UUID, due: queries.RefundTry) -> None:
    """Makes the refund unless Stripe has it. Raises _NotMade, or what a look-up raises."""
    seen = tools.stripe.payment(due.payment_intent_id)
    if str(refund_id) in {each["ownId"] for each in seen.facts["refunds"]}:
        return
    try:
        tools.stripe.refund(
            refund_id=str(refund_id),
            payment_intent_id=due.payment_intent_id,
            cents=due.amount_cents,
        )
    except StripeRefused as error:
        raise _NotMade(error.code) from error


def _requested(tools: Tools, purchase_id: uuid.UUID, order: RefundIn, by: str) -> bool:
    with refusals(REFUSALS), tools.db.step() as connection:
        return queries.request_refund(
            connection,
            refund_id=order.reference,
            purchase_id=purchase_id,
            cents=order.amount_cents,
            forced=order.force,
            actor=by,
            reason=order.reason,
            now=tools.clock.now(),
        )


def _less_left(cents: str) -> NotEnoughLeft:
    left = int(cents)
    return NotEnoughLeft(f"Only {dollars(max(left, 0))} of this purchase are left.", leftCents=left)


def _spent(micro_credits: str) -> NotEnoughLeft:
    free = ledger.whole_credits(int(micro_credits))
    message = f"Only {free} credits are not spent yet. Refund less, or use force."
    return NotEnoughLeft(message, availableCredits=free)


REFUSALS: Mapping[str, Callable[[str], Exception]] = {
    "P0404": lambda _: PurchaseNotFound(),
    "P0410": lambda _: NotRefundable(),
    "P0411": _less_left,
    "P0402": _spent,
    "23505": lambda _: Conflict("This reference was used for another deed."),
}
