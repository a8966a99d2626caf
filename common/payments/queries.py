"""All SQL of payments that is not in functions.sql. The first half are the steps, in autocommit."""

import json
import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from common.catalog.tables import TarsModelRow
from common.payments.tables import (
    DifferenceRow,
    DisputeRow,
    EarningRow,
    EarningTermsRow,
    PackageRow,
    PayoutAccountRow,
    PayoutRow,
    PurchaseRow,
    PurchaseTermsRow,
    RefundRow,
    StripePaymentRow,
)

AnyRow = Row[*tuple[Any, ...]]
Json = dict[str, Any]

_OPEN = text("SELECT * FROM purchase_open(:id, :consumer, :cents, :key, :now)")
_SESSION = text("SELECT purchase_session(:id, :session, :url, :now)")
_LATER = text("SELECT purchase_look_later(:id, :now)")
_OBSERVE = text("SELECT purchase_observe(:id, :seen, :event, :now)")
_IGNORE = text("SELECT stripe_event_note(:event, :subject, :effect, :now)")
_REFUND = text("SELECT refund_request(:id, :purchase, :cents, :forced, :actor, :reason, :now)")
_REFUND_TRY = text("SELECT * FROM refund_try(:id, :now)")
_REFUND_REFUSED = text("SELECT refund_refused(:id, :now)")
_ACCOUNT = text(
    "SELECT payout_account_observe(:developer, :account, :details, :enabled, :closed, :event, :now)"
)
_PAYOUT = text("SELECT * FROM payout_request(:id, :developer, :cents, :key, :now)")
_PAYOUT_BEGIN = text("SELECT * FROM payout_begin(:id, :now)")
_PAYOUT_SENT = text("SELECT payout_sent(:id, :transfer, :now)")
_PAYOUT_FAILED = text("SELECT payout_failed(:id, :code, :message, :now)")
_PAYOUT_RETURNED = text("SELECT payout_returned(:transfer, :cents, :event, :now)")
_KEEP_TRANSACTIONS = text("SELECT stripe_transactions_keep(:rows, :now)")
_KEEP_PAYMENTS = text("SELECT stripe_payments_keep(:rows)")
_DIFFERENCE = text("SELECT difference_found(:kind, :what, :ours, :theirs, :now, :day)")
_CLOSE = text("SELECT difference_close(:id, :subject, :ref, :actor, :reason, :now)")
_CLEAR = text("SELECT differences_clear(:kind, :since, :now, :day)")
_VIOLATIONS = text("SELECT rule, what, difference FROM payment_violation ORDER BY rule, what")
_EARNING_TERMS = text("SELECT earning_terms_set(:seconds, :cents)")
_UNCLEARED = text("SELECT earnings_uncleared(:developer, :now)")
_BALANCE = text(
    "SELECT coalesce(sum(posted - pending), 0)::bigint FROM ledger.balance "
    "WHERE kind = 'developer_payable' AND owner_id = :developer"
)
_DIFFERING = text(
    "SELECT source, currency, ours, theirs FROM stripe_compared"
    " WHERE ours <> theirs AND (moved_at IS NOT NULL OR booked_at < :before)"
    " ORDER BY source, currency"
)
_RECONCILED = text("SELECT reconciliation_done(:began, :payments, :transactions)")
_UNRECONCILED = text("SELECT unreconciled_since()")
_MISSED = text("SELECT rule, what, difference FROM reconciliation_missed(:now)")


class RefundTry(NamedTuple):
    """What is sent back, of which payment."""

    purchase_id: uuid.UUID
    payment_intent_id: str
    amount_cents: int


def open_purchase(
    connection: Connection,
    *,
    purchase_id: uuid.UUID,
    consumer_id: uuid.UUID,
    cents: int,
    key: str | None,
    now: datetime,
) -> AnyRow:
    """The order, or the earlier one of the same key. Raises DBAPIError with P0422."""
    parameters = {
        "id": purchase_id,
        "consumer": consumer_id,
        "cents": cents,
        "key": key,
        "now": now,
    }
    return connection.execute(_OPEN, parameters).one()


def keep_session(
    connection: Connection, purchase_id: uuid.UUID, *, session: str, url: str, now: datetime
) -> None:
    parameters = {"id": purchase_id, "session": session, "url": url, "now": now}
    connection.execute(_SESSION, parameters)


def look_later(connection: Connection, purchase_id: uuid.UUID, now: datetime) -> None:
    connection.execute(_LATER, {"id": purchase_id, "now": now})


