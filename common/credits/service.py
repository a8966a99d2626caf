"""Credits as people see them. One credit is one US cent; the ledger counts micro-credits."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from common import logs
from common.credits import queries
from common.credits.queries import Violation
from common.credits.schemas import BalanceOut, GrantIn
from common.credits.tables import MICRO_CREDITS
from common.db import sqlstate
from common.errors import Conflict

__all__ = ["MICRO_CREDITS", "Violation", "balance", "earnings", "fold", "grant", "split"]
log = logs.Log("credits")


@dataclass(frozen=True)
class Split:
    """How a price is shared, in micro-credits; the parts sum to the price."""

    price: int
    fee: int

    @property
    def developer(self) -> int:
        return self.price - self.fee


@dataclass(frozen=True)
class Earnings:
    """A developer's earnings in cents: ever, and what is not paid out yet."""

    total_cents: int
    pending_cents: int


def split(price_credits: int, fee_bps: int) -> Split:
    """The platform's fee rounded down, so that a remainder goes to the developer."""
    price = price_credits * MICRO_CREDITS
    return Split(price, price * fee_bps // 10_000)


def whole_credits(micro_credits: int) -> int:
    """Whole credits, rounded down: nobody is shown what they cannot spend."""
    return micro_credits // MICRO_CREDITS


def display(amount: int) -> str:
    return f"{amount:,} credit" + ("" if amount == 1 else "s")


def balance(session: Session, consumer_id: uuid.UUID) -> BalanceOut:
    """What the consumer can spend and what runs hold at present."""
    wallet = queries.wallet(session, consumer_id)
    available = whole_credits(wallet.posted - wallet.pending)
    return BalanceOut(
        balance=available,
        display_balance=display(available),
        held=whole_credits(wallet.pending),
    )


def spent_credits(session: Session, consumer_id: uuid.UUID) -> int:
    """Whole credits that completed runs have cost the consumer."""
    return whole_credits(queries.spent(session, consumer_id))


def earnings(session: Session, developer_id: uuid.UUID) -> Earnings:
    """One credit is one cent, so micro-credits are micro-cents; shown rounded down."""
    return Earnings(
        total_cents=whole_credits(queries.earned(session, developer_id)),
        pending_cents=whole_credits(max(0, queries.payable(session, developer_id))),
    )


def grant(connection: Connection, order: GrantIn, *, by: str, now: datetime) -> bool:
    """Gives credits once per reference; raises Conflict if the reference was another grant."""
    try:
        granted = queries.grant(
            connection,
            ref=order.reference,
            consumer_id=order.consumer_id,
            amount=order.credits * MICRO_CREDITS,
            now=now,
        )
    except DBAPIError as error:
        if sqlstate(error) == "23505":
            raise Conflict("This reference was used for another grant. Use a new one.") from None
        raise
    log.info(
        "credits granted",
        by=by,
        consumerId=order.consumer_id,
        credits=order.credits,
        reason=order.reason,
        reference=order.reference,
        now=granted,
    )
    return granted


def fold(connection: Connection) -> int:
    """Brings deferred balances up to date; answers how many postings were folded."""
    return queries.fold(connection)


def violations(connection: Connection) -> list[Violation]:
    """Broken invariants I1 to I5; must be empty."""
    return queries.violations(connection)
