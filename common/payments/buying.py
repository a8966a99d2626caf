"""Buying credits: our order first, Stripe's page next, the credits when Stripe says it is paid."""

import uuid
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from common import logs
from common.credits import service as ledger
from common.db import refusals
from common.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    PaymentsUnavailable,
    PurchaseLimitReached,
    PurchaseNotFound,
)
from common.gateways.stripe_reports import StripeRefused, StripeUnavailable
from common.http import Page, Paging
from common.payments import queries
from common.payments.observing import observe
from common.payments.schemas import (
    DisputeOut,
    PackageOut,
    PackagesIn,
    PackagesOut,
    PurchaseIn,
    PurchaseItem,
    PurchaseOpened,
    PurchaseOut,
    PurchaseStatus,
    RefundOut,
)
from common.payments.tables import DisputeRow, PurchaseRow, RefundRow
from common.payments.tools import Tools
from common.settings import Settings

log = logs.Log("payments")
CREDITS_PER_DOLLAR = 100
CHECKOUT_CREDITS = {"pending": "Pay to get your credits.", "paid": "Your credits are there."}


def dollars(cents: int) -> str:
    """$12.34"""
    return f"${cents // 100:,}.{cents % 100:02d}"


def packages(session: Session) -> PackagesOut:
    """What can be bought at present."""
    terms = queries.purchase_terms(session)
    return PackagesOut(
        packages=[
            PackageOut(
                credits=row.price_cents,
                price_cents=row.price_cents,
                price_display=dollars(row.price_cents),
                popular=row.popular,
            )
            for row in queries.packages(session)
        ],
        credits_per_dollar=CREDITS_PER_DOLLAR,
        least_cents=terms.least_cents,
        most_cents=terms.most_cents,
    )


def set_packages(session: Session, given: PackagesIn) -> PackagesOut:
    """Replaces the shop window. Raises InvalidRequest."""
    if given.least_cents > given.most_cents:
        message = "must not be less than leastCents"
        raise InvalidRequest.of([{"field": "mostCents", "message": message}])
    prices = [each.price_cents for each in given.packages]
    if len(set(prices)) < len(prices):
        raise InvalidRequest.of([{"field": "packages", "message": "must differ in price"}])
    if any(not given.least_cents <= price <= given.most_cents for price in prices):
        message = "must lie between leastCents and mostCents"
        raise InvalidRequest.of([{"field": "packages", "message": message}])
    rows = [each.model_dump() for each in given.packages]
    queries.replace_packages(session, rows, least=given.least_cents, most=given.most_cents)
    return packages(session)


def buy(
    tools: Tools,
    consumer_id: uuid.UUID,
    order: PurchaseIn,
    *,
    email: str | None,
    key: str | None,
) -> PurchaseOpened:
    """Opens an order and a page to pay it on; the same key is the same order.

    Raises InvalidRequest, IdempotencyKeyReused, PurchaseLimitReached or PaymentsUnavailable; the
    order then waits for the next try with the same key, and ends by itself.
    """
    return_url = _return_url(tools.settings, order.return_url)
    if not tools.stripe.ready:
        raise PaymentsUnavailable
    with tools.db.transaction() as session:
        _check_amount(session, order.amount_cents)
    row = _opened(tools, consumer_id, order.amount_cents, key)
    url = row.checkout_url
    if row.status == "pending" and url is None:
        try:
            made = tools.stripe.open_checkout(
                purchase_id=str(row.id), cents=row.amount_cents, email=email, return_url=return_url
            )
        except (StripeRefused, StripeUnavailable) as error:
            log.error("no checkout", exception=error, purchaseId=row.id)
            raise PaymentsUnavailable from None
        url = made.url
        with tools.db.step() as connection:
            queries.keep_session(
                connection, row.id, session=made.session_id, url=url, now=tools.clock.now()
            )
    with tools.db.transaction() as session:
        balance = ledger.balance(session, consumer_id).balance
    paid = row.amount_cents if row.status == "paid" else 0
    return PurchaseOpened(
        id=row.id,
        status=row.status,
        credits_amount=row.amount_cents,
        amount_paid=paid,
        price_cents=row.amount_cents,
        new_balance=balance,
        checkout_url=url if row.status == "pending" else None,
        message=CHECKOUT_CREDITS.get(row.status, "This checkout has ended. Start a new one."),
    )


def purchase(tools: Tools, purchase_id: uuid.UUID, consumer_id: uuid.UUID) -> PurchaseOut:
    """A consumer's purchase. While it is open Stripe is asked, since its webhook may be late.

    Raises PurchaseNotFound, also for another's.
    """
    with tools.db.transaction() as session:
        row = _own(session, purchase_id, consumer_id)
    if row.status == "pending" and row.session_id:
        look(tools, purchase_id, row.session_id)
    with tools.db.transaction() as session:
        return shown(session, _own(session, purchase_id, consumer_id))


def look(tools: Tools, purchase_id: uuid.UUID, session_id: str) -> str:
    """Asks Stripe about an order and moves our books; 'unanswered' when it cannot say."""
    with tools.db.step() as connection:  # first, so that one that fails does not block the rest
        queries.look_later(connection, purchase_id, tools.clock.now())
    try:
        seen = tools.stripe.session(session_id)
    except (StripeRefused, StripeUnavailable) as error:
        log.warning("no word of a payment", exception=error, purchaseId=purchase_id)
        return "unanswered"
    if seen.purchase_id != purchase_id:
        return "mismatch"
    effect = observe(tools, purchase_id, seen)
    log.info("purchase looked at", purchaseId=purchase_id, effect=effect)
    return effect