def observe(
    connection: Connection,
    purchase_id: uuid.UUID,
    *,
    seen: Json,
    event: Json | None,
    now: datetime,
) -> str:
    """Moves a purchase's books to what Stripe says; answers what changed."""
    parameters = {
        "id": purchase_id,
        "seen": json.dumps(seen),
        "event": _event(event),
        "now": now,
    }
    return str(connection.scalar(_OBSERVE, parameters))


def ignore(connection: Connection, event: Json, *, subject: str, why: str, now: datetime) -> None:
    """An event without an effect."""
    parameters = {"event": _event(event), "subject": subject, "effect": why, "now": now}
    connection.execute(_IGNORE, parameters)


def request_refund(
    connection: Connection,
    *,
    refund_id: uuid.UUID,
    purchase_id: uuid.UUID,
    cents: int | None,
    forced: bool,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Takes the credits and writes the refund down, once per id."""
    parameters = {
        "id": refund_id,
        "purchase": purchase_id,
        "cents": cents,
        "forced": forced,
        "actor": actor,
        "reason": reason,
        "now": now,
    }
    return bool(connection.scalar(_REFUND, parameters))


def try_refund(connection: Connection, refund_id: uuid.UUID, now: datetime) -> RefundTry | None:
    """Leases the refund; None when it is not due or another process is at it."""
    row = connection.execute(_REFUND_TRY, {"id": refund_id, "now": now}).first()
    return RefundTry._make(row) if row else None


def refuse_refund(connection: Connection, refund_id: uuid.UUID, now: datetime) -> None:
    connection.execute(_REFUND_REFUSED, {"id": refund_id, "now": now})


def observe_account(
    connection: Connection,
    developer_id: uuid.UUID,
    *,
    account: str,
    details: bool,
    enabled: bool,
    closed: bool,
    event: Json | None,
    now: datetime,
) -> str:
    """Keeps how an account stands now; answers what changed."""
    parameters = {
        "developer": developer_id,
        "account": account,
        "details": details,
        "enabled": enabled,
        "closed": closed,
        "event": _event(event),
        "now": now,
    }
    return str(connection.scalar(_ACCOUNT, parameters))


def request_payout(
    connection: Connection,
    *,
    payout_id: uuid.UUID,
    developer_id: uuid.UUID,
    cents: int | None,
    key: str | None,
    now: datetime,
) -> AnyRow:
    """The payout with its money held. Raises DBAPIError: P0411, P0422, P0451 or P0452."""
    parameters = {
        "id": payout_id,
        "developer": developer_id,
        "cents": cents,
        "key": key,
        "now": now,
    }
    return connection.execute(_PAYOUT, parameters).one()


def begin_payout(connection: Connection, payout_id: uuid.UUID, now: datetime) -> AnyRow | None:
    """Leases the payout; None when it is not due or another process is at it."""
    return connection.execute(_PAYOUT_BEGIN, {"id": payout_id, "now": now}).first()


def payout_sent(
    connection: Connection, payout_id: uuid.UUID, transfer_id: str, now: datetime
) -> str:
    parameters = {"id": payout_id, "transfer": transfer_id, "now": now}
    return str(connection.scalar(_PAYOUT_SENT, parameters))


def payout_failed(
    connection: Connection, payout_id: uuid.UUID, *, code: str, message: str, now: datetime
) -> str:
    parameters = {"id": payout_id, "code": code, "message": message, "now": now}
    return str(connection.scalar(_PAYOUT_FAILED, parameters))


def payout_returned(
    connection: Connection, transfer_id: str, *, cents: int, event: Json | None, now: datetime
) -> str:
    parameters = {
        "transfer": transfer_id,
        "cents": cents,
        "event": _event(event),
        "now": now,
    }
    return str(connection.scalar(_PAYOUT_RETURNED, parameters))


def keep_transactions(connection: Connection, rows: list[Json], now: datetime) -> int:
    """Stripe's own books, each line once; answers how many were new."""
    parameters = {"rows": json.dumps(rows), "now": now}
    return int(connection.scalar(_KEEP_TRANSACTIONS, parameters) or 0)


def keep_payments(connection: Connection, rows: list[Json]) -> None:
    connection.execute(_KEEP_PAYMENTS, {"rows": json.dumps(rows)})


def note_difference(
    connection: Connection,
    kind: str,
    what: str,
    *,
    ours: int | None,
    theirs: int | None,
    day: date | None,
    now: datetime,
) -> None:
    """Lists a difference, or that it was seen again."""
    parameters = {"kind": kind, "what": what, "ours": ours, "theirs": theirs, "day": day}
    connection.execute(_DIFFERENCE, parameters | {"now": now})


def clear_differences(
    connection: Connection, kind: str, *, since: datetime, day: date | None, now: datetime
) -> None:
    """What was not seen again since then is settled; of other days nothing."""
    connection.execute(_CLEAR, {"kind": kind, "since": since, "day": day, "now": now})


def close_difference(
    connection: Connection,
    number: int,
    *,
    subject: uuid.UUID,
    reference: uuid.UUID,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    """Closes a difference for staff; False if that was done under this reference already.

    Raises DBAPIError with P0404, or 23505 for a reference of another deed.
    """
    parameters = {"id": number, "subject": subject, "ref": reference, "actor": actor}
    return bool(connection.scalar(_CLOSE, parameters | {"reason": reason, "now": now}))


def days_apart(connection: Connection, kind: str, since: date) -> list[date]:
    """The days, from then on, of which differences are open."""
    query = select(DifferenceRow.day).where(
        DifferenceRow.kind == kind, DifferenceRow.cleared_at.is_(None), DifferenceRow.day >= since
    )
    return [day for day in connection.scalars(query.distinct()) if day is not None]


def violations(connection: Connection) -> list[AnyRow]:
    """Broken invariants I8 to I10; must be empty."""
    return list(connection.execute(_VIOLATIONS))


def differing_sources(connection: Connection, before: datetime) -> list[AnyRow]:
    """Objects at Stripe whose money our books have otherwise: (source, currency, ours, theirs).

    What Stripe never had counts only if it was booked before then: after that nobody has asked.
    """
    return list(connection.execute(_DIFFERING, {"before": before}))


def unpaid_at_stripe(connection: Connection, before: datetime) -> list[AnyRow]:
    """Purchases paid before then of whose payment Stripe knows nothing: (id, amount_cents)."""
    known = select(StripePaymentRow.id).where(StripePaymentRow.id == PurchaseRow.payment_intent_id)
    query = select(PurchaseRow.id, PurchaseRow.amount_cents).where(
        PurchaseRow.status == "paid", PurchaseRow.paid_at < before, ~known.exists()
    )
    return list(connection.execute(query.order_by(PurchaseRow.paid_at, PurchaseRow.id)))


def reconciled(connection: Connection, began: datetime, *, payments: int, lines: int) -> None:
    """A round has read and compared everything."""
    parameters = {"began": began, "payments": payments, "transactions": lines}
    connection.execute(_RECONCILED, parameters)


def silence(connection: Connection, now: datetime) -> list[AnyRow]:
    """Whether I11 is broken: (rule, since when, hours)."""
    return list(connection.execute(_MISSED, {"now": now}))


def unreconciled_since(connection: Connection) -> datetime | None:
    """Since when Stripe's books have not been read; None: nothing ever happened there."""
    found: datetime | None = connection.scalar(_UNRECONCILED)
    return found


def _event(event: Json | None) -> str | None:
    return json.dumps(event) if event is not None else None


# ------------------------------------------------------------------ what is due


def due_purchases(connection: Connection, now: datetime, limit: int) -> list[AnyRow]:
    """Orders that should be looked at: (id, session_id), the longest due first."""
    query = select(PurchaseRow.id, PurchaseRow.session_id).where(PurchaseRow.next_check_at <= now)
    return list(
        connection.execute(query.order_by(PurchaseRow.next_check_at, PurchaseRow.id).limit(limit))
    )


def due_refunds(connection: Connection, now: datetime, limit: int) -> list[uuid.UUID]:
    query = select(RefundRow.id).where(RefundRow.next_try_at <= now)
    return list(
        connection.scalars(query.order_by(RefundRow.next_try_at, RefundRow.id).limit(limit))
    )


def due_payouts(connection: Connection, now: datetime, limit: int) -> list[uuid.UUID]:
    query = select(PayoutRow.id).where(PayoutRow.next_try_at <= now)
    return list(
        connection.scalars(query.order_by(PayoutRow.next_try_at, PayoutRow.id).limit(limit))
    )


def stuck_payouts(connection: Connection, before: datetime) -> list[AnyRow]:
    """Payouts that were asked for before then and have not ended: (id, amount_cents)."""
    query = select(PayoutRow.id, PayoutRow.amount_cents).where(
        PayoutRow.next_try_at.is_not(None), PayoutRow.requested_at < before
    )
    return list(connection.execute(query.order_by(PayoutRow.requested_at, PayoutRow.id)))


def stuck_refunds(connection: Connection, before: datetime) -> list[AnyRow]:
    """Refunds that were asked for before then and Stripe has not made: (id, amount_cents)."""
    query = select(RefundRow.id, RefundRow.amount_cents).where(
        RefundRow.next_try_at.is_not(None), RefundRow.requested_at < before
    )
    return list(connection.execute(query.order_by(RefundRow.requested_at, RefundRow.id)))


# ------------------------------------------------------------------ reading


def packages(session: Session) -> list[PackageRow]:
    return list(session.scalars(select(PackageRow).order_by(PackageRow.price_cents)))


def purchase_terms(session: Session) -> PurchaseTermsRow:
    return session.scalars(select(PurchaseTermsRow)).one()


def replace_packages(session: Session, rows: list[Json], *, least: int, most: int) -> None:
    session.execute(delete(PackageRow))
    if rows:
        session.execute(insert(PackageRow), rows)
    session.execute(update(PurchaseTermsRow).values(least_cents=least, most_cents=most))


def earning_terms(session: Session) -> EarningTermsRow:
    """What holds now, also when it was read and changed before in the same session."""
    query = select(EarningTermsRow).execution_options(populate_existing=True)
    return session.scalars(query).one()


def set_earning_terms(session: Session, *, clearing_seconds: int, least_payout_cents: int) -> None:
    """Changes what holds from now on."""
    parameters = {"seconds": clearing_seconds, "cents": least_payout_cents}
    session.execute(_EARNING_TERMS, parameters)


def purchase(session: Session, purchase_id: uuid.UUID) -> PurchaseRow | None:
    return session.get(PurchaseRow, purchase_id)


def booked_payments(connection: Connection, since: datetime) -> dict[str, bool]:
    """Payments that our books have, since two days before then, and whether with their fee."""
    query = select(PurchaseRow.payment_intent_id, PurchaseRow.fee_cents.is_not(None)).where(
        PurchaseRow.payment_intent_id.is_not(None),
        PurchaseRow.created_at > since - timedelta(days=2),
    )
    return {intent: known for intent, known in connection.execute(query) if intent}


def developer_of_account(connection: Connection, account_id: str) -> uuid.UUID | None:
    query = select(PayoutAccountRow.developer_id).where(PayoutAccountRow.account_id == account_id)
    return connection.scalar(query)


def refunds(session: Session, purchase_ids: Sequence[uuid.UUID]) -> list[RefundRow]:
    """Of these purchases, the oldest first."""
    query = select(RefundRow).where(RefundRow.purchase_id.in_(purchase_ids))
    return list(session.scalars(query.order_by(RefundRow.requested_at, RefundRow.id)))


def disputes(session: Session, purchase_ids: Sequence[uuid.UUID]) -> list[DisputeRow]:
    """Of these purchases, the oldest first."""
    query = select(DisputeRow).where(DisputeRow.purchase_id.in_(purchase_ids))
    return list(session.scalars(query.order_by(DisputeRow.opened_at, DisputeRow.id)))


def paid_count(session: Session, consumer_id: uuid.UUID) -> int:
    """How many purchases the consumer ever paid."""
    query = select(func.count()).where(
        PurchaseRow.consumer_id == consumer_id, PurchaseRow.status == "paid"
    )
    return session.scalar(query) or 0


def paid_purchases(
    session: Session, consumer_id: uuid.UUID, *, offset: int, limit: int
) -> tuple[list[PurchaseRow], int]:
    """What the consumer ever paid for, newest first; and how many."""
    query = select(PurchaseRow).where(
        PurchaseRow.consumer_id == consumer_id, PurchaseRow.status == "paid"
    )
    newest = query.order_by(PurchaseRow.created_at.desc(), PurchaseRow.id.desc())
    rows = list(session.scalars(newest.offset(offset).limit(limit)))
    return rows, paid_count(session, consumer_id)


def payout_account(session: Session, developer_id: uuid.UUID) -> PayoutAccountRow | None:
    """The account that is open, if there is one."""
    query = select(PayoutAccountRow).where(
        PayoutAccountRow.developer_id == developer_id, PayoutAccountRow.closed_at.is_(None)
    )
    return session.scalars(query).first()


def closed_accounts(session: Session, developer_id: uuid.UUID) -> int:
    """How many accounts of the developer have ended."""
    query = select(func.count()).where(
        PayoutAccountRow.developer_id == developer_id, PayoutAccountRow.closed_at.is_not(None)
    )
    return session.scalar(query) or 0


def payable(session: Session, developer_id: uuid.UUID) -> int:
    """What the developer is owed and is not on its way, in micro-credits."""
    return int(session.scalar(_BALANCE, {"developer": developer_id}) or 0)


def uncleared(session: Session, developer_id: uuid.UUID, now: datetime) -> int:
    """Of it, what is not due yet."""
    return int(session.scalar(_UNCLEARED, {"developer": developer_id, "now": now}) or 0)


def paid_out_cents(session: Session, developer_id: uuid.UUID) -> int:
    query = select(
        func.coalesce(func.sum(PayoutRow.amount_cents - PayoutRow.returned_cents), 0)
    ).where(PayoutRow.developer_id == developer_id, PayoutRow.transfer_id.is_not(None))
    return int(session.scalar(query) or 0)


def on_its_way_cents(session: Session, developer_id: uuid.UUID) -> int:
    query = select(func.coalesce(func.sum(PayoutRow.amount_cents), 0)).where(
        PayoutRow.developer_id == developer_id, PayoutRow.next_try_at.is_not(None)
    )
    return int(session.scalar(query) or 0)


def earned_between(
    session: Session, developer_id: uuid.UUID, since: datetime | None, until: datetime | None
) -> AnyRow:
    """(gross, fee, net) in micro-credits of runs that were not refunded."""
    mine = [EarningRow.developer_id == developer_id, EarningRow.reversed_at.is_(None)]
    if since is not None:
        mine.append(EarningRow.earned_at >= since)
    if until is not None:
        mine.append(EarningRow.earned_at < until)
    sums = (
        func.coalesce(func.sum(c), 0) for c in (EarningRow.gross, EarningRow.fee, EarningRow.net)
    )
    return session.execute(select(*sums).where(*mine)).one()


def earnings_page(
    session: Session,
    developer_id: uuid.UUID,
    *,
    since: datetime | None,
    until: datetime | None,
    offset: int,
    limit: int,
) -> tuple[list[AnyRow], int]:
    """(EarningRow, slug, title) per captured run, newest first; and how many."""
    mine = [EarningRow.developer_id == developer_id]
    if since is not None:
        mine.append(EarningRow.earned_at >= since)
    if until is not None:
        mine.append(EarningRow.earned_at < until)
    total = session.scalar(select(func.count()).select_from(EarningRow).where(*mine)) or 0
    query = (
        select(EarningRow, TarsModelRow.slug, TarsModelRow.title)
        .join(TarsModelRow, TarsModelRow.id == EarningRow.tars_model_id)
        .where(*mine)
        .order_by(EarningRow.earned_at.desc(), EarningRow.execution_id)
    )
    return list(session.execute(query.offset(offset).limit(limit))), total


def earnings_by_model(session: Session, developer_id: uuid.UUID) -> list[AnyRow]:
    """(model id, slug, title, runs, net micro-credits), the best earner first."""
    net = func.sum(EarningRow.net)
    query = (
        select(TarsModelRow.id, TarsModelRow.slug, TarsModelRow.title, func.count(), net)
        .join(TarsModelRow, TarsModelRow.id == EarningRow.tars_model_id)
        .where(EarningRow.developer_id == developer_id, EarningRow.reversed_at.is_(None))
        .group_by(TarsModelRow.id)
        .order_by(net.desc(), TarsModelRow.id)
    )
    return list(session.execute(query))


def payouts_page(
    session: Session, developer_id: uuid.UUID, *, status: str | None, offset: int, limit: int
) -> tuple[list[PayoutRow], int]:
    mine = [PayoutRow.developer_id == developer_id]
    if status is not None:
        mine.append(PayoutRow.status == status)
    total = session.scalar(select(func.count()).select_from(PayoutRow).where(*mine)) or 0
    newest = (
        select(PayoutRow).where(*mine).order_by(PayoutRow.requested_at.desc(), PayoutRow.id.desc())
    )
    return list(session.scalars(newest.offset(offset).limit(limit))), total


def payout(session: Session, payout_id: uuid.UUID) -> PayoutRow:
    return session.get_one(PayoutRow, payout_id)


def open_differences(
    session: Session, *, offset: int, limit: int
) -> tuple[list[DifferenceRow], int]:
    """What differs at present between two books, the oldest first; and how many."""
    still = DifferenceRow.cleared_at.is_(None)
    total = session.scalar(select(func.count()).select_from(DifferenceRow).where(still)) or 0
    query = select(DifferenceRow).where(still).order_by(DifferenceRow.id)
    return list(session.scalars(query.offset(offset).limit(limit))), total
