"""What a run costs: before it starts, while it goes on, and afterwards in full.

CHARGES is the published promise; a test holds every end of a run against it.
"""

import uuid
from typing import Any

from sqlalchemy.orm import Session

from common.catalog.service import runnable
from common.credits import service as ledger
from common.credits.service import exact_credits, whole_credits
from common.errors import ExecutionNotFound
from common.executions import queries
from common.executions.queries import AnyRow
from common.executions.schemas import Billing, ChargeOut, Posting, Quote, Receipt

CHARGES = {
    "COMPLETED": ("full", "The run succeeded and its result is stored."),
    "FAILED": ("none", "The run failed, or its result was empty, broken or an error."),
    "TIMED_OUT": ("none", "The run took longer than it may."),
    "CANCELLED": ("none", "You stopped the run before it had finished."),
}
REFUNDED = "The price of this run was given back to you."
_REASONS = {status: reason for status, (_, reason) in CHARGES.items()}


def charges() -> list[ChargeOut]:
    """What each end of a run costs."""
    return [
        ChargeOut(status=status, charge=charge, reason=reason)
        for status, (charge, reason) in CHARGES.items()
    ]


def quote(
    session: Session, slug: str, *, consumer_id: uuid.UUID, inputs: dict[str, Any] | None
) -> Quote:
    """What a run would cost now; the inputs are checked if they are given. Nothing is held.

    Raises ModelNotFound, ModelUnavailable, InvalidStatus or InvalidInputs.
    """
    model = runnable(session, slug)
    if inputs is not None:
        model.form.payload(inputs)
    wallet = ledger.balance(session, consumer_id)
    return Quote(
        slug=model.slug,
        price_credits=model.price_credits,
        balance=wallet.balance,
        balance_after=wallet.balance - model.price_credits,
        sufficient=wallet.balance >= model.price_credits and not wallet.frozen,
        frozen_reason=wallet.frozen_reason,
        estimated_seconds=model.estimated_seconds,
        longest_seconds=model.queue_seconds + model.execution_timeout_seconds,
        charges=charges(),
    )


def billing(row: AnyRow) -> Billing:
    """The hold's state follows from the status: both change in one transaction."""
    price = whole_credits(row.price)
    if row.reversed_at is not None:
        return _billing("REFUNDED", captured=price, refunded=price, reason=REFUNDED)
    if row.status == "COMPLETED":
        return _billing("CAPTURED", captured=price, reason=_REASONS[row.status])
    if row.finished_at is not None:
        return _billing("RELEASED", reason=_REASONS[row.status])
    return _billing("HELD", held=price, reason="The price is held until the run has ended.")


def receipt(session: Session, execution_id: uuid.UUID, consumer_id: uuid.UUID) -> Receipt:
    """Everything about a run's money, down to the postings; raises ExecutionNotFound."""
    row = queries.of_consumer(session.connection(), execution_id, consumer_id)
    if row is None:
        raise ExecutionNotFound
    kept = row.status == "COMPLETED" and row.reversed_at is None
    fee = exact_credits(row.fee) if kept else 0.0
    return Receipt(
        execution_id=row.id,
        model_slug=row.slug,
        status=row.status,
        billing=billing(row),
        price_credits=whole_credits(row.price),
        developer_share_credits=exact_credits(row.price - row.fee) if kept else 0.0,
        platform_fee_credits=fee,
        queue_ms=row.delay_ms,
        run_ms=row.execution_ms,
        started_at=row.created_at,
        ended_at=row.finished_at,
        postings=[
            Posting(id=one, kind=kind, credits=exact_credits(amount))
            for one, kind, amount in ledger.postings(session, row.id)
        ],
    )


def _billing(
    state: Any, *, reason: str, held: int = 0, captured: int = 0, refunded: int = 0
) -> Billing:
    return Billing(
        state=state,
        held_credits=held,
        captured_credits=captured,
        refunded_credits=refunded,
        reason=reason,
    )
