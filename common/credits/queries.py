"""All SQL of the credits slice that is not in functions.sql. Amounts are micro-credits."""

import uuid
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from common.credits.tables import AccountRow, AccountStateRow, HoldRow, TransferRow

_GRANT = text("SELECT ledger.grant_credits(:ref, :consumer, :amount, :now)")
_FOLD = text("SELECT ledger.fold()")
_BALANCE = text(
    "SELECT coalesce(sum(posted), 0)::bigint FROM ledger.balance "
    "WHERE kind = :kind AND owner_id = :owner"
)
_VIOLATIONS = text("SELECT rule, what, difference FROM ledger.violation ORDER BY rule, what")


class WalletState(NamedTuple):
    """A wallet in micro-credits."""

    posted: int
    pending: int
    frozen: bool


class Violation(NamedTuple):
    """A broken invariant, the row it was seen on, and by how much."""

    rule: str
    what: str
    difference: int


def wallet(session: Session, consumer_id: uuid.UUID) -> WalletState:
    """The consumer's wallet; an empty one when nothing was ever put in."""
    row = session.execute(
        select(AccountStateRow.posted, AccountStateRow.pending, AccountStateRow.frozen)
        .join(AccountRow, AccountRow.id == AccountStateRow.account_id)
        .where(AccountRow.kind == "wallet", AccountRow.owner_id == consumer_id)
    ).first()
    return WalletState(*row) if row else WalletState(0, 0, False)


def spent(session: Session, consumer_id: uuid.UUID) -> int:
    """What captured runs took from the consumer's wallet, ever."""
    total = session.scalar(
        select(func.coalesce(func.sum(HoldRow.captured), 0))
        .join(AccountRow, AccountRow.id == HoldRow.account_id)
        .where(AccountRow.kind == "wallet", AccountRow.owner_id == consumer_id)
    )
    return int(total or 0)


def earned(session: Session, developer_id: uuid.UUID) -> int:
    """What runs ever brought the developer."""
    total = session.scalar(
        select(func.coalesce(func.sum(TransferRow.amount), 0))
        .join(AccountRow, AccountRow.id == TransferRow.credit_id)
        .where(AccountRow.kind == "developer_payable", AccountRow.owner_id == developer_id)
    )
    return int(total or 0)


def payable(session: Session, developer_id: uuid.UUID) -> int:
    """What the platform owes the developer now, with what is not folded yet."""
    row = session.scalar(_BALANCE, {"kind": "developer_payable", "owner": developer_id})
    return int(row or 0)


def grant(
    connection: Connection, *, ref: uuid.UUID, consumer_id: uuid.UUID, amount: int, now: datetime
) -> bool:
    """Puts credits into a wallet once per reference; False when it was done before."""
    parameters = {"ref": ref, "consumer": consumer_id, "amount": amount, "now": now}
    return bool(connection.scalar(_GRANT, parameters))


def fold(connection: Connection) -> int:
    """Folds waiting deltas into balances; answers how many."""
    return int(connection.scalar(_FOLD) or 0)


def violations(connection: Connection) -> list[Violation]:
    """Broken ledger invariants; must be empty."""
    return [Violation(*row) for row in connection.execute(_VIOLATIONS)]
