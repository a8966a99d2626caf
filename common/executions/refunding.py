"""Staff give the price of a completed run back; both parts of the split go back with it."""

import uuid
from collections.abc import Callable, Mapping

from common import logs
from common.credits.service import whole_credits
from common.db import refusals
from common.errors import Conflict, ExecutionNotFound, NotRefundable
from common.executions import queries
from common.executions.schemas import RunRefunded, RunRefundIn
from common.executions.tools import Tools

log = logs.Log("executions")
REFUSALS: Mapping[str, Callable[[str], Exception]] = {
    "P0404": lambda _: ExecutionNotFound(),
    "P0410": lambda _: NotRefundable("Only a completed run was charged."),
    "23505": lambda _: Conflict("This reference was used for another deed."),
}


def refund_run(
    tools: Tools, execution_id: uuid.UUID, order: RunRefundIn, *, by: str
) -> RunRefunded:
    """Once per run. Raises ExecutionNotFound, NotRefundable or Conflict (reference used)."""
    with refusals(REFUSALS), tools.db.step() as connection:
        done_now = queries.refund(
            connection,
            execution_id,
            reference=order.reference,
            actor=by,
            reason=order.reason,
            now=tools.clock.now(),
        )
        price = queries.price_of(connection, execution_id)
    log.info("run refunded", by=by, executionId=execution_id, now=done_now)
    return RunRefunded(
        execution_id=execution_id, refunded_credits=whole_credits(price), done_now=done_now
    )
