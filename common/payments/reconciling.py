"""Our books against Stripe's. What a lost webhook left undone is done here; what cannot be
explained is listed for staff, and said loudly once it is worth more than a little."""

import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from common import logs
from common.db import refusals
from common.errors import Conflict, DifferenceNotFound
from common.gateways.stripe_reports import DOLLARS, StripeRefused, StripeUnavailable
from common.http import Page, Paging
from common.payments import queries
from common.payments.observing import follow
from common.payments.paying_out import follow_transfer
from common.payments.schemas import (
    DifferenceClosed,
    DifferenceCloseIn,
    DifferenceOut,
    Reconciled,
)
from common.payments.tables import DifferenceRow
from common.payments.tools import Books, Tools

log = logs.Log("cleanup")
WINDOW = timedelta(days=30)
STUCK = timedelta(hours=1)
UNREAD = timedelta(hours=1)  # what was booked since then may not stand in what was read
NOT_BOOKED = {"unknown", "mismatch", "not ours", "refused"}
UNCHANGED = {"nothing", *NOT_BOOKED}
MOST_NUMBER = 2**63 - 1  # differences are numbered; as ids they are UUIDs, like all others
_REFUSALS: dict[str, Callable[[str], Exception]] = {
    "P0404": lambda _: DifferenceNotFound(),
    "23505": lambda _: Conflict("This reference was used for another deed."),
}


class Difference(NamedTuple):
    """Where two books differ, in cents, or the smallest unit of a currency that `what` names."""

    what: str
    ours: int | None
    theirs: int | None


class _Read(NamedTuple):
    """What a round read of Stripe's books, and how much it put right."""

    payments: int
    transactions: int
    repaired: int


def reconcile(tools: Tools) -> Reconciled:
    """One round; may be repeated at any time. What Stripe cannot say now is asked the next time."""
    began = tools.clock.now()
    read = _Read(0, 0, 0)
    if tools.stripe.ready:
        try:
            read = _with_stripe(tools, began)
        except (StripeRefused, StripeUnavailable) as error:
            log.error("Stripe's books cannot be read", exception=error)
    with tools.db.step() as connection:
        stuck = {
            "payout stuck": queries.stuck_payouts(connection, began - STUCK),
            "refund stuck": queries.stuck_refunds(connection, began - STUCK),
        }
    for kind, found in stuck.items():
        note(tools, kind, [Difference(str(row.id), row.amount_cents, None) for row in found], began)
    with tools.db.transaction() as session:
        _, still = queries.open_differences(session, offset=0, limit=0)
    return Reconciled(
        payments=read.payments,
        transactions=read.transactions,
        repaired=read.repaired,
        open_differences=still,
    )


def violations(tools: Books, connection: Connection) -> list[tuple[str, str, int]]:
    """Broken invariants I8 to I11, each with where and by how much; must be empty."""
    silence = queries.silence(connection, tools.clock.now())
    return [
        (str(rule), str(what), int(by))
        for rule, what, by in [*queries.violations(connection), *silence]
    ]


def differences(session: Session, paging: Paging) -> Page[DifferenceOut]:
    """What differs at present, the oldest first."""
    rows, total = queries.open_differences(session, offset=paging.offset, limit=paging.limit)
    return Page([_shown(row) for row in rows], total, paging)


def close_difference(
    tools: Tools, difference_id: uuid.UUID, order: DifferenceCloseIn, *, by: str
) -> DifferenceClosed:
    """Staff say how it was put right. Raises DifferenceNotFound, or Conflict for the reference."""
    if difference_id.int > MOST_NUMBER:
        raise DifferenceNotFound
    with refusals(_REFUSALS), tools.db.step() as connection:
        done = queries.close_difference(
            connection,
            difference_id.int,
            subject=difference_id,
            reference=order.reference,
            actor=by,
            reason=order.reason,
            now=tools.clock.now(),
        )
    return DifferenceClosed(id=difference_id, done_now=done)


def _shown(row: DifferenceRow) -> DifferenceOut:
    return DifferenceOut(
        id=uuid.UUID(int=row.id),
        kind=row.kind,
        what=row.what,
        ours=row.ours,
        theirs=row.theirs,
        found_at=row.found_at,
        seen_at=row.seen_at,
    )


def _with_stripe(tools: Tools, began: datetime) -> _Read:
    """Reads Stripe's books, does what was left undone, lists what stays apart."""
    since, before = _since(tools, began), began - UNREAD
    payments = tools.stripe.payments_since(since)
    booked, repaired = _repair_payments(tools, payments, since)
    lines = tools.stripe.transactions_since(since)
    with tools.db.step() as connection:
        queries.keep_payments(connection, payments)
        queries.keep_transactions(connection, lines, tools.clock.now())
    apart, more = _repair_money(tools, lines, before)
    _note_money(tools, apart, began)
    _note_payments(tools, [row for row in payments if row["id"] not in booked], began)
    with tools.db.step() as connection:
        unpaid = queries.unpaid_at_stripe(connection, before)
    missing = [Difference(str(row.id), row.amount_cents, None) for row in unpaid]
    note(tools, "purchase without a payment", missing, began)
    with tools.db.step() as connection:
        queries.reconciled(connection, began, payments=len(payments), lines=len(lines))
    return _Read(len(payments), len(lines), repaired + more)


