"""All SQL of the credits slice that is not in functions.sql. Amounts are micro-credits."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, text, union_all
from sqlalchemy.orm import Session

from common.credits.tables import AccountRow, AccountStateRow, FreezeRow, HoldRow, TransferRow

_GRANT = text("SELECT ledger.grant_credits(:ref, :consumer, :amount, :actor, :reason, :now)")
_ADJUST = text("SELECT ledger.adjust(:ref, :consumer, :amount, :actor, :reason, :now)")
_FREEZE = text("SELECT ledger.staff_freeze(:ref, :consumer, :frozen, :actor, :reason, :now)")
_FOLD = text("SELECT ledger.fold()")
_OWED = text(
    "SELECT coalesce(sum(-posted), 0)::bigint FROM ledger.balance "
    "WHERE kind = 'receivable' AND owner_id = :owner"
)
_POSTED = (TransferRow.id, TransferRow.kind, TransferRow.ref, TransferRow.at)
_VIOLATIONS = text("SELECT rule, what, difference FROM ledger.violation ORDER BY rule, what")


class WalletState(NamedTuple):
    """A wallet in micro-credits."""

    posted: int
    pending: int
    frozen: bool


class Movement(NamedTuple):
    """A posting as its consumer sees it: on which of their accounts, and by how much."""

    id: int
    kind: str
    ref: uuid.UUID
    account: str
    amount: int
    at: datetime


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


def grant(
    connection: Connection,
    *,
    ref: uuid.UUID,
    consumer_id: uuid.UUID,
    amount: int,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Puts credits into a wallet once per reference; False when it was done before."""
    return bool(
        connection.scalar(_GRANT, _deed(ref, consumer_id, actor, reason, now, amount=amount))
    )


def adjust(
    connection: Connection,
    *,
    ref: uuid.UUID,
    consumer_id: uuid.UUID,
    amount: int,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Changes a wallet by a positive or negative amount once per reference."""
    parameters = _deed(ref, consumer_id, actor, reason, now, amount=amount)
    return bool(connection.scalar(_ADJUST, parameters))


def freeze(
    connection: Connection,
    *,
    ref: uuid.UUID,
    consumer_id: uuid.UUID,
    frozen: bool,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Freezes or thaws a wallet once per reference."""
    parameters = _deed(ref, consumer_id, actor, reason, now, frozen=frozen)
    return bool(connection.scalar(_FREEZE, parameters))


def _deed(
    ref: uuid.UUID,
    consumer_id: uuid.UUID,
    actor: str,
    reason: str,
    now: datetime,
    **more: Any,
) -> dict[str, Any]:
    given = {"ref": ref, "consumer": consumer_id, "actor": actor, "reason": reason, "now": now}
    return {**given, **more}


def owed(session: Session, consumer_id: uuid.UUID) -> int:
    """What the consumer owes after a payment was taken back, in micro-credits; 0 as a rule."""
    return int(session.scalar(_OWED, {"owner": consumer_id}) or 0)


def freezes(session: Session, consumer_id: uuid.UUID) -> list[str]:
    """Why the wallet is frozen, the oldest reason first; empty when it is not."""
    query = select(FreezeRow.reason).where(
        FreezeRow.consumer_id == consumer_id, FreezeRow.lifted_at.is_(None)
    )
    return list(session.scalars(query.order_by(FreezeRow.id)))


def movements(
    session: Session, consumer_id: uuid.UUID, *, offset: int, limit: int
) -> tuple[list[Movement], int]:
    """Every posting on the consumer's wallet or debt, newest first, signed; and how many."""
    mine = select(AccountRow.id).where(
        AccountRow.owner_id == consumer_id, AccountRow.kind.in_(("wallet", "receivable"))
    )
    sides = union_all(
        select(*_POSTED, TransferRow.credit_id.label("account"), TransferRow.amount).where(
            TransferRow.credit_id.in_(mine)
        ),
        select(*_POSTED, TransferRow.debit_id.label("account"), -TransferRow.amount).where(
            TransferRow.debit_id.in_(mine)
        ),
    ).subquery()
    total = session.scalar(select(func.count()).select_from(sides)) or 0
    query = (
        select(sides.c.id, sides.c.kind, sides.c.ref, AccountRow.kind, sides.c.amount, sides.c.at)
        .join(AccountRow, AccountRow.id == sides.c.account)
        .order_by(sides.c.id.desc())
    )
    rows = session.execute(query.offset(offset).limit(limit))
    return [Movement(*row) for row in rows], total


def transfers_of(session: Session, ref: uuid.UUID) -> list[tuple[int, str, int]]:
    """The postings under one reference: (id, kind, micro-credits), oldest first."""
    query = select(TransferRow.id, TransferRow.kind, TransferRow.amount).where(
        TransferRow.ref == ref, TransferRow.unit == "UCR"
    )
    return [
        (one, kind, amount) for one, kind, amount in session.execute(query.order_by(TransferRow.id))
    ]


def fold(connection: Connection) -> int:
    """Folds waiting deltas into balances; answers how many."""
    return int(connection.scalar(_FOLD) or 0)


def violations(connection: Connection) -> list[Violation]:
    """Broken ledger invariants; must be empty."""
    return [Violation(*row) for row in connection.execute(_VIOLATIONS)]
