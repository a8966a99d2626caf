"""Paying developers: the amount is held, Stripe is told under the payout's id, and what nobody
can say is asked again under the same id, and by what was sent once Stripe has forgotten it."""

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from common import logs
from common.db import refusals
from common.errors import (
    BelowLeastPayout,
    IdempotencyKeyReused,
    NotEnoughLeft,
    PaymentsUnavailable,
    PayoutAccountMissing,
)
from common.gateways.stripe_reports import NO_ACCOUNT, StripeRefused, StripeUnavailable
from common.http import Page
from common.payments import queries
from common.payments.buying import dollars
from common.payments.connecting import look_at_account
from common.payments.schemas import PayoutOut, PayoutsQuery
from common.payments.tables import PayoutRow
from common.payments.tools import Tools

log = logs.Log("payments")
# Stripe may forget an idempotency key after 24 hours; an hour before, we stop trusting it.
KEY_LIFE = timedelta(hours=23)
ARRIVAL = timedelta(days=5)
# Said to the developer; Stripe's own words stay in the log.
REFUSALS = {
    "balance_insufficient": "The platform could not send it yet. Your earnings are untouched.",
    "insufficient_capabilities_for_transfer": "Your Stripe account cannot be paid at present.",
    "account_invalid": "Your Stripe account is not connected any more. Connect it again.",
}
# After these the account itself is looked at.
ABOUT_THE_ACCOUNT = {*NO_ACCOUNT, "insufficient_capabilities_for_transfer"}
REFUSED = "Stripe did not take the payout. Your earnings are untouched."


def request_payout(
    tools: Tools, developer_id: uuid.UUID, cents: int | None, *, key: str | None
) -> PayoutOut:
    """Holds what is to be paid, or all that is due, and tells Stripe; the same key is the same.

    Raises PaymentsUnavailable, PayoutAccountMissing, BelowLeastPayout, NotEnoughLeft or
    IdempotencyKeyReused.
    """
    if not tools.stripe.ready:
        raise PaymentsUnavailable
    payout_id = _requested(tools, developer_id, cents, key)
    send_payout(tools, payout_id)
    with tools.db.transaction() as session:
        return payout_shown(queries.payout(session, payout_id))


def send_payout(tools: Tools, payout_id: uuid.UUID) -> str:
    """Tells Stripe about a payout that is due; answers 'sent', 'failed', 'unclear' or 'not due'."""
    with tools.db.step() as connection:
        payout = queries.begin_payout(connection, payout_id, tools.clock.now())
    if payout is None:
        return "not due"
    try:
        transfer_id = _sent(tools, payout)
    except StripeRefused as error:
        effect = _failed(tools, payout_id, error.code)
        if error.code in ABOUT_THE_ACCOUNT:
            look_at_account(tools, payout.developer_id, payout.account_id)
        return effect
    except StripeUnavailable as error:
        log.warning("payout unclear", exception=error, payoutId=payout_id)
        return "unclear"
    with tools.db.step() as connection:
        effect = queries.payout_sent(connection, payout_id, transfer_id, tools.clock.now())
    log.info("payout", payoutId=payout_id, effect=effect, transferId=transfer_id)
    return effect


def follow_transfer(
    tools: Tools, transfer_id: str, *, event: dict[str, str | None] | None = None
) -> str:
    """Asks Stripe what came back of a transfer and makes that due again."""
    transfer = tools.stripe.transfer_of(transfer_id)
    with tools.db.step() as connection:
        return queries.payout_returned(
            connection,
            transfer.id,
            cents=transfer.reversed_cents,
            event=event,
            now=tools.clock.now(),
        )


def _sent(tools: Tools, payout: queries.AnyRow) -> str:
    """The transfer's id. Raises StripeRefused where there certainly is none and will be none.

    Only an answer to the POST itself says so; a look-up that is refused says nothing.
    """
    payout_id = str(payout.id)
    if tools.clock.now() - payout.tried_at < KEY_LIFE:
        return tools.stripe.transfer(
            payout_id=payout_id, account_id=payout.account_id, cents=payout.amount_cents
        ).id
    try:
        sent = tools.stripe.transfers_of(payout_id)
    except StripeRefused as error:
        raise StripeUnavailable(error.code) from error
    if not sent:
        raise StripeRefused("unsent")
    return sent[0].id


def payouts(session: Session, developer_id: uuid.UUID, query: PayoutsQuery) -> Page[PayoutOut]:
    """The developer's payouts, newest first."""
    rows, total = queries.payouts_page(
        session,
        developer_id,
        status=None if query.status == "all" else query.status,
        offset=query.offset,
        limit=query.limit,
    )
    return Page([payout_shown(row) for row in rows], total, query)


def payout_shown(row: PayoutRow) -> PayoutOut:
    return PayoutOut.model_validate(
        {
            "id": row.id,
            "amount": row.amount_cents,
            "currency": "usd",
            "status": row.status,
            "stripe_transfer_id": row.transfer_id,
            "failure_code": row.failure_code,
            "failure_message": row.failure_message,
            "requested_at": row.requested_at,
            "processed_at": row.processed_at,
            "estimated_arrival": row.requested_at + ARRIVAL,
        }
    )


def _failed(tools: Tools, payout_id: uuid.UUID, code: str) -> str:
    log.warning("payout refused", payoutId=payout_id, code=code)
    public = "account_invalid" if code in NO_ACCOUNT else code
    if public not in REFUSALS:
        public = "refused"
    with tools.db.step() as connection:
        return queries.payout_failed(
            connection,
            payout_id,
            code=public,
            message=REFUSALS.get(public, REFUSED),
            now=tools.clock.now(),
        )


def _requested(
    tools: Tools, developer_id: uuid.UUID, cents: int | None, key: str | None
) -> uuid.UUID:
    with refusals(REQUEST_REFUSALS), tools.db.step() as connection:
        row = queries.request_payout(
            connection,
            payout_id=uuid.uuid4(),
            developer_id=developer_id,
            cents=cents,
            key=key,
            now=tools.clock.now(),
        )
    payout_id: uuid.UUID = row.id
    return payout_id


def _too_little(cents: str) -> BelowLeastPayout:
    least = int(cents)
    return BelowLeastPayout(f"A payout is at least {dollars(least)}.", minimumCents=least)


def _not_due(cents: str) -> NotEnoughLeft:
    due = int(cents)
    return NotEnoughLeft(f"Only {dollars(due)} are due at present.", availableCents=due)


REQUEST_REFUSALS: Mapping[str, Callable[[str], Exception]] = {
    "P0451": lambda _: PayoutAccountMissing(),
    "P0452": _too_little,
    "P0411": _not_due,
    "P0422": lambda _: IdempotencyKeyReused(),
}
