"""Credits as people see them. One credit is one US cent; the ledger counts micro-credits."""

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common import logs
from common.credits import queries
from common.credits.queries import Movement, Violation
from common.credits.schemas import AdjustmentIn, BalanceOut, FreezeIn, GrantIn, MovementOut
from common.credits.tables import MICRO_CREDITS
from common.db import refusals
from common.errors import Conflict, InvalidRequest, NotEnoughLeft
from common.http import Page, Paging

__all__ = [
    "MICRO_CREDITS",
    "Violation",
    "adjust",
    "balance",
    "exact_credits",
    "fold",
    "freeze",
    "freeze_reason",
    "grant",
    "postings",
    "split",
    "statement",
]
log = logs.Log("credits")
# What a posting is in the words of the consumer whose statement it stands on.
_DESCRIPTIONS = {
    "grant": "A present from Tarsify",
    "adjustment": "A correction",
    "debt_settled": "What you owed, settled",
    "capture_developer": "A run, the developer's share",
    "capture_platform": "A run, the platform's fee",
    "run_refund_developer": "A run's price returned, the developer's share",
    "run_refund_platform": "A run's price returned, the platform's fee",
    "purchase": "Credits bought",
    "purchase_refund": "A payment returned to you",
    "refund_failed": "A returned payment came back",
    "refund_made": "A payment returned to you after all",
    "dispute": "A payment taken back by your bank",
    "dispute_won": "A disputed payment, settled",
}


@dataclass(frozen=True)
class Split:
    """How a price is shared, in micro-credits; the parts sum to the price."""

    price: int
    fee: int

    @property
    def developer(self) -> int:
        return self.price - self.fee


def split(price_credits: int, fee_bps: int) -> Split:
    """The platform's fee rounded down, so that a remainder goes to the developer."""
    price = price_credits * MICRO_CREDITS
    return Split(price, price * fee_bps // 10_000)


def whole_credits(micro_credits: int) -> int:
    """Whole credits, rounded down: nobody is shown what they cannot spend."""
    return micro_credits // MICRO_CREDITS


def exact_credits(micro_credits: int) -> float:
    """Credits with up to six decimals, as they are shown on receipts."""
    return micro_credits / MICRO_CREDITS


def display(amount: int) -> str:
    return f"{amount:,} credit" + ("" if amount == 1 else "s")


def balance(session: Session, consumer_id: uuid.UUID) -> BalanceOut:
    """What the consumer can spend, what runs hold at present, and what stands in the way."""
    wallet = queries.wallet(session, consumer_id)
    available = whole_credits(wallet.posted - wallet.pending)
    reasons = queries.freezes(session, consumer_id) if wallet.frozen else []
    return BalanceOut(
        balance=available,
        display_balance=display(available),
        held=whole_credits(wallet.pending),
        owed=-whole_credits(-queries.owed(session, consumer_id)),
        frozen=wallet.frozen,
        frozen_reason=reasons[0] if reasons else None,
    )


def freeze_reason(session: Session, consumer_id: uuid.UUID) -> str | None:
    """Why nothing can be started from the wallet, in words for its owner."""
    return next(iter(queries.freezes(session, consumer_id)), None)


def statement(session: Session, consumer_id: uuid.UUID, paging: Paging) -> Page[MovementOut]:
    """Every movement of the consumer's credits, newest first."""
    rows, total = queries.movements(session, consumer_id, offset=paging.offset, limit=paging.limit)
    return Page([_shown(row) for row in rows], total, paging)


def postings(session: Session, ref: uuid.UUID) -> list[tuple[int, str, int]]:
    """The postings under one reference: (id, kind, micro-credits)."""
    return queries.transfers_of(session, ref)


def _shown(row: Movement) -> MovementOut:
    return MovementOut(
        id=row.id,
        kind=row.kind,
        description=_DESCRIPTIONS[row.kind],
        reference=row.ref,
        account="wallet" if row.account == "wallet" else "debt",
        credits=exact_credits(row.amount),
        at=row.at,
    )


def spent_credits(session: Session, consumer_id: uuid.UUID) -> int:
    """Whole credits that completed runs have cost the consumer."""
    return whole_credits(queries.spent(session, consumer_id))


def grant(connection: Connection, order: GrantIn, *, by: str, now: datetime) -> bool:
    """Gives credits once per reference; raises Conflict if the reference was another grant."""
    with _once("grant"):
        granted = queries.grant(
            connection,
            ref=order.reference,
            consumer_id=order.consumer_id,
            amount=order.credits * MICRO_CREDITS,
            actor=by,
            reason=order.reason,
            now=now,
        )
    log.info("credits granted", by=by, reference=order.reference, now=granted)
    return granted


def adjust(connection: Connection, order: AdjustmentIn, *, by: str, now: datetime) -> bool:
    """Corrects a balance once per reference. Raises Conflict, InvalidRequest or NotEnoughLeft."""
    if order.credits == 0:
        raise InvalidRequest.of([{"field": "credits", "message": "must not be 0"}])
    with _once("adjustment"):
        adjusted = queries.adjust(
            connection,
            ref=order.reference,
            consumer_id=order.consumer_id,
            amount=order.credits * MICRO_CREDITS,
            actor=by,
            reason=order.reason,
            now=now,
        )
    log.info("balance adjusted", by=by, reference=order.reference, now=adjusted)
    return adjusted


def freeze(
    connection: Connection,
    consumer_id: uuid.UUID,
    order: FreezeIn,
    *,
    frozen: bool,
    by: str,
    now: datetime,
) -> bool:
    """Freezes or thaws a wallet once per reference. Raises Conflict."""
    with _once("deed"):
        done = queries.freeze(
            connection,
            ref=order.reference,
            consumer_id=consumer_id,
            frozen=frozen,
            actor=by,
            reason=order.reason,
            now=now,
        )
    log.info("wallet frozen" if frozen else "wallet thawed", by=by, consumerId=consumer_id)
    return done


def _once(what: str) -> AbstractContextManager[None]:
    """Turns the ledger's refusals into words: a used reference, or a wallet with too little."""
    used = f"This reference was used for another {what}. Use a new one."
    return refusals({"23505": lambda _: Conflict(used), "P0402": _too_little})


def _too_little(micro_credits: str) -> NotEnoughLeft:
    free = whole_credits(int(micro_credits))
    return NotEnoughLeft(f"Only {display(free)} are free.", available=free)


def fold(connection: Connection) -> int:
    """Brings deferred balances up to date; answers how many postings were folded."""
    return queries.fold(connection)


def violations(connection: Connection) -> list[Violation]:
    """Broken invariants I1 to I5; must be empty."""
    return queries.violations(connection)