def _since(tools: Tools, began: datetime) -> datetime:
    """The last 30 days, or more if nobody has read Stripe's books for longer."""
    with tools.db.step() as connection:
        unread = queries.unreconciled_since(connection)
    return min(began - WINDOW, (unread or began) - UNREAD)


def _repair_payments(
    tools: Tools, payments: list[dict[str, Any]], since: datetime
) -> tuple[set[str], int]:
    """Follows every payment that our books do not have, or not with its fee yet.

    Answers the payments that our books have now, and how many were paid by that.
    """
    with tools.db.step() as connection:
        booked = queries.booked_payments(connection, since)
    missing = [row["id"] for row in payments if not booked.get(row["id"])]
    effects = {each: _followed(follow, tools, each) for each in missing}
    known = {each for each, effect in effects.items() if effect not in NOT_BOOKED}
    return {*booked, *known}, sum("paid" in effect for effect in effects.values())


def _repair_money(
    tools: Tools, lines: list[dict[str, Any]], before: datetime
) -> tuple[list[queries.AnyRow], int]:
    """Follows refunds, disputes and returned transfers that nobody told us of.

    Answers what differs still, and how many of them changed something.
    """
    payments = {line["source"]: line["paymentIntentId"] for line in lines}
    apart = _differing(tools, before)
    sources = {str(row.source) for row in apart}
    transfers = {each for each in sources if each.startswith("tr_")}
    intents = {payments[each] for each in sources if payments.get(each)}
    effects = [_followed(follow_transfer, tools, each) for each in sorted(transfers)]
    effects += [_followed(follow, tools, each) for each in sorted(intents)]
    repaired = sum(effect not in UNCHANGED for effect in effects)
    return _differing(tools, before) if repaired else apart, repaired


def _differing(tools: Tools, before: datetime) -> list[queries.AnyRow]:
    with tools.db.step() as connection:
        return queries.differing_sources(connection, before)


def _followed(ask: Callable[[Tools, str], str], tools: Tools, name: str) -> str:
    """One object that Stripe does not show must not end the round."""
    try:
        return ask(tools, name)
    except StripeRefused as error:
        log.error("not followed", exception=error, object=name)
        return "refused"


def _note_money(tools: Tools, apart: list[queries.AnyRow], began: datetime) -> None:
    """Dollars, and apart from them whatever Stripe keeps in other currencies."""
    dollars = [row for row in apart if row.currency == DOLLARS]
    found = [Difference(row.source, row.ours, row.theirs) for row in dollars]
    note(tools, "money at Stripe", found, began)
    other = [
        Difference(f"{row.source} {row.currency.upper()}", row.ours, row.theirs)
        for row in apart
        if row.currency != DOLLARS
    ]
    note(tools, "money in another currency at Stripe", other, began)


def _note_payments(tools: Tools, unknown: list[dict[str, Any]], began: datetime) -> None:
    """Payments that nobody ordered; nobody can order in another currency than dollars."""
    dollars = [
        Difference(row["id"], None, row["amountCents"])
        for row in unknown
        if row["currency"] == DOLLARS
    ]
    note(tools, "payment without a purchase", dollars, began)
    other = [
        Difference(f"{row['id']} {row['currency'].upper()}", None, row["amountCents"])
        for row in unknown
        if row["currency"] != DOLLARS
    ]
    note(tools, "payment in another currency", other, began)


def note(
    tools: Books,
    kind: str,
    found: Iterable[Difference],
    began: datetime,
    *,
    day: date | None = None,
) -> None:
    """Lists what differs, says it, and settles what does not differ any more.

    `day`: the day that was compared; what was found of another day stays as it is.
    """
    now, most = tools.clock.now(), tools.settings.difference_alert_cents
    with tools.db.step() as connection:
        for each in found:
            queries.note_difference(
                connection, kind, each.what, ours=each.ours, theirs=each.theirs, day=day, now=now
            )
            apart = abs((each.ours or 0) - (each.theirs or 0))
            say = log.critical if apart > most else log.warning
            say("books differ", kind=kind, what=each.what, ours=each.ours, theirs=each.theirs)
        queries.clear_differences(connection, kind, since=began, day=day, now=now)


def days_apart(tools: Books, kind: str, since: date) -> list[date]:
    """The days, from then on, on which two books still differ."""
    with tools.db.step() as connection:
        return queries.days_apart(connection, kind, since)
