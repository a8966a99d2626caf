"""What Stripe says of a payment moves the books of the purchase that it belongs to."""

import uuid

from common.gateways.stripe_reports import Payment
from common.payments import queries
from common.payments.tools import Tools


def follow(tools: Tools, payment_intent_id: str) -> str:
    """Asks Stripe about a payment and books what it says; answers what changed.

    Raises StripeRefused or StripeUnavailable.
    """
    seen = tools.stripe.payment(payment_intent_id)
    if seen.purchase_id is None:
        return "not ours"
    return observe(tools, seen.purchase_id, seen)


def observe(
    tools: Tools,
    purchase_id: uuid.UUID,
    seen: Payment,
    *,
    event: dict[str, str | None] | None = None,
) -> str:
    """Books a purchase as Stripe has it; answers what changed. The event counts once."""
    with tools.db.step() as connection:
        return queries.observe(
            connection, purchase_id, seen=seen.facts, event=event, now=tools.clock.now()
        )