def history(session: Session, consumer_id: uuid.UUID, paging: Paging) -> Page[PurchaseItem]:
    """What the consumer paid for, newest first."""
    rows, total = queries.paid_purchases(
        session, consumer_id, offset=paging.offset, limit=paging.limit
    )
    after = _after(session, rows)
    return Page([PurchaseItem(**_item(row, *after[row.id])) for row in rows], total, paging)


def purchase_count(session: Session, consumer_id: uuid.UUID) -> int:
    """How many purchases the consumer ever paid."""
    return queries.paid_count(session, consumer_id)


def shown(session: Session, row: PurchaseRow) -> PurchaseOut:
    """A purchase with everything that followed it."""
    refunds, disputes = _after(session, [row])[row.id]
    return PurchaseOut(
        **_item(row, refunds, disputes),
        price_cents=row.amount_cents,
        paid_at=row.paid_at,
        checkout_url=row.checkout_url if row.status == "pending" else None,
        receipt_url=row.receipt_url,
        refunds=[refund_shown(each) for each in refunds],
        disputes=[_dispute(each) for each in disputes],
        balance=ledger.balance(session, row.consumer_id),
    )


def refund_shown(row: RefundRow) -> RefundOut:
    return RefundOut.model_validate(row)


def _dispute(row: DisputeRow) -> DisputeOut:
    return DisputeOut.model_validate(row)


def _after(
    session: Session, rows: Sequence[PurchaseRow]
) -> dict[uuid.UUID, tuple[list[RefundRow], list[DisputeRow]]]:
    """What followed each purchase, in two statements for all of them."""
    found: dict[uuid.UUID, tuple[list[RefundRow], list[DisputeRow]]] = {
        row.id: ([], []) for row in rows
    }
    for refund in queries.refunds(session, list(found)):
        found[refund.purchase_id][0].append(refund)
    for dispute in queries.disputes(session, list(found)):
        found[dispute.purchase_id][1].append(dispute)
    return found


def _item(
    row: PurchaseRow, refunds: Sequence[RefundRow], disputes: Sequence[DisputeRow]
) -> dict[str, object]:
    paid = row.amount_cents if row.status == "paid" else 0
    return {
        "id": row.id,
        "status": _status(row, refunds, disputes),
        "credits_amount": row.amount_cents,
        "amount_paid": paid,
        "amount_paid_display": dollars(paid),
        "created_at": row.created_at,
    }


def _status(
    row: PurchaseRow, refunds: Sequence[RefundRow], disputes: Sequence[DisputeRow]
) -> PurchaseStatus:
    """The order's own status, and for a paid one what has become of the money since."""
    if row.status != "paid":
        own: Literal["pending", "expired"] = "pending" if row.status == "pending" else "expired"
        return own
    disputed = {each.status for each in disputes}
    if "lost" in disputed:
        return "lost"
    if disputed & {"open", "withdrawn"}:
        return "disputed"
    gone = sum(each.amount_cents for each in refunds if each.status == "succeeded")
    if gone:
        return "refunded" if gone == row.amount_cents else "partially_refunded"
    return "paid"


def _own(session: Session, purchase_id: uuid.UUID, consumer_id: uuid.UUID) -> PurchaseRow:
    row = queries.purchase(session, purchase_id)
    if row is None or row.consumer_id != consumer_id:
        raise PurchaseNotFound
    return row


def _check_amount(session: Session, cents: int) -> None:
    terms = queries.purchase_terms(session)
    if not terms.least_cents <= cents <= terms.most_cents:
        message = f"must lie between {terms.least_cents} and {terms.most_cents}"
        raise InvalidRequest.of([{"field": "amountCents", "message": message}])


def _opened(tools: Tools, consumer_id: uuid.UUID, cents: int, key: str | None) -> queries.AnyRow:
    told = {"P0422": lambda _: IdempotencyKeyReused(), "P0431": _bought_enough}
    with refusals(told), tools.db.step() as connection:
        return queries.open_purchase(
            connection,
            purchase_id=uuid.uuid4(),
            consumer_id=consumer_id,
            cents=cents,
            key=key,
            now=tools.clock.now(),
        )


def _return_url(settings: Settings, given: str | None) -> str:
    url = given or f"{settings.market_url}/credits"
    return checked_return_url(settings, url, "returnUrl")


def checked_return_url(settings: Settings, url: str, field: str) -> str:
    """The address if it is one of our own frontends': nobody is sent elsewhere by us."""
    parts = urlsplit(url)
    own = {*settings.cors_origins, settings.market_url, settings.studio_url}
    if f"{parts.scheme}://{parts.netloc}" not in own or parts.query or parts.fragment:
        message = "must be a page of this installation, without a query"
        raise InvalidRequest.of([{"field": field, "message": message}])
    return url


def _bought_enough(cents: str) -> PurchaseLimitReached:
    dollars = f"${int(cents) / 100:,.2f}"
    return PurchaseLimitReached(
        f"A new account may buy credits for {dollars} a day. Try again tomorrow.",
        limitCents=int(cents),
        retryAfterSeconds=86_400,
    )
