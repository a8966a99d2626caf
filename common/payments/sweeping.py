"""Each minute: payments whose webhook is late, refunds and payouts that nobody could speak for."""

import uuid
from collections.abc import Callable
from functools import partial

from common import logs
from common.payments import queries
from common.payments.buying import look
from common.payments.paying_out import send_payout
from common.payments.refunding import send_refund
from common.payments.schemas import PaymentsSwept
from common.payments.tools import Tools

log = logs.Log("cleanup")
BATCH = 50


def sweep_payments(tools: Tools) -> PaymentsSwept:
    """One round; each row is leased, so that two rounds at once do nothing twice."""
    now = tools.clock.now()
    with tools.db.step() as connection:
        purchases = queries.due_purchases(connection, now, BATCH)
        refunds = queries.due_refunds(connection, now, BATCH)
        payouts = queries.due_payouts(connection, now, BATCH)
    for purchase_id, session_id in purchases:
        _one(partial(_look, tools, purchase_id, session_id), purchase_id)
    for refund_id in refunds:
        _one(partial(send_refund, tools, refund_id), refund_id)
    for payout_id in payouts:
        _one(partial(send_payout, tools, payout_id), payout_id)
    return PaymentsSwept(purchases=len(purchases), refunds=len(refunds), payouts=len(payouts))


def _look(tools: Tools, purchase_id: uuid.UUID, session_id: str | None) -> None:
    if session_id is not None:
        look(tools, purchase_id, session_id)
        return
    with tools.db.step() as connection:  # no page to pay on ever came to be
        queries.look_later(connection, purchase_id, tools.clock.now())


def _one(follow: Callable[[], object], which: uuid.UUID) -> None:
    """One row that cannot be followed must not keep the others waiting."""
    try:
        follow()
    except Exception as error:
        log.error("payment not followed", exception=error, which=which)
